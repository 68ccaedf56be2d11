"""Statements in MongoDB: written in groups, read by id or as ordered pages.

A document is `{_id, statement, stored, <match keys>, ref?, voids?, voided?, source, delivery?, raw?}`.
Conflicts are decided by the unique `_id`; references between statements are kept by `links`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from struct import Struct
from typing import Any, Final, NamedTuple, cast
from uuid import UUID

from bson import decode_all
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import BulkWriteError, DocumentTooLarge
from pymongo.read_concern import ReadConcern

from gateway.errors import TooLarge
from gateway.store.encoding import encodable, holdable, nearest, outline
from gateway.store.indexes import LEADING, STATEMENT_KEYS, statement_index
from gateway.store.inserting import DUPLICATE_KEY, taken_positions
from gateway.store.row_filters import RowFilter, itself
from gateway.store.transactions import Also, Transaction, transact

_BATCH = 500
_LENGTH = Struct("<i")  # what a BSON document begins with
# A document beyond 16 MiB, before and after an update; more index entries than the server's cache can take.
TOO_LARGE = frozenset((10334, 17419, 388))


class Keys(NamedTuple):
    """What a statement is found by (xAPI 1.0.3 Communication 2.1.3); `related_*` include the narrow keys.

    In the order of `STATEMENT_KEYS`.
    """

    registrations: Sequence[str] = ()
    agents: Sequence[str] = ()
    activities: Sequence[str] = ()
    related_activities: Sequence[str] = ()
    related_agents: Sequence[str] = ()
    verbs: Sequence[str] = ()

    def document(self) -> dict[str, Sequence[str]]:
        return {key: values for key, values in zip(STATEMENT_KEYS, self, strict=True) if values}


assert Keys._fields == STATEMENT_KEYS


@dataclass(slots=True, kw_only=True)
class Entry:
    """One statement on its way into the store. `stamp` is called with its stored time when it is written."""

    id: UUID
    statement: dict[str, Any]
    keys: Keys
    source: Mapping[str, Any]
    ref: UUID | None = None
    voids: bool = False
    delivery: UUID | None = None
    text: bytes | None = None  # the exact JSON, given for a suspect statement when it is stamped
    suspect: bool = False  # BSON might not hold it exactly
    fresh_id: bool = False  # the id was made here, so nothing can refer to it yet
    stored: int = 0

    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = {"_id": self.id, "statement": self.statement, "stored": self.stored}
        document |= self.keys.document()
        document["source"] = self.source
        if self.ref is not None:
            document["ref"] = self.ref
        if self.voids:
            document["voids"] = True
        if self.delivery is not None:
            document["delivery"] = self.delivery
        if self.suspect and not (holdable(self.statement) and encodable(document)):
            document |= {"statement": nearest(self.statement), "raw": (self.text or b"").decode()}
            if not encodable(document):
                document["statement"] = outline(self.statement)
                if not encodable(document):
                    raise _too_large()
        return document


class StoredStatement(NamedTuple):
    """One statement as it is served: as `text` where `statement` is only its nearest form."""

    statement: dict[str, Any]
    stored: int
    text: str | None = None
    voided: bool = False

    @property
    def id(self) -> UUID:
        return UUID(self.statement["id"])


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementOrigin:
    """The adapter and the delivery by which a statement came, if a mapping made it."""

    adapter: str | None
    delivery: UUID | None
    voided: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """Where a stored statement came from and what it hangs together with.

    `source` names a credential, an adapter with its `revision`, an AU session or the gateway's own part;
    `refers` is the statement it refers to, `referrers` are some that refer to it, `voided` whether one of
    them voids it.
    """

    source: Mapping[str, Any]
    delivery: UUID | None
    refers: UUID | None
    referrers: Sequence[UUID]
    voided: bool
    voided_by: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Statements in stored order, and whether the list goes on behind them."""

    statements: list[StoredStatement]
    more: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """A list of statements: which keys they must have, which part of the stored order, how many.

    `keys` are all required of one and the same statement: the listed one or one that it refers to. `since` is
    exclusive, `until` inclusive, both in microseconds; `after` is the (stored, id) that the page starts
    behind. A page has at most `limit` statements and ends before the one that makes it larger than
    `max_bytes` (as BSON, which is about the size of its JSON), but never before its first. `rows` limit the
    list to what may be read; then keys are required of the listed statement itself, so that a reference tells
    nothing of a statement that may not be read. `voided` includes voided statements.
    """

    keys: Mapping[str, str] = field(default_factory=dict)
    since: int | None = None
    until: int | None = None
    ascending: bool = False
    limit: int = 100
    max_bytes: int = 16 * 1024 * 1024
    after: tuple[int, UUID] | None = None
    rows: Sequence[RowFilter] = ()
    voided: bool = False

    def filter(self) -> dict[str, Any]:
        conditions: list[dict[str, Any]] = [] if self.voided else [{"voided": {"$exists": False}}]
        conditions += [{key: value} for key, value in self.keys.items()]
        if self.keys and self.rows:
            conditions.append(itself(self.keys))
        elif len(self.keys) > 1:
            # The keys of a chain of references are merged for the index; only one link may answer for all.
            conditions.append(
                {"$or": [{"chain": {"$exists": False}}, {"chain": {"$elemMatch": dict(self.keys)}}]}
            )
        stored: dict[str, int] = {}
        if self.since is not None:
            stored["$gt"] = self.since
        if self.until is not None:
            stored["$lte"] = self.until
        if self.after is not None:
            time, identity = self.after
            if self.ascending:
                beyond, bound = "$gt", ("$gte", max(time, stored.pop("$gt", time - 1) + 1))
            else:
                beyond, bound = "$lt", ("$lte", min(time, stored.pop("$lte", time)))
            stored[bound[0]] = bound[1]
            conditions.append(
                {"$or": [{"stored": {beyond: time}}, {"stored": time, "_id": {beyond: identity}}]}
            )
        if stored:
            conditions.append({"stored": stored})
        for rows in self.rows:
            conditions += rows.conditions()
        return {"$and": conditions} if conditions else {}

    @property
    def index(self) -> str:
        fields = {*self.keys}.union(*(rows.leads for rows in self.rows))
        return statement_index(next((field for field in LEADING if field in fields), None))


class Statements:
    """The `statements` collection of one store."""

    # Not `_id`: the statement says it, and reading a UUID from BSON costs as much as a tenth of a statement.
    _SERVED: Final = {"_id": 0, "statement": 1, "stored": 1, "raw": 1, "voided": 1}

    def __init__(self, database: AsyncDatabase[dict[str, Any]]) -> None:
        self._client = database.client
        self._collection = database["statements"]
        self._linearizable = self._collection.with_options(read_concern=ReadConcern("linearizable"))

    # -- commands ----------------------------------------------------------------------------------------

    async def insert_each(self, entries: Sequence[Entry]) -> set[UUID]:
        """Store what is not there yet; the ids that were taken. Each entry stands for itself.

        Raises TooLarge if the database cannot hold one of them; others may be stored then.
        """
        try:
            await self._collection.insert_many([entry.document() for entry in entries], ordered=False)
        except (BulkWriteError, DocumentTooLarge) as error:
            return _taken(_check_size(error), entries)
        return set()

    async def insert_all(self, entries: Sequence[Entry], also: Also | None = None) -> set[UUID]:
        """Store all or nothing in one transaction; the ids that were taken (then nothing was stored).

        `also` makes further changes in the same transaction; what it raises undoes everything.
        Raises TooLarge if the database cannot hold them.
        """
        documents = [entry.document() for entry in entries]
        taken: set[UUID] = set()

        async def write(transaction: Transaction) -> None:
            if also is not None:
                await also(transaction)
            if documents:
                try:
                    await self._collection.insert_many(documents, session=transaction)
                except BulkWriteError as error:
                    if DUPLICATE_KEY in _codes(error):
                        taken.update(_taken(error, entries))
                    raise

        try:
            await transact(self._client, write)
        except (BulkWriteError, DocumentTooLarge) as error:
            _check_size(error)
            if not taken:
                raise
            # The insert stopped at the first one, which a majority may not have yet; others are known by now.
            return taken | await self.existing(entry.id for entry in entries)
        return set()

    async def restamp(self, entries: Iterable[Entry]) -> None:
        """Give stored but unacknowledged statements the new times that their entries carry."""
        for entry in entries:
            document = entry.document()
            # The match keys may be those of a whole chain by now; the time changes nothing about them.
            changed = {key: document[key] for key in ("statement", "stored", "raw") if key in document}
            await self._collection.update_one({"_id": entry.id}, {"$set": changed})

    # -- queries -----------------------------------------------------------------------------------------

    async def existing(self, ids: Iterable[UUID]) -> set[UUID]:
        """Which of these ids are taken."""
        return {row["_id"] async for row in self._collection.find({"_id": {"$in": list(ids)}}, {"_id": 1})}

    async def get(self, statement_id: UUID, rows: Sequence[RowFilter] = ()) -> StoredStatement | None:
        """One statement, voided or not, if it is there and `rows` let it be read."""
        conditions = [condition for each in rows for condition in each.conditions()]
        row = await self._collection.find_one({"$and": [{"_id": statement_id}, *conditions]}, self._SERVED)
        return _stored(row) if row else None

    async def lineage(self, statement_id: UUID, *, most: int = 50) -> Lineage | None:
        """What is known of a statement beside what it says."""
        fields = {"source": 1, "delivery": 1, "ref": 1, "voided": 1}
        row = await self._collection.find_one({"_id": statement_id}, fields)
        if row is None:
            return None
        referring = self._collection.find({"ref": statement_id}, {"voids": 1}).sort("_id", 1).limit(most)
        referrers = [each async for each in referring.hint("by_ref")]
        return Lineage(
            source=row["source"],
            delivery=row.get("delivery"),
            refers=row.get("ref"),
            referrers=[each["_id"] for each in referrers],
            voided="voided" in row,
            voided_by=next((each["_id"] for each in referrers if each.get("voids")), None),
        )

    async def settled(self, statement_id: UUID) -> StoredStatement | None:
        """The statement that took an id, once a majority has it, so that it may be relied on."""
        # What a majority read finds is settled; only what it does not find yet is worth the slow way.
        row = await self._collection.find_one({"_id": statement_id}, self._SERVED)
        row = row or await self._linearizable.find_one({"_id": statement_id}, self._SERVED)
        return _stored(row) if row else None

    async def origins(self, ids: Iterable[UUID]) -> dict[UUID, StatementOrigin]:
        """Where stored statements came from, voided ones included."""
        rows = self._collection.find(
            {"_id": {"$in": list(ids)}}, {"source.adapter": 1, "delivery": 1, "voided": 1}
        )
        return {
            row["_id"]: StatementOrigin(
                adapter=row.get("source", {}).get("adapter"),
                delivery=row.get("delivery"),
                voided=row.get("voided", False),
            )
            async for row in rows
        }

    async def many(
        self, ids: Iterable[UUID], where: Mapping[str, Any] | None = None
    ) -> dict[UUID, StoredStatement]:
        """The statements with these ids, voided ones included, that `where` lets be seen."""
        cursor = self._collection.find({"_id": {"$in": list(ids)}, **(where or {})}, self._SERVED)
        return {stored.id: stored async for row in cursor for stored in (_stored(row),)}

    async def page(self, selection: Selection) -> Page:
        """One page of a list in stored order, never including voided statements unless asked to."""
        direction = 1 if selection.ascending else -1
        cursor = (
            self._collection.find_raw_batches(selection.filter(), self._SERVED)
            .sort([("stored", direction), ("_id", direction)])
            .hint(selection.index)
            .limit(selection.limit + 1)
            .batch_size(selection.limit + 1)
        )
        statements: list[StoredStatement] = []
        left = selection.max_bytes
        # Documents are counted and weighed while they are bytes: what is not served costs no decoding.
        async with cursor:
            async for batch in cast(AsyncIterator[bytes], cursor):
                end = _page_end(batch, selection.limit - len(statements), left, first=not statements)
                statements += map(_stored, decode_all(batch[:end], self._collection.codec_options))
                if end < len(batch):
                    return Page(statements=statements, more=True)
                left -= end
        return Page(statements=statements, more=False)

    async def stream(self, selection: Selection) -> AsyncIterator[StoredStatement]:
        """All of a list in stored order, whatever its limit, holding one batch of it in memory."""
        direction = 1 if selection.ascending else -1
        cursor = (
            self._collection.find(selection.filter(), self._SERVED)
            .sort([("stored", direction), ("_id", direction)])
            .hint(selection.index)
            .batch_size(_BATCH)
        )
        async with cursor:
            async for row in cursor:
                yield _stored(row)

    async def explain(self, selection: Selection) -> dict[str, Any]:
        """The server's own account of how it would run `page` (to prove that nothing scans)."""
        direction = 1 if selection.ascending else -1
        cursor = (
            self._collection.find(selection.filter(), self._SERVED)
            .sort([("stored", direction), ("_id", direction)])
            .hint(selection.index)
            .limit(selection.limit + 1)
        )
        return dict(await cursor.explain())

    async def ids_since(self, stored: int, size: int = 1000) -> AsyncIterator[list[UUID]]:
        """The ids of everything stored later than `stored`, in chunks."""
        cursor = self._collection.find({"stored": {"$gt": stored}}, {"_id": 1}).hint(statement_index(None))
        chunk: list[UUID] = []
        async for row in cursor:
            chunk.append(row["_id"])
            if len(chunk) == size:
                yield chunk
                chunk = []
        if chunk:
            yield chunk

    async def latest(self) -> int:
        """The latest stored time there is, 0 without statements."""
        row = await self._collection.find_one({}, {"stored": 1}, sort=[("stored", -1), ("_id", -1)])
        return int(row["stored"]) if row else 0

    async def count(self) -> int:
        """About how many statements there are."""
        return await self._collection.estimated_document_count()


def _page_end(batch: bytes, limit: int, size: int, *, first: bool) -> int:
    """Where in a batch of BSON the documents end that fit into a page; with `first`, one always does."""
    end = 0
    while limit and end < len(batch):
        after = end + _LENGTH.unpack_from(batch, end)[0]
        if after > size and (end or not first):
            break
        end, limit = after, limit - 1
    return end


def _stored(row: Mapping[str, Any]) -> StoredStatement:
    return StoredStatement(
        statement=row["statement"], stored=row["stored"], text=row.get("raw"), voided="voided" in row
    )


def _check_size(error: BulkWriteError | DocumentTooLarge) -> BulkWriteError:
    """Raise TooLarge if this is about what the database can hold; else the error."""
    if isinstance(error, DocumentTooLarge) or _codes(error) & TOO_LARGE:
        raise _too_large() from None
    return error


def _too_large() -> TooLarge:
    return TooLarge(
        "a statement is too large for the database, which takes documents of 16 MiB: with it go the agents "
        "and activities that it is found by. Split it into several"
    )


def _codes(error: BulkWriteError) -> set[int]:
    return {item["code"] for item in error.details.get("writeErrors", ())}


def _taken(error: BulkWriteError, entries: Sequence[Entry]) -> set[UUID]:
    return {entries[index].id for index in taken_positions(error)}
