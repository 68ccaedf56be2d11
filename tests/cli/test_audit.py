"""Commands that change something leave an entry; those that look only if they show learners' records."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import click
import pytest
from click.testing import CliRunner

from gateway.cli import main
from gateway.cli.recording import LOOKING, PERSONAL, looks
from gateway.store.connection import connect
from tests.mongo import new_database_name


@pytest.fixture
def environment(mongo_uri: str) -> Iterator[dict[str, str]]:
    name = new_database_name()
    yield {"XAPI_GATEWAY__MONGO__URI": mongo_uri, "XAPI_GATEWAY__MONGO__DATABASE": name}

    async def drop() -> None:
        async with connect(mongo_uri, app_name="tests") as client:
            await client.drop_database(name)

    asyncio.run(drop())


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[str]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield " ".join((*path, name))


def test_commands_that_look_are_named_and_are_there() -> None:
    found = set(commands(main))
    assert found >= PERSONAL
    assert {name.rpartition(" ")[2] for name in found} >= LOOKING
    assert all(looks(name, {}) for name in PERSONAL)
    for name in ("people create", "credentials revoke", "statements import", "courses delete"):
        assert not looks(name, {})
    assert looks("courses overrides", {})
    assert not looks("courses overrides", {"text": "{}"})
    assert looks("directory import", {"dry_run": True})


def test_a_command_leaves_an_entry_when_it_ends_well_and_never_its_secret(
    environment: dict[str, str],
) -> None:
    def run(*arguments: str, status: int = 0) -> Any:
        done = CliRunner().invoke(main, [*arguments, "--json"], env=environment)
        assert done.exit_code == status, done.output
        return json.loads(done.stdout) if status == 0 else None

    made = run("credentials", "create", "--name", "Portal", "--scope", "cmi5", "--secret", "a canary secret")
    run("credentials", "list")
    run("credentials", "revoke", made["key"])
    run("credentials", "revoke", "nobody", status=1)
    run("credentials", "rotate", made["key"], status=1)
    run("credentials", "create", "--name", "x", "--scope", "cmi5", "--key", made["key"], status=1)
    run("people", "disable", "nobody", status=1)
    run("registrations", "list")
    log = run("audit", "list")
    assert [(one["action"], one["objects"]) for one in log] == [
        ("registrations.list.read", {}),
        ("credentials.revoke", {"key": made["key"]}),
        ("credentials.create", {"key": made["key"]}),
    ]
    assert {(one["kind"], one["outcome"], one["store"]) for one in log} == {("command line", "done", "main")}
    assert log[0]["actor"]
    assert "canary" not in json.dumps(log)
    assert run("audit", "list", "--limit", "1") == log[:1]
    assert run("audit", "list", "--outcome", "refused") == []
    assert run("audit", "list", "--store", "main", "--since", "2020-01-01") == log
