"""How deliveries look as JSON: for the management API and for commands, so that both say the same. Pure."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from gateway.services.deliveries import Rehearsal
from gateway.services.delivery_hours import Silence
from gateway.services.texts import time_text
from gateway.store.delivery_hours import Hour
from gateway.store.delivery_records import Delivery, Outcome, State


def summary(delivery: Delivery) -> dict[str, Any]:
    """A delivery as lists show it."""
    rules = [outcome.rule for outcome in delivery.outcomes if outcome.rule]
    reasons = [outcome.reason for outcome in delivery.outcomes if outcome.reason]
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
        "reason": reasons[0] if reasons else None,
        "duplicates": delivery.duplicates,
        "conflict": delivery.conflict,
        "attempts": delivery.attempts,
        "revision": delivery.revision,
        "size": delivery.size,
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
            "reason": outcome.reason,
            "statements": [str(identity) for identity in outcome.statements],
            "problems": [dict(problem) for problem in outcome.problems],
            "warnings": [dict(warning) for warning in outcome.warnings],
        }
        for outcome in found
    ]


def rehearsal(found: Rehearsal) -> dict[str, Any]:
    """What mapping a delivery again would do; statement ids by how they stand to what is stored."""
    statements: dict[str, list[str]] = {"new": [], "same": [], "different": []}
    for identity, presence in found.statements.items():
        statements[presence].append(str(identity))
    return {
        "id": str(found.delivery.id),
        "adapter": found.delivery.adapter,
        "before": found.delivery.state,
        "state": found.state,
        "statements": statements,
        "outcomes": outcomes(found.outcomes),
    }


def _body(body: bytes) -> dict[str, Any]:
    try:
        return {"body": body.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(body).decode()}
