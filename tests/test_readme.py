from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import click

from gateway.cli import main
from gateway.settings import load
from tests.gateway import Gateway, create_credential

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
KEY, SECRET = "readme", "secret-of-the-readme"
_HOST = "http://127.0.0.1:8080"


def prompts() -> list[str]:
    """What stands behind a `$` in the README, a command each, with the lines that continue it."""
    found: list[str] = []
    for block in re.findall(r"^```console\n(.*?)^```", README, re.DOTALL | re.MULTILINE):
        found += re.findall(r"^\$ ((?:.*\\\n)*(?:.*'\{(?:.*\n)*?.*\}'$|.*))", block, re.MULTILINE)
    return found


def run(command: str) -> Any:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        env=os.environ | {"no_proxy": "127.0.0.1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return json.loads(done.stdout)


def test_the_readme_shows_the_commands_that_are_checked_here() -> None:
    assert [command.split()[0] for command in prompts()] == ["make", "make", "curl", "curl"]


async def test_the_first_statement_by_hand_is_stored_and_read_again(gateway: Gateway) -> None:
    await create_credential(gateway.store, KEY, SECRET, "all")
    curls = [command for command in prompts() if command.startswith("curl")]
    answers = []
    for command in curls:
        assert _HOST in command
        assert "KEY:SECRET" in command
        mine = command.replace("KEY:SECRET", f"{KEY}:{SECRET}").replace(_HOST, gateway.url)
        answers.append(await asyncio.to_thread(run, mine.replace("curl ", "curl -sS ", 1)))
    (stored,), read = answers
    assert [statement["id"] for statement in read["statements"]] == [stored]
    assert read["statements"][0]["actor"]["account"]["name"] == "ada"


def test_the_address_in_the_readme_is_the_default_one() -> None:
    server = load(None, {}, {}).server
    assert f"http://{server.host}:{server.port}" == _HOST
    assert f"<{_HOST}>" in README


def test_every_link_leads_to_a_file() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)
    assert len(links) >= 9
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_every_page_of_the_documentation_can_be_found_from_the_readme() -> None:
    found, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        found.add(page)
        links = re.findall(r"\]\((?!https?:)([^)#]+\.md)", page.read_text())
        waiting += {(page.parent / link).resolve() for link in links} - found - set(waiting)
    assert set((ROOT / "docs").glob("*.md")) <= found


def test_the_commands_that_are_named_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:`|\$ )make ([a-z-]+)", README))
    assert {"run", "demo"} <= named <= targets
    for name in re.findall(r"(?:`|\$ )xapi-gateway ([a-z]+)", README):
        assert isinstance(main.get_command(click.Context(main), name), click.Command), name
    for file in re.findall(r"`([\w-]+\.yml)`", README):
        assert (ROOT / file).is_file(), file


def test_the_extra_that_is_named_exists() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(re.findall(r"extra `(\w+)`", " ".join(README.split()))) == {"embedded"}
    assert "embedded" in extras
