"""Statements on their way into the store: prepared, with their match keys and where they come from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias
from uuid import UUID, uuid4

from gateway.services.access import Grant, Scope
from gateway.store import encoding
from gateway.store.statements import Entry, Keys, StoredStatement
from gateway.xapi import strict_json
from gateway.xapi.statements import Prepared, prepare
from gateway.xapi.versions import Version

Stamp: TypeAlias = Callable[[Entry, int], None]
"""Gives an entry its stored time (microseconds) just before it is written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where statements come from: recorded with each of them, and the authority they are stored under."""

    authority: Mapping[str, Any]
    source: Mapping[str, Any]
    define: bool
    delivery: UUID | None = None

    @classmethod
    def of(cls, grant: Grant) -> Origin:
        """Without the scope `define`, statements are stored but definitions are not learnt from them."""
        return cls(authority=grant.authority, source=grant.source(), define=Scope.DEFINE in grant.scopes)


@dataclass(slots=True, kw_only=True)
class PreparedEntry(Entry):
    """An entry that remembers how it was prepared, to be stamped when it is written.

    `bound` is another entry of its request: if that was stored before, this one is not stored either.
    """

    prepared: Prepared
    bound: UUID | None = None


def keys_of(prepared: Prepared) -> Keys:
    """What the store finds a prepared statement by."""
    agents, related_agents, verb, activity, related_activities, registration = prepared.keys
    return Keys(
        (registration,) if registration else (),
        agents,
        (activity,) if activity else (),
        related_activities,
        related_agents,
        (verb,),
    )


def prepared_entry(
    statement: dict[str, Any],
    origin: Origin,
    version: Version,
    suspect: bool,
    *,
    bound: UUID | None = None,
) -> PreparedEntry:
    """A valid statement, which it changes, on its way into the store; `suspect` as in `Entry`."""
    fresh = "id" not in statement
    prepared = prepare(statement, version=version, authority=dict(origin.authority), new_id=uuid4)
    return PreparedEntry(
        id=prepared.id,
        statement=prepared.statement,
        keys=keys_of(prepared),
        source=origin.source,
        ref=prepared.ref,
        voids=prepared.voids,
        delivery=origin.delivery,
        suspect=suspect,
        fresh_id=fresh,
        prepared=prepared,
        bound=bound,
    )


def prepared_entries(
    parsed: strict_json.Parsed, text: bytes, origin: Origin, version: Version
) -> list[PreparedEntry]:
    """Valid statements, one or an array, on their way into the store; `text` is what they were read from."""
    single = not isinstance(parsed.value, list)
    statements = [parsed.value] if single else parsed.value
    look = encoding.suspect if encoding.odd(text, long_numbers=parsed.long_numbers) else encoding.crowded
    suspect = parsed.lossy or look(text)
    # An array is crowded by its length alone, and one odd statement says nothing about the others.
    apart = suspect and not single and not parsed.lossy
    return [
        prepared_entry(statement, origin, version, look(strict_json.dumps(statement)) if apart else suspect)
        for statement in statements
    ]


def stamp_prepared(entry: Entry, stored: int) -> None:
    """Give a prepared entry the stored time of its group."""
    assert isinstance(entry, PreparedEntry)
    entry.prepared.stamp(stored)
    if entry.suspect:
        entry.text = strict_json.dumps(entry.statement)


def content(stored: StoredStatement) -> dict[str, Any]:
    """A stored statement as it was sent, also where the database holds only its nearest form."""
    if stored.text is None:
        return stored.statement
    value: dict[str, Any] = strict_json.parse(stored.text.encode()).value
    return value
