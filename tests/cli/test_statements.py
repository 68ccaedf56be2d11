from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID, uuid4

import click
import pytest
from click.testing import CliRunner, Result

from gateway.cli import main
from gateway.services.services import Services
from gateway.store.connection import connect
from gateway.store.statements import StoredStatement
from gateway.store.store import Store
from gateway.xapi import strict_json
from tests.gateway import settings_for
from tests.mongo import new_database_name

Json = dict[str, Any]
Found = TypeVar("Found")
VOIDED = "http://adlnet.gov/expapi/verbs/voided"


class House:
    """A store that commands reach by the name of its database."""

    def __init__(self, uri: str) -> None:
        self.uri, self.name = uri, new_database_name()

    def command(self, *arguments: str, stdin: bytes | None = None, status: int = 0) -> Result:
        environment = {"XAPI_GATEWAY__MONGO__URI": self.uri, "XAPI_GATEWAY__MONGO__DATABASE": self.name}
        result = CliRunner().invoke(main, ["statements", *arguments], env=environment, input=stdin)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        assert result.exit_code == status, result.output
        return result

    def look(self, use: Callable[[Services], Coroutine[Any, Any, Found]]) -> Found:
        async def found() -> Found:
            async with connect(self.uri, app_name="tests") as client:
                return await use(
                    Services(Store(client, self.name), settings_for(self.name), more_key=b"k" * 32)
                )

        return asyncio.run(found())

    def rows(self) -> dict[str, StoredStatement]:
        exported = self.lines()

        async def use(services: Services) -> dict[str, StoredStatement]:
            found = await services.store.statements.many(UUID(one["id"]) for one in exported)
            return {str(key): value for key, value in found.items()}

        return self.look(use)

    def text(self, *arguments: str) -> bytes:
        return self.command("export", *arguments).stdout_bytes

    def lines(self, *arguments: str) -> list[Json]:
        return [json.loads(line) for line in self.text(*arguments).splitlines()]

    def drop(self) -> None:
        async def use(services: Services) -> None:
            await services.store.client.drop_database(self.name)

        self.look(use)


@pytest.fixture
def houses(mongo_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)
    old, new = House(mongo_uri), House(mongo_uri)
    yield old, new
    old.drop()
    new.drop()


def statement(number: int, **parts: Any) -> Json:
    return {
        "id": str(UUID(int=number, version=4)),
        "actor": {"name": f"Learner {number}", "mbox": f"mailto:l{number}@example.org"},
        "verb": {"id": "https://example.org/verbs/tried", "display": {"en": "tried"}},
        "object": {"id": f"https://example.org/activities/{number}", "definition": {"name": {"en": "One"}}},
        "timestamp": "2020-05-01T10:00:00.123456789Z",
        "authority": {"objectType": "Agent", "account": {"homePage": "https://old.example.org", "name": "k"}},
        "stored": f"2020-05-01T10:00:{number:02}.000000Z",
        "version": "1.0.0",
        **parts,
    }


def reference(number: int, target: int, **parts: Any) -> Json:
    target_id = str(UUID(int=target, version=4))
    return statement(number, object={"objectType": "StatementRef", "id": target_id}, **parts)


def attached(number: int, body: bytes, **parts: Any) -> Json:
    attachment = {
        "usageType": "https://example.org/essay",
        "display": {"en": "Essay"},
        "contentType": "text/plain",
        "length": len(body),
        "sha2": sha256(body).hexdigest(),
        **parts,
    }
    return statement(number, attachments=[attachment])


def ndjson(*statements: Json | bytes) -> bytes:
    return b"".join(
        (item if isinstance(item, bytes) else strict_json.dumps(item)) + b"\n" for item in statements
    )


LARGE = bytes(range(256)) * 5000  # more than is kept in a document
ODD = [
    statement(10, result={"extensions": {"https://example.org/x": "@"}}),
    statement(11, context={"extensions": {"https://example.org/$x": {"$key": 1, "$ref": {"a.b": None}}}}),
]
HOUSEHOLD = ndjson(
    reference(1, 2, verb={"id": VOIDED}),  # before what it voids
    statement(2),
    statement(
        3,
        version="2.0.0",
        context={
            "contextAgents": [{"objectType": "contextAgent", "agent": {"mbox": "mailto:t@example.org"}}]
        },
    ),
    reference(4, 5),
    reference(5, 3),
    attached(6, b"a small one"),
    attached(7, LARGE),
    attached(8, b"elsewhere", fileUrl="https://example.org/file"),
    attached(9, b""),
    strict_json.dumps(ODD[0]).replace(b'"@"', b"[1e400,123456789012345678901234567890,1.1,-0.0]"),
    ODD[1],
)


def move_in(house: House, text: bytes = HOUSEHOLD, name: str = "old.ndjson") -> Path:
    folder = Path(f"{name}.attachments")
    folder.mkdir(exist_ok=True)
    for body in (b"a small one", LARGE, b""):
        (folder / sha256(body).hexdigest()).write_bytes(body)
    Path(name).write_bytes(text)
    house.command("import", name)
    return Path(name)


def test_a_household_moves_through_two_stores_without_losing_a_byte(houses: tuple[House, House]) -> None:
    old, new = houses
    move_in(old)
    old.command("export", "out.ndjson")
    exported = Path("out.ndjson").read_bytes()
    assert sorted(exported.splitlines()) == sorted(HOUSEHOLD.splitlines())
    files = {file.name: file.read_bytes() for file in Path("out.ndjson.attachments").iterdir()}
    assert files == {sha256(body).hexdigest(): body for body in (b"a small one", LARGE, b"")}
    result = new.command("import", "out.ndjson", "--json")
    assert json.loads(result.stdout) == {
        "stored": 11,
        "skipped": 0,
        "rejected": 0,
        "conflicts": 0,
        "attachments": 3,
    }
    new.command("export", "again.ndjson")
    assert Path("again.ndjson").read_bytes() == exported
    again = {file.name: file.read_bytes() for file in Path("again.ndjson.attachments").iterdir()}
    assert again == files
    assert new.rows() == old.rows()
    voided = [key for key, row in new.rows().items() if row.voided]
    assert voided == [str(UUID(int=2, version=4))]


def test_lines_come_in_the_order_in_which_they_were_stored(houses: tuple[House, House]) -> None:
    old, _ = houses
    move_in(old)
    stored = [line["stored"] for line in old.lines()]
    assert stored == sorted(stored)
    assert len(stored) == 11


def test_references_are_followed_whatever_came_first(houses: tuple[House, House]) -> None:
    _, new = houses
    move_in(new, ndjson(*reversed(HOUSEHOLD.splitlines())))
    found = new.lines("--agent", "mailto:l3@example.org")
    assert [line["id"] for line in found] == [str(UUID(int=number, version=4)) for number in (3, 4, 5)]
    through_voided = new.lines("--activity", "https://example.org/activities/2")
    assert [UUID(line["id"]).int & 0xFF for line in through_voided] == [1, 2]


def test_an_import_that_runs_again_skips_what_is_there(houses: tuple[House, House]) -> None:
    old, _ = houses
    path = move_in(old)
    before = old.text()
    path.write_bytes(HOUSEHOLD + ndjson(statement(30)))
    result = old.command("import", str(path), "--json")
    assert json.loads(result.stdout) == {
        "stored": 1,
        "skipped": 11,
        "rejected": 0,
        "conflicts": 0,
        "attachments": 0,
    }
    assert old.text() == before + ndjson(statement(30))


def test_a_line_without_an_id_gets_the_same_one_each_time(houses: tuple[House, House]) -> None:
    _, new = houses
    bare = {"actor": {"mbox": "mailto:a@example.org"}, "verb": {"id": "urn:v"}, "object": {"id": "urn:o"}}
    for stored in (2, 0):
        result = new.command("import", "-", "--json", stdin=ndjson(bare, bare))
        assert json.loads(result.stdout)["stored"] == stored
    authority = new.lines()[0]["authority"]
    assert authority["account"]["name"] == "import"


def test_a_bad_line_is_reported_with_its_place_and_does_not_stop_the_rest(
    houses: tuple[House, House],
) -> None:
    _, new = houses
    bad: list[Json | bytes] = [
        b"{",
        b"[]",
        b"",
        statement(1, actor={"mbox": "nobody"}, verb={}),
        statement(2, stored="2999-01-01T00:00:00Z"),
        b'{"id": 1, "id": 2}',
        b"\xff",
        attached(4, b"nowhere to be found"),
        statement(5),
    ]
    Path("bad.ndjson").write_bytes(ndjson(*bad))
    result = new.command("import", "bad.ndjson", "--rejects", "rejects.ndjson", status=1)
    assert result.stdout == "1 stored, 0 here already, 7 rejected (0 in conflict), 0 attachments\n"
    told = result.stderr.splitlines()
    assert [line.split(":")[1] for line in told] == ["1", "2", "4", "4", "5", "6", "7", "8"]
    assert told[1] == "bad.ndjson:2: holds an empty array; each line is one statement, a JSON object"
    assert told[4].startswith('bad.ndjson:5: stored: holds "2999-01-01T00:00:00Z", which is later than now (')
    assert told[7].startswith("bad.ndjson:8: attachments[0]: has no fileUrl, and its data ")
    assert [line["id"] for line in new.lines()] == [str(UUID(int=5, version=4))]
    rejected = [bad[index] for index in (0, 1, 3, 4, 5, 6, 7)]
    assert Path("rejects.ndjson").read_bytes() == ndjson(*rejected)


def test_other_content_under_a_stored_id_is_a_conflict(houses: tuple[House, House]) -> None:
    _, new = houses
    other = statement(1, verb={"id": "https://example.org/verbs/other"})
    result = new.command("import", "-", stdin=ndjson(statement(1), other, statement(1)), status=1)
    assert result.stdout == "1 stored, 1 here already, 1 rejected (1 in conflict), 0 attachments\n"
    result = new.command("import", "-", stdin=ndjson(other), status=1)
    id_ = str(UUID(int=1, version=4))
    assert result.stderr == f"-:1: id: a different statement is stored with the id {id_}\n"
    assert new.lines() == [statement(1)]


def test_strict_stores_what_stands_before_the_first_bad_line_only(houses: tuple[House, House]) -> None:
    _, new = houses
    text = ndjson(statement(1), b"{", statement(2), b"{")
    result = new.command("import", "-", "--strict", "--json", stdin=text, status=1)
    assert json.loads(result.stdout) == {
        "stored": 1,
        "skipped": 0,
        "rejected": 1,
        "conflicts": 0,
        "attachments": 0,
    }
    assert [line["id"] for line in new.lines()] == [statement(1)["id"]]


def test_restamped_statements_keep_all_but_their_stored_time(houses: tuple[House, House]) -> None:
    _, new = houses
    silent = statement(2)
    del silent["timestamp"]
    new.command("import", "-", "--restamp", stdin=ndjson(statement(1), silent))
    first, second = new.lines()
    assert first["stored"] > "2026"
    assert first | {"stored": None} == statement(1) | {"stored": None}
    assert second["timestamp"] == silent["stored"]  # what the sender meant, when no time was given


def test_an_own_authority_replaces_the_given_one(houses: tuple[House, House]) -> None:
    _, new = houses
    new.command("import", "-", "--authority", "own", stdin=ndjson(statement(1)))
    assert new.lines()[0]["authority"] == {
        "objectType": "Agent",
        "name": "xapi-gateway",
        "account": {"homePage": "http://127.0.0.1:8080", "name": "import"},
    }


def test_imported_statements_teach_definitions_and_names(houses: tuple[House, House]) -> None:
    _, new = houses
    new.command("import", "-", stdin=ndjson(statement(1)))

    async def use(services: Services) -> tuple[Json, list[str]]:
        known = await services.knowledge.definitions(["https://example.org/activities/1"])
        return known, await services.knowledge.names("mbox:mailto:l1@example.org")

    definitions, names = new.look(use)
    assert definitions == {"https://example.org/activities/1": {"name": {"en": "One"}}}
    assert names == ["Learner 1"]


def test_attachment_data_that_is_not_what_its_name_says_is_rejected(houses: tuple[House, House]) -> None:
    _, new = houses
    Path("data").mkdir()
    name = sha256(b"true").hexdigest()
    (Path("data") / name).write_bytes(b"false")
    text = ndjson(attached(1, b"true"))
    result = new.command("import", "-", "--attachments", "data", stdin=text, status=1)
    assert f"-:1: attachments[0]: data/{name} holds data with the hash" in result.stderr
    (Path("data") / name).write_bytes(b"true")
    new.command("import", "-", "--attachments", "data", stdin=text)
    new.command("export", "-", "--attachments", "out")
    assert (Path("out") / name).read_bytes() == b"true"


def test_an_export_can_be_limited_like_a_query(houses: tuple[House, House]) -> None:
    old, _ = houses
    move_in(old)

    def numbers(*arguments: str) -> list[int]:
        return [UUID(line["id"]).int & 0xFF for line in old.lines(*arguments)]

    assert numbers("--since", "2020-05-01T10:00:03Z", "--until", "2020-05-01T10:00:05Z") == [4, 5]
    assert numbers("--verb", VOIDED) == [1]
    assert numbers("--agent", '{"mbox":"mailto:l7@example.org"}') == [7]
    assert numbers("--agent", "mailto:t@example.org", "--related-agents") == [3, 4, 5]
    assert numbers("--registration", str(uuid4())) == []


def test_the_next_export_starts_where_the_last_one_ended(houses: tuple[House, House]) -> None:
    _, new = houses
    new.command("import", "-", "--restamp", stdin=ndjson(statement(1)))
    through = json.loads(new.command("export", "first.ndjson", "--json").stdout)["through"]
    new.command("import", "-", "--restamp", stdin=ndjson(statement(2)))
    assert [line["id"] for line in new.lines("--since", through)] == [statement(2)["id"]]


def test_an_export_that_fails_leaves_the_file_as_it_was(houses: tuple[House, House]) -> None:
    old, _ = houses
    move_in(old)
    Path("out.ndjson").write_bytes(b"precious\n")
    Path("blocked").write_bytes(b"a file where a folder would have to be")
    result = old.command("export", "out.ndjson", "--attachments", "blocked/folder", status=1)
    assert "cannot be written" in result.stderr
    assert Path("out.ndjson").read_bytes() == b"precious\n"
    assert [file.name for file in Path().iterdir() if file.name.startswith(".out")] == []


def test_a_file_is_readable_by_its_owner_only(houses: tuple[House, House]) -> None:
    old, _ = houses
    move_in(old)
    old.command("export", "out.ndjson", "--no-attachments")
    assert Path("out.ndjson").stat().st_mode & 0o777 == 0o600
    assert not Path("out.ndjson.attachments").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["import"], "Missing argument 'FILE...'"),
        (["import", "nowhere.ndjson"], "there is no file nowhere.ndjson"),
        (["import", "-", "--store", "other"], "there is no store 'other'; there is main"),
        (["export", "-", "--since", "yesterday"], "since"),
        (["export", "-", "--agent", "{}"], "agent"),
        (["export", "-", "--registration", "1"], "registration"),
        (["export", "-", "--attachments", "x", "--no-attachments"], "contradict each other"),
    ],
)
def test_a_mistake_in_the_command_ends_it_with_2(
    houses: tuple[House, House], arguments: list[str], message: str
) -> None:
    assert message in houses[0].command(*arguments, status=2).stderr


def test_progress_is_shown_on_request_and_never_on_standard_output(houses: tuple[House, House]) -> None:
    _, new = houses
    result = new.command("import", "-", "--progress", "--json", stdin=ndjson(statement(1)))
    assert json.loads(result.stdout)["stored"] == 1
    assert "1 stored" in result.stderr
    assert new.command("export", "-").stderr == ""
    assert "1 statements" in new.command("export", "-", "--progress").stderr


def test_the_group_has_help() -> None:
    assert isinstance(main, click.Group)
    group = main.get_command(click.Context(main), "statements")
    assert isinstance(group, click.Group)
    assert {"export", "import"} <= set(group.commands)
