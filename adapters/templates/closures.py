"""What templates are compiled to: closures that build values and leave out what is absent. Pure."""

from __future__ import annotations

from typing import Any

from adapters.expressions.environment import Closure, Env
from adapters.expressions.forms import Constant, Entry, Joined, shaped
from adapters.expressions.inline import LONG, map_of, text_at
from adapters.expressions.scope import Scope
from adapters.expressions.values import EvaluationError, describe, sized, text
from adapters.loading.yaml_source import Node, ScalarNode


def elements(items: Closure, scope: Scope, node: Node) -> list[Any]:
    """The elements of a loop's list, paid for; an absent list has none."""
    found = items(scope)
    if found is None:
        return []
    if not isinstance(found, list):
        error = EvaluationError(f"a list is wanted, got {describe(found)}")
        error.place = node.place
        raise error
    if scope.trace is not None:
        scope.trace.iterate(found)
    scope.spend(len(found))
    return found


def empty(scope: Scope) -> dict[str, Any]:
    return {}


def constant(value: Any) -> Closure:
    return shaped(lambda scope: value, Constant(value))


def joined(parts: tuple[str | Closure, ...], node: ScalarNode) -> Closure:
    place = node.place

    def build(scope: Scope) -> str | None:
        values = [part if isinstance(part, str) else part(scope) for part in parts]
        if any(value is None for value in values):
            return None
        found = [value if value.__class__ is str else text_at(value, place) for value in values]
        whole = "".join(found)
        if len(whole) > LONG:
            scope.charge(sized(whole))
        return whole

    return shaped(build, Joined(parts, place))


def mapping_of(
    fixed: list[Entry],
    dynamic: list[tuple[Closure, Closure, ScalarNode]],
    *,
    keep_empty: bool,
) -> Closure:
    build = map_of(tuple(fixed), keep_empty=keep_empty)
    if not dynamic:
        return build

    def build_dynamic(scope: Scope) -> Any:
        made = build(scope) or {}
        for key, value, node in dynamic:
            name, found = key(scope), value(scope)
            if name is None or found is None or (found == {} and not keep_empty):
                continue
            scope.emit_whole(found)
            try:
                made[text(name)] = found
            except EvaluationError as error:
                error.place = error.place or node.place
                raise
        return made or None

    return build_dynamic


def traced_leaf(closure: Closure, node: ScalarNode, env: Env) -> Closure:
    if not env.tracing:
        return closure

    def traced(scope: Scope) -> Any:
        value = closure(scope)
        if scope.trace is not None:
            scope.trace.write(node.text, node.place, value, closure)
        return value

    return traced


def traced_part(key: str, closure: Closure, env: Env) -> Closure:
    if not env.tracing:
        return closure

    def traced(scope: Scope) -> Any:
        if scope.trace is None:
            return closure(scope)
        with scope.trace.within(key):
            return closure(scope)

    return traced


def named(path: str, closure: Closure, env: Env) -> Closure:
    """Let `explain` show what a variable or candidate does under its own name."""
    if not env.tracing:
        return closure

    def traced(scope: Scope) -> Any:
        if scope.trace is None:
            return closure(scope)
        with scope.trace.within(path, absolute=True):
            return closure(scope)

    return traced
