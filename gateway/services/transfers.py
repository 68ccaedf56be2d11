"""Statements into a store from NDJSON, as they were elsewhere: with their ids, authorities and stored times.

Every line stands for itself: it is stored, found to be here already, or rejected with everything wrong with
it. So an import that broke off is simply run again. Memory holds one batch of lines, whatever their number.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO
from uuid import UUID

from gateway.errors import Conflict, Problem, TooLarge
from gateway.services.attachment_files import AttachmentFiles
from gateway.services.entries import content
from gateway.services.knowledge import Knowledge
from gateway.services.lms import micros
from gateway.services.moves import Line, Manner, Move, Reason, Rejected, read_line
from gateway.services.statements import Statements
from gateway.services.working import together
from gateway.store.attachments import Attachment
from gateway.store.store import Store
from gateway.xapi.attachments import Attached, declared
from gateway.xapi.comparison import same_statement
from gateway.xapi.signatures import USAGE_TYPE, check_signatures

_BATCH_LINES = 1000
_BATCH_BYTES = 8 * 1024 * 1024
_ATTACHMENT = "xAPI 2.4.11"


@dataclass(slots=True, kw_only=True)
class Imported:
    """How many lines were stored, skipped because they are here already, and rejected."""

    stored: int = 0
    skipped: int = 0
    rejected: int = 0
    conflicts: int = 0  # of the rejected ones
    attachments: int = 0
    bytes: int = 0


# Finds the attachment data that came with a file of lines.
FilesOf = Callable[[str], AttachmentFiles | None]


class Import:
    """One import into a store, whose group commit must be running. `reject` hears of each line that is not
    stored.
    """

    def __init__(
        self,
        store: Store,
        statements: Statements,
        knowledge: Knowledge,
        *,
        manner: Manner,
        files_of: FilesOf,
        reject: Callable[[Rejected], object],
        clock: Callable[[], dt.datetime],
    ) -> None:
        self._store = store
        self._statements = statements
        self._knowledge = knowledge
        self._manner = manner
        self._files_of = files_of
        self._tell = reject
        self._clock = clock
        self._done = Imported()

    async def run(self, lines: Iterable[Line], progress: Callable[[Imported], object]) -> Imported:
        """Store what the lines hold; reading them may block. `progress` hears of every batch.

        If the manner is strict, the first rejected line ends it; lines before it are stored.
        """
        rest = iter(lines)
        while batch := await asyncio.to_thread(_batch, rest):
            await self._store_batch(batch)
            progress(self._done)
            if self._manner.strict and self._done.rejected:
                break
        return self._done

    async def _store_batch(self, batch: Sequence[Line]) -> None:
        moves = self._readable(batch)
        while moves:
            first = {move.entry.id: move for move in reversed(moves)}
            await self._store_moves([move for move in moves if first[move.entry.id] is move])
            moves = [move for move in moves if first[move.entry.id] is not move]
        self._done.bytes += sum(len(line.text or b"") for line in batch)

    async def _store_moves(self, moves: Sequence[Move]) -> None:
        """Store moves that have different ids."""
        stored: list[Move] = []
        plain = []
        for move in await self._new(moves):
            if _attachments(move):  # one after the other, because their data is read whole
                stored += await self._move_with_data(move)
            else:
                plain.append(move)
        for found in await together([self._move(move, []) for move in plain]):
            stored += found
        await self._knowledge.learn([move.entry.statement for move in stored], define=True)

    def _readable(self, batch: Sequence[Line]) -> list[Move]:
        now, moves = micros(self._clock()), []
        for line in batch:
            found = read_line(line, self._manner, now)
            if isinstance(found, Move):
                moves.append(found)
                continue
            self._reject(found)
            if self._manner.strict:
                break
        return moves

    async def _new(self, moves: Sequence[Move]) -> list[Move]:
        """Those whose ids are not taken; the others are skipped or in conflict."""
        present = await self._store.statements.many(move.entry.id for move in moves)
        new, same = [], list[UUID]()
        for move in moves:
            found = present.get(move.entry.id)
            if found is None:
                new.append(move)
            elif same_statement(content(found), move.entry.statement):
                same.append(move.entry.id)
            else:
                self._conflict(move)
        if same:  # the import that stored them may have broken off before it linked them
            await self._store.links.link(same, referring=True)
        self._done.skipped += len(same)
        return new

    async def _move_with_data(self, move: Move) -> list[Move]:
        problems, brought = await self._brought(move)
        if problems:
            self._reject(Rejected(move.line, Reason.INVALID, problems))
            return []
        stored = await self._move(move, brought)
        self._done.attachments += len(brought) if stored else 0
        return stored

    async def _move(self, move: Move, brought: Sequence[Attachment]) -> list[Move]:
        try:
            stored = await self._statements.move(move.entry, brought, move.stamp)
        except Conflict:
            self._conflict(move)
            return []
        except TooLarge as error:
            self._reject(Rejected(move.line, Reason.INVALID, [Problem("", "", error.message)]))
            return []
        self._done.stored += stored
        self._done.skipped += not stored
        return [move] if stored else []

    async def _brought(self, move: Move) -> tuple[list[Problem], list[Attachment]]:
        """The attachment data that is in files, and what is wrong with it or missing."""
        files = self._files_of(move.line.file)
        problems: list[Problem] = []
        attached: dict[str, Attached] = {}
        missing: dict[str, str] = {}
        for path, attachment in _attachments(move):
            sha2 = attachment["sha2"].lower()
            try:
                body = await asyncio.to_thread(files.read, sha2) if files else None
            except (OSError, ValueError) as error:
                problems.append(Problem(path, _ATTACHMENT, str(error)))
                continue
            if body is not None:
                attached[sha2] = Attached(attachment["contentType"], body)
            elif "fileUrl" not in attachment:
                missing[sha2] = path
        here = await self._store.attachments.stored(missing)
        where = f"{files.folder} has no file of that name" if files else "no folder of attachments was given"
        problems += [
            Problem(path, _ATTACHMENT, f"has no fileUrl, and its data {sha2} is missing: {where}")
            for sha2, path in missing.items()
            if sha2 not in here
        ]
        if not problems and _signatures(move) <= attached.keys():
            problems += check_signatures(move.entry.statement, attached)
        return problems, [Attachment(sha2, item.body) for sha2, item in attached.items()]

    def _conflict(self, move: Move) -> None:
        message = f"a different statement is stored with the id {move.entry.id}"
        problem = Problem("id", "xAPI Communication 2.1", message)
        self._done.conflicts += 1
        self._reject(Rejected(move.line, Reason.CONFLICT, [problem]))

    def _reject(self, rejected: Rejected) -> None:
        self._done.rejected += 1
        self._tell(rejected)


def _attachments(move: Move) -> list[tuple[str, dict[str, str]]]:
    return list(declared(move.entry.statement))


def _signatures(move: Move) -> set[str]:
    return {item["sha2"].lower() for _, item in _attachments(move) if item["usageType"] == USAGE_TYPE}


def _batch(lines: Iterator[Line]) -> list[Line]:
    batch: list[Line] = []
    size = 0
    for line in lines:
        batch.append(line)
        size += len(line.text or b"")
        if len(batch) >= _BATCH_LINES or size >= _BATCH_BYTES:
            break
    return batch


def lines_of(name: str, file: BinaryIO, *, limit: int) -> Iterator[Line]:
    """The lines of an open file that are not blank; of one beyond `limit` bytes only its number."""
    number = 0
    while text := file.readline(limit + 1):
        number += 1
        if len(text) > limit and not text.endswith(b"\n"):
            while (rest := file.readline(limit)) and not rest.endswith(b"\n"):
                continue
            yield Line(name, number, None)
        elif text := text.strip(b" \t\r\n"):
            yield Line(name, number, text)
