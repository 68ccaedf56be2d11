"""Mapping revisions: every one that is loaded is kept, and can be compiled again from what was kept."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable

from adapters import Mapping, MappingError
from adapters.loading.instances import INSTANCE, Instance
from adapters.loading.loader import load_mapping
from gateway.errors import Conflict, NotFound
from gateway.store.revisions import Revision
from gateway.store.revisions import Revisions as StoredRevisions

_MOST_COMPILED = 50


class Revisions:
    """Keeps the revisions of one store, and compiles them when deliveries are mapped as they once were."""

    def __init__(self, stored: StoredRevisions, *, clock: Callable[[], dt.datetime]) -> None:
        self._stored = stored
        self._clock = clock
        self._kept: set[str] = set()
        self._compiled: dict[str, Mapping] = {}
        self._turn = asyncio.Lock()

    async def keep(self, mapping: Mapping) -> None:
        """Store a revision before anything is made with it; once in a process."""
        if mapping.revision in self._kept:
            return
        now = self._clock()
        await self._stored.keep(
            Revision(
                revision=mapping.revision,
                adapter=mapping.name,
                version=mapping.version,
                file=mapping.file,
                texts=mapping.texts,
                first=now,
                used=now,
            )
        )
        self._kept.add(mapping.revision)

    async def compiled(self, revision: str) -> Mapping:
        """The mapping of a revision; raises NotFound, or Conflict if this gateway cannot read it any more."""
        async with self._turn:
            if revision not in self._compiled:
                if len(self._compiled) >= _MOST_COMPILED:
                    self._compiled.pop(next(iter(self._compiled)))
                self._compiled[revision] = await self._compile(revision)
            return self._compiled[revision]

    async def _compile(self, revision: str) -> Mapping:
        found = await self.get(revision)
        texts = dict(found.texts)
        instance = Instance.from_text(texts.pop(INSTANCE)) if INSTANCE in texts else None
        text = texts.pop(found.file)
        try:
            return await asyncio.to_thread(load_mapping, text, found.file, files=texts.get, instance=instance)
        except MappingError as error:
            raise Conflict(
                f"revision {revision[:12]} of {found.adapter} cannot be compiled any more: {error.lints[0]}"
            ) from None

    async def get(self, revision: str) -> Revision:
        """What was kept of a revision; raises NotFound."""
        found = await self._stored.get(revision)
        if found is None:
            raise NotFound(f"there is no revision {revision[:64]!r}")
        return found

    async def of(self, adapter: str) -> list[Revision]:
        """The revisions of an adapter, the one that was used last first."""
        return await self._stored.of(adapter)
