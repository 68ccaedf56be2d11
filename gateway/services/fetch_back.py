"""Fetching what thin notices leave out: off the request path, with a line of its own for every connection.

A vendor who is slow or away keeps nobody else waiting. A few deliveries of a connection are fetched at a
time, a few more wait here, and the others are put off until it should be their turn.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import random
import time
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import structlog

from adapters.fetch_back import Wish
from adapters.receive.decode import Decoder, Undecodable
from gateway.services.fetching import Fetcher, FetchFailed
from gateway.services.metrics import FETCHES
from gateway.services.supplying import Answers
from gateway.services.vendors import Connection
from gateway.store.delivery_records import Delivery, Unfetched

log = structlog.get_logger(__name__)

_AT_ONCE = 4  # fetches of one connection in one process
_ROOM = 16  # deliveries of one connection that are fetched, or wait for it here
_MOST_REQUESTS = 4  # for one thing, where a token is wanted: it, the thing, and both again
_MOST_WISHES = 100  # of one delivery
_LONGEST_AWAY = 300.0  # seconds that a delivery is put off because there is no room
_LONGEST_PAUSE = 3_600.0  # seconds between two tries, and that a Retry-After counts for
_GIVE_UP_AFTER = dt.timedelta(days=3)
_JSON = Decoder("json")


class TryAgain(Exception):
    """A vendor does not answer now, which may heal; `after` seconds later it is asked again."""

    def __init__(self, reason: str, after: float, unfetched: Unfetched) -> None:
        super().__init__(reason)
        self.after = after
        self.unfetched = unfetched


class _Line:
    """Whose turn it is on one connection."""

    def __init__(self) -> None:
        self.turns = asyncio.Semaphore(_AT_ONCE)
        self.inside = 0
        self.closed_until = 0.0
        self.next_free = 0.0
        self.seconds = 0.1  # that one fetch takes, lately

    def away(self, wishes: int) -> float | None:
        """How many seconds a delivery has to stay away; None lets it in."""
        now = time.monotonic()
        if now < self.closed_until:
            return (self.closed_until - now) * random.uniform(1.0, 1.5)  # noqa: S311 - spreads, hides nothing
        if self.inside < _ROOM:
            return None
        start = max(self.next_free, now + 1.0)
        self.next_free = start + wishes * self.seconds / _AT_ONCE
        return min(start - now, _LONGEST_AWAY)


class FetchBack:
    """Fetches for the deliveries of one store. `connection` finds one by adapter and the mapping's name for
    it.
    """

    def __init__(
        self,
        fetcher: Fetcher,
        connection: Callable[[str, str], Connection | None],
        *,
        clock: Callable[[], dt.datetime],
    ) -> None:
        self._fetcher = fetcher
        self._connection = connection
        self._clock = clock
        self._lines: dict[str, _Line] = {}
        self._answers: dict[UUID, Answers] = {}

    def answers(self, delivery: UUID) -> Answers:
        """What was fetched for a delivery that is mapped next."""
        return self._answers.get(delivery, _NOTHING)

    def forget(self, delivery: UUID) -> None:
        """Its mapping is over."""
        self._answers.pop(delivery, None)

    def away(self, delivery: Delivery, wishes: Sequence[Wish]) -> float | None:
        """How many seconds a delivery has to wait elsewhere; None where it is let in, for `fetch`."""
        return self._line(delivery, wishes[0]).away(len(wishes))

    def longest(self, delivery: Delivery, wishes: Sequence[Wish]) -> float:
        """How many seconds `fetch` may take."""
        connection = self._connection(delivery.adapter, wishes[0].connection)
        timeout = connection.settings.timeout if connection is not None else 0.0
        if connection is not None and connection.grant is not None:
            timeout *= _MOST_REQUESTS
        return timeout * (_ROOM + len(wishes) / _AT_ONCE)

    async def fetch(self, delivery: Delivery, wishes: Sequence[Wish]) -> None:
        """Have the answers ready for the mapping; raises TryAgain."""
        line = self._line(delivery, wishes[0])
        line.inside += 1
        try:
            if len(wishes) > _MOST_WISHES:
                reason = f"one delivery may fetch {_MOST_WISHES} things, this one wants {len(wishes)}"
                self._answers[delivery.id] = Answers(refused=dict.fromkeys(wishes, reason))
                return
            found = await asyncio.gather(*(self._ask(line, delivery, wish) for wish in wishes))
        finally:
            line.inside -= 1
        tried = self._tried(delivery, [one for one in found if isinstance(one, FetchFailed) and one.heals])
        given: dict[Wish, Any] = {}
        refused: dict[Wish, str] = {}
        for wish, one in zip(wishes, found, strict=True):
            if isinstance(one, FetchFailed):
                refused[wish] = f"{one}; {tried}" if one.heals else str(one)
            else:
                given[wish] = one
        self._answers[delivery.id] = Answers(given=given, refused=refused)

    async def _ask(self, line: _Line, delivery: Delivery, wish: Wish) -> Any:
        """The JSON that answers a wish, or FetchFailed with a reason that names the connection."""
        connection = self._connection(delivery.adapter, wish.connection)
        if connection is None:
            reason = f"hooks.connections has no {wish.connection!r}"
            return FetchFailed(reason, heals=False)
        async with line.turns:
            began = time.monotonic()
            try:
                found = _JSON.decode(await self._answer(connection, wish))
            except FetchFailed as error:
                FETCHES.labels(connection.name, "failed").inc()
                if error.status == 429 and error.after is not None:
                    line.closed_until = time.monotonic() + min(error.after, _LONGEST_PAUSE)
                return _named(connection, error)
            except Undecodable as error:
                FETCHES.labels(connection.name, "failed").inc()
                return FetchFailed(
                    f"connection {connection.name}: the answer is not JSON: {error}", heals=False
                )
            finally:
                line.seconds += (time.monotonic() - began - line.seconds) / 8
            FETCHES.labels(connection.name, "done").inc()
            return found

    async def _answer(self, connection: Connection, wish: Wish) -> bytes:
        """What the vendor answers, asked again with another token if it takes the first for none."""
        if connection.grant is None:
            return await self._fetcher.fetch(connection.request(wish.path))
        token = await connection.grant.token(self._fetcher)
        try:
            return await self._fetcher.fetch(connection.request(wish.path, token))
        except FetchFailed as error:
            if error.status != 401:
                raise
        token = await connection.grant.token(self._fetcher, refused=token)
        return await self._fetcher.fetch(connection.request(wish.path, token))

    def _tried(self, delivery: Delivery, failures: Sequence[FetchFailed]) -> str:
        """How long it was tried in vain; raises TryAgain while that is not long enough."""
        if not failures:
            return ""
        now, before = self._clock(), delivery.unfetched
        since = before.since if before is not None else now
        tries = (before.tries if before is not None else 0) + 1
        if now - since >= _GIVE_UP_AFTER:
            return f"given up after {tries} tries since {since.isoformat(timespec='seconds')}"
        pause = min(_LONGEST_PAUSE, 2.0 ** min(tries, 20)) * random.uniform(0.5, 1.0)  # noqa: S311
        told = max((one.after or 0.0 for one in failures), default=0.0)
        reason = str(failures[0])
        raise TryAgain(
            reason, max(pause, min(told, _LONGEST_PAUSE)), Unfetched(since=since, tries=tries, reason=reason)
        )

    def _line(self, delivery: Delivery, wish: Wish) -> _Line:
        connection = self._connection(delivery.adapter, wish.connection)
        return self._lines.setdefault(connection.name if connection is not None else "", _Line())


_NOTHING = Answers()


def _named(connection: Connection, error: FetchFailed) -> FetchFailed:
    reason = f"connection {connection.name}: {error}"
    if error.status in (401, 403):
        reason += "; look at its secrets and rights"
    elif error.status in (404, 410):
        reason += "; the vendor has no such thing (any more)"
    return FetchFailed(reason, heals=error.heals, status=error.status, after=error.after)
