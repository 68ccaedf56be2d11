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
    HELD = "held"  # some event waits for somebody to become known or for a fact; none failed or is unmatched
    DIFFERS = "differs"  # mapped again, some statement would say something else; the stored one stands
    FAILED = "failed"  # some event could not be mapped: a person has to look


RESOLVED = (State.DONE, State.IGNORED, State.DIFFERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one event of a delivery. `event` is its id, None if it could not be told apart.

    `problems` are JSON objects with a `message`, and `path` and `requirement` or place and `code` beside it.
    `code` says why there are no statements, for scripts, `kind` the type of an event that no rule is for. One
    that waits does so until `until` at the latest, for the directory entries or facts whose fingerprints are
    `waits`.
    """

    event: str | None
    state: State
    rule: str | None = None
    code: str | None = None
    kind: str | None = None
    reason: str | None = None
    statements: tuple[UUID, ...] = ()
    problems: tuple[Mapping[str, Any], ...] = ()
    warnings: tuple[Mapping[str, Any], ...] = ()
    until: dt.datetime | None = None
    waits: tuple[str, ...] = ()

    def document(self) -> dict[str, Any]:
        """As it is stored: what is empty is left out."""
        values: dict[str, Any] = {
            "event": self.event,
            "state": self.state,
            "rule": self.rule,
            "code": self.code,
            "kind": self.kind,
            "reason": self.reason,
            "statements": list(self.statements),
            "problems": [dict(problem) for problem in self.problems],
            "warnings": [dict(warning) for warning in self.warnings],
            "until": self.until,
            "waits": list(self.waits),
        }
        return {key: value for key, value in values.items() if value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """How a delivery is mapped again: with the mapping and the lookups of today or as it was mapped first.

    With `replace`, a statement that says something else is voided and stored anew.
    """

    id: UUID
    original_mapping: bool = False
    original_lookups: bool = False
    replace: bool = False

    def document(self) -> dict[str, Any]:
        """As it is stored."""
        return {
            "id": self.id,
            "original_mapping": self.original_mapping,
            "original_lookups": self.original_lookups,
            "replace": self.replace,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What was fetched for a delivery: encrypted JSON by the fingerprint of what was asked for; `replay` is
    the one that fetched it, None the first mapping.
    """

    answers: Mapping[str, bytes]
    replay: UUID | None = None

    def document(self) -> dict[str, Any]:
        """As it is stored."""
        return {"answers": dict(self.answers), "replay": self.replay}


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfetched:
    """What could not be fetched yet for a delivery, which is tried again: since when, how often, and why."""

    since: dt.datetime
    tries: int
    reason: str

    def document(self) -> dict[str, Any]:
        """As it is stored."""
        return {"since": self.since, "tries": self.tries, "reason": self.reason}


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One inbound vendor request. `received` has whole milliseconds, as it is stored.

    `body` holds the bytes as they came; where `decoded`, it is the payload as JSON, without what the mapping
    hides for privacy, with pseudonyms at the paths of `pseudonymised`. `sealed` is what identities see
    instead, encrypted. `kept` says what is left of the body. `digest` is the SHA-256 of the bytes as they
    came. `epoch` is that of its pseudonyms.

    `claim` is whose work it is, until `due`. `attempts` less `postponed` is how often a process took it and
    did not give it back. `resolved` is what lookups found, by fingerprint, so that it can be mapped the same
    way again. `held_since` is since when some event waits. `leftover` are statements of earlier mappings that
    the last one does not make. `replay` is how it is mapped again. `unfetched` is set while it waits for a
    vendor's answer.
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
    sealed: bytes | None = None
    pseudonymised: tuple[str, ...] = ()
    epoch: int = 1
    resolved: Mapping[str, Any] | None = None
    held_since: dt.datetime | None = None
    leftover: tuple[UUID, ...] = ()
    replay: Replay | None = None
    fetched: Fetched | None = None
    unfetched: Unfetched | None = None

    @property
    def gone(self) -> bool:
        """Whether the body was forgotten on purpose: then there is nothing to map again."""
        return self.kept == "hash"


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
        "sealed": delivery.sealed,
        "pseudonymised": list(delivery.pseudonymised) or None,
        "epoch": delivery.epoch if delivery.epoch != 1 else None,
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
        sealed=bytes(row["sealed"]) if row.get("sealed") is not None else None,
        pseudonymised=tuple(row.get("pseudonymised", ())),
        epoch=row.get("epoch", 1),
        resolved=row.get("resolved"),
        held_since=row.get("held_since"),
        leftover=tuple(row.get("leftover", ())),
        replay=Replay(**row["replay"]) if row.get("replay") is not None else None,
        fetched=_fetched(row["fetched"]) if row.get("fetched") is not None else None,
        unfetched=Unfetched(**row["unfetched"]) if row.get("unfetched") is not None else None,
    )


def _fetched(row: Mapping[str, Any]) -> Fetched:
    answers = {name: bytes(sealed) for name, sealed in row["answers"].items()}
    return Fetched(answers=answers, replay=row.get("replay"))


def _outcome(item: Mapping[str, Any]) -> Outcome:
    return Outcome(
        event=item.get("event"),
        state=State(item["state"]),
        rule=item.get("rule"),
        code=item.get("code"),
        kind=item.get("kind"),
        reason=item.get("reason"),
        statements=tuple(item.get("statements", ())),
        problems=tuple(item.get("problems", ())),
        warnings=tuple(item.get("warnings", ())),
        until=item.get("until"),
        waits=tuple(item.get("waits", ())),
    )
