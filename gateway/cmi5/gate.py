"""The gate that every statement with an AU's token passes before it is stored (cmi5 9; reference 6.1–6.4).

`RULES` is the whole law, a line for each rule; `examine` applies it to one request, in which every statement
sees the effect of those before it. Nothing of a request is accepted unless all of it is. It looks at cmi5
only: what passes here still has to pass as an xAPI statement. Performs no I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from gateway.cmi5 import gate_defined as defined
from gateway.cmi5 import gate_rules as every
from gateway.cmi5 import vocabulary as words
from gateway.cmi5.gate_view import Fault, Reading, SessionView
from gateway.cmi5.refusals import Refusal
from gateway.errors import Problem
from gateway.xapi.datatypes import parse_timestamp
from gateway.xapi.findings import shown


class Scope(StrEnum):
    EVERY = "every"
    DEFINED = "defined"
    ALLOWED = "allowed"


@dataclass(frozen=True, slots=True)
class Rule:
    """`number` is the row in the reference's tables, `check` yields what is wrong."""

    number: int
    scope: Scope
    check: Callable[[Reading, SessionView], Iterator[Fault]]
    status: int = 403


RULES: Final[tuple[Rule, ...]] = (
    Rule(2, Scope.EVERY, every.has_id),
    Rule(3, Scope.EVERY, every.is_no_voiding),
    Rule(4, Scope.EVERY, every.has_timestamp),
    Rule(5, Scope.EVERY, every.timestamp_is_utc),
    Rule(6, Scope.EVERY, every.actor_is_agent),
    Rule(7, Scope.EVERY, every.actor_is_the_learner),
    Rule(8, Scope.EVERY, every.has_the_registration),
    Rule(9, Scope.EVERY, every.has_the_session_id),
    Rule(10, Scope.EVERY, every.keeps_the_context_template),
    Rule(11, Scope.EVERY, every.initialized_comes_first),
    Rule(11, Scope.EVERY, every.token_was_fetched, status=401),
    Rule(12, Scope.EVERY, every.nothing_follows_terminated),
    Rule(13, Scope.EVERY, every.nothing_follows_abandoned),
    Rule(14, Scope.DEFINED, defined.verb_is_an_au_verb),
    Rule(15, Scope.DEFINED, defined.object_is_the_au),
    Rule(16, Scope.DEFINED, defined.preferences_come_before_initialized),
    Rule(17, Scope.DEFINED, defined.verb_is_new_in_the_session),
    Rule(18, Scope.DEFINED, defined.passed_or_failed_but_not_both),
    Rule(19, Scope.DEFINED, defined.completed_once_per_registration),
    Rule(19, Scope.DEFINED, defined.passed_once_per_registration),
    Rule(20, Scope.DEFINED, defined.failed_never_follows_passed),
    Rule(21, Scope.DEFINED, defined.mode_lets_it_count),
    Rule(22, Scope.DEFINED, defined.success_fits_the_verb),
    Rule(23, Scope.DEFINED, defined.completion_fits_the_verb),
    Rule(24, Scope.DEFINED, defined.has_duration),
    Rule(25, Scope.DEFINED, defined.score_is_for_passed_and_failed),
    Rule(26, Scope.DEFINED, defined.raw_comes_with_its_range),
    Rule(27, Scope.DEFINED, defined.scaled_is_no_less_than_nothing),
    Rule(28, Scope.DEFINED, defined.scaled_agrees_with_mastery),
    Rule(29, Scope.DEFINED, defined.mastery_score_is_repeated),
    Rule(30, Scope.DEFINED, defined.move_on_category_fits_the_result),
    Rule(30, Scope.ALLOWED, every.allowed_has_no_move_on_category),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A defined statement that was accepted: where in the request, which verb, and its scaled score."""

    index: int
    statement_id: str
    verb: str
    scaled: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """What an accepted request does: the session after it, and its defined statements in order.

    `disorder` are statements whose timestamps contradict the order in which they came; they are accepted, and
    worth a look in reports.
    """

    view: SessionView
    steps: tuple[Step, ...]
    disorder: tuple[Problem, ...] = ()

    @property
    def verbs(self) -> frozenset[str]:
        """Verbs (IRIs) of the defined statements in this request."""
        return frozenset(step.verb for step in self.steps)

    @property
    def moves_on(self) -> bool:
        """Can this request have satisfied something (completed or passed)?"""
        return bool(self.verbs & {words.COMPLETED, words.PASSED})


@dataclass(frozen=True, slots=True)
class Refused:
    """Every fault of every statement of a request, in the order of the statements."""

    refusals: tuple[Refusal, ...]

    @property
    def status(self) -> int:
        """400 when something is no statement at all, 401 for a dead token, else 403."""
        return min(refusal.status for refusal in self.refusals)


def examine(
    statements: Sequence[object], view: SessionView, *, rules: Sequence[Rule] = RULES
) -> Effects | Refused:
    """Judge the statements of one request, which may be a single one; paths start with `[index]` if not.

    They are taken in the order of their timestamps, those of the same time as they came.
    """
    refusals: list[tuple[int, Refusal]] = []
    disorder: list[Problem] = []
    steps: list[Step] = []
    for index in _in_order(statements):
        prefix = f"[{index}]" if len(statements) > 1 else ""
        statement = statements[index]
        if (shape := list(_shape(statement))) or not isinstance(statement, dict):
            refusals += [(index, _refusal(fault, prefix, 400, requirement="xAPI")) for fault in shape]
            continue
        reading = Reading(statement)
        found = _faults(reading, view, rules)
        refusals += [(index, _refusal(fault, prefix, rule.status)) for rule, fault in found]
        timestamp = _micros(statement)
        disorder += _disorder(reading, view, timestamp, prefix)
        view = view.after(reading, timestamp)
        if reading.defined:
            identifier = str(statement.get("id"))
            steps.append(Step(index=index, statement_id=identifier, verb=reading.verb, scaled=reading.scaled))
    if refusals:
        refusals.sort(key=lambda each: each[0])
        return Refused(tuple(refusal for _, refusal in refusals))
    return Effects(view=view, steps=tuple(steps), disorder=tuple(disorder))


def _faults(reading: Reading, view: SessionView, rules: Sequence[Rule]) -> Iterator[tuple[Rule, Fault]]:
    kind = Scope.DEFINED if reading.defined else Scope.ALLOWED
    for rule in rules:
        if rule.scope in (Scope.EVERY, kind):
            for fault in rule.check(reading, view):
                yield rule, fault


def _shape(statement: object) -> Iterator[Fault]:
    """Rule 1: without these a statement cannot be talked about."""
    if not isinstance(statement, dict):
        yield "", "", f"holds {shown(statement)}; expected a statement, which is an object"
        return
    for key in ("actor", "verb", "object"):
        if not isinstance(statement.get(key), dict):
            yield "", key, f"holds {shown(statement.get(key))}; expected an object"
    verb = statement.get("verb")
    if isinstance(verb, dict) and not isinstance(verb.get("id"), str):
        yield "", "verb.id", f"holds {shown(verb.get('id'))}; expected an IRI"


def _refusal(fault: Fault, prefix: str, status: int, *, requirement: str = "") -> Refusal:
    rule, path, message = fault
    return Refusal(
        status=status,
        requirement=requirement or f"cmi5 {rule}",
        path=f"{prefix}.{path}" if prefix and path else prefix or path,
        message=message,
    )


def _in_order(statements: Sequence[object]) -> list[int]:
    times = [_micros(statement) for statement in statements]
    order = list(range(len(statements)))
    if None in times:
        return order  # One of them is refused anyhow.
    return sorted(order, key=lambda index: times[index] or 0)


def _micros(statement: Any) -> int | None:
    timestamp = statement.get("timestamp") if isinstance(statement, dict) else None
    if not isinstance(timestamp, str):
        return None
    try:
        return parse_timestamp(timestamp)
    except ValueError:
        return None


def _disorder(reading: Reading, view: SessionView, timestamp: int | None, prefix: str) -> Iterator[Problem]:
    if timestamp is None:
        return
    path = f"{prefix}.timestamp" if prefix else "timestamp"
    if view.initialized_at is not None and timestamp < view.initialized_at:
        yield Problem(path, "cmi5 9.3.0.0-4", "is earlier than that of the initialized statement")
    is_last = reading.defined and reading.verb == words.TERMINATED
    if is_last and view.latest_at is not None and timestamp < view.latest_at:
        yield Problem(path, "cmi5 9.3.0.0-5", "is earlier than that of a statement before terminated")
