"""The generic data types of the standard (xAPI 1.0.3 Data §4): is this text one, and what does it mean.

Every `is_…` takes any object and answers true or false, it never raises. The patterns carry no anchors:
`statement.schema.json` holds the same ones between `^` and `$`, and a test compares the two.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Final

# Blanks, control characters and the delimiters that no IRI may hold unescaped.
_IRI_CHARACTER: Final = r"[^\x00-\x20\"<>\\^`{|}\x7f-\x9f]"
_MAIL_CHARACTER: Final = r"[^\x00-\x20\"(),:;<>@\[\\\]\x7f-\x9f]"
_NUMBER: Final = r"[0-9]+(?:[.,][0-9]+)?"
_TOKEN: Final = r"[0-9A-Za-z!#$%&'*+.^_`|~\-]+"  # noqa: S105 - RFC 9110 calls it a token
_LANGUAGE: Final = (
    r"(?:[A-Za-z]{2,3}(?:-[A-Za-z]{3}){0,3}|[A-Za-z]{4,8})(?:-[A-Za-z]{4})?(?:-(?:[A-Za-z]{2}|[0-9]{3}))?"
    r"(?:-(?:[0-9A-Za-z]{5,8}|[0-9][0-9A-Za-z]{3}))*"
)
_PRIVATE_USE: Final = r"[Xx](?:-[0-9A-Za-z]{1,8})+"
_HOURS: Final = (
    rf"(?:{_NUMBER}H(?:{_NUMBER}M)?(?:{_NUMBER}S)?|{_NUMBER}M(?:{_NUMBER}S)?|{_NUMBER}S)"  # at least one
)
_DATE_PARTS: Final = (
    rf"(?:{_NUMBER}Y(?:{_NUMBER}M)?(?:{_NUMBER}D)?|{_NUMBER}M(?:{_NUMBER}D)?|{_NUMBER}D)"  # at least one
)

PATTERNS: Final = {
    "uuid": r"[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}",
    "iri": rf"[A-Za-z][0-9A-Za-z+.\-]*:{_IRI_CHARACTER}+",
    "mailto": rf"mailto:{_MAIL_CHARACTER}+@(?:{_MAIL_CHARACTER}+|\[[0-9A-Za-z:.\-]+\])",
    "sha1": r"[0-9A-Fa-f]{40}",
    "sha2": r"(?:[0-9A-Fa-f]{56}|[0-9A-Fa-f]{64}|[0-9A-Fa-f]{96}|[0-9A-Fa-f]{128})",
    "duration": rf"P(?:{_NUMBER}W|{_DATE_PARTS}(?:T{_HOURS})?|T{_HOURS})",
    "mimeType": (
        rf"{_TOKEN}/{_TOKEN}"
        rf"(?:[\t ]*;[\t ]*(?:{_TOKEN}=(?:{_TOKEN}|\"(?:[^\x00-\x08\n-\x1f\"\\\x7f]|\\[^\n\r])*\"))?)*"
    ),
    # Nearly every timestamp and language tag that is ever sent. The others need more than a pattern.
    "plainTimestamp": (
        r"[1-9][0-9]{3}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])"
        r"T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]+)?Z"
    ),
    "plainLanguageTag": rf"(?:{_LANGUAGE}(?:-{_PRIVATE_USE})?|{_PRIVATE_USE})",
}

_LANGUAGE_TAG: Final = re.compile(
    rf"{_LANGUAGE}(?P<extensions>(?:-[0-9A-WY-Za-wy-z](?:-[0-9A-Za-z]{{2,8}})+)*)(?:-{_PRIVATE_USE})?|{_PRIVATE_USE}"
)
# Registered before RFC 4646; lower case. The other grandfathered tags follow the grammar.
_IRREGULAR_TAGS: Final = frozenset(
    [
        *("en-gb-oed", "i-ami", "i-bnn", "i-default", "i-enochian", "i-hak", "i-klingon", "i-lux", "i-mingo"),
        *("i-navajo", "i-pwn", "i-tao", "i-tay", "i-tsu", "sgn-be-fr", "sgn-be-nl", "sgn-ch-de"),
    ]
)
_TIMESTAMP: Final = re.compile(
    r"(?:(?P<year>[0-9]{4})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})"
    r"T(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]+))?)?"
    r"|(?P<basic>[0-9]{8}T[0-9]{4})(?P<basic_second>[0-9]{2}(?:[.,][0-9]+)?)?)"
    r"(?:Z|(?P<sign>[+-])(?P<zone_hour>[0-9]{2})(?::?(?P<zone_minute>[0-9]{2}))?)?"
)
# The form of RFC 3339 in UTC: what well-behaved clients send, and all that is ever given out.
_UTC: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.(?P<fraction>[0-9]+))?Z"
)
_SECONDS: Final = re.compile(r"([0-9]+)[.,]([0-9]+)S")

_DAY: Final = 86_400_000_000
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - naive arithmetic in UTC, the zone is written by hand
_FIRST: Final = (date.min.toordinal() - _EPOCH_DAY) * _DAY
_LAST: Final = (date.max.toordinal() - _EPOCH_DAY + 1) * _DAY


def _matcher(name: str) -> Callable[[object], bool]:
    fullmatch = re.compile(PATTERNS[name]).fullmatch

    def is_one(text: object) -> bool:
        return isinstance(text, str) and fullmatch(text) is not None

    is_one.__name__ = is_one.__qualname__ = f"is_{name}"
    return is_one


is_uuid: Final = _matcher("uuid")
is_iri: Final = _matcher("iri")
is_mailto: Final = _matcher("mailto")
is_sha1: Final = _matcher("sha1")
is_sha2: Final = _matcher("sha2")
is_duration: Final = _matcher("duration")
is_mime_type: Final = _matcher("mimeType")


def is_language_tag(text: object) -> bool:
    """Is it well formed by RFC 5646, registered or not, with no extension singleton given twice?"""
    if not isinstance(text, str):
        return False
    match = _LANGUAGE_TAG.fullmatch(text)
    if match is None:
        return text.lower() in _IRREGULAR_TAGS
    extensions = match["extensions"]
    if not extensions:
        return True
    singletons = [subtag for subtag in extensions.lower().split("-") if len(subtag) == 1]
    return len(singletons) == len(set(singletons))


def is_timestamp(text: object) -> bool:
    """Would `parse_timestamp` take it?"""
    if not isinstance(text, str):
        return False
    try:
        parse_timestamp(text)
    except ValueError:
        return False
    return True


def parse_timestamp(text: str) -> int:
    """Microseconds since the Unix epoch, UTC. Digits beyond the microsecond are cut off.

    Takes ISO 8601 date and time, extended (`2024-01-31T10:15:00.5+01:00`) or basic (`20240131T101500Z`).
    A text without zone is UTC, second 60 is the first of the next minute. Raises ValueError with the
    reason, which reads as the end of a sentence ("… month must be in 1..12").
    """
    if (match := _UTC.fullmatch(text)) is not None:
        since_epoch = datetime.fromisoformat(text[:19]) - _EPOCH
        micros = since_epoch.days * _DAY + since_epoch.seconds * 1_000_000
        return micros + int(match[1][:6].ljust(6, "0")) if match[1] else micros
    if (match := _TIMESTAMP.fullmatch(text)) is None:
        raise ValueError("not an ISO 8601 date and time such as 2024-01-31T10:15:00.000Z")
    year, month, day, hour, minute, second, fraction, basic, basic_second, sign, zone_hour, zone_minute = (
        match.groups()
    )
    if basic is not None:
        if text[-3:-2] == ":":
            raise ValueError("it mixes the basic form of ISO 8601 with an extended zone")
        year, month, day, hour, minute = basic[:4], basic[4:6], basic[6:8], basic[9:11], basic[11:13]
        if basic_second is not None:
            second, fraction = basic_second[:2], basic_second[3:]
    days = date(int(year), int(month), int(day)).toordinal() - _EPOCH_DAY
    hours, minutes, seconds = int(hour), int(minute), int(second or 0)
    if hours > 23 or minutes > 59 or seconds > 60:
        raise ValueError(f"there is no time of day {hour}:{minute}:{second or '00'}")
    micros = days * _DAY + ((hours * 60 + minutes) * 60 + seconds) * 1_000_000
    if fraction:
        micros += int(fraction[:6].ljust(6, "0"))
    if sign is not None:
        offset_hours, offset_minutes = int(zone_hour), int(zone_minute or 0)
        if offset_hours > 23 or offset_minutes > 59:
            raise ValueError(f"there is no time zone {sign}{zone_hour}:{zone_minute or '00'}")
        offset = (offset_hours * 60 + offset_minutes) * 60_000_000
        if sign == "-":
            if not offset:
                raise ValueError("the zone -00:00 means that the zone is unknown; UTC is Z or +00:00")
            offset = -offset
        micros -= offset
    if not _FIRST <= micros < _LAST:
        raise ValueError("in UTC it lies outside the years 0001 to 9999")
    return micros


def format_timestamp(micros: int) -> str:
    """`YYYY-MM-DDTHH:MM:SS.ffffffZ`, always with six digits, so that texts sort like instants."""
    return (_EPOCH + timedelta(0, 0, micros)).isoformat("T", "microseconds") + "Z"


def utc_timestamp(text: str) -> str:
    """The same instant in UTC with `Z`, as RFC 3339 wants it; what is in that form already comes back as is.

    Takes what `is_timestamp` accepts. Digits of a fraction are kept as they came, also those beyond the
    microsecond.
    """
    if _UTC.fullmatch(text) is not None:
        return text
    micros = parse_timestamp(text)
    # Zones are whole minutes, so moving to UTC never touches the fraction.
    match = re.search(r"[.,]([0-9]+)", text)
    seconds = format_timestamp(micros)[:19]
    return f"{seconds}.{match[1]}Z" if match else f"{seconds}Z"


def comparable_duration(text: str) -> str:
    """The duration with its seconds cut to 2 decimals: what comparing two durations looks at."""
    return _SECONDS.sub(_cut_seconds, text)


def _cut_seconds(match: re.Match[str]) -> str:
    decimals = match[2][:2].rstrip("0")
    return f"{match[1]}.{decimals}S" if decimals else f"{match[1]}S"
