"""Reports as people read them: activity by time, source, verb and course, completions and scores.

Everything is told through `disclosure`; how, is written down in docs/reports.md.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from gateway.errors import NotFound
from gateway.services import learners
from gateway.services.counting import (
    ALL,
    BINS,
    COMPLETED,
    DAY,
    FAILED,
    NO_COURSE,
    PASSED,
    SCORE,
    SCORED,
    VERB,
)
from gateway.services.disclosure import Shown, shown
from gateway.services.report_questions import Question, month_of, months_between
from gateway.services.sentences import verb_name
from gateway.services.services import Services
from gateway.services.texts import title_text
from gateway.store.reports import Cell, CellKey

_DAYS_UP_TO = 3  # months that are shown by day
MOST_LINES = 50
_MICRO = 1_000_000
_TOGETHER = frozenset({PASSED, FAILED, SCORED})  # each gives the others away


@dataclass(slots=True, kw_only=True)
class Line:
    """One group over all months that show it; `partly` if some months only count it in the rest, and
    `withheld` if all do and it is listed all the same: a day or a month.
    """

    key: str
    label: str
    statements: int = 0
    learners: int = 0
    partly: bool = False
    withheld: bool = False


@dataclass(slots=True, kw_only=True)
class Table:
    """Groups, most statements first (times in order), and what only counts together, if there is anything.

    `more` is how many lines there are beyond those listed, `hidden` which groups are in the rest.
    """

    lines: list[Line]
    rest: Line | None
    more: int = 0
    hidden: frozenset[str] = frozenset()

    @property
    def largest(self) -> int:
        return max((line.statements for line in self.lines), default=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """What came of a course: numbers of statements, None where they may not be told."""

    key: str
    label: str
    completed: int | None
    passed: int | None
    failed: int | None
    scored: int | None
    mean: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The answer to a question. `by_time` has days or months, as `days` says; `left_out` are months with too
    few learners; `counted` of about `stored` statements were counted, all up to `through` (µs).
    """

    question: Question
    threshold: int
    time_zone: str
    total: Line
    left_out: Sequence[str]
    days: bool
    by_time: Table
    by_source: Table
    by_verb: Table
    by_course: Table
    results: Sequence[Results]
    scores: Table
    counted: int
    stored: int
    through: int


@dataclass(slots=True)
class _Sum:
    statements: int = 0
    learners: list[bytes] = field(default_factory=list)
    rest: bool = False

    def add(self, cell: Cell) -> None:
        self.statements += cell.standing
        self.learners.append(cell.learners)


async def report(services: Services, question: Question) -> Report:
    """Counts of a store, as far as they may be told."""
    reports, settings = services.store.reports, services.reports.settings
    place = await reports.counted()
    months = months_between(question.since, question.until)
    threshold = settings.threshold
    generation = place.generation if place else 0
    span = {"since": question.since, "until": question.until}

    async def cells(kinds: str) -> list[Cell]:
        return await reports.cells(
            generation, **span, source=question.source, course=question.course, kinds=kinds
        )

    totals = await cells(ALL)
    open_months = await _open_months(services, generation, question, totals)
    days = len(months) <= _DAYS_UP_TO
    if days:
        ends = {"since": f"{question.since}-01", "until": f"{question.until}-31"}
        day_cells = await reports.cells(
            generation, kinds=DAY, **ends, source=question.source, course=question.course
        )
        by_time = _table(_told(day_cells, open_months, threshold), lambda cell: cell.key.period)
        _fill(by_time, question, open_months)
    else:
        told = [(Shown([cell], ())) for cell in totals if cell.key.period in open_months]
        by_time = _table(told, lambda cell: cell.key.period)
        present = {line.key for line in by_time.lines}
        known = {cell.key.period for cell in totals}
        by_time.lines += [
            Line(key=one, label=one, withheld=one in known) for one in months if one not in present
        ]
    by_time.lines.sort(key=lambda line: line.key)
    by_verb = _table(
        _told(await cells(VERB), open_months, threshold),
        lambda cell: cell.key.kind.removeprefix(VERB),
    )
    source_cells: Sequence[Cell] = (
        await reports.cells_by_source(generation, **span, course=question.course)
        if question.source is None
        else [_named(cell, source=question.source) for cell in totals]
    )
    by_source = _table(_told(source_cells, open_months, threshold), lambda cell: cell.key.source or "")
    course_cells: Sequence[Cell] = (
        await reports.cells_by_course(generation, **span, source=question.source, kind=ALL)
        if question.course is None
        else [_named(cell, course=question.course) for cell in totals]
    )
    courses = _told(course_cells, open_months, threshold)
    by_course = _table(courses, lambda cell: cell.key.course or "")
    _cut(by_course)
    _cut(by_verb)
    _cut(by_source)
    bins = _told(await cells(SCORE), open_months, threshold)
    scores = _table(bins, lambda cell: cell.key.kind.removeprefix(SCORE))
    if scores.lines or scores.rest:
        present = {line.key for line in scores.lines}
        scores.lines += [
            Line(key=str(one), label="", withheld=str(one) in scores.hidden)
            for one in range(BINS)
            if str(one) not in present
        ]
    scores.lines.sort(key=lambda line: int(line.key))
    listed = [line.key for line in by_course.lines if line.key != NO_COURSE]
    names = await _course_names(services, listed)
    sources = _source_names(line.key for line in by_source.lines)
    for line in by_verb.lines:
        line.label = verb_name({"id": line.key})
    for line in by_source.lines:
        line.label = sources[line.key]
    for line in by_course.lines:
        line.label = names.get(line.key, line.key if line.key != NO_COURSE else "without a course")
    for line in scores.lines:
        line.label = score_label(int(line.key))
    in_month = {(cell.key.course, cell.key.period) for month in courses for cell in month.apart}
    results = await _results(services, generation, question, listed, names, in_month)
    total = _line("total", (cell for cell in totals if cell.key.period in open_months))
    return Report(
        question=question,
        threshold=threshold,
        time_zone=settings.time_zone,
        total=total,
        left_out=sorted({cell.key.period for cell in totals} - open_months),
        days=days,
        by_time=by_time,
        by_source=by_source,
        by_verb=by_verb,
        by_course=by_course,
        results=results,
        scores=scores,
        counted=place.number if place else 0,
        stored=await services.store.statements.count(),
        through=place.stored if place else 0,
    )


async def _open_months(
    services: Services, generation: int, question: Question, totals: Sequence[Cell]
) -> set[str]:
    """The months whose total may be told: with enough learners, and told apart where the same months are
    shown without a filter, or what was put into their rest could be had by filtering.
    """
    reports, threshold = services.store.reports, services.reports.settings.threshold
    span = {"since": question.since, "until": question.until}
    found = {cell.key.period for cell in totals if learners.number(cell.learners) >= threshold}
    if question.source is not None:
        for course in dict.fromkeys((None, question.course)):
            cells = await reports.cells_by_source(generation, **span, course=course)
            found &= _apart(_told(cells, found, threshold), lambda key: key.source, question.source)
    if question.course is not None:
        for source in dict.fromkeys((None, question.source)):
            cells = await reports.cells_by_course(generation, **span, source=source, kind=ALL)
            found &= _apart(_told(cells, found, threshold), lambda key: key.course, question.course)
    return found


def _apart(months: Iterable[Shown], part: Callable[[CellKey], str | None], wanted: str) -> set[str]:
    return {cell.key.period for month in months for cell in month.apart if part(cell.key) == wanted}


def score_label(number: int) -> str:
    """`0.3 to 0.4`; the first one holds negative scores, too."""
    return "below 0.1" if number == 0 else f"{number / BINS:.1f} to {(number + 1) / BINS:.1f}"


def _told(cells: Iterable[Cell], open_months: set[str], threshold: int) -> list[Shown]:
    """The groups of each month that is shown at all."""
    months: dict[str, list[Cell]] = {}
    for cell in cells:
        if cell.key.period[:7] in open_months:
            months.setdefault(cell.key.period[:7], []).append(cell)
    return [shown(months[month], threshold) for month in sorted(months)]


def _table(months: Iterable[Shown], name: Callable[[Cell], str]) -> Table:
    sums: dict[str, _Sum] = {}
    rest = _Sum()
    hidden: set[str] = set()
    for month in months:
        for cell in month.apart:
            sums.setdefault(name(cell), _Sum()).add(cell)
        for cell in month.rest:
            rest.add(cell)
            hidden.add(name(cell))
    lines = [
        Line(
            key=key,
            label=key,
            statements=one.statements,
            learners=learners.number(learners.together(one.learners)),
            partly=key in hidden,
        )
        for key, one in sums.items()
    ]
    lines.sort(key=lambda line: (-line.statements, line.key))
    others = None
    if rest.learners:
        joined = learners.number(learners.together(rest.learners))
        others = Line(key="rest", label="rest", statements=rest.statements, learners=joined)
    return Table(lines=lines, rest=others, hidden=frozenset(hidden))


def _line(key: str, cells: Iterable[Cell]) -> Line:
    found = list(cells)
    joined = learners.together(cell.learners for cell in found)
    statements = sum(cell.standing for cell in found)
    return Line(key=key, label=key, statements=statements, learners=learners.number(joined))


def _cut(table: Table) -> None:
    table.more = max(len(table.lines) - MOST_LINES, 0)
    del table.lines[MOST_LINES:]


def _fill(table: Table, question: Question, open_months: set[str]) -> None:
    """Days of shown months on which nothing happened, or too little to be told."""
    day = dt.date.fromisoformat(f"{question.since}-01")
    present = {line.key for line in table.lines}
    while month_of(day) <= question.until:
        if month_of(day) in open_months and day.isoformat() not in present:
            key = day.isoformat()
            table.lines.append(Line(key=key, label=key, withheld=key in table.hidden))
        day += dt.timedelta(days=1)


def _named(cell: Cell, *, source: str | None = None, course: str | None = None) -> Cell:
    key = CellKey(cell.key.period, source or cell.key.source, course or cell.key.course, cell.key.kind)
    return Cell(key=key, standing=cell.standing, voided=cell.voided, total=cell.total, learners=cell.learners)


async def _results(
    services: Services,
    generation: int,
    question: Question,
    courses: Sequence[str],
    names: Mapping[str, str],
    in_month: set[tuple[str | None, str]],
) -> list[Results]:
    """Completions, passes, failures and scores of courses; None where too few learners are behind them."""
    months: dict[str, dict[str, dict[str, Cell]]] = {}
    for kind in (COMPLETED, PASSED, FAILED, SCORED):
        for cell in await services.store.reports.cells_by_course(
            generation, since=question.since, until=question.until, source=question.source, kind=kind
        ):
            if (cell.key.course, cell.key.period) in in_month and cell.standing:
                of_course = months.setdefault(cell.key.course or "", {})
                of_course.setdefault(cell.key.period, {})[kind] = cell
    threshold = services.reports.settings.threshold
    return [
        _result(course, names.get(course, course), months[course].values(), threshold)
        for course in courses
        if course in months
    ]


def _result(key: str, label: str, months: Iterable[Mapping[str, Cell]], threshold: int) -> Results:
    told: dict[str, list[Cell]] = {kind: [] for kind in (COMPLETED, PASSED, FAILED, SCORED)}
    hidden: set[str] = set()
    for month in months:
        small = {kind for kind, cell in month.items() if learners.number(cell.learners) < threshold}
        if small & _TOGETHER:
            small |= _TOGETHER
        hidden |= small
        for kind, cell in month.items():
            if kind not in small:
                told[kind].append(cell)
    numbers = {
        kind: sum(cell.standing for cell in cells) if cells or kind not in hidden else None
        for kind, cells in told.items()
    }
    scored = numbers[SCORED]
    return Results(
        key=key,
        label=label,
        completed=numbers[COMPLETED],
        passed=numbers[PASSED],
        failed=numbers[FAILED],
        scored=scored,
        mean=round(sum(cell.total for cell in told[SCORED]) / scored / _MICRO, 3) if scored else None,
    )


async def _course_names(services: Services, courses: Sequence[str]) -> dict[str, str]:
    definitions = await services.knowledge.definitions([one for one in courses if ":" in one])
    names = {
        key: title_text(definition["name"])
        for key, definition in definitions.items()
        if definition.get("name")
    }
    for course in courses:
        if ":" not in course:
            try:
                found = await services.courses.get(UUID(course))
                names[course] = found.name or title_text(found.title)
            except (ValueError, NotFound):
                names[course] = f"a deleted course, {course}"
    return names


def _source_names(sources: Iterable[str]) -> dict[str, str]:
    kinds: Mapping[str, str] = {
        "adapter": "webhooks of {}",
        "credential": "xAPI with the key {}",
        "import": "imported from {}",
    }
    names = {"courses": "courses that run here", "other": "elsewhere"}
    for source in sources:
        kind, _, value = source.partition(" ")
        names.setdefault(source, kinds.get(kind, "{}").format(value or source))
    return names
