"""What statements mean to each other: references followed by filters, and voiding.

A list filter also finds a statement whose StatementRef leads, over any number of steps, to one that matches
(xAPI 1.0.3 Communication 2.1.3), so a referring statement carries the match keys of its whole chain: merged
into its own for the index, and link by link in `chain`, so that several filters are answered by one link. A
statement is voided exactly if a voiding statement refers to it and it does not itself void (1.0.3 Data
2.3.2), whatever came first.

Of a chain, the first `MAX_LINKS` statements and `MAX_KEYS` keys count: real ones have a few, and without an
end one request could make every document of a long chain hold all others.

`link` runs after a commit and before its acknowledgement. Of two statements that arrive together, the one
that commits last finds the other, so each pair is linked by at least one of them; doing it twice changes
nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from pymongo import UpdateOne
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import BulkWriteError

from gateway.store.indexes import STATEMENT_KEYS
from gateway.store.statements import TOO_LARGE

_LINKED = {"ref": 1, "voids": 1, "voided": 1, "chain": 1, **dict.fromkeys(STATEMENT_KEYS, 1)}
Row = dict[str, Any]

MAX_LINKS = 64
MAX_KEYS = 1000  # MongoDB takes minutes to exchange tens of thousands in one document
_AT_ONCE = 500  # chains computed and written before others get their turn


class Links:
    """References among the statements of one store."""

    def __init__(self, database: AsyncDatabase[dict[str, Any]]) -> None:
        self._statements = database["statements"]

    async def link(self, ids: Sequence[UUID], *, referring: bool) -> None:
        """Bring chains and voiding up to date for statements just stored, and for all that refer to them.

        `referring` says whether any of `ids` has a StatementRef as its object.
        """
        while True:
            touched = {row["_id"]: row async for row in self._referrers(ids)}
            if referring:
                own = self._statements.find({"_id": {"$in": list(ids)}, "ref": {"$exists": True}}, _LINKED)
                touched |= {row["_id"]: row async for row in own}
            if not touched:
                return
            await self._void(touched.values())
            if await self._rechain(touched):
                return

    def _referrers(self, ids: Iterable[UUID]) -> Any:
        return self._statements.find({"ref": {"$in": list(ids)}}, _LINKED)

    async def _void(self, rows: Iterable[Row]) -> None:
        targets = [row["ref"] for row in rows if row.get("voids")]
        if targets:
            await self._statements.update_many(
                {"_id": {"$in": targets}, "voids": {"$exists": False}, "voided": {"$exists": False}},
                {"$set": {"voided": True}},
            )

    async def _rechain(self, touched: dict[UUID, Row]) -> bool:
        """Write the chains; False if another process changed one meanwhile: read all again."""
        # Upwards: whoever refers to a changed chain has a changed chain. `touched` ends cycles.
        frontier = list(touched)
        for _ in range(MAX_LINKS):
            if not frontier:
                break
            found = [row async for row in self._referrers(frontier) if row["_id"] not in touched]
            touched |= {row["_id"]: row for row in found}
            frontier = [row["_id"] for row in found]
        # Downwards: everything the touched ones lead to.
        known = dict(touched)
        missing = {row["ref"] for row in touched.values()} - known.keys()
        for _ in range(MAX_LINKS):
            if not missing:
                break
            found = [row async for row in self._statements.find({"_id": {"$in": list(missing)}}, _LINKED)]
            known |= {row["_id"]: row for row in found}
            missing = {row["ref"] for row in found if "ref" in row} - known.keys()
        rows, unchanged = list(touched.values()), True
        for start in range(0, len(rows), _AT_ONCE):
            unchanged = await self._write(rows[start : start + _AT_ONCE], known) and unchanged
        return unchanged

    async def _write(self, rows: Iterable[Row], known: Mapping[UUID, Row]) -> bool:
        updates = []
        for row in rows:
            change = _chained(row, known)
            if change:
                before = row.get("chain", {"$exists": False})
                updates.append(UpdateOne({"_id": row["_id"], "chain": before}, {"$set": change}))
        if not updates:
            return True
        try:
            result = await self._statements.bulk_write(updates, ordered=False)
        except BulkWriteError as error:
            too_large = [item for item in error.details["writeErrors"] if item["code"] in TOO_LARGE]
            if len(too_large) < len(error.details["writeErrors"]) or error.details["writeConcernErrors"]:
                raise
            # A statement that fills its document has no room for a chain, and is found by its own keys.
            return bool(error.details["nMatched"] + len(too_large) == len(updates))
        return result.matched_count == len(updates)


def _own(row: Row) -> Row:
    """The keys of the statement itself: the first link of its chain, once it has one."""
    chain = row.get("chain")
    return chain[0] if chain else {key: row[key] for key in STATEMENT_KEYS if key in row}


def _count(link: Row) -> int:
    return sum(map(len, link.values()))


def _chained(row: Row, known: Mapping[UUID, Row]) -> Row | None:
    """The `chain` and merged keys of a referring statement, or None where they are right already."""
    chain, seen = [_own(row)], {row["_id"]}
    target = known.get(row["ref"])
    room = MAX_KEYS - _count(chain[0])
    while target is not None and target["_id"] not in seen and len(chain) < MAX_LINKS:
        link = _own(target)
        room -= _count(link)
        if room < 0:
            break
        seen.add(target["_id"])
        chain.append(link)
        target = known.get(target["ref"]) if "ref" in target else None
    if len(chain) == 1 or row.get("chain") == chain:
        return None
    merged = {
        key: values
        for key in STATEMENT_KEYS
        if (values := list(dict.fromkeys(value for link in chain for value in link.get(key, ()))))
    }
    return {"chain": chain, **merged}
