from __future__ import annotations

import asyncio
import datetime as dt
import itertools
import json
import random
from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main
from gateway.services.entries import Origin
from gateway.services.services import Services
from gateway.store.connection import connect
from gateway.store.credentials import Credential
from gateway.store.row_filters import MAX_VALUES, RowFilter
from gateway.store.statements import Selection
from gateway.store.store import Store
from tests.gateway import Gateway, Http, basic
from tests.mongo import new_database_name

Json = dict[str, Any]

VERBS = [f"https://example.org/verbs/{name}" for name in ("began", "ended")]
COURSES = [f"https://example.org/courses/{name}" for name in ("art", "law")]
PLATFORMS = ["quiz", "video"]
SOURCES = ["adapter:zoom", "adapter:canvas", "credential:tests"]
AGENTS = [f"mailto:{name}@example.org" for name in ("ann", "bob")]
VOIDED = "http://adlnet.gov/expapi/verbs/voided"
ORIGINS = {
    source: Origin(
        authority={"mbox": "mailto:lrs@example.org"}, source=dict([source.split(":")]), define=True
    )
    for source in SOURCES
}
FILTERS = [
    RowFilter(verbs=(VERBS[0],)),
    RowFilter(courses=(COURSES[0],)),
    RowFilter(platforms=(PLATFORMS[0],)),
    RowFilter(sources=(SOURCES[0],)),
    RowFilter(sources=(SOURCES[2],)),
    RowFilter(verbs=tuple(VERBS), courses=(COURSES[1],)),
    RowFilter(courses=tuple(COURSES), sources=(SOURCES[1], SOURCES[2])),
    RowFilter(verbs=(VERBS[1],), courses=(COURSES[0],), platforms=(PLATFORMS[1],), sources=tuple(SOURCES)),
    RowFilter(verbs=(VOIDED,)),
    RowFilter(agents=("mbox:" + AGENTS[0],)),
]


def statement(number: int, choose: random.Random, targets: list[str]) -> Json:
    made: Json = {
        "id": str(UUID(int=number, version=4)),
        "actor": {"name": "Somebody", "mbox": choose.choice(AGENTS)},
        "verb": {"id": choose.choice(VERBS)},
        "object": {"id": choose.choice(["https://example.org/lesson", *COURSES])},
        "context": {"contextActivities": {"grouping": [{"id": choose.choice([*COURSES, "urn:none"])}]}},
    }
    if platform := choose.choice([None, *PLATFORMS]):
        made["context"]["platform"] = platform
    kind = choose.random()
    if targets and kind < 0.4:
        made["object"] = {"objectType": "StatementRef", "id": choose.choice(targets)}
        made["context"].pop("platform", None)
        if kind < 0.15:
            made["verb"] = {"id": VOIDED}
    return made


def passes(rows: RowFilter, made: Json, source: str) -> bool:
    activities = {made["object"]["id"]} if made["object"].get("objectType") != "StatementRef" else set()
    activities.add(made["context"]["contextActivities"]["grouping"][0]["id"])
    return (
        (not rows.verbs or made["verb"]["id"] in rows.verbs)
        and (not rows.courses or not activities.isdisjoint(rows.courses))
        and (not rows.platforms or made["context"].get("platform") in rows.platforms)
        and (not rows.sources or source in rows.sources)
        and (not rows.agents or "mbox:" + made["actor"]["mbox"] in rows.agents)
    )


async def reader(gateway: Gateway, rows: RowFilter, *scopes: str, key: str | None = None) -> Http:
    key = key or uuid4().hex
    credential = Credential(
        key=key,
        name=key,
        store="main",
        scopes=scopes or ("statements/read",),
        rows=rows,
        created=dt.datetime.now(dt.UTC),
    )
    assert await gateway.store.credentials.create(credential, "secret")
    return gateway.lrs.with_headers({"Authorization": basic(key, "secret")})


async def follow(lrs: Http, gateway: Gateway, **query: str) -> AsyncIterator[Json]:
    reply = await lrs.get("/statements", query)
    while True:
        assert reply.status == 200, reply.body
        for found in reply.json()["statements"]:
            yield found
        more = reply.json()["more"]
        if not more:
            return
        path, _, token = more.partition("?more=")
        reply = await lrs.at(gateway.url).get(path, {"more": token})


@pytest.fixture
async def filled(gateway: Gateway) -> list[tuple[Json, str]]:
    return await fill(gateway.services)


@pytest.fixture
async def filled_store(services: Services) -> list[tuple[Json, str]]:
    return await fill(services)


async def fill(services: Services) -> list[tuple[Json, str]]:
    choose = random.Random(7)
    rows: list[tuple[Json, str]] = []
    for number in range(90):
        made = statement(number, choose, [made["id"] for made, _ in rows])
        rows.append((made, choose.choice(SOURCES)))
    for source in SOURCES:
        await services.statements.record(ORIGINS[source], [made for made, its in rows if its == source])
    return rows


async def test_no_way_of_reading_yields_a_statement_outside_the_filter(
    gateway: Gateway, filled: list[tuple[Json, str]]
) -> None:
    voided = {made["object"]["id"] for made, _ in filled if made["verb"]["id"] == VOIDED} - {
        made["id"] for made, _ in filled if made["verb"]["id"] == VOIDED
    }
    queries: list[Json] = [{}, {"ascending": "true"}, {"format": "ids"}, {"format": "canonical"}]
    queries += [{"agent": json.dumps({"mbox": mbox})} for mbox in AGENTS]
    queries += [{"verb": verb} for verb in (*VERBS, VOIDED)]
    queries += [{"activity": course, "related_activities": "true"} for course in COURSES]
    queries += [{"verb": VERBS[0], "agent": json.dumps({"mbox": AGENTS[1]})}]
    for rows in FILTERS:
        lrs = await reader(gateway, rows)
        may = {made["id"] for made, source in filled if passes(rows, made, source)}
        assert 0 < len(may) < len(filled)
        assert {found["id"] async for found in follow(lrs, gateway)} == may - voided
        for query in queries:
            assert {found["id"] async for found in follow(lrs, gateway, limit="7", **query)} <= may - voided
        for made, _ in filled:
            name = "voidedStatementId" if made["id"] in voided else "statementId"
            reply = await lrs.get("/statements", {name: made["id"]})
            assert reply.status == (200 if made["id"] in may else 404)


async def test_a_hidden_statement_is_answered_like_a_missing_one(
    gateway: Gateway, filled: list[tuple[Json, str]]
) -> None:
    rows = RowFilter(verbs=(VERBS[0],))
    lrs = await reader(gateway, rows)
    hidden = next(made["id"] for made, source in filled if not passes(rows, made, source))
    missing = str(uuid4())
    there, nowhere = [await lrs.get("/statements", {"statementId": one}) for one in (hidden, missing)]
    assert there.status == nowhere.status == 404
    assert there.body.replace(hidden.encode(), b"") == nowhere.body.replace(missing.encode(), b"")


async def test_a_more_link_of_somebody_else_shows_only_what_the_follower_may_read(
    gateway: Gateway, filled: list[tuple[Json, str]]
) -> None:
    rows = RowFilter(sources=(SOURCES[0],))
    lrs = await reader(gateway, rows)
    first = await gateway.lrs.get("/statements", {"limit": "5"})
    path, _, token = first.json()["more"].partition("?more=")
    stolen = await lrs.at(gateway.url).get(path, {"more": token})
    may = {made["id"] for made, source in filled if passes(rows, made, source)}
    found = {item["id"] for item in stolen.json()["statements"]}
    assert found
    assert found <= may


async def test_a_reference_tells_nothing_of_what_may_not_be_read(gateway: Gateway) -> None:
    hidden, comment = str(uuid4()), str(uuid4())
    made = statement(1, random.Random(1), [])
    made |= {"id": hidden, "actor": {"mbox": AGENTS[0]}, "verb": {"id": VERBS[1]}}
    about = {
        "id": comment,
        "actor": {"mbox": AGENTS[1]},
        "verb": {"id": VERBS[0]},
        "object": {"objectType": "StatementRef", "id": hidden},
    }
    await gateway.lrs.post("/statements", body=[made, about])
    query = {"agent": json.dumps({"mbox": AGENTS[0]})}
    assert [found["id"] async for found in follow(gateway.lrs, gateway, verb=VERBS[1])] == [comment, hidden]
    limited = await reader(gateway, RowFilter(verbs=(VERBS[0],)))
    assert [found["id"] async for found in follow(limited, gateway)] == [comment]
    assert [found["id"] async for found in follow(limited, gateway, **query)] == []
    by_target = await reader(gateway, RowFilter(verbs=(VERBS[1],)))
    assert [found["id"] async for found in follow(by_target, gateway)] == [hidden]


async def test_attachments_come_with_readable_statements_only(gateway: Gateway) -> None:
    bodies = {VERBS[0]: b"may be read", VERBS[1]: b"may not be read"}
    statements = [
        {
            **statement(number, random.Random(number), []),
            "verb": {"id": verb},
            "attachments": [
                {
                    "usageType": "https://example.org/essay",
                    "display": {"en": "Essay"},
                    "contentType": "text/plain",
                    "length": len(body),
                    "sha2": sha256(body).hexdigest(),
                }
            ],
        }
        for number, (verb, body) in enumerate(bodies.items())
    ]
    parts = [b"Content-Type: application/json\r\n\r\n" + json.dumps(statements).encode()]
    parts += [
        b"Content-Transfer-Encoding: binary\r\nX-Experience-API-Hash: "
        + sha256(body).hexdigest().encode()
        + b"\r\n\r\n"
        + body
        for body in bodies.values()
    ]
    data = b"".join(b"--b\r\n" + part + b"\r\n" for part in parts) + b"--b--\r\n"
    sent = await gateway.lrs.post(
        "/statements", data=data, headers={"Content-Type": "multipart/mixed; boundary=b"}
    )
    assert sent.status == 200, sent.body
    lrs = await reader(gateway, RowFilter(verbs=(VERBS[0],)))
    answer = await lrs.get("/statements", {"attachments": "true"})
    assert b"may be read" in answer.body
    assert b"may not be read" not in answer.body
    single = {"statementId": statements[1]["id"], "attachments": "true"}
    assert (await lrs.get("/statements", single)).status == 404


async def test_names_and_unmentioned_activities_stay_unknown(gateway: Gateway) -> None:
    for verb, activity in zip(VERBS, COURSES, strict=True):
        made = {
            "actor": {"name": "Ann Example", "mbox": AGENTS[0]},
            "verb": {"id": verb},
            "object": {"id": activity, "definition": {"name": {"en": "A title"}}},
        }
        await gateway.lrs.post("/statements", body=made)
    lrs = await reader(gateway, RowFilter(verbs=(VERBS[0],)))
    agent = {"agent": json.dumps({"mbox": AGENTS[0]})}
    assert (await gateway.lrs.get("/agents", agent)).json()["name"] == ["Ann Example"]
    assert (await lrs.get("/agents", agent)).json() == {"objectType": "Person", "mbox": [AGENTS[0]]}
    mentioned, other = [
        (await lrs.get("/activities", {"activityId": activity})).json() for activity in COURSES
    ]
    assert mentioned["definition"] == {"name": {"en": "A title"}}
    assert "definition" not in other


@pytest.mark.parametrize("resource", ["/activities/state", "/activities/profile", "/agents/profile"])
async def test_documents_are_out_of_reach_whatever_the_scopes(gateway: Gateway, resource: str) -> None:
    lrs = await reader(gateway, RowFilter(verbs=(VERBS[0],)), "all")
    query = {"activityId": COURSES[0], "agent": json.dumps({"mbox": AGENTS[0]}), "stateId": "s"}
    if resource != "/activities/state":
        query = {"profileId": "p", **({"activityId": COURSES[0]} if "activities" in resource else {})}
        if "agents" in resource:
            query["agent"] = json.dumps({"mbox": AGENTS[0]})
    assert (await lrs.get(resource, query)).status == 403


async def test_a_bearer_token_keeps_the_filter_of_its_credential(
    gateway: Gateway, filled: list[tuple[Json, str]]
) -> None:
    rows = RowFilter(platforms=(PLATFORMS[0],))
    await reader(gateway, rows, "statements/read", "all", key="vendor")
    form = b"grant_type=client_credentials&client_id=vendor&client_secret=secret&scope=statements/read"
    reply = await gateway.http().post(
        "/oauth2/token", data=form, headers={"Content-Type": "application/x-www-form-urlencoded"}
    )
    lrs = gateway.lrs.with_headers({"Authorization": f"Bearer {reply.json()['access_token']}"})
    found = {item["id"] async for item in follow(lrs, gateway)}
    assert found
    assert found <= {made["id"] for made, source in filled if passes(rows, made, source)}


async def test_whoever_reads_only_their_own_is_limited_by_the_filter_as_well(gateway: Gateway) -> None:
    rows = RowFilter(verbs=(VERBS[0],))
    lrs = await reader(gateway, rows, "statements/read/mine", "statements/write", key="mine")
    statements = [
        {"actor": {"mbox": AGENTS[0]}, "verb": {"id": verb}, "object": {"id": COURSES[0]}} for verb in VERBS
    ]
    own = (await lrs.post("/statements", body=statements)).json()
    await gateway.lrs.post("/statements", body=statements)
    assert [found["id"] async for found in follow(lrs, gateway)] == own[:1]


def stages(plan: Any) -> set[str]:
    if isinstance(plan, dict):
        own = {plan["stage"]} if isinstance(plan.get("stage"), str) else set()
        return own.union(*(stages(value) for value in plan.values()))
    if isinstance(plan, list):
        return set().union(*map(stages, plan))
    return set()


INDEXES = [
    (RowFilter(verbs=(VERBS[0],)), "by_verbs"),
    (RowFilter(courses=(COURSES[0],)), "by_related_activities"),
    (RowFilter(platforms=(PLATFORMS[0],)), "by_platform"),
    (RowFilter(sources=(SOURCES[0],)), "by_adapter"),
    (RowFilter(sources=("credential:tests",)), "by_credential"),
    (RowFilter(agents=("mbox:x",)), "by_agents"),
    (RowFilter(registrations=(str(uuid4()),)), "by_registrations"),
    (RowFilter(verbs=tuple(VERBS)), "by_verbs"),
    (RowFilter(courses=tuple(COURSES)), "by_related_activities"),
    (RowFilter(platforms=tuple(PLATFORMS)), "by_platform"),
    (RowFilter(sources=tuple(SOURCES[:2])), "by_adapter"),
]


async def test_every_filter_is_served_from_its_index_in_order(
    store: Store, services: Services, filled_store: list[tuple[Json, str]]
) -> None:
    for (rows, index), ascending in itertools.product(INDEXES, (True, False)):
        after = (2**52, uuid4()) if ascending else None
        selection = Selection(rows=(rows,), ascending=ascending, after=after, limit=10)
        assert selection.index == index
        plan = (await store.statements.explain(selection))["queryPlanner"]["winningPlan"]
        assert "IXSCAN" in stages(plan)
        assert stages(plan).isdisjoint({"COLLSCAN", "SORT"})


async def test_reading_one_page_looks_at_little_more_than_the_page(
    store: Store, services: Services, filled_store: list[tuple[Json, str]]
) -> None:
    selection = Selection(rows=(RowFilter(platforms=(PLATFORMS[0],)),), limit=3)
    stats = (await store.statements.explain(selection))["executionStats"]
    voided = sum(made["verb"]["id"] == VOIDED for made, _ in filled_store)
    assert stats["totalDocsExamined"] <= 4 + voided


def test_the_keys_of_a_query_choose_the_index_before_a_broad_filter() -> None:
    rows = (RowFilter(verbs=(VERBS[0],)),)
    assert Selection(keys={"agents": "mbox:x"}, rows=rows).index == "by_agents"
    assert Selection(keys={"verbs": VERBS[0]}, rows=(RowFilter(courses=("urn:c",)),)).index == (
        "by_related_activities"
    )


@pytest.mark.parametrize("source", ["zoom", "adapter:", "session:1", ":x", ""])
def test_a_source_that_names_nothing_is_refused(source: str) -> None:
    with pytest.raises(ValueError, match="is not adapter:<name> or credential:<key>"):
        RowFilter(sources=(source,))


def test_a_filter_takes_a_limited_number_of_values() -> None:
    with pytest.raises(ValueError, match=f"verbs has {MAX_VALUES + 1} values"):
        RowFilter(verbs=tuple(map(str, range(MAX_VALUES + 1))))


async def test_a_filter_comes_back_from_the_store_as_it_was(store: Store) -> None:
    rows = RowFilter(
        verbs=("v",), courses=("c",), platforms=("p",), sources=("adapter:a",), agents=("mbox:m",)
    )
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    for key, given in (("all", None), ("part", rows), ("none", RowFilter())):
        credential = Credential(key=key, name=key, store="main", scopes=("all",), rows=given, created=now)
        assert await store.credentials.create(credential, "s")
    found = {credential.key: credential.rows for credential in await store.credentials.list()}
    assert found == {"all": None, "part": rows, "none": None}
    assert not RowFilter()


def create_limited(uri: str, database: str, *arguments: str) -> Result:
    environment = {"XAPI_GATEWAY__MONGO__URI": uri, "XAPI_GATEWAY__MONGO__DATABASE": database}
    command = ["credentials", "create", "--name", "Dashboard", *arguments]
    return CliRunner().invoke(main, command, env=environment)


def test_the_command_line_limits_what_a_credential_reads(mongo_uri: str) -> None:
    name = new_database_name()
    limits = ["--may-read-verb", "urn:v", "--may-read-verb", "urn:w", "--may-read-course", "urn:c"]
    limits += ["--may-read-source", "adapter:zoom", "--may-read-platform", "quiz"]
    try:
        result = create_limited(mongo_uri, name, "--scope", "statements/read", *limits)
        beyond = create_limited(mongo_uri, name, "--scope", "all", *limits)
        wrong = create_limited(
            mongo_uri, name, "--scope", "statements/read", "--may-read-source", "somewhere"
        )
    finally:
        asyncio.run(drop(mongo_uri, name))
    assert json.loads(result.stdout)["may_read"] == {
        "verbs": ["urn:v", "urn:w"],
        "courses": ["urn:c"],
        "platforms": ["quiz"],
        "sources": ["adapter:zoom"],
    }
    assert (beyond.exit_code, wrong.exit_code) == (2, 2)
    assert "the scope all reaches beyond statements" in " ".join(beyond.stderr.split())
    assert "'somewhere' is not adapter:<name> or credential:<key>" in " ".join(wrong.stderr.split())


async def drop(uri: str, name: str) -> None:
    async with connect(uri, app_name="tests") as client:
        await client.drop_database(name)
