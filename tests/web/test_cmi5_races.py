from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from gateway.cmi5 import vocabulary as words
from tests.cmi5.samples import au_xml, block_xml
from tests.gateway import Gateway, Reply
from tests.web.au import LEARNER, api, course_xml, imported, launched, started, stored, verbs

Serve = Callable[..., AbstractAsyncContextManager[Gateway]]


async def test_of_twenty_parallel_launches_exactly_one_session_stays_open(gateway: Gateway) -> None:
    course = await imported(gateway)
    registration = (
        await api(gateway).post("/registrations", body={"course": course["id"], "actor": LEARNER})
    ).json()["id"]
    aus = await asyncio.gather(
        *(launched(gateway, course["id"], registration=registration) for _ in range(20))
    )
    assert len({au.session for au in aus}) == 20
    shown = (await api(gateway).get("/sessions", {"registration": registration})).json()["sessions"]
    assert Counter(session["state"] for session in shown) == {"abandoned": 19, "launched": 1}
    counted = Counter(await verbs(gateway, registration))
    assert counted == {"launched": 20, "abandoned": 19}
    tokens = [("auth-token" in (await au.fetch()).json()) for au in aus]
    assert sum(tokens) == 1


async def test_parallel_first_launches_with_one_registration_id_share_it(gateway: Gateway) -> None:
    course = await imported(gateway)
    registration = "5b4f2f6e-5d9a-4f0e-8a51-6f6d3a1f0c11"
    aus = await asyncio.gather(
        *(launched(gateway, course["id"], registration=registration) for _ in range(5))
    )
    assert {au.registration for au in aus} == {registration}
    assert Counter(await verbs(gateway, registration)) == {"launched": 5, "abandoned": 4}


async def test_of_parallel_defined_statements_with_one_verb_exactly_one_is_accepted(gateway: Gateway) -> None:
    course = await imported(gateway, course_xml(block_xml(1, au_xml(1)), block_xml(2, au_xml(2))))
    au = await started(gateway, course["id"])
    replies = await asyncio.gather(*(au.send(au.defined(words.COMPLETED)) for _ in range(10)))
    assert Counter(reply.status for reply in replies) == {200: 1, 403: 9}
    assert Counter(await verbs(gateway, au.registration)) == {
        "launched": 1,
        "initialized": 1,
        "completed": 1,
        "satisfied": 1,
    }


async def test_nothing_is_stored_behind_a_parallel_terminated(gateway: Gateway) -> None:
    au = await started(gateway, (await imported(gateway))["id"])
    experienced = "http://adlnet.gov/expapi/verbs/experienced"
    statements = [au.statement(experienced) for _ in range(12)]
    statements.insert(6, au.defined(words.TERMINATED))
    replies = await asyncio.gather(*(au.send(statement) for statement in statements))
    found = await verbs(gateway, au.registration)
    assert found[-1] == "terminated"
    assert len(found) == 1 + 1 + sum(reply.status == 200 for reply in replies)
    assert {reply.status for reply in replies} <= {200, 401, 403}


async def test_a_launch_beside_statements_leaves_nothing_behind_abandoned(gateway: Gateway) -> None:
    course = await imported(gateway)
    au = await started(gateway, course["id"])
    sends = [au.send(au.statement("http://adlnet.gov/expapi/verbs/experienced")) for _ in range(10)]
    launch = launched(gateway, course["id"], registration=au.registration)
    replies = await asyncio.gather(*sends[:5], launch, *sends[5:])
    assert len(replies) == 11
    found = await verbs(gateway, au.registration)
    assert found[-2:] == ["abandoned", "launched"]


async def test_fifty_of_everything_at_once_on_two_gateways_leave_one_registration_that_adds_up(
    serve: Serve,
) -> None:
    # cmi5 9.3.0.0-6, 9.3.0.0-10, 9.3.0.0-11, 9.3.6.0-1, 9.3.9.0-1
    async with serve() as one, serve() as other:
        gateways = [one, other]
        waivable = au_xml(2, attributes='moveOn="Passed"')
        course = await imported(one, course_xml(block_xml(1, au_xml(1)), block_xml(2, waivable)))
        au = await started(one, course["id"])
        registration, session = au.registration, au.session
        lanes = [au, au.by(other)]
        relaunch = {"au": 0, "actor": LEARNER, "registration": registration}

        async def turn(number: int) -> Reply:
            gateway, lane = gateways[number % 2], lanes[number % 2]
            management = api(gateway)
            match number % 8:
                case 6 if number > 30:
                    return await management.post(f"/courses/{course['id']}/launch", body=relaunch)
                case 7 if number > 20:
                    return await management.post(f"/sessions/{session}/abandon")
                case 4 | 5:
                    body = {"au": 1, "reason": f"reason {number}"}
                    return await management.post(f"/registrations/{registration}/waive", body=body)
                case _:
                    return await lane.send(lane.defined(words.COMPLETED))

        replies = await asyncio.gather(*(turn(number) for number in range(50)))
        assert {reply.status for reply in replies} <= {200, 401, 403, 409, 503}

        counted = Counter(await verbs(one, registration))
        completed = counted["completed"]
        assert completed <= 1  # none if the session ended first
        assert (counted["waived"], counted["satisfied"]) == (1, 3 if completed else 1)
        shown = (await api(other).get("/sessions", {"registration": registration})).json()["sessions"]
        states = Counter(each["state"] for each in shown)
        assert states["launched"] <= 1
        assert counted["launched"] == len(shown)
        assert counted["abandoned"] == states["abandoned"] == len(shown) - states["launched"]
        tree = await au.progress()
        assert (tree["met"], tree["sessions"]) == (1 + completed, len(shown))
        assert tree["satisfied"] is (completed == 1)
        ids = [each["id"] for each in await stored(one, registration)]
        assert len(ids) == len(set(ids)) == sum(counted.values())


async def test_fifty_launches_on_two_gateways_leave_one_session_open(serve: Serve) -> None:
    # cmi5 9.3.1.0-2, 9.3.6.0-1
    async with serve() as one, serve() as other:
        course = await imported(one)
        body = {"course": course["id"], "actor": LEARNER}
        registration = (await api(one).post("/registrations", body=body)).json()["id"]
        path, body = (
            f"/courses/{course['id']}/launch",
            {"au": 0, "actor": LEARNER, "registration": registration},
        )
        replies = await asyncio.gather(
            *(api(gateway).post(path, body=body) for _ in range(25) for gateway in (one, other))
        )
        made = sum(reply.status == 200 for reply in replies)
        assert {reply.status for reply in replies} <= {200, 503}
        assert made > 0
        counted = Counter(await verbs(one, registration))
        assert counted == {"launched": made, "abandoned": made - 1}
