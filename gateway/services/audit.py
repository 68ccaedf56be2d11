"""The audit log: who changed what, who was refused, and who looked into records of learners.

An entry names what was done by its id and never holds anything of a learning record, so that nothing has to
be taken out of it when somebody is forgotten.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Self
from uuid import uuid4

from gateway.services.clock import utc_now
from gateway.services.texts import cell_text, time_text
from gateway.settings import Settings
from gateway.settings.model import AuditSettings
from gateway.store.audit import Audit as StoredAudit
from gateway.store.audit import Entry, EntryFilter, Place
from gateway.store.store import Store

_LONGEST = 300
_COLUMNS = ("time", "store", "kind", "actor", "action", "outcome", "objects", "detail", "address", "request")
_LINES = 200


class Kind(StrEnum):
    """Who acts."""

    PERSON = "person"
    CREDENTIAL = "credential"
    COMMAND_LINE = "command line"
    NOBODY = "nobody"  # yet: whoever is at the door


class Outcome(StrEnum):
    """What became of it. What was refused because it made no sense is not kept: nothing happened."""

    DONE = "done"
    REFUSED = "refused"


class Audit:
    """The log of an installation, in its default store."""

    def __init__(
        self, stored: StoredAudit, settings: AuditSettings, *, clock: Callable[[], dt.datetime]
    ) -> None:
        self._stored = stored
        self._retention = settings.retention
        self._clock = clock
        self.notes_reads = settings.reads

    @classmethod
    def of(cls, settings: Settings, default: Store) -> Self:
        """The log of an installation; `default` is its default store."""
        return cls(default.audit, settings.audit, clock=utc_now)

    async def record(
        self,
        *,
        store: str,
        kind: Kind,
        actor: str,
        action: str,
        outcome: Outcome = Outcome.DONE,
        objects: Mapping[str, str] | None = None,
        detail: Mapping[str, Any] | None = None,
        request: str | None = None,
        address: str | None = None,
    ) -> None:
        """Add an entry; it is durable when this is left. Long texts are cut."""
        now = self._clock()
        entry = Entry(
            id=uuid4(),
            time=now,
            store=store,
            kind=kind,
            actor=actor[:_LONGEST],
            action=action,
            outcome=outcome,
            objects={name: value[:_LONGEST] for name, value in (objects or {}).items()},
            detail={name: _cut(value) for name, value in (detail or {}).items()},
            request=request,
            address=address,
            expires=None if self._retention is None else now + dt.timedelta(seconds=self._retention),
        )
        await self._stored.add(entry)

    async def list(
        self, which: EntryFilter, *, store: str | None, limit: int, after: Place | None = None
    ) -> Sequence[Entry]:
        """Entries, the newest first; those of all stores without a `store`."""
        return await self._stored.list(which, store=store, limit=limit, after=after)

    async def ndjson(self, which: EntryFilter, *, store: str | None) -> AsyncIterator[bytes]:
        """All entries of a filter, a JSON object a line."""
        async for entry in self._stored.each(which, store=store):
            yield json.dumps(entry_view(entry), ensure_ascii=False).encode() + b"\n"

    async def table(self, which: EntryFilter, *, store: str | None) -> AsyncIterator[bytes]:
        """All entries of a filter as CSV, in pieces of some lines."""
        sheet = io.StringIO()
        writer = csv.writer(sheet)
        writer.writerow(_COLUMNS)
        lines = 1
        async for entry in self._stored.each(which, store=store):
            view = entry_view(entry)
            writer.writerow([_cell(view[column]) for column in _COLUMNS])
            lines += 1
            if lines >= _LINES:
                yield sheet.getvalue().encode()
                sheet.seek(0)
                sheet.truncate()
                lines = 0
        yield sheet.getvalue().encode()


def entry_view(entry: Entry) -> dict[str, Any]:
    """An entry as the API, the command line and exports write it."""
    return {
        "id": str(entry.id),
        "time": time_text(entry.time),
        "store": entry.store,
        "kind": entry.kind,
        "actor": entry.actor,
        "action": entry.action,
        "outcome": entry.outcome,
        "objects": dict(entry.objects),
        "detail": dict(entry.detail),
        "request": entry.request,
        "address": entry.address,
    }


def action_of(method: str, path: str) -> str:
    """What a route does, by its place: `PUT /courses/{course}/overrides` is `courses.overrides.change`."""
    words = [part for part in path.strip("/").split("/") if part and not part.startswith("{")]
    name = ".".join(words) or "home"
    if method in ("GET", "HEAD"):
        return f"{name}.read"
    if method == "DELETE":
        return f"{name}.delete"
    if method in ("PUT", "PATCH"):
        return f"{name}.change"
    # A POST to a list makes one more of it; to anything else it does what its name says.
    return f"{name}.create" if name.endswith("s") else name


def _cut(value: Any) -> Any:
    if isinstance(value, str):
        return value[:_LONGEST]
    if isinstance(value, list | tuple):
        return [_cut(one) for one in value[:50]]
    return value


def _cell(value: Any) -> str:
    text = "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return cell_text(text)
