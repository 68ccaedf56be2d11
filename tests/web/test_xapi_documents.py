from __future__ import annotations

import asyncio
import hashlib
import json
from collections import Counter
from email.utils import parsedate_to_datetime

from tests.gateway import Gateway

AGENT = {"mbox": "mailto:a@example.org"}
STATE = {"activityId": "https://example.org/1", "agent": json.dumps(AGENT)}
RESOURCES = {
    "/activities/state": (STATE, "stateId"),
    "/activities/profile": ({"activityId": "https://example.org/1"}, "profileId"),
    "/agents/profile": ({"agent": json.dumps(AGENT)}, "profileId"),
}
JSON = {"Content-Type": "application/json"}
NEW = {"If-None-Match": "*"}


def etag(content: bytes) -> str:
    return f'"{hashlib.sha1(content).hexdigest()}"'


async def test_of_many_replacements_of_one_version_one_wins(gateway: Gateway) -> None:
    for path, (where, name) in RESOURCES.items():
        one = where | {name: "x"}
        replies = await asyncio.gather(
            *(gateway.lrs.put(path, one, data=f"{n}".encode(), headers=NEW) for n in range(15))
        )
        assert Counter(reply.status for reply in replies) == {204: 1, 412: 14}
        current = await gateway.lrs.get(path, one)
        assert current.headers["ETag"] == etag(current.body)
        match = {"If-Match": current.headers["ETag"]}
        replies = await asyncio.gather(
            *(gateway.lrs.put(path, one, data=f"new {n}".encode(), headers=match) for n in range(15))
        )
        assert Counter(reply.status for reply in replies) == {204: 1, 412: 14}


async def test_no_merge_is_lost_among_many(gateway: Gateway) -> None:
    one = STATE | {"stateId": "merged"}
    replies = await asyncio.gather(
        *(gateway.lrs.post("/activities/state", one, body={str(n): n, "last": n}) for n in range(15))
    )
    assert {reply.status for reply in replies} == {204}
    merged = (await gateway.lrs.get("/activities/state", one)).json()
    assert {str(n): n for n in range(15)}.items() <= merged.items()


async def test_if_none_match_with_tags_refuses_exactly_those(gateway: Gateway) -> None:
    for path, (where, name) in RESOURCES.items():
        one = where | {name: "x"}
        other = {"If-None-Match": '"0000", "1111"'}
        assert (await gateway.lrs.put(path, one, data=b"a", headers=other)).status == 204
        same = {"If-None-Match": f'"0000", {etag(b"a")}'}
        for method in ("PUT", "POST", "DELETE"):
            reply = await gateway.lrs(method, path, one, data=b"b", headers=same)
            assert reply.status == 412, method
        assert (await gateway.lrs.put(path, one, data=b"b", headers=other)).status == 204
        assert (await gateway.lrs.get(path, one)).body == b"b"
        for unreadable in ('"unclosed', "a b", '"a" "b"', ","):
            reply = await gateway.lrs.put(path, one, data=b"c", headers={"If-Match": unreadable})
            assert reply.status == 400, unreadable


async def test_ids_may_be_any_text(gateway: Gateway) -> None:
    ids = [
        "ünï/код",
        " ",
        "a/b?c=d&e",
        "https://example.org/x#y",
        "x" * 2000,
        "\U0001f600",
        "\x00",
        ".",
        "+%2F",
    ]
    for path, (where, name) in RESOURCES.items():
        for number, identity in enumerate(ids):
            sent = await gateway.lrs.put(
                path, where | {name: identity}, data=f"{number}".encode(), headers=NEW
            )
            assert sent.status == 204, identity
        for number, identity in enumerate(ids):
            assert (await gateway.lrs.get(path, where | {name: identity})).body == f"{number}".encode()
        assert set((await gateway.lrs.get(path, where)).json()) == set(ids)


async def test_a_list_is_as_old_as_its_latest_document(gateway: Gateway) -> None:
    for path, (where, name) in RESOURCES.items():
        assert "Last-Modified" not in (await gateway.lrs.get(path, where)).headers
        for identity in "ab":
            await gateway.lrs.put(path, where | {name: identity}, data=b"x", headers=NEW)
        listing, latest = await gateway.lrs.get(path, where), await gateway.lrs.get(path, where | {name: "b"})
        assert listing.headers["Last-Modified"] == latest.headers["Last-Modified"]
        assert parsedate_to_datetime(latest.headers["Last-Modified"]).tzinfo is not None
        assert listing.headers["ETag"] == etag(listing.body)
        assert (await gateway.lrs.get(path, where | {"since": "2999-01-01T00:00:00Z"})).json() == []
        assert (await gateway.lrs.get(path, where | {"since": "2001-01-01T00:00:00"})).json() == ["a", "b"]
        last = await gateway.lrs.get(path, where | {"since": "9999-12-31T23:59:59.999999Z"})
        assert (last.status, last.json()) == (200, [])
        first = await gateway.lrs.get(path, where | {"since": "0001-01-01T00:00:00Z"})
        assert first.json() == ["a", "b"]


async def test_groups_own_no_documents(gateway: Gateway) -> None:
    for group in (
        {"objectType": "Group", "mbox": "mailto:g@example.org"},
        {"objectType": "Group", "member": [AGENT]},
        {"objectType": "Agent", "member": [AGENT]},
        {"objectType": "Person", **AGENT},
        AGENT | {"openid": "https://example.org/"},
        [AGENT],
        "mailto:a@example.org",
        None,
    ):
        for path in ("/activities/state", "/agents/profile"):
            where, name = RESOURCES[path]
            for method in ("GET", "PUT", "POST", "DELETE"):
                params = where | {"agent": json.dumps(group), name: "x"}
                assert (await gateway.lrs(method, path, params, data=b"x")).status == 400, group


async def test_an_agent_is_known_by_its_identifier_however_it_is_written(gateway: Gateway) -> None:
    await gateway.lrs.put("/activities/state", STATE | {"stateId": "s"}, data=b"x")
    written = {"objectType": "Agent", "name": "Somebody", "mbox": "mailto:a@EXAMPLE.org"}
    found = await gateway.lrs.get("/activities/state", STATE | {"agent": json.dumps(written), "stateId": "s"})
    assert found.body == b"x"


async def test_registrations_keep_states_apart_and_lists_show_all(gateway: Gateway) -> None:
    lrs, where = gateway.lrs, STATE | {"stateId": "s"}
    one, two = ({"registration": f"6690e6c9-3ef0-4ed3-8b37-7f3964730be{n}"} for n in "12")
    for registration in ({}, one, two):
        content = json.dumps(registration).encode()
        assert (await lrs.put("/activities/state", where | registration, data=content)).status == 204
    for registration in ({}, one, {"registration": two["registration"].upper()}):
        content = (await lrs.get("/activities/state", where | registration)).body
        assert content.lower() == json.dumps(registration).encode().lower()
    await lrs.put("/activities/state", STATE | one | {"stateId": "t"}, data=b"x")
    assert set((await lrs.get("/activities/state", STATE)).json()) == {"s", "t"}
    assert (await lrs.get("/activities/state", STATE | two)).json() == ["s"]
    await lrs.delete("/activities/state", STATE | one)
    assert (await lrs.get("/activities/state", where | two)).status == 200
    await lrs.delete("/activities/state", STATE)
    assert (await lrs.get("/activities/state", STATE)).json() == []


async def test_any_bytes_come_back_under_their_content_type(gateway: Gateway) -> None:
    where = STATE | {"stateId": "bytes"}
    for content, content_type in (
        (bytes(range(256)), "application/octet-stream"),
        (b"", "text/plain; charset=utf-16"),
        (b'{"a": 1.0, "b" : 1e400}', "application/json; charset=UTF-8"),
        (b"method=GET&content=x", "application/x-www-form-urlencoded"),
        (b"--x\r\n", "multipart/mixed; boundary=x"),
    ):
        sent = await gateway.lrs1.put(
            "/activities/state", where, data=content, headers={"Content-Type": content_type}
        )
        assert sent.status == 204, sent.body
        got = await gateway.lrs.get("/activities/state", where)
        assert (got.body, got.headers["Content-Type"]) == (content, content_type)
    await gateway.lrs1.put("/activities/state", where, data=b"x")
    assert (await gateway.lrs.get("/activities/state", where)).headers[
        "Content-Type"
    ] == "application/octet-stream"


async def test_merging_keeps_what_no_double_can_hold(gateway: Gateway) -> None:
    where = STATE | {"stateId": "numbers"}
    await gateway.lrs.post("/activities/state", where, data=b'{"a": 1e400, "$b": {"x": 1}}', headers=JSON)
    await gateway.lrs.post(
        "/activities/state", where, data=b'{"c": 123456789012345678901, "$b": 2}', headers=JSON
    )
    got = await gateway.lrs.get("/activities/state", where)
    assert got.body == b'{"a":1e400,"$b":2,"c":123456789012345678901}'
    for wrong in (b"[1]", b"1", b"{", b'{"a":1,"a":2}', b""):
        assert (await gateway.lrs.post("/activities/state", where, data=wrong, headers=JSON)).status == 400
    text = {"Content-Type": "text/plain"}
    assert (await gateway.lrs.post("/activities/state", where, data=b"{}", headers=text)).status == 400
    assert (await gateway.lrs.get("/activities/state", where)).body == got.body
