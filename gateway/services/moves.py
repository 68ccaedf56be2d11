"""One line of NDJSON as a statement that moves into a store: checked, with what it keeps of its former life.

Performs no I/O.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath
from typing import Any
from uuid import UUID, uuid5

from gateway.errors import BadRequest, Problem
from gateway.services.entries import Origin, PreparedEntry, Stamp, prepared_entry, stamp_prepared
from gateway.store import encoding
from gateway.store.statements import Entry
from gateway.xapi import strict_json, validation
from gateway.xapi.datatypes import format_timestamp, parse_timestamp, utc_timestamp
from gateway.xapi.findings import shown
from gateway.xapi.versions import Version

# Of ids for statements without one: the same line of a file gets the same id each time.
_NAMESPACE = UUID("6a4e7f0c-0a53-5c0b-9d5e-4c1d1d7f3b52")
_STORED = "xAPI 2.4.8"


class Reason(StrEnum):
    """Why a line was rejected."""

    INVALID = "invalid"
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a file; `text` is without its end, and None if it was longer than is read."""

    file: str
    number: int
    text: bytes | None


@dataclass(frozen=True, slots=True)
class Rejected:
    """A line that was not stored, and everything wrong with it."""

    line: Line
    reason: Reason
    problems: Sequence[Problem]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How statements move. `authority` stands for a missing one, or for each with `own_authority`; `restamp`
    stores with the time of now instead of the one they were stored at; `strict` ends with the first rejected
    line.
    """

    authority: Mapping[str, Any]
    own_authority: bool = False
    restamp: bool = False
    strict: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A statement ready to be stored; `stamp` gives it its stored time."""

    line: Line
    entry: PreparedEntry
    stamp: Stamp


def read_line(line: Line, manner: Manner, now: int) -> Move | Rejected:
    """The statement of a line, or why it cannot be stored; `now` (µs) is the latest possible `stored`."""
    if line.text is None:
        return _invalid(line, "the line is longer than a request may be (xapi.max_body)")
    try:
        parsed = strict_json.parse(line.text)
    except BadRequest as error:
        return _invalid(line, error.message)
    statement = parsed.value
    if not isinstance(statement, dict):
        return _invalid(line, f"holds {shown(statement)}; each line is one statement, a JSON object")
    if problems := validation.check(statement, Version.V2):
        return Rejected(line, Reason.INVALID, problems)
    stored: str | None = statement.get("stored")
    kept = parse_timestamp(stored) if stored is not None else None
    if stored is not None and kept is not None:
        if not manner.restamp and kept > now:
            message = f"holds {shown(stored)}, which is later than now ({format_timestamp(now)})"
            return Rejected(line, Reason.INVALID, [Problem("stored", _STORED, message)])
        statement["stored"] = utc_timestamp(stored)
        statement.setdefault("timestamp", statement["stored"])
    if "id" not in statement:
        statement["id"] = str(uuid5(_NAMESPACE, f"{line.number}:{line.text.decode()}"))
    authority = manner.authority if manner.own_authority else statement.get("authority", manner.authority)
    origin = Origin(authority=authority, source={"import": PurePath(line.file).name}, define=True)
    suspect = parsed.lossy or encoding.suspect(line.text)
    entry = prepared_entry(statement, origin, Version.V2, suspect)
    stamp = stamp_prepared if kept is None or manner.restamp else _keeping(kept)
    return Move(line=line, entry=entry, stamp=stamp)


def _keeping(kept: int) -> Stamp:
    def stamp(entry: Entry, stored: int) -> None:
        entry.stored = kept
        if entry.suspect:
            entry.text = strict_json.dumps(entry.statement)

    return stamp


def _invalid(line: Line, message: str) -> Rejected:
    return Rejected(line, Reason.INVALID, [Problem("", "RFC 8259", message)])
