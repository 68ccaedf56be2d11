"""Literals, lists, macros, operators and conditions to closures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from adapters.expressions.environment import Closure, Local, absent
from adapters.expressions.forms import Constant, Equals, shaped
from adapters.expressions.operators import BINARY, MACROS, among, literal_words
from adapters.expressions.paths import payload_path
from adapters.expressions.scope import Scope
from adapters.expressions.syntax import Binary, Conditional, ListOf, Literal, Macro, Unary
from adapters.expressions.values import EvaluationError, condition, describe, equal, number

if TYPE_CHECKING:
    from adapters.expressions.compiler import Compiler


def literal(compiler: Compiler, expression: Literal) -> Closure:
    value = expression.value
    return shaped(lambda scope: value, Constant(value))


def list_of(compiler: Compiler, expression: ListOf) -> Closure:
    if all(isinstance(item, Literal) for item in expression.items):
        constant = [item.value for item in expression.items if isinstance(item, Literal)]
        present = [value for value in constant if value is not None]
        return lambda scope: list(present)
    items = tuple(compiler.compile(item) for item in expression.items)
    return lambda scope: [value for item in items if (value := item(scope)) is not None]


def macro(compiler: Compiler, expression: Macro) -> Closure:
    source, name = compiler.compile(expression.of), expression.name
    if expression.variable in compiler.env.names:
        message = f"{expression.variable!r} already has a meaning; choose another variable name"
        raise compiler.error("E102", message, expression)
    path = payload_path(expression.of, compiler.env)
    slot = compiler.env.slot()
    local = Local(slot, None if path is None else (path[0], (*path[1], "*")))
    inner = compiler.within(compiler.env.with_locals(**{expression.variable: local}))
    body = inner.compile(expression.body)
    run = MACROS[name](body, slot)
    tracing = compiler.env.tracing

    def iterate(scope: Scope) -> Any:
        items = source(scope)
        if items is None:
            return None
        if items.__class__ is not list:
            hint = "entries(x) makes a list of an object" if isinstance(items, dict) else None
            raise EvaluationError(f"{name} needs a list, got {describe(items)}", help=hint)
        scope.spend(len(items))
        if tracing and scope.trace is not None:
            scope.trace.iterate(items)
        return run(scope, items)

    return compiler.guarded(expression, iterate)


def unary(compiler: Compiler, expression: Unary) -> Closure:
    operand = compiler.compile(expression.operand)
    if expression.operator == "not":
        return compiler.guarded(expression, lambda scope: not condition(operand(scope)))

    def negative(scope: Scope) -> Any:
        value = operand(scope)
        return None if value is None else -number(value)

    return compiler.guarded(expression, negative)


def binary(compiler: Compiler, expression: Binary) -> Closure:
    left, right = compiler.compile(expression.left), compiler.compile(expression.right)
    words = literal_words(expression.right)
    if words is not None and expression.operator in ("in", "not in"):
        return compiler.guarded(expression, among(left, words, wanted=expression.operator == "in"))
    if expression.operator == "??":
        right = compiler.branch("fallback", expression.right, right)
        return lambda scope: right(scope) if (value := left(scope)) is None else value
    if expression.operator in ("==", "!="):
        return _comparing(compiler, expression, left, right)
    return compiler.guarded(expression, BINARY[expression.operator](left, right))


def _comparing(compiler: Compiler, expression: Binary, left: Closure, right: Closure) -> Closure:
    wanted = expression.operator == "=="
    constant = expression.right
    if isinstance(constant, Literal) and isinstance(constant.value, str):
        value = constant.value
        form = Equals(left, value, wanted)
        if wanted:
            return shaped(lambda scope: left(scope) == value, form)
        return shaped(lambda scope: left(scope) != value, form)

    def compare(scope: Scope) -> bool:
        one, other = left(scope), right(scope)
        if one.__class__ in (list, dict) and one.__class__ is other.__class__:
            scope.charge_whole(one)
        return equal(one, other) is wanted

    return compiler.guarded(expression, compare)


def conditional(compiler: Compiler, expression: Conditional) -> Closure:
    test, then = compiler.compile(expression.test), compiler.compile(expression.then)
    otherwise = compiler.compile(expression.otherwise) if expression.otherwise is not None else absent
    then = compiler.branch("if", expression.then, then)
    if expression.otherwise is not None:
        otherwise = compiler.branch("else", expression.otherwise, otherwise)
    tested = compiler.guarded(expression.test, lambda scope: condition(test(scope)))
    return lambda scope: then(scope) if tested(scope) else otherwise(scope)
