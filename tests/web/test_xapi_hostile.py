from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from typing import Any

from gateway.xapi.versions import Version
from tests.gateway import KEY, SECRET, VERSION_HEADER, Gateway, Reply, basic
from tests.xapi.examples import minimal

Serve = Callable[..., AbstractAsyncContextManager[Gateway]]

JSON = {"Content-Type": "application/json"}
EXTENSION = "https://example.org/x"
DOCUMENT = {"activityId": "https://example.org/1", "agent": '{"mbox":"mailto:a@example.org"}', "stateId": "s"}


def statement(extension: str) -> bytes:
    """A statement with this JSON as the value of an extension."""
    text = json.dumps(minimal(Version.V2) | {"result": {"extensions": {EXTENSION: "HERE"}}})
    return text.replace('"HERE"', extension).encode()


async def returned(gateway: Gateway, body: bytes) -> bytes:
    """The statement as the gateway gives it back."""
    stored = await gateway.lrs.post("/statements", data=body, headers=JSON)
    assert stored.status == 200, stored.body[:500]
    listed = await gateway.lrs.get("/statements", {"limit": "1"})
    single = await gateway.lrs.get("/statements", {"statementId": stored.json()[0]})
    assert single.body in listed.body
    return single.body


def refused(reply: Reply, status: int = 400) -> str:
    assert reply.status == status, reply.body[:500]
    assert reply.headers[VERSION_HEADER] == "2.0.0"
    message: str = reply.error["message"]
    assert message
    return message


async def test_what_is_no_json_is_refused_with_the_place(gateway: Gateway) -> None:
    cases = {
        b"": "line 1 column",
        b"{": "line 1 column 1",
        b"nonsense": "line 1 column",
        b'{"a":1}{"a":1}': "line 1 column",
        b'{"actor": 1,}': "line 1 column",
        b'{"a": 1, "a": 2}': "a",
        b'{"a": NaN}': "line 1 column",
        b'{"a": Infinity}': "line 1 column",
        b'{"a": 01}': "line 1 column",
        b'{"a": "\xff\xfe"}': "",
        b"\xef\xbb\xbf{}": "byte order mark",
        b'{"a": "\\ud800"}': "",
        b'{"a": "\x00"}': "",
        b"\x00": "",
        b"[" * 10**6: "",
        b'{"a":' * 10**6: "",
        b"[" * 10**6 + b"]" * 10**6: "",
    }
    for body, expected in cases.items():
        reply = await gateway.lrs.post("/statements", data=body, headers=JSON)
        assert expected in refused(reply), body[:40]
    for body in (b"1", b'"text"', b"null", b"true", b"[1]", b"[null]", b"[[]]", b"{}", b"[{}]"):
        refused(await gateway.lrs.post("/statements", data=body, headers=JSON))
    assert (await gateway.lrs.get("/statements")).json()["statements"] == []


async def test_numbers_come_back_as_they_were_sent(gateway: Gateway) -> None:
    numbers = [
        "1e400",
        "-1E+400",
        "1e-400",
        "9" * 4300,
        "-" + "9" * 4300,
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808",
        "-9223372036854775809",
        "18446744073709551616",
        "0.1234567890123456789012345678901234567890",
        "123456789012345678901234567890.5",
        "1.7976931348623157e308",
        "5e-324",
        "4294967296",
        "1e22",
        "1.0000000000000000000000000000000000001",
    ]
    body = await returned(gateway, statement("[" + ",".join(numbers) + "]"))
    for number in numbers[:5]:
        assert f"{number}".encode() in body
    sent = [Decimal(number) for number in numbers]
    back = json.loads(body, parse_int=Decimal, parse_float=Decimal)["result"]["extensions"][EXTENSION]
    assert back == sent


async def test_integers_of_any_length_come_back_byte_by_byte(gateway: Gateway) -> None:
    long = "9" * 5000
    for text in (
        long,
        f"-{long}",
        f"[1,{long},-{long},2.5,{long}.5,{long}e3,0.{long},1e-{long}]",
        f'{{"{long}":"{long}","a":"{long}e00000000","b":"x{long}\\u0065000"}}',
        f'["{long}",{long}]',
    ):
        body = await returned(gateway, statement(text))
        assert text.replace("\\u0065", "e").encode() in body
    for broken in (f"{long}x", f"0{long}", f"{long},", f'{{"a":{long},"a":1}}'):
        refused(await gateway.lrs.post("/statements", data=statement(broken), headers=JSON))


async def test_a_long_integer_is_told_from_another_one(gateway: Gateway) -> None:
    first = statement("9" * 5000).replace(b'"actor"', b'"id":"6690e6c9-3ef0-4ed3-8b37-7f3964730bee","actor"')
    other = first.replace(b"9" * 5000, b"9" * 4999 + b"8")
    for body, status in ((first, 200), (first, 200), (other, 409)):
        assert (await gateway.lrs.post("/statements", data=body, headers=JSON)).status == status


async def test_floats_of_17_digits_keep_every_digit(gateway: Gateway) -> None:
    numbers = ["0.10000000000000001", "2.2250738585072014e-308", "9007199254740993.0", "-0.0", "1.5"]
    body = await returned(gateway, statement("[" + ",".join(numbers) + "]"))
    back = json.loads(body)["result"]["extensions"][EXTENSION]
    assert [repr(number) for number in back] == [repr(float(number)) for number in numbers]


async def test_what_a_database_would_read_as_its_own_comes_back(gateway: Gateway) -> None:
    values: list[Any] = [
        {"$set": {"voided": True}},
        {"$ref": "statements", "$id": 1},
        {"$ref": "c", "$id": {"$oid": "65a000000000000000000000"}, "$db": "d"},
        {"$date": "2024-01-01", "$numberLong": "1", "$binary": {"base64": "", "subType": "00"}},
        {"a.b": 1, ".": 2, "": 3, "$": 4, "a$b": 5, "_id": 6},
        {"nul\0key": "nul\0value", "\0": "\0"},
        {"__proto__": 1, "constructor": 2},
        {"\u2028": "\u2029\u007f\ufffe\U0010ffff"},
        [[[]], {}, "", None, False, 0],
    ]
    for value in values:
        text = json.dumps(value)
        for spelled in (text, text.replace("$", "\\u0024"), json.dumps(value, ensure_ascii=False)):
            back = json.loads(await returned(gateway, statement(spelled)))
            assert back["result"]["extensions"][EXTENSION] == value
            assert list(back["result"]["extensions"][EXTENSION]) == list(value)


async def test_deep_nesting_comes_back_as_far_as_it_is_taken(gateway: Gateway) -> None:
    for depth in (90, 100, 150, 180):
        for opening, closing in (("[", "]"), ('{"a":', "}")):
            text = opening * depth + "1" + closing * depth
            assert text.encode() in await returned(gateway, statement(text))
    refused(await gateway.lrs.post("/statements", data=statement("[" * 250 + "]" * 250), headers=JSON))


async def test_a_statement_that_outgrows_a_database_document_comes_back(gateway: Gateway) -> None:
    text = "[" + ",".join(["1"] * 2_000_000) + "]"
    assert text.encode() in await returned(gateway, statement(text))


async def test_a_statement_that_no_document_can_hold_is_refused_alone(gateway: Gateway) -> None:
    large = statement(json.dumps("x" * (17 * 2**20)))
    wide = minimal(Version.V2)
    wide["verb"] = {"id": "x:" + "v" * (8 * 2**20)}
    replies = await asyncio.gather(
        gateway.lrs.post("/statements", data=large, headers=JSON),
        gateway.lrs.post("/statements", body=wide),
        *(gateway.lrs.post("/statements", body=minimal(Version.V2)) for _ in range(20)),
    )
    assert [reply.status for reply in replies] == [413] * 2 + [200] * 20
    assert "too large for the database" in refused(replies[0], 413)
    batch = b"[" + large + b"," + statement("1") + b"]"
    refused(await gateway.lrs.post("/statements", data=batch, headers=JSON), 413)
    assert len((await gateway.lrs.get("/statements")).json()["statements"]) == 20


async def test_more_than_the_configured_size_is_answered_413(serve: Serve) -> None:
    async with serve(xapi__max_body="10KiB", xapi__max_document="1KiB", xapi__max_statements=3) as gateway:
        body = statement(json.dumps("x" * 20_000))

        async def pieces() -> AsyncIterator[bytes]:
            for start in range(0, len(body), 1000):
                yield body[start : start + 1000]

        for data in (body, pieces()):
            reply = await gateway.lrs.post("/statements", data=data, headers=JSON)
            assert "10240" in refused(reply, 413)
        four = await gateway.lrs.post("/statements", body=[minimal(Version.V2)] * 4)
        assert "at most 3" in refused(four, 413)
        for method in ("PUT", "POST"):
            reply = await gateway.lrs(method, "/activities/state", DOCUMENT, data=b"x" * 1025)
            assert "1024" in refused(reply, 413)
        assert (await gateway.lrs.put("/activities/state", DOCUMENT, data=b"x" * 1024)).status == 204
        assert (await gateway.lrs.get("/statements")).json()["statements"] == []


async def test_a_body_announced_as_too_large_is_refused_before_it_is_sent(serve: Serve) -> None:
    async with serve(xapi__max_body="10KiB") as gateway:
        answer = await gateway.raw(
            head("POST /xapi/statements", "Content-Type: application/json", "Content-Length: 10000000000")
        )
        assert answer.startswith(b"HTTP/1.1 413 ")


async def test_compressed_bodies_are_taken_and_bombs_are_not(serve: Serve) -> None:
    async with serve(xapi__max_body="1MiB") as gateway:
        body = statement("1")
        for coding, packed in (("gzip", gzip.compress(body)), ("deflate", zlib.compress(body))):
            reply = await gateway.lrs.post(
                "/statements", data=packed, headers=JSON | {"Content-Encoding": coding}
            )
            assert reply.status == 200, reply.body
        spaces = b" " * 100 * 2**20
        bomb, raw = gzip.compress(spaces, 9), zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
        assert len(bomb) < 200_000
        bombs = [("gzip", bomb), ("deflate", zlib.compress(spaces, 9))]
        bombs.append(("deflate", raw.compress(spaces) + raw.flush()))
        for coding, packed in bombs:
            headers = JSON | {"Content-Encoding": coding}
            refused(await gateway.lrs.post("/statements", data=packed, headers=headers), 413)
            for method in ("PUT", "POST"):
                reply = await gateway.lrs(method, "/activities/state", DOCUMENT, data=packed, headers=headers)
                refused(reply, 413)
        assert (await gateway.lrs.get("/activities/state", DOCUMENT)).status == 404
        for broken in (bomb[:50], b"no gzip", gzip.compress(body)[:-60]):
            framing = ("Content-Encoding: gzip", f"Content-Length: {len(broken)}")
            request = head("POST /xapi/statements", "Content-Type: application/json", *framing)
            assert (await gateway.raw(request + broken)).startswith(b"HTTP/1.1 400 ")


async def test_codings_that_cannot_be_undone_are_refused_and_nothing_is_stored(gateway: Gateway) -> None:
    twice = gzip.compress(gzip.compress(statement("1")))
    for coding in ("br", "zstd", "compress", "gzip, gzip", "utf-8"):
        headers = JSON | {"Content-Encoding": coding}
        for method, path, params in (("POST", "/statements", ()), ("PUT", "/activities/state", DOCUMENT)):
            reply = await gateway.lrs(method, path, params, data=twice, headers=headers)
            message = refused(reply, 415)
            assert "Content-Encoding" in message
            assert "expected gzip, deflate, or none" in message
    assert (await gateway.lrs.get("/activities/state", DOCUMENT)).status == 404
    plain = JSON | {"Content-Encoding": "identity"}
    assert (await gateway.lrs.post("/statements", data=statement("1"), headers=plain)).status == 200


async def test_nesting_without_end_is_refused_wherever_json_is_read(gateway: Gateway) -> None:
    for deep in (b"[" * 10**6 + b"]" * 10**6, b'{"a":' * 10**6 + b"1" + b"}" * 10**6, b"[" * 10**6):
        assert "recursion" in refused(await gateway.lrs.post("/statements", data=deep, headers=JSON))
        for method in ("PUT", "POST"):
            reply = await gateway.lrs(method, "/activities/state", DOCUMENT, data=deep, headers=JSON)
            assert "recursion" in refused(reply)
    assert (await gateway.lrs.get("/activities/state", DOCUMENT)).status == 404
    api = gateway.lrs.at(f"{gateway.url}/api/v1")
    for path in ("/registrations", "/deliveries/replay"):
        reply = await api.post(path, data=b"[" * 400_000 + b"]" * 400_000, headers=JSON)
        assert (reply.status, "recursion" in reply.error["message"]) == (400, True)
    agent = "[" * 2000
    refused(await gateway.lrs.get("/statements", {"agent": agent}))


async def test_a_client_that_pauses_for_too_long_is_answered(serve: Serve) -> None:
    async with serve(limits__body_timeout="1s") as gateway:
        for framing in (("Content-Length: 100",), ("Transfer-Encoding: chunked",)):
            start = head("POST /xapi/statements", "Content-Type: application/json", *framing)
            answer = await gateway.raw(start + (b"{" if "Length" in framing[0] else b"1\r\n{\r\n"))
            assert answer.startswith(b"HTTP/1.1 408 "), answer
            assert b"paused for more than 1 seconds" in answer


def head(request: str, *headers: str) -> bytes:
    lines = [
        f"{request} HTTP/1.1",
        "Host: x",
        "Connection: close",
        f"Authorization: {basic(KEY, SECRET)}",
        f"{VERSION_HEADER}: 2.0.0",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape")


async def test_content_types_cannot_inject_headers(gateway: Gateway) -> None:
    target = "/xapi/activities/profile?activityId=x%3Aa&profileId=s"
    for content_type in ("text/plain; x=ü", "text/plain; x=\udcff", "a/b\x0b", "x" * 5000, "text/plain\tx"):
        header = f"Content-Type: {content_type}"
        post = await gateway.raw(head(f"POST {target}", header, "Content-Length: 1") + b"x")
        got = await gateway.raw(head(f"GET {target}"))
        if post.split()[1] == b"204":
            assert f"Content-Type: {content_type}\r\n".encode("utf-8", "surrogateescape") in got
        else:
            assert (post.split()[1], got.split()[1]) == (b"400", b"404"), (content_type, post, got)
        await gateway.raw(head(f"DELETE {target}"))
    attached = minimal(Version.V2) | {
        "attachments": [
            {
                "usageType": "x:u",
                "display": {},
                "contentType": "text/plain\r\nX-Evil: 1",
                "length": 1,
                "sha2": "a" * 64,
                "fileUrl": "https://example.org/f",
            }
        ]
    }
    assert "contentType" in refused(await gateway.lrs.post("/statements", body=attached))


async def test_huge_query_strings_get_an_answer(gateway: Gateway) -> None:
    for size in (7000, 9000, 100_000):
        answer = await gateway.raw(head(f"GET /xapi/statements?activity=x:{'a' * size}"))
        assert answer.split()[1] in (b"200", b"400", b"414"), answer[:200]
    many = await gateway.raw(head("GET /xapi/statements?" + "&" * 7000))
    assert many.split()[1] == b"200"
    repeated = await gateway.raw(head("GET /xapi/statements?" + "a&" * 3500))
    assert repeated.split()[1] == b"400"


async def test_texts_that_are_no_unicode_are_refused_wherever_they_stand(gateway: Gateway) -> None:
    for query in ("verb=%ff", "%ff=1", "agent=%ed%a0%80", "activity=x:\udcff", "\udcff=1", "more=\udcff"):
        answer = await gateway.raw(head(f"GET /xapi/statements?{query}"))
        assert answer.split()[1] == b"400", (query, answer[:300])
    for header in ("If-Match: \udcff", "Accept-Language: \udcff", "X-Request-ID: \udcff", "Origin: \udcff"):
        answer = await gateway.raw(head("GET /xapi/statements", header))
        assert answer.split()[1] in (b"200", b"400"), (header, answer[:300])


async def test_broken_http_is_never_an_error_of_the_server(gateway: Gateway) -> None:
    for request in (
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /xapi/statements HTTP/1.1\r\nHost: x\r\nbad header\r\n\r\n",
        head("POST /xapi/statements", "Transfer-Encoding: chunked", "Content-Type: application/json")
        + b"zz\r\n",
        head("POST /xapi/statements", "Content-Length: -1"),
        head("POST /xapi/statements", "Content-Length: 1", "Content-Length: 2") + b"{}",
        head("POST /xapi/statements", "Content-Length: 5", "Transfer-Encoding: chunked") + b"0\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ):
        answer = await gateway.raw(request + b"\r\n\r\n")
        assert not answer.startswith(b"HTTP/1.1 5"), (request, answer[:300])


async def test_documents_and_merges_beyond_the_database_are_answered_413(serve: Serve) -> None:
    async with serve(xapi__max_document="15MiB") as gateway:
        large = json.dumps({"a": "x" * (9 * 2**20)}).encode()
        other = json.dumps({"b": "x" * (9 * 2**20)}).encode()
        assert (await gateway.lrs.post("/activities/state", DOCUMENT, data=large, headers=JSON)).status == 204
        refused(await gateway.lrs.post("/activities/state", DOCUMENT, data=other, headers=JSON), 413)
        assert (await gateway.lrs.get("/activities/state", DOCUMENT)).body == large
        huge = DOCUMENT | {"stateId": "huge"}
        refused(await gateway.lrs.put("/activities/state", huge, data=b"x" * (16 * 2**20)), 413)
        assert (await gateway.lrs.get("/activities/state", huge)).status == 404


async def test_the_largest_document_of_the_default_settings_can_be_stored(gateway: Gateway) -> None:
    content = b"x" * gateway.settings.xapi.max_document
    reply = await gateway.lrs.put("/activities/state", DOCUMENT, data=content)
    assert reply.status == 204, reply.body
    assert (await gateway.lrs.get("/activities/state", DOCUMENT)).body == content


async def test_forged_and_altered_tokens_are_refused(gateway: Gateway) -> None:
    await gateway.lrs.post("/statements", body=[minimal(Version.V2)] * 2)
    more = (await gateway.lrs.get("/statements", {"limit": "1"})).json()["more"].split("more=")[1]
    for token in (
        more[:-1],
        more + "A",
        more[1:],
        more.swapcase(),
        "",
        "x",
        "A" * 100,
        more[:20] + "AA" + more[22:],
    ):
        reply = await gateway.lrs.get("/statements", {"more": token})
        refused(reply)
    for beside in ({"limit": "1"}, {"more": more}):
        refused(await gateway.lrs.get("/statements", [("more", more), *beside.items()]))
    refused(await gateway.lrs.post("/statements", {"more": more}, body=[]))
