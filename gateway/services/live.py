"""The live tail: what is stored, refused and not mapped, shown to people while it happens.

All viewers of a process and store share one change stream, which is open only while somebody watches. Each
has a short queue: who reads too slowly, or watches more than anybody can read, loses the oldest and is told
how many. A viewer that comes back says where it was, and gets what it missed, up to a limit.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from gateway.errors import Unavailable
from gateway.services.counting import source_of
from gateway.services.sentences import sentence
from gateway.services.texts import time_text
from gateway.store.connection import translating
from gateway.store.live import Happening, Lost, RefusedRequest, Stream
from gateway.store.store import Store
from gateway.xapi import strict_json

MOST_VIEWERS = 50
QUEUE = 100
NEWEST_OF = 300  # statements and refusals that a page without script is made of
_CAUGHT_UP = 500
_REFUSALS_WAITING = 200
_REFUSALS_AT_ONCE = 10
_FLUSH_EVERY = 0.5  # seconds
_LINGER = 2.0  # seconds that the stream stays open without viewers
_LONGEST = 500
_TURN = 50  # happenings before others have their turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What somebody watches; None is anything. `agent` is an agent key, `what` some of the happenings."""

    what: frozenset[str]
    verb: str | None = None
    source: str | None = None
    agent: str | None = None
    activity: str | None = None
    text: str | None = None

    def takes(self, happening: Happening) -> bool:
        """Whether it is shown."""
        if happening.what not in self.what:
            return False
        row = happening.row
        if happening.what != "statement":
            if self.verb or self.agent or self.activity:
                return False
            said = f"{row.get('name', '')} {row.get('message', '')} {row.get('problem', '')}".casefold()
            return all(wanted.casefold() in said for wanted in (self.source, self.text) if wanted)
        return (
            (self.verb is None or any(_is_verb(verb, self.verb) for verb in row.get("verbs", ())))
            and (self.source is None or self.source.casefold() in source_of(row).casefold())
            and (self.agent is None or self.agent in row.get("agents", ()))
            and (
                self.activity is None
                or self.activity in row.get("activities", ())
                or self.activity in row.get("related_activities", ())
            )
            and (self.text is None or self.text.casefold() in _text_of(row["statement"]))
        )


@dataclass(slots=True, eq=False)
class Viewer:
    """Somebody who watches: what waits to be shown, and how much was dropped since the last look."""

    wanted: Wanted
    waiting: deque[Happening] = field(default_factory=deque)
    dropped: int = 0
    gap: bool = False
    more: asyncio.Event = field(default_factory=asyncio.Event)

    def offer(self, happening: Happening) -> None:
        """Take it if it is wanted, in the place of the oldest one if there is no room."""
        if not self.wanted.takes(happening):
            return
        if len(self.waiting) >= QUEUE:
            self.waiting.popleft()
            self.dropped += 1
        self.waiting.append(happening)
        self.more.set()

    def lose(self) -> None:
        """Something may be missing, nobody knows how much."""
        self.gap = True
        self.more.set()

    def take(self) -> tuple[list[Happening], int]:
        """Everything that waits, and how many were dropped before it."""
        found, dropped = list(self.waiting), self.dropped
        self.waiting.clear()
        self.dropped = 0
        self.more.clear()
        return found, dropped


class Live:
    """The viewers of one store in this process, and the refusals of this process."""

    def __init__(self, store: Store, *, clock: Callable[[], dt.datetime]) -> None:
        self._live = store.live
        self._clock = clock
        self._viewers: set[Viewer] = set()
        self._watched = asyncio.Event()
        self._refused: deque[RefusedRequest] = deque(maxlen=_REFUSALS_WAITING)
        self._refusing = asyncio.Event()
        self._place = ""
        self._opened = asyncio.Event()
        self.closing = asyncio.Event()

    # -- refusals ----------------------------------------------------------------------------------------

    def refuse(
        self,
        kind: str,
        name: str,
        request: str,
        status: int | None,
        message: str,
        problems: Sequence[str] = (),
    ) -> None:
        """Note a request that is turned away. Never waits; of very many, some are not kept."""
        self._refused.append(
            RefusedRequest(
                time=self._clock(),
                kind=kind,
                name=name[:_LONGEST],
                request=request[:_LONGEST],
                status=status,
                message=_plain(message)[:_LONGEST],
                problems=tuple(_plain(one)[:_LONGEST] for one in problems[:3]),
            )
        )
        self._refusing.set()

    async def keep_refusals(self) -> None:
        """Store what was refused, until cancelled."""
        while True:
            await self._refusing.wait()
            some = [self._refused.popleft() for _ in range(min(len(self._refused), _REFUSALS_AT_ONCE))]
            if not self._refused:
                self._refusing.clear()
            if some:
                await self._live.add(some)
            await asyncio.sleep(_FLUSH_EVERY)

    # -- watching ----------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Show what happens to all viewers, while there are any; until cancelled."""
        while True:
            await self._watched.wait()
            try:
                # After a failure the stream goes on where it was.
                async with self._live.stream(self._place or None) as stream:
                    await self._show(stream)
                self._place = ""
            except Lost:
                self._place = ""
                for viewer in self._viewers:
                    viewer.lose()
            finally:
                self._opened.clear()

    async def _show(self, stream: Stream) -> None:
        loop = asyncio.get_running_loop()
        seen, turn = loop.time(), 0
        self._place = stream.place
        self._opened.set()
        while self._viewers or loop.time() - seen < _LINGER:
            if self._viewers:
                seen = loop.time()
            happening = await stream.next()
            self._place = stream.place
            turn += 1
            if happening is not None:
                for viewer in self._viewers:
                    viewer.offer(happening)
                if turn % _TURN == 0:
                    await asyncio.sleep(0)
        self._watched.clear()
        if self._viewers:  # one that came just now
            self._watched.set()

    async def place(self) -> str:
        """Where the stream is now: what happens later is behind it."""
        if self._opened.is_set() and self._place:
            return self._place
        async with self._live.stream() as stream:
            return stream.place

    @contextlib.asynccontextmanager
    async def viewer(self, wanted: Wanted) -> AsyncIterator[Viewer]:
        """Watch; raises Unavailable if too many do, or while the gateway ends."""
        if len(self._viewers) >= MOST_VIEWERS or self.closing.is_set():
            raise Unavailable("as many people as can watch the live tail at once", retry_after=30)
        viewer = Viewer(wanted)
        self._viewers.add(viewer)
        self._watched.set()
        try:
            yield viewer
        finally:
            self._viewers.discard(viewer)

    async def missed(self, wanted: Wanted, after: str) -> list[Happening]:
        """What happened behind a place, as far as it is wanted: the latest, if there is much. Raises Lost."""
        found: deque[Happening] = deque(maxlen=QUEUE)
        with translating():
            async with self._live.stream(after) as stream:
                for _ in range(_CAUGHT_UP):
                    happening = await stream.next()
                    if happening is None:
                        return list(found)
                    if wanted.takes(happening):
                        found.append(happening)
        raise Lost

    async def opened(self) -> None:
        """Wait until the stream that all share is open: what happens from then on is shown."""
        await self._opened.wait()

    async def shown(self, happenings: Sequence[Happening]) -> list[dict[str, Any]]:
        """As pages show them: see `shown_statement` and `shown_refusal`."""
        deliveries = [one.id for one in happenings if one.what == "delivery"]
        known = await self._live.adapters(deliveries) if deliveries else {}
        return [_shown(one, known) for one in happenings]

    async def newest(self, wanted: Wanted, limit: int) -> list[dict[str, Any]]:
        """What is wanted among the latest statements and refusals, newest first."""
        found = [one for one in await self._live.newest(NEWEST_OF) if wanted.takes(one)]
        return await self.shown(found[:limit])


def _shown(happening: Happening, deliveries: Mapping[UUID, tuple[str, str]]) -> dict[str, Any]:
    row, identity = happening.row, str(happening.id)
    if happening.what == "statement":
        return shown_statement(row["statement"], row["stored"], source_of(row)) | {"id": identity}
    if happening.what.startswith("refused"):
        return shown_refusal(identity, row)
    adapter, reason = deliveries.get(happening.id, ("", ""))
    if happening.what == "delivery":
        told = f"a delivery of {adapter or 'a vendor'} is {row['state']}"
        message, link = reason, f"/deliveries/{identity}"
    else:
        told, message, link = "a notice could not be delivered", str(row.get("problem") or ""), ""
    return {
        "id": f"{identity} {row['state']}",
        "what": "trouble",
        "time": time_text(row.get("time")),
        "source": f"adapter {adapter}" if adapter else "",
        "told": told,
        "detail": message[:_LONGEST],
        "link": link,
    }


def shown_statement(statement: Mapping[str, Any], stored: int, source: str) -> dict[str, Any]:
    """A statement: what it says, and the path of its page."""
    said = sentence(statement)
    time = dt.datetime.fromtimestamp(stored / 1_000_000, dt.UTC)
    return {
        "id": str(statement["id"]),
        "what": "stored",
        "time": time_text(time),
        "source": source,
        "told": f"{said.who} {said.did} {said.what}",
        "detail": said.result,
        "link": f"/statements/{statement['id']}",
    }


def shown_refusal(identity: object, row: Mapping[str, Any]) -> dict[str, Any]:
    """A request that was refused, with its reasons."""
    return {
        "id": str(identity),
        "what": "refused",
        "time": time_text(row["time"]),
        "source": row["name"],
        "told": row["request"] if row["status"] is None else f"{row['request']}: {row['status']}",
        "detail": "; ".join(row["problems"]) or row["message"],
        "link": "",
    }


def _is_verb(verb: str, wanted: str) -> bool:
    if ":" in wanted:
        return verb == wanted
    return verb.rstrip("/").rpartition("/")[2].casefold() == wanted.casefold()


def _text_of(statement: Mapping[str, Any]) -> str:
    return strict_json.dumps(statement).decode("utf-8", "replace").casefold()


def _plain(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "")
