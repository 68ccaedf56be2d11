"""Times as people give them to commands."""

from __future__ import annotations

import datetime as dt
from typing import Any

import click


class Moment(click.ParamType[dt.datetime]):
    """A time with a zone, or how long ago: 90m, 12h, 7d."""

    name = "time"
    _UNITS = {"m": "minutes", "h": "hours", "d": "days"}  # noqa: RUF012 - a constant

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dt.datetime:
        if isinstance(value, dt.datetime):
            return value
        number, unit = value[:-1], value[-1:]
        if unit in self._UNITS and number.isascii() and number.isdigit() and len(number) < 6:
            return dt.datetime.now(dt.UTC) - dt.timedelta(**{self._UNITS[unit]: int(number)})
        try:
            moment = dt.datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no time such as 2026-01-31T10:15:00Z, nor an age such as 90m, 12h or 7d")
        if moment.tzinfo is None:
            self.fail(f"{value!r} has no zone; add Z for UTC")
        return moment
