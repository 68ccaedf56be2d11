"""A load client that costs little: raw HTTP/1.1 on keep-alive connections, each with one request under way.

Run as a process of its own (`python -m benchmarks.load`, a Job as JSON on standard input, a Result as JSON on
standard output), because a client in the process of the measurement, or one as heavy as the server, measures
itself. An answer other than 2xx, or with other than the expected number of statements, fails the run.
"""

from __future__ import annotations

import asyncio
import json
import math
import sys
import time
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any, cast

import uvloop

from benchmarks.work import Source, Work, source

_PATIENCE = 60.0  # seconds beyond the planned ones


class LoadError(Exception):
    """The server did not do what was asked; the run says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """`seconds` of `work` after `warm_up` seconds that do not count. With `to_the_end` it is over when all is
    done: nothing is left to ask for, or `requests` have been made; `seconds` is the limit then.
    """

    host: str
    port: int
    headers: dict[str, str]
    work: Work
    connections: int
    seconds: float
    warm_up: float = 0.5
    to_the_end: bool = False
    requests: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What was answered within the counted time. Latencies in milliseconds; `all_requests` counts all."""

    seconds: float
    requests: int
    statements: int
    p50: float
    p99: float
    all_requests: int
    all_statements: int

    def rate(self, unit: str) -> float:
        """`requests` or `statements` per second."""
        return (self.requests if unit == "requests" else self.statements) / self.seconds


@dataclass(slots=True)
class _Tally:
    begin: float
    end: float
    done: asyncio.Future[None]
    open: int
    left: float  # requests that may still be sent
    latencies: list[float] = field(default_factory=list)
    statements: int = 0
    all_requests: int = 0
    all_statements: int = 0

    def add(self, sent: float, now: float, statements: int) -> None:
        self.all_requests += 1
        self.all_statements += statements
        if self.begin <= now < self.end:
            self.latencies.append(now - sent)
            self.statements += statements

    def fail(self, reason: str) -> None:
        if not self.done.done():
            self.done.set_exception(LoadError(reason))


class _Connection(asyncio.Protocol):
    """Sends the next request as soon as the answer to the last one is complete."""

    def __init__(self, tally: _Tally, requests: Source) -> None:
        self._tally = tally
        self._requests = requests
        self._received = bytearray()
        self._needed = 0
        self._closing = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own type
        self._send(b"")

    def connection_lost(self, error: Exception | None) -> None:
        if not self._closing:
            self._tally.fail(f"the server closed a connection: {error}")

    def _send(self, answer: bytes) -> None:
        over = time.perf_counter() >= self._tally.end or not self._tally.left
        request = None if over else self._requests.next(answer)
        if request is None:
            self._closing = True
            self._transport.close()
            self._tally.open -= 1
            if not self._tally.open and not self._tally.done.done():
                self._tally.done.set_result(None)
            return
        self._tally.left -= 1
        self._sent = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if len(self._received) < self._needed:
            return
        try:
            parsed = parse_answer(self._received)
            if isinstance(parsed, int):
                self._needed = parsed
                return
            status, body = parsed
            if not 200 <= status < 300:
                raise LoadError(f"answered {status}: {body[:500].decode(errors='replace')}")
            statements = self._requests.count(body)
        except (LoadError, ValueError) as error:
            self._tally.fail(str(error))
            self._closing = True
            self._transport.close()
            return
        self._received.clear()
        self._needed = 0
        self._tally.add(self._sent, time.perf_counter(), statements)
        self._send(body)


def parse_answer(received: bytes | bytearray) -> tuple[int, bytes] | int:
    """Status and body of a complete answer, or how many bytes there must be before asking again helps."""
    end = received.find(b"\r\n\r\n")
    if end < 0:
        return len(received) + 1
    head = bytes(received[:end]).lower()
    status = int(head[9:12])
    start = end + 4
    if b"\r\ntransfer-encoding: chunked" in head:
        return _parse_chunks(received, start, status)
    length = 0
    if (at := head.find(b"\r\ncontent-length:")) >= 0:
        length = int(head[at + 17 :].split(b"\r\n", 1)[0])
    if len(received) < start + length:
        return start + length
    return status, bytes(received[start : start + length])


def _parse_chunks(received: bytes | bytearray, at: int, status: int) -> tuple[int, bytes] | int:
    body = b""
    while (end := received.find(b"\r\n", at)) >= 0:
        size = int(bytes(received[at:end]).split(b";", 1)[0], 16)
        at = end + 2 + size + 2
        if len(received) < at:
            return at
        if not size:
            return status, body
        body += received[end + 2 : end + 2 + size]
    return len(received) + 1


async def run(job: Job) -> Result:
    """Do the work of a job. Raises LoadError."""
    loop = asyncio.get_running_loop()
    headers = job.headers | {"Host": f"{job.host}:{job.port}"}
    sources = [source(job.work, headers, number) for number in range(job.connections)]
    # From here on: the time to get ready is nobody's.
    begin = time.perf_counter() + job.warm_up
    left = math.inf if job.requests is None else job.requests
    tally = _Tally(begin, begin + job.seconds, loop.create_future(), job.connections, left)
    loop.set_exception_handler(lambda _, context: tally.fail(repr(context.get("exception", context))))
    for requests in sources:
        await loop.create_connection(partial(_Connection, tally, requests), job.host, job.port)
    try:
        async with asyncio.timeout(job.warm_up + job.seconds + _PATIENCE):
            await tally.done
    except TimeoutError:
        raise LoadError(f"no answer within {_PATIENCE:.0f} s") from None
    if job.to_the_end and time.perf_counter() >= tally.end:
        raise LoadError(f"not done within {job.seconds:.0f} s")
    if not tally.latencies:
        raise LoadError(f"not one answer within {job.seconds:.1f} s")
    seconds = time.perf_counter() - begin if job.to_the_end else job.seconds
    ordered = sorted(tally.latencies)
    return Result(
        seconds=seconds,
        requests=len(ordered),
        statements=tally.statements,
        p50=1000 * ordered[len(ordered) // 2],
        p99=1000 * ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)],
        all_requests=tally.all_requests,
        all_statements=tally.all_statements,
    )


async def run_apart(job: Job) -> Result:
    """Do the work of a job in a process of its own. Raises LoadError."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "benchmarks.load",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate(json.dumps(asdict(job)).encode())
    if process.returncode:
        raise LoadError(errors.decode().strip().splitlines()[-1] if errors else "the load client failed")
    return Result(**json.loads(output))


def _main() -> None:
    given: dict[str, Any] = json.load(sys.stdin)
    job = Job(**given | {"work": Work(**given["work"])})
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            json.dump(asdict(runner.run(run(job))), sys.stdout)
        except LoadError as error:
            sys.exit(f"{job.work.kind} {job.work.path}: {error}")


if __name__ == "__main__":
    _main()
