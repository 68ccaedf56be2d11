"""Imports in the background, for packages that take longer than a client wants to wait.

An import belongs to the process that took the upload. When that dies, the job is seen to be lost and its
leftovers are swept; the package is then sent again.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO
from uuid import UUID, uuid4

import structlog

from gateway.errors import GatewayError, NotFound, Unavailable
from gateway.services.course_views import imported_course
from gateway.services.courses import Courses
from gateway.services.texts import time_text
from gateway.store.connection import translating
from gateway.store.course_imports import CourseImport
from gateway.store.store import Store
from gateway.xapi import strict_json

log = structlog.get_logger(__name__)

_MOST_WAITING = 20
_TOLD_EVERY = 1.0  # seconds
_LOST_AFTER = dt.timedelta(minutes=2)


@dataclass(slots=True, kw_only=True)
class _Work:
    """An upload that waits to be imported; `file` is closed when it is over."""

    id: UUID
    file: BinaryIO
    base: str
    course: UUID | None
    files: int = 0
    of: int | None = None

    def tell(self, files: int, of: int) -> None:
        self.files, self.of = files, of


class CourseImports:
    """The imports of one store. `run` must be running for anything to come of them."""

    def __init__(self, store: Store, courses: Courses, *, clock: Callable[[], dt.datetime]) -> None:
        self._jobs = store.course_imports
        self._courses = courses
        self._clock = clock
        self._waiting: asyncio.Queue[_Work] = asyncio.Queue(_MOST_WAITING)

    async def start(self, file: BinaryIO, *, base: str, course: UUID | None = None) -> CourseImport:
        """Import `file`, which now belongs to the job, as a new course or a version of `course`.

        Raises NotFound, and Unavailable when too many wait already.
        """
        if course is not None:
            await self._courses.get(course)
        if self._waiting.full():
            raise Unavailable("Too many imports wait already. Try again in a minute.", retry_after=60)
        now = self._clock()
        job = CourseImport(id=uuid4(), state="waiting", created=now, seen=now, course=course)
        await self._jobs.insert(job)
        await self._waiting.put(_Work(id=job.id, file=file, base=base, course=course))
        return job

    async def get(self, job_id: UUID) -> dict[str, Any]:
        """How an import stands, as JSON; raises NotFound."""
        job = await self._jobs.get(job_id)
        if job is None:
            raise NotFound(f"there is no import with the id {job_id}")
        return self.view(job)

    def view(self, job: CourseImport) -> dict[str, Any]:
        """`state` is waiting, running, done, refused or lost; then `imported` or `error` says more."""
        lost = job.outcome is None and job.seen < self._clock() - _LOST_AFTER
        view: dict[str, Any] = {
            "id": str(job.id),
            "state": "lost" if lost else job.state,
            "course": None if job.course is None else str(job.course),
            "files": job.files,
            "of": job.of,
            "created": time_text(job.created),
            "updated": time_text(job.seen),
            "imported": None,
            "error": None,
        }
        if job.outcome is not None:
            view["imported" if job.state == "done" else "error"] = strict_json.parse(job.outcome).value
        return view

    async def run(self) -> None:
        """Import one after the other, until cancelled."""
        try:
            while True:
                work = await self._waiting.get()
                with work.file:
                    await self._import(work)
        finally:
            while not self._waiting.empty():
                self._waiting.get_nowait().file.close()

    async def _import(self, work: _Work) -> None:
        over = asyncio.Event()
        telling = asyncio.create_task(self._tell(work, over))
        try:
            with translating():
                if work.course is None:
                    made = await self._courses.create(work.file, base=work.base, tell=work.tell)
                else:
                    made = await self._courses.add_version(
                        work.course, work.file, base=work.base, tell=work.tell
                    )
            state, outcome = "done", imported_course(made)
        except GatewayError as error:
            problems = [
                {"path": each.path, "requirement": each.requirement, "message": each.message}
                for each in error.problems
            ]
            state, outcome = "refused", {"code": error.code, "message": error.message, "problems": problems}
        except Exception:
            log.exception("import failed", job=str(work.id))
            message = "the import failed inside the gateway; its log says why"
            state, outcome = "refused", {"code": "internal", "message": message, "problems": []}
        finally:
            # Told, not cancelled: see `working`.
            over.set()
            await telling
        await self._jobs.finish(work.id, state=state, outcome=strict_json.dumps(outcome), now=self._clock())

    async def _tell(self, work: _Work, over: asyncio.Event) -> None:
        while not over.is_set():
            with contextlib.suppress(Exception):  # only a message; the next one follows
                await self._jobs.note(work.id, files=work.files, of=work.of, now=self._clock())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), _TOLD_EVERY)
