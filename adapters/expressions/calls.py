"""Calling a function of the language: absent arguments, and paying for long ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from adapters.expressions.environment import Closure
from adapters.expressions.scope import Scope
from adapters.functions.registry import Function


def arity(entry: Function) -> str:
    if entry.most is None:
        return f"at least {entry.least} argument{'s' if entry.least != 1 else ''}"
    if entry.least == entry.most:
        return f"{entry.least} argument{'s' if entry.least != 1 else ''}"
    return f"{entry.least} to {entry.most} arguments"


_LARGE = (str, list, dict)


def calling(entry: Function, args: tuple[Closure, ...]) -> Closure:
    call, seen, scoped = entry.call, entry.absent == "seen", entry.scoped
    if len(args) == 1 and not scoped:
        return _calling_one(call, args[0], seen=seen)

    def run(scope: Scope) -> Any:
        values = []
        for arg in args:
            value = arg(scope)
            if value is None and not seen:
                return None
            if isinstance(value, _LARGE) and len(value) > 16:
                scope.charge(value)
            values.append(value)
        result = call(scope, *values) if scoped else call(*values)
        if isinstance(result, _LARGE) and len(result) > 16:
            scope.charge(result)
        return result

    return run


def _calling_one(call: Callable[[Any], Any], arg: Closure, *, seen: bool) -> Closure:
    def run(scope: Scope) -> Any:
        value = arg(scope)
        if value is None and not seen:
            return None
        if isinstance(value, _LARGE) and len(value) > 16:
            scope.charge(value)
        result = call(value)
        if isinstance(result, _LARGE) and len(result) > 16:
            scope.charge(result)
        return result

    return run
