"""The page about reports: its commands do what it says."""

from __future__ import annotations

import asyncio
import json
import random
import re
import shlex
from pathlib import Path

from click.testing import CliRunner

from gateway.cli import main
from gateway.settings import load
from gateway.store.connection import connect
from gateway.store.store import Store
from tests.mongo import new_database_name
from tests.services.test_reports import made
from tests.store.entries import insert

PAGE = (Path(__file__).parent.parent / "docs" / "reports.md").read_text()


def test_the_commands_do_what_the_page_says(mongo_uri: str) -> None:
    name = new_database_name()
    environment = {"XAPI_GATEWAY__MONGO__URI": mongo_uri, "XAPI_GATEWAY__MONGO__DATABASE": name}
    commands = [
        shlex.split(line) for line in re.findall(r"^\$ xapi-gateway (reports .*)$", PAGE, re.MULTILINE)
    ]
    show, check, rebuild = commands

    def run(arguments: list[str], status: int = 0) -> str:
        done = CliRunner().invoke(main, arguments, env=environment)
        assert done.exit_code == status, done.output
        return done.stdout

    async def fill() -> None:
        async with connect(mongo_uri, app_name="tests") as client:
            store, chance = Store(client, name), random.Random(1)
            await store.prepare()
            await insert(store, *(made(chance, number, 1000 + number) for number in range(1, 300)))

    async def spoil() -> None:
        async with connect(mongo_uri, app_name="tests") as client:
            await client[name]["report_cells"].update_many({"s": {"$ne": None}}, {"$inc": {"v": 1}})

    async def drop() -> None:
        async with connect(mongo_uri, app_name="tests") as client:
            await client.drop_database(name)

    try:
        asyncio.run(fill())
        assert run(check) == "nothing was counted yet\n"
        assert json.loads(run([*rebuild, "--json"])) == {"counted": 299}
        assert run(show).startswith("group,key,name,statements,learners,partly\ntotal,,,")
        assert json.loads(run([*show, "--json"]))["threshold"] == 10
        assert json.loads(run([*check, "--json"]))["ok"] is True
        asyncio.run(spoil())
        assert " 0 wrong" not in run(check, status=1)
        assert "count again: xapi-gateway reports rebuild" in run(["doctor"], status=1)
    finally:
        asyncio.run(drop())


def test_the_threshold_on_the_page_is_the_default() -> None:
    assert f"`reports.threshold` learners ({load(None, {}, {}).reports.threshold})" in PAGE
