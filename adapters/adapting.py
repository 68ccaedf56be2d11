"""An event to its outcome: rules are tried in order, statements made, problems gathered. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from adapters.expressions.scope import Scope
from adapters.expressions.values import EvaluationError
from adapters.identity import Undecided
from adapters.linting.findings import Lint
from adapters.outcomes import Adapted, Failed, Held, Outcome, Skipped, Unmatched
from adapters.rules import Rule
from adapters.statements import Maker, StatementPlan

if TYPE_CHECKING:
    from adapters.mapping import Mapping


def run(mapping: Mapping, scope: Scope, maker: Maker) -> Outcome:
    """The outcome of the event that a scope holds."""
    outcomes: list[Adapted | Skipped] = []
    try:
        for rule in mapping.index.candidates(scope):
            scope.rule = rule.name
            try:
                if not rule.applies(scope):
                    continue
            except EvaluationError as error:
                return mapping.failed(error, rule=rule)
            outcome = _apply(mapping, rule, scope, maker)
            if isinstance(outcome, (Failed, Held)) or not mapping.all_rules:
                return outcome
            assert isinstance(outcome, (Adapted, Skipped))
            outcomes.append(outcome)
        if outcomes:
            return _combined(outcomes)
        return Unmatched(mapping.index.kind(scope))
    except EvaluationError as error:
        return mapping.failed(error)
    except (ArithmeticError, ValueError, RecursionError) as error:
        reason = f"{type(error).__name__}: {str(error)[:200]}"
        lint = mapping.node.place.lint("R199", f"the payload cannot be worked with ({reason})")
        return Failed(problems=(lint,), rule=scope.rule)


def _apply(mapping: Mapping, rule: Rule, scope: Scope, maker: Maker) -> Outcome:
    if not rule.plans:
        return Skipped(rule.name, rule.reason or "ignored by this rule")
    scope.parent = None
    maker.required = rule.required
    scope.provenance = maker.provenance(rule.name)
    made: list[dict[str, Any]] = []
    problems: list[Lint] = []
    for plan in rule.plans:
        try:
            built = plan.build(scope, maker)
        except Undecided as undecided:
            if undecided.action == "hold":
                return Held(
                    rule=rule.name,
                    missing=undecided.candidates,
                    set=undecided.set,
                    hold_for=undecided.hold_for,
                )
            return Skipped(rule.name, f"{undecided.name} is not known to the directory")
        except EvaluationError as error:
            problems.append(_lint(error, plan))
            continue
        made.extend(built)
        if scope.parent is None and made:
            scope.parent = made[0]
    try:
        scope.check_output(made, maker.leaves)
    except EvaluationError as error:
        problems.append(_lint(error, rule.plans[-1]))
        made.clear()
    if problems and not rule.skip_errors:
        return Failed(problems=tuple(problems), rule=rule.name)
    warnings = (*scope.warnings, *problems)
    if not made:
        reason = "; ".join(lint.message for lint in problems) or "none of its statements applies"
        return Skipped(rule.name, reason)
    return Adapted(statements=tuple(made), rule=rule.name, warnings=warnings)


def _lint(error: EvaluationError, plan: StatementPlan) -> Lint:
    place = error.place or plan.node.place
    return place.lint(error.code, error.message, help=error.help)


def _combined(outcomes: list[Adapted | Skipped]) -> Outcome:
    adapted = [one for one in outcomes if isinstance(one, Adapted)]
    if not adapted:
        return outcomes[0]
    return Adapted(
        statements=tuple(statement for one in adapted for statement in one.statements),
        rule="+".join(one.rule for one in adapted),
        warnings=adapted[-1].warnings,
    )
