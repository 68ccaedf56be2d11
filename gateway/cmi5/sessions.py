"""The life of a session (cmi5 7, 8.2, 9.3.6, 9.3.8) and what its fetch URL answers.

    launched ──fetch──► authorized ──initialize──► active ──terminate──► terminated
        └─────────────────────┴────────────────────────┴──abandon──► abandoned

Terminated and abandoned are final: nothing leads out of them and the token is dead. Performs no I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from gateway.cmi5.refusals import Refusal


class SessionState(StrEnum):
    LAUNCHED = "launched"
    AUTHORIZED = "authorized"
    ACTIVE = "active"
    TERMINATED = "terminated"
    ABANDONED = "abandoned"


class SessionEvent(StrEnum):
    FETCH = "fetch"
    INITIALIZE = "initialize"
    TERMINATE = "terminate"
    ABANDON = "abandon"


TRANSITIONS: Final[Mapping[tuple[SessionState, SessionEvent], SessionState]] = MappingProxyType(
    {
        (SessionState.LAUNCHED, SessionEvent.FETCH): SessionState.AUTHORIZED,
        (SessionState.AUTHORIZED, SessionEvent.INITIALIZE): SessionState.ACTIVE,
        (SessionState.ACTIVE, SessionEvent.TERMINATE): SessionState.TERMINATED,
        (SessionState.LAUNCHED, SessionEvent.ABANDON): SessionState.ABANDONED,
        (SessionState.AUTHORIZED, SessionEvent.ABANDON): SessionState.ABANDONED,
        (SessionState.ACTIVE, SessionEvent.ABANDON): SessionState.ABANDONED,
    }
)

OPEN: Final = frozenset({SessionState.LAUNCHED, SessionState.AUTHORIZED, SessionState.ACTIVE})
"""States in which a new launch in the registration, or time, abandons the session."""


def diagram() -> str:
    """The table as a Mermaid state diagram, which docs/cmi5.md shows."""
    steps = [f"    {before} --> {after}: {event}" for (before, event), after in TRANSITIONS.items()]
    ends = [f"    {state} --> [*]" for state in SessionState if state not in OPEN]
    return "\n".join(["stateDiagram-v2", f"    [*] --> {SessionState.LAUNCHED}: launch", *steps, *ends])


_REQUIREMENTS: Final = {
    SessionEvent.FETCH: "cmi5 8.2.3.0-1",
    SessionEvent.INITIALIZE: "cmi5 9.3.2.0-3",
    SessionEvent.TERMINATE: "cmi5 9.3.0.0-4",
    SessionEvent.ABANDON: "cmi5 9.3.0.0-10",
}


def advance(state: SessionState, event: SessionEvent) -> SessionState | Refusal:
    """The state after the event, or why it cannot happen now."""
    after = TRANSITIONS.get((state, event))
    if after is not None:
        return after
    message = f"the session is {state}; '{event}' is not possible then"
    return Refusal(status=403, requirement=_REQUIREMENTS[event], path="", message=message)


def token_refusal(state: SessionState) -> Refusal | None:
    """Why the session's token opens nothing in this state; None while it is good (8.1.2.0-2)."""
    if state in (SessionState.AUTHORIZED, SessionState.ACTIVE):
        return None
    if state is SessionState.LAUNCHED:
        message = "the token was not fetched yet"
    else:
        message = f"the session is {state}; launch the AU again"
    return Refusal(status=401, requirement="cmi5 8.1.2.0-2", path="", message=message)


class FetchError(StrEnum):
    """The `error-code` of a fetch answer (8.2.3.2), a text in JSON too."""

    USED = "1"
    UNKNOWN = "2"
    INTERNAL = "3"


_FETCH_TEXTS: Final = {
    FetchError.USED: "The token was already fetched, or the session is over. Launch the AU again.",
    FetchError.UNKNOWN: "This fetch URL belongs to no session. Launch the AU again.",
    FetchError.INTERNAL: "The token cannot be handed out now. Launch the AU again in a moment.",
}


@dataclass(frozen=True, slots=True)
class FetchAnswer:
    """A JSON body; its status is 200 even for an error (8.2.2.0-3), `Cache-Control: no-store`."""

    body: Mapping[str, str]
    status: int = 200


def fetched(token: str) -> FetchAnswer:
    """The one answer that carries the token."""
    return FetchAnswer({"auth-token": token})


def fetch_refused(code: FetchError) -> FetchAnswer:
    return FetchAnswer({"error-code": code.value, "error-text": _FETCH_TEXTS[code]})


def fetch_problem(state: SessionState | None) -> FetchError | None:
    """Why a POST to the fetch URL gets no token, None if it gets it. No state: nobody knows the key."""
    if state is None:
        return FetchError.UNKNOWN
    return None if state is SessionState.LAUNCHED else FetchError.USED


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLimits:
    """In microseconds: how long a session may be silent, and how long it may last at all."""

    idle: int = 60 * 60 * 1_000_000
    total: int = 12 * 60 * 60 * 1_000_000


def lapsed(now: int, *, launched: int, last_seen: int, limits: SessionLimits) -> bool:
    """Is an open session to be abandoned for its age or silence? Times in microseconds since the epoch."""
    return now - max(launched, last_seen) >= limits.idle or now - launched >= limits.total
