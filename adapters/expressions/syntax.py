"""The syntax tree of an expression. `start` and `end` are offsets into the expression's text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """Any part of an expression; `grouped` tells whether it was written in parentheses."""

    start: int
    end: int
    grouped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Literal(Term):
    value: str | int | float | bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOf(Term):
    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Name(Term):
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Step(Term):
    """`of.key` or `of[key]`."""

    of: Expression
    key: Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Term):
    """`name(args)`, also written `first | name(rest)`; `names` belong to the last arguments."""

    name: str
    args: tuple[Expression, ...]
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Macro(Term):
    """`of.map(variable, body)` and its kin: the body is evaluated once for each element."""

    name: str
    of: Expression
    variable: str
    body: Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class Unary(Term):
    operator: str
    operand: Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class Binary(Term):
    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditional(Term):
    """`then if test else otherwise`; `otherwise` is None when it was not written."""

    test: Expression
    then: Expression
    otherwise: Expression | None


Expression: TypeAlias = Literal | ListOf | Name | Step | Call | Macro | Unary | Binary | Conditional


def children(expression: Expression) -> Iterator[Expression]:
    """The direct parts of an expression, in order."""
    for field in fields(expression):
        value = getattr(expression, field.name)
        if isinstance(value, Term):
            yield value  # type: ignore[misc]
        elif isinstance(value, tuple):
            yield from (part for part in value if isinstance(part, Term))  # type: ignore[misc]


def terms(expression: Expression) -> Iterator[Expression]:
    """An expression and all its parts, at any depth."""
    yield expression
    for child in children(expression):
        yield from terms(child)


def constant_path(expression: Expression) -> tuple[str, tuple[str | int, ...]] | None:
    """`body.a[0]['b']` as ("body", ("a", 0, "b")); None for anything that is not a path of constants."""
    keys: list[str | int] = []
    while isinstance(expression, Step):
        key = expression.key
        if (
            not isinstance(key, Literal)
            or isinstance(key.value, bool)
            or not isinstance(key.value, (str, int))
        ):
            return None
        keys.append(key.value)
        expression = expression.of
    if not isinstance(expression, Name):
        return None
    return expression.name, tuple(reversed(keys))
