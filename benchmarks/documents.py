"""What the gateway stores for a statement, so that ceilings and filled stores hold exactly the same.

Performs no I/O.
"""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from gateway.services.entries import keys_of
from gateway.store.statements import Entry
from gateway.xapi.agents import agent_key
from gateway.xapi.statements import Prepared, prepare
from gateway.xapi.versions import Version

KEY = "benchmark"
_AUTHORITY = {
    "objectType": "Agent",
    "name": KEY,
    "account": {"homePage": "http://127.0.0.1:8080", "name": KEY},
}
_MATCH_KEYS = {
    "agent": "agents",
    "verb": "verbs",
    "activity": "activities",
    "registration": "registrations",
}


def ready(statement: dict[str, Any]) -> Prepared:
    """The statement as the gateway prepares it; it changes the dict."""
    return prepare(statement, version=Version.V2, authority=_AUTHORITY, new_id=uuid4)


def entry(statement: dict[str, Any], stored: int) -> Entry:
    """The statement as the gateway writes it, stored at the given time in microseconds."""
    prepared = ready(statement)
    prepared.stamp(stored)
    return Entry(
        id=prepared.id,
        statement=prepared.statement,
        keys=keys_of(prepared),
        source={"credential": KEY},
        stored=stored,
    )


def document(statement: dict[str, Any]) -> dict[str, Any]:
    """The document that the gateway inserts, with a `stored` that is anything but new."""
    return entry(statement, 1_700_000_000_000_000).document()


def key_of(parameter: str, value: Any) -> tuple[str, str]:
    """Match key and value that a query parameter is looked up by."""
    wanted = agent_key(value) if parameter == "agent" else value
    assert isinstance(wanted, str)
    return _MATCH_KEYS[parameter], wanted
