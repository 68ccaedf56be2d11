"""Finding signatures and timestamps in a request."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from adapters.expressions.values import EvaluationError
from adapters.functions.times import instant
from adapters.receive.body_path import BodyPath
from adapters.receive.incoming import Incoming

MAX_SIGNATURES = 16


class Mismatch(Exception):
    """The request did not prove itself; the text is for our own log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignatureSpec:
    """Where a signature is and how it is written. `pattern` is a compiled RE2 pattern with a group `sig`."""

    headers: tuple[str, ...] = ()
    query: str | None = None
    body: BodyPath | None = None
    prefix: str = ""
    pattern: Any = None
    split: str | None = None
    pairs: bool = False
    separator: str = ","
    keys: tuple[str, ...] = ()
    timestamp_key: str = "t"
    encoding: str = "hex"

    def value(self, sent: Incoming) -> str:
        """The one value that carries the signature; sent twice it is refused."""
        if self.headers:
            return once(sent.header(self.headers), f"header {self.headers[0]}")
        if self.query is not None:
            return once(sent.query.get(self.query, ()), f"query parameter {self.query}")
        assert self.body is not None
        (found,) = texts_at(self.body, sent)
        return found

    def signatures(self, value: str) -> list[bytes]:
        """Every signature in the value, decoded; what is not well-formed is passed over."""
        if self.pairs:
            written = [found for key, found in self._pairs(value) if key in self.keys]
        else:
            written = value.split(self.split) if self.split else [value]
        decoded = [self._decoded(one.strip()) for one in written[:MAX_SIGNATURES]]
        return [one for one in decoded if one]

    def timestamp(self, value: str) -> str | None:
        """The timestamp inside a value of pairs."""
        return next((found for key, found in self._pairs(value) if key == self.timestamp_key), None)

    def _pairs(self, value: str) -> list[tuple[str, str]]:
        parts = (part.partition("=") for part in value.split(self.separator)[: 4 * MAX_SIGNATURES])
        return [(key.strip(), found.strip()) for key, equals, found in parts if equals]

    def _decoded(self, written: str) -> bytes | None:
        if not written.startswith(self.prefix):
            return None
        written = written[len(self.prefix) :]
        if self.pattern is not None:
            match = self.pattern.search(written)
            if match is None:
                return None
            written = match.group("sig")
        return decode(written, self.encoding)


def decode(written: str, encoding: str) -> bytes | None:
    """Decode hex or base64 strictly; None when it is malformed."""
    try:
        if encoding == "hex":
            return binascii.unhexlify(written)
        if encoding == "base64url":
            padded = written + "=" * (-len(written) % 4)
            return base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True)
        return base64.b64decode(written.encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        return None


def once(values: tuple[str, ...], what: str) -> str:
    """The single value of something that must be sent exactly once."""
    if not values:
        raise Mismatch(f"{what} is missing")
    if len(values) > 1:
        raise Mismatch(f"{what} is sent {len(values)} times")
    return values[0]


def texts_at(path: BodyPath, sent: Incoming) -> list[str]:
    """The texts at a path of the body, at least one; nothing else may stand there."""
    found = path.values(sent.scope.body)
    if not found or not all(isinstance(one, str) for one in found):
        raise Mismatch(f"body {path.written} is missing or not a text")
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class TimestampSpec:
    """Where the signed time is, its unit, and how many seconds it may be off, either way."""

    headers: tuple[str, ...] = ()
    from_signature: bool = False
    body: BodyPath | None = None
    unit: str = "s"
    tolerance: int

    def value(self, sent: Incoming, signature: SignatureSpec, carried: str) -> str:
        """The time as it was written, which is what was signed."""
        if self.from_signature:
            found = signature.timestamp(carried)
            return once(() if found is None else (found,), "the timestamp in the signature")
        if self.headers:
            return once(sent.header(self.headers), f"header {self.headers[0]}")
        assert self.body is not None
        (value,) = self.body.values(sent.scope.body)
        usable = isinstance(value, (str, int)) and not isinstance(value, bool)
        return once((str(value),) if usable else (), f"body {self.body.written}")

    def check(self, written: str, sent: Incoming) -> None:
        """Refuse times too far from now; also times from the future. How far off it was is noted."""
        try:
            if self.unit == "iso8601":
                moment = instant(written)
            elif not written.isascii() or not written.isdecimal() or len(written) > 15:
                raise Mismatch("the timestamp is not a number")
            else:
                moment = datetime.fromtimestamp(int(written) / (1000 if self.unit == "ms" else 1), UTC)
        except (EvaluationError, ValueError, OverflowError, OSError):
            raise Mismatch("the timestamp is not a time") from None
        away = (sent.now - moment).total_seconds()
        sent.skews.append(away)
        if abs(away) > self.tolerance:
            raise Mismatch(f"the timestamp is {away:.0f} s away from now, allowed are {self.tolerance} s")
