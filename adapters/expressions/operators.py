"""Operators and list macros as closures over closures; `None` is absent throughout."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, TypeAlias

from adapters.expressions.environment import Closure
from adapters.expressions.scope import Scope
from adapters.expressions.syntax import Expression, ListOf, Literal
from adapters.expressions.values import (
    EvaluationError,
    bounded,
    condition,
    describe,
    member,
    number,
    ordered,
    sized,
)

_ORDER: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

_Iteration: TypeAlias = Callable[[Scope, list[Any]], Any]


def _map(body: Closure, slot: int) -> _Iteration:
    def run(scope: Scope, items: list[Any]) -> list[Any]:
        found = []
        for item in items:
            scope.locals[slot] = item
            value = body(scope)
            if value is not None:
                found.append(value)
        return found

    return run


def _tested(scope: Scope, body: Closure, slot: int, item: Any) -> bool:
    scope.locals[slot] = item
    return condition(body(scope))


MACROS: dict[str, Callable[[Closure, int], _Iteration]] = {
    "map": _map,
    "filter": lambda body, slot: lambda scope, items: [i for i in items if _tested(scope, body, slot, i)],
    "first": lambda body, slot: (
        lambda scope, items: next((i for i in items if _tested(scope, body, slot, i)), None)
    ),
    "exists": lambda body, slot: lambda scope, items: any(_tested(scope, body, slot, i) for i in items),
    "all": lambda body, slot: lambda scope, items: all(_tested(scope, body, slot, i) for i in items),
}


def _arithmetic(compute: Callable[[Any, Any], Any]) -> Callable[[Closure, Closure], Closure]:
    def build(left: Closure, right: Closure) -> Closure:
        def run(scope: Scope) -> Any:
            one, other = left(scope), right(scope)
            if one is None or other is None:
                return None
            try:
                return bounded(compute(number(one), number(other)))
            except ZeroDivisionError:
                return None
            except OverflowError:
                raise EvaluationError("the result is not a finite number") from None

        return run

    return build


def _divide(one: Any, other: Any) -> Any:
    quotient = one / other
    whole = one.__class__ is int and other.__class__ is int and one % other == 0
    return one // other if whole else quotient


def _adding(left: Closure, right: Closure) -> Closure:
    numbers = _arithmetic(operator.add)

    def run(scope: Scope) -> Any:
        one, other = left(scope), right(scope)
        if one is None or other is None:
            return None
        if one.__class__ is str and other.__class__ is str:
            joined = sized(one + other)
            scope.charge(joined)
            return joined
        if one.__class__ is list and other.__class__ is list:
            scope.spend(len(one) + len(other))
            return one + other
        if one.__class__ is str or other.__class__ is str:
            message = f"cannot add {describe(one)} and {describe(other)}"
            raise EvaluationError(message, help="convert with number(x) or string(x)")
        return numbers(lambda _: one, lambda _: other)(scope)

    return run


def _ordering(name: str) -> Callable[[Closure, Closure], Closure]:
    compare = _ORDER[name]

    def build(left: Closure, right: Closure) -> Closure:
        def run(scope: Scope) -> bool:
            one, other = left(scope), right(scope)
            if one is None or other is None:
                return False
            return bool(ordered(one, other) and compare(one, other))

        return run

    return build


def _membership(wanted: bool) -> Callable[[Closure, Closure], Closure]:
    def build(left: Closure, right: Closure) -> Closure:
        def run(scope: Scope) -> bool:
            container = right(scope)
            scope.charge(container)
            return member(left(scope), container) is wanted

        return run

    return build


def _both(left: Closure, right: Closure) -> Closure:
    return lambda scope: condition(left(scope)) and condition(right(scope))


def _either(left: Closure, right: Closure) -> Closure:
    return lambda scope: condition(left(scope)) or condition(right(scope))


def literal_words(expression: Expression) -> frozenset[str] | None:
    """The texts of a list that is written out and holds nothing else."""
    if not isinstance(expression, ListOf):
        return None
    words = [item.value for item in expression.items if isinstance(item, Literal)]
    texts = [word for word in words if isinstance(word, str)]
    return frozenset(texts) if len(texts) == len(expression.items) else None


def among(left: Closure, words: frozenset[str], *, wanted: bool) -> Closure:
    """`left in ['a', 'b']`: the commonest membership, without going through the list."""

    def run(scope: Scope) -> bool:
        value = left(scope)
        return (value.__class__ is str and value in words) is wanted

    return run


BINARY: dict[str, Callable[[Closure, Closure], Closure]] = {
    "and": _both,
    "or": _either,
    "+": _adding,
    "-": _arithmetic(operator.sub),
    "*": _arithmetic(operator.mul),
    "/": _arithmetic(_divide),
    "%": _arithmetic(operator.mod),
    "in": _membership(True),
    "not in": _membership(False),
    **{name: _ordering(name) for name in _ORDER},
}


def steps(base: Closure, names: tuple[str, ...]) -> Closure:
    """The commonest expression: constant keys below a value."""
    if len(names) == 1:
        name = names[0]

        def one(scope: Scope) -> Any:
            value = base(scope)
            return value.get(name) if value.__class__ is dict else None

        return one

    def run(scope: Scope) -> Any:
        value = base(scope)
        for name in names:
            if value.__class__ is not dict:
                return None
            value = value.get(name)
        return value

    return run
