"""The clock of a running gateway, and of its commands: those that need nothing else import nothing else."""

from __future__ import annotations

import datetime as dt


def utc_now() -> dt.datetime:
    """Now, with its zone."""
    return dt.datetime.now(dt.UTC)
