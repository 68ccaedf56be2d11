"""Where a learner stands in a registration, and what follows when something is added to it.

A `Standing` is read from a registration, changed by what happened, and written back with the statements that
became due. Performs no I/O.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final

from gateway.cmi5 import statements as lms_statements
from gateway.cmi5 import vocabulary as words
from gateway.cmi5.gate import Step
from gateway.cmi5.gate_view import mapping
from gateway.cmi5.progress import AURecord
from gateway.cmi5.satisfaction import AUFacts, newly_satisfied
from gateway.cmi5.statements import Occasion
from gateway.cmi5.structure import Course
from gateway.cmi5.vocabulary import MoveOn
from gateway.store.registrations import Registration

_UNTOUCHED: Final = AURecord()
_DURATION: Final = re.compile(
    r"P(?:(?P<Y>[\d.]+)Y)?(?:(?P<M>[\d.]+)M)?(?:(?P<W>[\d.]+)W)?(?:(?P<D>[\d.]+)D)?"
    r"(?:T(?:(?P<h>[\d.]+)H)?(?:(?P<m>[\d.]+)M)?(?:(?P<s>[\d.]+)S)?)?"
)
# Years and months by their average length: nobody reports the time of a session in them.
_SECONDS: Final = {"Y": 31_556_952, "M": 2_629_746, "W": 604_800, "D": 86_400, "h": 3600, "m": 60, "s": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """`records` by the LMS ids of AUs that were touched, `satisfied` the LMS ids of blocks and course."""

    records: Mapping[str, AURecord]
    satisfied: tuple[str, ...]

    @classmethod
    def of(cls, registration: Registration) -> Standing:
        return cls(
            records={au: _record(state) for au, state in registration.aus.items()},
            satisfied=registration.satisfied,
        )

    def record(self, au: str) -> AURecord:
        return self.records.get(au, _UNTOUCHED)

    def facts(self, au: str) -> AUFacts:
        return self.record(au).facts

    def having(self, au: str, record: AURecord) -> Standing:
        """The standing with this record for the AU."""
        if record == self.record(au):
            return self
        return replace(self, records={**self.records, au: record})

    def satisfy(self, course: Course, occasion: Occasion) -> tuple[Standing, list[dict[str, Any]]]:
        """The standing after everything met is satisfied, and the satisfied statements due for it."""
        facts = {au: record.facts for au, record in self.records.items()}
        due = newly_satisfied(course, facts, self.satisfied)
        if not due:
            return self, []
        satisfied = (*self.satisfied, *(node.lms_id for node in due))
        return replace(self, satisfied=satisfied), [lms_statements.satisfied(occasion, node) for node in due]

    def documents(self) -> dict[str, dict[str, Any]]:
        """The records as plain data, to be stored in the registration."""
        return {au: _document(record) for au, record in self.records.items()}


def after_step(record: AURecord, step: Step, statement: Mapping[str, Any]) -> AURecord:
    """The record of an AU after one of its defined statements."""
    facts = record.facts
    if step.scaled is not None:
        record = replace(record, score=step.scaled)
    match step.verb:
        case words.INITIALIZED:
            return replace(record, attempted=True)
        case words.COMPLETED:
            return replace(record, facts=replace(facts, completed=True))
        case words.PASSED:
            return replace(record, facts=replace(facts, passed=True))
        case words.FAILED:
            return replace(record, failed=True)
        case words.TERMINATED:
            duration = mapping(statement.get("result")).get("duration")
            return replace(record, time=record.time + duration_micros(duration))
        case _:
            return record


def reported_percent(statement: Mapping[str, Any]) -> int | None:
    """The progress extension of a statement's result (cmi5 9.5.5.1), None where it has no usable one."""
    value = mapping(mapping(statement.get("result")).get("extensions")).get(words.PROGRESS)
    return value if type(value) is int and 0 <= value <= 100 else None


def duration_micros(text: object) -> int:
    """Microseconds of an ISO 8601 duration, 0 for what is none."""
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        return 0
    try:
        seconds = sum(Decimal(match[unit]) * size for unit, size in _SECONDS.items() if match[unit])
        # What would not fit into the database is no time that anybody spent.
        return int(min(seconds, Decimal(10**11)) * 1_000_000)
    except ArithmeticError:
        return 0


def _document(record: AURecord) -> dict[str, Any]:
    facts = record.facts
    return {
        "completed": facts.completed,
        "passed": facts.passed,
        "waived": facts.waived,
        "move_on": None if facts.move_on is None else facts.move_on.value,
        "attempted": record.attempted,
        "failed": record.failed,
        "score": None if record.score is None else str(record.score),
        "time": record.time,
        "percent": record.percent,
        "waive_reason": record.waive_reason,
        "sessions": record.sessions,
        "unwaived": record.unwaived,
    }


def _record(state: Mapping[str, Any]) -> AURecord:
    return AURecord(
        facts=AUFacts(
            completed=state["completed"],
            passed=state["passed"],
            waived=state["waived"],
            move_on=None if state["move_on"] is None else MoveOn(state["move_on"]),
        ),
        attempted=state["attempted"],
        failed=state["failed"],
        score=None if state["score"] is None else Decimal(state["score"]),
        time=state["time"],
        percent=state["percent"],
        waive_reason=state["waive_reason"],
        sessions=state["sessions"],
        unwaived=state.get("unwaived", 0),
    )
