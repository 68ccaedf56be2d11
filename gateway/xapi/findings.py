"""How refusals are worded: a check looks at one value and adds every `Problem` it finds.

Section numbers are those of xAPI 1.0.3 Part Two (Data), which most people have at hand; what only 2.0 has
is cited as such.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias, TypeGuard

from gateway.errors import Problem
from gateway.xapi.datatypes import is_iri, is_language_tag, is_uuid

Check: TypeAlias = Callable[[Any, str, list[Problem]], None]

_PLAIN_KEY: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SHOWN: Final = 80


def shown(value: object) -> str:
    """The value as JSON for a message, shortened; containers only by kind and size."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        text = repr(value) if isinstance(value, float) or value.bit_length() < 256 else "a huge integer"
        return f"the number {text}" if text[-1].isdigit() else text
    if isinstance(value, str):
        cut = value if len(value) <= _SHOWN else value[:_SHOWN] + "…"
        return (
            '"' + cut.encode("unicode_escape", "backslashreplace").decode() + '"' if _odd(cut) else f'"{cut}"'
        )
    if isinstance(value, Mapping):
        return "an object" if value else "an empty object"
    if isinstance(value, list):
        return f"an array of {len(value)}" if value else "an empty array"
    return f"a {type(value).__name__}"


def _odd(text: str) -> bool:
    return any(not character.isprintable() for character in text)


def at(path: str, key: str | int) -> str:
    """The path one step deeper: `actor.mbox`, `parent[0]`, `extensions["http://…"]`."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    if _PLAIN_KEY.fullmatch(key):
        return f"{path}.{key}" if path else key
    return f"{path}[{shown(key)}]"


def wrong(value: object, path: str, problems: list[Problem], requirement: str, expected: str) -> None:
    """Add: this place holds that, but something else was expected."""
    problems.append(Problem(path, requirement, f"holds {shown(value)}; expected {expected}"))


def text(requirement: str, expected: str, is_one: Callable[[object], bool]) -> Check:
    """A check for a value that `is_one` knows."""

    def check(value: object, path: str, problems: list[Problem]) -> None:
        if not is_one(value):
            wrong(value, path, problems, requirement, expected)

    return check


def string(requirement: str) -> Check:
    """A check for any string."""
    return text(requirement, "a string", lambda value: isinstance(value, str))


def iri(requirement: str) -> Check:
    """A check for an IRI, IRL or URI."""
    return text(requirement, "an IRI with a scheme, such as https://example.org/x", is_iri)


def is_number(value: object) -> bool:
    """Is it a JSON number? Python takes true and false for numbers."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def number(requirement: str) -> Check:
    """A check for a number."""
    return text(requirement, "a number", is_number)


def boolean(requirement: str) -> Check:
    """A check for true or false."""
    return text(requirement, "true or false", lambda value: isinstance(value, bool))


check_uuid: Final = text("xAPI 4.4", "a UUID of 8-4-4-4-12 hexadecimal digits", is_uuid)


def nested(find: Callable[[object, str], list[Problem]]) -> Check:
    """A check made of a function that returns its problems."""

    def check(value: object, path: str, problems: list[Problem]) -> None:
        problems += find(value, path)

    return check


def constant(requirement: str, *allowed: str) -> Check:
    """A check for one of a few words, in exactly this spelling."""
    listed = ", ".join(f'"{word}"' for word in allowed)
    return text(requirement, listed if len(allowed) == 1 else f"one of {listed}", allowed.__contains__)


def array(requirement: str, expected: str, item: Check) -> Check:
    """A check for an array whose items all pass `item`."""

    def check(value: object, path: str, problems: list[Problem]) -> None:
        if not isinstance(value, list):
            wrong(value, path, problems, requirement, expected)
            return
        for index, inner in enumerate(value):
            item(inner, at(path, index), problems)

    return check


def is_object(
    value: object, path: str, problems: list[Problem], requirement: str, expected: str
) -> TypeGuard[dict[str, Any]]:
    """Is it a JSON object? Adds a problem when it is not."""
    if isinstance(value, dict):
        return True
    wrong(value, path, problems, requirement, expected)
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A JSON object with these properties and no others."""

    name: str
    requirement: str
    fields: Mapping[str, Check]
    required: Iterable[str] = field(default=())

    def __call__(self, value: object, path: str, problems: list[Problem]) -> None:
        if not is_object(value, path, problems, self.requirement, f"{self.name}, which is an object"):
            return
        problems.extend(
            Problem(at(path, key), self.requirement, f"is missing; {self.name} needs it")
            for key in self.required
            if key not in value
        )
        for key, inner in value.items():
            check = self.fields.get(key)
            if check is None:
                problems.append(Problem(at(path, key), self.requirement, self._unknown(key)))
            else:
                check(inner, at(path, key), problems)

    def _unknown(self, key: str) -> str:
        meant = next((known for known in self.fields if known.lower() == key.lower()), None)
        if meant is not None:
            return f'is not a property of {self.name}; did you mean "{meant}"?'
        return f"is not a property of {self.name}; it has {', '.join(self.fields)}"


def check_language_map(value: object, path: str, problems: list[Problem]) -> None:
    """A check for a language map (§4.2): texts by language tag."""
    if not is_object(
        value, path, problems, "xAPI 4.2", "a language map, which is an object of texts by language"
    ):
        return
    for key, inner in value.items():
        if not is_language_tag(key):
            message = f"has the key {shown(key)}; expected an RFC 5646 language tag, such as en-US"
            problems.append(Problem(path, "xAPI 4.2", message))
        if not isinstance(inner, str):
            wrong(inner, at(path, key), problems, "xAPI 4.2", "a string")


def check_extensions(value: object, path: str, problems: list[Problem]) -> None:
    """A check for extensions (§4.1): IRIs as keys, anything as values."""
    if is_object(value, path, problems, "xAPI 4.1", "extensions, which are an object of anything by IRI"):
        problems.extend(
            Problem(path, "xAPI 4.1", f"has the key {shown(key)}; expected an IRI with a scheme")
            for key in value
            if not is_iri(key)
        )
