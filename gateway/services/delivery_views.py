"""How deliveries look as JSON: for the management API and for commands, so that both say the same. Pure."""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Sequence
from typing import Any

from gateway.services.deliveries import Progress
from gateway.services.delivery_hours import Silence
from gateway.services.recording import Presence
from gateway.services.rehearsing import Rehearsal
from gateway.services.texts import time_text
from gateway.store.delivery_hours import Hour
from gateway.store.delivery_records import Delivery, Outcome, State
from gateway.store.replays import StoredReplay


def summary(delivery: Delivery) -> dict[str, Any]:
    """A delivery as lists show it."""
    rules = [outcome.rule for outcome in delivery.outcomes if outcome.rule]
    reasons = [outcome.reason for outcome in delivery.outcomes if outcome.reason]
    if delivery.state is State.RECEIVED and delivery.unfetched is not None:
        reasons = [delivery.unfetched.reason]
    codes = [outcome.code for outcome in delivery.outcomes if outcome.code]
    return {
        "id": str(delivery.id),
        "adapter": delivery.adapter,
        "key": delivery.key,
        "received": time_text(delivery.received),
        "state": delivery.state,
        "finished": time_text(delivery.finished),
        "events": len(delivery.outcomes),
        "statements": sum(len(outcome.statements) for outcome in delivery.outcomes),
        "rules": list(dict.fromkeys(rules)),
        "codes": list(dict.fromkeys(codes)),
        "reason": reasons[0] if reasons else None,
        "duplicates": delivery.duplicates,
        "conflict": delivery.conflict,
        "attempts": delivery.attempts,
        "revision": delivery.revision,
        "size": delivery.size,
        "gone": delivery.gone,
    }


def whole(delivery: Delivery, payload: Any = None) -> dict[str, Any]:
    """A delivery with its request and what became of each event.

    The body is text, or base64 where it is not UTF-8. A `payload` is shown instead of it: then something is
    hidden from people who look.
    """
    request: dict[str, Any] = {
        "method": delivery.method,
        "url": delivery.url,
        "headers": [list(pair) for pair in delivery.headers],
        "digest": delivery.digest,
        "kept": delivery.kept,
    }
    if payload is not None:
        request |= {"payload": payload, "redacted": True}
    else:
        request |= _body(delivery.body) | {"redacted": delivery.decoded or delivery.kept != "whole"}
    return {
        **summary(delivery),
        "verified": [dict(one) for one in delivery.verified],
        "request": request,
        "outcomes": outcomes(delivery.outcomes),
        "leftover": [str(identity) for identity in delivery.leftover],
        "replay": str(delivery.replay.id) if delivery.replay is not None else None,
    }


def hour(found: Hour) -> dict[str, Any]:
    """The counts of an adapter in an hour. `accepted` is `deliveries` and `duplicates` together."""
    return {
        "adapter": found.adapter,
        "hour": time_text(found.hour),
        "accepted": found.deliveries + found.duplicates,
        "deliveries": found.deliveries,
        "duplicates": found.duplicates,
        "conflicts": found.conflicts,
        "states": {str(state): count for state, count in found.states.items()},
        "events": {str(state): count for state, count in found.events.items() if state is not State.RECEIVED},
        "statements": found.statements,
        "notStored": dict(found.unstored),
    }


def silence(found: Silence) -> dict[str, Any]:
    """Since when an adapter has received nothing, and whether that is too long."""
    return {
        "last": time_text(found.last),
        "quietAfter": int(found.quiet_after.total_seconds()),
        "alarm": found.alarm,
    }


def outcomes(found: Sequence[Outcome]) -> list[dict[str, Any]]:
    """What became of each event, in order."""
    return [
        {
            "event": outcome.event,
            "state": outcome.state,
            "rule": outcome.rule,
            "code": outcome.code,
            "kind": outcome.kind,
            "reason": outcome.reason,
            "statements": [str(identity) for identity in outcome.statements],
            "problems": [dict(problem) for problem in outcome.problems],
            "warnings": [dict(warning) for warning in outcome.warnings],
            "until": time_text(outcome.until),
        }
        for outcome in found
    ]


def rehearsal(found: Rehearsal) -> dict[str, Any]:
    """What mapping a delivery again would do; statement ids by how they stand to what is stored, and where
    those that differ do.
    """
    statements: dict[str, list[str]] = {presence.value: [] for presence in Presence}
    for identity, compared in found.statements.items():
        statements[compared.presence].append(str(identity))
    return {
        "id": str(found.delivery.id),
        "adapter": found.delivery.adapter,
        "before": found.delivery.state,
        "state": found.state,
        "revision": found.revision,
        "statements": statements,
        "differences": [
            {"statement": str(identity), "changes": list(compared.differences)}
            for identity, compared in found.statements.items()
            if compared.differences
        ],
        "outcomes": outcomes(found.outcomes),
    }


def replay_view(progress: Progress) -> dict[str, Any]:
    """A replay and how far it is."""
    replay = progress.replay
    return {
        **replay_summary(replay),
        "pending": progress.pending,
        "states": dict(progress.states),
        "finished": replay.deliveries is not None and progress.pending == 0,
    }


def replay_summary(replay: StoredReplay) -> dict[str, Any]:
    """A replay as lists show it."""
    which = {
        key: time_text(value) if isinstance(value, dt.datetime) else value
        for key, value in replay.which.items()
    }
    return {
        "replay": str(replay.id),
        "started": time_text(replay.started),
        "by": replay.by,
        "which": which,
        **replay.options,
        "replayed": replay.deliveries,
    }


def _body(body: bytes) -> dict[str, Any]:
    try:
        return {"body": body.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(body).decode()}
