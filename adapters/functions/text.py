"""Text: case, trimming, search, regular expressions (RE2) and URLs."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, quote, urljoin, urlsplit

import re2

from adapters.expressions.environment import Closure, Site
from adapters.expressions.syntax import Expression, Literal
from adapters.expressions.values import EvaluationError, equal, sized, text
from adapters.functions.registry import builder, function

_TAG = re.compile(r"<[^<>]*>")
# Tags inside of a line: where they stand no word ends.
_INLINE = re.compile(r"(?i)</?(?:a|abbr|b|code|em|font|i|mark|s|small|span|strong|sub|sup|u)(?:\s[^<>]*)?/?>")
_OPTIONS = re2.Options()
_OPTIONS.log_errors = False


@function()
def lower(value: Any) -> str:
    """In lower case."""
    return text(value).lower()


@function()
def upper(value: Any) -> str:
    """In upper case."""
    return text(value).upper()


@function()
def trim(value: Any) -> str:
    """Without white space at both ends."""
    return text(value).strip()


@function()
def replace(value: Any, old: Any, new: Any) -> str:
    """With every `old` replaced by `new`; plain text, no pattern."""
    whole, wanted, put = text(value), text(old), text(new)
    if not wanted:
        raise EvaluationError("cannot replace empty text")
    growth = whole.count(wanted) * (len(put) - len(wanted))
    if len(whole) + growth > 2**20:
        raise EvaluationError("text longer than 1 MiB", code="R201")
    return whole.replace(wanted, put)


@function()
def split(value: Any, separator: Any) -> list[str]:
    """The parts of a text between separators."""
    wanted = text(separator)
    if not wanted:
        raise EvaluationError("cannot split at empty text")
    return text(value).split(wanted)


@function()
def join(items: Any, separator: Any = "") -> str:
    """The elements of a list as one text."""
    if not isinstance(items, list):
        raise EvaluationError("needs a list")
    parts = [text(item) for item in items if item is not None]
    between = text(separator)
    if sum(map(len, parts)) + len(between) * len(parts) > 2**20:
        raise EvaluationError("text longer than 1 MiB", code="R201")
    return between.join(parts)


@function()
def slug(value: Any) -> str | None:
    """Lower-case letters and digits joined by hyphens, accents removed: fit for an IRI."""
    plain = unicodedata.normalize("NFKD", text(value)).encode("ascii", "ignore").decode().lower()
    return "-".join(re.findall(r"[a-z0-9]+", plain)) or None


@function()
def starts_with(value: Any, start: Any) -> bool:
    """Whether a text starts with another."""
    return text(value).startswith(text(start))


@function()
def ends_with(value: Any, end: Any) -> bool:
    """Whether a text ends with another."""
    return text(value).endswith(text(end))


@function()
def contains(value: Any, part: Any) -> bool:
    """Whether a text contains another, or a list an element."""
    if isinstance(value, list):
        return any(equal(item, part) for item in value)
    return text(part) in text(value)


@function()
def substring(value: Any, start: Any, end: Any = None) -> str:
    """The characters from `start` up to `end`, counted from 0."""
    return text(value)[_offset(start) : None if end is None else _offset(end)]


def _offset(value: Any) -> int:
    if value.__class__ is not int:
        raise EvaluationError("needs whole numbers as positions")
    return int(value)


@function()
def strip_html(value: Any) -> str:
    """Text without tags, with entities resolved and white space collapsed; `<b>` and the like end no word."""
    return " ".join(html.unescape(_TAG.sub(" ", _INLINE.sub("", text(value)))).split())


@function()
def url_encode(value: Any) -> str:
    """Text as it may stand in a part of a URL or IRI: everything else percent-encoded, slashes too."""
    return quote(text(value).encode("utf-8", "replace"), safe="")


@function()
def url_path(value: Any) -> str | None:
    """The path of a URL."""
    return _parts(value).path or None


@function()
def url_query(value: Any, name: Any) -> str | None:
    """One parameter of a URL's query."""
    wanted = text(name)
    try:
        pairs = parse_qsl(_parts(value).query, keep_blank_values=True, max_num_fields=1000)
    except ValueError:
        return None
    return next((found for key, found in pairs if key == wanted), None)


@function()
def url_join(base: Any, relative: Any) -> str | None:
    """A relative URL resolved against a base."""
    try:
        return sized(urljoin(text(base), text(relative)))
    except ValueError:
        return None


def _parts(value: Any) -> Any:
    try:
        return urlsplit(text(value))
    except ValueError:
        return urlsplit("")


def pattern(site: Site, term: Expression) -> Any:
    """Compile a literal regular expression at load time; RE2, so it can never run away."""
    if not isinstance(term, Literal) or not isinstance(term.value, str):
        raise site.error("E108", "a pattern must be written out as text", term)
    try:
        return re2.compile(term.value, _OPTIONS)
    except re2.error as error:
        reason = error.args[0].decode() if error.args and isinstance(error.args[0], bytes) else str(error)
        hint = "patterns are RE2: no look-around and no back-references"
        raise site.error("E108", f"not a regular expression: {reason}", term, help=hint) from None


def _searching(value: Closure, search: Callable[[str], Any]) -> Closure:
    def run(scope: Any) -> Any:
        found = value(scope)
        if found is None:
            return None
        scope.charge(found)
        return search(_encodable(text(found)))

    return run


def _encodable(value: str) -> str:
    return value.encode("utf-8", "replace").decode() if not value.isascii() else value


@builder("(text, 'pattern')", least=2, most=2)
def matches(site: Site, terms: tuple[Expression, ...], args: tuple[Closure, ...]) -> Closure:
    """Whether an RE2 pattern is found anywhere in a text."""
    compiled = pattern(site, terms[1])
    return _searching(args[0], lambda value: compiled.search(value) is not None)


@builder("(text, 'pattern', group?)", least=2, most=3)
def extract(site: Site, terms: tuple[Expression, ...], args: tuple[Closure, ...]) -> Closure:
    """The first match of an RE2 pattern: the given group, else the first group, else all of it."""
    compiled = pattern(site, terms[1])
    group: int | str = 1 if compiled.groups else 0
    if len(terms) == 3:
        if not isinstance(terms[2], Literal) or terms[2].value.__class__ not in (int, str):
            raise site.error("E108", "a group must be written out as a number or name", terms[2])
        group = terms[2].value
        if (group > compiled.groups) if isinstance(group, int) else (group not in compiled.groupindex):
            raise site.error("E108", f"the pattern has no group {group!r}", terms[2])

    def search(value: str) -> Any:
        match = compiled.search(value)
        return match.group(group) if match is not None else None

    return _searching(args[0], search)
