"""What the cases of a test file reach in a mapping: rules, branches, table keys, paths of payloads. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from adapters.explain import parts_of_event
from adapters.expressions.environment import Branch
from adapters.expressions.scope import Scope
from adapters.expressions.values import EvaluationError
from adapters.identity import Undecided
from adapters.linting.sample_paths import written
from adapters.mapping import Mapping
from adapters.outcomes import Event, Lookups
from adapters.statements import Maker
from adapters.tracing import PayloadKeys, Spot, Trace, paths_in

Path: TypeAlias = tuple[str, ...]


@dataclass(slots=True)
class Observed:
    """What was reached so far; `keys` are (table, key), `branches` places in the mapping.

    `sent` and `read` are paths of payloads and of what was fetched, gathered where `paths` are wanted.
    """

    rules: set[str] = field(default_factory=set)
    keys: set[tuple[str, str]] = field(default_factory=set)
    branches: set[Spot] = field(default_factory=set)
    events: int = 0
    paths: bool = False
    sent: set[Path] = field(default_factory=set)
    read: set[Path] = field(default_factory=set)

    def watch(self, mapping: Mapping, event: Event, lookups: Lookups) -> None:
        """Map an event once more with a copy of the mapping that records what it does."""
        traced = mapping.traced()
        scope = traced.scope(event, lookups)
        scope.trace = scope.private.trace = trace = Trace()
        outcome = traced.run(scope, Maker(traced.origin, traced.namespace, delivery=None))
        for closure in _beside(traced):
            with suppress(EvaluationError, Undecided):
                closure(scope)
        self.events += 1
        self.keys |= trace.looked_up
        self.branches |= trace.reached
        if self.paths:
            self._watch_paths(traced, scope, trace)
        rule = getattr(outcome, "rule", None)
        if rule:
            self.rules.update(rule.split("+"))

    def _watch_paths(self, mapping: Mapping, scope: Scope, trace: Trace) -> None:
        for one in (scope, scope.private) if scope.private is not scope else (scope,):
            for root in parts_of_event(mapping, one):
                payload = getattr(one, root)
                self.sent.update(_general(root, keys) for keys in paths_in(payload))
                self.read.update(_general(root, keys) for keys in trace.read_in(payload))


def _general(root: str, keys: PayloadKeys) -> Path:
    return (root, *("*" if isinstance(key, int) else key for key in keys))


def _beside(mapping: Mapping) -> Iterator[Callable[[Scope], object]]:
    """What is computed of an event outside its rules."""
    plan = mapping.event_plan
    yield from (closure for closure in (plan.batch, plan.event_id) if closure is not None)
    yield from (entry.key for entry in mapping.directories)
    yield from (recall.wanted for recall in mapping.recalls)
    yield from (one.fact for one in mapping.remembers)
    if mapping.fetch_back is not None:
        yield mapping.fetch_back.wish


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """Of each kind how many there are, and what no case reached, as a sentence with its place."""

    rules: int
    branches: int
    keys: int
    unreached_rules: tuple[str, ...]
    unreached_branches: tuple[Branch, ...]
    unused_keys: tuple[tuple[str, str], ...]
    unread: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The coverage as a JSON object."""
        return {
            "rules": {"all": self.rules, "unreached": list(self.unreached_rules)},
            "branches": {
                "all": self.branches,
                "unreached": [
                    {"what": one.what, "file": one.place.source.name, "line": one.place.line}
                    for one in self.unreached_branches
                ],
            },
            "table_keys": {"all": self.keys, "unused": [list(pair) for pair in self.unused_keys]},
            "unread": list(self.unread),
        }


def coverage(mapping: Mapping, observed: Observed) -> Coverage:
    """Compare what a mapping has with what was reached."""
    branches = {one.place.spot: one for one in mapping.branches}
    keys = [(table, key) for table in sorted(mapping.tables_used) for key in mapping.tables[table]]
    return Coverage(
        rules=len(mapping.rules),
        branches=len(branches),
        keys=len(keys),
        unreached_rules=tuple(rule.name for rule in mapping.rules if rule.name not in observed.rules),
        unreached_branches=tuple(one for spot, one in branches.items() if spot not in observed.branches),
        unused_keys=tuple(pair for pair in keys if pair not in observed.keys),
        unread=tuple(_unread(observed)),
    )


def _unread(observed: Observed) -> Iterator[str]:
    """Paths of payloads that nothing read in any case; of those below each other only the first."""
    for path in sorted(observed.sent - observed.read):
        if len(path) == 2 or path[:-1] in observed.read:
            more = any(other[: len(path)] == path and other != path for other in observed.sent)
            yield written(path[0], path[1:]) + (".*" if more else "")
