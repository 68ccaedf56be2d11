"""Many learners at once, from a table: all of it is checked before anything is written."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid5

from gateway.cmi5.overrides import Overrides
from gateway.errors import Invalid, Problem
from gateway.services.courses import Courses, check_tags
from gateway.services.registrations import Enrolment, Registrations, check_learner, learner_key
from gateway.services.working import together
from gateway.store.store import Store
from gateway.xapi.datatypes import is_uuid
from gateway.xapi.findings import shown

COLUMNS = ("account", "homePage", "name", "id", "tags")
MOST_ROWS = 100_000
_MOST_PROBLEMS = 200
_AT_ONCE = 16
_LOOKED_UP_AT_ONCE = 1000

# Told how many rows are done, and of how many.
Tell = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One learner of the table; `id` is None where the table leaves it to the gateway."""

    line: int
    actor: dict[str, Any]
    id: UUID | None
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolled:
    """What became of a row: `new`, or a registration that the learner had already."""

    line: int
    account: str
    registration: UUID
    new: bool


@dataclass(slots=True)
class _Table:
    """The rows that can be used, and what is wrong with the others."""

    rows: list[Row] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def wrong(self, line: int, column: str, message: str) -> None:
        where = f"line {line}" + (f", {column}" if column else "")
        self.problems.append(Problem(where, "enrolment table", message))

    def finish(self) -> list[Row]:
        if self.problems:
            count = len(self.problems)
            found = f"{count} problems" if count > 1 else "1 problem"
            first = self.problems[0]
            raise Invalid(
                f"nobody was enrolled; the table has {found}: {first.path}: {first.message}",
                problems=self.problems[:_MOST_PROBLEMS],
            )
        return self.rows


class Enrolments:
    """Enrols the learners of a table in a course of one store."""

    def __init__(
        self, store: Store, courses: Courses, registrations: Registrations, *, namespace: UUID
    ) -> None:
        self._store = store
        self._courses = courses
        self._registrations = registrations
        self._namespace = namespace

    async def enrol(
        self,
        course: UUID,
        content: bytes,
        *,
        home_page: str | None = None,
        dry_run: bool = False,
        tell: Tell | None = None,
    ) -> list[Enrolled]:
        """Register everybody in the table who is not registered yet; the outcome of each row, in order.

        `home_page` is that of accounts whose row names none. Raises NotFound, and Invalid with every problem
        of every line; then nothing is written. A repetition goes on where an interruption left off.
        """
        await self._courses.get(course)
        table = read_table(content, home_page)
        await self._check_ids(course, table)
        rows = table.finish()
        present = await self._present(course, rows)
        done = 0

        async def one(row: Row) -> Enrolled:
            nonlocal done
            key = learner_key(row.actor)
            known = present.get(key) if row.id is None else None
            identity = known or row.id or uuid5(self._namespace, f"enrolment {course} {key}")
            new = known is None
            if new and not dry_run:
                enrolment = Enrolment(
                    course=course, actor=row.actor, id=identity, overrides=Overrides(), tags=row.tags
                )
                _, new = await self._registrations.create(enrolment)
            elif new:
                new = await self._store.registrations.get(identity) is None
            done += 1
            if tell is not None:
                tell(done, len(rows))
            account = row.actor["account"]["name"]
            return Enrolled(line=row.line, account=account, registration=identity, new=new)

        waiting = iter(rows)

        async def work() -> list[Enrolled]:
            return [await one(row) for row in waiting]

        outcomes = await together(work() for _ in range(_AT_ONCE))
        return sorted((each for some in outcomes for each in some), key=lambda each: each.line)

    async def _check_ids(self, course: UUID, table: _Table) -> None:
        named = {row.id: row for row in table.rows if row.id is not None}
        for ids in _chunks(list(named)):
            for identity, present in (await self._store.registrations.several(ids)).items():
                row = named[identity]
                if present.course != course:
                    table.wrong(row.line, "id", f"the registration {identity} is for another course")
                elif present.actor_key != learner_key(row.actor):
                    table.wrong(row.line, "id", f"the registration {identity} is of another learner")

    async def _present(self, course: UUID, rows: Sequence[Row]) -> dict[str, UUID]:
        keys = [learner_key(row.actor) for row in rows if row.id is None]
        present: dict[str, UUID] = {}
        for some in _chunks(keys):
            present |= await self._store.registrations.of_learners(course, some)
        return present


def read_table(content: bytes, home_page: str | None = None) -> _Table:
    """The learners of a CSV in UTF-8 with a first line of column names, separated by comma, semicolon or tab.

    `account` and, unless `home_page` is given, `homePage` have to be there; `name`, `id` and `tags` (by
    semicolon, or by `|` where that separates columns) may be.
    """
    table = _Table()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        table.wrong(line, "", "is not UTF-8; save the table as 'CSV UTF-8'")
        return table
    separator = _separator(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        names = [name.strip() for name in next(reader, [])]
        if not _check_header(table, names, home_page):
            return table
        seen: dict[str, int] = {}
        while (cells := next(reader, None)) is not None:
            line = reader.line_num
            if any(cell.strip() for cell in cells):
                _read_row(table, line, names, cells, home_page, seen)
            if len(table.rows) > MOST_ROWS:
                table.wrong(line, "", f"is one too many; at most {MOST_ROWS} learners are enrolled at once")
                break
    except csv.Error as error:
        table.wrong(reader.line_num, "", f"cannot be read: {error}")
    if not table.rows and not table.problems:
        table.wrong(1, "", "is followed by no learner")
    return table


def _separator(text: str) -> str:
    header = text.partition("\n")[0]
    return max(",;\t", key=header.count) if any(mark in header for mark in ",;\t") else ","


def _check_header(table: _Table, names: list[str], home_page: str | None) -> bool:
    needed = ["account"] if home_page is not None else ["account", "homePage"]
    for name in names:
        if name not in COLUMNS:
            table.wrong(1, name, f"is no column of this table; it takes {', '.join(COLUMNS)}")
        elif names.count(name) > 1:
            table.wrong(1, name, "is there more than once")
    for name in needed:
        if name not in names:
            table.wrong(1, name, "is missing; the first line names the columns")
    return not table.problems


def _read_row(
    table: _Table,
    line: int,
    names: list[str],
    cells: list[str],
    home_page: str | None,
    seen: dict[str, int],
) -> None:
    if len(cells) > len(names):
        table.wrong(line, "", f"has {len(cells)} cells; the first line names {len(names)} columns")
        return
    given = dict(zip(names, (cell.strip() for cell in cells), strict=False))
    account = {"homePage": given.get("homePage") or home_page or "", "name": given.get("account", "")}
    actor: dict[str, Any] = {"objectType": "Agent", "account": account}
    if given.get("name"):
        actor["name"] = given["name"]
    before = len(table.problems)
    if not account["name"]:
        table.wrong(line, "account", "is empty")
    else:
        for problem in check_learner(actor):
            column = {"name": "account"}.get(problem.path.rpartition(".")[2], "homePage")
            table.wrong(line, column, problem.message)
    identity = given.get("id") or None
    if identity is not None and not is_uuid(identity):
        table.wrong(line, "id", f"holds {shown(identity)}; expected a UUID")
    tags: list[str] = []
    try:
        texts = (given.get("tags") or "").replace("|", ";").split(";")
        tags = check_tags([text for text in texts if text.strip()])
    except Invalid as error:
        table.wrong(line, "tags", error.problems[0].message)
    if len(table.problems) > before:
        return
    key = learner_key(actor) if identity is None else f"id {identity.lower()}"
    if key in seen:
        column = "account" if identity is None else "id"
        table.wrong(line, column, f"is in line {seen[key]} already")
        return
    seen[key] = line
    table.rows.append(
        Row(line=line, actor=actor, id=None if identity is None else UUID(identity), tags=tuple(tags))
    )


def _chunks(values: list[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(values), _LOOKED_UP_AT_ONCE):
        yield values[start : start + _LOOKED_UP_AT_ONCE]
