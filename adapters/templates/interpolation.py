"""`${ }` in texts: where expressions start and end, and what can be told from how they are written."""

from __future__ import annotations

from dataclasses import dataclass

from adapters.expressions.compiler import parse_at
from adapters.expressions.environment import CompileError
from adapters.expressions.syntax import Binary, Call, Conditional, Expression, Literal, Unary, constant_path
from adapters.functions.registry import FUNCTIONS
from adapters.loading.yaml_source import Node, ScalarNode

_SCALAR_GROUPS = frozenset({"ids", "numbers", "text", "times"})
_SMALL_RESULTS = frozenset({"score", "language_map", "response", "has", "empty", "bool", "string", "json"})


@dataclass(frozen=True, slots=True)
class Piece:
    """An expression inside a text: what is written between `${` and `}`, and where it starts."""

    written: str
    offset: int


def pieces(node: ScalarNode) -> list[str | Piece]:
    """Split a text into literal parts and expressions; raises `CompileError` for one that does not end."""
    source = node.text
    parts: list[str | Piece] = []
    literal, at = "", 0
    while True:
        start = source.find("${", at)
        if start < 0:
            break
        if start > 0 and source[start - 1] == "$":
            literal += source[at : start - 1] + "${"
            at = start + 2
            continue
        literal += source[at:start]
        end = _closing_brace(source, start + 2)
        if end is None:
            hint = "in YAML ' #' starts a comment: quote the whole text" if "#" not in source else None
            raise CompileError(node.within(start, 2).lint("E107", "${ without its closing }", help=hint))
        if literal:
            parts.append(literal)
            literal = ""
        parts.append(Piece(source[start + 2 : end], start + 2))
        at = end + 1
    literal += source[at:]
    if literal or not parts:
        parts.append(literal)
    return parts


def _closing_brace(source: str, at: int) -> int | None:
    quote = ""
    while at < len(source):
        character = source[at]
        if quote:
            if character == "\\":
                at += 1
            elif character == quote:
                quote = ""
        elif character in "'\"":
            quote = character
        elif character == "}":
            return at
        at += 1
    return None


def may_be_large(node: Node) -> bool:
    """Whether a value is an expression that can come to a list or object of any size."""
    if not isinstance(node, ScalarNode) or not isinstance(node.value, str) or "${" not in node.value:
        return False
    try:
        parts = pieces(node)
        return len(parts) == 1 and isinstance(parts[0], Piece) and _large(parse_piece(node, parts[0]))
    except CompileError:
        return False


def _large(expression: Expression) -> bool:
    if isinstance(expression, Conditional):
        parts = (expression.then, *((expression.otherwise,) if expression.otherwise is not None else ()))
        return any(map(_large, parts))
    if isinstance(expression, Binary):
        return expression.operator in ("??", "+") and (_large(expression.left) or _large(expression.right))
    if isinstance(expression, Call):
        entry = FUNCTIONS.get(expression.name)
        return entry is None or not (entry.group in _SCALAR_GROUPS or entry.name in _SMALL_RESULTS)
    path = constant_path(expression)
    if path is not None and path[0] == "identity":
        return False
    return not isinstance(expression, (Literal, Unary))


def bare(node: ScalarNode) -> Piece:
    """A place that wants an expression takes it bare or as `${ … }`."""
    if "${" in node.text:
        parts = pieces(node)
        if len(parts) == 1 and isinstance(parts[0], Piece):
            return parts[0]
        raise CompileError(node.place.lint("E111", "one expression is wanted here, not text around ${ }"))
    return Piece(node.text, 0)


def parse_piece(node: ScalarNode, piece: Piece) -> Expression:
    return parse_at(piece.written, node, piece.offset)
