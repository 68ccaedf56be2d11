from __future__ import annotations

from typing import Any

import pytest

from gateway.cmi5 import vocabulary as words
from tests.cmi5.samples import au_xml, block_xml
from tests.gateway import Gateway
from tests.web.au import AU, LEARNER, api, course_xml, imported, launched, started, stored, verbs

EXPERIENCED = "http://adlnet.gov/expapi/verbs/experienced"
ABANDONED = "https://w3id.org/xapi/adl/verbs/abandoned"


def _session_id(statement: dict[str, Any]) -> str:
    identifier: str = statement["context"]["extensions"][words.SESSION_ID]
    return identifier


async def test_a_session_goes_from_launched_to_terminated_in_stored_order(gateway: Gateway) -> None:
    lesson = au_xml(1, attributes='moveOn="CompletedAndPassed" masteryScore="0.6"')
    course = await imported(gateway, course_xml(block_xml(1, lesson)))
    au = await started(gateway, course["id"])
    assert (await au.send(au.statement(EXPERIENCED))).status == 200
    await au.accepted(words.COMPLETED)
    assert (await au.send(au.defined(words.PASSED, score={"scaled": 0.8}))).status == 200
    await au.accepted(words.TERMINATED)
    assert await verbs(gateway, au.registration) == [
        "launched",
        "initialized",
        "experienced",
        "completed",
        "passed",
        "satisfied",
        "satisfied",
        "terminated",
    ]
    found = await stored(gateway, au.registration)
    assert {_session_id(statement) for statement in found} == {au.session}
    assert [statement["object"]["definition"]["type"] for statement in found[5:7]] == [
        words.TYPE_BLOCK,
        words.TYPE_COURSE,
    ]
    assert found[5]["object"]["id"] != found[6]["object"]["id"]


async def test_the_launched_statement_says_how_the_au_was_launched(gateway: Gateway) -> None:
    course = await imported(gateway, course_xml(au_xml(1, attributes='moveOn="Passed" masteryScore="0.6"')))
    au = await launched(gateway, course["id"], launchParameters="level=2")
    [statement] = await stored(gateway, au.registration)
    assert statement["actor"] == LEARNER
    assert statement["object"]["id"] == au.launch["activityId"] == course["aus"][0]["id"]
    assert statement["object"]["definition"]["name"] == {"und": "AU 1"}
    context = statement["context"]
    assert context["registration"] == au.registration
    assert context["extensions"] == {
        words.SESSION_ID: au.session,
        words.LAUNCH_MODE: "Normal",
        words.LAUNCH_URL: "https://content.example.org/1/index.html",
        words.MOVE_ON: "Passed",
        words.MASTERY_SCORE: 0.6,
        words.LAUNCH_PARAMETERS: "level=2",
    }
    assert context["contextActivities"]["category"][0]["id"] == words.CATEGORY_CMI5
    assert context["contextActivities"]["grouping"][0]["id"] == "https://courses.example.org/aus/1"
    assert "result" not in statement


async def test_launch_data_is_where_the_au_asks_for_it(gateway: Gateway) -> None:
    course = await imported(gateway, course_xml(au_xml(1, attributes='moveOn="Passed" masteryScore="0.60"')))
    au = await started(
        gateway,
        course["id"],
        launchMode="Browse",
        masteryScore=0.5,
        returnURL="https://campus.example.org/back?course=1",
    )
    assert au.data == {
        "contextTemplate": {
            "contextActivities": {
                "grouping": [{"objectType": "Activity", "id": "https://courses.example.org/aus/1"}]
            },
            "extensions": {words.SESSION_ID: au.session},
            "registration": au.registration,
        },
        "launchMode": "Browse",
        "moveOn": "Passed",
        "masteryScore": 0.5,
        "returnURL": "https://campus.example.org/back?course=1",
    }


async def test_learners_return_to_a_page_of_the_gateway_unless_told_otherwise(gateway: Gateway) -> None:
    au = await started(gateway, (await imported(gateway))["id"])
    assert au.data["returnURL"] == f"{gateway.url}/cmi5/done"
    page = await gateway.http().get("/cmi5/done")
    assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert b"<script" not in page.body


async def test_the_endpoint_has_a_trailing_slash_and_takes_two(gateway: Gateway) -> None:
    au = await started(gateway, (await imported(gateway))["id"])
    assert au.launch["endpoint"] == f"{gateway.url}/xapi/"
    doubled = au.lrs.at(au.launch["endpoint"])
    assert (await doubled.post("/statements", body=au.statement(EXPERIENCED))).status == 200


async def test_nothing_opens_with_the_token_after_terminated(gateway: Gateway) -> None:
    au = await started(gateway, (await imported(gateway))["id"])
    terminated = au.defined(words.TERMINATED)
    assert (await au.send(terminated)).status == 200
    again = await au.send(terminated)
    assert again.status == 401
    assert again.error["problems"][0]["requirement"] == "cmi5 8.1.2.0-2"
    for reply in (
        await au.send(au.statement(EXPERIENCED)),
        await au.state("GET", "LMS.LaunchData"),
        await au.preferences("GET"),
        await au.lrs.get("/statements"),
        await au.lrs.get("/agents", {"agent": au.launch["actor"]}),
    ):
        assert reply.status == 401
    assert (await verbs(gateway, au.registration))[-1] == "terminated"
    session = await au.shown()
    assert (session["state"], session["reason"]) == ("terminated", None)
    assert session["refusals"][0]["status"] == 401
    assert session["refusals"][0]["request"] == "POST statements"


async def test_a_relaunch_abandons_the_open_session_of_any_au_first(gateway: Gateway) -> None:
    course = await imported(gateway, course_xml(au_xml(1), au_xml(2)))
    first = await started(gateway, course["id"])
    await first.send(first.statement(EXPERIENCED))
    second = await launched(gateway, course["id"], au=1, registration=first.registration)
    assert second.registration == first.registration
    assert second.session != first.session
    found = await stored(gateway, first.registration)
    assert [words.word(each["verb"]["id"]) for each in found][2:] == ["experienced", "abandoned", "launched"]
    abandoned = found[3]
    assert _session_id(abandoned) == first.session
    assert abandoned["object"]["id"] == first.launch["activityId"]
    assert abandoned["context"]["contextActivities"]["grouping"][0]["id"].endswith("/aus/1")
    assert abandoned["result"]["duration"] != "PT0S"
    assert abandoned["timestamp"] < found[4]["timestamp"]
    assert (await first.send(first.statement(EXPERIENCED))).status == 401
    assert (await first.shown())["reason"] == "relaunched"


async def test_sessions_of_another_registration_stay_open(gateway: Gateway) -> None:
    course = await imported(gateway)
    first = await started(gateway, course["id"])
    await started(gateway, course["id"])
    assert (await first.send(first.statement(EXPERIENCED))).status == 200


async def test_state_of_an_au_survives_its_relaunch(gateway: Gateway) -> None:
    course = await imported(gateway)
    first = await started(gateway, course["id"])
    assert (await first.state("PUT", "bookmark", body={"page": 3})).status == 204
    again = await started(gateway, course["id"], registration=first.registration)
    assert (await again.state("GET", "bookmark")).json() == {"page": 3}
    assert again.launch["activityId"] == first.launch["activityId"]


async def test_a_session_is_abandoned_once_and_never_after_terminated(gateway: Gateway) -> None:
    course = await imported(gateway)
    au = await started(gateway, course["id"])
    management = api(gateway)
    for _ in range(2):
        reply = await management.post(f"/sessions/{au.session}/abandon")
        assert (reply.status, reply.json()["state"]) == (200, "abandoned")
    assert (await verbs(gateway, au.registration)).count("abandoned") == 1
    assert (await au.send(au.defined(words.TERMINATED))).status == 401
    ended = await started(gateway, course["id"])
    await ended.accepted(words.TERMINATED)
    assert (await management.post(f"/sessions/{ended.session}/abandon")).status == 409
    assert "abandoned" not in await verbs(gateway, ended.registration)


async def test_a_session_without_statements_is_abandoned_with_no_duration(gateway: Gateway) -> None:
    au = await launched(gateway, (await imported(gateway))["id"])
    await api(gateway).post(f"/sessions/{au.session}/abandon")
    [_, abandoned] = await stored(gateway, au.registration)
    assert (abandoned["verb"]["id"], abandoned["result"]["duration"]) == (ABANDONED, "PT0S")


async def test_a_met_au_is_reviewed(gateway: Gateway) -> None:
    course = await imported(gateway)
    au = await started(gateway, course["id"])
    await au.accepted(words.COMPLETED, words.TERMINATED)
    review = await started(gateway, course["id"], registration=au.registration)
    assert review.data["launchMode"] == "Review"
    refused = await review.send(review.defined(words.PASSED))
    assert refused.status == 403
    assert "cmi5 10.2.2.0-3" in {problem["requirement"] for problem in refused.error["problems"]}


async def test_the_verdict_of_one_session_counts_in_the_next(gateway: Gateway) -> None:
    lesson = au_xml(1, attributes='moveOn="CompletedAndPassed"')
    course = await imported(gateway, course_xml(lesson))
    first = await started(gateway, course["id"])
    await first.accepted(words.FAILED, words.COMPLETED)
    second = await started(gateway, course["id"], registration=first.registration)
    again = await second.send(second.defined(words.COMPLETED))
    assert again.error["problems"][0]["requirement"] == "cmi5 9.3.0.0-6"
    await second.accepted(words.PASSED)
    assert (await verbs(gateway, first.registration))[-2:] == ["passed", "satisfied"]


async def test_failed_satisfies_nothing_and_neither_does_an_allowed_passed(gateway: Gateway) -> None:
    course = await imported(gateway, course_xml(au_xml(1, attributes='moveOn="Passed"')))
    au = await started(gateway, course["id"])
    await au.accepted(words.FAILED)
    assert (await au.send(au.statement(words.PASSED))).status == 200
    assert (await verbs(gateway, au.registration))[1:] == ["initialized", "failed", "passed"]
    assert not (await au.progress())["satisfied"]


async def test_a_forged_passed_from_another_credential_does_not_count(gateway: Gateway) -> None:
    course = await imported(gateway, course_xml(au_xml(1, attributes='moveOn="Passed"')))
    au = await started(gateway, course["id"])
    assert (await gateway.lrs.post("/statements", body=au.defined(words.PASSED))).status == 200
    assert not (await au.progress())["satisfied"]
    await au.accepted(words.PASSED)
    assert (await au.progress())["satisfied"]


async def test_a_batch_is_judged_statement_by_statement_and_accepted_as_a_whole(gateway: Gateway) -> None:
    course = await imported(gateway)
    au = await started(gateway, course["id"])
    good, bad = au.defined(words.COMPLETED), au.defined(words.COMPLETED)
    refused = await au.send(good, bad)
    assert refused.status == 403
    assert refused.error["problems"][0]["path"].startswith("[1]")
    assert (await verbs(gateway, au.registration))[1:] == ["initialized"]
    accepted = await au.send(good, au.statement(EXPERIENCED), au.defined(words.TERMINATED))
    assert accepted.status == 200
    assert len(accepted.json()) == 3
    assert (await verbs(gateway, au.registration))[1:] == [
        "initialized",
        "completed",
        "satisfied",
        "experienced",
        "terminated",
    ]


async def test_progress_adds_up_what_the_sessions_did(gateway: Gateway) -> None:
    attributes = 'moveOn="CompletedAndPassed" masteryScore="0.6"'
    course = await imported(gateway, course_xml(block_xml(1, au_xml(1, attributes=attributes)), au_xml(2)))
    au = await started(gateway, course["id"])
    halfway = {"extensions": {words.PROGRESS: 50}}
    assert (await au.send(au.statement(EXPERIENCED, result=halfway))).status == 200
    assert (await au.send(au.defined(words.FAILED, score={"scaled": 0.25}))).status == 200
    await au.accepted(words.TERMINATED)
    again = await started(gateway, course["id"], registration=au.registration)
    await again.accepted(words.COMPLETED)
    assert (await again.send(again.defined(words.PASSED, score={"scaled": 0.75}))).status == 200
    await again.accepted(words.TERMINATED)
    tree = await again.progress()
    assert (tree["satisfied"], tree["met"], tree["aus"], tree["sessions"]) == (False, 1, 2, 2)
    [block, other] = tree["children"]
    assert (block["satisfied"], other["attempted"]) == (True, False)
    [lesson] = block["children"]
    assert lesson["id"] == au.launch["activityId"]
    assert (lesson["failed"], lesson["passed"], lesson["completed"]) == (True, True, True)
    assert (lesson["score"], lesson["progress"], lesson["time"]) == (0.75, 50, "PT24S")


@pytest.mark.parametrize("reference", [1, "https://courses.example.org/aus/2"])
async def test_an_au_is_named_by_index_or_publisher_id(gateway: Gateway, reference: int | str) -> None:
    course = await imported(gateway, course_xml(au_xml(1), au_xml(2)))
    au = await launched(gateway, course["id"], au=reference)
    assert au.launch["activityId"] == course["aus"][1]["id"]


async def test_a_launch_of_an_unknown_au_leaves_nothing_behind(gateway: Gateway) -> None:
    course = await imported(gateway)
    body = {"au": 7, "actor": LEARNER}
    reply = await api(gateway).post(f"/courses/{course['id']}/launch", body=body)
    assert reply.status == 404
    assert (await api(gateway).get("/registrations")).json()["registrations"] == []


async def test_move_on_changed_at_a_launch_counts_for_satisfaction(gateway: Gateway) -> None:
    course = await imported(gateway, course_xml(au_xml(1, attributes='moveOn="CompletedAndPassed"')))
    au = await started(gateway, course["id"], moveOn="Completed")
    await au.accepted(words.COMPLETED)
    assert (await verbs(gateway, au.registration))[-1] == "satisfied"


async def test_the_launch_url_carries_every_parameter_percent_encoded(gateway: Gateway) -> None:
    lesson = au_xml(1, url="https://content.example.org/a?own=1&amp;two=a%20b#part")
    course = await imported(gateway, course_xml(lesson))
    actor = {"account": {"homePage": "https://people.example.org", "name": "Ünï c+d"}}
    au = await launched(gateway, course["id"], actor=actor)
    address, _, fragment = au.url.partition("#")
    assert fragment == "part"
    assert address.startswith("https://content.example.org/a?own=1&two=a%20b&endpoint=http%3A%2F%2F")
    assert "+" not in address
    assert au.actor == actor
    assert isinstance(au, AU)
