"""What a report is asked for, read from the parameters of a page or of the API. Pure."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.errors import Invalid, Problem
from gateway.xapi.findings import shown

LONGEST = 120  # months
FIELDS = ("from", "to", "source", "course")
_MONTH = re.compile(r"(\d{4}-(?:0[1-9]|1[0-2]))(?:-\d{2})?")
_LONGEST_NAME = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Which months (`2026-01`, both included), and of which source and course; None is any."""

    since: str
    until: str
    source: str | None = None
    course: str | None = None


def read_question(given: Mapping[str, str], today: dt.date) -> Question:
    """`from` and `to` are months or days of them, the last year if not given. Raises Invalid with everything
    that is wrong.
    """
    problems: list[Problem] = []
    until = _month(given, "to", problems) or month_of(today)
    since = _month(given, "from", problems) or _earlier(until, 11)
    if not problems and since > until:
        problems.append(_problem("from", f"holds {shown(since)}, which is after {until}"))
    if not problems and len(months_between(since, until)) > LONGEST:
        problems.append(
            _problem("from", f"is {shown(since)}; expected at most {LONGEST} months up to {until}")
        )
    problems += [
        _problem(name, f"is longer than {_LONGEST_NAME} characters")
        for name in ("source", "course")
        if len(given.get(name) or "") > _LONGEST_NAME
    ]
    if problems:
        raise Invalid(f"{problems[0].path} {problems[0].message}", problems=problems)
    return Question(
        since=since, until=until, source=given.get("source") or None, course=given.get("course") or None
    )


def month_of(day: dt.date) -> str:
    """`2026-01`."""
    return day.isoformat()[:7]


def months_between(since: str, until: str) -> list[str]:
    """Every month from one to another, both included."""
    return [_text(number) for number in range(_number(since), _number(until) + 1)]


def _earlier(month: str, by: int) -> str:
    return _text(max(_number(month) - by, 12))


def _number(month: str) -> int:
    return int(month[:4]) * 12 + int(month[5:]) - 1


def _text(number: int) -> str:
    return f"{number // 12:04}-{number % 12 + 1:02}"


def _month(given: Mapping[str, str], name: str, problems: list[Problem]) -> str | None:
    text = given.get(name)
    if not text:
        return None
    match = _MONTH.fullmatch(text)
    if match is None or match[1] < "0001":
        problems.append(_problem(name, f"holds {shown(text)}; expected a month such as 2026-01"))
        return None
    return match[1]


def _problem(path: str, message: str) -> Problem:
    return Problem(path, "Report", message)
