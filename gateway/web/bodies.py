"""Reading request bodies: never more than allowed, never for longer than allowed."""

from __future__ import annotations

import asyncio

from aiohttp import StreamReader, web
from aiohttp.http_exceptions import BadHttpMessage

from gateway.errors import BadRequest, TooLarge


async def read_body(request: web.Request, *, limit: int, timeout: float) -> bytes:
    """The whole body. Raises TooLarge beyond `limit` bytes (after decompression), BadRequest when it breaks
    off or pauses for longer than `timeout` seconds.
    """
    announced = request.content_length
    if announced is not None and announced > limit:
        raise TooLarge(f"the body has {announced} bytes; at most {limit} are taken here")
    if not request.body_exists:
        return b""
    chunks: list[bytes] = []
    size = 0
    try:
        while True:
            chunk = await _some(request.content, timeout)
            if not chunk:
                return b"".join(chunks)
            size += len(chunk)
            if size > limit:
                raise TooLarge(f"the body has more than {limit} bytes, the most that is taken here")
            chunks.append(chunk)
    except TimeoutError:
        raise BadRequest(f"the body paused for more than {timeout:g} seconds") from None
    except (BadHttpMessage, web.RequestPayloadError) as error:
        raise BadRequest(f"the body cannot be read: {error}") from None


async def _some(content: StreamReader, timeout: float) -> bytes:
    if content.is_eof():  # all has arrived, as small bodies have: no need for a timer
        return content.read_nowait()
    async with asyncio.timeout(timeout):
        return await content.readany()
