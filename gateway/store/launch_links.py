"""Launch links: what a learner's link stands for. The token in it is kept as a hash only."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pymongo.asynchronous.database import AsyncDatabase

# An expired link is remembered for this long, to be able to say that it has expired.
_REMEMBERED = dt.timedelta(days=90)


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchLink:
    """`au` is an LMS id, None for whichever is next; `overrides` JSON."""

    token: str
    registration: UUID
    au: str | None
    overrides: bytes
    created: dt.datetime
    expires: dt.datetime


class LaunchLinks:
    """The `launch_links` collection of one store."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]]) -> None:
        self._collection = database["launch_links"]

    async def insert(self, link: LaunchLink) -> None:
        await self._collection.insert_one(
            {
                "_id": link.token,
                "registration": link.registration,
                "au": link.au,
                "overrides": link.overrides,
                "created": link.created,
                "expires": link.expires,
                "forget": link.expires + _REMEMBERED,
            }
        )

    async def get(self, token: str) -> LaunchLink | None:
        row: Mapping[str, Any] | None = await self._collection.find_one({"_id": token})
        if row is None:
            return None
        return LaunchLink(
            token=row["_id"],
            registration=row["registration"],
            au=row["au"],
            overrides=bytes(row["overrides"]),
            created=row["created"],
            expires=row["expires"],
        )
