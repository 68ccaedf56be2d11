"""Other systems are told what happens in registrations: signed, in order, at least once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any
from uuid import uuid4

import pytest

from gateway.cmi5 import vocabulary as words
from tests.cmi5.samples import au_xml, block_xml
from tests.gateway import Gateway
from tests.receiver import Receiver, receiving
from tests.waiting import until
from tests.web.au import LEARNER, api, course_xml, imported, launched, started

Serve = Callable[..., AbstractAsyncContextManager[Gateway]]
LOCAL = {"notices__allow": ["127.0.0.0/8"], "notices__pause": "20ms"}


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


async def _subscribed(gateway: Gateway, receiver: Receiver, **fields: Any) -> str:
    reply = await api(gateway).post("/subscriptions", body={"url": receiver.url, **fields})
    assert reply.status == 201, reply.body
    receiver.secret = reply.json()["secret"]
    identity: str = reply.json()["id"]
    return identity


async def _come(receiver: Receiver, count: int) -> list[str]:
    async def enough() -> bool:
        return len(receiver.accepted()) >= count

    await until(enough)
    return receiver.kinds()


async def _state(gateway: Gateway, subscription: str) -> dict[str, Any]:
    shown: dict[str, Any] = (await api(gateway).get(f"/subscriptions/{subscription}")).json()
    return shown


async def test_a_learner_s_way_is_told_in_its_order(serve: Serve, receiver: Receiver) -> None:
    async with serve(**LOCAL) as gateway:
        await _subscribed(gateway, receiver)
        course = await imported(gateway, course_xml(block_xml(1, au_xml(1)), au_xml(2)))
        au = await started(gateway, course["id"])
        await au.accepted(words.COMPLETED)
        await launched(gateway, course["id"], au=1, registration=au.registration)
        waive = f"/registrations/{au.registration}/waive"
        await api(gateway).post(waive, body={"au": 1, "reason": "Tested Out"})
        assert await _come(receiver, 7) == [
            "launched",
            "completed",
            "satisfied",
            "abandoned",
            "launched",
            "waived",
            "satisfied",
        ]
        first, completed, block, abandoned, _, waived, whole = [each["data"] for each in receiver.accepted()]
        assert [each["data"]["sequence"] for each in receiver.accepted()] == [1, 2, 3, 4, 5, 6, 7]
        assert {each["data"]["registration"] for each in receiver.accepted()} == {au.registration}
        assert (first["course"], first["actor"]) == (course["id"], LEARNER)
        assert (first["au"], first["session"]) == (course["aus"][0]["id"], au.session)
        assert (completed["session"], completed["launchMode"]) == (au.session, "Normal")
        assert (block["whole"], whole["whole"]) == (False, True)
        assert abandoned["reason"] == "relaunched"
        assert (waived["au"], waived["reason"]) == (course["aus"][1]["id"], "Tested Out")


async def test_only_what_was_asked_for_is_told_and_no_preview_and_nothing_refused(
    serve: Serve, receiver: Receiver
) -> None:
    async with serve(**LOCAL) as gateway:
        await _subscribed(gateway, receiver, events=["failed", "passed", "terminated"])
        course = await imported(gateway, course_xml(au_xml(1, attributes='moveOn="Passed"')))
        preview = await api(gateway).post(f"/courses/{course['id']}/preview")
        assert preview.status == 200
        au = await started(gateway, course["id"])
        assert (await au.send(au.defined(words.INITIALIZED))).status == 403
        await au.accepted(words.FAILED, words.TERMINATED)
        again = await started(gateway, course["id"], registration=au.registration)
        await again.accepted(words.FAILED, words.TERMINATED)
        assert await _come(receiver, 4) == ["failed", "terminated", "failed", "terminated"]


async def test_an_attempt_that_fails_is_repeated_with_the_same_id_before_all_that_follows(
    serve: Serve, receiver: Receiver
) -> None:
    async with serve(**LOCAL) as gateway:
        subscription = await _subscribed(gateway, receiver)
        receiver.answers = [500, 302, 429]
        course = await imported(gateway)
        au = await started(gateway, course["id"])
        await au.accepted(words.COMPLETED)
        assert await _come(receiver, 3) == ["launched", "completed", "satisfied"]
        assert [status for _, _, status in receiver.arrived[:4]] == [500, 302, 429, 204]
        assert len({identity for identity, _, _ in receiver.arrived[:4]}) == 1
        assert len({identity for identity, _, _ in receiver.arrived}) == 3

        async def done() -> bool:
            return bool((await _state(gateway, subscription))["notices"]["delivered"] == 3)

        await until(done)
        listed = (await api(gateway).get(f"/subscriptions/{subscription}/notices")).json()["notices"]
        assert [(each["payload"]["type"].partition(".")[2], each["attempts"]) for each in listed[::-1]] == [
            ("launched", 4),
            ("completed", 1),
            ("satisfied", 1),
        ]


async def test_what_cannot_be_delivered_is_dead_seen_and_sent_again_when_asked(
    serve: Serve, receiver: Receiver
) -> None:
    async with serve(**LOCAL, notices__attempts=2) as gateway:
        subscription = await _subscribed(gateway, receiver)
        course = await imported(gateway)
        receiver.answers = [500] * 2
        await launched(gateway, course["id"])

        async def disabled() -> str | None:
            reason: str | None = (await _state(gateway, subscription))["disabled"]
            return reason

        assert "2 attempts failed" in await until(disabled)
        # What happens meanwhile waits, and is sent once somebody has mended the receiver.
        other = {"account": {"homePage": "https://people.example.org", "name": "grace"}}
        await launched(gateway, course["id"], actor=other)
        assert (await _state(gateway, subscription))["notices"] == {"pending": 1, "delivered": 0, "dead": 1}
        path = f"/subscriptions/{subscription}"
        dead = (await api(gateway).get(f"{path}/notices", {"state": "dead"})).json()["notices"]
        assert (dead[0]["attempts"], dead[0]["problem"]) == (2, "the answer was 500")
        await api(gateway)("PATCH", path, body={"enabled": True})
        assert await _come(receiver, 1) == ["launched"]
        assert receiver.accepted()[0]["data"]["actor"] == other
        assert (await api(gateway).post(f"{path}/retry")).json() == {"retried": 1}
        await _come(receiver, 2)
        assert receiver.accepted()[1]["data"]["actor"] == LEARNER
        # And once more, though it was delivered.
        assert (await api(gateway).post(f"{path}/retry", body={"notice": dead[0]["id"]})).status == 202
        await _come(receiver, 3)
        assert receiver.arrived[-1][0] == dead[0]["id"]
        assert (await api(gateway).post(f"{path}/retry", body={"notice": str(uuid4())})).status == 404


async def test_a_receiver_that_is_gone_for_good_is_told_nothing_more(
    serve: Serve, receiver: Receiver
) -> None:
    async with serve(**LOCAL) as gateway:
        subscription = await _subscribed(gateway, receiver)
        receiver.answers = [410]
        course = await imported(gateway)
        await launched(gateway, course["id"])

        async def disabled() -> str | None:
            reason: str | None = (await _state(gateway, subscription))["disabled"]
            return reason

        assert "410" in await until(disabled)
        assert (await _state(gateway, subscription))["notices"]["pending"] == 1


async def test_nothing_is_sent_where_it_should_not_go(serve: Serve, receiver: Receiver) -> None:
    port = receiver.url.rpartition(":")[2]
    async with serve(notices__attempts=1) as gateway:
        for url in (
            receiver.url,
            "http://portal.example.org/hook",
            "https://10.1.2.3/hook",
            "https://169.254.169.254/latest/meta-data",
            "https://[::1]/",
            "https://user:secret@portal.example.org/",
            "https://portal.example.org/#x",
            "ftp://portal.example.org/",
            "https://",
            "https://a b/",
            "https://%31%32%37.0.0.1/",
            "https://portal.example.org\\@127.0.0.1/",
            "https://[::ffff:127.0.0.1]/",
            7,
        ):
            refused = await api(gateway).post("/subscriptions", body={"url": url})
            assert refused.status == 400, url
            assert refused.error["problems"][0]["path"] == "url"
        # A name is looked up when it is connected to: this one leads into the machine.
        made = await api(gateway).post("/subscriptions", body={"url": f"https://localhost:{port}"})
        course = await imported(gateway)
        await launched(gateway, course["id"])

        async def dead() -> list[Any]:
            path = f"/subscriptions/{made.json()['id']}/notices"
            found: list[Any] = (await api(gateway).get(path, {"state": "dead"})).json()["notices"]
            return found

        assert "no public address" in (await until(dead))[0]["problem"]
        assert receiver.arrived == []
        wrong: list[dict[str, Any]] = [{"events": ["won"]}, {"events": []}, {"secret": "short"}, {"name": ""}]
        for fields in wrong:
            body = {"url": "https://portal.example.org/", **fields}
            assert (await api(gateway).post("/subscriptions", body=body)).status == 400, fields


async def test_a_new_secret_signs_beside_the_old_one(serve: Serve, receiver: Receiver) -> None:
    async with serve(**LOCAL) as gateway:
        subscription = await _subscribed(gateway, receiver)
        new = (await api(gateway).post(f"/subscriptions/{subscription}/secret")).json()["secret"]
        course = await imported(gateway)
        await launched(gateway, course["id"])
        await _come(receiver, 1)  # signed with the old one, which the receiver still has
        receiver.secret = new
        await launched(gateway, course["id"])
        await _come(receiver, 2)
        assert [len(each.split()) for each in receiver.signatures] == [2, 2]
        assert "secret" not in await _state(gateway, subscription)


async def test_the_configuration_may_name_a_receiver(serve: Serve, receiver: Receiver) -> None:
    receiver.secret = "whsec_" + "A" * 43 + "="
    named = {
        "notices__url": receiver.url,
        "notices__secret": receiver.secret,
        "notices__events": ["launched"],
    }
    async with serve(**LOCAL, **named) as gateway:

        async def there() -> list[Any]:
            found: list[Any] = (await api(gateway).get("/subscriptions")).json()["subscriptions"]
            return found

        [subscription] = await until(there)
        assert (subscription["name"], subscription["events"]) == ("configuration", ["launched"])
        path = f"/subscriptions/{subscription['id']}"
        assert (await api(gateway).delete(path)).status == 409
        assert (await api(gateway)("PATCH", path, body={"name": "x"})).status == 409
        course = await imported(gateway)
        au = await started(gateway, course["id"])
        await au.accepted(words.COMPLETED)
        assert await _come(receiver, 1) == ["launched"]
    async with serve(**LOCAL) as gateway:

        async def gone() -> bool:
            return bool((await api(gateway).get("/subscriptions")).json() == {"subscriptions": []})

        await until(gone)


async def test_two_gateways_deliver_a_class_without_disorder(serve: Serve, receiver: Receiver) -> None:
    async with serve(**LOCAL) as gateway, serve(**LOCAL) as beside:
        await _subscribed(gateway, receiver)
        receiver.answers = [500, 204, 500, 204, 204, 500]
        course = await imported(gateway)

        async def learn(number: int) -> None:
            actor = {"account": {"homePage": "https://people.example.org", "name": f"l{number}"}}
            au = await started((gateway, beside)[number % 2], course["id"], actor=actor)
            await au.accepted(words.COMPLETED, words.TERMINATED)

        await asyncio.gather(*(learn(number) for number in range(12)))
        await _come(receiver, 36)
        seen: dict[str, list[int]] = {}
        for each in receiver.accepted():
            seen.setdefault(each["data"]["registration"], []).append(each["data"]["sequence"])
        assert len(seen) == 12
        # At least once: a repetition may come, but nothing is skipped and nothing overtakes.
        assert all([*dict.fromkeys(numbers)] == [1, 2, 3] for numbers in seen.values())
        assert all(sorted(numbers) == numbers for numbers in seen.values())
