from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from gateway.xapi.versions import Version
from tests.gateway import VERSION_HEADER, Gateway
from tests.waiting import until
from tests.web.test_xapi_hostile import head
from tests.xapi.examples import minimal

Serve = Callable[..., AbstractAsyncContextManager[Gateway]]

ABOUT = b"GET /xapi/about HTTP/1.1\r\nHost: x\r\n\r\n"


def read(answer: bytes) -> tuple[int, dict[str, str], Any]:
    """Status, headers by lower-case name, and JSON of one answer."""
    lines, _, body = answer.partition(b"\r\n\r\n")
    first, *rest = lines.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
    assert len(body) == int(headers["content-length"]), answer
    return int(first.split()[1]), headers, json.loads(body)


async def test_what_is_no_http_is_answered_like_any_other_error(gateway: Gateway) -> None:
    long = b"a" * 9000
    cases = {
        b"GET\r\n\r\n": 400,
        b"GET / HTTP/9.9\r\n\r\n": 400,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n": 400,
        b"GET /xapi/about HTTP/1.1\r\nHost: x\r\nbad header\r\n\r\n": 400,
        b"GET /xapi/about HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n": 400,
        b"GET /xapi/about HTTP/1.1\r\nHost: x\r\nX-Long: " + long + b"\r\n\r\n": 431,
        b"GET /xapi/about?" + long + b" HTTP/1.1\r\nHost: x\r\n\r\n": 414,
        head("POST /xapi/statements", "Content-Length: -1"): 400,
        head("POST /xapi/statements", "Content-Length: 1", "Content-Length: 2") + b"{}": 400,
        head("POST /xapi/statements", "Content-Length: 5", "Transfer-Encoding: chunked") + b"0\r\n\r\n": 400,
    }
    for request, expected in cases.items():
        status, headers, body = read(await gateway.raw(request))
        assert status == expected, (request[:60], status, body)
        assert headers["content-type"].startswith("application/json")
        assert body["error"]["code"] == ("bad_request" if status == 400 else "too_large")
        assert body["error"]["message"]
        assert body["error"]["problems"] == []
        assert "\n" not in body["error"]["message"]
        assert headers.get(VERSION_HEADER.lower()) == ("2.0.0" if b" /xapi/" in request else None)


async def test_the_version_of_an_unreadable_request_is_that_of_its_address(serve: Serve) -> None:
    for base in ("", "/lrs"):
        async with serve(server__base_path=base) as gateway:
            for path, version in (
                ("/v1/xapi/about", "1.0.3"),
                ("/xapi", "2.0.0"),
                ("/xapi?x=1", "2.0.0"),
                ("/xapix", None),
                ("/healthz", None),
            ):
                request = f"GET {base}{path} HTTP/1.1\r\nHost: x\r\nbad header\r\n\r\n"
                _, headers, _ = read(await gateway.raw(request.encode()))
                assert headers.get(VERSION_HEADER.lower()) == version, path


async def test_chunks_that_are_none_are_answered_and_end_the_connection(gateway: Gateway) -> None:
    request = head("POST /xapi/statements", "Transfer-Encoding: chunked", "Content-Type: application/json")
    for broken in (b"zz\r\n", b"1\r\n{x\r\n", b"fffffffffffffffffff\r\n"):
        status, headers, body = read(await gateway.raw(request.replace(b"close", b"keep-alive") + broken))
        assert (status, headers[VERSION_HEADER.lower()]) == (400, "2.0.0")
        assert body["error"]["code"] == "bad_request"


async def test_a_head_that_comes_too_slowly_is_answered(serve: Serve) -> None:
    async with serve(limits__head_timeout="1s") as gateway:
        for begun, version in ((b"G", None), (ABOUT[:-2], "2.0.0")):
            status, headers, body = read(await gateway.raw(begun))
            assert (status, body["error"]["code"]) == (408, "too_slow")
            assert "more than 1 seconds" in body["error"]["message"]
            assert headers.get(VERSION_HEADER.lower()) == version


async def test_dripping_bytes_into_a_head_gains_no_time(serve: Serve) -> None:
    async with serve(limits__head_timeout="1s") as gateway, asyncio.timeout(30):
        reader, writer = await asyncio.open_connection(gateway.host, gateway.port)
        # Not before the second request of the connection, so that the first one did not change anything.
        writer.write(ABOUT)
        assert b"200" in await reader.readuntil(b"\r\n\r\n")
        await reader.readuntil(b"}")
        writer.write(ABOUT[:-2])
        answer = asyncio.create_task(reader.read())
        while not answer.done():
            writer.write(b"X: y\r\n")
            await asyncio.sleep(0.05)
        assert read(await answer)[0] == 408
        writer.close()


async def test_requests_that_come_in_pieces_are_answered_all_the_same(serve: Serve) -> None:
    async with serve(limits__head_timeout="30s") as gateway, asyncio.timeout(30):
        reader, writer = await asyncio.open_connection(gateway.host, gateway.port)
        for _ in range(3):
            for start in range(0, len(ABOUT), 7):
                writer.write(ABOUT[start : start + 7])
                await writer.drain()
                await asyncio.sleep(0.001)
            assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
            await reader.readuntil(b"}")
        writer.close()


async def test_who_still_sends_a_refused_body_can_read_the_answer(serve: Serve) -> None:
    async with serve(xapi__max_body="10KiB") as gateway, asyncio.timeout(60):
        reader, writer = await asyncio.open_connection(gateway.host, gateway.port)
        framing = ("Content-Type: application/json", f"Content-Length: {4 * 2**20}")
        request = head("POST /xapi/statements", *framing).replace(b"close", b"keep-alive")
        for _ in range(2):
            writer.write(request)
            assert b" 413 " in await reader.readuntil(b"\r\n\r\n")
            await reader.readuntil(b"}}")
            for _ in range(64):
                writer.write(b" " * 2**16)
                await writer.drain()
        writer.close()


async def test_who_sends_no_more_of_a_refused_body_is_not_waited_for(serve: Serve) -> None:
    async with serve(xapi__max_body="10KiB") as gateway:
        for framing in (("Content-Length: 10000000000",), ("Transfer-Encoding: chunked",)):
            request = head("POST /xapi/statements", "Content-Type: application/json", *framing)
            first = b"" if "Length" in framing[0] else b"2801\r\n" + b" " * 0x2801 + b"\r\n"
            status, headers, _ = read(await gateway.raw(request.replace(b"close", b"keep-alive") + first))
            assert (status, headers[VERSION_HEADER.lower()]) == (413, "2.0.0")


async def test_a_body_on_its_way_when_the_gateway_is_to_end_is_awaited_and_answered(serve: Serve) -> None:
    body = json.dumps(minimal(Version.V2)).encode()
    framing = ("Content-Type: application/json", f"Content-Length: {len(body)}", "Expect: 100-continue")
    async with asyncio.timeout(60):
        async with serve(server__shutdown_grace="50s") as gateway:
            reader, writer = await asyncio.open_connection(gateway.host, gateway.port)
            writer.write(head("POST /xapi/statements", *framing))
            assert b" 100 " in await reader.readuntil(b"\r\n\r\n")
            asyncio.get_running_loop().call_later(0.1, writer.write, body)
        status, _, stored = read(await reader.read())
        assert (status, len(stored)) == (200, 1)
        writer.close()


async def test_a_body_that_drips_is_given_up(serve: Serve) -> None:
    async with serve(limits__body_timeout="1s", limits__body_rate="1MiB") as gateway:
        reader, writer = await asyncio.open_connection(gateway.host, gateway.port)
        writer.write(
            head("POST /xapi/statements", "Content-Type: application/json", "Content-Length: 100000")
        )
        answer = asyncio.create_task(reader.readuntil(b"}}"))
        while not answer.done():
            writer.write(b" ")
            await asyncio.sleep(0.05)
        status, headers, body = read(await answer)
        assert (status, headers[VERSION_HEADER.lower()]) == (408, "2.0.0")
        assert "less than 1048576 bytes a second" in body["error"]["message"]
        writer.close()


async def test_a_client_that_takes_nothing_of_its_answer_is_let_go(serve: Serve) -> None:
    async with serve(limits__answer_timeout="1s") as gateway:
        document = {"activityId": "http://example.org/a", "profileId": "large"}
        large = b"x" * (12 << 20)  # more than any buffer on the way holds
        assert (await gateway.lrs.put("/activities/profile", document, data=large)).status == 204
        with socket.create_connection((gateway.host, gateway.port)) as client:
            address = client.getsockname()[1]
            credentials = f"Authorization: {gateway.lrs.headers['Authorization']}"
            query = urlencode(document)
            client.sendall(
                head(f"GET /xapi/activities/profile?{query}", credentials, f"{VERSION_HEADER}: 2.0.0")
            )

            async def gone() -> bool:
                return (gateway.port, address) not in connections()

            assert (gateway.port, address) in connections()
            await until(gone)
        assert (await gateway.lrs.get("/activities/profile", document)).body == large


def connections() -> set[tuple[int, int]]:
    """Local and remote port of every established connection of this machine."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    ports = [[int(end.rpartition(":")[2], 16) for end in row[1:3]] for row in rows if row[3] == "01"]
    return {(local, remote) for local, remote in ports}


@pytest.mark.parametrize("path", ["/xapi/statements", "/api/v1/courses"])
async def test_who_hangs_up_while_the_body_is_read_is_counted_and_no_error(
    gateway: Gateway, path: str
) -> None:
    def counted() -> float:
        return REGISTRY.get_sample_value("xapi_gateway_clients_gone_total") or 0.0

    before = counted()
    with capture_logs() as logs:
        reader, writer = await asyncio.open_connection(gateway.host, gateway.port)
        credentials = gateway.lrs.headers["Authorization"]
        writer.write(
            head(
                f"POST {path}",
                f"Authorization: {credentials}",
                f"{VERSION_HEADER}: 2.0.0",
                "Content-Type: application/json" if "xapi" in path else "Content-Type: application/zip",
                "Content-Length: 1000",
                "Expect: 100-continue",
            )
        )
        assert b"100" in await reader.readuntil(b"\r\n\r\n")  # now somebody waits for the body
        writer.write(b'{"actor":')
        await writer.drain()
        writer.close()
        async with asyncio.timeout(30):
            while counted() == before:
                await asyncio.sleep(0.01)
    assert [each["event"] for each in logs if each["log_level"] not in ("debug", "info")] == []
