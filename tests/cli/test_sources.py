from __future__ import annotations

import asyncio
import json
from typing import Any

from click.testing import CliRunner

from gateway.cli import main
from tests.gateway import KEY, Gateway
from tests.services.test_observing import observed, send, statement

MINE = f"credential:{KEY}"


async def test_sources_are_listed_shown_and_written(gateway: Gateway, mongo_uri: str) -> None:
    environment = {
        "XAPI_GATEWAY__MONGO__URI": mongo_uri,
        "XAPI_GATEWAY__MONGO__DATABASE": gateway.settings.mongo.database,
    }

    async def run(*arguments: str, status: int = 0) -> str:
        done = await asyncio.to_thread(
            CliRunner().invoke, main, ["sources", *arguments], env=environment, catch_exceptions=False
        )
        assert done.exit_code == status, done.output
        return done.stdout if status == 0 else done.output

    async def read(*arguments: str) -> Any:
        return json.loads(await run(*arguments, "--json"))

    await send(gateway, statement())
    await observed(gateway)
    assert [one["source"] for one in await read("list")] == [MINE]
    assert "adapter:zoom" in [one["source"] for one in await read("list", "--all")]
    written = await read(
        "set", MINE, "--owner", "Registrar", "--contract", "C-1", "--verb", "https://tool.example/v"
    )
    assert (written["number"], written["by"], written["undeclared"]) == (1, "command", 1)
    changed = await read("set", MINE, "--ends", "2030-01-31", "--owner", "")
    assert changed["record"]["contract"] == {"reference": "C-1", "ends": "2030-01-31"}
    assert changed["owner"] is None
    assert changed["record"]["declared"]["verbs"] == ["https://tool.example/v"]
    shown = await run("show", MINE)
    assert "verbs/completed" in shown
    assert "undeclared" in shown
    assert "contractEnds: 2030-01-31" in shown
    assert MINE in await run("list")
    assert 'contract.ends holds "soon"' in await run("set", MINE, "--ends", "soon", status=1)
    assert "there is no source 'adapter:nothing'" in await run("show", "adapter:nothing", status=1)
