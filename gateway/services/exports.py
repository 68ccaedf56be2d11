"""Statements out of a store as NDJSON: all of them, voided ones included, exactly as they are served.

Memory does not grow with the number of statements. What is exported is complete up to a time that the outcome
names: the next export starts there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gateway.services.attachment_files import AttachmentFiles
from gateway.services.entries import content
from gateway.services.statements import match_keys
from gateway.store.statements import Selection, StoredStatement
from gateway.store.store import Store
from gateway.xapi import strict_json
from gateway.xapi.attachments import stored_hashes
from gateway.xapi.queries import StatementsQuery

_WRITE_AT = 1024 * 1024  # bytes


@dataclass(slots=True, kw_only=True)
class Exported:
    """What was written: `bytes` of NDJSON, and the time (µs) `through` which nothing is missing."""

    statements: int = 0
    attachments: int = 0
    bytes: int = 0
    through: int = 0


class Exports:
    """Exports from one store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def write(
        self,
        query: StatementsQuery,
        out: Callable[[bytes], object],
        files: AttachmentFiles | None,
        *,
        progress: Callable[[Exported], object],
    ) -> Exported:
        """Write the statements that match `query`, oldest first, one a line, and their attachment data.

        Filters follow StatementRefs as those of the LRS do. `out` may block; `progress` hears of every
        megabyte or so.
        """
        done = Exported(through=await self._store.writer.consistent_through())
        bounds = [bound for bound in (query.until, done.through) if bound is not None]
        selection = Selection(
            keys=match_keys(query), since=query.since, until=min(bounds), ascending=True, voided=True
        )
        buffer = bytearray()

        async def flush() -> None:
            await asyncio.to_thread(out, bytes(buffer))
            done.bytes += len(buffer)
            buffer.clear()
            progress(done)

        async for stored in self._store.statements.stream(selection):
            buffer += line(stored) + b"\n"
            if files is not None:
                done.attachments += await self._write_attachments(stored, files)
            done.statements += 1
            if len(buffer) >= _WRITE_AT:
                await flush()
        await flush()
        return done

    async def _write_attachments(self, stored: StoredStatement, files: AttachmentFiles) -> int:
        statement: dict[str, Any] = content(stored)
        wanted = [sha2 for sha2 in stored_hashes(statement) if not files.holds(sha2)]
        if not wanted:
            return 0
        present = await self._store.attachments.stored(wanted)
        for sha2 in present:
            await files.write(sha2, self._store.attachments.read(sha2))
        return len(present)


def line(stored: StoredStatement) -> bytes:
    """The JSON of a statement, on one line, as the LRS serves it."""
    return stored.text.encode() if stored.text is not None else strict_json.dumps(stored.statement)
