"""How views write times and titles."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping


def time_text(time: dt.datetime | None) -> str | None:
    """`2026-01-31T10:15:00.000Z`."""
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z") if time else None


def title_text(title: Mapping[str, str]) -> str:
    """One of the languages of a title: English if there is any, else the first."""
    english = (text for tag, text in title.items() if tag.lower().partition("-")[0] == "en")
    return next(english, None) or next(iter(title.values()), "")
