from __future__ import annotations

import asyncio
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from email.utils import parsedate_to_datetime
from typing import Any
from uuid import uuid4

from gateway.store.attachments import INLINE
from gateway.xapi.versions import Version
from tests.gateway import Gateway, Http, Reply
from tests.xapi.examples import EXAMPLES, minimal

Serve = Callable[..., AbstractAsyncContextManager[Gateway]]
THROUGH = "X-Experience-API-Consistent-Through"
VOIDED = "http://adlnet.gov/expapi/verbs/voided"


def statement(**changes: Any) -> dict[str, Any]:
    return minimal(Version.V2) | changes


def described(name: str) -> dict[str, Any]:
    return {"id": f"https://example.org/{name}", "definition": {"name": {"en": name}}}


async def listed(lrs: Http, **params: str) -> list[dict[str, Any]]:
    """The statements of a list, all pages of it."""
    reply = await lrs.get("/statements", params)
    found: list[dict[str, Any]] = []
    while True:
        assert reply.status == 200, reply.body
        found += reply.json()["statements"]
        if not reply.json()["more"]:
            return found
        reply = await lrs.at(origin(lrs)).get(reply.json()["more"])


def origin(lrs: Http) -> str:
    return "/".join(lrs.base.split("/")[:3])


def multipart(statements: object, *parts: tuple[str, bytes]) -> tuple[dict[str, str], bytes]:
    """Headers and body of a request with attachment data, by hash."""
    lines = [b"--frontier\r\nContent-Type: application/json\r\n\r\n" + json.dumps(statements).encode()]
    for sha2, data in parts:
        head = (
            "\r\n--frontier\r\nContent-Type: application/octet-stream\r\n"
            f"Content-Transfer-Encoding: binary\r\nX-Experience-API-Hash: {sha2}\r\n\r\n"
        )
        lines += [head.encode(), data]
    headers = {"Content-Type": "multipart/mixed; boundary=frontier"}
    return headers, b"".join([*lines, b"\r\n--frontier--\r\n"])


def attached(data: bytes, **changes: Any) -> dict[str, Any]:
    attachment = {
        "usageType": "https://example.org/usage",
        "display": {"en": "data"},
        "contentType": "application/octet-stream",
        "length": len(data),
        "sha2": hashlib.sha256(data).hexdigest(),
    }
    return statement(attachments=[attachment], **changes)


async def send(lrs: Http, sent: object, *data: bytes) -> Reply:
    headers, body = multipart(sent, *((hashlib.sha256(item).hexdigest(), item) for item in data))
    return await lrs.post("/statements", data=body, headers=headers)


async def test_every_legal_statement_comes_back_as_it_was_sent(gateway: Gateway) -> None:
    for lrs, version in ((gateway.lrs, Version.V2), (gateway.lrs1, Version.V1)):
        for name, example in EXAMPLES.items():
            sent = example(version) | {"id": str(uuid4())}
            assert (await lrs.post("/statements", body=sent)).status == 200, name
            back = (await lrs.get("/statements", {"statementId": sent["id"]})).json()
            if "voided" in sent["verb"]["id"]:
                continue
            for key in sent.keys() - {"stored", "authority", "timestamp", "context", "object"}:
                assert back[key] == sent[key], (name, key)
            assert list(back)[: len(sent)] == list(sent)


async def test_thirty_puts_of_the_same_statement_store_it_once(gateway: Gateway) -> None:
    identity = str(uuid4())
    replies = await asyncio.gather(
        *(gateway.lrs.put("/statements", {"statementId": identity}, body=statement()) for _ in range(30))
    )
    assert {reply.status for reply in replies} == {204}
    assert len(await listed(gateway.lrs)) == 1


async def test_of_thirty_different_statements_with_one_id_one_wins(gateway: Gateway) -> None:
    identity = str(uuid4())
    replies = await asyncio.gather(
        *(
            gateway.lrs.put("/statements", {"statementId": identity}, body=statement(verb={"id": f"x:{n}"}))
            for n in range(30)
        )
    )
    assert Counter(reply.status for reply in replies) == {204: 1, 409: 29}
    [stored] = await listed(gateway.lrs)
    [winner] = [n for n, reply in enumerate(replies) if reply.status == 204]
    assert stored["verb"]["id"] == f"x:{winner}"


async def test_batches_that_overlap_are_each_stored_whole_or_not_at_all(gateway: Gateway) -> None:
    ids = [str(uuid4()) for _ in range(12)]
    batches = [[statement(id=ids[n + k], verb={"id": f"x:{n + k}"}) for k in range(3)] for n in range(10)]
    batches += [[statement(id=ids[n], verb={"id": "x:other"}), statement(id=str(uuid4()))] for n in range(10)]
    replies = await asyncio.gather(*(gateway.lrs.post("/statements", body=batch) for batch in batches))
    assert {reply.status for reply in replies} <= {200, 409}
    present = {item["id"]: item["verb"]["id"] for item in await listed(gateway.lrs)}
    for batch, reply in zip(batches, replies, strict=True):
        whole = all(present.get(item["id"]) == item["verb"]["id"] for item in batch)
        assert whole is (reply.status == 200), (batch, reply.status)


async def test_a_batch_with_a_conflict_leaves_nothing_behind(gateway: Gateway) -> None:
    [taken] = (await gateway.lrs.post("/statements", body=statement())).json()
    data = b"data of a refused request"
    batch = [
        attached(
            data, object=described("refused"), actor={"name": "Refused", "mbox": "mailto:r@example.org"}
        ),
        statement(id=taken, verb={"id": "x:different"}),
    ]
    assert (await send(gateway.lrs, batch, data)).status == 409
    assert [item["id"] for item in await listed(gateway.lrs)] == [taken]
    activity = await gateway.lrs.get("/activities", {"activityId": "https://example.org/refused"})
    assert "definition" not in activity.json()
    person = await gateway.lrs.get("/agents", {"agent": '{"mbox":"mailto:r@example.org"}'})
    assert "name" not in person.json()
    assert await gateway.store.attachments.stored([hashlib.sha256(data).hexdigest()]) == set()


async def test_a_batch_with_one_invalid_statement_leaves_nothing_behind(gateway: Gateway) -> None:
    batch = [statement(object=described("refused")), statement(actor={}), statement()]
    reply = await gateway.lrs.post("/statements", body=batch)
    assert reply.status == 400
    assert [problem["path"] for problem in reply.error["problems"]] == ["[1].actor"]
    assert await listed(gateway.lrs) == []


async def test_an_id_given_twice_in_a_batch_is_refused_whatever_its_case(gateway: Gateway) -> None:
    identity = str(uuid4())
    batch = [statement(id=identity), statement(id=identity.upper())]
    assert (await gateway.lrs.post("/statements", body=batch)).status == 400
    assert (await gateway.lrs1.post("/statements", body=batch)).status == 400
    assert (await gateway.lrs.post("/statements", body=batch[:1])).status == 200
    assert (await gateway.lrs.post("/statements", body=batch[1:])).status == 200
    assert len(await listed(gateway.lrs)) == 1


async def test_a_batch_of_which_a_part_is_stored_is_completed(gateway: Gateway) -> None:
    batch = [statement(id=str(uuid4()), timestamp="2024-01-01T00:00:00Z") for _ in range(4)]
    assert (await gateway.lrs.post("/statements", body=batch[1:3])).status == 200
    for _ in range(2):
        reply = await gateway.lrs.post("/statements", body=batch)
        assert reply.json() == [item["id"] for item in batch]
    assert len(await listed(gateway.lrs)) == 4


async def test_an_empty_batch_is_answered_with_no_ids(gateway: Gateway) -> None:
    reply = await gateway.lrs.post("/statements", body=[])
    assert (reply.status, reply.json()) == (200, [])


async def test_the_same_attachment_of_many_requests_is_stored_once(gateway: Gateway) -> None:
    for data in (b"small", b"large" * INLINE):
        replies = await asyncio.gather(*(send(gateway.lrs, attached(data), data) for _ in range(5)))
        assert [reply.status for reply in replies] == [200] * 5
        got = await gateway.lrs.get(
            "/statements", {"statementId": replies[0].json()[0], "attachments": "true"}
        )
        assert got.body.count(data) == 1
        digest = hashlib.sha256(data).hexdigest()
        assert got.body.count(digest.encode()) == 2
        assert b"".join([chunk async for chunk in gateway.store.attachments.read(digest)]) == data
    database = gateway.store._database
    assert await database["attachment_data.files"].count_documents({}) == 1


async def test_data_of_a_refused_request_is_removed(gateway: Gateway) -> None:
    [taken] = (await gateway.lrs.post("/statements", body=statement())).json()
    data = b"refused" * INLINE
    reply = await send(gateway.lrs, attached(data, id=taken, verb={"id": "x:different"}), data)
    assert reply.status == 409
    assert await gateway.store._database["attachment_data.files"].count_documents({}) == 0
    assert (await send(gateway.lrs, attached(data), data)).status == 200


async def test_resending_a_statement_with_its_data_is_no_conflict(gateway: Gateway) -> None:
    data = b"once"
    sent = attached(data, id=str(uuid4()))
    for _ in range(3):
        assert (await send(gateway.lrs, sent, data)).status == 200
    multipart_answer = await gateway.lrs.get("/statements", {"attachments": "true"})
    assert multipart_answer.body.count(data) == 1


async def test_pages_stay_as_they_were_while_statements_arrive(serve: Serve) -> None:
    async with serve(xapi__page_size=7) as gateway:
        lrs = gateway.lrs
        await asyncio.gather(*(lrs.post("/statements", body=statement()) for _ in range(22)))
        for ascending in ("false", "true"):
            before = [item["id"] for item in await listed(lrs, ascending=ascending, limit="7")]
            reply = await lrs.get("/statements", {"ascending": ascending})
            found = reply.json()["statements"]
            while more := reply.json()["more"]:
                await lrs.post("/statements", body=[statement(), statement()])
                reply = await lrs.at(gateway.url).get(more)
                found += reply.json()["statements"]
            assert [item["id"] for item in found] == before


async def test_who_reads_all_pages_and_goes_on_from_there_misses_nothing(serve: Serve) -> None:
    async with serve(xapi__page_size=5) as gateway:
        lrs, ids, seen = gateway.lrs, [], set[str]()
        done = asyncio.Event()

        async def write() -> None:
            for _ in range(8):
                ids.extend((await lrs.post("/statements", body=statement())).json())

        async def follow(ascending: str) -> None:
            since = "2000-01-01T00:00:00Z"
            last = False
            while not last:
                last = done.is_set()
                reply = await lrs.get("/statements", {"since": since, "ascending": ascending})
                seen.update(item["id"] for item in reply.json()["statements"])
                while more := reply.json()["more"]:
                    reply = await lrs.at(gateway.url).get(more)
                    seen.update(item["id"] for item in reply.json()["statements"])
                since = reply.headers[THROUGH]

        for ascending in ("true", "false"):
            done.clear()
            seen.clear()
            follower = asyncio.create_task(follow(ascending))
            await asyncio.gather(*(write() for _ in range(4)))
            done.set()
            await follower
            assert set(ids) <= seen


async def test_more_carries_the_whole_query(gateway: Gateway) -> None:
    lrs = gateway.lrs
    names = {"en": "Name", "de": "Name"}
    wanted = statement(object={"id": "x:a", "definition": {"name": names}}, verb={"id": "x:wanted"})
    await lrs.post("/statements", body=[wanted, statement(), wanted, statement(), wanted])
    for params in ({"format": "ids"}, {"format": "canonical"}, {"ascending": "true"}):
        whole = await lrs.get("/statements", {"verb": "x:wanted", **params})
        assert len(whole.json()["statements"]) == 3
        assert await listed(lrs, verb="x:wanted", limit="1", **params) == whole.json()["statements"]
    reply = await lrs.get("/statements", {"limit": "1", "attachments": "true"})
    more = json.loads(reply.body.split(b"\r\n\r\n")[1].split(b"\r\n--")[0])["more"]
    following = await lrs.at(gateway.url).get(more)
    assert following.headers["Content-Type"].startswith("multipart/mixed")


async def test_everything_is_still_there_after_a_restart(serve: Serve) -> None:
    where = {"activityId": "x:a", "agent": '{"mbox":"mailto:a@example.org"}', "stateId": "ünï/код 1"}
    data = b"attached"
    async with serve() as gateway:
        await send(gateway.lrs, [attached(data), statement(object=described("kept"))], data)
        await gateway.lrs.put("/activities/state", where, data=b"state", headers={"Content-Type": "x/y"})
        before = await gateway.lrs.get("/statements", {"limit": "1"})
    async with serve() as again:
        after = await again.lrs.get("/statements", {"limit": "1"})
        assert after.json()["statements"] == before.json()["statements"]
        following = await again.lrs.at(again.url).get(before.json()["more"])
        assert len(following.json()["statements"]) == 1
        assert data in (await again.lrs.get("/statements", {"attachments": "true"})).body
        state = await again.lrs.get("/activities/state", where)
        assert (state.body, state.headers["Content-Type"]) == (b"state", "x/y")
        kept = await again.lrs.get("/activities", {"activityId": "https://example.org/kept"})
        assert kept.json()["definition"] == {"name": {"en": "kept"}}


async def test_a_gateway_that_stops_finishes_what_it_accepted(serve: Serve) -> None:
    async with serve() as gateway:
        sending = [asyncio.create_task(gateway.lrs.post("/statements", body=statement())) for _ in range(20)]
        acknowledged = [reply.json()[0] for reply in await asyncio.gather(*sending) if reply.status == 200]
    async with serve() as again:
        assert {item["id"] for item in await listed(again.lrs)} == set(acknowledged)


async def test_a_voided_statement_is_found_by_its_own_parameter_only(gateway: Gateway) -> None:
    lrs, target = gateway.lrs, str(uuid4())
    voiding = statement(verb={"id": VOIDED}, object={"objectType": "StatementRef", "id": target.upper()})
    orders: Sequence[list[dict[str, Any]]] = (
        [statement(id=target, verb={"id": "x:target"}), voiding],
        [voiding, statement(id=target, verb={"id": "x:target"})],
    )
    for order in orders:
        await gateway.store._database.statements.delete_many({})
        for item in order:
            assert (await lrs.post("/statements", body=item)).status == 200
        assert (await lrs.get("/statements", {"statementId": target})).status == 404
        assert (await lrs.get("/statements", {"voidedStatementId": target})).json()["id"] == target
        assert [item["verb"]["id"] for item in await listed(lrs, verb="x:target")] == [VOIDED]
        conflict = await lrs.put("/statements", {"statementId": target}, body=statement())
        assert conflict.status == 409


async def test_timestamps_without_zone_are_utc(gateway: Gateway) -> None:
    for sent, expected in (
        ("2024-05-06T07:08:09", "2024-05-06T07:08:09Z"),
        ("2024-05-06T07:08:09.123456789", "2024-05-06T07:08:09.123456789Z"),
        ("2024-05-06T07:08:09+02:00", "2024-05-06T05:08:09Z"),
        ("2024-05-06T07:08:09.5-11", "2024-05-06T18:08:09.5Z"),
        ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
    ):
        for lrs in (gateway.lrs, gateway.lrs1):
            [identity] = (await lrs.post("/statements", body=statement(timestamp=sent))).json()
            back = (await lrs.get("/statements", {"statementId": identity})).json()
            assert back["timestamp"] == expected
    for since in ("9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"):
        assert (await gateway.lrs.post("/statements", body=statement(timestamp=since))).status == 400
        assert (await gateway.lrs.get("/statements", {"since": since})).status == 400
    for since in ("9999-12-31T23:59:59.999999Z", "0001-01-01T00:00:00Z", "2024-05-06T07:08:09"):
        assert (await gateway.lrs.get("/statements", {"since": since})).status == 200


async def test_last_modified_of_a_page_is_its_latest_stored(gateway: Gateway) -> None:
    await gateway.lrs.post("/statements", body=[statement(), statement()])
    reply = await gateway.lrs.get("/statements", {"ascending": "true"})
    modified = parsedate_to_datetime(reply.headers["Last-Modified"]).isoformat()
    assert modified[:19] == reply.json()["statements"][-1]["stored"][:19]
    empty = await gateway.lrs.get("/statements", {"verb": "x:none"})
    assert "Last-Modified" not in empty.headers
