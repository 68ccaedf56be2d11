"""People who use the console. Passwords are kept as Argon2id hashes, made elsewhere."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from pymongo import ReturnDocument
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from gateway.store.transactions import Transaction, transact

_ADMINISTRATOR = "administrator"


@dataclass(frozen=True, slots=True)
class Subject:
    """Somebody at an identity provider; `id` is its `sub`."""

    issuer: str
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who may sign in. `store` is the one that they see; without a `password` (a hash) or a
    `subject` they need a link first. `disabled` is since when they may not sign in any more.

    With `follows`, an identity provider says at each sign-in which roles they have.
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
    subject: Subject | None = None
    follows: bool = False

    @property
    def has_way_in(self) -> bool:
        """Whether they can sign in without a link."""
        return self.disabled is None and (self.password is not None or self.subject is not None)


class LastAdministrator(Exception):
    """Without this person nobody could manage people any more."""


class People:
    """The `people` collection; it lives in the default store and covers all stores."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]]) -> None:
        self._collection = database["people"]
        self._client = database.client

    async def create(self, person: Person) -> bool:
        """Store a new person; False if the login is taken, or somebody has their subject."""
        row: dict[str, Any] = {
            "_id": person.id,
            "login": person.login,
            "name": person.name,
            "roles": list(person.roles),
            "store": person.store,
            "created": person.created,
        }
        if person.subject is not None:
            row |= {"subject": asdict(person.subject), "follows": person.follows}
        try:
            await self._collection.insert_one(row)
        except DuplicateKeyError:
            return False
        return True

    async def get(self, identity: UUID) -> Person | None:
        row = await self._collection.find_one({"_id": identity})
        return _person(row) if row else None

    async def by_login(self, login: str) -> Person | None:
        row = await self._collection.find_one({"login": login})
        return _person(row) if row else None

    async def by_subject(self, subject: Subject) -> Person | None:
        row = await self._collection.find_one({"subject.issuer": subject.issuer, "subject.id": subject.id})
        return _person(row) if row else None

    async def bind(self, identity: UUID, subject: Subject, *, invited: bool = False) -> bool:
        """Let somebody be who a provider says they are; False if another person is. With `invited` only
        somebody who has no other way in.
        """
        which: dict[str, Any] = {"_id": identity}
        if invited:
            which |= {"password": None, "subject": None, "disabled": None}
        try:
            change = {"$set": {"subject": asdict(subject), "follows": False}}
            return (await self._collection.update_one(which, change)).matched_count == 1
        except DuplicateKeyError:
            return False

    async def unbind(self, identity: UUID) -> Person | None:
        """Let somebody not come from a provider any more."""
        return await self._change({"_id": identity}, {"$unset": {"subject": "", "follows": ""}})

    async def list(self) -> list[Person]:
        """Everybody, disabled people included, oldest first."""
        return [_person(row) async for row in self._collection.find().sort([("created", 1), ("_id", 1)])]

    async def set_password(self, identity: UUID, password: str) -> Person | None:
        """Replace the hash; None if there is nobody by that id who may sign in."""
        return await self._change({"_id": identity, "disabled": None}, {"$set": {"password": password}})

    async def set_roles(
        self, identity: UUID, roles: tuple[str, ...], *, follows: bool = False
    ) -> Person | None:
        """Replace the roles; they count from the next request on. Raises LastAdministrator, unless a provider
        says so (`follows`).
        """
        change = {"$set": {"roles": list(roles), "follows": follows}}
        if follows or _ADMINISTRATOR in roles:
            return await self._change({"_id": identity}, change)
        return await self._change_keeping_one(identity, change)

    async def disable(self, identity: UUID, now: dt.datetime) -> Person | None:
        """Let somebody not sign in any more. Twice changes nothing. Raises LastAdministrator."""
        person = await self.get(identity)
        if person is None or person.disabled is not None:
            return person
        return await self._change_keeping_one(identity, {"$set": {"disabled": now}})

    async def enable(self, identity: UUID) -> Person | None:
        return await self._change({"_id": identity}, {"$unset": {"disabled": ""}})

    async def note_sign_in(self, identity: UUID, now: dt.datetime) -> None:
        await self._collection.update_one({"_id": identity}, {"$max": {"signed_in": now}})

    async def _change_keeping_one(self, identity: UUID, change: dict[str, Any]) -> Person | None:
        """Change somebody, unless they are the last administrator.

        The others are written to as well, so that of two administrators who remove each other one is in the
        way of the other, and looks again.
        """
        found: list[Person | None] = []

        async def write(transaction: Transaction) -> None:
            row = await self._collection.find_one({"_id": identity}, session=transaction)
            person = _person(row) if row else None
            if person is not None and person.disabled is None and _ADMINISTRATOR in person.roles:
                others = {
                    "_id": {"$ne": identity},
                    "roles": _ADMINISTRATOR,
                    "disabled": None,
                    "$or": [{"password": {"$ne": None}}, {"subject": {"$ne": None}}],
                }
                counted = await self._collection.update_many(
                    others, {"$inc": {"remained": 1}}, session=transaction
                )
                if counted.matched_count == 0:
                    raise LastAdministrator
            after = await self._collection.find_one_and_update(
                {"_id": identity}, change, return_document=ReturnDocument.AFTER, session=transaction
            )
            found.append(_person(after) if after else None)

        await transact(self._client, write)
        return found[-1]

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
        subject=Subject(**row["subject"]) if row.get("subject") else None,
        follows=bool(row.get("follows")),
    )
