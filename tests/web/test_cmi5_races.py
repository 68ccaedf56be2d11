from __future__ import annotations

import asyncio
from collections import Counter

from gateway.cmi5 import vocabulary as words
from tests.cmi5.samples import au_xml, block_xml
from tests.gateway import Gateway
from tests.web.au import LEARNER, api, course_xml, imported, launched, started, verbs


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
