"""When to take no more: the queue's length and age with hysteresis, and how often one address may ask."""

from __future__ import annotations

import math
import random
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from adapters.receive.policy import Rate

_BASE_SECONDS = 30
_MOST_ADDRESSES = 10_000


def come_again(seconds: float = _BASE_SECONDS) -> int:
    """A Retry-After around `seconds`: senders that were turned away together shall not return together."""
    return math.ceil(seconds * random.uniform(0.5, 1.5))  # noqa: S311 - spreads retries, hides nothing


@dataclass(slots=True)
class Pressure:
    """Whether the queue is over its limits. Once it is, it has to fall to half of them before that ends."""

    most: int
    oldest: float
    reason: str | None = None

    def note(self, depth: int, age: float) -> None:
        """The number of deliveries that wait, and for how many seconds the one has that waits longest."""
        share = 0.5 if self.reason is not None else 1.0
        if depth > self.most * share:
            self.reason = f"{depth} deliveries wait to be mapped"
        elif age > self.oldest * share:
            self.reason = f"a delivery has been due for {age:.0f} s"
        else:
            self.reason = None


class Rates:
    """How often each address asks each adapter; remembered by this process for the busiest addresses.

    A bucket holds as many requests as the rate allows in its period, and fills up evenly.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()

    def wait(self, adapter: str, address: str, rate: Rate) -> float:
        """0 if the request may come in, else the seconds until the next one may."""
        now, per_second = self._clock(), rate.requests / rate.seconds
        left, since = self._buckets.pop((adapter, address), (float(rate.requests), now))
        left = min(rate.requests, left + (now - since) * per_second)
        allowed = left >= 1
        self._buckets[adapter, address] = (left - 1 if allowed else left, now)
        if len(self._buckets) > _MOST_ADDRESSES:
            self._buckets.popitem(last=False)
        return 0.0 if allowed else (1 - left) / per_second
