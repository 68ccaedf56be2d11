"""Lists of statements against a naive reading of the standard, on a real store."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.services.entries import Origin
from gateway.services.services import Services
from gateway.store.connection import connect
from gateway.store.statements import Selection
from gateway.store.store import Store
from gateway.xapi.matching import match_keys, matches
from gateway.xapi.queries import StatementsQuery
from tests.gateway import settings_for
from tests.mongo import new_database_name

Json = dict[str, Any]

VOIDED = "http://adlnet.gov/expapi/verbs/voided"
AUTHORITY = {"mbox": "mailto:authority@example.org"}
IDS = [str(UUID(int=number)) for number in range(1, 8)]
REGISTRATIONS = ["6690e6c9-3ef0-4ed3-8b37-7f3964730be1", "6690e6c9-3ef0-4ed3-8b37-7f3964730be2"]
AGENTS = st.sampled_from([{"mbox": f"mailto:{name}@example.org"} for name in "ab"])
VERBS = st.sampled_from([{"id": "x:did"}, {"id": "x:saw"}])
ACTIVITIES = st.sampled_from([{"id": "x:course"}, {"id": "x:lesson"}])
CONTEXTS = st.fixed_dictionaries(
    {},
    optional={
        "registration": st.sampled_from(REGISTRATIONS),
        "instructor": AGENTS,
        "contextActivities": st.fixed_dictionaries({"parent": ACTIVITIES.map(lambda item: [item])}),
    },
)
REFS = st.sampled_from(IDS).map(lambda identity: {"objectType": "StatementRef", "id": identity})
PLAIN = st.fixed_dictionaries(
    {"actor": AGENTS, "verb": VERBS, "object": ACTIVITIES | REFS, "context": CONTEXTS}
)
VOIDING = st.fixed_dictionaries({"actor": AGENTS, "verb": st.just({"id": VOIDED}), "object": REFS})
STORES = st.lists(PLAIN | VOIDING, min_size=1, max_size=len(IDS)).flatmap(
    lambda bodies: st.permutations(IDS).map(
        lambda ids: [{"id": identity, **body} for identity, body in zip(ids, bodies, strict=False)]
    )
)
QUERIES = st.builds(
    StatementsQuery,
    agent_key=st.none() | st.sampled_from(["mbox:mailto:a@example.org", "mbox:mailto:b@example.org"]),
    verb=st.none() | st.sampled_from(["x:did", VOIDED]),
    activity=st.none() | st.just("x:course"),
    registration=st.none() | st.sampled_from([UUID(text) for text in REGISTRATIONS]),
    related_agents=st.booleans(),
    related_activities=st.booleans(),
)


def expected(statements: list[Json], query: StatementsQuery) -> set[str]:
    """The ids that a list with this query has, by the words of the standard."""
    by_id: Mapping[str, Json] = {statement["id"]: statement for statement in statements}
    voiding = {item["id"]: item["object"]["id"] for item in statements if item["verb"]["id"] == VOIDED}
    voided = {target for target in voiding.values() if target not in voiding}
    found = set()
    for statement in statements:
        link: Json | None = statement
        seen: set[str] = set()
        while link is not None and link["id"] not in seen:
            seen.add(link["id"])
            if matches(match_keys(link | {"authority": AUTHORITY}), query):
                found.add(statement["id"])
            target = link["object"]
            link = by_id.get(target["id"]) if target.get("objectType") == "StatementRef" else None
    return found - voided


def selection(query: StatementsQuery) -> Selection:
    keys: dict[str, str] = {}
    if query.agent_key:
        keys["related_agents" if query.related_agents else "agents"] = query.agent_key
    if query.activity:
        keys["related_activities" if query.related_activities else "activities"] = query.activity
    if query.verb:
        keys["verbs"] = query.verb
    if query.registration:
        keys["registrations"] = str(query.registration)
    return Selection(keys=keys)


def test_lists_hold_what_the_standard_says(mongo_uri: str) -> None:
    with asyncio.Runner() as runner:
        name = new_database_name()
        client = connect(mongo_uri, app_name="tests")
        store = Store(client, name)
        services = Services(store, settings_for(name), more_key=b"k" * 32)

        async def start() -> asyncio.Task[None]:
            await store.prepare()
            return asyncio.create_task(services.run())

        async def check(statements: list[Json], queries: list[StatementsQuery]) -> None:
            await client[name].statements.delete_many({})
            origin = Origin(authority=AUTHORITY, source={"credential": "tests"}, define=False)
            half = len(statements) // 2
            for statement in statements[:half]:
                await services.statements.record(origin, [statement])
            await asyncio.gather(
                *(services.statements.record(origin, [statement]) for statement in statements[half:])
            )
            for query in queries:
                page = await store.statements.page(selection(query))
                assert {str(item.id) for item in page.statements} == expected(statements, query), query

        async def stop(task: asyncio.Task[None]) -> None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await client.drop_database(name)
            await client.close()

        @settings(max_examples=30)
        @given(STORES, st.lists(QUERIES, min_size=3, max_size=6))
        def property_holds(statements: list[Json], queries: list[StatementsQuery]) -> None:
            runner.run(check(statements, queries))

        task = runner.run(start())
        try:
            property_holds()
        finally:
            runner.run(stop(task))
