"""Names and paths to closures: the payload, variables, and what is resolved beforehand."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

from adapters.expressions.environment import Closure, Read, absent
from adapters.expressions.forms import Body, Kept, LocalValue, Steps, gives, shaped
from adapters.expressions.lexer import unknown
from adapters.expressions.operators import steps
from adapters.expressions.paths import MEMBERS, payload_path
from adapters.expressions.scope import Scope
from adapters.expressions.syntax import Expression, Name, Step, constant_path
from adapters.expressions.values import step as inner
from adapters.functions.registry import FUNCTIONS

if TYPE_CHECKING:
    from adapters.expressions.compiler import Compiler


def name(compiler: Compiler, expression: Name) -> Closure:
    name, env = expression.name, compiler.env
    if name in env.locals:
        slot = env.locals[name].slot
        return shaped(lambda scope: scope.locals.get(slot), LocalValue(slot))
    if name in MEMBERS and name in env.names:
        raise compiler.error("E105", f"{name} needs a name after it, such as {name}.example", expression)
    if name not in env.names:
        if name in FUNCTIONS:
            raise compiler.error("E102", f"{name} is a function; write {name}(x) or x | {name}", expression)
        known = sorted({*env.names, *env.locals})
        raise compiler.error("E102", _unknown_name(compiler, name, known), expression)
    if name == "body":
        return shaped(lambda scope: scope.body, Body())
    return operator.attrgetter(name)


def _unknown_name(compiler: Compiler, name: str, known: list[str]) -> str:
    if name == "item" and not compiler.env.receiving:
        return "`item` needs `receive.batch`, which splits a delivery into items"
    if name == "fetched" and not compiler.env.receiving:
        return "`fetched` needs `fetch_back:`, which says what is fetched for an event"
    if name == "parent":
        return "`parent` is the first statement of a rule: only later statements of that rule can use it"
    if name in compiler.env.variables:
        return f"unknown name {name!r}; did you mean 'vars.{name}'?"
    return unknown("name", name, known)


def step(compiler: Compiler, expression: Step) -> Closure:
    path = constant_path(expression)
    if path is not None and path[0] not in compiler.env.locals and path[0] in MEMBERS:
        return _member_path(compiler, expression)
    _record(compiler, expression)
    keys: list[Expression] = []
    of: Expression = expression
    while isinstance(of, Step):
        keys.append(of.key)
        of = of.of
    base = compiler.compile(of)
    keys.reverse()
    if path is None:
        return compiler.guarded(expression, _dynamic_steps(compiler, base, keys))
    constants = list(path[1])
    if path[0] == "headers" and path[0] not in compiler.env.locals and isinstance(constants[0], str):
        constants[0] = constants[0].lower()
    return _constant_steps(compiler, base, constants)


def _constant_steps(compiler: Compiler, base: Closure, keys: list[str | int]) -> Closure:
    if compiler.env.tracing:
        return _traced_steps(compiler, base, keys)
    if all(isinstance(key, str) for key in keys):
        return shaped(steps(base, tuple(map(str, keys))), Steps(base, tuple(map(str, keys))))

    def by_key(scope: Scope) -> Any:
        value = base(scope)
        for key in keys:
            value = inner(value, key)
        return value

    return by_key


def _dynamic_steps(compiler: Compiler, base: Closure, keys: list[Expression]) -> Closure:
    compiled = [compiler.compile(key) for key in keys]
    tracing = compiler.env.tracing

    def run(scope: Scope) -> Any:
        value = base(scope)
        for key in compiled:
            found = key(scope)
            if tracing and scope.trace is not None:
                scope.trace.step(value, found)
            value = inner(value, found)
        return value

    return run


def _traced_steps(compiler: Compiler, base: Closure, keys: list[str | int]) -> Closure:
    def run(scope: Scope) -> Any:
        value = base(scope)
        for key in keys:
            if scope.trace is not None:
                scope.trace.step(value, key)
            value = inner(value, key)
        return value

    return run


def _record(compiler: Compiler, expression: Expression) -> None:
    path = payload_path(expression, compiler.env)
    if path is not None:
        compiler.env.collected.reads.append(Read(path[0], path[1], compiler.origin.at(expression)))


def _member_path(compiler: Compiler, expression: Step) -> Closure:
    """`vars.x…`, `identity.x…`, `directory.x…`, `remembered.x…`: the member is decided now, the rest is a
    path.
    """
    root, keys = constant_path(expression) or ("", ())
    name, rest = str(keys[0]), list(keys[1:])
    if root not in compiler.env.names:
        raise compiler.error("E102", f"{root} is not available here", expression)
    _record(compiler, expression)
    if root == "vars":
        base = _variable(compiler, name, expression)
    elif root == "identity":
        if name not in compiler.env.identities:
            raise compiler.error(
                "E102", unknown("identity", name, sorted(compiler.env.identities)), expression
            )
        base = compiler.env.identities[name]
    elif root == "remembered":
        if name not in compiler.env.recalls:
            raise compiler.error(
                "E102",
                unknown("remembered", name, sorted(compiler.env.recalls)),
                expression,
                help="facts are declared under `recall:`",
            )
        base = compiler.env.recalls[name]
    elif name in compiler.env.directories:
        base = compiler.env.directories[name]
    else:
        message = f"directory.{name} is not declared under `directory:`, so it is always absent"
        compiler.env.report(compiler.origin.at(expression).lint("W130", message))
        base = absent
    return base if not rest else _constant_steps(compiler, base, rest)


def _variable(compiler: Compiler, name: str, expression: Expression) -> Closure:
    if name in compiler.env.later:
        needs = ", ".join(sorted(compiler.env.later[name]))
        raise compiler.error(
            "E102",
            f"vars.{name} is not there yet: it uses {needs}",
            expression,
            help="here a variable can be used that is made of the event alone",
        )
    if name not in compiler.env.variables:
        known = sorted(compiler.env.variables)
        hint = None if known else "there is no `let:` before this place"
        raise compiler.error(
            "E102",
            unknown("variable", f"vars.{name}", [f"vars.{k}" for k in known]),
            expression,
            help=hint,
        )
    variable = compiler.env.variables[name]
    slot, build = variable.slot, variable.build

    def run(scope: Scope) -> Any:
        kept = scope.kept
        if slot in kept:
            return kept[slot]
        value = kept[slot] = build(scope)
        return value

    return shaped(run, Kept(slot, run, gives(build)))
