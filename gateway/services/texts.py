"""How views write times, titles and cells of tables."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from decimal import Decimal

_TIME_ONLY = re.compile(r"PT(?:(\d{1,6})H)?(?:(\d{1,9})M)?(?:(\d{1,12})(\.\d{1,9})?S)?")


def time_text(time: dt.datetime | None) -> str | None:
    """`2026-01-31T10:15:00.000Z`."""
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z") if time else None


# What a spreadsheet takes for a formula when a cell begins with it.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def cell_text(text: str) -> str:
    """The text, so that no spreadsheet runs it: what learners and publishers call themselves is not ours."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def title_text(title: Mapping[str, str]) -> str:
    """One of the languages of a title: English if there is any, else the first."""
    english = (text for tag, text in title.items() if tag.lower().partition("-")[0] == "en")
    return next(english, None) or next(iter(title.values()), "")


def duration_text(duration: str) -> str:
    """A duration of ISO 8601 as people say it: `PT4M30S` is `4 min 30 s`. What has days, and what is
    none, is left as it is.
    """
    found = _TIME_ONLY.fullmatch(duration)
    if found is None or duration == "PT":
        return duration
    hours, minutes, seconds = (int(part or 0) for part in found.groups()[:3])
    minutes, seconds = divmod(hours * 3600 + minutes * 60 + seconds, 60)
    hours, minutes = divmod(minutes, 60)
    fraction = Decimal(found[4] or 0).normalize() if minutes + hours == 0 else Decimal(0)
    parts = [f"{value} {unit}" for value, unit in ((hours, "h"), (minutes, "min")) if value]
    if seconds or fraction or not parts:
        parts.append(f"{seconds + fraction:f} s")
    return " ".join(parts)
