"""Strict reading of query parameters: every one known, given once, and of its type. Performs no I/O.

A reader asks for each parameter it knows and then calls `finish`, which raises one Invalid that names
everything wrong with the query. Until then values that cannot be read count as absent.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from enum import Enum
from typing import Any, Final, TypeVar
from uuid import UUID

from gateway.errors import Invalid, Problem
from gateway.xapi.agents import parse_actor_parameter, parse_agent_parameter
from gateway.xapi.datatypes import is_iri, is_uuid, parse_timestamp
from gateway.xapi.findings import shown

_MAX_INTEGER: Final = 2**31 - 1
_SHOWN: Final = 80

_T = TypeVar("_T")
_Choice = TypeVar("_Choice", bound=Enum)


class Parameters:
    """The query of one request, and what was found wrong with it so far."""

    __slots__ = ("_problems", "_requirement", "_values")

    def __init__(self, pairs: Sequence[tuple[str, str]], *, known: Collection[str], requirement: str) -> None:
        self._requirement = requirement
        self._problems: list[Problem] = []
        self._values: dict[str, str] = {}
        repeated: set[str] = set()
        for name, value in pairs:
            if name not in known:
                self.problem(_printable(name), self._unknown(name, known))
            elif name in self._values:
                repeated.add(name)
            else:
                self._values[name] = value
        for name in sorted(repeated):
            self.problem(name, "is given more than once")
            del self._values[name]

    @staticmethod
    def _unknown(name: str, known: Collection[str]) -> str:
        meant = next((other for other in known if other.lower() == name.lower()), None)
        if meant is not None:
            return f'is no parameter of this request; did you mean "{meant}"?'
        allowed = ", ".join(known) if known else "none at all"
        return f"is no parameter of this request; it takes {allowed}"

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def given(self) -> Collection[str]:
        """Names of the known parameters that are there, also of those with unreadable values."""
        return self._values.keys()

    def problem(self, name: str, message: str) -> None:
        """Note something wrong with the parameter."""
        self._problems.append(Problem(name, self._requirement, message))

    def require(self, *names: str) -> None:
        """Note those that are missing; a repeated one is noted already."""
        noted = {problem.path for problem in self._problems}
        for name in names:
            if name not in self._values and name not in noted:
                self.problem(name, "is missing; this request needs it")

    def finish(self) -> None:
        """Raises Invalid with all problems, if there are any."""
        if self._problems:
            first = self._problems[0]
            raise Invalid(f"the parameter {first.path} {first.message}", problems=self._problems)

    def text(self, name: str) -> str | None:
        """Any text but the empty one."""
        return self._read(name, str, lambda value: value != "", "a text that is not empty")

    def iri(self, name: str) -> str | None:
        return self._read(name, str, is_iri, "an IRI with a scheme, such as https://example.org/activity")

    def uuid(self, name: str) -> UUID | None:
        return self._read(name, UUID, is_uuid, "a UUID of the form 8-4-4-4-12 hexadecimal digits")

    def boolean(self, name: str) -> bool:
        """`true` or `false`, in exactly this spelling; false when absent."""
        return bool(self._read(name, "true".__eq__, ("true", "false").__contains__, "true or false"))

    def integer(self, name: str) -> int:
        """A number of digits only; 0 when absent, cut off at the largest 32-bit one."""
        # Counting digits first keeps a value of a million digits cheap.
        return (
            self._read(
                name,
                lambda value: min(int(value), _MAX_INTEGER) if len(value) < 20 else _MAX_INTEGER,
                lambda value: value.isascii() and value.isdigit(),
                "an integer of 0 or more, in digits",
            )
            or 0
        )

    def choice(self, name: str, choices: type[_Choice], default: _Choice) -> _Choice:
        """One of the values of an Enum of texts."""
        allowed = {choice.value: choice for choice in choices}
        expected = f"one of {', '.join(allowed)}"
        found = self._read(name, allowed.__getitem__, allowed.__contains__, expected)
        return default if found is None else found

    def timestamp(self, name: str) -> int | None:
        """Microseconds since the epoch; a time without zone is UTC."""
        value = self._values.get(name)
        if value is None:
            return None
        try:
            return parse_timestamp(value)
        except ValueError as error:
            hint = "; a + in a query must be written %2B" if " " in value else ""
            self.problem(name, f"holds {shown(value)}; expected a timestamp, but {error}{hint}")
            return None

    def agent(self, name: str) -> dict[str, Any] | None:
        """An Agent in JSON; a Group is refused."""
        return self._actor(name, parse_agent_parameter)

    def actor(self, name: str) -> dict[str, Any] | None:
        """An Agent or identified Group in JSON."""
        return self._actor(name, parse_actor_parameter)

    def _actor(self, name: str, parse: Callable[[str, str], dict[str, Any]]) -> dict[str, Any] | None:
        value = self._values.get(name)
        if value is None:
            return None
        try:
            return parse(value, name)
        except Invalid as error:
            self._problems.extend(error.problems)
            return None

    def _read(
        self, name: str, convert: Callable[[str], _T], accepts: Callable[[str], bool], expected: str
    ) -> _T | None:
        value = self._values.get(name)
        if value is None:
            return None
        if not _is_unicode(value) or not accepts(value):
            self.problem(name, f"holds {shown(value)}; expected {expected}")
            return None
        return convert(value)


def _is_unicode(value: str) -> bool:
    """Is it text? Percent-encoded bytes that are not UTF-8 arrive as lone surrogates."""
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _printable(name: str) -> str:
    """A parameter name that somebody invented, fit for an answer."""
    cut = name if len(name) <= _SHOWN else name[:_SHOWN] + "…"
    return cut.encode("utf-8", "backslashreplace").decode("utf-8")
