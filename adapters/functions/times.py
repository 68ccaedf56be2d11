"""Instants and durations. Every instant carries a zone, every duration comes from numbers or instants."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from adapters.expressions.environment import Closure, Site
from adapters.expressions.syntax import Expression
from adapters.expressions.values import EvaluationError, describe, number, text
from adapters.functions.registry import builder, function

_INSTANT = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d)(:\d\d)?([.,]\d{1,12})?\s?([Zz]|[+-]\d\d(?::?\d\d)?)?", re.ASCII
)
_NUMBER = r"(\d+(?:[.,]\d+)?)"
_DURATION = re.compile(
    "P(?=.)(?:NY)?(?:NM)?(?:NW)?(?:ND)?(?:T(?=.)(?:NH)?(?:NM)?(?:NS)?)?".replace("N", _NUMBER), re.ASCII
)
# Seconds of what stands in that order; what years and months come to depends on the calendar.
_UNITS = (0, 0, 604_800, 86_400, 3_600, 60, 1)
_CLOCK = re.compile(r"(?:(\d{1,6}):)?([0-5]?\d):([0-5]?\d(?:\.\d{1,9})?)", re.ASCII)
_LONGEST = 64  # characters of a duration
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=256)
def zone(name: str) -> ZoneInfo | None:
    """A time zone of the IANA database, or None."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


# One event says the same time several times: in what it remembers, recalls and becomes.
@lru_cache(maxsize=256)
def instant(written: str, timezone: str | None = None) -> datetime:
    """Read RFC 3339 text. Without an offset the zone decides (of two equal wall-clock times the earlier)."""
    match = _INSTANT.fullmatch(written.strip()) if len(written) <= 64 else None
    if match is None:
        raise EvaluationError(f"{describe(written)} is not a date with a time (RFC 3339)")
    day, clock, seconds, fraction, offset = match.groups()
    digits = (fraction or ".0")[1:7].ljust(6, "0")
    try:
        naive = datetime.fromisoformat(f"{day}T{clock}{seconds or ':00'}.{digits}")
        if offset is None:
            return _localised(naive, timezone)
        if offset not in ("Z", "z"):
            hours, minutes = int(offset[1:3]), int(offset[-2:]) if len(offset) > 3 else 0
            if hours > 23 or minutes > 59:
                raise EvaluationError(f"{describe(written)} has no valid offset")
            naive -= timedelta(hours=hours, minutes=minutes) * (-1 if offset[0] == "-" else 1)
    except (ValueError, OverflowError):
        raise EvaluationError(f"{describe(written)} is not a date with a time (RFC 3339)") from None
    return naive.replace(tzinfo=UTC)


def _localised(naive: datetime, timezone: str | None) -> datetime:
    if timezone is None:
        hint = "set source.timezone or write time(x, 'Europe/Vienna')"
        raise EvaluationError("the time has no zone", help=hint)
    found = zone(timezone)
    if found is None:
        raise EvaluationError(f"unknown time zone {timezone[:60]!r}")
    return naive.replace(tzinfo=found).astimezone(UTC)


def rfc3339(moment: datetime) -> str:
    """An instant in UTC, with a fraction only where there is one."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    fraction = moment.microsecond
    precision = "seconds" if not fraction else "microseconds" if fraction % 1000 else "milliseconds"
    return moment.isoformat(timespec=precision)[:-6] + "Z"


def duration(seconds: int | float) -> str:
    """Seconds as an ISO 8601 duration: hours, minutes, seconds, at most two decimals, no padding."""
    if not -1e15 < seconds < 1e15:
        raise EvaluationError("the duration is too long")
    hundredths = int(seconds * 100 + 0.5) if isinstance(seconds, float) else seconds * 100
    hours, rest = divmod(hundredths, 360_000)
    minutes, rest = divmod(rest, 6_000)
    whole, fraction = divmod(rest, 100)
    shown = f"{whole}.{fraction:02}".rstrip("0") if fraction else str(whole)
    written = (f"{hours}H" if hours else "") + (f"{minutes}M" if minutes else "")
    if whole or fraction or not written:
        written += f"{shown}S"
    return "PT" + written


@builder("(text, zone?)", least=1, most=2)
def time(site: Site, terms: tuple[Expression, ...], args: tuple[Closure, ...]) -> Closure:
    """An instant in UTC; text without an offset needs the zone here or in `source.timezone`."""
    usual = site.env.timezone
    value = args[0]
    named = args[1] if len(args) == 2 else None

    def run(scope: Any) -> str | None:
        written = value(scope)
        if written is None:
            return None
        timezone = named(scope) if named is not None else None
        return rfc3339(instant(_instant_text(written), usual if timezone is None else text(timezone)))

    return run


def _instant_text(value: Any) -> str:
    if not isinstance(value, str):
        hint = "numbers need from_seconds(x) or from_millis(x)"
        raise EvaluationError(f"needs text, got {describe(value)}", help=hint)
    return value


@function()
def from_seconds(value: Any) -> str:
    """An instant from seconds since 1970."""
    return _from_epoch(number(value))


@function()
def from_millis(value: Any) -> str:
    """An instant from milliseconds since 1970."""
    return _from_epoch(number(value), thousandths=True)


def _from_epoch(value: int | float, *, thousandths: bool = False) -> str:
    try:
        return rfc3339(_EPOCH + (timedelta(milliseconds=value) if thousandths else timedelta(seconds=value)))
    except (OverflowError, ValueError):
        raise EvaluationError(f"{describe(value)} is not a time since 1970") from None


@function()
def add_seconds(value: Any, seconds: Any) -> str:
    """An instant some seconds later, or earlier when negative."""
    try:
        return rfc3339(instant(_instant_text(value)) + timedelta(seconds=number(seconds)))
    except (OverflowError, ValueError):
        raise EvaluationError("the time is out of range") from None


@function(scoped=True)
def between(scope: Any, start: Any, end: Any) -> str | None:
    """The duration from one instant to a later one."""
    passed = instant(_instant_text(end)) - instant(_instant_text(start))
    return _positive(scope, passed.total_seconds())


@function(scoped=True)
def seconds(scope: Any, value: Any) -> str | None:
    """A duration of so many seconds."""
    return _positive(scope, number(value))


@function(scoped=True)
def millis(scope: Any, value: Any) -> str | None:
    """A duration of so many milliseconds."""
    return _positive(scope, _scaled(number(value), 0.001))


@function(scoped=True)
def minutes(scope: Any, value: Any) -> str | None:
    """A duration of so many minutes."""
    return _positive(scope, number(value) * 60)


def _scaled(value: int | float, factor: float) -> float:
    try:
        return value * factor
    except OverflowError:
        raise EvaluationError("the duration is too long") from None


def _positive(scope: Any, value: int | float) -> str | None:
    if value < 0:
        scope.warn(f"a duration of {value} s is negative; left out")
        return None
    return duration(value)


@function()
def iso_duration(value: Any) -> str | None:
    """An ISO 8601 duration, or `h:mm:ss`, as xAPI wants it; other text is absent."""
    written = text(value).strip().upper()
    found = _clock_seconds(written)
    if found is None:
        parts = _duration_parts(written)
        if parts is None:
            return None
        if any(parts[:3]):
            whole = all(part is None or part.isdecimal() for part in parts[:3])
            return written.replace(",", ".") if whole else None
        found = _sum(parts)
    return duration(_plain(found))


@function()
def duration_seconds(value: Any) -> int | float | None:
    """Seconds of an ISO 8601 duration or `h:mm:ss`; other text is absent, and so are years and months."""
    written = text(value).strip().upper()
    found = _clock_seconds(written)
    if found is None:
        parts = _duration_parts(written)
        if parts is None or any(part is not None and part.strip("0.,") for part in parts[:2]):
            return None
        found = _sum(parts)
    return _plain(found)


@function()
def seconds_between(start: Any, end: Any) -> int | float:
    """Seconds from one instant to another, as a number; negative when the second one is earlier."""
    passed = instant(_instant_text(end)) - instant(_instant_text(start))
    return _plain(Fraction(passed // timedelta(microseconds=1), 1_000_000))


def _clock_seconds(written: str) -> Fraction | None:
    """`h:mm:ss` or `mm:ss` in seconds."""
    clock = _CLOCK.fullmatch(written) if len(written) <= _LONGEST else None
    if clock is None:
        return None
    hours, mins, secs = clock.groups()
    return int(hours or 0) * 3600 + int(mins) * 60 + Fraction(secs)


def _duration_parts(written: str) -> list[str | None] | None:
    """Years to seconds of an ISO 8601 duration in capitals; only the last one may have a fraction."""
    match = _DURATION.fullmatch(written) if len(written) <= _LONGEST else None
    if match is None:
        return None
    parts = [part and part.replace(",", ".") for part in match.groups()]
    given = [part for part in parts if part is not None]
    return parts if all("." not in part for part in given[:-1]) else None


def _sum(parts: list[str | None]) -> Fraction:
    found = (Fraction(part) * unit for part, unit in zip(parts, _UNITS, strict=True) if part is not None)
    return sum(found, Fraction(0))


def _plain(exact: Fraction) -> int | float:
    return exact.numerator if exact.denominator == 1 else float(exact)
