"""Large uploads: streamed into a temporary file, away from the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Sequence
from typing import BinaryIO

from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import BadHttpMessage

from gateway.errors import BadRequest, Invalid, Problem, TooLarge
from gateway.web.bodies import Pace
from gateway.xapi import media_types

ACCEPTED = (
    "application/zip",
    "application/x-zip-compressed",
    "application/x-zip",
    "text/xml",
    "application/xml",
    "application/octet-stream",
)
_MULTIPART = "multipart/form-data"
_BLOCK = 1024 * 1024


@contextlib.asynccontextmanager
async def uploaded_file(request: web.Request, *, limit: int) -> AsyncIterator[BinaryIO]:
    """The course that a request carries, as its body or as the first file of a form.

    Raises TooLarge beyond `limit` bytes, Invalid for a type that no course has, TooSlow as the settings say,
    and BadRequest when the upload breaks off.
    """
    with await spooled_file(request, limit=limit) as file:
        yield file


async def spooled_file(request: web.Request, *, limit: int, kinds: Sequence[str] = ACCEPTED) -> BinaryIO:
    """As `uploaded_file`, but the file is the caller's, to be closed when it is done with."""
    announced = request.content_length
    if announced is not None and announced > limit:
        raise TooLarge(f"the upload has {announced} bytes; at most {limit} are taken here")
    pace = Pace(request)
    file: BinaryIO = await asyncio.to_thread(tempfile.TemporaryFile)
    try:
        await _spool(_chunks(request, kinds), file, limit, pace)
    except BaseException as error:
        file.close()
        if isinstance(error, TimeoutError):
            raise pace.error() from None
        if isinstance(error, BadHttpMessage | web.RequestPayloadError | ValueError | AssertionError):
            raise BadRequest(f"the upload cannot be read: {error}") from None
        raise
    return file


async def read_upload(request: web.Request, *, limit: int, kinds: Sequence[str]) -> bytes:
    """A smaller file, whole: the body of one of these `kinds`, or the first file of a form.

    Raises as `uploaded_file` does.
    """
    kind = media_types.media_type(request.headers.get("Content-Type")) or kinds[0]
    if kind not in (*kinds, _MULTIPART):
        message = f"is {kind}; expected {kinds[0]} or {_MULTIPART}"
        raise Invalid(f"Content-Type {message}", problems=[Problem("Content-Type", "API", message)])
    with await spooled_file(request, limit=limit, kinds=kinds) as file:
        file.seek(0)
        return file.read()


async def _spool(chunks: AsyncIterator[bytes], file: BinaryIO, limit: int, pace: Pace) -> None:
    block, size = bytearray(), 0
    while True:
        async with asyncio.timeout(pace.patience(size)):
            chunk = await anext(chunks, b"")
        size += len(chunk)
        if size > limit:
            raise TooLarge(f"the upload has more than {limit} bytes, the most that is taken here")
        block += chunk
        if not chunk or len(block) >= _BLOCK:
            await asyncio.to_thread(file.write, bytes(block))
            block.clear()
        if not chunk:
            await asyncio.to_thread(file.flush)
            return


async def _chunks(request: web.Request, kinds: Sequence[str]) -> AsyncIterator[bytes]:
    """The bytes of the file, none of them empty."""
    kind = media_types.media_type(request.headers.get("Content-Type")) or kinds[-1]
    if kind == _MULTIPART:
        part = await _first_file(request)
        while chunk := await part.read_chunk(64 * 1024):
            yield chunk
        return
    if kind not in kinds:
        message = f"is {kind}; a course is sent as application/zip, text/xml or {_MULTIPART}"
        problem = Problem("Content-Type", "cmi5 14.0.0.0-1", message)
        raise Invalid(f"the course was not imported: Content-Type {message}", problems=[problem])
    async for chunk in request.content.iter_any():
        if chunk:
            yield chunk


async def _first_file(request: web.Request) -> BodyPartReader:
    reader = await request.multipart()
    while (part := await reader.next()) is not None:
        if isinstance(part, BodyPartReader) and part.filename is not None:
            return part
    raise BadRequest("the form holds no file; put it into a field of type file")
