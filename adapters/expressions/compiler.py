"""Syntax tree to closures. What can be known at load time is decided here: names, functions, patterns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from adapters.expressions import call_terms, name_terms, operator_terms
from adapters.expressions.environment import Closure, CompileError, Env, Origin
from adapters.expressions.lexer import ExpressionSyntaxError
from adapters.expressions.parser import parse
from adapters.expressions.scope import Scope
from adapters.expressions.syntax import (
    Binary,
    Call,
    Conditional,
    Expression,
    ListOf,
    Literal,
    Macro,
    Name,
    Step,
    Unary,
)
from adapters.expressions.values import EvaluationError
from adapters.loading.yaml_source import ScalarNode


def compile_expression(written: str, node: ScalarNode, offset: int, env: Env) -> Closure:
    """Compile one expression found at an offset of a scalar; raises `CompileError` with its finding."""
    return compile_parsed(parse_at(written, node, offset), Origin(node, offset), env)


def parse_at(written: str, node: ScalarNode, offset: int) -> Expression:
    """Parse one expression; raises `CompileError` at the place in the file."""
    try:
        return parse(written)
    except ExpressionSyntaxError as error:
        place = node.within(min(offset + error.offset, max(len(node.text) - 1, 0)), max(error.length, 1))
        raise CompileError(place.lint(error.code, error.message, help=error.help)) from None


def compile_parsed(expression: Expression, origin: Origin, env: Env) -> Closure:
    """Compile a syntax tree whose text starts at `origin`."""
    return Compiler(origin, env).compile(expression)


class Compiler:
    """Compiles the terms of one expression; every kind of term has its function."""

    def __init__(self, origin: Origin, env: Env) -> None:
        self.origin = origin
        self.env = env

    def compile(self, expression: Expression) -> Closure:
        return _COMPILE[expression.__class__](self, expression)

    def within(self, env: Env) -> Compiler:
        """A compiler for what is written at the same place and sees another environment."""
        return Compiler(self.origin, env)

    def error(self, code: str, message: str, term: Expression, *, help: str | None = None) -> CompileError:
        return CompileError(self.origin.at(term).lint(code, message, help=help))

    def branch(self, what: str, expression: Expression, closure: Closure) -> Closure:
        return self.env.branch(what, self.origin.at(expression), closure)

    def guarded(self, expression: Expression, run: Closure) -> Closure:
        """Give errors that leave `run` the place of the expression they come from."""
        origin = self.origin

        def guard(scope: Scope) -> Any:
            try:
                return run(scope)
            except EvaluationError as error:
                if error.place is None:
                    error.place = origin.at(expression)
                raise

        return guard


_COMPILE: dict[type, Callable[[Compiler, Any], Closure]] = {
    Literal: operator_terms.literal,
    ListOf: operator_terms.list_of,
    Name: name_terms.name,
    Step: name_terms.step,
    Call: call_terms.call,
    Macro: operator_terms.macro,
    Unary: operator_terms.unary,
    Binary: operator_terms.binary,
    Conditional: operator_terms.conditional,
}
