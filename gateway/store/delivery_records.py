"""What is kept of a delivery: its types, and how they look as documents. Performs no I/O."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid5

_NAMESPACE = UUID("5c2f1d0e-5d0c-5f3c-9c39-8f6d0c2b7f11")
_MAX_KEY = 500  # characters of an idempotency key that are shown; all of them make the id


class State(StrEnum):
    """What became of a delivery, or of one of its events."""

    RECEIVED = "received"  # stored, not mapped yet
    DONE = "done"  # some event became statements; all others were ignored by a rule
    IGNORED = "ignored"  # every event was ignored by a rule
    UNMATCHED = "unmatched"  # some event matched no rule; none failed
    HELD = "held"  # some event waits for a person to become known; none failed or is unmatched
    FAILED = "failed"  # some event could not be mapped: a person has to look


RESOLVED = (State.DONE, State.IGNORED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one event of a delivery. `event` is its id, None if it could not be told apart.

    `problems` are JSON objects with a `message`, and `path` and `requirement` or place and `code` beside it.
    """

    event: str | None
    state: State
    rule: str | None = None
    reason: str | None = None
    statements: tuple[UUID, ...] = ()
    problems: tuple[Mapping[str, Any], ...] = ()
    warnings: tuple[Mapping[str, Any], ...] = ()

    def document(self) -> dict[str, Any]:
        """As it is stored: what is empty is left out."""
        values: dict[str, Any] = {
            "event": self.event,
            "state": self.state,
            "rule": self.rule,
            "reason": self.reason,
            "statements": list(self.statements),
            "problems": [dict(problem) for problem in self.problems],
            "warnings": [dict(warning) for warning in self.warnings],
        }
        return {key: value for key, value in values.items() if value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One inbound vendor request. `received` has whole milliseconds, as it is stored.

    `body` holds the bytes as they came; where `decoded`, it is the payload as JSON, without what the mapping
    drops for privacy. `digest` is the SHA-256 of the bytes as they came. `claim` is whose work it is, until
    `due`. `kept` says what is left of the body. `attempts` less `postponed` is how often a process took
    it and did not give it back.
    """

    id: UUID
    adapter: str
    key: str
    digest: str
    received: dt.datetime
    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    decoded: bool = False
    verified: tuple[Mapping[str, Any], ...] = ()
    state: State = State.RECEIVED
    due: dt.datetime | None = None
    claim: UUID | None = None
    attempts: int = 0
    postponed: int = 0
    duplicates: int = 0
    conflict: bool = False
    revision: str | None = None
    finished: dt.datetime | None = None
    outcomes: tuple[Outcome, ...] = ()
    size: int = 0
    kept: str = "whole"


def delivery_id(adapter: str, key: str) -> UUID:
    """The id of the first delivery with an idempotency key."""
    return uuid5(_NAMESPACE, f"{adapter}\x1f{key}")


def conflicting_id(adapter: str, key: str, digest: str) -> UUID:
    """The id of a delivery whose key was taken by one with another body."""
    return uuid5(_NAMESPACE, f"{adapter}\x1f{key}\x1f{digest}")


def document_of(delivery: Delivery) -> dict[str, Any]:
    """A new delivery as it is inserted."""
    document: dict[str, Any] = {
        "_id": delivery.id,
        "adapter": delivery.adapter,
        "key": delivery.key[:_MAX_KEY],
        "digest": delivery.digest,
        "received": delivery.received,
        "request": {
            "method": delivery.method,
            "url": delivery.url,
            "headers": [list(pair) for pair in delivery.headers],
            "body": delivery.body,
        },
        "size": len(delivery.body),
        "verified": [dict(one) for one in delivery.verified],
        "state": delivery.state,
        "attempts": delivery.attempts,
        "postponed": delivery.postponed,
        "duplicates": delivery.duplicates,
        "conflict": delivery.conflict,
        "outcomes": [outcome.document() for outcome in delivery.outcomes],
    }
    optional = {
        "decoded": delivery.decoded or None,
        "due": delivery.due,
        "claim": delivery.claim,
        "finished": delivery.finished,
    }
    return document | {key: value for key, value in optional.items() if value is not None}


def delivery_of(row: Mapping[str, Any]) -> Delivery:
    """A stored delivery; without its body if the query left that out."""
    request = row["request"]
    return Delivery(
        id=row["_id"],
        adapter=row["adapter"],
        key=row["key"],
        digest=row["digest"],
        received=row["received"],
        method=request["method"],
        url=request["url"],
        headers=tuple((name, value) for name, value in request["headers"]),
        body=bytes(request.get("body", b"")),
        decoded=row.get("decoded", False),
        verified=tuple(row["verified"]),
        state=State(row["state"]),
        due=row.get("due"),
        claim=row.get("claim"),
        attempts=row["attempts"],
        postponed=row["postponed"],
        duplicates=row["duplicates"],
        conflict=row["conflict"],
        revision=row.get("revision"),
        finished=row.get("finished"),
        outcomes=tuple(_outcome(item) for item in row["outcomes"]),
        size=row["size"],
        kept=row.get("kept", "whole"),
    )


def _outcome(item: Mapping[str, Any]) -> Outcome:
    return Outcome(
        event=item.get("event"),
        state=State(item["state"]),
        rule=item.get("rule"),
        reason=item.get("reason"),
        statements=tuple(item.get("statements", ())),
        problems=tuple(item.get("problems", ())),
        warnings=tuple(item.get("warnings", ())),
    )
