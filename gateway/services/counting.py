"""What a stored statement counts for in reports: its day, source, course, verb and result. Pure.

* The day is that of the statement's `timestamp`, in the time zone of the reports: what is imported years
  later counts for the day on which it happened.
* The course is the object, a parent or a grouping that calls itself one by its activity type; for cmi5 it is
  the course of the registration.
* Completions, passes and failures are statements with ADL's verbs; scores are the scaled ones of these and of
  `scored`. Answers to single questions are none of them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from gateway.store.reports import CellKey, Change
from gateway.xapi.agents import agent_key

ADL = "http://adlnet.gov/expapi/verbs/"
COURSE_TYPES = frozenset(
    {
        "http://adlnet.gov/expapi/activities/course",
        "https://w3id.org/xapi/cmi5/activitytype/course",
        "http://id.tincanapi.com/activitytype/lms/course",
    }
)
# The kinds of cells: every statement of a month or of a day, of a verb, with a result, with a score.
ALL, DAY, VERB, SCORE = "", "day", "verb ", "score "
COMPLETED, PASSED, FAILED, SCORED = "completed", "passed", "failed", "scored"
_RESULTS = {f"{ADL}{verb}": verb for verb in (COMPLETED, PASSED, FAILED)}
_SCORING = frozenset({*_RESULTS, f"{ADL}{SCORED}"})
BINS = 10
NO_COURSE = "-"
_MICRO = 1_000_000


def meaning(zone: str) -> str:
    """What cells are counted by; if this changes, they have to be counted again."""
    return f"1 {zone}"


def source_of(row: Mapping[str, Any]) -> str:
    """Where a statement came from: `adapter zoom`, `credential key`, `courses` or `import FILE`."""
    source = row.get("source", {})
    if "session" in source or "cmi5" in source:
        return "courses"
    kind = next((one for one in ("adapter", "credential", "import") if one in source), None)
    return "other" if kind is None else f"{kind} {source[kind]}"


def day_of(row: Mapping[str, Any], zone: ZoneInfo) -> str:
    """The day on which it happened, such as 2026-01-31."""
    try:
        moment = dt.datetime.fromisoformat(row["statement"]["timestamp"])
        moment = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
        return moment.astimezone(zone).date().isoformat()
    except (KeyError, TypeError, ValueError, OverflowError):
        moment = dt.datetime.fromtimestamp(row["stored"] / _MICRO, dt.UTC)
        return moment.astimezone(zone).date().isoformat()


def registration_of(row: Mapping[str, Any]) -> str | None:
    """The registration of a statement of a course that runs here."""
    if source_of(row) != "courses":
        return None
    registration = row["statement"].get("context", {}).get("registration")
    return registration if isinstance(registration, str) else None


def course_of(row: Mapping[str, Any], known: Mapping[str, str]) -> str:
    """The course as activity id, or as id of a course that runs here (`known` by registration)."""
    registration = registration_of(row)
    if registration is not None and registration.lower() in known:
        return known[registration.lower()]
    statement = row["statement"]
    activities = statement.get("context", {}).get("contextActivities", {})
    candidates = [statement.get("object")]
    for relation in ("parent", "grouping"):
        listed = activities.get(relation, ())
        candidates += listed if isinstance(listed, list) else [listed]
    for activity in candidates:
        if isinstance(activity, dict) and activity.get("definition", {}).get("type") in COURSE_TYPES:
            return str(activity.get("id", NO_COURSE))
    return NO_COURSE


def learners_of(row: Mapping[str, Any]) -> list[str]:
    """The keys of who did it: one agent or identified group, or the members of an anonymous group."""
    actor = row["statement"].get("actor")
    if not isinstance(actor, dict):  # of a statement too large to be kept whole
        return list(row.get("agents", ())[:1])
    if (key := agent_key(actor)) is not None:
        return [key]
    return [key for one in actor.get("member", ()) if (key := agent_key(one)) is not None]


def kinds_of(row: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """The kinds that a statement counts for, each with what it adds to the sum (millionths)."""
    verb = row["statement"].get("verb", {}).get("id") or next(iter(row.get("verbs", ())), "")
    yield ALL, 0
    yield DAY, 0
    yield f"{VERB}{verb}", 0
    if verb in _RESULTS:
        yield _RESULTS[verb], 0
    if verb in _SCORING:
        scaled = row["statement"].get("result", {}).get("score", {}).get("scaled")
        if isinstance(scaled, int | float) and not isinstance(scaled, bool) and -1 <= scaled <= 1:
            yield SCORED, round(scaled * _MICRO)
            yield f"{SCORE}{min(max(int(scaled * BINS), 0), BINS - 1)}", 0


class Place(NamedTuple):
    """Where a statement counts; many share one, so cells are found once for all of them."""

    day: str
    source: str
    course: str
    kinds: tuple[str, ...]

    def cells(self) -> Iterator[CellKey]:
        """Each cell that it counts in."""
        for kind in self.kinds:
            period = self.day if kind == DAY else self.day[:7]
            for source in (None, self.source):
                yield CellKey(period, source, None, kind)
                yield CellKey(period, source, self.course, kind)


class Tally:
    """The changes of cells that some statements make together."""

    def __init__(self, zone: ZoneInfo, known: Mapping[str, str], hashed: Callable[[str], int]) -> None:
        self._zone, self._known, self._hashed = zone, known, hashed
        self._learners: dict[Place, set[int]] = {}
        self._changes: dict[Place, Change] = {}

    def count(self, row: Mapping[str, Any], *, voided: bool) -> None:
        """A statement; its learners count whether it is voided or not."""
        place, total = self._place(row)
        learners = self._learners.setdefault(place, set())
        learners.update(self._hashed(one) for one in learners_of(row))
        change = self._change(place)
        if voided:
            change.voided += 1
        else:
            change.standing += 1
            change.total += total

    def void(self, row: Mapping[str, Any]) -> None:
        """A statement that was counted as standing is voided."""
        place, total = self._place(row)
        change = self._change(place)
        change.standing -= 1
        change.voided += 1
        change.total -= total

    def finished(self) -> dict[CellKey, Change]:
        """All changes."""
        cells: dict[CellKey, Change] = {}
        learners: dict[CellKey, set[int]] = {}
        for place, change in self._changes.items():
            for key in place.cells():
                cell = cells.setdefault(key, Change())
                cell.standing += change.standing
                cell.voided += change.voided
                cell.total += change.total if key.kind == SCORED else 0
                learners.setdefault(key, set()).update(self._learners.get(place, ()))
        for key, who in learners.items():
            cells[key].learners = frozenset(who)
        return cells

    def _place(self, row: Mapping[str, Any]) -> tuple[Place, int]:
        kinds = tuple(kinds_of(row))
        total = sum(total for _, total in kinds)
        course = course_of(row, self._known)
        return Place(day_of(row, self._zone), source_of(row), course, tuple(kind for kind, _ in kinds)), total

    def _change(self, place: Place) -> Change:
        return self._changes.setdefault(place, Change())
