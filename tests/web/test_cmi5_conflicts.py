"""Results that others than an AU's session write into a registration are voided; voided ones do not count."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from gateway.cmi5 import vocabulary as words
from tests.cmi5.samples import au_xml
from tests.gateway import Gateway
from tests.web.au import AU, api, course_xml, imported, started, stored, verbs

EXPERIENCED = "http://adlnet.gov/expapi/verbs/experienced"


async def _started(gateway: Gateway, move_on: str = "Passed") -> AU:
    lesson = au_xml(1, attributes=f'moveOn="{move_on}"')
    return await started(gateway, (await imported(gateway, course_xml(lesson)))["id"])


async def _is_voided(gateway: Gateway, statement: dict[str, Any]) -> bool:
    reply = await gateway.lrs.get("/statements", {"voidedStatementId": statement["id"]})
    return reply.status == 200


async def _course_of(au: AU) -> str:
    course: str = (await api(au.gateway).get(f"/registrations/{au.registration}")).json()["course"]
    return course


def _voiding(target: str) -> dict[str, Any]:
    return {
        "actor": {"mbox": "mailto:admin@example.org"},
        "verb": {"id": words.VOIDED},
        "object": {"objectType": "StatementRef", "id": target},
    }


@pytest.mark.parametrize("verb", [words.PASSED, words.TERMINATED, words.SATISFIED])
async def test_a_defined_statement_of_another_credential_is_stored_and_voided_by_the_lms(
    gateway: Gateway, verb: str
) -> None:
    # cmi5 6.3.0.0-2
    au = await _started(gateway)
    forged = au.defined(verb)
    reply = await gateway.lrs.post("/statements", body=[au.statement(EXPERIENCED), forged])
    assert reply.status == 200, reply.body
    assert await _is_voided(gateway, forged)
    found = await stored(gateway, au.registration)
    assert [words.word(each["verb"]["id"]) for each in found] == [
        "launched",
        "initialized",
        "experienced",
        "voided",
    ]
    assert found[-1]["authority"] == found[0]["authority"] == found[-1]["actor"]
    assert found[-1]["object"]["id"] == forged["id"]
    assert not (await au.progress())["satisfied"]
    await au.accepted(words.PASSED, words.TERMINATED)
    assert (await au.progress())["satisfied"]


async def test_whoever_debugs_the_session_reads_why(gateway: Gateway) -> None:
    # cmi5 6.3.0.0-2
    au = await _started(gateway)
    assert (await gateway.lrs.post("/statements", body=au.defined(words.PASSED))).status == 200
    [note] = (await au.shown())["refusals"]
    assert (note["status"], note["problems"][0]["requirement"]) == (200, "cmi5 6.3.0.0-2")
    assert "not sent with the token" in note["message"]


async def test_put_without_an_id_and_a_repeated_request_are_voided_once(gateway: Gateway) -> None:
    # cmi5 6.3.0.0-2
    au = await _started(gateway)
    forged = au.defined(words.PASSED)
    identity = forged.pop("id")
    for _ in range(2):
        assert (await gateway.lrs.put("/statements", {"statementId": identity}, body=forged)).status == 204
    assert (await gateway.lrs.post("/statements", body=forged)).status == 200
    assert (await verbs(gateway, au.registration))[2:] == ["voided", "voided"]


async def test_what_is_not_cmi5s_is_left_alone(gateway: Gateway) -> None:
    # cmi5 7.1.3.0-1
    au = await _started(gateway)
    elsewhere = au.defined(words.PASSED)
    elsewhere["context"]["registration"] = str(uuid4())
    statements = [au.statement(words.PASSED), elsewhere]
    assert (await gateway.lrs.post("/statements", body=statements)).status == 200
    assert not any([await _is_voided(gateway, statement) for statement in statements])
    assert (await verbs(gateway, au.registration))[2:] == ["passed"]
    assert (await au.shown())["refusals"] == []


async def test_an_accepted_statement_that_comes_back_from_elsewhere_stays(gateway: Gateway) -> None:
    # cmi5 6.3.0.0-2
    au = await _started(gateway)
    passed = au.defined(words.PASSED)
    assert (await au.send(passed)).status == 200
    assert (await gateway.lrs.post("/statements", body=passed)).status == 200
    assert not await _is_voided(gateway, passed)
    assert (await verbs(gateway, au.registration))[2:] == ["passed", "satisfied"]


@pytest.mark.parametrize("broken", [{"id": 7}, {"id": "no uuid"}, {"timestamp": "yesterday"}])
async def test_what_is_no_statement_is_refused_as_ever(gateway: Gateway, broken: dict[str, Any]) -> None:
    au = await _started(gateway)
    assert (await gateway.lrs.post("/statements", body=au.defined(words.PASSED) | broken)).status == 400
    assert await verbs(gateway, au.registration) == ["launched", "initialized"]


async def test_a_voided_result_stops_counting_and_can_be_earned_again(gateway: Gateway) -> None:
    # cmi5 6.3.0.0-2, 9.3.0.0-7
    au = await _started(gateway, "CompletedAndPassed")
    passed = au.defined(words.PASSED)
    assert (await au.send(passed)).status == 200
    assert (await gateway.lrs.post("/statements", body=_voiding(passed["id"]))).status == 200
    await au.accepted(words.COMPLETED, words.TERMINATED)
    tree = await au.progress()
    assert (tree["completed"], tree["passed"], tree["satisfied"]) == (True, False, False)
    again = await started(gateway, await _course_of(au), registration=au.registration)
    await again.accepted(words.PASSED)
    assert (await again.progress())["satisfied"]


async def test_what_was_satisfied_stays_satisfied_when_its_reason_is_voided(gateway: Gateway) -> None:
    # cmi5 9.3.9.0-1
    au = await _started(gateway)
    passed = au.defined(words.PASSED)
    assert (await au.send(passed)).status == 200
    assert (await gateway.lrs.post("/statements", body=_voiding(passed["id"]))).status == 200
    tree = await au.progress()
    assert (tree["satisfied"], tree["passed"]) == (True, False)
    again = await started(gateway, await _course_of(au), registration=au.registration)
    await again.accepted(words.PASSED)
    assert (await verbs(gateway, au.registration)).count("satisfied") == 1


async def test_voiding_beside_results_of_the_same_registration_loses_neither(gateway: Gateway) -> None:
    au = await _started(gateway, "CompletedAndPassed")
    passed = au.defined(words.PASSED)
    assert (await au.send(passed)).status == 200
    replies = await asyncio.gather(
        gateway.lrs.post("/statements", body=_voiding(passed["id"])),
        au.send(au.defined(words.COMPLETED)),
        *(gateway.lrs.post("/statements", body=au.defined(words.PASSED)) for _ in range(5)),
    )
    assert {reply.status for reply in replies} == {200}
    tree = await au.progress()
    assert (tree["completed"], tree["passed"]) == (True, False)


async def test_voiding_a_waived_statement_undoes_it_and_the_au_can_be_waived_again(gateway: Gateway) -> None:
    # cmi5 6.3.0.0-2, 9.3.7
    lessons = course_xml(au_xml(1, attributes='moveOn="Passed"'), au_xml(2, attributes='moveOn="Passed"'))
    au = await started(gateway, (await imported(gateway, lessons))["id"])
    path = f"/registrations/{au.registration}/waive"
    for reason in ("Tested Out", "Administrative", "Tested Out"):
        reply = await api(gateway).post(path, body={"au": 0, "reason": reason})
        assert reply.status == 200, reply.body
        [waived] = await _waived(au)
        assert waived["result"]["extensions"][words.REASON] == reason
        tree = await _first(au)
        assert (tree["waived"], tree["waiveReason"], tree["satisfied"]) == (True, reason, True)
        assert (await api(gateway).post(path, body={"au": 0, "reason": reason})).status == 409
        # Once is enough: a second voiding of the same changes nothing.
        for _ in range(2):
            assert (await gateway.lrs.post("/statements", body=_voiding(waived["id"]))).status == 200
        tree = await _first(au)
        assert (tree["waived"], tree["waiveReason"], tree["satisfied"]) == (False, None, False)
    await au.accepted(words.PASSED)
    assert (await _first(au))["satisfied"]


async def _waived(au: AU) -> list[dict[str, Any]]:
    return [each for each in await stored(au.gateway, au.registration) if each["verb"]["id"] == words.WAIVED]


async def _first(au: AU) -> dict[str, Any]:
    tree: dict[str, Any] = await au.progress()
    while tree["kind"] != "au":
        tree = tree["children"][0]
    return tree
