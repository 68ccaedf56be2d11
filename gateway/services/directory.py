"""The directory for people: say who is who, read it, forget somebody. What waited for them is mapped at
once.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adapters.identity import PEOPLE
from gateway.errors import Invalid, Problem
from gateway.services.lookups import KEY, entry_id, normal
from gateway.services.privacy import PrivacyKeys
from gateway.store.deliveries import Deliveries
from gateway.store.directory import Directory as StoredDirectory
from gateway.store.directory import DirectoryEntry, EntryFilter
from gateway.xapi import strict_json
from gateway.xapi.datatypes import is_iri

_REQUIREMENT = "directory"
_TOGETHER = 1_000
_LONGEST = 1_000  # characters of a value
_LARGEST_FIELDS = 16 * 1024  # bytes of an entry's fields


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEntry:
    """An entry as somebody gives it: of a person (`account`) by kind and value, of another set by its key."""

    set: str
    kind: str
    value: str
    account: str | None = None
    home_page: str | None = None
    fields: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """What storing entries did; `released` deliveries waited for one of them."""

    entries: int
    new: int
    released: int


class Directory:
    """The directory of one store."""

    def __init__(
        self,
        stored: StoredDirectory,
        deliveries: Deliveries,
        keys: PrivacyKeys,
        *,
        clock: Callable[[], dt.datetime],
    ) -> None:
        self._stored = stored
        self._deliveries = deliveries
        self._keys = keys
        self._clock = clock

    async def put(self, entries: Sequence[NewEntry], *, source: str) -> Put:
        """Store entries, in the place of those that are there, and release what waits. Raises Invalid."""
        problems = [problem for index, entry in enumerate(entries) for problem in _problems(entry, index)]
        if problems:
            raise Invalid(f"{problems[0].path} {problems[0].message}", problems=problems[:100])
        new = released = 0
        for start in range(0, len(entries), _TOGETHER):
            part = [self._entry(one, source) for one in entries[start : start + _TOGETHER]]
            new += await self._stored.put(part)
            # After they are stored: who finds them missing before looks again when it begins to wait.
            released += await self._deliveries.release_waiting([one.id for one in part], self._clock())
        return Put(entries=len(entries), new=new, released=released)

    def _entry(self, entry: NewEntry, source: str) -> DirectoryEntry:
        fields = None if entry.fields is None else strict_json.dumps(entry.fields).decode()
        return DirectoryEntry(
            id=entry_id(self._keys, entry.set, entry.kind, entry.value),
            set=entry.set,
            kind=entry.kind,
            value=normal(entry.kind, entry.value),
            account=entry.account,
            home_page=entry.home_page,
            fields=fields,
            source=source,
            updated=self._clock(),
        )

    async def list(
        self, which: EntryFilter, *, limit: int, after: tuple[str, str, str] | None = None
    ) -> tuple[list[DirectoryEntry], bool]:
        """One page in the order of set, kind and value, and whether others follow."""
        found = await self._stored.list(self._narrowed(which), limit=limit + 1, after=after)
        return found[:limit], len(found) > limit

    async def forget(self, which: EntryFilter) -> int:
        """Delete entries; how many there were. What was mapped with them stays as it is."""
        return await self._stored.remove(self._narrowed(which))

    @staticmethod
    def _narrowed(which: EntryFilter) -> EntryFilter:
        if which.kind is None and which.value is None:
            return which
        value = None if which.value is None else normal(which.kind or "", which.value)
        return EntryFilter(set=which.set or PEOPLE, kind=which.kind, value=value, account=which.account)

    async def counts(self) -> dict[str, int]:
        """How many entries each set has."""
        return await self._stored.counts()


def entry_view(entry: DirectoryEntry) -> dict[str, Any]:
    """An entry as JSON."""
    shown: dict[str, Any] = {"set": entry.set, "kind": entry.kind, "value": entry.value}
    if entry.account is not None:
        shown |= {"account": entry.account, "homePage": entry.home_page}
    if entry.fields is not None:
        shown["fields"] = strict_json.parse(entry.fields.encode()).value
    return shown | {"source": entry.source, "updated": entry.updated.isoformat().replace("+00:00", "Z")}


def entries_of_rows(rows: Iterable[Mapping[str, str]], columns: Sequence[str], of: str) -> Iterator[NewEntry]:
    """Entries of a table. Raises Invalid where the columns are not those of a directory.

    People: one row for each name they have (`kind`, `value`, `account`), or one for each person (`account`,
    and
    a column for each kind). `home_page` may stand beside it. Other sets: `key`, and a column for each field.
    """
    has = set(columns)
    if of != PEOPLE:
        if KEY not in has:
            raise _no_columns(columns, "key and a column for each field")
        for row in rows:
            fields = {name: row[name] for name in columns if name != KEY and row.get(name)}
            yield NewEntry(set=of, kind=KEY, value=row.get(KEY) or "", fields=fields)
        return
    if "account" not in has:
        raise _no_columns(columns, "account, and kind and value or a column for each kind, such as email")
    kinds = [name for name in columns if name not in ("account", "home_page")]
    long = {"kind", "value"} <= has
    for row in rows:
        account, home_page = row.get("account") or "", row.get("home_page") or None
        pairs = (
            [(row.get("kind") or "", row.get("value") or "")]
            if long
            else [(kind, row.get(kind) or "") for kind in kinds if (row.get(kind) or "").strip()]
        )
        for kind, value in pairs:
            yield NewEntry(set=PEOPLE, kind=kind, value=value, account=account, home_page=home_page)


def entries_of_csv(written: bytes, of: str) -> Iterator[NewEntry]:
    """Entries of a CSV file with a header, in UTF-8. Raises Invalid."""
    try:
        text = written.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Invalid(f"the table is not UTF-8 (byte {error.start})") from None
    first = text.split("\n", 1)[0]
    delimiter = ";" if first.count(";") > first.count(",") else ","
    try:
        table = csv.DictReader(io.StringIO(text), delimiter=delimiter, strict=True)
        columns = [name.strip() for name in table.fieldnames or ()]
        table.fieldnames = columns
        yield from entries_of_rows(_rows(table, columns), columns, of)
    except csv.Error as error:
        raise Invalid(f"the table cannot be read: {error}") from None


def _rows(table: csv.DictReader[str], columns: Sequence[str]) -> Iterator[dict[str, str]]:
    for row in table:
        if None in row or None in row.values():
            raise Invalid(f"line {table.line_num} has not {len(columns)} columns as the first one has")
        yield row


def _no_columns(columns: Sequence[str], wanted: str) -> Invalid:
    return Invalid(f"the columns are {', '.join(columns) or 'none'}; expected {wanted}")


def _problems(entry: NewEntry, index: int) -> Iterator[Problem]:
    def problem(field: str, message: str) -> Problem:
        return Problem(f"[{index}].{field}", _REQUIREMENT, message)

    for field, text in (("set", entry.set), ("kind", entry.kind), ("value", entry.value)):
        if not text.strip():
            yield problem(field, "holds nothing; expected a text")
        elif len(text) > _LONGEST:
            yield problem(field, f"has {len(text)} characters; expected at most {_LONGEST}")
    texts = {"set": entry.set, "kind": entry.kind, "value": entry.value, "account": entry.account or ""}
    for field, text in texts.items():
        if not text.isprintable():
            yield problem(field, f"holds {text[:60]!r}; expected a text without control characters")
    if entry.set == PEOPLE:
        if not (entry.account or "").strip():
            yield problem("account", "holds nothing; expected the name of the person's account")
        if entry.home_page is not None and not is_iri(entry.home_page):
            yield problem("homePage", f"holds {entry.home_page[:60]!r}; expected an IRI")
        if entry.fields is not None:
            yield problem("fields", "is for other sets than learners")
        return
    if entry.account is not None or entry.kind != KEY:
        yield problem("account", f"is for the set {PEOPLE}; an entry of {entry.set!r} has a key and fields")
    if entry.fields is None or len(strict_json.dumps(entry.fields)) > _LARGEST_FIELDS:
        yield problem("fields", "expected an object of at most 16 KiB")
