"""Launch links: what a learner's link stands for. The token in it is kept as a hash only."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from pymongo.asynchronous.database import AsyncDatabase

from gateway.store.transactions import Transaction

# An expired link is remembered for this long, to be able to say that it has expired.
_REMEMBERED = dt.timedelta(days=90)


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchLink:
    """`id` names the link without opening it. `au` is an LMS id, None for whichever is next; `overrides` is
    JSON. With `once` it works one time; `used` is when it last did.
    """

    id: UUID
    token: str
    registration: UUID
    au: str | None
    overrides: bytes
    created: dt.datetime
    expires: dt.datetime
    once: bool = False
    used: dt.datetime | None = None
    revoked: dt.datetime | None = None


class LaunchLinks:
    """The `launch_links` collection of one store."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]]) -> None:
        self._collection = database["launch_links"]

    async def prepare(self) -> None:
        """Give links of earlier versions the id by which they are listed and revoked."""
        async for row in self._collection.find({"link": {"$exists": False}}, {"_id": 1}):
            await self._collection.update_one(
                {"_id": row["_id"], "link": {"$exists": False}}, {"$set": {"link": uuid4()}}
            )

    async def insert(self, link: LaunchLink) -> None:
        await self._collection.insert_one(
            {
                "_id": link.token,
                "link": link.id,
                "registration": link.registration,
                "au": link.au,
                "overrides": link.overrides,
                "created": link.created,
                "expires": link.expires,
                "once": link.once,
                "forget": link.expires + _REMEMBERED,
            }
        )

    async def use(self, link: LaunchLink, now: dt.datetime) -> bool:
        """Note that a link is being followed; False if it works only once and did, or is revoked by now."""
        wanted: dict[str, Any] = {"_id": link.token, "revoked": {"$exists": False}}
        if link.once:
            wanted["used"] = {"$exists": False}
        result = await self._collection.update_one(wanted, {"$set": {"used": now}})
        return result.matched_count == 1

    async def unuse(self, link: LaunchLink) -> None:
        """Give a link that works once back, because nothing came of following it."""
        await self._collection.update_one({"_id": link.token}, {"$unset": {"used": ""}})

    async def revoke(self, registration: UUID, link: UUID | None, now: dt.datetime) -> int:
        """Let a link of a registration, or without `link` all of them, not work any more; how many did."""
        wanted: dict[str, Any] = {"registration": registration, "revoked": {"$exists": False}}
        if link is not None:
            wanted["link"] = link
        return (await self._collection.update_many(wanted, {"$set": {"revoked": now}})).modified_count

    async def delete_of(self, registration: UUID, transaction: Transaction) -> None:
        """Forget the links of a registration."""
        await self._collection.delete_many({"registration": registration}, session=transaction)

    async def get(self, token: str) -> LaunchLink | None:
        row = await self._collection.find_one({"_id": token})
        return _link(row) if row else None

    async def of(self, registration: UUID) -> list[LaunchLink]:
        """The links of a registration, the newest first."""
        rows = self._collection.find({"registration": registration}).sort("created", -1)
        return [_link(row) async for row in rows]


def _link(row: Mapping[str, Any]) -> LaunchLink:
    return LaunchLink(
        id=row["link"],
        token=row["_id"],
        registration=row["registration"],
        au=row["au"],
        overrides=bytes(row["overrides"]),
        created=row["created"],
        expires=row["expires"],
        once=row.get("once", False),
        used=row.get("used"),
        revoked=row.get("revoked"),
    )
