from __future__ import annotations

import copy
import json
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest

from gateway.cmi5 import vocabulary as words
from tests.cmi5.samples import au_xml
from tests.gateway import Gateway, Reply
from tests.web.au import AU, api, course_xml, imported, launched, started, verbs

EXPERIENCED = "http://adlnet.gov/expapi/verbs/experienced"
OTHER = {"account": {"homePage": "https://people.example.org", "name": "grace"}}


def _requirements(reply: Reply) -> set[str]:
    return {problem["requirement"] for problem in reply.error["problems"]}


@pytest.fixture
async def au(gateway: Gateway) -> AU:
    """An active session of an AU with a mastery score."""
    lesson = au_xml(1, attributes='moveOn="CompletedAndPassed" masteryScore="0.6"')
    return await started(gateway, (await imported(gateway, course_xml(lesson)))["id"])


def _without(statement: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in statement.items() if key not in keys}


async def test_every_breach_is_refused_by_its_requirement_and_nothing_is_stored(
    gateway: Gateway, au: AU
) -> None:
    allowed, passed = au.statement(EXPERIENCED), au.defined(words.PASSED)
    other_session = copy.deepcopy(allowed)
    other_session["context"]["extensions"][words.SESSION_ID] = str(uuid4())
    no_grouping = copy.deepcopy(allowed)
    no_grouping["context"]["contextActivities"] = {}
    breaches: list[tuple[object, int, str]] = [
        (_without(allowed, "id"), 403, "cmi5 9.1.0.0-1"),
        (_without(allowed, "timestamp"), 403, "cmi5 9.7.0.0-1"),
        ({**allowed, "timestamp": "2026-03-01T10:00:00+02:00"}, 403, "cmi5 9.7.0.0-2"),
        ({**allowed, "actor": OTHER}, 403, "cmi5 8.1.3.0-3"),
        ({**allowed, "actor": {"mbox": "mailto:ada@example.org"}}, 403, "cmi5 9.2.0.0-3"),
        ({**allowed, "actor": {"objectType": "Group", **OTHER}}, 403, "cmi5 9.2.0.0-2"),
        ({**allowed, "verb": {"id": words.VOIDED}}, 403, "cmi5 6.3.0.0-1"),
        (_without(allowed, "context"), 403, "cmi5 9.6.0.0-1"),
        (other_session, 403, "cmi5 9.6.3.1-4"),
        (no_grouping, 403, "cmi5 9.6.2.0-1"),
        (_without(allowed, "verb"), 400, "xAPI"),
        (au.defined(words.INITIALIZED), 403, "cmi5 9.3.0.0-2"),
        (au.defined(words.LAUNCHED), 403, "cmi5 9.3.0.0-1"),
        ({**passed, "object": {"id": "https://elsewhere.example.org"}}, 403, "cmi5 8.1.5.0-6"),
        (au.defined(words.PASSED, success=False), 403, "cmi5 9.5.2.0-1"),
        (au.defined(words.PASSED, score={"scaled": 0.59}), 403, "cmi5 9.3.4.0-2"),
        (au.defined(words.TERMINATED, completion=True), 403, "cmi5 9.5.3.0-2"),
    ]
    for statement, status, requirement in breaches:
        reply = await au.send(statement)
        assert (reply.status, requirement in _requirements(reply)) == (status, True), reply.body
    assert await verbs(gateway, au.registration) == ["launched", "initialized"]
    refusals = (await au.shown())["refusals"]
    assert len(refusals) == len(breaches)
    assert refusals[0]["request"] == "POST statements"
    assert refusals[0]["problems"][0] == {
        "path": "id",
        "requirement": "cmi5 9.1.0.0-1",
        "message": "is missing; an AU gives every statement a UUID itself",
    }


async def test_nothing_comes_before_initialized_and_that_not_before_the_preferences(gateway: Gateway) -> None:
    au = await launched(gateway, (await imported(gateway))["id"])
    await au.fetch()
    au.data = (await au.state("GET", "LMS.LaunchData")).json()
    assert "cmi5 9.3.0.0-4" in _requirements(await au.send(au.statement(EXPERIENCED)))
    initialized = au.defined(words.INITIALIZED)
    assert "cmi5 11.0.0.0-3" in _requirements(await au.send(initialized))
    assert (await au.lrs("HEAD", "/agents/profile", _preferences(au))).status == 404
    assert "cmi5 11.0.0.0-3" in _requirements(await au.send(initialized))
    assert (await au.preferences("GET")).status == 404
    assert (await au.send(initialized)).status == 200


def _preferences(au: AU) -> dict[str, str]:
    return {"profileId": "cmi5LearnerPreferences", "agent": au.launch["actor"]}


async def test_put_is_judged_like_post(gateway: Gateway, au: AU) -> None:
    statement = au.statement(EXPERIENCED)
    query = {"statementId": statement["id"]}
    refused = await au.lrs.put("/statements", query, body=_without(statement, "id"))
    assert (refused.status, "cmi5 9.1.0.0-1" in _requirements(refused)) == (403, True)
    assert (await au.lrs.put("/statements", query, body=statement)).status == 204


async def test_the_alternate_syntax_is_judged_like_what_it_stands_for(gateway: Gateway, au: AU) -> None:
    statement = au.statement(EXPERIENCED)
    form = {
        "statementId": statement["id"],
        "content": json.dumps(_without(statement, "timestamp")),
        "Content-Type": "application/json",
        "Authorization": au.lrs.headers["Authorization"],
        "X-Experience-API-Version": "1.0.3",
    }
    bare = au.lrs.with_headers({"Authorization": None})
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    refused = await bare.post(
        "/statements", {"method": "PUT"}, data=urlencode(form).encode(), headers=headers
    )
    assert (refused.status, _requirements(refused)) == (403, {"cmi5 9.7.0.0-1"})
    form["content"] = json.dumps(statement)
    accepted = await bare.post(
        "/statements", {"method": "PUT"}, data=urlencode(form).encode(), headers=headers
    )
    assert accepted.status == 204


async def test_what_cmi5_accepts_still_has_to_be_xapi(gateway: Gateway, au: AU) -> None:
    bad = au.statement(EXPERIENCED, result={"score": {"scaled": 7}})
    assert (await au.send(bad)).status == 400
    assert (
        await au.lrs.post("/statements", data=b"{", headers={"Content-Type": "application/json"})
    ).status == 400
    assert await verbs(gateway, au.registration) == ["launched", "initialized"]
    assert (await au.shown())["statements"] == 1


async def test_a_request_repeated_because_its_answer_was_lost_is_fine(gateway: Gateway, au: AU) -> None:
    completed = au.defined(words.COMPLETED)
    for _ in range(2):
        reply = await au.send(completed)
        assert (reply.status, reply.json()) == (200, [completed["id"]])
    assert (await verbs(gateway, au.registration)).count("completed") == 1
    changed = {**completed, "timestamp": "2026-03-01T10:00:01Z"}
    assert (await au.send(changed)).status == 403


async def test_an_au_sees_nothing_of_other_learners_and_registrations(gateway: Gateway, au: AU) -> None:
    course = await imported(gateway)
    stranger = await started(gateway, course["id"], actor=OTHER)
    again = await started(gateway, course["id"])
    foreign = {
        "actor": au.actor,
        "verb": {"id": EXPERIENCED},
        "object": {"id": au.launch["activityId"]},
    }
    assert (await gateway.lrs.post("/statements", body=foreign)).status == 200
    own = (await au.lrs.get("/statements")).json()["statements"]
    assert {each["context"]["registration"] for each in own} == {au.registration}
    assert [words.word(each["verb"]["id"]) for each in own] == ["initialized", "launched"]
    for query in (
        {"registration": stranger.registration},
        {"registration": again.registration},
        {"agent": json.dumps(OTHER)},
    ):
        assert (await au.lrs.get("/statements", query)).json()["statements"] == []
    theirs = (await stranger.lrs.get("/statements")).json()["statements"][0]["id"]
    assert (await au.lrs.get("/statements", {"statementId": theirs})).status == 404
    mine = {"statementId": own[0]["id"], "format": "ids"}
    assert (await au.lrs.get("/statements", mine)).status == 200


async def test_the_launch_data_are_not_the_aus_to_change(gateway: Gateway, au: AU) -> None:
    for method in ("PUT", "POST", "DELETE"):
        body = None if method == "DELETE" else {"moveOn": "NotApplicable"}
        reply = await au.state(method, "LMS.LaunchData", body=body)
        assert (reply.status, _requirements(reply)) == (403, {"cmi5 10.2.1.0-5"})
    assert (await au.state("DELETE", None)).status == 403
    assert (await au.state("GET", "LMS.LaunchData")).json() == au.data


async def test_state_is_the_learners_in_the_registration_only(gateway: Gateway, au: AU) -> None:
    query = {"activityId": au.launch["activityId"], "stateId": "x", "agent": json.dumps(OTHER)}
    assert (await au.lrs.put("/activities/state", query, body={})).status == 403
    query |= {"agent": au.launch["actor"], "registration": str(uuid4())}
    assert (await au.lrs.get("/activities/state", query)).status == 403
    assert (await au.state("PUT", "x", data=b"text", headers={"Content-Type": "text/plain"})).status == 204
    assert (await au.state("GET", "x")).body == b"text"
    assert (await au.state("DELETE", "x")).status == 204


async def test_learner_preferences_are_checked_before_they_are_stored(gateway: Gateway, au: AU) -> None:
    good = {"languagePreference": "en-US,fr", "audioPreference": "on"}
    bad_ones: list[object] = [{}, {**good, "languagePreference": ""}, {**good, "audioPreference": "loud"}, []]
    for bad in bad_ones:
        assert (await au.preferences("PUT", body=bad)).status == 403
    as_text = {"Content-Type": "text/plain;charset=UTF-8"}
    assert (await au.preferences("PUT", data=json.dumps(good).encode(), headers=as_text)).status == 403
    new = {"If-None-Match": "*"}
    assert (await au.preferences("PUT", body=good, headers=new)).status == 204
    assert (await au.preferences("POST", body={"audioPreference": "off"})).status == 204
    assert (await au.preferences("POST", body={"audioPreference": "maybe"})).status == 403
    assert (await au.preferences("DELETE")).status == 403
    assert (await au.preferences("GET")).json() == {**good, "audioPreference": "off"}


async def test_profiles_of_other_agents_are_out_of_reach(gateway: Gateway, au: AU) -> None:
    query = {"profileId": "cmi5LearnerPreferences"}
    assert (await au.lrs.get("/agents/profile", query)).status == 400
    assert (await au.lrs.get("/agents/profile", query | {"agent": json.dumps(OTHER)})).status == 403
    assert (await au.lrs.get("/agents/profile", query | {"agent": "no json"})).status == 403
    assert (await au.lrs.get("/agents", {"agent": json.dumps(OTHER)})).status == 403
    assert (await au.lrs.get("/agents", {"agent": au.launch["actor"]})).status == 200


async def test_a_token_opens_nothing_but_xapi(gateway: Gateway, au: AU) -> None:
    management = api(gateway).with_headers({"Authorization": au.lrs.headers["Authorization"]})
    assert (await management.get("/courses")).status == 403
    assert (await management.post(f"/sessions/{au.session}/abandon")).status == 403


async def test_old_and_new_clients_get_through(gateway: Gateway, au: AU) -> None:
    for version in ("1.0.1", "1.0.2", "1.0.3", "2.0.0"):
        lrs = au.lrs.with_headers({"X-Experience-API-Version": version})
        assert (await lrs.post("/statements", body=au.statement(EXPERIENCED))).status == 200
