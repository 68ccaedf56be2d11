"""What a mapping asks of the gateway around receiving: how much, how quiet. Plain data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    """Most `requests` of one address in `seconds`."""

    requests: int
    seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """`quiet_after` in seconds; who is `retired` is gone for good."""

    rate: Rate | None = None
    quiet_after: int | None = None
    retired: bool = False
