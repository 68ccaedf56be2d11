"""Request bodies and queries of the management API, read strictly: what is unknown is an error."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from aiohttp import web

from gateway.cmi5.overrides import Overrides, read_overrides
from gateway.errors import BadRequest, Invalid, NotFound, Problem
from gateway.keys import SETTINGS
from gateway.web.auditing import note
from gateway.web.bodies import read_body
from gateway.xapi import strict_json
from gateway.xapi.datatypes import is_uuid, parse_timestamp
from gateway.xapi.findings import shown

_REQUIREMENT = "API"
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_LARGEST_LIMIT = 1000
_MOST_NOTED = 20


class Fields:
    """The fields of a JSON object. Each reader notes what is wrong; `finish` raises all of it at once."""

    def __init__(self, values: Mapping[str, Any], known: Collection[str]) -> None:
        self._values = values
        self.problems = [
            Problem(name, _REQUIREMENT, f"is no field of this request; it takes {', '.join(known)}")
            for name in values
            if name not in known
        ]

    def get(self, name: str) -> Any:
        """The value as it came; None where it is null or missing."""
        return self._values.get(name)

    def has(self, name: str) -> bool:
        """Was the field sent, if only as null?"""
        return name in self._values

    def flag(self, name: str) -> bool:
        """A parameter that is `true` or `false`, the latter if not given."""
        if self.get(name) not in (None, "true", "false"):
            self.wrong(name, "true or false")
        return bool(self.get(name) == "true")

    def count(self, name: str) -> int | None:
        """A parameter that is a number from 1 on."""
        text = self.get(name)
        if text is None:
            return None
        if not text.isascii() or not text.isdigit() or int(text[:9]) == 0 or len(text) > 9:
            self.wrong(name, "a number from 1 on")
            return None
        return int(text)

    def number(self, name: str, least: int, most: int) -> int | None:
        """A whole number in a body."""
        value = self.get(name)
        if type(value) is not int or not least <= value <= most:
            self.wrong(name, f"a whole number from {least} to {most}")
            return None
        return value

    def boolean(self, name: str) -> bool:
        """True or false in a body, the latter if not given."""
        value = self.get(name)
        if value is not None and not isinstance(value, bool):
            self.wrong(name, "true or false")
        return value is True

    def wrong(self, name: str, expected: str) -> None:
        """Note that a field does not hold what it should."""
        found = shown(self._values[name]) if name in self._values else "nothing"
        self.problems.append(Problem(name, _REQUIREMENT, f"holds {found}; expected {expected}"))

    def uuid(self, name: str, *, required: bool = True) -> UUID | None:
        value = self.get(name)
        if value is None and not required:
            return None
        if not is_uuid(value):
            self.wrong(name, "a UUID")
            return None
        return UUID(value)

    def text(self, name: str) -> str:
        value = self.get(name)
        if not isinstance(value, str):
            self.wrong(name, "a text")
            return ""
        return value

    def moment(self, name: str) -> dt.datetime | None:
        """A time with a zone; None if not given. Times at either end of what a calendar holds are refused,
        because a day more or less than them is no time.
        """
        given = self.get(name)
        if given is None:
            return None
        try:
            micros = parse_timestamp(given) if isinstance(given, str) else None
            found = None if micros is None else _EPOCH + dt.timedelta(microseconds=micros)
        except (ValueError, OverflowError):
            found = None
        if found is None or not dt.MINYEAR < found.year < dt.MAXYEAR:
            self.wrong(name, "a time with a zone, such as 2026-01-31T10:15:00Z")
            return None
        return found

    def au(self, name: str = "au", *, required: bool = True) -> int | str | None:
        """An AU by its index, LMS id or publisher id."""
        value = self.get(name)
        if value is None and not required:
            return None
        if isinstance(value, bool) or not isinstance(value, int | str):
            self.wrong(name, "the index of an AU, counted from 0, or its id")
            return None
        return value

    def overrides(self) -> Overrides:
        """What this request changes about launches."""
        overrides, problems = read_overrides(self._values)
        self.problems += problems
        return overrides

    def finish(self) -> None:
        """Raise Invalid with everything that was noted."""
        if self.problems:
            first = self.problems[0]
            raise Invalid(f"{first.path} {first.message}", problems=self.problems)


async def read_fields(request: web.Request, known: Collection[str], *, optional: bool = False) -> Fields:
    """The JSON object that a request carries; with `optional`, no body is an empty one."""
    return Fields(await read_object(request, optional=optional), known)


async def read_object(request: web.Request, *, optional: bool = False) -> dict[str, Any]:
    """The same without looking at its fields, for services that read them."""
    body = await read_body(request, limit=request.config_dict[SETTINGS].limits.max_body)
    if optional and not body.strip():
        return {}
    value = strict_json.parse(body).value
    if not isinstance(value, dict):
        raise BadRequest(f"the body holds {shown(value)}; expected a JSON object")
    note(request, fields=list(value)[:_MOST_NOTED])
    return value


def read_query(request: web.Request, known: Collection[str]) -> Fields:
    """The parameters of a query, as texts."""
    query = request.query
    repeated = [name for name in query if len(query.getall(name)) > 1]
    if repeated:
        raise BadRequest(f"the parameter {repeated[0]} is given more than once")
    return Fields(dict(query), known)


def limit_of(fields: Fields) -> int:
    """How many rows a list may have: `limit`, or 100."""
    text = fields.get("limit")
    if text is None:
        return 100
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= _LARGEST_LIMIT:
        fields.wrong("limit", f"a number from 1 to {_LARGEST_LIMIT}")
        return 1
    return int(text)


def path_id(request: web.Request, name: str, noun: str) -> UUID:
    """A UUID in the path; raises NotFound where it is none, because then nothing can be there."""
    text = request.match_info[name]
    if not is_uuid(text):
        raise NotFound(f"there is no {noun} with the id {text!r}; ids are UUIDs")
    return UUID(text)
