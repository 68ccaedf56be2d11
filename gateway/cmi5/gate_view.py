"""What the gate knows when it looks at a statement: the session so far, and the statement read leniently.

A statement may be any JSON; what is malformed reads as absent here and is refused later by the xAPI rules.
Performs no I/O.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Final, TypeAlias

from gateway.cmi5 import vocabulary as words
from gateway.cmi5.numbers import as_decimal
from gateway.cmi5.satisfaction import NOTHING, AUFacts
from gateway.cmi5.sessions import TRANSITIONS, SessionEvent, SessionState
from gateway.cmi5.vocabulary import LaunchMode

Fault: TypeAlias = tuple[str, str, str]
"""Requirement, path within the statement, message."""

_EVENTS: Final = {words.INITIALIZED: SessionEvent.INITIALIZE, words.TERMINATED: SessionEvent.TERMINATE}


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionView:
    """A session as the gate needs it.

    `mastery` is what the launch data said, `used` the verbs (IRIs) of defined statements of this session,
    `au` what is known of the AU in the whole registration, `initialized_at` and `latest_at` the timestamps of
    the initialized and of the latest statement, in microseconds.
    """

    session: str
    actor: Mapping[str, Any]
    registration: str
    activity_id: str
    context_template: Mapping[str, Any]
    state: SessionState
    launch_mode: LaunchMode = LaunchMode.NORMAL
    mastery: Decimal | None = None
    used: frozenset[str] = frozenset()
    au: AUFacts = field(default=NOTHING)
    preferences_requested: bool = False
    initialized_at: int | None = None
    latest_at: int | None = None

    def after(self, reading: Reading, timestamp: int | None) -> SessionView:
        """The session once this statement is part of it."""
        latest = self.latest_at
        if timestamp is not None and (latest is None or timestamp > latest):
            latest = timestamp
        if not reading.defined or reading.verb not in words.AU_VERBS:
            return replace(self, latest_at=latest)
        event = _EVENTS.get(reading.verb)
        return replace(
            self,
            state=self.state if event is None else TRANSITIONS.get((self.state, event), self.state),
            used=self.used | {reading.verb},
            au=replace(
                self.au,
                completed=self.au.completed or reading.verb == words.COMPLETED,
                passed=self.au.passed or reading.verb == words.PASSED,
            ),
            initialized_at=timestamp if event is SessionEvent.INITIALIZE else self.initialized_at,
            latest_at=latest,
        )


class Reading:
    """A statement whose parts can be asked for, whatever it holds; `defined`: it has the cmi5 category."""

    __slots__ = ("categories", "context", "defined", "result", "scaled", "score", "statement", "verb")

    def __init__(self, statement: Mapping[str, Any]) -> None:
        self.statement = statement
        self.context = mapping(statement.get("context"))
        self.result = mapping(statement.get("result"))
        self.score = mapping(self.result.get("score"))
        self.scaled = as_decimal(self.score.get("scaled"))
        verb = mapping(statement.get("verb")).get("id")
        self.verb = verb if isinstance(verb, str) else ""
        self.categories = frozenset(activity_ids(self.context, "category"))
        self.defined = words.CATEGORY_CMI5 in self.categories

    @property
    def extensions(self) -> Mapping[str, Any]:
        return mapping(self.context.get("extensions"))


def mapping(value: object) -> Mapping[str, Any]:
    """The value if it is an object, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def activity_ids(context: Mapping[str, Any], name: str) -> Iterator[str]:
    """The ids in one list of contextActivities, which may also be a single activity."""
    value = mapping(context.get("contextActivities")).get(name)
    for activity in value if isinstance(value, list) else [value]:
        identifier = mapping(activity).get("id")
        if isinstance(identifier, str):
            yield identifier
