"""What an administrator may change about a launch without touching the course structure (cmi5 10.2).

One set each for a course, a registration and a launch; `launch.effective` lays them over each other.
Performs no I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any, Final
from urllib.parse import urlsplit

from gateway.cmi5.numbers import as_decimal, decimal_of
from gateway.cmi5.vocabulary import LaunchMode, MoveOn
from gateway.errors import Problem
from gateway.xapi.datatypes import is_iri
from gateway.xapi.findings import shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """None leaves a value as it was. `context` is added to the context template."""

    launch_mode: LaunchMode | None = None
    move_on: MoveOn | None = None
    mastery_score: Decimal | None = None
    launch_parameters: str | None = None
    alternate_entitlement_key: str | None = None
    return_url: str | None = None
    context: Mapping[str, Any] | None = None

    def given(self) -> dict[str, Any]:
        """The values that are set, by field name."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: value for name, value in values.items() if value is not None}

    def to_document(self) -> dict[str, Any]:
        """Plain data that `read_overrides` takes back; the mastery score is a text."""
        document = {_KEYS[name]: value for name, value in self.given().items()}
        if self.mastery_score is not None:
            document["masteryScore"] = str(self.mastery_score)
        return document


def read_overrides(document: Mapping[str, Any]) -> tuple[Overrides, list[Problem]]:
    """Overrides from an API body: `launchMode`, `moveOn`, `masteryScore`, `launchParameters`,
    `alternateEntitlementKey`, `returnURL`, `contextTemplate`.

    Other keys are not looked at, null is as good as absent. Every wrong value is a problem and left out.
    """
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    for name, key in _KEYS.items():
        found = document.get(key)
        if found is None:
            continue
        value, expected = _READERS[name](found)
        if value is None:
            problems.append(Problem(key, "cmi5 10.2", f"holds {shown(found)}; expected {expected}"))
        else:
            values[name] = value
    return Overrides(**values), problems


_Reader = Callable[[object], tuple[object | None, str]]


def _one_of(kind: type[LaunchMode] | type[MoveOn]) -> _Reader:
    expected = "one of " + ", ".join(kind)

    def read(found: object) -> tuple[object | None, str]:
        return (kind(found) if isinstance(found, str) and found in list(kind) else None), expected

    return read


def _score(found: object) -> tuple[object | None, str]:
    value = decimal_of(found) if isinstance(found, str) else as_decimal(found)
    if value is not None and 0 <= value <= 1:
        # As far as a double holds it: AUs get it as a JSON number and send that back.
        return Decimal(repr(float(value))).normalize(), ""
    return None, "a number from 0 to 1"


def _text(found: object) -> tuple[object | None, str]:
    return (found if isinstance(found, str) else None), "a text"


def _url(found: object) -> tuple[object | None, str]:
    expected = "an absolute http or https URL"
    if not isinstance(found, str) or not is_iri(found):
        return None, expected
    try:
        parts = urlsplit(found)
    except ValueError:
        return None, expected
    return (found if parts.scheme in ("http", "https") and parts.hostname else None), expected


def _context(found: object) -> tuple[object | None, str]:
    expected = "an xAPI context object whose contextActivities are lists of activities with ids"
    if not isinstance(found, Mapping) or not isinstance(found.get("extensions", {}), Mapping):
        return None, expected
    activities = found.get("contextActivities", {})
    if not isinstance(activities, Mapping):
        return None, expected
    for value in activities.values():
        for each in value if isinstance(value, list) else [value]:
            if not isinstance(each, Mapping) or not is_iri(each.get("id")):
                return None, expected
    return found, expected


_KEYS: Final = {
    "launch_mode": "launchMode",
    "move_on": "moveOn",
    "mastery_score": "masteryScore",
    "launch_parameters": "launchParameters",
    "alternate_entitlement_key": "alternateEntitlementKey",
    "return_url": "returnURL",
    "context": "contextTemplate",
}
# The keys that `read_overrides` looks at.
OVERRIDES: Final = tuple(_KEYS.values())

_READERS: Final[Mapping[str, _Reader]] = {
    "launch_mode": _one_of(LaunchMode),
    "move_on": _one_of(MoveOn),
    "mastery_score": _score,
    "launch_parameters": _text,
    "alternate_entitlement_key": _text,
    "return_url": _url,
    "context": _context,
}
