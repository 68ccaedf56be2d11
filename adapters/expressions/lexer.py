"""Expression text to tokens."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from adapters.linting.findings import suggest

Kind = Literal["number", "text", "name", "operator", "end"]

_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+)
      | (?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
      | (?P<name>[^\W\d]\w*)
      | (?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
      | (?P<operator>\?\?|==|!=|<=|>=|[<>+\-*/%().,\[\]|=])""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", '"': '"', "/": "/"}
_FOREIGN = {
    "&": "write `and`",
    "!": "write `not`",
    "?": "write `A if C else B`",
    ":": "write `A if C else B`",
    "{": "objects are written as YAML",
    "`": "text is written in quotes",
    "$": "an expression is already inside ${ }",
}


class ExpressionSyntaxError(Exception):
    """Text that is not an expression; `offset` and `length` locate what is wrong in it."""

    def __init__(
        self, code: str, message: str, offset: int, *, length: int = 1, help: str | None = None
    ) -> None:
        super().__init__(message)
        self.code, self.message, self.offset, self.length, self.help = code, message, offset, length, help


@dataclass(frozen=True, slots=True)
class Token:
    kind: Kind
    text: str
    start: int
    value: str | int | float | None = None

    @property
    def end(self) -> int:
        return self.start + len(self.text)


def tokens(text: str) -> list[Token]:
    """All tokens of an expression, closed by one of kind `end`; raises `ExpressionSyntaxError`."""
    found: list[Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _unreadable(text, at)
        kind, written = match.lastgroup, match.group()
        if kind == "name":
            found.append(Token("name", written, at))
        elif kind == "operator":
            found.append(Token("operator", written, at))
        elif kind == "number":
            found.append(Token("number", written, at, _number(written, at)))
        elif kind == "text":
            found.append(Token("text", written, at, _unescape(written[1:-1], at + 1)))
        at = match.end()
    found.append(Token("end", "", len(text)))
    return found


def _number(written: str, at: int) -> int | float:
    if len(written) > 300:
        raise ExpressionSyntaxError("E106", "a number of more than 300 digits", at, length=len(written))
    if written.isdecimal():
        return int(written)
    number = float(written)
    if number == float("inf"):
        raise ExpressionSyntaxError("E101", f"{written} is too large", at, length=len(written))
    return number


def _unescape(written: str, at: int) -> str:
    def replaced(match: re.Match[str]) -> str:
        escape = match.group(1)
        if len(escape) == 5:
            return chr(int(escape[1:], 16))
        if escape not in _ESCAPES:
            message = f"unknown escape \\{escape}; write \\\\ for a backslash"
            raise ExpressionSyntaxError("E101", message, at + match.start(), length=2)
        return _ESCAPES[escape]

    text = _ESCAPE.sub(replaced, written)
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise ExpressionSyntaxError("E101", "\\u escapes of surrogates are not text", at)
    return text


def _unreadable(text: str, at: int) -> ExpressionSyntaxError:
    character = text[at]
    if character in "'\"":
        hint = "text with ' #' must be quoted as a whole in YAML" if "#" not in text else None
        return ExpressionSyntaxError("E101", "text without its closing quote", at, help=hint)
    return ExpressionSyntaxError("E101", f"unexpected {character!r}", at, help=_FOREIGN.get(character))


def unknown(what: str, word: str, known: list[str]) -> str:
    """The sentence for a word that does not exist, with the nearest one that does."""
    return f"unknown {what} {word!r}{suggest(word, known)}"
