"""Key sets of token issuers: fetched ahead, kept, and fetched again when a token names a key they lack."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterable, Mapping

import structlog

from adapters.receive.keys import KeySet, key_set
from gateway.services.fetching import Fetcher, FetchFailed, Outgoing

log = structlog.get_logger(__name__)

# How often the key set of a vendor is fetched at most, whatever tokens say: their senders are not known yet.
_AT_MOST_EVERY = 60.0  # seconds
_REFRESH_EVERY = 3600.0
_LOOK_EVERY = 60.0
# Issuers that cannot be reached do not make good keys bad at once, but keys do not live for ever either.
_KEEP_FOR = 86_400.0
_TIMEOUT = 5.0
_MOST_BYTES = 512 * 1024


class KeySets:
    """The key sets that loaded mappings name, by URL. `wanted` tells which these are."""

    def __init__(
        self,
        fetcher: Fetcher,
        wanted: Callable[[], Iterable[str]],
        clock: Callable[[], float] = time.monotonic,
        *,
        at_most_every: float | None = None,
    ) -> None:
        self._fetcher = fetcher
        self._wanted = wanted
        self._clock = clock
        self._at_most_every = _AT_MOST_EVERY if at_most_every is None else at_most_every
        self._sets: dict[str, KeySet] = {}
        self._fetched: dict[str, float] = {}
        self._tried: dict[str, float] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    @property
    def known(self) -> Mapping[str, KeySet]:
        """What was fetched, by URL."""
        return self._sets

    async def run(self) -> None:
        """Fetch what mappings name, and again from time to time, until cancelled."""
        while True:
            for url in set(self._wanted()):
                age = self._clock() - self._fetched.get(url, float("-inf"))
                if age > _REFRESH_EVERY:
                    await self.refresh(url)
            await asyncio.sleep(_LOOK_EVERY)

    async def refresh(self, url: str) -> bool:
        """Fetch a key set unless that was tried a moment ago; whether there is a new one."""
        asked = self._clock()
        async with self._locks.setdefault(url, asyncio.Lock()):
            if self._fetched.get(url, float("-inf")) >= asked:
                return True  # somebody else did while this one waited
            if self._clock() - self._tried.get(url, float("-inf")) < self._at_most_every:
                return False
            self._tried[url] = self._clock()
            try:
                answer = await self._fetcher.fetch(Outgoing(url=url, timeout=_TIMEOUT, max_bytes=_MOST_BYTES))
                found = key_set(json.loads(answer))
            except (FetchFailed, ValueError) as error:
                log.warning("key set not fetched", url=url, error=str(error))
                if self._clock() - self._fetched.get(url, float("-inf")) > _KEEP_FOR:
                    self._sets.pop(url, None)
                return False
            self._sets[url] = found
            self._fetched[url] = self._clock()
            log.info("key set fetched", url=url, keys=len(found.keys))
            return True
