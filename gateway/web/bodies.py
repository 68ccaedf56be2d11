"""Reading request bodies: never more than allowed, never for longer than allowed."""

from __future__ import annotations

import asyncio
import time

from aiohttp import StreamReader, hdrs, web
from aiohttp.http_exceptions import BadHttpMessage

from gateway.errors import BadRequest, TooLarge, TooSlow, UnsupportedMediaType
from gateway.keys import SETTINGS
from gateway.xapi.findings import shown

# What aiohttp undoes while it reads; anything else it leaves as it came, and nobody could read it later.
_CODINGS = frozenset(["", "identity", "gzip", "deflate"])


class Pace:
    """How long to wait for the next bytes of a body: neither may a pause be long, nor may a client drip bytes
    into a connection for hours.
    """

    def __init__(self, request: web.Request) -> None:
        limits = request.config_dict[SETTINGS].limits
        self._pause = limits.body_timeout
        self._rate = limits.body_rate
        self._begun = time.monotonic()

    def patience(self, received: int) -> float:
        """Seconds to wait for more when so many bytes are there; zero or less when they took too long."""
        whole = self._pause + received / self._rate
        return min(self._pause, self._begun + whole - time.monotonic())

    def error(self) -> TooSlow:
        """What to answer when patience is over."""
        return TooSlow(
            f"the body paused for more than {self._pause:g} seconds, or came at less than {self._rate} bytes "
            "a second"
        )


def unknown_coding(coding: str = "") -> UnsupportedMediaType:
    """The error for a body in a coding that cannot be undone here (RFC 9110 8.4)."""
    held = f"holds {shown(coding)}" if coding else "is not known here"
    return UnsupportedMediaType(f"Content-Encoding {held}; expected gzip, deflate, or none")


async def read_body(request: web.Request, *, limit: int, any_coding: bool = False) -> bytes:
    """The whole body. Raises TooLarge beyond `limit` bytes (after decompression), TooSlow as the settings
    say, and BadRequest when it breaks off. In a coding that is unknown it is refused or, with `any_coding`,
    left as it came.
    """
    coding = request.headers.get(hdrs.CONTENT_ENCODING, "")
    if not any_coding and coding.lower() not in _CODINGS:
        raise unknown_coding(coding)
    announced = request.content_length
    if announced is not None and announced > limit:
        raise TooLarge(f"the body has {announced} bytes; at most {limit} are taken here")
    if not request.body_exists:
        return b""
    content = request.content
    try:
        if content.is_eof():  # all has arrived, as small bodies have: no need for a clock
            body = content.read_nowait()
            _check_size(len(body), limit)
            return body
        return await _read_on(content, Pace(request), limit)
    except (BadHttpMessage, web.RequestPayloadError) as error:
        raise BadRequest(f"the body cannot be read: {error}") from None


async def _read_on(content: StreamReader, pace: Pace, limit: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    try:
        while True:
            async with asyncio.timeout(pace.patience(size)):
                chunk = await content.readany()
            if not chunk:
                return b"".join(chunks)
            size += len(chunk)
            _check_size(size, limit)
            chunks.append(chunk)
    except TimeoutError:
        raise pace.error() from None


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        raise TooLarge(f"the body has more than {limit} bytes, the most that is taken here")
