from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from gateway.xapi import multipart
from gateway.xapi.versions import Version
from tests.gateway import Gateway, Http, Reply
from tests.xapi.examples import minimal

Serve = Callable[..., AbstractAsyncContextManager[Gateway]]

EXTENSION = "https://example.org/x"


def statement(size: int, **changes: Any) -> dict[str, Any]:
    """A statement of some more than `size` bytes."""
    return minimal(Version.V2) | {"result": {"extensions": {EXTENSION: "x" * size}}} | changes


async def pages(lrs: Http, origin: str, params: dict[str, str]) -> list[Reply]:
    """Every page of a list, in order."""
    replies = [await lrs.get("/statements", params)]
    while more := contained(replies[-1])["more"]:
        replies.append(await lrs.at(origin).get(more))
    return replies


def contained(reply: Reply) -> Any:
    """The StatementResult of an answer, whether it is alone or the first of several parts."""
    assert reply.status == 200, reply.body[:500]
    return reply.json() if "json" in reply.headers["Content-Type"] else json.loads(parts(reply)[0])


def parts(reply: Reply) -> list[bytes]:
    boundary = multipart.boundary_of(reply.headers["Content-Type"])
    return [part.body for part in multipart.split(reply.body, boundary)]


def ids(replies: list[Reply]) -> list[list[str]]:
    return [[item["id"] for item in contained(reply)["statements"]] for reply in replies]


async def test_a_page_ends_before_it_outgrows_its_bytes(serve: Serve) -> None:
    async with serve(xapi__page_bytes="10KiB") as gateway:
        sizes = [2500, 2500, 2500, 30_000, 100, 12_000, 8000, 500, 500, 4000]
        stored = [(await gateway.lrs.post("/statements", body=statement(size))).json()[0] for size in sizes]
        for ascending, lengths in (("true", [3, 1, 1, 1, 2, 2]), ("false", [3, 1, 1, 1, 1, 3])):
            replies = await pages(gateway.lrs, gateway.url, {"ascending": ascending})
            found = ids(replies)
            assert [i for page in found for i in page] == (stored if ascending == "true" else stored[::-1])
            assert [len(page) for page in found] == lengths
            for reply, page in zip(replies, found, strict=True):
                assert len(reply.body) < 10_240 or len(page) == 1
        limited = await pages(gateway.lrs, gateway.url, {"limit": "2", "ascending": "true"})
        assert [len(page) for page in ids(limited)] == [2, 1, 1, 1, 1, 2, 2]


async def test_pages_larger_than_an_answer_of_the_database_are_whole(serve: Serve) -> None:
    async with serve(xapi__page_bytes="64MiB") as gateway:
        stored = []
        for number in range(5):
            size = 9 * 2**20 if number % 2 else 10
            stored += (await gateway.lrs.post("/statements", body=statement(size))).json()
        [page] = ids(await pages(gateway.lrs, gateway.url, {"ascending": "true"}))
        assert page == stored


async def test_a_page_ends_before_its_attachments_outgrow_its_bytes(serve: Serve) -> None:
    async with serve(xapi__page_bytes="10KiB") as gateway:
        bodies = [bytes([number]) * 4000 for number in range(5)]
        bodies[3] = bodies[2]  # the same data, which a page brings once
        bodies.append(b"large" * 5000)
        bodies.append(b"small")
        for body in bodies:
            await send(gateway, body)
        replies = await pages(gateway.lrs, gateway.url, {"attachments": "true", "ascending": "true"})
        found = [parts(reply)[1:] for reply in replies]
        assert found == [bodies[:2], [bodies[2], bodies[4]], [bodies[5]], [bodies[6]]]
        whole = await pages(gateway.lrs, gateway.url, {"ascending": "true"})
        assert len(whole) == 1


async def send(gateway: Gateway, data: bytes) -> None:
    """Store a statement with an attachment."""
    sha2 = hashlib.sha256(data).hexdigest()
    attachment = {
        "usageType": "https://example.org/u",
        "display": {"en": "A"},
        "contentType": "application/octet-stream",
        "length": len(data),
        "sha2": sha2,
    }
    body = json.dumps(minimal(Version.V2) | {"attachments": [attachment]}).encode()
    headers = multipart.attachment_headers(sha2, "application/octet-stream")
    part = multipart.json_part(body)
    sent = (
        multipart.opening(part.headers, "b", first=True)
        + part.body
        + multipart.opening(headers, "b")
        + data
        + multipart.closing("b")
    )
    reply = await gateway.lrs.post(
        "/statements", data=sent, headers={"Content-Type": 'multipart/mixed; boundary="b"'}
    )
    assert reply.status == 200, reply.body
