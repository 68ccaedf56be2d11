"""Every command of docs/moving-statements.md does what the page says, in the order of the page."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.cli import main
from gateway.store.connection import connect
from tests.mongo import new_database_name

PAGE = (Path(__file__).parent.parent / "docs" / "moving-statements.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
LATE = {
    "id": "a4c19b6a-3f5c-4a0e-8d21-3f6d9a2c7b10",
    "actor": {"mbox": "mailto:jo@example.org"},
    "verb": {"id": "http://adlnet.gov/expapi/verbs/completed"},
    "object": {"id": "https://example.org/courses/fire-safety"},
    "stored": "2020-01-01T00:00:00Z",
}


def test_every_command_of_the_page_works(
    mongo_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    name = new_database_name()
    environment = {"XAPI_GATEWAY__MONGO__URI": mongo_uri, "XAPI_GATEWAY__MONGO__DATABASE": name}
    Path("late.ndjson").write_text(json.dumps(LATE) + "\n", encoding="utf-8")
    commands = [line for block in BLOCKS for line in block.splitlines()]
    try:
        for command in commands:
            words = shlex.split(command)
            assert words[0] == "xapi-gateway"
            result = CliRunner().invoke(main, words[1:], env=environment)
            assert result.exit_code == 0, (command, result.output)
        last = CliRunner().invoke(main, ["statements", "export"], env=environment)
    finally:
        asyncio.run(drop(mongo_uri, name))
    assert len(commands) == 7
    for file in ("all.ndjson", "jo.ndjson", "monday.ndjson", "repair.ndjson"):
        assert Path(file).exists(), file
    moved = json.loads(last.stdout)
    assert moved["id"] == LATE["id"]
    assert moved["timestamp"] == LATE["stored"] < moved["stored"]


async def drop(uri: str, name: str) -> None:
    async with connect(uri, app_name="tests") as client:
        await client.drop_database(name)
