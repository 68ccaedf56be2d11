"""Courses: imported as packages, kept as versions that never change, served as files."""

from __future__ import annotations

import asyncio
import builtins
import datetime as dt
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO
from uuid import UUID, uuid4

from gateway.cmi5 import ids
from gateway.cmi5.findings import Finding
from gateway.cmi5.imports import Imported, read_course
from gateway.cmi5.overrides import Overrides, read_overrides
from gateway.cmi5.packages import Package, PackageLimits
from gateway.cmi5.structure import Course, from_document, to_document
from gateway.cmi5.vocabulary import STRUCTURE_FILE
from gateway.errors import Conflict, Invalid, NotFound, Problem
from gateway.services.working import together
from gateway.store.course_files import CourseFile
from gateway.store.courses import CourseVersion, StoredCourse
from gateway.store.store import Store
from gateway.xapi import strict_json
from gateway.xapi.findings import shown

# Each waits for the disk once a file; a few at a time keep the database busy and memory small.
_UPLOADS_AT_ONCE = 4
_STRUCTURES_REMEMBERED = 64
_UPLOAD_LASTS = dt.timedelta(days=1)  # longer than any upload takes
_MOST_TAGS, _LONGEST_NAME, _LONGEST_TAG = 50, 500, 100

# Told how many files of a package are stored, and of how many.
Tell = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedCourse:
    """What an import made: the course as it is stored, its structure, and what is odd about it."""

    stored: StoredCourse
    course: Course
    warnings: tuple[Finding, ...]


class Courses:
    """The courses of one store."""

    def __init__(self, store: Store, *, limits: PackageLimits, clock: Callable[[], dt.datetime]) -> None:
        self._courses = store.courses
        self._files = store.course_files
        self._limits = limits
        self._clock = clock
        self._structures: OrderedDict[UUID, Course] = OrderedDict()

    # -- importing ---------------------------------------------------------------------------------------

    async def create(self, file: BinaryIO, *, base: str, tell: Tell | None = None) -> ImportedCourse:
        """A new course from a package or structure in `file`; its ids are made below `base`, a URL.

        Raises Invalid with everything that is wrong; then nothing is stored.
        """
        imported, course = await self._read(file)
        course_id, version_id = uuid4(), uuid4()
        course = ids.assign(course, base=base, course_id=course_id)
        now = self._clock()
        version = await self._upload(imported, course, course_id, version_id, 1, now, tell)
        stored = StoredCourse(
            id=course_id,
            publisher_id=course.id,
            title=dict(course.title),
            version=version_id,
            number=1,
            created=now,
            updated=now,
        )
        try:
            await self._courses.create(stored, version)
        except BaseException:
            await self._files.discard(version_id)
            raise
        await self._files.end(version_id)
        return ImportedCourse(stored=stored, course=course, warnings=imported.findings)

    async def add_version(
        self, course_id: UUID, file: BinaryIO, *, base: str, tell: Tell | None = None
    ) -> ImportedCourse:
        """A new version of a course; registrations that exist keep the version they have.

        AUs and blocks that kept their publisher id keep their LMS id. Raises Invalid, NotFound, Conflict.
        """
        await self.get(course_id)
        imported, course = await self._read(file)
        latest = await self._courses.latest(course_id)
        assert latest is not None, "a course has a version"
        previous = await self.structure(latest.id)
        course = ids.assign(course, base=base, course_id=course_id, previous=previous)
        version_id, number = uuid4(), latest.number + 1
        version = await self._upload(imported, course, course_id, version_id, number, self._clock(), tell)
        added = False
        try:
            added = await self._courses.add_version(version, dict(course.title))
        finally:
            if not added:
                await self._files.discard(version_id)
        if added:
            await self._files.end(version_id)
        else:
            raise Conflict("another version of this course was imported at the same time; import it again")
        return ImportedCourse(stored=await self.get(course_id), course=course, warnings=imported.findings)

    async def _read(self, file: BinaryIO) -> tuple[Imported, Course]:
        imported = await asyncio.to_thread(read_course, file, self._limits)
        if imported.course is None:
            first = imported.findings[0].problem()
            more = f" (and {len(imported.findings) - 1} more)" if len(imported.findings) > 1 else ""
            where = f"{first.path}: " if first.path else ""
            raise Invalid(
                f"the course was not imported: {where}{first.message}{more}",
                problems=[finding.problem() for finding in imported.findings],
            )
        return imported, imported.course

    async def _upload(
        self,
        imported: Imported,
        course: Course,
        course_id: UUID,
        version_id: UUID,
        number: int,
        now: dt.datetime,
        tell: Tell | None,
    ) -> CourseVersion:
        """Store the files of a version; what is there is removed again when one of them fails."""
        package = imported.package
        await self._files.begin(version_id, now)
        try:
            if package is None:
                sizes = [await self._files.write(version_id, STRUCTURE_FILE, _once(imported.structure))]
            else:
                sizes = await self._upload_package(version_id, package, tell)
        except BaseException:
            await self._files.discard(version_id)
            raise
        return CourseVersion(
            id=version_id,
            course=course_id,
            number=number,
            structure=to_document(course),
            packaged=package is not None,
            files=len(sizes),
            size=sum(sizes),
            created=now,
            warnings=tuple(_warning(finding) for finding in imported.findings),
        )

    async def _upload_package(self, version: UUID, package: Package, tell: Tell | None) -> list[int]:
        waiting = iter(package.entries)
        sizes: list[int] = []

        async def upload() -> None:
            for entry in waiting:
                try:
                    content = _unpacked(package, entry.name)
                    sizes.append(await self._files.write(version, entry.name, content))
                except BaseException:
                    # The others finish the file they are at, and take no more.
                    deque(waiting, maxlen=0)
                    raise
                if tell is not None:
                    tell(len(sizes), len(package.entries))

        uploads = [upload() for _ in range(_UPLOADS_AT_ONCE)]
        await together(uploads)
        return sizes

    async def sweep(self, older_than: dt.timedelta = _UPLOAD_LASTS) -> int:
        """Remove what imports left whose process died; how many there were."""
        left = await self._files.unfinished(self._clock() - older_than)
        for version_id in left:
            if await self._courses.version(version_id) is None:
                await self._files.discard(version_id)
            else:
                await self._files.end(version_id)
        return len(left)

    # -- reading -----------------------------------------------------------------------------------------

    async def get(self, course_id: UUID) -> StoredCourse:
        """A course; raises NotFound."""
        course = await self._courses.get(course_id)
        if course is None:
            raise NotFound(f"there is no course with the id {course_id}")
        return course

    async def list(
        self,
        *,
        search: str | None = None,
        tag: str | None = None,
        after: tuple[dt.datetime, UUID] | None = None,
        limit: int = 100,
    ) -> list[StoredCourse]:
        """Courses, newest first; with `search` those whose name, title or publisher id holds that text."""
        return await self._courses.list(search=search, tag=tag, after=after, limit=limit)

    async def versions(self, course_id: UUID) -> builtins.list[CourseVersion]:
        """What was imported of a course, the latest first, without structures; raises NotFound."""
        await self.get(course_id)
        return await self._courses.versions(course_id)

    async def numbered(self, course_id: UUID, number: int | None) -> CourseVersion:
        """A version of a course by its number, the current one without; raises NotFound."""
        stored = await self.get(course_id)
        if number is None:
            return await self.version(stored.version)
        version = await self._courses.numbered(course_id, number)
        if version is None:
            raise NotFound(f"the course {course_id} has no version {number}")
        return version

    async def version(self, version_id: UUID) -> CourseVersion:
        """A version of a course; raises NotFound."""
        version = await self._courses.version(version_id)
        if version is None:
            raise NotFound(f"there is no course version with the id {version_id}")
        return version

    async def structure(self, version_id: UUID) -> Course:
        """The structure of a version, remembered because it never changes."""
        known = self._structures.get(version_id)
        if known is None:
            known = from_document((await self.version(version_id)).structure)
            self._structures[version_id] = known
            if len(self._structures) > _STRUCTURES_REMEMBERED:
                self._structures.popitem(last=False)
        return known

    async def file(self, version_id: UUID, path: str) -> CourseFile | None:
        """A file of a version's package, None where there is none."""
        return await self._files.find(version_id, path)

    def read_file(self, file: CourseFile, start: int, stop: int) -> AsyncIterator[bytes]:
        """The bytes of a file from `start` up to, not including, `stop`."""
        return self._files.read(file, start, stop)

    async def files(self, version_id: UUID) -> builtins.list[tuple[str, CourseFile]]:
        """The files of a version by path, in alphabetical order."""
        return await self._files.all(version_id)

    # -- changing ----------------------------------------------------------------------------------------

    async def override(self, course_id: UUID, overrides: Overrides) -> StoredCourse:
        """Replace what applies to every future launch of the course; raises NotFound."""
        text = strict_json.dumps(overrides.to_document())
        course = await self._courses.override(course_id, text, self._clock())
        if course is None:
            raise NotFound(f"there is no course with the id {course_id}")
        return course

    async def select(self, course_id: UUID, number: int) -> StoredCourse:
        """Make a version the one that new registrations get; raises NotFound."""
        version = await self.numbered(course_id, number)
        title = (await self.structure(version.id)).title
        await self._courses.select(version, title, self._clock())
        return await self.get(course_id)

    async def describe(self, course_id: UUID, changes: Mapping[str, Any]) -> StoredCourse:
        """Set `name` (null for the publisher's title) and `tags`; raises NotFound, Invalid."""
        checked: dict[str, Any] = {}
        if "name" in changes:
            checked["name"] = _name(changes["name"])
        if "tags" in changes:
            checked["tags"] = check_tags(changes["tags"])
        course = await self._courses.describe(course_id, checked, self._clock())
        if course is None:
            raise NotFound(f"there is no course with the id {course_id}")
        return course


def check_tags(value: object) -> builtins.list[str]:
    """Tags as they are stored: each once, without blanks around it; raises Invalid."""
    expected = f"expected at most {_MOST_TAGS} texts of 1 to {_LONGEST_TAG} characters"
    texts = value if isinstance(value, list) else [None]
    tags = [text.strip() if isinstance(text, str) else "" for text in texts]
    if len(tags) > _MOST_TAGS or not all(0 < len(tag) <= _LONGEST_TAG and storable(tag) for tag in tags):
        message = f"holds {shown(value)}; {expected}"
        raise Invalid(f"tags {message}", problems=[Problem("tags", "API", message)])
    return list(dict.fromkeys(tags))


def _name(value: object) -> str | None:
    if value is None:
        return None
    name = value.strip() if isinstance(value, str) else ""
    if not 0 < len(name) <= _LONGEST_NAME or not storable(name):
        message = f"holds {shown(value)}; expected a text of 1 to {_LONGEST_NAME} characters, or null"
        raise Invalid(f"name {message}", problems=[Problem("name", "API", message)])
    return name


def storable(text: str) -> bool:
    """Is this a text that can be stored and shown: no NUL, no half of a surrogate pair?"""
    return "\0" not in text and not any("\ud800" <= char <= "\udfff" for char in text)


def stored_overrides(text: bytes) -> Overrides:
    """Overrides as a course, registration or link keeps them."""
    overrides, _ = read_overrides(strict_json.parse(text).value)
    return overrides


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content


async def _unpacked(package: Package, name: str) -> AsyncIterator[bytes]:
    chunks = package.open(name)
    while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
        yield chunk


def _warning(finding: Finding) -> Mapping[str, str]:
    problem = finding.problem()
    return {"path": problem.path, "requirement": problem.requirement, "message": problem.message}
