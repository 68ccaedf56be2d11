"""How far everybody is in a course, as a table (CSV): a line for each registration, two columns an AU."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncIterator
from uuid import UUID

from gateway.cmi5.progress import Progress, progress
from gateway.cmi5.structure import Course
from gateway.services.courses import Courses
from gateway.services.standing import Standing
from gateway.services.texts import cell_text, time_text, title_text
from gateway.store.registrations import Registration, RegistrationFilter
from gateway.store.store import Store

_COLUMNS = (
    "registration",
    "homePage",
    "account",
    "name",
    "state",
    "met",
    "aus",
    "sessions",
    "seconds",
    "registered",
    "updated",
    "version",
    "tags",
)
_STATES = ("waived", "passed", "completed", "failed", "attempted")
_LINES = 200


async def progress_table(store: Store, courses: Courses, course_id: UUID) -> AsyncIterator[bytes]:
    """The table in pieces, so that a hundred thousand registrations take no more memory than a few.

    Columns of AUs are those of the current version; an AU that a learner's version has not is empty.
    """
    stored = await courses.get(course_id)
    course = await courses.structure(stored.version)
    aus = list(course.aus())
    numbers = {version.id: version.number for version in await courses.versions(course_id)}
    table = io.StringIO(newline="")
    writer = csv.writer(table)
    titles = [f"{index} {title_text(au.title)}" for index, au in enumerate(aus)]
    writer.writerow(
        [*_COLUMNS, *(cell_text(each) for title in titles for each in (title, f"{title}, score"))]
    )
    written = 0
    async for registration in store.registrations.each(RegistrationFilter(course=course_id)):
        own = await courses.structure(registration.version)
        writer.writerow(_line(registration, own, numbers[registration.version], [au.lms_id for au in aus]))
        written += 1
        # A line of a large course takes a millisecond or more; others have their turn in between.
        await asyncio.sleep(0)
        if written % _LINES == 0:
            yield _taken(table)
    yield _taken(table)


def _line(registration: Registration, course: Course, version: int, aus: list[str]) -> list[str]:
    standing = Standing.of(registration)
    tree = progress(course, standing.records, standing.satisfied)
    nodes = {node.lms_id: node for node in _aus(tree)}
    account = registration.actor["account"]
    cells = [
        str(registration.id),
        cell_text(account["homePage"]),
        cell_text(account["name"]),
        cell_text(registration.actor.get("name", "")),
        registration.state,
        str(tree.met),
        str(tree.aus),
        str(tree.sessions),
        str(tree.time // 1_000_000),
        time_text(registration.created) or "",
        time_text(registration.updated) or "",
        str(version),
        cell_text("; ".join(registration.tags)),
    ]
    for au in aus:
        node = nodes.get(au)
        if node is None:
            cells += ["", ""]
        else:
            done = next((state for state in _STATES if getattr(node, state)), "")
            cells += [done, "" if node.score is None else str(node.score)]
    return cells


def _aus(node: Progress) -> list[Progress]:
    if node.kind == "au":
        return [node]
    return [au for child in node.children for au in _aus(child)]


def _taken(table: io.StringIO) -> bytes:
    text = table.getvalue()
    table.seek(0)
    table.truncate()
    return text.encode(errors="replace")
