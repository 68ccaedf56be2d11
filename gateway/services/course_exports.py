"""Courses on their way out: as the structure that came in, and as a package made of its files again."""

from __future__ import annotations

import asyncio
import io
import time
import zipfile
from collections.abc import AsyncIterator

from gateway.cmi5.vocabulary import STRUCTURE_FILE
from gateway.services.courses import Courses
from gateway.store.courses import CourseVersion

_BLOCK = 256 * 1024


async def structure_of(courses: Courses, version: CourseVersion) -> bytes:
    """The course structure, byte by byte as it was imported."""
    file = await courses.file(version.id, STRUCTURE_FILE)
    assert file is not None, "every version keeps its structure"
    return b"".join([chunk async for chunk in courses.read_file(file, 0, file.size)])


async def package_of(courses: Courses, version: CourseVersion) -> AsyncIterator[bytes]:
    """A zip of the version's files, in pieces; what was imported as bare XML becomes a zip of that.

    Packing happens in threads, a piece at a time, so that neither the event loop waits nor memory fills.
    """
    sink = _Sink()
    archive = zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED)
    for path, file in await courses.files(version.id):
        entry = zipfile.ZipInfo(path, time.gmtime(file.stored.timestamp())[:6])
        entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
        # The size is known before, and so is whether it takes zip64 to say it.
        with archive.open(entry, "w", force_zip64=file.size >= zipfile.ZIP64_LIMIT // 2) as packed:
            async for chunk in courses.read_file(file, 0, file.size):
                await asyncio.to_thread(packed.write, chunk)
                if len(sink.pieces) >= _BLOCK:
                    yield sink.take()
    archive.close()
    yield sink.take()


class _Sink:
    """A file that only takes and cannot seek, so that `zipfile` writes sizes behind each entry."""

    def __init__(self) -> None:
        self.pieces = bytearray()

    def write(self, data: bytes) -> int:
        self.pieces += data
        return len(data)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        raise io.UnsupportedOperation("seek")

    def tell(self) -> int:
        raise io.UnsupportedOperation("tell")

    def close(self) -> None:
        """There is nothing to close."""

    def flush(self) -> None:
        """Nothing is held back."""

    def take(self) -> bytes:
        taken = bytes(self.pieces)
        self.pieces.clear()
        return taken
