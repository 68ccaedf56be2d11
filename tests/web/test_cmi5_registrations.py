from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import uuid4

import pytest
from yarl import URL

from gateway.cmi5 import vocabulary as words
from tests.cmi5.samples import au_xml, block_xml
from tests.gateway import Gateway, Reply
from tests.web.au import AU, LEARNER, api, course_xml, imported, launched, started, stored, verbs

OPTIONAL = 'moveOn="NotApplicable"'
OTHER = {"account": {"homePage": "https://people.example.org", "name": "grace"}}


async def _registered(gateway: Gateway, course: str, **fields: Any) -> Reply:
    return await api(gateway).post("/registrations", body={"course": course, "actor": LEARNER, **fields})


async def test_a_registration_with_an_id_of_its_own_is_made_once(gateway: Gateway) -> None:
    course, other = await imported(gateway), await imported(gateway)
    identity = str(uuid4())
    replies = await asyncio.gather(*(_registered(gateway, course["id"], id=identity) for _ in range(5)))
    assert sorted(reply.status for reply in replies) == [200, 200, 200, 200, 201]
    assert {reply.json()["id"] for reply in replies} == {identity}
    unnamed = {"account": LEARNER["account"]}
    assert (await _registered(gateway, course["id"], id=identity, actor=unnamed)).status == 200
    assert (await _registered(gateway, course["id"], id=identity, actor=OTHER)).status == 409
    assert (await _registered(gateway, other["id"], id=identity)).status == 409
    assert (await _registered(gateway, str(uuid4()))).status == 404


async def test_what_asks_for_nothing_is_satisfied_by_registering(gateway: Gateway) -> None:
    optional = block_xml(1, block_xml(2, au_xml(1, attributes=OPTIONAL)), au_xml(2, attributes=OPTIONAL))
    course = await imported(gateway, course_xml(optional, block_xml(3, au_xml(3))))
    registration = (await _registered(gateway, course["id"])).json()["id"]
    found = await stored(gateway, registration)
    assert [words.word(each["verb"]["id"]) for each in found] == ["satisfied", "satisfied"]
    grouping = [each["context"]["contextActivities"]["grouping"][0]["id"] for each in found]
    assert [each.rpartition("/")[2] for each in grouping] == ["2", "1"]
    sessions = {each["context"]["extensions"][words.SESSION_ID] for each in found}
    assert len(sessions) == 1
    au = await started(gateway, course["id"], au=2, registration=registration)
    await au.accepted(words.COMPLETED)
    assert (await verbs(gateway, registration))[2:] == [
        "launched",
        "initialized",
        "completed",
        "satisfied",
        "satisfied",
    ]
    assert au.session not in sessions


async def test_an_au_is_waived_once_with_what_that_satisfies(gateway: Gateway) -> None:
    course = await imported(gateway, course_xml(block_xml(1, au_xml(1)), au_xml(2)))
    registration = (await _registered(gateway, course["id"])).json()["id"]
    path = f"/registrations/{registration}/waive"
    reply = await api(gateway).post(path, body={"au": 0, "reason": "Tested Out"})
    assert reply.status == 200
    assert reply.json()["progress"]["children"][0]["children"][0]["waiveReason"] == "Tested Out"
    waived, satisfied = await stored(gateway, registration)
    assert waived["result"] == {
        "success": True,
        "completion": True,
        "extensions": {words.REASON: "Tested Out"},
    }
    categories = [each["id"] for each in waived["context"]["contextActivities"]["category"]]
    assert categories == [words.CATEGORY_CMI5, words.CATEGORY_MOVE_ON]
    assert waived["context"]["contextActivities"]["grouping"][0]["id"].endswith("/aus/1")
    session = waived["context"]["extensions"][words.SESSION_ID]
    assert satisfied["context"]["extensions"][words.SESSION_ID] == session
    assert (await api(gateway).post(path, body={"au": 0, "reason": "again"})).status == 409
    assert (await api(gateway).post(path, body={"au": 9, "reason": "none"})).status == 404
    for body in ({"au": 1, "reason": " "}, {"au": 1, "reason": "x" * 2000}, {"au": 1}, {"reason": "x"}):
        assert (await api(gateway).post(path, body=body)).status == 400
    assert len(await verbs(gateway, registration)) == 2


async def test_waiving_ends_no_session_and_parallel_waivers_are_one(gateway: Gateway) -> None:
    course = await imported(gateway)
    au = await started(gateway, course["id"])
    path = f"/registrations/{au.registration}/waive"
    replies = await asyncio.gather(
        *(api(gateway).post(path, body={"au": 0, "reason": f"reason {n}"}) for n in range(5))
    )
    assert sorted(reply.status for reply in replies) == [200, 409, 409, 409, 409]
    assert (await verbs(gateway, au.registration))[2:] == ["waived", "satisfied"]
    await au.accepted(words.COMPLETED, words.TERMINATED)
    assert (await verbs(gateway, au.registration)).count("satisfied") == 1


async def test_registrations_are_listed_by_course_and_learner(gateway: Gateway) -> None:
    course, other = await imported(gateway), await imported(gateway)
    mine = (await _registered(gateway, course["id"])).json()["id"]
    theirs = (await _registered(gateway, course["id"], actor=OTHER)).json()["id"]
    elsewhere = (await _registered(gateway, other["id"])).json()["id"]

    async def found(**query: str) -> list[str]:
        reply = await api(gateway).get("/registrations", query)
        return [each["id"] for each in reply.json()["registrations"]]

    assert await found() == [elsewhere, theirs, mine]
    assert await found(course=course["id"]) == [theirs, mine]
    assert await found(actor=json.dumps(LEARNER)) == [elsewhere, mine]
    assert await found(course=course["id"], actor=json.dumps(LEARNER), limit="1") == [mine]


async def _link(gateway: Gateway, registration: str, **fields: Any) -> Reply:
    return await api(gateway).post(f"/registrations/{registration}/links", body=fields)


async def _click(gateway: Gateway, url: str, method: str = "GET", **headers: str) -> Reply:
    return await gateway.http().at(url)(method, "", headers=headers)


async def test_a_link_begins_a_session_each_time_it_is_clicked(gateway: Gateway) -> None:
    course = await imported(gateway)
    registration = (await _registered(gateway, course["id"])).json()["id"]
    link = await _link(gateway, registration, au=0, returnURL="https://campus.example.org/back")
    assert link.status == 201
    assert link.json()["url"].startswith(f"{gateway.url}/launch/")
    assert await verbs(gateway, registration) == []
    for _ in range(2):
        clicked = await _click(gateway, link.json()["url"])
        assert (clicked.status, clicked.headers["Cache-Control"]) == (303, "no-store")
        au = AU.of(gateway, clicked.headers["Location"])
        await au.begin()
        assert au.data["returnURL"] == "https://campus.example.org/back"
    assert await verbs(gateway, registration) == [
        "launched",
        "initialized",
        "abandoned",
        "launched",
        "initialized",
    ]


async def test_the_redirect_keeps_the_launch_url_as_it_was_encoded(gateway: Gateway) -> None:
    course = await imported(gateway)
    registration = (await _registered(gateway, course["id"])).json()["id"]
    link = (await _link(gateway, registration)).json()["url"]
    location = (await _click(gateway, link)).headers["Location"]
    assert "endpoint=http%3A%2F%2F" in location
    assert "actor=%7B%22" in location


async def test_previews_of_a_link_begin_nothing(gateway: Gateway) -> None:
    course = await imported(gateway)
    registration = (await _registered(gateway, course["id"])).json()["id"]
    url = (await _link(gateway, registration)).json()["url"]
    assert (await _click(gateway, url, "HEAD")).status == 204
    assert (await _click(gateway, url, **{"Sec-Purpose": "prefetch;prerender"})).status == 204
    assert await verbs(gateway, registration) == []


async def test_a_link_without_au_leads_to_the_next_one(gateway: Gateway) -> None:
    course = await imported(gateway, course_xml(au_xml(1), au_xml(2)))
    first = await started(gateway, course["id"])
    url = (await _link(gateway, first.registration)).json()["url"]
    await first.accepted(words.COMPLETED, words.TERMINATED)
    activities = []
    for _ in range(2):
        au = AU.of(gateway, (await _click(gateway, url)).headers["Location"])
        activities.append(au.launch["activityId"])
        await au.begin()
        if au.data["launchMode"] == "Normal":
            await au.accepted(words.COMPLETED, words.TERMINATED)
    assert activities == [course["aus"][1]["id"], course["aus"][0]["id"]]


async def test_a_link_in_a_frame_opens_a_window_for_what_needs_one_and_is_not_used_up(
    gateway: Gateway,
) -> None:
    xml = course_xml(au_xml(1).replace("<au ", '<au launchMethod="OwnWindow" '), au_xml(2))
    course = await imported(gateway, xml)
    registration = (await _registered(gateway, course["id"])).json()["id"]
    link = (await _link(gateway, registration, once=True)).json()["url"]
    for kind in ("iframe", "object"):
        shown = await _click(gateway, link, **{"Sec-Fetch-Dest": kind})
        assert (shown.status, shown.headers["Cache-Control"]) == (200, "no-store")
        assert f'<a href="{link}" target="_blank"' in shown.body.decode()
    assert await verbs(gateway, registration) == []
    assert (await _click(gateway, link, **{"Sec-Fetch-Dest": "document"})).status == 303
    assert (await _click(gateway, link, **{"Sec-Fetch-Dest": "iframe"})).status == 410
    # What may be shown anywhere is shown in the frame.
    other = (await _link(gateway, registration, au=1, once=True)).json()["url"]
    assert (await _click(gateway, other, **{"Sec-Fetch-Dest": "iframe"})).status == 303


async def test_links_that_are_unknown_or_expired_say_so_on_a_page(gateway: Gateway) -> None:
    course = await imported(gateway)
    registration = (await _registered(gateway, course["id"])).json()["id"]
    link = (await _link(gateway, registration, lifetime=0.001)).json()
    await asyncio.sleep(0.005)
    expired = await _click(gateway, link["url"])
    assert (expired.status, b"This link has expired" in expired.body) == (410, True)
    unknown = await _click(gateway, f"{gateway.url}/launch/{'x' * 44}")
    assert (unknown.status, unknown.headers["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert await verbs(gateway, registration) == []


@pytest.mark.parametrize("fields", [{"lifetime": 0}, {"lifetime": True}, {"au": []}, {"mode": "Browse"}])
async def test_what_is_wrong_with_a_link_is_said(gateway: Gateway, fields: dict[str, Any]) -> None:
    course = await imported(gateway)
    registration = (await _registered(gateway, course["id"])).json()["id"]
    assert (await _link(gateway, registration, **fields)).status == 400
    assert (await _link(gateway, registration, au="nowhere")).status == 404


async def test_the_addresses_are_those_under_which_the_gateway_is_reached(gateway: Gateway) -> None:
    au = await launched(gateway, (await imported(gateway))["id"])
    assert URL(au.launch["fetch"]).origin() == URL(gateway.url)
