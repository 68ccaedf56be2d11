"""Statements in and out: the one way in for clients, adapters and cmi5, the one way out for every reader."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol, TypeAlias
from uuid import UUID

from gateway.cmi5.conflicts import concern
from gateway.errors import BadRequest, Conflict, GatewayError, Invalid, NotFound, TooLarge
from gateway.services.access import Grant, Scope
from gateway.services.commit import Committer, Write
from gateway.services.entries import (
    Origin,
    PreparedEntry,
    Stamp,
    content,
    prepared_entries,
    prepared_entry,
    stamp_prepared,
)
from gateway.services.knowledge import Knowledge
from gateway.store.attachments import Attachment
from gateway.store.row_filters import RowFilter
from gateway.store.statements import Entry, Lineage, Page, Selection, StoredStatement
from gateway.store.store import Store
from gateway.store.transactions import Also, Transaction
from gateway.xapi import strict_json, validation
from gateway.xapi.attachments import Attached, check_without_parts, declares, match, stored_hashes
from gateway.xapi.comparison import same_statement
from gateway.xapi.multipart import Part
from gateway.xapi.queries import Position, StatementsQuery
from gateway.xapi.signatures import check_signatures
from gateway.xapi.versions import Version

_SETTLE_SECONDS = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A request's statements as JSON, and the further parts of a multipart request (None: plain JSON)."""

    body: bytes
    parts: Sequence[Part] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Insertion:
    """A statement of the gateway's own, stored right behind the request's statement of that index.

    `bound` is the id of a statement of the request: if that was stored before, nothing is inserted.
    """

    after: int
    statement: dict[str, Any]
    origin: Origin
    bound: UUID | None = None


Accept: TypeAlias = Callable[[Any, Sequence[Insertion], Also | None], Awaitable[list[str]]]
"""Stores the statements of a request (one or a list) with insertions and further changes; their ids."""


class Gate(Protocol):
    """Judges the statements of an AU before anything else is done with them."""

    async def admit(self, grant: Grant, value: Any, accept: Accept) -> list[str]: ...


class Watch(Protocol):
    """Stores statements of others that concern registrations, with what the LMS has to say to them."""

    async def watch(self, value: Any, accept: Accept) -> list[str]: ...


Recorded: TypeAlias = list[str] | BaseException
"""What became of a request: the ids of its statements, or why they are not stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One page, where the next one starts, and up to when nothing is missing from it (µs)."""

    page: Page
    position: Position | None
    through: int


class Statements:
    """The statements of one store."""

    def __init__(
        self,
        store: Store,
        committer: Committer,
        knowledge: Knowledge,
        gate: Gate,
        watch: Watch,
        *,
        page_size: int,
        page_bytes: int,
        max_statements: int,
    ) -> None:
        self._store = store
        self._committer = committer
        self._knowledge = knowledge
        self._gate = gate
        self._watch = watch
        self._page_size = page_size
        self._page_bytes = page_bytes
        self._max_statements = max_statements

    # -- storing -----------------------------------------------------------------------------------------

    async def put(self, grant: Grant, version: Version, statement_id: UUID, sent: Sent) -> None:
        """PUT: one statement under an id given by the client; raises Invalid or Conflict."""
        grant.require(Scope.STATEMENTS_WRITE)
        parsed = strict_json.parse(sent.body)
        statement = parsed.value
        if not isinstance(statement, dict):
            raise BadRequest("PUT takes one statement: a JSON object")
        if grant.session is None:  # an AU has to give its statements their id (cmi5 9.1)
            statement.setdefault("id", str(statement_id))
        given = statement.get("id", str(statement_id))
        if not isinstance(given, str) or given.lower() != str(statement_id):
            raise BadRequest(
                f"the statement's id {given!r} is not the statementId {str(statement_id)!r} of the request"
            )
        await self._take(grant, version, parsed, sent)

    async def post(self, grant: Grant, version: Version, sent: Sent) -> list[str]:
        """POST: one statement or an array, all or nothing; the ids in order. Raises Invalid or Conflict."""
        grant.require(Scope.STATEMENTS_WRITE)
        return await self._take(grant, version, strict_json.parse(sent.body), sent)

    async def record(
        self, origin: Origin, statements: Sequence[dict[str, Any]], *, also: Also | None = None
    ) -> list[str]:
        """Store statements made by the gateway itself, checked like all others. See `post`."""
        parsed, sent = _written(statements)
        if also is None:
            return await self._watched(origin, Version.V2, parsed, sent)
        return await self._accept(origin, Version.V2, parsed, sent, also=also)

    async def record_each(
        self, requests: Sequence[tuple[Origin, Sequence[dict[str, Any]]]]
    ) -> list[Recorded]:
        """`record` for requests that have nothing to do with one another: the ids or the error of each.

        Most of them are stored without a task of their own, which takes a tenth of their time.
        """
        results: list[Recorded] = [[] for _ in requests]
        plain: dict[int, list[PreparedEntry]] = {}
        others: dict[int, Callable[[], Awaitable[list[str]]]] = {}
        for index, (origin, statements) in enumerate(requests):
            try:
                parsed, sent = _written(statements)
                if concern(parsed.value):
                    others[index] = partial(self._watched, origin, Version.V2, parsed, sent)
                else:
                    plain[index], _ = self._checked(origin, Version.V2, parsed, sent)
            except Exception as error:  # belongs to this request only
                results[index] = error
        taken = await self._committer.write_each(
            [Write(entries=entries, stamp=stamp_prepared) for entries in plain.values()]
        )
        stored: dict[int, list[PreparedEntry]] = {}
        for (index, entries), ids in zip(plain.items(), taken, strict=True):
            if isinstance(ids, BaseException):
                results[index] = ids
            elif ids:
                others[index] = partial(self._kept, requests[index][0], entries, entries)
            else:
                stored[index] = entries
                results[index] = [entry.statement["id"] for entry in entries]
        for index, unlearnt in (await self._learnt(requests, stored)).items():
            results[index] = unlearnt
        found = await asyncio.gather(*(other() for other in others.values()), return_exceptions=True)
        for index, one in zip(others, found, strict=True):
            results[index] = one
        return results

    async def _learnt(
        self,
        requests: Sequence[tuple[Origin, Sequence[dict[str, Any]]]],
        stored: Mapping[int, Sequence[Entry]],
    ) -> dict[int, BaseException]:
        """Learn from what was stored of requests; the error, if there is one, by request."""
        errors: dict[int, BaseException] = {}
        for define in {requests[index][0].define for index in stored}:
            some = [index for index in stored if requests[index][0].define is define]
            try:
                statements = [entry.statement for index in some for entry in stored[index]]
                await self._knowledge.learn(statements, define=define)
            except Exception as error:  # belongs to those who taught
                errors |= dict.fromkeys(some, error)
        return errors

    async def _take(
        self, grant: Grant, version: Version, parsed: strict_json.Parsed, sent: Sent
    ) -> list[str]:
        origin = Origin.of(grant)
        if grant.session is None:
            return await self._watched(origin, version, parsed, sent)
        accept = self._accepting(origin, version, parsed, sent)
        return await self._gate.admit(grant, parsed.value, accept)

    async def _watched(
        self, origin: Origin, version: Version, parsed: strict_json.Parsed, sent: Sent
    ) -> list[str]:
        if not concern(parsed.value):
            return await self._accept(origin, version, parsed, sent)
        return await self._watch.watch(parsed.value, self._accepting(origin, version, parsed, sent))

    def _accepting(self, origin: Origin, version: Version, parsed: strict_json.Parsed, sent: Sent) -> Accept:
        async def accept(value: Any, insertions: Sequence[Insertion], also: Also | None) -> list[str]:
            judged = replace(parsed, value=value)
            return await self._accept(origin, version, judged, sent, insertions=insertions, also=also)

        return accept

    async def _accept(
        self,
        origin: Origin,
        version: Version,
        parsed: strict_json.Parsed,
        sent: Sent,
        *,
        insertions: Sequence[Insertion] = (),
        also: Also | None = None,
    ) -> list[str]:
        entries, brought = self._checked(origin, version, parsed, sent)
        arranged = self._arranged(entries, insertions) if insertions else entries
        return await self._kept(origin, entries, arranged, brought, also)

    async def _kept(
        self,
        origin: Origin,
        entries: Sequence[Entry],
        arranged: Sequence[Entry],
        brought: Sequence[Attachment] = (),
        also: Also | None = None,
    ) -> list[str]:
        """Store valid statements, `arranged` with what goes in between, and learn from the new ones; ids."""
        stored = await self._store_with(brought, arranged, also)
        if stored:
            await self._knowledge.learn([entry.statement for entry in stored], define=origin.define)
        return [entry.statement["id"] for entry in entries]

    def _checked(
        self, origin: Origin, version: Version, parsed: strict_json.Parsed, sent: Sent
    ) -> tuple[list[PreparedEntry], list[Attachment]]:
        """Valid statements with the data that came with them; raises Invalid or TooLarge."""
        single = not isinstance(parsed.value, list)
        statements = [parsed.value] if single else parsed.value
        if len(statements) > self._max_statements:
            raise TooLarge(
                f"the request holds {len(statements)} statements; "
                f"at most {self._max_statements} are taken at once"
            )
        problems = (
            validation.check(statements[0], version)
            if single
            else validation.check_batch(statements, version)
        )
        if problems:
            raise Invalid(_summary(problems), problems=problems)
        brought = _attached(statements, parsed.value, sent)
        return prepared_entries(parsed, sent.body, origin, version), brought

    def _arranged(self, entries: Sequence[Entry], insertions: Sequence[Insertion]) -> Sequence[Entry]:
        arranged = list(entries)
        for insertion in reversed(insertions):
            entry = prepared_entry(
                insertion.statement, insertion.origin, Version.V2, suspect=True, bound=insertion.bound
            )
            arranged.insert(insertion.after + 1, entry)
        return arranged

    async def _store_with(
        self,
        brought: Sequence[Attachment],
        entries: Sequence[Entry],
        also: Also | None,
        stamp: Stamp = stamp_prepared,
    ) -> Sequence[Entry]:
        """`_store_all`, with the attachments in the transaction that stores their statements."""
        if not brought:
            return await self._store_all(entries, also, stamp)
        attachments = self._store.attachments
        files = await attachments.upload_large(brought)

        async def write(transaction: Transaction) -> None:
            await attachments.add(brought, files, transaction)
            if also is not None:
                await also(transaction)

        try:
            stored = await self._store_all(entries, write, stamp)
        except GatewayError:  # a refusal; after any other error the statements may be stored all the same
            await attachments.discard(files)
            raise
        await attachments.discard(files)
        return stored

    async def move(self, entry: PreparedEntry, brought: Sequence[Attachment], stamp: Stamp) -> bool:
        """Store one statement that was stored elsewhere, unless it is here already (then False), with the
        time that `stamp` gives it. It is not learnt from. Raises Conflict.
        """
        return bool(await self._store_with(brought, [entry], None, stamp))

    async def _store_all(self, entries: Sequence[Entry], also: Also | None, stamp: Stamp) -> Sequence[Entry]:
        """Store what is new; raises Conflict if an id is taken by a different statement."""
        pending = list(entries)
        while pending or also is not None:
            taken = await self._committer.write(Write(entries=pending, stamp=stamp, also=also))
            if not taken:
                break
            same = set()
            for entry in pending:
                if entry.id in taken and await self._is_same(entry):
                    same.add(entry.id)
            # Whoever stored them first may have been interrupted before linking them.
            await self._store.links.link(list(same), referring=True)
            pending = [entry for entry in pending if entry.id not in same and _bound(entry) not in same]
        return pending

    async def _is_same(self, entry: Entry) -> bool:
        """Whether the stored statement with this id says the same; False if it is gone. Raises Conflict."""
        stored = await self._store.statements.settled(entry.id)
        if stored is None:
            await asyncio.sleep(_SETTLE_SECONDS)
            return False
        if not same_statement(content(stored), entry.statement):
            raise Conflict(
                f"another statement is stored with the id {entry.statement['id']}; statements never change, "
                "so send this one with an id of its own"
            )
        return True

    # -- reading -----------------------------------------------------------------------------------------

    async def one(self, grant: Grant, query: StatementsQuery) -> StoredStatement:
        """The statement that `statement_id` or `voided_statement_id` names; raises NotFound."""
        rows = self._readable(grant)
        voided = query.voided_statement_id is not None
        statement_id = query.voided_statement_id or query.statement_id
        assert statement_id is not None, "the query's reader made sure of it"
        found = await self._store.statements.get(statement_id, rows)
        if found is None or found.voided != voided:
            kind = "voided statement" if voided else "statement"
            raise NotFound(f"there is no {kind} with the id {statement_id}")
        return found

    async def looked_up(self, grant: Grant, statement_id: UUID) -> tuple[StoredStatement, Lineage]:
        """A statement, voided or not, with where it came from; raises NotFound."""
        found = await self._store.statements.get(statement_id, self._readable(grant))
        lineage = await self._store.statements.lineage(statement_id) if found else None
        if found is None or lineage is None:
            raise NotFound(f"there is no statement with the id {statement_id}")
        return found, lineage

    async def list(self, grant: Grant, query: StatementsQuery, position: Position | None = None) -> Listed:
        """One page of the statements that match, from the start or behind `position`."""
        # Taken before the query: what becomes visible during it must not be promised. Later pages show
        # nothing that came after the first one, so they promise no more than it did.
        through = position.through if position else await self._store.writer.consistent_through()
        page = await self._store.statements.page(self._selection(grant, query, position))
        if query.attachments:
            page = await self._cut(page)
        following = None
        if page.more:
            last = page.statements[-1]
            bound = position.bound if position else await self._bound(query, page, through)
            following = Position(last.stored, last.id, bound, through)
        return Listed(page=page, position=following, through=through)

    async def _cut(self, page: Page) -> Page:
        """As much of a page as `page_bytes` of attachments come with, at least its first statement."""
        hashes = [stored_hashes(content(statement)) for statement in page.statements]
        lengths = await self._store.attachments.lengths({sha2 for each in hashes for sha2 in each})
        size = 0
        for number, each in enumerate(hashes):
            size += sum(lengths.pop(sha2, 0) for sha2 in each)  # data is sent once, whoever declares it
            if number and size > self._page_bytes:
                return Page(statements=page.statements[:number], more=True)
        return page

    async def _bound(self, query: StatementsQuery, page: Page, through: int) -> int:
        """The stored time that ends the list of which this is the first page."""
        if query.ascending:
            return max(through, await self._store.statements.latest())
        return page.statements[0].stored

    def _selection(self, grant: Grant, query: StatementsQuery, position: Position | None) -> Selection:
        rows = self._readable(grant)
        bounds = [bound for bound in (query.until, position.bound if position else None) if bound is not None]
        return Selection(
            keys=match_keys(query),
            since=query.since,
            until=min(bounds, default=None),
            ascending=query.ascending,
            limit=min(query.limit or self._page_size, self._page_size),
            max_bytes=self._page_bytes,
            after=(position.stored, position.statement_id) if position else None,
            rows=rows,
        )

    async def mentions(self, grant: Grant, activity: str) -> bool:
        """Whether a statement that the grant may read mentions an activity."""
        rows = self._readable(grant)
        selection = Selection(keys={"related_activities": activity}, rows=rows, limit=1)
        return bool((await self._store.statements.page(selection)).statements)

    @staticmethod
    def _readable(grant: Grant) -> tuple[RowFilter, ...]:
        """The row filters on what a grant may read; every read of statements goes through here."""
        grant.require(Scope.STATEMENTS_READ, Scope.STATEMENTS_READ_MINE, Scope.ALL_READ)
        if grant.registration is not None:  # an AU reads about its learner in its registration only
            assert grant.learner is not None, "a session has a learner"
            return (RowFilter(registrations=(str(grant.registration),), agents=(grant.learner,)),)
        rows = (grant.rows,) if grant.rows else ()
        if Scope.STATEMENTS_READ in grant.scopes:
            return rows
        return (*rows, RowFilter(sources=(f"credential:{grant.key}",)))


def _written(statements: Sequence[dict[str, Any]]) -> tuple[strict_json.Parsed, Sent]:
    """Statements made here as if they had been sent; raises Invalid."""
    try:
        sent = Sent(body=strict_json.dumps(statements))
    except TypeError as error:
        raise Invalid(f"a statement cannot be written as JSON: {error}") from error
    # Read back: what is prepared is a copy, and holds nothing that JSON cannot.
    return strict_json.parse(sent.body), sent


def _bound(entry: Entry) -> UUID | None:
    return entry.bound if isinstance(entry, PreparedEntry) else None


def match_keys(query: StatementsQuery) -> dict[str, str]:
    """The keys that a statement must have to match the filters of a query."""
    keys: dict[str, str] = {}
    if query.registration:
        keys["registrations"] = str(query.registration)
    if query.agent_key:
        keys["related_agents" if query.related_agents else "agents"] = query.agent_key
    if query.activity:
        keys["related_activities" if query.related_activities else "activities"] = query.activity
    if query.verb:
        keys["verbs"] = query.verb
    return keys


def _attached(statements: Sequence[dict[str, Any]], value: Any, sent: Sent) -> list[Attachment]:
    """The data that valid statements brought with them; raises Invalid."""
    if sent.parts is None and not any(map(declares, statements)):
        return []
    if sent.parts is None:
        check_without_parts(value)
        attached: Mapping[str, Attached] = {}
    else:
        attached = match(value, sent.parts)
    problems = [problem for statement in statements for problem in check_signatures(statement, attached)]
    if problems:
        raise Invalid(_summary(problems), problems=problems)
    return [Attachment(sha2, item.body) for sha2, item in attached.items()]


def _summary(problems: Sequence[Any]) -> str:
    first = problems[0]
    where = f"{first.path}: " if first.path else ""
    rest = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{where}{first.message}{rest}"
