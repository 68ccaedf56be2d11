from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from click.testing import CliRunner, Result
from pymongo import MongoClient

from gateway.cli import main
from gateway.demo import build_course
from tests.cmi5.samples import au_xml, structure_xml
from tests.mongo import new_database_name

Run = Callable[..., Result]
LEARNER = ("--account", "https://people.example.org", "ada")


@pytest.fixture
def run(mongo_uri: str, tmp_path: Path) -> Iterator[Run]:
    """Runs a command against a database of its own."""
    name = new_database_name()
    environment = {
        "XAPI_GATEWAY__MONGO__URI": mongo_uri,
        "XAPI_GATEWAY__MONGO__DATABASE": name,
        "XAPI_GATEWAY__DATA__DIR": str(tmp_path / "data"),
    }

    def invoke(*arguments: str, status: int = 0) -> Result:
        result = CliRunner().invoke(main, arguments, env=environment)
        assert result.exit_code == status, result.output
        return result

    yield invoke
    with MongoClient[Any](mongo_uri) as client:
        client.drop_database(name)


def _json(result: Result) -> Any:
    return json.loads(result.output)


def test_a_course_goes_from_its_file_to_a_waived_au(run: Run, tmp_path: Path) -> None:
    package = tmp_path / "course.zip"
    package.write_bytes(build_course())
    imported = _json(run("courses", "import", str(package), "--json"))
    assert imported["title"] == "How a learning record is made"
    assert imported["id"] in run("courses", "list").output
    assert [each["id"] for each in _json(run("courses", "list", "--search", "RECORD", "--json"))] == [
        imported["id"]
    ]
    assert "CompletedAndPassed" in run("courses", "show", imported["id"]).output

    registration = run("registrations", "create", imported["id"], *LEARNER).output.strip()
    again = run("registrations", "create", imported["id"], *LEARNER, "--id", registration)
    assert again.output.strip() == registration
    link = _json(run("registrations", "link", registration, "--json"))
    assert link["url"].startswith("http://127.0.0.1:8080/launch/")

    launched = _json(
        run(
            *("courses", "launch-url", imported["id"], *LEARNER, "--registration", registration),
            *("--launch-mode", "Browse", "--mastery-score", "0.5", "--json"),
        )
    )
    assert launched["registration"] == registration
    assert launched["launchMode"] == "Browse"
    assert launched["url"].startswith("http://127.0.0.1:8081/")
    ended = run("registrations", "abandon", launched["session"]).output
    assert ended.strip() == f"{launched['session']} is abandoned"

    waived = _json(run("registrations", "waive", registration, "0", "--reason", "Tested Out", "--json"))
    assert waived["progress"]["satisfied"] is True
    shown = run("registrations", "show", registration).output
    assert "waived, satisfied" in shown
    assert registration in run("registrations", "list").output


def test_everything_wrong_with_a_course_is_printed(run: Run, tmp_path: Path) -> None:
    structure = tmp_path / "cmi5.xml"
    structure.write_bytes(structure_xml(au_xml(1, url="a.html"), au_xml(1)))
    output = run("courses", "import", str(structure), status=1).output
    assert "[cmi5 14.2.0.0-1]" in output
    assert "[cmi5 13.1.4.0-1]" in output


def test_a_new_version_of_a_course_is_imported(run: Run, tmp_path: Path) -> None:
    structure = tmp_path / "cmi5.xml"
    structure.write_bytes(structure_xml(au_xml(1)))
    course = _json(run("courses", "import", str(structure), "--json"))
    newer = _json(run("courses", "import", str(structure), "--new-version-of", course["id"], "--json"))
    assert (newer["id"], newer["version"]) == (course["id"], 2)


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("courses", "show", "x"), 2, "is no UUID"),
        (("courses", "show", str(uuid4())), 1, "there is no course with the id"),
        (("courses", "list", "--store", "other"), 2, "there is no store 'other'"),
        (("registrations", "create", str(uuid4())), 2, "say who the learner is"),
        (("registrations", "create", str(uuid4()), "--actor", "{"), 2, "the JSON cannot be read"),
        (("registrations", "create", str(uuid4()), "--actor", "{}"), 2, "has no account"),
        (("registrations", "create", str(uuid4()), *LEARNER), 1, "there is no course"),
        (("registrations", "abandon", str(uuid4())), 1, "there is no session"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    run: Run, arguments: tuple[str, ...], status: int, message: str
) -> None:
    assert message in run(*arguments, status=status).output


def test_a_course_is_versioned_exported_described_and_deleted(run: Run, tmp_path: Path) -> None:
    first, second = tmp_path / "one.xml", tmp_path / "two.xml"
    first.write_bytes(structure_xml(au_xml(1)))
    second.write_bytes(structure_xml(au_xml(1), au_xml(2)))
    course = _json(run("courses", "import", str(first), "--json"))["id"]
    run("courses", "import", str(second), "--new-version-of", course)
    assert [each["current"] for each in _json(run("courses", "versions", course, "--json"))] == [True, False]
    assert "version 1" in run("courses", "use", course, "1").output
    assert "has no version 3" in run("courses", "use", course, "3", status=1).output
    exported = tmp_path / "out.xml"
    assert _json(run("courses", "export", course, str(exported), "--json"))["version"] == 1
    assert exported.read_bytes() == first.read_bytes()
    package = tmp_path / "out.zip"
    run("courses", "export", course, str(package), "--version", "2")
    again = _json(run("courses", "import", str(package), "--json"))
    assert len(again["aus"]) == 2
    assert _json(run("courses", "files", again["id"], "--json"))[0]["path"] == "cmi5.xml"
    run("courses", "describe", course, "--name", "Engines", "--tag", "autumn", "--tag", "year 1")
    run("courses", "describe", course, status=2)
    [tagged] = _json(run("courses", "list", "--tag", "autumn", "--json"))
    assert (tagged["title"], tagged["tags"]) == ("Engines", ["autumn", "year 1"])
    run("courses", "overrides", course, "--set", '{"masteryScore": 0.7}')
    assert _json(run("courses", "overrides", course, "--json")) == {"masteryScore": 0.7}
    run("courses", "overrides", course, "--set", '{"mastery": 0.7}', status=2)
    assert _json(run("courses", "preview", course, "--json"))["launchMode"] == "Browse"
    run("registrations", "create", course, *LEARNER)
    assert "1 registration" in run("courses", "delete", course, status=1).output
    run("courses", "delete", course, "--force")
    run("courses", "show", course, status=1)


def test_a_class_is_enrolled_followed_and_begins_anew(run: Run, tmp_path: Path) -> None:
    structure, table = tmp_path / "course.xml", tmp_path / "class.csv"
    structure.write_bytes(structure_xml(au_xml(1)))
    course = _json(run("courses", "import", str(structure), "--json"))["id"]
    table.write_text("account,name\nada,Ada\n,nobody\nada,again\n")
    home = ("--home-page", "https://people.example.org")
    refused = run("registrations", "enrol", course, str(table), *home, status=1).output
    assert "line 3, account" in refused
    assert "line 4, account" in refused
    table.write_text("account,name\nada,Ada\ngrace,Grace\n")
    assert (
        "2 would be enrolled" in run("registrations", "enrol", course, str(table), *home, "--dry-run").output
    )
    assert _json(run("registrations", "enrol", course, str(table), *home, "--json"))["enrolled"] == 2
    assert "0 enrolled, 2 registered" in run("registrations", "enrol", course, str(table), *home).output
    [ada] = _json(run("registrations", "list", "--account", "ada", "--state", "registered", "--json"))
    link = _json(run("registrations", "link", ada["id"], "--once", "--days", "2", "--json"))
    assert run("registrations", "links", ada["id"]).output.count(link["id"]) == 1
    run("registrations", "revoke-link", ada["id"], link["id"])
    assert _json(run("registrations", "links", ada["id"], "--json"))[0]["revoked"]
    languages = ("--languages", "en,fr", "--audio", "off")
    assert "en,fr" in run("registrations", "preferences", ada["id"], *languages).output
    run("registrations", "preferences", ada["id"], "--audio", "off", status=2)
    assert _json(run("registrations", "preferences", ada["id"], "--clear", "--json")) is None
    run("registrations", "overrides", ada["id"], "--set", '{"moveOn": "Passed"}')
    run("courses", "launch-url", course, *LEARNER, "--registration", ada["id"])
    [session] = _json(run("registrations", "sessions", "--open", "--json"))
    assert "launched" in run("registrations", "session", session["id"]).output
    new = run("registrations", "reset", ada["id"]).output.strip()
    assert _json(run("registrations", "overrides", new, "--json")) == {"moveOn": "Passed"}
    lines = run("registrations", "progress", course).output.splitlines()
    assert len(lines) == 4
    run("registrations", "delete", ada["id"])
    run("registrations", "show", ada["id"], status=1)


def test_a_receiver_is_subscribed_changed_and_forgotten(run: Run, tmp_path: Path) -> None:
    url = "https://portal.example.org/hook"
    made = _json(run("subscriptions", "create", url, "--event", "waived", "--name", "portal", "--json"))
    assert made["secret"].startswith("whsec_")
    assert made["secret"] not in run("subscriptions", "list").output
    assert (
        "10.1.2.3 is not a public address"
        in run("subscriptions", "create", "https://10.1.2.3/", status=1).output
    )
    run("subscriptions", "create", url, "--event", "won", status=2)
    structure = tmp_path / "course.xml"
    structure.write_bytes(structure_xml(au_xml(1)))
    course = _json(run("courses", "import", str(structure), "--json"))["id"]
    registration = run("registrations", "create", course, *LEARNER).output.strip()
    run("registrations", "waive", registration, "0", "--reason", "Tested Out")
    [notice] = _json(run("subscriptions", "notices", made["id"], "--json"))
    assert (notice["state"], notice["payload"]["type"]) == ("pending", "registration.waived")
    assert "pending  1" in run("subscriptions", "show", made["id"]).output
    assert _json(run("subscriptions", "retry", made["id"], "--notice", notice["id"], "--json")) == {
        "retried": 1
    }
    changed = _json(run("subscriptions", "change", made["id"], "--disable", "--event", "passed", "--json"))
    assert (changed["enabled"], changed["events"]) == (False, ["passed"])
    run("subscriptions", "change", made["id"], status=2)
    assert run("subscriptions", "rotate", made["id"]).output.strip() != made["secret"]
    run("subscriptions", "delete", made["id"])
    run("subscriptions", "show", made["id"], status=1)
