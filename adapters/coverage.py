"""What the cases of a test file reach in a mapping: rules, branches, table keys, payload paths. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from adapters.expressions.environment import Branch
from adapters.expressions.scope import Scope
from adapters.expressions.values import EvaluationError
from adapters.identity import Undecided
from adapters.mapping import Mapping
from adapters.outcomes import Event, Lookups
from adapters.statements import Maker
from adapters.tracing import Spot, Trace


@dataclass(slots=True)
class Observed:
    """What was reached so far; `keys` are (table, key), `branches` and `fields` are places in the mapping."""

    rules: set[str] = field(default_factory=set)
    keys: set[tuple[str, str]] = field(default_factory=set)
    branches: set[Spot] = field(default_factory=set)
    events: int = 0

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
        rule = getattr(outcome, "rule", None)
        if rule:
            self.rules.update(rule.split("+"))


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
    )
