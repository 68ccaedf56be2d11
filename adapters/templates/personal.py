"""Paths in templates that lead to a person: addresses, names, numbers. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from adapters.expressions.compiler import parse_at
from adapters.expressions.environment import CompileError
from adapters.expressions.syntax import Call, Conditional, Expression, Step, children, constant_path
from adapters.loading.yaml_source import Node, Place, walk
from adapters.templates.interpolation import Piece, pieces

_PERSONAL = re.compile(
    r"(?i)(e_?-?mail(_?address)?|ip(_?address)?|(remote|client)_?(ip|addr(ess)?)|user_?agent|"
    r"(first|last|full|given|family|user|display)_?name|(phone|mobile)(_?number)?|birth_?da(y|te))"
)
_HIDING = frozenset({"hash", "hmac_pseudonym", "sha1_mailto", "has", "empty", "size", "uuid5"})


def is_personal(key: str) -> bool:
    """Whether a key is that of an address, a name or a number that leads to a person."""
    return _PERSONAL.fullmatch(key) is not None


def personal(node: Node) -> Iterator[tuple[str, Place]]:
    """Paths in a template whose last key is that of an address, a name or a number that leads to a person."""
    for scalar in walk(node):
        if not isinstance(scalar.value, str) or "${" not in scalar.value:
            continue
        try:
            for piece in pieces(scalar):
                if isinstance(piece, Piece):
                    for path, term in _paths(parse_at(piece.written, scalar, piece.offset)):
                        if is_personal(str(path[1][-1])):
                            shown = ".".join(map(str, (path[0], *path[1])))
                            place = scalar.within(piece.offset + term.start, term.end - term.start)
                            yield shown, place
        except CompileError:
            continue


def _paths(expression: Expression) -> Iterator[tuple[tuple[str, tuple[str | int, ...]], Expression]]:
    """The paths in an expression whose values may come out of it."""
    path = constant_path(expression)
    if path is not None:
        if isinstance(expression, Step):
            yield path, expression
    elif isinstance(expression, Conditional):
        for branch in (expression.then, expression.otherwise):
            yield from _paths(branch) if branch is not None else ()
    elif not (isinstance(expression, Call) and expression.name in _HIDING):
        for part in children(expression):
            yield from _paths(part)
