from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main
from tests.gateway import Gateway
from tests.vendors import acme_item, all_mapped, mappings_folder, post_acme, vendor_secrets

__all__ = ["mappings_folder", "vendor_secrets"]


@pytest.fixture
async def gateway(serve: Callable[..., Any], mappings_folder: Callable[..., Path]) -> Any:
    """A gateway with two mapped deliveries: one done, one failed."""
    async with serve(hooks__mappings=str(mappings_folder())) as gateway:
        await post_acme(gateway.http(), acme_item("good"))
        await post_acme(gateway.http(), acme_item("bad", score="many"))
        await settled(gateway)
        yield gateway


async def settled(gateway: Gateway) -> None:
    await all_mapped(gateway.store)


@pytest.fixture
def run(gateway: Gateway, mongo_uri: str, tmp_path: Path) -> Callable[..., Any]:
    """Runs a command against the same database, as another process would."""

    def invoke(*arguments: str) -> Result:
        environment = {
            "XAPI_GATEWAY__MONGO__URI": mongo_uri,
            "XAPI_GATEWAY__MONGO__DATABASE": gateway.settings.mongo.database,
            "XAPI_GATEWAY__HOOKS__MAPPINGS": str(tmp_path / "mappings"),
        }
        return CliRunner().invoke(main, ["deliveries", *arguments], env=environment)

    async def run(*arguments: str) -> Result:
        return await asyncio.to_thread(invoke, *arguments)

    return run


async def listed(run: Callable[..., Any], *arguments: str) -> list[dict[str, Any]]:
    result = await run("list", "--json", *arguments)
    assert result.exit_code == 0, result.output
    rows: list[dict[str, Any]] = json.loads(result.stdout)
    return rows


async def test_list_shows_deliveries_newest_first_and_filters_them(run: Callable[..., Any]) -> None:
    assert [row["state"] for row in await listed(run)] == ["failed", "done"]
    assert [row["state"] for row in await listed(run, "--state", "failed", "--since", "1h")] == ["failed"]
    assert await listed(run, "--adapter", "zoom") == []
    assert await listed(run, "--until", "2020-01-01T00:00:00Z") == []
    assert "failed" in (await run("list")).stdout


async def test_show_prints_the_request_and_the_problem(run: Callable[..., Any]) -> None:
    (failed, _) = await listed(run)
    shown = await run("show", failed["id"])
    assert "[0].result.score.raw: " in shown.stdout
    assert "POST http" in shown.stdout
    assert '"id": "bad"' in shown.stdout
    assert json.loads((await run("show", failed["id"], "--json")).stdout)["id"] == failed["id"]


async def test_show_of_nothing_says_so(run: Callable[..., Any]) -> None:
    result = await run("show", "6f9619ff-8b86-4d01-b42d-00cf4fc964ff")
    assert result.exit_code == 1
    assert "there is no delivery 6f9619ff-8b86-4d01-b42d-00cf4fc964ff" in result.output


async def test_replay_has_the_running_gateway_map_again(
    run: Callable[..., Any], gateway: Gateway, mappings_folder: Callable[..., Path]
) -> None:
    mappings_folder(**{'"${ item.score }"': "1"})
    gateway.services.hooks.mappings.load()
    rehearsed = await run("replay", "--state", "failed", "--dry-run", "--json")
    (found,) = json.loads(rehearsed.stdout)
    assert (found["before"], found["state"], len(found["statements"]["new"])) == ("failed", "done", 1)
    result = await run("replay", "--state", "failed", "--wait")
    assert result.stdout == "1 delivery is mapped again\n  1 done\n"
    (replay,) = json.loads((await run("replays", "--json")).stdout)
    assert (replay["replayed"], replay["pending"], replay["which"]) == (1, 0, {"state": ["failed"]})
    assert [row["id"] for row in await listed(run, "--replay", replay["replay"])] == [found["id"]]
    assert [row["state"] for row in await listed(run)] == ["done", "done"]


async def test_replay_wants_to_know_which(run: Callable[..., Any]) -> None:
    result = await run("replay")
    assert result.exit_code == 2
    assert "say which" in result.output
    assert json.loads((await run("replay", "--all", "--json")).stdout)["replayed"] == 2


@pytest.mark.parametrize("time", ["yesterday", "2026-01-01T00:00:00", "7w", "-3d"])
async def test_a_time_that_is_none_is_refused(run: Callable[..., Any], time: str) -> None:
    assert (await run("list", "--since", time)).exit_code == 2


async def test_lint_tells_which_types_of_events_in_recent_deliveries_no_rule_is_for(
    gateway: Gateway, mongo_uri: str, tmp_path: Path
) -> None:
    await post_acme(gateway.http(), acme_item("new", type="shared"))
    await settled(gateway)
    environment = {
        "XAPI_GATEWAY__MONGO__URI": mongo_uri,
        "XAPI_GATEWAY__MONGO__DATABASE": gateway.settings.mongo.database,
    }
    lint = ["mappings", "lint", str(tmp_path / "mappings"), "--deliveries"]

    async def run(*more: str) -> Result:
        return await asyncio.to_thread(CliRunner().invoke, main, [*lint, *more], env=environment)

    found = await run()
    assert found.exit_code == 1
    assert "warning W220  no rule is for 'shared': 1 event since" in found.output
    assert "help: add a rule, or one with `ignore: true`" in found.output
    codes = [one["code"] for one in json.loads((await run("--json")).output)]
    assert "W220" in codes
    (sarif,) = json.loads((await run("--format", "sarif")).output)["runs"]
    assert [one["level"] for one in sarif["results"] if one["ruleId"] == "W220"] == ["warning"]
    assert "W220" not in (await run("--since", "2099-01-01T00:00:00Z")).output
