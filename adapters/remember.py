"""`remember:` and `recall:`: small facts of one event that later ones need. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from adapters.expressions.environment import Closure
from adapters.expressions.scope import Scope, measure
from adapters.expressions.values import EvaluationError, describe, text
from adapters.functions.times import instant, rfc3339
from adapters.loading.yaml_source import Place

DEFAULT_TTL = 30 * 86400  # seconds
LARGEST_FACT = 8 * 1024  # bytes of JSON, roughly


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """What an event tells about `key`; it holds since `at` (RFC 3339) and is kept for `ttl` seconds."""

    set: str
    key: str
    value: Any
    at: str
    ttl: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalled:
    """A fact that an event would like to know: as it held `at` that time, or the newest one (None).

    While it is missing the event may wait for `defer` seconds after its receipt.
    """

    set: str
    key: str
    at: str | None
    defer: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Remember:
    """One entry of `remember:`."""

    set: str
    when: Closure | None
    key: Closure
    value: Closure
    at: Closure | None
    ttl: int
    place: Place
    timezone: str | None

    def fact(self, scope: Scope) -> Fact | None:
        """The fact in this event, if there is one; raises EvaluationError."""
        if self.when is not None and not self.when(scope):
            return None
        key, value = self.key(scope), self.value(scope)
        if key is None or value is None:
            return None
        if measure(value, LARGEST_FACT) > LARGEST_FACT:
            raise EvaluationError(f"remember {self.set}: the fact is larger than 8 KiB", code="R204")
        at = _moment(self.at, scope, self.timezone) or scope.received_at or ""
        return Fact(set=self.set, key=text(key), value=value, at=at, ttl=self.ttl)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recall:
    """One entry of `recall:`, read as `remembered.NAME`."""

    name: str
    set: str
    when: Closure | None
    key: Closure
    at: Closure | None
    defer: int
    timezone: str | None

    def wanted(self, scope: Scope) -> Recalled | None:
        """What to look for before this event is mapped; raises EvaluationError."""
        if self.when is not None and not self.when(scope):
            return None
        key = self.key(scope)
        if key is None:
            return None
        return Recalled(
            set=self.set, key=text(key), at=_moment(self.at, scope, self.timezone), defer=self.defer
        )

    def value(self, scope: Scope) -> Any:
        """The fact while an event is mapped; absent when nobody remembered it."""
        if self.when is not None and not self.when(scope):
            return None
        key = self.key(scope)
        assert scope.lookups is not None
        return None if key is None else scope.lookups.fact(self.set, text(key))


def _moment(closure: Closure | None, scope: Scope, timezone: str | None) -> str | None:
    """A time as `timestamp` would have it."""
    found = closure(scope) if closure is not None else None
    if found is None:
        return None
    if not isinstance(found, str):
        hint = "numbers need from_seconds(x) or from_millis(x)"
        raise EvaluationError(f"at: needs text, got {describe(found)}", help=hint)
    return rfc3339(instant(found, timezone))
