"""Connections of clients: what cannot be read as HTTP gets the gateway's own answer, and so does what comes
too slowly.

aiohttp answers a request that it cannot parse by itself, as plain text, before any application is asked, and
waits for the rest of a request's head as long as for a new request. A body that nobody wants any more it
awaits for ten seconds, whether any of it comes or not, and a body that is on its way when the process is to
end is dropped. All this is decided in `RequestHandler`, its object for one connection; this is one with other
answers. It touches attributes that aiohttp does not promise, and tests/web/test_connections.py holds it
against the version in use.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from aiohttp import StreamReader, web
from aiohttp.http_exceptions import BadHttpMessage, ContentEncodingError, LineTooLong
from aiohttp.streams import EMPTY_PAYLOAD
from aiohttp.web_protocol import _ErrInfo

from gateway.errors import AddressTooLong, BadRequest, GatewayError, HeadTooLarge, TooSlow
from gateway.web.bodies import unknown_coding
from gateway.web.errors import error_response

log = structlog.get_logger(__name__)

_SHOWN = 200
_LINGER = 10.0  # seconds for the rest of a body after its answer: a client that still sends may not read yet
_SILENCE = 1.0  # seconds of it without a byte, after which the client waits for the answer or for nothing
_REQUEST_LINE = 2048  # bytes kept of what a connection sent last, to know what it asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """How connections are treated: seconds that the head of a request may take, seconds that a client may
    take nothing of an answer, and the headers that an answer at a path has even if the request could not be
    read.
    """

    head_timeout: float
    answer_timeout: float
    headers: Callable[[str], Mapping[str, str]]


class Runner(web.AppRunner):
    """Runs an application on such connections."""

    def __init__(self, app: web.Application, manners: Manners, **options: Any) -> None:
        super().__init__(app, **options)
        self._manners = manners

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        server = _Server(made.request_handler, request_factory=made.request_factory, **made._kwargs)
        server.manners = self._manners
        return server


class _Server(web.Server):
    manners: Manners

    def __call__(self) -> web.RequestHandler:
        return _Connection(self, self.manners, loop=self._loop, **self._kwargs)


class _Connection(web.RequestHandler):
    __slots__ = ("_begun", "_late", "_manners")

    def __init__(self, server: web.Server, manners: Manners, **options: Any) -> None:
        super().__init__(server, **options)
        self._manners = manners
        self._lingering_time = 0.0  # `_read_on` does that
        self._begun = b""
        self._late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        # A client that does not read would hold its answer in memory as long as it likes. The kernel knows
        # whether anything is taken, also of an answer that is small enough for its own buffers.
        connection = transport.get_extra_info("socket")
        if connection is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
            milliseconds = int(self._manners.answer_timeout * 1000)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)

    def data_received(self, data: bytes) -> None:
        if self._late is None and self._is_idle():
            self._begun = data[:_REQUEST_LINE]
        if self._request_in_progress and self._parser is not None:
            self._take_while_ending(data)
        else:
            super().data_received(data)
        if self._late is not None:
            if not self._is_idle():
                self._late.cancel()
                self._late = None
        elif self._is_idle():  # the head is not complete; most are, and cost no timer
            self._late = self._loop.call_later(self._manners.head_timeout, self._give_up)

    def _take_while_ending(self, data: bytes) -> None:
        # aiohttp drops all that comes once the process is to end. The body of a request under way has to
        # arrive all the same, or its client is kept waiting for the whole grace period and gets no answer.
        ending = self._close, self._force_close
        self._close = self._force_close = False
        try:
            super().data_received(data)
        finally:
            self._close |= ending[0]
            self._force_close |= ending[1]

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None
        super().connection_lost(exc)

    def _is_idle(self) -> bool:
        return self._waiter is not None and not self._waiter.done()

    def _give_up(self) -> None:
        self._late = None
        if self._waiter is not None and not self._waiter.done():
            seconds = self._manners.head_timeout
            error = TooSlow(f"the head of the request took more than {seconds:g} seconds")
            self._messages.append((_ErrInfo(status=408, exc=error, message=error.message), EMPTY_PAYLOAD))
            self._waiter.set_result(None)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        finished = await super().finish_response(request, resp, start_time)
        if resp.status != TooSlow.status:  # whoever did not send in time is not waited for any longer
            await self._read_on(request.content)
        return finished

    async def _read_on(self, body: StreamReader) -> None:
        """Read what is left of a body and drop it: closing earlier could take the answer from the client."""
        ends = self._loop.time() + _LINGER
        try:
            while not (body.is_eof() or self._force_close) and self._loop.time() < ends:
                async with asyncio.timeout(_SILENCE):
                    await body.readany()
        except (TimeoutError, ConnectionError, BadHttpMessage, web.RequestPayloadError) as error:
            log.debug("the rest of a request was not read", error=repr(error))

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to a request that cannot be read, in the shape of all errors; the connection ends."""
        if status >= 500:
            return super().handle_error(request, status, exc, message)
        if request.writer.output_size > 0:
            raise ConnectionError("a part of another answer was sent already")
        error = _as_error(exc, message or "", self._begun)
        log.info("request cannot be read", remote=request.remote, error=error.message)
        response = error_response(error)
        response.headers.update(self._manners.headers(_path(self._begun)))
        response.force_close()
        return response


def _as_error(exc: BaseException | None, message: str, begun: bytes) -> GatewayError:
    if isinstance(exc, GatewayError):
        return exc
    if isinstance(exc, ContentEncodingError):
        return unknown_coding()
    if isinstance(exc, LineTooLong):
        limit = exc.args[1]
        if b"\n" in begun:
            return HeadTooLarge(f"a header is longer than the {limit} bytes that are read")
        return AddressTooLong(f"the address is longer than the {limit} bytes that are read")
    # aiohttp goes on to quote the bytes, over several lines.
    reason = message.partition("\n")[0].strip().rstrip(":.")[:_SHOWN]
    return BadRequest(f"the request is no HTTP that can be read: {reason}")


def _path(begun: bytes) -> str:
    """The path that a request's first line names, empty where there is none."""
    words = begun.partition(b"\r\n")[0].split(b" ")
    return words[1].partition(b"?")[0].decode("ascii", "replace") if len(words) > 1 else ""
