from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main
from gateway.services import diagnosis
from gateway.services.diagnosis import Diagnosis, Health
from gateway.services.sources import Source, Standing
from gateway.store.connection import Server
from gateway.store.credentials import Credential
from gateway.store.indexing import IndexChange
from gateway.store.observations import Observation, Seen
from gateway.store.sources import Declared, SourceRecord
from tests.gateway import settings_for
from tests.vendors import acme_item, all_mapped, mappings_folder, post_acme, vendor_secrets

__all__ = ["mappings_folder", "vendor_secrets"]

NOW = dt.datetime(2026, 5, 4, tzinfo=dt.UTC)


def doctor(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(main, ["doctor", *arguments], env=environment)


async def test_it_says_what_is_well_and_what_waits_for_somebody(
    serve: Callable[..., Any], mappings_folder: Callable[..., Path], mongo_uri: str
) -> None:
    folder = mappings_folder()
    async with serve(hooks__mappings=str(folder)) as gateway:
        await gateway.client("owned", "all")
        await post_acme(gateway.http(), acme_item("bad", score="many"))
        await post_acme(gateway.http(), acme_item("good"))
        await all_mapped(gateway.store)
        registrations = gateway.store.client[gateway.store.name]["registrations"]
        await registrations.drop_index("by_course")
        environment = {
            "XAPI_GATEWAY__MONGO__URI": mongo_uri,
            "XAPI_GATEWAY__MONGO__DATABASE": gateway.settings.mongo.database,
            "XAPI_GATEWAY__HOOKS__MAPPINGS": str(folder),
            "XAPI_GATEWAY__OIDC__ISSUER": "http://127.0.0.1:1/nobody",
            "XAPI_GATEWAY__OIDC__CLIENT_ID": "console",
        }
        result = await asyncio.to_thread(lambda: doctor("--json", **environment))
        shown = await asyncio.to_thread(lambda: doctor(**environment))
        await gateway.store.prepare()

    assert result.exit_code == shown.exit_code == 1
    found = {one["subject"]: one for one in json.loads(result.stdout)["diagnoses"]}
    assert found["database"]["found"].endswith("(replica set) answers")
    assert found["clock"]["health"] == "ok"
    assert found["identity provider"]["health"] == "problem"
    assert "nobody can sign in with http://127.0.0.1:1/nobody: " in found["identity provider"]["found"]
    assert found["indexes of main"]["found"] == "1 are missing: registrations.by_course"
    assert found["adapters"]["found"].startswith("ready: acme")
    assert found["deliveries of main"] == {
        "subject": "deliveries of main",
        "health": "problem",
        "found": "1 failed",
        "advice": "xapi-gateway deliveries list --state failed; mend the mapping, then deliveries replay",
    }
    assert "problem  deliveries of main" in shown.stdout
    assert "→ xapi-gateway deliveries list --state failed" in shown.stdout


def test_settings_that_cannot_be_used_are_all_it_speaks_of(tmp_path: Path) -> None:
    result = doctor("--json", "--workers", "0", "--data-dir", str(tmp_path))
    assert result.exit_code == 1
    assert json.loads(result.stdout)["diagnoses"] == [
        {
            "subject": "settings",
            "health": "problem",
            "found": "--workers: server.workers: expected an integer from 1 to 64, got 0",
            "advice": "xapi-gateway config check",
        }
    ]


def test_a_folder_without_a_database_stays_one(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    result = doctor("--data-dir", str(folder))
    assert result.exit_code == 0, result.output
    assert f"none yet at {folder}; xapi-gateway serve makes it" in result.stdout
    assert not folder.exists()


def test_a_database_that_is_away_is_a_problem(tmp_path: Path) -> None:
    uri = "mongodb://127.0.0.1:1/?replicaSet=none&serverSelectionTimeoutMS=50"
    result = doctor("--json", "--data-dir", str(tmp_path), XAPI_GATEWAY__MONGO__URI=uri)
    found = {one["subject"]: one for one in json.loads(result.stdout)["diagnoses"]}
    assert result.exit_code == 1
    assert found["database"]["health"] == "problem"
    assert "not available" in found["database"]["found"]


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({}, [("addresses", "ok")]),
        ({"server__host": "0.0.0.0"}, [("addresses", "advice"), ("course content", "advice")]),
        (
            {"server__public_url": "http://lrs.example.org", "server__content_url": "http://au.example.org"},
            [("addresses", "advice"), ("course content", "ok")],
        ),
        (
            {
                "server__public_url": "https://lrs.example.org",
                "server__content_url": "https://lrs.example.org:1",
            },
            [("addresses", "ok"), ("course content", "advice")],
        ),
    ],
)
def test_addresses(flags: dict[str, str], expected: list[tuple[str, str]]) -> None:
    found = diagnosis.of_addresses(settings_for("any", **flags))
    assert [(one.subject, one.health.value) for one in found] == expected


@pytest.mark.parametrize(("gib", "health"), [(0.25, "problem"), (1, "advice"), (50, "ok")])
def test_space(gib: float, health: str) -> None:
    assert diagnosis.of_space(int(gib * 1024**3), "/data").health.value == health


def test_an_old_server_of_ones_own_is_worth_advice_and_the_embedded_one_is_not() -> None:
    server = Server(kind="replica set", version="6.0.5", advice="use 8.0 or later")
    assert diagnosis.of_server(server, embedded=False).advice == "use 8.0 or later"
    assert diagnosis.of_server(server, embedded=True).health is Health.OK


def test_clocks_that_differ_are_a_problem() -> None:
    assert diagnosis.of_clock(NOW, NOW + dt.timedelta(seconds=1)).health is Health.OK
    apart = diagnosis.of_clock(NOW, NOW - dt.timedelta(seconds=90))
    assert (apart.health, apart.found) == (
        Health.PROBLEM,
        "this machine's clock is 90 s away from the database's",
    )


def test_indexes_nobody_here_knows_are_named() -> None:
    left = [IndexChange(collection="sessions", name="by_age", missing=False)]
    found = diagnosis.of_indexes("main", left)
    assert (found.health, found.found) == (Health.ADVICE, "sessions.by_age are not the gateway's")
    assert diagnosis.of_indexes("main", []).health is Health.OK


def test_somebody_has_to_be_able_to_administer() -> None:
    def of(*scopes: str, **more: Any) -> Diagnosis:
        credential = Credential(key="a", name="a", store="main", scopes=scopes, created=NOW, **more)
        return diagnosis.of_credentials([credential])

    assert of("all").health is of("admin").health is Health.OK
    assert of("statements/read").health is of("all", revoked=NOW).health is Health.PROBLEM


def test_somebody_has_to_answer_for_each_source_and_for_what_it_sends() -> None:
    def standing(name: str, *seen: str, **more: Any) -> Standing:
        record = SourceRecord(id=f"adapter:{name}", declared=Declared(verbs=("x:v",)), **more)
        return Standing(
            source=Source(id=record.id, name=name, record=record),
            observed=tuple(
                Observation(
                    seen=Seen(record.id, "verbs", one), count=1, first=NOW, last=NOW, example=UUID(int=1)
                )
                for one in seen
            ),
        )

    owned = {"owner": "registrar@example.edu", "purpose": "grades"}
    good = standing("a", "x:v", **owned)
    assert diagnosis.of_sources("main", [good]).found == "1 in use, each with owner and purpose"
    nameless = diagnosis.of_sources("main", [good, standing("b")])
    assert nameless.health is Health.ADVICE
    assert nameless.found == "of 2 in use, 1 name no owner or no purpose: adapter:b"
    undeclared = diagnosis.of_sources("main", [good, standing("b", "x:w", **owned)])
    assert undeclared.found == "of 2 in use, 1 send what nobody declared: adapter:b"
