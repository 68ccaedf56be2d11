"""The texts that options are written in: durations, sizes, networks, origins. Pure.

Each parser takes what a person wrote and answers the value that the program uses, or raises ValueError with
what was expected.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

Network = IPv4Network | IPv6Network

_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_BYTES = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
_QUANTITY = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?) ?([A-Za-z]{1,3})")
_ORIGIN = re.compile(r"https?://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?")
_URL = re.compile(rf"{_ORIGIN.pattern}(?:[/?#][!-~]*)?")


def duration(text: str) -> float:
    """Seconds of `250ms`, `20s`, `1.5m`, `12h`, `90d`."""
    number, unit = _quantity(text, _SECONDS)
    # 250 * 0.001 is not 0.25; dividing is exact wherever the result can be.
    return number / 1000 if unit == "ms" else number * _SECONDS[unit]


def size(text: str) -> int:
    """Bytes of `512B`, `64KiB`, `1.5MiB`, `2GiB`, `1TiB`, rounded down."""
    number, unit = _quantity(text, _BYTES)
    return int(number * _BYTES[unit])


def network(text: str) -> Network:
    """An address or a network; an address is the network that holds only itself."""
    return ip_network(text)


def origin(text: str) -> str:
    """Scheme, host and port of a web address, and nothing behind them."""
    return _web_address(_ORIGIN, text)


def url(text: str) -> str:
    """An absolute web address."""
    return _web_address(_URL, text)


def path(text: str) -> Path:
    """A file or folder; `~` is the home folder."""
    if not text or "\0" in text:
        raise ValueError("not a path")
    written = Path(text)
    try:
        return written.expanduser()
    except RuntimeError as error:
        raise ValueError("no such home folder") from error


def time_zone(text: str) -> str:
    """The name of a time zone."""
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, OSError) as error:  # a folder of the database of zones is no zone
        raise ValueError("no such time zone") from error
    return text


@dataclass(frozen=True, slots=True)
class Format:
    """How a kind of text is read, what to call it, and how it may look."""

    parse: Callable[[str], Any]
    noun: str
    examples: str


FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "gateway-duration": Format(duration, "a duration", "such as 250ms, 20s, 5m, 12h or 90d"),
        "gateway-size": Format(size, "a size", "such as 64KiB, 1MiB or 2GiB"),
        "gateway-network": Format(network, "an IP address or network", "such as 10.0.0.0/8"),
        "gateway-origin": Format(origin, "an origin", "such as https://lrs.example.org"),
        "gateway-url": Format(url, "a web address", "such as https://lms.example.org/done"),
        "gateway-time-zone": Format(time_zone, "a time zone", "such as Europe/Berlin or UTC"),
        "gateway-path": Format(path, "a path", "such as /srv/xapi"),
    }
)
"""By their `format` in the schema; prefixed, because the `duration` of JSON Schema itself is ISO 8601."""


def _quantity(text: str, units: Mapping[str, float]) -> tuple[float, str]:
    match = _QUANTITY.fullmatch(text)
    if match is None or match[2] not in units:
        raise ValueError("not a number with a unit")
    return float(match[1]), match[2]


def _web_address(pattern: re.Pattern[str], text: str) -> str:
    match = pattern.fullmatch(text)
    if match is None or int(match[1] or 0) > 65535:
        raise ValueError("not a web address")
    return text
