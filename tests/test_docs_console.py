"""The page about the console names commands and roles that there are."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from gateway.cli import main
from gateway.services.people import Role
from gateway.store.connection import connect
from tests.mongo import new_database_name

PAGE = (Path(__file__).parent.parent / "docs" / "console.md").read_text()


def test_every_role_has_its_row() -> None:
    assert re.findall(r"^\| `([a-z-]+)` \|", PAGE, re.MULTILINE) == list(Role)


def test_the_commands_do_what_the_page_says(mongo_uri: str) -> None:
    name = new_database_name()
    environment = {"XAPI_GATEWAY__MONGO__URI": mongo_uri, "XAPI_GATEWAY__MONGO__DATABASE": name}

    def run(*arguments: str, status: int = 0) -> Any:
        done = CliRunner().invoke(main, [*arguments, "--json"], env=environment)
        assert done.exit_code == status, done.output
        return json.loads(done.stdout) if status == 0 else done.output

    commands = re.findall(r"^\$ xapi-gateway ((?:people|audit) .*)$", PAGE, re.MULTILINE)
    try:
        answers = [run(*shlex.split(command)) for command in commands]
        created, listed, reset, disabled, enabled, changed, out, by_mara, created_by = answers
        assert "/admin/welcome/" in created["link"]
        assert created["link"] != reset["link"]
        assert [(one["login"], one["roles"], one["password"]) for one in listed] == [
            ("mara", ["lms-administrator"], False)
        ]
        assert disabled["disabled"] is not None
        assert enabled["disabled"] is None
        assert changed["roles"] == out["roles"] == ["lms-administrator", "analyst"]
        assert by_mara == []
        assert [(one["kind"], one["objects"]) for one in created_by] == [("command line", {"login": "mara"})]
        log = run("audit", "list", "--about", "mara")
        assert [one["action"] for one in log] == [
            f"people.{done}"
            for done in ("sign-out", "set-roles", "enable", "disable", "reset-link", "create")
        ]
        assert log[1]["detail"] == {"roles": ["lms-administrator", "analyst"]}
        assert len({one["actor"] for one in log}) == 1
        assert "there is no identity provider" in run("people", "link", "mara", "1", status=1)
        environment |= {
            "XAPI_GATEWAY__OIDC__ISSUER": "https://login.example.edu",
            "XAPI_GATEWAY__OIDC__CLIENT_ID": "console",
        }
        assert run("people", "link", "mara", "8f2c")["subject"] == "8f2c"
        assert run("people", "unlink", "mara")["subject"] is None
        again = shlex.split(commands[0])
        assert "there is somebody with the login 'mara' already" in run(*again, status=1)
        assert "there is nobody with the login 'bo'" in run("people", "reset-link", "bo", status=1)
        commands = re.findall(r"^\$ xapi-gateway (sources .*)$", PAGE, re.MULTILINE)
        before, written, shown = [run(*shlex.split(command)) for command in commands]
        assert before == []
        assert written == shown
        assert (shown["owner"], shown["contractEnds"]) == ("Office of Digital Learning", "2031-06-30")
    finally:

        async def drop() -> None:
            async with connect(mongo_uri, app_name="tests") as client:
                await client.drop_database(name)

        asyncio.run(drop())
