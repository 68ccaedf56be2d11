"""Rules: which event they are for, found by index, and the statements they make of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import re2

from adapters.expressions.environment import Closure
from adapters.expressions.scope import Scope
from adapters.expressions.values import equal, text
from adapters.loading.yaml_source import MapNode, Place
from adapters.statements import StatementPlan

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False


@dataclass(frozen=True, slots=True)
class Match:
    """One line of `match:`: a path and what its value may be. Text with `*` or `?` is a glob."""

    path: str
    value: Closure
    exact: tuple[Any, ...]
    globs: tuple[tuple[str, Any], ...]
    place: Place

    def holds(self, scope: Scope) -> bool:
        found = self.value(scope)
        if found.__class__ is str:
            return found in self.exact or any(glob.fullmatch(found) for _, glob in self.globs)
        return any(equal(found, wanted) for wanted in self.exact)

    @property
    def shown(self) -> str:
        wanted = [*(self.exact), *(written for written, _ in self.globs)]
        written = ["null" if one is None else text(one) for one in wanted]
        return f"{self.path}: {written[0] if len(written) == 1 else '[' + ', '.join(written) + ']'}"


def glob(written: str) -> Any:
    """Compile `*` (any text) and `?` (any one character) to RE2."""
    parts = {"*": ".*", "?": "."}
    pattern = "".join(parts.get(character) or re2.escape(character) for character in written)
    return re2.compile(f"(?s){pattern}", _OPTIONS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One compiled rule. Without plans it ignores the event, for a `reason`."""

    name: str
    node: MapNode
    matches: tuple[Match, ...]
    when: Callable[[Scope], bool] | None
    when_text: str | None
    reason: str | None
    plans: tuple[StatementPlan, ...]
    required: tuple[str, ...]
    skip_errors: bool

    def applies(self, scope: Scope) -> bool:
        """Whether the rule is for this event; an error in `when` is the caller's to report."""
        for match in self.matches:
            if not match.holds(scope):
                return False
        return self.when is None or self.when(scope)


class RuleIndex:
    """Finds the rules that may apply from one payload value, so that their number does not matter."""

    __slots__ = ("by_value", "otherwise", "path", "rules", "value")

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        self.rules = rules
        self.path, self.value = _most_selective(rules)
        self.by_value: Mapping[str, tuple[Rule, ...]] = {}
        self.otherwise = rules
        if self.path is not None:
            values = {
                wanted
                for rule in rules
                for match in rule.matches
                if match.path == self.path
                for wanted in match.exact
                if isinstance(wanted, str)
            }
            self.by_value = {
                value: tuple(rule for rule in rules if self._may(rule, value)) for value in values
            }
            self.otherwise = tuple(rule for rule in rules if self._may(rule, None))

    def _may(self, rule: Rule, value: str | None) -> bool:
        """Whether a rule may apply to an indexed value, or (None) to a text that no rule names."""
        for match in rule.matches:
            if match.path == self.path:
                named = value in match.exact if value is not None else False
                return named or any(value is None or one.fullmatch(value) for _, one in match.globs)
        return True

    def candidates(self, scope: Scope) -> tuple[Rule, ...]:
        """The rules that may apply, in the order of the file."""
        if self.value is None:
            return self.rules
        found = self.value(scope)
        if found.__class__ is not str:
            return self.rules
        return self.by_value.get(found, self.otherwise)

    def kind(self, scope: Scope) -> str:
        """The value that rules are told apart by, for counting events that no rule is for."""
        found = self.value(scope) if self.value is not None else None
        if found is None or isinstance(found, (list, dict)):
            return ""
        return text(found)[:200]


def _most_selective(rules: tuple[Rule, ...]) -> tuple[str | None, Closure | None]:
    uses: dict[str, list[Match]] = {}
    for rule in rules:
        for match in rule.matches:
            uses.setdefault(match.path, []).append(match)
    if not uses:
        return None, None

    def distinct(path: str) -> tuple[int, int]:
        return len(uses[path]), len({value for match in uses[path] for value in map(repr, match.exact)})

    best = max(uses, key=distinct)
    return best, uses[best][0].value
