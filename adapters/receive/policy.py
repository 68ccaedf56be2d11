"""What a mapping asks of the gateway around receiving: how much, how quiet, how long. Plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Rate:
    """Most `requests` of one address in `seconds`."""

    requests: int
    seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """`quiet_after` in seconds. `keep_body` is what is left of the body of a resolved delivery."""

    rate: Rate | None = None
    quiet_after: int | None = None
    retention_days: int | None = None
    keep_body: Literal["whole", "redacted", "hash"] = "whole"
    retired: bool = False
