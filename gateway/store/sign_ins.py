"""What signing in to the console leaves behind: sessions, one-time links, and attempts that are counted.

Tokens are kept as hashes only. Everything here is gone when it expires; who reads looks at the time as well,
because the server removes what has expired about once a minute.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from pymongo import ReturnDocument
from pymongo.asynchronous.database import AsyncDatabase


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleSession:
    """Somebody's session; `token` is the hash of what their browser holds, `seen` when it was last used."""

    token: str
    person: UUID
    created: dt.datetime
    seen: dt.datetime
    expires: dt.datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """A sign-in that waits for the answer of an identity provider. `state` and `browser` are hashes of what
    the answer and the browser bring; `nonce` and `verifier` are only of use together with the code.
    """

    state: str
    browser: str
    nonce: str
    verifier: str
    back: str
    following: str
    created: dt.datetime
    expires: dt.datetime


class SignIns:
    """The collections `console_sessions`, `console_links`, `console_flows` and `sign_in_attempts` of
    the default store.
    """

    def __init__(self, database: AsyncDatabase[dict[str, Any]]) -> None:
        self._sessions = database["console_sessions"]
        self._links = database["console_links"]
        self._flows = database["console_flows"]
        self._attempts = database["sign_in_attempts"]

    # -- sessions ----------------------------------------------------------------------------------------

    async def begin(self, session: ConsoleSession) -> None:
        await self._sessions.insert_one(
            {
                "_id": session.token,
                "person": session.person,
                "created": session.created,
                "seen": session.seen,
                "expires": session.expires,
            }
        )

    async def session(self, token: str) -> ConsoleSession | None:
        row = await self._sessions.find_one({"_id": token})
        if row is None:
            return None
        return ConsoleSession(
            token=row["_id"],
            person=row["person"],
            created=row["created"],
            seen=row["seen"],
            expires=row["expires"],
        )

    async def note_seen(self, token: str, now: dt.datetime) -> None:
        await self._sessions.update_one({"_id": token}, {"$max": {"seen": now}})

    async def count(self, person: UUID, now: dt.datetime, *, seen_after: dt.datetime) -> int:
        """How many sessions of somebody run."""
        running = {"person": person, "expires": {"$gt": now}, "seen": {"$gt": seen_after}}
        return await self._sessions.count_documents(running)

    async def end(self, token: str) -> None:
        await self._sessions.delete_one({"_id": token})

    async def end_all(self, person: UUID) -> None:
        """End every session of somebody, and withdraw their links."""
        await self._sessions.delete_many({"person": person})
        await self._links.delete_many({"person": person})

    # -- links -------------------------------------------------------------------------------------------

    async def add_link(self, token: str, person: UUID, expires: dt.datetime) -> None:
        """A link for somebody, which replaces those they had."""
        await self._links.delete_many({"person": person})
        await self._links.insert_one({"_id": token, "person": person, "expires": expires})

    async def link(self, token: str, now: dt.datetime) -> UUID | None:
        """Whose link this is; None if it is unknown, used or too old."""
        row = await self._links.find_one({"_id": token, "expires": {"$gt": now}})
        return row["person"] if row else None

    async def use_link(self, token: str, now: dt.datetime) -> UUID | None:
        """Whose link this is, and let it not work again: of two who try at once, one has it."""
        row = await self._links.find_one_and_delete({"_id": token, "expires": {"$gt": now}})
        return row["person"] if row else None

    # -- flows -------------------------------------------------------------------------------------------

    async def begin_flow(self, flow: Flow) -> None:
        values = asdict(flow)
        await self._flows.insert_one({"_id": values.pop("state"), **values})

    async def take_flow(self, state: str, now: dt.datetime) -> Flow | None:
        """The sign-in that waits for this state, which it does no more: of two answers one has it."""
        row = await self._flows.find_one_and_delete({"_id": state, "expires": {"$gt": now}})
        return Flow(state=row.pop("_id"), **row) if row else None

    # -- attempts ----------------------------------------------------------------------------------------

    async def attempt(self, what: str, now: dt.datetime, window: dt.timedelta) -> int:
        """Count an attempt; how many there were since the first one, which counts for `window`."""
        running = {"$gt": ["$expires", now]}
        row = await self._attempts.find_one_and_update(
            {"_id": what},
            [
                {
                    "$set": {
                        "count": {"$cond": [running, {"$add": ["$count", 1]}, 1]},
                        "expires": {"$cond": [running, "$expires", now + window]},
                    }
                }
            ],
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
        assert row is not None, "an upsert that returns the new document has one"
        return int(row["count"])

    async def forget_attempts(self, what: str) -> None:
        await self._attempts.delete_one({"_id": what})
