"""Payloads as samples for the tests beside a mapping: with made-up people in place of real ones. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from adapters import Failed
from adapters import Mapping as AdapterMapping
from adapters.loading.yaml_source import write_yaml
from adapters.outcomes import Pairs
from adapters.privacy import Hidden
from adapters.testing.expectations import expectation
from adapters.testing.running import run_tests
from gateway.errors import Invalid, Problem

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_LONGEST_NAME = 60
# What leads to a person by its name, whether or not the mapping hides it.
_PERSONAL = re.compile(
    r"(?i).*(e_?-?mail|phone|mobile|address|birth|user_?name|(first|last|full|given|family|display|real)_?name).*"
    r"|(client_|remote_)?ip"
)
_MAILBOX = re.compile(r"[^\s@<>\"'(),;:]+@[^\s@<>\"'(),;:]+\.[A-Za-z]{2,}")
_ADDRESS = re.compile(r"\d{1,3}(\.\d{1,3}){3}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedSample:
    """The payload as a JSON file, the case for the test file, and the paths whose values were made up."""

    payload: str
    case: str
    replaced: Sequence[str]


def saved_sample(
    mapping: AdapterMapping, name: str, payload: Any, headers: Pairs, *, as_it_is: bool
) -> SavedSample:
    """A sample with what the mapping makes of it as its expectation. Raises Invalid for an odd name."""
    if not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
        message = f"holds {name[:80]!r}; expected words of small letters and digits with - between them"
        raise Invalid(f"name {message}", problems=[Problem("name", "Console", message)])
    replaced: list[str] = []
    if not as_it_is:
        payload, replaced = made_up(payload, mapping.hidden)
    case: dict[str, Any] = {"name": name.replace("-", " "), "payload": payload}
    if headers:
        case["headers"] = dict(headers)
    [result] = run_tests(mapping, write_yaml([case]), "case.yaml", lambda _: None)
    failed = [one for one in result.outcomes if isinstance(one, Failed)]
    expected = expectation(result) or ({"failed": failed[0].problems[0].message} if failed else {})
    case = {**case, "payload": f"samples/{mapping.name}/{name}.json", "expect": expected}
    return SavedSample(
        payload=json.dumps(payload, indent=2, ensure_ascii=False) + "\n",
        case=write_yaml([case]),
        replaced=replaced,
    )


def made_up(payload: Any, hidden: Sequence[Hidden]) -> tuple[Any, list[str]]:
    """A payload with made-up values where a mapping hides something and where people are named.

    The same value becomes the same everywhere, so that what belongs together still does.
    """
    maker = _Maker(tuple(one for one in hidden if one.root == "body"))
    made = maker.value(payload, (), personal=False)
    return made, maker.replaced


class _Maker:
    def __init__(self, hidden: Sequence[Hidden]) -> None:
        self.hidden = hidden
        self.known: dict[Any, Any] = {}
        self.replaced: list[str] = []

    def value(self, value: Any, path: tuple[str | int, ...], *, personal: bool) -> Any:
        personal = personal or any(one.covers(path) for one in self.hidden)
        if isinstance(value, dict):
            return {
                key: self.value(
                    inner, (*path, key), personal=personal or _PERSONAL.fullmatch(key) is not None
                )
                for key, inner in value.items()
            }
        if isinstance(value, list):
            return [self.value(inner, (*path, index), personal=personal) for index, inner in enumerate(value)]
        if value is None or isinstance(value, bool) or value == "":
            return value
        if not personal and not (isinstance(value, str) and _MAILBOX.search(value)):
            return value
        self.replaced.append(".".join(map(str, path)))
        if not personal:
            return _MAILBOX.sub(lambda found: str(self.other(found[0])), value)
        return self.other(value)

    def other(self, value: Any) -> Any:
        """The made-up value for a real one."""
        key = (type(value), value.lower() if isinstance(value, str) else value)
        if key not in self.known:
            self.known[key] = _invented(value, len(self.known) + 1)
        return self.known[key]


def _invented(value: Any, number: int) -> Any:
    if not isinstance(value, str):
        return number
    if _MAILBOX.fullmatch(value):
        return f"person-{number}@example.org"
    if _ADDRESS.fullmatch(value):
        return f"192.0.2.{number % 256}"
    if value.isdecimal():
        return f"{number:0{len(value)}d}"
    if value.startswith(("http://", "https://")):
        return f"https://example.org/made-up/{number}"
    return f"Made up {number}"
