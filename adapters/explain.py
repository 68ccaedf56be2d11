"""How an event was mapped: which rules were tried and why, where fields came from, what nobody read. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

from adapters.expressions.scope import Scope
from adapters.expressions.values import EvaluationError
from adapters.fetch_back import Wish
from adapters.identity import PEOPLE
from adapters.mapping import Mapping
from adapters.outcomes import Adapted, Event, Failed, Held, Lookups, Outcome, Skipped, Unmatched
from adapters.privacy import MASKED
from adapters.rules import Rule
from adapters.statements import Maker
from adapters.tracing import SealedTrace, Trace, unread


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTried:
    """One rule and why it did or did not apply."""

    rule: str
    applies: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of a template: what is written in the mapping, where, and the value it had."""

    path: str
    expression: str
    file: str
    line: int
    column: int
    value: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Everything about one event. `unread` are paths of the payload, and of what was fetched for it, that no
    expression looked at; `wish` is what its vendor is asked back for.
    """

    event_id: str
    outcome: Outcome
    rules: tuple[RuleTried, ...]
    fields: tuple[Field, ...]
    unread: tuple[str, ...]
    wish: Wish | None = None

    def as_json(self) -> dict[str, Any]:
        """The explanation as a JSON object."""
        kind = type(self.outcome).__name__.lower()
        return {
            "event_id": self.event_id,
            # An unmatched outcome has a kind of its own, the vendor's; `event_kind` here.
            "outcome": {**_renamed(asdict(self.outcome)), "kind": kind},
            "rules": [asdict(one) for one in self.rules],
            "fields": [asdict(one) for one in self.fields],
            "unread": list(self.unread),
            "fetch": None if self.wish is None else asdict(self.wish),
        }


def _renamed(outcome: dict[str, Any]) -> dict[str, Any]:
    return {"event_kind" if name == "kind" else name: value for name, value in outcome.items()}


def explain(
    mapping: Mapping,
    event: Event,
    lookups: Lookups,
    *,
    delivery: str | None = None,
    sealed: bool = False,
) -> Explanation:
    """Map an event with a copy of the mapping that records; the outcome is the same as that of `adapt`.

    With `sealed`, what only identities may see is masked.
    """
    traced = mapping.traced()
    trace = Trace()
    scope = traced.scope(event, lookups)
    scope.trace = trace
    public = traced.scope(event, lookups)
    public.private = public
    if scope.private is not scope:
        scope.private.trace = SealedTrace(trace, public) if sealed else trace
    wish, asking = event.wish, traced.fetch_back
    if asking is not None:
        with suppress(EvaluationError):
            wish = asking.wish(scope) or wish
    outcome = traced.run(scope, Maker(traced.origin, traced.namespace, delivery=delivery))
    # Of items of what was fetched, the id of the notice tells nothing.
    of_items = event.wish is not None and asking is not None and asking.batch is not None
    if traced.event_plan.event_id is not None and not of_items:
        _quietly(traced.event_plan.event_id, scope)
    if event.wish is not None and asking is not None and asking.event_id is not None:
        _quietly(asking.event_id, scope)
    left = tuple(_unread(traced, scope, trace))
    return Explanation(
        event_id=event.event_id,
        outcome=_masked(outcome, traced, public) if sealed and isinstance(outcome, Held) else outcome,
        rules=tuple(_tried(traced, scope, outcome)),
        fields=tuple(
            Field(
                path=one.path,
                expression=one.expression,
                file=one.place.source.name,
                line=one.place.line,
                column=one.place.column,
                value=one.value,
            )
            for one in trace.written
        ),
        unread=left,
        wish=wish,
    )


def _unread(mapping: Mapping, scope: Scope, trace: Trace) -> Iterator[str]:
    private = scope.private
    for root in parts_of_event(mapping, scope):
        seen = getattr(scope, root)
        yield from unread(seen, trace.read_in(seen) | trace.read_in(getattr(private, root)), root)


def _masked(outcome: Held, mapping: Mapping, public: Scope) -> Held:
    """Whom an event waits for, as everybody may see it."""
    seen: set[tuple[str, str]] = set()
    for identity in mapping.identities:
        with suppress(EvaluationError):
            seen.update(identity.candidates(public))
    if outcome.set != PEOPLE:
        return outcome
    missing = tuple((kind, value if (kind, value) in seen else MASKED) for kind, value in outcome.missing)
    return replace(outcome, missing=missing)


def parts_of_event(mapping: Mapping, scope: Scope) -> tuple[str, ...]:
    """The roots of what an event consists of; that the batch has read what holds its items is recorded.

    What is in an item is asked of `item`, so that a body which is the item, or the list of them, is left out.
    """
    batch = mapping.event_plan.batch
    if batch is None:
        return "body", "fetched"
    found = _quietly(batch, scope)
    whole = found is scope.body or (isinstance(found, list) and any(one is scope.body for one in found))
    return ("item", "fetched") if whole else ("body", "item", "fetched")


def _quietly(closure: Any, scope: Any) -> Any:
    try:
        return closure(scope)
    except EvaluationError:
        return None


def _tried(mapping: Mapping, scope: Any, outcome: Outcome) -> list[RuleTried]:
    found: list[RuleTried] = []
    decided = False
    scope.trace = None
    for rule in mapping.rules:
        if decided and not mapping.all_rules:
            found.append(RuleTried(rule=rule.name, applies=False, reason="not tried: the first match wins"))
            continue
        applies, reason = _why(rule, scope)
        decided = decided or applies
        found.append(RuleTried(rule=rule.name, applies=applies, reason=reason))
    return found


def _why(rule: Rule, scope: Any) -> tuple[bool, str]:
    parts: list[str] = []
    try:
        for match in rule.matches:
            if not match.holds(scope):
                return False, f"match {match.shown} ✗, it is {_brief(match.value(scope))}"
            parts.append(f"match {match.shown} ✓")
        if rule.when is not None:
            if not rule.when(scope):
                return False, "; ".join([*parts, f"when {rule.when_text} ✗"])
            parts.append(f"when {rule.when_text} ✓")
    except EvaluationError as error:
        return False, "; ".join([*parts, error.message])
    return True, "; ".join(parts) or "no condition"


def _brief(value: Any) -> str:
    written = "absent" if value is None else repr(value)
    return written if len(written) <= 60 else written[:60] + "…"


def describe(outcome: Outcome) -> str:
    """An outcome in one line."""
    if isinstance(outcome, Adapted):
        count = len(outcome.statements)
        return f"{count} statement{'s' if count != 1 else ''} by rule {outcome.rule}"
    if isinstance(outcome, Skipped):
        by = f" by rule {outcome.rule}" if outcome.rule is not None else ""
        return f"skipped{by}: {outcome.reason}"
    if isinstance(outcome, Unmatched):
        return f"no rule matches{f' {outcome.kind}' if outcome.kind else ''}"
    if isinstance(outcome, Held):
        return f"held by rule {outcome.rule}: waits for {', '.join(':'.join(one) for one in outcome.missing)}"
    assert isinstance(outcome, Failed)
    return "failed: " + "; ".join(lint.message for lint in outcome.problems)
