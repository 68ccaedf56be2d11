"""People who use the console. Passwords are kept as Argon2id hashes, made elsewhere."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pymongo import ReturnDocument
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who may sign in. `store` is the one that they see; without a `password` (a hash) they need a
    link first. `disabled` is since when they may not sign in any more.
    """

    id: UUID
    login: str
    name: str
    roles: tuple[str, ...]
    store: str
    created: dt.datetime
    password: str | None = None
    disabled: dt.datetime | None = None
    signed_in: dt.datetime | None = None


class People:
    """The `people` collection; it lives in the default store and covers all stores."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]]) -> None:
        self._collection = database["people"]

    async def create(self, person: Person) -> bool:
        """Store a new person; False if the login is taken."""
        try:
            await self._collection.insert_one(
                {
                    "_id": person.id,
                    "login": person.login,
                    "name": person.name,
                    "roles": list(person.roles),
                    "store": person.store,
                    "created": person.created,
                }
            )
        except DuplicateKeyError:
            return False
        return True

    async def get(self, identity: UUID) -> Person | None:
        row = await self._collection.find_one({"_id": identity})
        return _person(row) if row else None

    async def by_login(self, login: str) -> Person | None:
        row = await self._collection.find_one({"login": login})
        return _person(row) if row else None

    async def list(self) -> list[Person]:
        """Everybody, disabled people included, oldest first."""
        return [_person(row) async for row in self._collection.find().sort([("created", 1), ("_id", 1)])]

    async def set_password(self, identity: UUID, password: str) -> Person | None:
        """Replace the hash; None if there is nobody by that id who may sign in."""
        return await self._change({"_id": identity, "disabled": None}, {"$set": {"password": password}})

    async def set_roles(self, identity: UUID, roles: tuple[str, ...]) -> Person | None:
        """Replace the roles; they count from the next request on."""
        return await self._change({"_id": identity}, {"$set": {"roles": list(roles)}})

    async def disable(self, identity: UUID, now: dt.datetime) -> Person | None:
        """Let somebody not sign in any more. Twice changes nothing."""
        await self._collection.update_one({"_id": identity, "disabled": None}, {"$set": {"disabled": now}})
        return await self.get(identity)

    async def enable(self, identity: UUID) -> Person | None:
        return await self._change({"_id": identity}, {"$unset": {"disabled": ""}})

    async def note_sign_in(self, identity: UUID, now: dt.datetime) -> None:
        await self._collection.update_one({"_id": identity}, {"$max": {"signed_in": now}})

    async def _change(self, which: dict[str, Any], change: dict[str, Any]) -> Person | None:
        row = await self._collection.find_one_and_update(which, change, return_document=ReturnDocument.AFTER)
        return _person(row) if row else None


def _person(row: dict[str, Any]) -> Person:
    return Person(
        id=row["_id"],
        login=row["login"],
        name=row["name"],
        roles=tuple(row["roles"]),
        store=row["store"],
        created=row["created"],
        password=row.get("password"),
        disabled=row.get("disabled"),
        signed_in=row.get("signed_in"),
    )
