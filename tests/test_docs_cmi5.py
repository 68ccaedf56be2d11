from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import click
import pytest

from gateway.cli import main
from gateway.cmi5.sessions import diagram
from gateway.services import signing
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
        timeout=240,
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
    refused, silent, preview, version, job, named, registered, link, enrolled = answers[:9]
    progress, record, table, changed, waived, subscribed, launch, gate, session, abandoned = answers[9:]
    assert refused["error"]["code"] == "invalid"
    (problem,) = refused["error"]["problems"]
    assert problem["path"] == "courseStructure/au (line 6)"
    assert "Pased" in problem["message"]
    assert (silent, table, launch) == (None, None, None)
    assert preview["launchMode"] == "Browse"
    assert (version["version"], version["warnings"]) == (2, [])
    assert job["state"] == "waiting"
    assert (named["id"], named["tags"]) == (version["id"], ["autumn"])
    # Ada is registered already.
    assert (enrolled["enrolled"], enrolled["present"]) == (1, 1)
    assert len((tmp_path / "progress.csv").read_text().splitlines()) == 3
    assert changed == {"registrations": [], "more": None}
    assert subscribed["secret"].startswith("whsec_")
    assert registered["course"] == version["id"]
    assert urlsplit(link["url"]).path.startswith("/launch/")
    assert progress["progress"]["children"][0]["moveOn"] == "Passed"
    assert record["statements"] == []
    assert waived["progress"]["satisfied"] is True
    assert len(gate["error"]["problems"]) > 1
    assert session["state"] == "authorized"
    assert session["refusals"][0]["problems"] == gate["error"]["problems"]
    assert abandoned["state"] == "abandoned"


def functions() -> dict[str, Any]:
    """The functions of the page."""
    names: dict[str, Any] = {}
    for code in blocks("python"):
        exec(compile(code, "docs/cmi5.md", "exec"), names)
    return names


def test_the_receiver_tells_genuine_notices_from_others() -> None:
    is_genuine, secret = functions()["is_genuine"], signing.new_secret()
    now, body = int(time.time()), b'{"type": "registration.passed"}'

    def headers(secrets: list[str], timestamp: int) -> dict[str, str]:
        return {
            "webhook-id": "m",
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signing.signature(secrets, "m", timestamp, body),
        }

    assert is_genuine(secret, headers([secret], now), body)
    assert is_genuine(secret, headers([signing.new_secret(), secret], now), body)
    assert not is_genuine(secret, headers([signing.new_secret()], now), body)
    assert not is_genuine(secret, headers([secret], now), body + b" ")
    assert not is_genuine(secret, headers([secret], now - 301), body)


def test_every_command_that_the_page_names_exists() -> None:
    named = re.findall(r"^\| `xapi-gateway (\w+) ([^|]*)\|", PAGE, re.MULTILINE)
    assert len(named) > 8
    for group, rest in named:
        commands = [word.split()[0] for word in rest.strip().strip("`").split("`, `")]
        known = main.get_command(click.Context(main), group)
        assert isinstance(known, click.Group)
        assert set(commands) <= set(known.commands), group


async def test_the_portal_gets_a_url_that_the_browser_can_go_to(documented: Gateway) -> None:
    names = functions()
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
    named |= set(re.findall(r"`(notices\.[a-z_]+)`", PAGE))
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
