"""What the expressions of a text refer to, told before they are compiled."""

from __future__ import annotations

from adapters.expressions.environment import CompileError
from adapters.expressions.syntax import Expression, Name, Step, children, constant_path, terms
from adapters.loading.yaml_source import ScalarNode
from adapters.templates.interpolation import Piece, bare, parse_piece, pieces


def expressions_in(node: ScalarNode) -> list[Expression]:
    """The expressions of a text that parse; others are reported where they are compiled."""
    try:
        parts = pieces(node) if "${" in node.text else [bare(node)]
        return [parse_piece(node, part) for part in parts if isinstance(part, Piece)]
    except CompileError:
        return []


def names_in(node: ScalarNode) -> set[str]:
    """The names a text's expressions use."""
    found = [term for expression in expressions_in(node) for term in terms(expression)]
    return {term.name for term in found if isinstance(term, Name)}


def headers_in(node: ScalarNode) -> set[str]:
    """The headers a text's expressions read, in lower case."""
    found: set[str] = set()
    for expression in expressions_in(node):
        for term in terms(expression):
            path = constant_path(term) if isinstance(term, Step) else None
            if path is not None and path[0] == "headers":
                found.add(str(path[1][0]).lower())
    return found


def body_parts_in(node: ScalarNode) -> tuple[tuple[str | int, ...], ...]:
    """The parts of the body that a text's expressions read, as paths; all of it is the empty path."""
    found: dict[tuple[str | int, ...], None] = {}

    def gather(term: Expression) -> None:
        path = constant_path(term)
        if path is not None and path[0] == "body":
            found[path[1]] = None
        elif path is None:
            for child in children(term):
                gather(child)

    for expression in expressions_in(node):
        gather(expression)
    return tuple(found)
