from __future__ import annotations

import datetime as dt
import io
from collections.abc import AsyncIterator
from uuid import uuid4

from gateway.services.clock import utc_now
from gateway.services.services import Services
from tests.cmi5.samples import au_xml, structure_xml

NO_TIME = dt.timedelta(0)


async def _bytes(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def test_what_a_dead_import_left_is_swept_away_and_nothing_else(services: Services) -> None:
    files, left = services.store.course_files, uuid4()
    imported = await services.courses.create(
        io.BytesIO(structure_xml(au_xml(1))), base="http://h.example.org"
    )
    kept = imported.stored.version
    for version in (left, kept):
        await files.begin(version, utc_now() - dt.timedelta(hours=1))
    await files.write(left, "a.js", _bytes(b"1", b"2"))
    assert await services.courses.sweep() == 0
    assert await services.courses.sweep(NO_TIME) == 2
    assert [[path for path, _ in await files.all(one)] for one in (left, kept)] == [[], ["cmi5.xml"]]
    assert await services.courses.sweep(NO_TIME) == 0


async def test_a_structure_comes_back_as_it_was_imported(services: Services) -> None:
    lesson = au_xml(1, attributes='moveOn="Passed" masteryScore="0.333"')
    imported = await services.courses.create(io.BytesIO(structure_xml(lesson)), base="http://h.example.org")
    read = await services.courses.structure(imported.stored.version)
    assert read == imported.course
    assert await services.courses.structure(imported.stored.version) is read
