"""Calling a function of the language: absent arguments, paying for long ones, and the place of errors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from adapters.expressions.environment import Closure
from adapters.expressions.forms import Applied, Direct, Gives, Looked, form_of, shaped
from adapters.expressions.scope import Scope
from adapters.expressions.values import EvaluationError
from adapters.functions.registry import Function
from adapters.loading.yaml_source import Place

_LARGE = (str, list, dict)
_SMALL = 64


def arity(entry: Function) -> str:
    """How many arguments a function takes, in words."""
    if entry.most is None:
        return f"at least {entry.least} argument{'s' if entry.least != 1 else ''}"
    if entry.least == entry.most:
        return f"{entry.least} argument{'s' if entry.least != 1 else ''}"
    return f"{entry.least} to {entry.most} arguments"


def calling(entry: Function, args: tuple[Closure, ...], place: Callable[[], Place]) -> Closure:
    """A closure that evaluates the arguments and calls; errors and warnings carry the function's name."""
    apply, seen = _applying(entry, place), entry.absent == "seen"
    form = Applied(apply, args, seen, _gives(entry), _direct(entry, place))
    if len(args) == 1:
        arg = args[0]

        def run_one(scope: Scope) -> Any:
            value = arg(scope)
            return apply(scope, value) if value is not None or seen else None

        return shaped(run_one, form)

    def run(scope: Scope) -> Any:
        values = [arg(scope) for arg in args]
        if not seen and any(value is None for value in values):
            return None
        return apply(scope, *values)

    return shaped(run, form)


def _gives(entry: Function) -> Gives:
    """What the annotation of a function says about its results."""
    if entry.name == "score":
        return "small map"
    kinds = {kind.strip() for kind in entry.returns.split("|")} - {"None"}
    if kinds == {"str"}:
        return "text"
    return "short" if kinds and kinds <= {"bool", "int", "float"} else "anything"


def _direct(entry: Function, place: Callable[[], Place]) -> Direct | None:
    """How a function whose work does not grow with its arguments can be called without a wrapper."""
    if not (entry.scoped or entry.group in ("numbers", "times")) or entry.name in ("min", "max"):
        return None
    name = entry.name

    def locate(error: EvaluationError) -> EvaluationError:
        return located(error, name, place)

    warn = (lambda scope: scope.place_pending(place(), name)) if entry.scoped else None
    return Direct(entry.call, entry.scoped, locate, warn)


def located(error: EvaluationError, name: str, place: Callable[[], Place]) -> EvaluationError:
    """The error with the place and name of the innermost call it left."""
    if error.place is None:
        error.place = place()
        error.message = f"{name}: {error.message}"
    return error


def _applying(entry: Function, place: Callable[[], Place]) -> Callable[..., Any]:
    """The function for arguments that are evaluated already and, unless it looks at absence, present."""
    call, name = entry.call, entry.name

    def apply(scope: Scope, *values: Any) -> Any:
        try:
            for value in values:
                if isinstance(value, _LARGE) and len(value) > _SMALL:
                    scope.charge(value)
            result = call(*values)
            if isinstance(result, _LARGE) and len(result) > _SMALL:
                scope.charge(result)
        except EvaluationError as error:
            raise located(error, name, place) from None
        return result

    def apply_scoped(scope: Scope, *values: Any) -> Any:
        try:
            result = call(scope, *values)
        except EvaluationError as error:
            raise located(error, name, place) from None
        if scope.pending:
            scope.place_pending(place(), name)
        return result

    return apply_scoped if entry.scoped else apply


def named(name: str, run: Closure, place: Callable[[], Place]) -> Closure:
    """A function prepared at load time, whose errors carry its name and place."""

    def guard(scope: Scope) -> Any:
        try:
            return run(scope)
        except EvaluationError as error:
            raise located(error, name, place) from None

    form = form_of(run)
    if not isinstance(form, (Applied, Looked)):
        return guard
    apply = form.apply

    def guarded(scope: Scope, *args: Any) -> Any:
        try:
            return apply(scope, *args)
        except EvaluationError as error:
            raise located(error, name, place) from None

    if isinstance(form, Looked):
        return shaped(guard, replace(form, apply=guarded))

    def locate(error: EvaluationError) -> EvaluationError:
        return located(error, name, place)

    direct = Direct(apply, scoped=True, locate=locate)
    return shaped(guard, Applied(guarded, form.args, form.seen, form.gives, direct))
