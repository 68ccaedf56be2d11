"""How far a learner is in a course: one tree, from what is known of each AU (cmi5 10.2.5, 9.3.9).

Facts in, facts out: no grading policy. Times are microseconds. Performs no I/O.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from gateway.cmi5.launch import json_number
from gateway.cmi5.satisfaction import NOTHING, AUFacts, au_met
from gateway.cmi5.statements import iso_duration
from gateway.cmi5.structure import AU, Block, Course, LanguageMap, Node


@dataclass(frozen=True, slots=True, kw_only=True)
class AURecord:
    """What happened in one AU of one registration, over all its sessions.

    `attempted`: some session was initialized. `failed`: it was failed at least once. `score` is the scaled
    score that was reported last. `time` adds up the sessions. `percent` is the progress extension, 0..100.
    `unwaived` is how often the AU was waived and that was voided.
    """

    facts: AUFacts = field(default=NOTHING)
    attempted: bool = False
    failed: bool = False
    score: Decimal | None = None
    time: int = 0
    percent: int | None = None
    waive_reason: str | None = None
    sessions: int = 0
    unwaived: int = 0


_UNTOUCHED: Final = AURecord()


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """One node. For an AU the flags are its own; `satisfied` then means that its moveOn is met.

    For a block or the course: `attempted` and `failed` if any AU in it was, `completed` and `passed` if every
    one was, `waived` if every one was; `satisfied` once its satisfied statement is recorded; `met` of `aus`
    are met, `time` is the sum, and there is no score.
    """

    kind: str
    id: str
    lms_id: str
    title: LanguageMap
    attempted: bool
    completed: bool
    passed: bool
    failed: bool
    waived: bool
    satisfied: bool
    time: int
    aus: int
    met: int
    children: tuple[Progress, ...] = ()
    move_on: str | None = None
    score: Decimal | None = None
    percent: int | None = None
    waive_reason: str | None = None
    sessions: int = 0

    def to_document(self) -> dict[str, Any]:
        """The tree as the API answers it; `time` is an ISO 8601 duration."""
        document: dict[str, Any] = {
            "kind": self.kind,
            "id": self.lms_id,
            "publisherId": self.id,
            "title": dict(self.title),
            "attempted": self.attempted,
            "completed": self.completed,
            "passed": self.passed,
            "failed": self.failed,
            "waived": self.waived,
            "satisfied": self.satisfied,
            "time": iso_duration(self.time),
            "sessions": self.sessions,
        }
        if self.kind == "au":
            return document | {
                "moveOn": self.move_on,
                "score": None if self.score is None else json_number(self.score),
                "progress": self.percent,
                "waiveReason": self.waive_reason,
            }
        children = [child.to_document() for child in self.children]
        return document | {"aus": self.aus, "met": self.met, "children": children}


def progress(course: Course, records: Mapping[str, AURecord], satisfied: Collection[str]) -> Progress:
    """The tree for a registration: `records` by LMS ids of AUs, `satisfied` those of blocks and course."""

    def group(node: Block | Course, kind: str) -> Progress:
        children = tuple(each(child) for child in node.children)
        return Progress(
            kind=kind,
            id=node.id,
            lms_id=node.lms_id,
            title=node.title,
            attempted=any(child.attempted for child in children),
            completed=all(child.completed for child in children),
            passed=all(child.passed for child in children),
            failed=any(child.failed for child in children),
            waived=all(child.waived for child in children),
            satisfied=node.lms_id in satisfied,
            time=sum(child.time for child in children),
            sessions=sum(child.sessions for child in children),
            aus=sum(child.aus for child in children),
            met=sum(child.met for child in children),
            children=children,
        )

    def each(node: Node) -> Progress:
        if isinstance(node, Block):
            return group(node, "block")
        return _au(node, records.get(node.lms_id, _UNTOUCHED))

    return group(course, "course")


def _au(au: AU, record: AURecord) -> Progress:
    met = au_met(au.move_on, record.facts)
    return Progress(
        kind="au",
        id=au.id,
        lms_id=au.lms_id,
        title=au.title,
        attempted=record.attempted,
        completed=record.facts.completed,
        passed=record.facts.passed,
        failed=record.failed,
        waived=record.facts.waived,
        satisfied=met,
        time=record.time,
        sessions=record.sessions,
        aus=1,
        met=int(met),
        move_on=(record.facts.move_on or au.move_on).value,
        score=record.score,
        percent=record.percent,
        waive_reason=record.waive_reason,
    )
