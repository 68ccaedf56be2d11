"""Calls of functions to closures: arguments are counted, named ones put where they belong."""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import TYPE_CHECKING

from adapters.expressions.calls import arity, calling, named
from adapters.expressions.environment import Closure, Site
from adapters.expressions.lexer import unknown
from adapters.expressions.syntax import Binary, Call, Conditional, Literal, Unary
from adapters.functions.registry import FUNCTIONS, Function
from adapters.linting.findings import suggest
from adapters.loading.yaml_source import Place

if TYPE_CHECKING:
    from adapters.expressions.compiler import Compiler


def call(compiler: Compiler, expression: Call) -> Closure:
    entry = FUNCTIONS.get(expression.name)
    if entry is None or (entry.where == "receive" and not compiler.env.receiving):
        raise compiler.error("E104", _unknown_function(compiler, expression, entry), expression)
    if entry.where == "mapping" and compiler.env.receiving:
        raise compiler.error("E104", f"{entry.name}() is not available under `receive:`", expression)
    if expression.names:
        expression = _ordered(compiler, expression, entry)
    found = len(expression.args)
    if found < entry.least or (entry.most is not None and found > entry.most):
        message = f"{entry.name}() takes {arity(entry)}, got {found}; it is {entry.signature}"
        raise compiler.error("E105", message, expression)
    _warn_precedence(compiler, expression)
    args = tuple(compiler.compile(arg) for arg in expression.args)
    origin = compiler.origin

    def place() -> Place:
        return origin.at(expression)

    if entry.build is None:
        return calling(entry, args, place)
    return named(
        entry.name, entry.build(Site(compiler.env, origin, expression), expression.args, args), place
    )


def _ordered(compiler: Compiler, expression: Call, entry: Function) -> Call:
    """The call with its named arguments where they belong, defaults between them."""
    positional = len(expression.args) - len(expression.names)
    known = [name for name, _ in entry.parameters]
    given = dict(zip(expression.names, expression.args[positional:], strict=True))
    for name, arg in given.items():
        if name not in known:
            message = (
                f"{entry.name}() has no argument {name!r}{suggest(name, known)}; it is {entry.signature}"
            )
            raise compiler.error("E105", message, arg)
        if known.index(name) < positional:
            raise compiler.error("E105", f"{entry.name}() gets {name!r} twice; it is {entry.signature}", arg)
    if len(given) < len(expression.names):
        raise compiler.error("E105", f"{entry.name}() gets an argument twice", expression)
    args = list(expression.args[:positional])
    last = max(map(known.index, given))
    for name, default in entry.parameters[positional : last + 1]:
        if name not in given and default is inspect.Parameter.empty:
            raise compiler.error(
                "E105", f"{entry.name}() needs {name!r}; it is {entry.signature}", expression
            )
        end = expression.end
        args.append(given.get(name) or Literal(start=end, end=end, value=default))
    return replace(expression, args=tuple(args), names=())


def _unknown_function(compiler: Compiler, expression: Call, entry: Function | None) -> str:
    if entry is not None:
        return f"{entry.name}() is available under `receive:` only"
    usable = [name for name, one in FUNCTIONS.items() if one.where != "receive" or compiler.env.receiving]
    return unknown("function", expression.name, usable)


def _warn_precedence(compiler: Compiler, expression: Call) -> None:
    left = expression.args[0] if expression.args else None
    if isinstance(left, (Binary, Unary, Conditional)) and not left.grouped and expression.start > left.end:
        message = f"the pipe takes everything to its left: write ( … ) | {expression.name}"
        compiler.env.report(
            compiler.origin.at(left).lint("W120", message, help="put the operation in parentheses")
        )
