"""Shared secrets of a check: several while they are rotated, each for as long as the mapping says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from adapters.expressions.environment import Closure
from adapters.functions.receiver import raw
from adapters.receive.incoming import Incoming
from adapters.receive.signature import Mismatch, decode


@dataclass(frozen=True, slots=True)
class SharedSecret:
    """A reference to a secret; after `not_after` it proves nothing any more."""

    value: Closure
    not_after: datetime | None = None

    def usable(self, now: datetime) -> bool:
        return self.not_after is None or now <= self.not_after


def usable(secrets: tuple[SharedSecret, ...], sent: Incoming) -> Iterator[tuple[int, str]]:
    """The secrets that count now, with their positions; raises `Mismatch` if one is not set or all ended."""
    counted = False
    for index, one in enumerate(secrets):
        if not one.usable(sent.now):
            continue
        counted = True
        value = one.value(sent.scope)
        if not isinstance(value, str) or not value:
            raise Mismatch("a secret is not set")
        yield index, value
    if not counted:
        raise Mismatch("every secret has reached its not_after")


def key_bytes(secret: str, encoding: str) -> bytes | None:
    """A secret as the key of an HMAC; None when it is not written in its encoding."""
    return decode(secret, encoding) if encoding in ("hex", "base64") else raw(secret)
