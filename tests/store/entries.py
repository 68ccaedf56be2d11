"""Statements as the store takes them, as short as they can be."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

from gateway.store.statements import Entry, Keys, Selection, StoredStatement
from gateway.store.store import Store


def entry(
    number: int | None = None,
    *,
    ref: int | None = None,
    voids: bool = False,
    verb: str = "v",
    agents: Sequence[str] = (),
    activities: Sequence[str] = (),
    registrations: Sequence[str] = (),
    stored: int | None = None,
    **statement: Any,
) -> Entry:
    """The statement with this number as its id."""
    identity = uuid4() if number is None else UUID(int=number)
    return Entry(
        id=identity,
        statement={"id": str(identity), "verb": {"id": verb}, **statement},
        keys=Keys(
            agents=agents,
            related_agents=agents,
            verbs=(verb,),
            activities=activities,
            related_activities=activities,
            registrations=registrations,
        ),
        source={"credential": "tests"},
        ref=None if ref is None else UUID(int=ref),
        voids=voids,
        stored=time.time_ns() // 1000 if stored is None else stored,
    )


async def insert(store: Store, *entries: Entry) -> None:
    """Store and link, as a commit does."""
    assert await store.statements.insert_each(entries) == set()
    await store.links.link([item.id for item in entries], referring=any(item.ref for item in entries))


async def found(store: Store, **keys: str) -> list[int]:
    """The numbers of the statements that a list with these filters has, in ascending order."""
    page = await store.statements.page(Selection(keys=keys, ascending=True))
    return sorted(item.id.int for item in page.statements)


async def stored(store: Store, number: int) -> StoredStatement:
    """The statement with this number, voided or not."""
    statement = await store.statements.get(UUID(int=number))
    assert statement is not None
    return statement
