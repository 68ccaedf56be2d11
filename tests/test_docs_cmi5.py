from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from gateway.cmi5.sessions import diagram
from gateway.settings import schema
from tests.gateway import Gateway, create_credential
from tests.web.au import LEARNER, api, imported

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "cmi5.md").read_text()
REQUIREMENTS = (ROOT / "docs" / "cmi5-requirements.md").read_text()
KEY, SECRET = "docs", "secret-of-the-docs"
_MARK = "--- next command ---"


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def run(script: str, folder: Path, gateway: str) -> str:
    environment = {**os.environ, "GATEWAY": gateway, "KEY": KEY, "SECRET": SECRET}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture
async def documented(gateway: Gateway) -> Gateway:
    await create_credential(gateway.store, KEY, SECRET, "cmi5", "statements/read")
    return gateway


async def test_every_command_of_the_page_works_in_its_order(documented: Gateway, tmp_path: Path) -> None:
    script = f"\necho; echo '{_MARK}'\n".join(blocks("sh"))
    output = await asyncio.to_thread(run, script, tmp_path, documented.url)
    answers: list[Any] = [json.loads(text) if text.strip() else None for text in output.split(_MARK)]
    refused, silent, version, registered, link, progress, record, waived = answers[:8]
    launch, gate, session, abandoned = answers[8:]
    assert refused["error"]["code"] == "invalid"
    (problem,) = refused["error"]["problems"]
    assert problem["path"] == "courseStructure/au (line 6)"
    assert "Pased" in problem["message"]
    assert (silent, launch) == (None, None)
    assert (version["version"], version["warnings"]) == (2, [])
    assert registered["course"] == version["id"]
    assert urlsplit(link["url"]).path.startswith("/launch/")
    assert progress["progress"]["children"][0]["moveOn"] == "Passed"
    assert record["statements"] == []
    assert waived["progress"]["satisfied"] is True
    assert len(gate["error"]["problems"]) > 1
    assert session["state"] == "authorized"
    assert session["refusals"][0]["problems"] == gate["error"]["problems"]
    assert abandoned["state"] == "abandoned"


async def test_the_portal_gets_a_url_that_the_browser_can_go_to(documented: Gateway) -> None:
    (code,) = blocks("python")
    names: dict[str, Any] = {}
    exec(compile(code, "docs/cmi5.md", "exec"), names)
    course = await imported(documented)
    registration = str(uuid4())
    arguments = (documented.url, KEY, SECRET, course["id"], LEARNER, registration)
    first = await asyncio.to_thread(lambda: names["launch"](*arguments))
    second = await asyncio.to_thread(lambda: names["launch"](*arguments))
    assert first != second
    shown = (await api(documented).get(f"/registrations/{registration}")).json()
    assert [(one["state"], one["reason"]) for one in shown["sessions"]] == [
        ("launched", None),
        ("abandoned", "relaunched"),
    ]


def test_every_setting_that_the_page_names_exists() -> None:
    named = set(re.findall(r"`(cmi5\.[a-z_]+)`", PAGE)) - {"cmi5.xml"}
    assert named == {"cmi5.idle_timeout"}
    assert named <= set(schema.options())
    assert (ROOT / "gateway" / "demo" / "course").is_dir()


def test_the_diagram_of_the_page_is_the_table_of_the_code() -> None:
    assert blocks("mermaid") == [f"{diagram()}\n"]


def test_every_requirement_on_the_lms_is_met_in_a_module_that_exists_and_shown_by_tests_that_exist() -> None:
    rows = re.findall(r"^\| ([\d. -]+) \| (.+) \| (.+) \|$", REQUIREMENTS, re.MULTILINE)
    known = (ROOT / "tests" / "data" / "cmi5" / "lms_requirement_ids.txt").read_text().split()
    assert sorted(each for ids, _, _ in rows for each in ids.split()) == sorted(known)
    sources = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    for _, modules, tests in rows:
        assert all((ROOT / module).is_file() for module in re.findall(r"`(gateway/.+?)`", modules))
        missing = [test for test in re.findall(r"`(test_\w+)`", tests) if f"def {test}(" not in sources]
        assert missing == []
