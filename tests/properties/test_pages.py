"""Following `more` while others write: the pages are the list as it was, in every direction and filter."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.services.access import Grant, Scope
from gateway.services.entries import Origin
from gateway.services.services import Services
from gateway.store.connection import connect
from gateway.store.store import Store
from gateway.xapi.queries import Position, StatementsQuery, decode_more, encode_more
from tests.gateway import settings_for
from tests.mongo import new_database_name

AUTHORITY = {"mbox": "mailto:authority@example.org"}
GRANT = Grant(key="tests", store="main", scopes=frozenset({Scope.STATEMENTS_READ}), authority=AUTHORITY)
ORIGIN = Origin(authority=AUTHORITY, source={"credential": "tests"}, define=False)
MORE_KEY = b"k" * 32

BODIES = st.fixed_dictionaries(
    {
        "actor": st.sampled_from([{"mbox": f"mailto:{name}@example.org"} for name in "ab"]),
        "verb": st.sampled_from([{"id": "x:did"}, {"id": "x:saw"}]),
        "object": st.sampled_from([{"id": "x:course"}, {"id": "x:lesson"}]),
        "result": st.sampled_from([0, 400, 1500]).map(lambda size: {"response": "x" * size}),
    }
)
BATCHES = st.lists(st.lists(BODIES, min_size=1, max_size=3), min_size=1, max_size=4)
FILTERS = st.fixed_dictionaries(
    {
        "agent": st.none() | st.just({"mbox": "mailto:a@example.org"}),
        "verb": st.none() | st.just("x:did"),
        "activity": st.none() | st.just("x:course"),
    }
)


def query(filters: dict[str, Any], *, ascending: bool, limit: int) -> StatementsQuery:
    agent = filters["agent"]
    key = None if agent is None else f"mbox:{agent['mbox']}"
    return StatementsQuery(**filters, agent_key=key, ascending=ascending, limit=limit)


def fits(body: dict[str, Any], filters: dict[str, Any]) -> bool:
    """Whether a statement of this test is one that the filters ask for."""
    return (
        filters["agent"] in (None, body["actor"])
        and filters["verb"] in (None, body["verb"]["id"])
        and filters["activity"] in (None, body["object"]["id"])
    )


def test_pages_are_the_list_as_it_was_whoever_writes_meanwhile(mongo_uri: str) -> None:
    with asyncio.Runner() as runner:
        name = new_database_name()
        client = connect(mongo_uri, app_name="tests")
        store = Store(client, name)
        services = Services(store, settings_for(name, xapi__page_bytes="2KiB"), more_key=MORE_KEY)

        async def start() -> asyncio.Task[None]:
            await store.prepare()
            return asyncio.create_task(services.run())

        async def write(batches: Sequence[Sequence[dict[str, Any]]], names: list[str]) -> None:
            for batch in batches:
                named = [{"id": str(uuid4()), **body} for body in batch]
                names += await services.statements.record(ORIGIN, named)

        async def follow(asked: StatementsQuery, writing: asyncio.Task[Any] | None) -> list[str]:
            """The ids of all pages; what is being written is let go on between them."""
            ids: list[str] = []
            position: Position | None = None
            while True:
                listed = await services.statements.list(GRANT, asked, position)
                assert 1 <= len(listed.page.statements) <= (asked.limit or 0) or not listed.position
                ids += [item.statement["id"] for item in listed.page.statements]
                if listed.position is None:
                    return ids
                token = encode_more(asked, listed.position, key=MORE_KEY)
                again, position = decode_more(token, key=MORE_KEY)
                assert again == asked
                if writing is not None:
                    await asyncio.wait({writing}, timeout=0.002)

        async def check(
            before: list[list[dict[str, Any]]],
            during: list[list[dict[str, Any]]],
            filters: dict[str, Any],
            limit: int,
        ) -> None:
            await client[name].statements.delete_many({})
            there: list[str] = []
            await write(before, there)
            wanted = [
                identity
                for identity, body in zip(there, (body for batch in before for body in batch), strict=True)
                if fits(body, filters)
            ]
            for ascending in (True, False):
                asked = query(filters, ascending=ascending, limit=limit)
                new: list[str] = []
                writing = asyncio.create_task(write(during, new))
                ids = await follow(asked, writing)
                await writing
                assert len(ids) == len(set(ids)), "a statement came twice"
                old = [identity for identity in ids if identity in wanted]
                assert old == (wanted if ascending else wanted[::-1]), "what was there has to come, in order"
                # What was stored while the first page was read may be in it, and nothing that came later.
                assert set(ids) - set(wanted) <= set(new)
                # In a quiet store the pages are the whole list, newest last or first.
                wanted += [
                    identity
                    for identity, body in zip(new, (body for batch in during for body in batch), strict=True)
                    if fits(body, filters)
                ]
                assert await follow(asked, None) == (wanted if ascending else wanted[::-1])

        async def stop(task: asyncio.Task[None]) -> None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await client.drop_database(name)
            await client.close()

        @settings(max_examples=15)
        @given(BATCHES, BATCHES, FILTERS, st.integers(1, 4))
        def property_holds(
            before: list[list[dict[str, Any]]],
            during: list[list[dict[str, Any]]],
            filters: dict[str, Any],
            limit: int,
        ) -> None:
            runner.run(check(before, during, filters, limit))

        task = runner.run(start())
        try:
            property_holds()
        finally:
            runner.run(stop(task))
