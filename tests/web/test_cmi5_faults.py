"""Faults of an LMS that ADL's test suite for LMSs does not notice, each shown to be absent.

The suite was run against an LMS with one fault at a time; these are the 33 that it let pass. A test cites the
requirement that its fault breaks, as ADL numbers them.
"""

from __future__ import annotations

import copy
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest

from gateway.cmi5 import vocabulary as words
from tests.cmi5.samples import au_xml, block_xml, structure_xml, zipped
from tests.gateway import Gateway, Reply
from tests.web.au import (
    LEARNER,
    XML,
    ZIP,
    api,
    course_xml,
    imported,
    launched,
    started,
    stored,
    verbs,
)

EXPERIENCED = "http://adlnet.gov/expapi/verbs/experienced"
GRACE = {"account": {"homePage": "https://people.example.org", "name": "grace"}}
OPTIONAL = 'moveOn="NotApplicable"'


def _requirements(reply: Reply) -> set[str]:
    assert reply.status in (400, 403), reply.body
    return {problem["requirement"] for problem in reply.error["problems"]}


def _session_id(statement: dict[str, Any]) -> Any:
    return statement["context"]["extensions"][words.SESSION_ID]


def _publisher_ids(statement: dict[str, Any]) -> list[str]:
    return [activity["id"] for activity in statement["context"]["contextActivities"]["grouping"]]


async def _of_verb(gateway: Gateway, registration: str, verb: str) -> list[dict[str, Any]]:
    return [each for each in await stored(gateway, registration) if each["verb"]["id"] == verb]


async def _registered(gateway: Gateway, course: str) -> str:
    reply = await api(gateway).post("/registrations", body={"course": course, "actor": LEARNER})
    assert reply.status == 201, reply.body
    identity: str = reply.json()["id"]
    return identity


async def _import(gateway: Gateway, content: bytes) -> Reply:
    headers = ZIP if content.startswith(b"PK") else XML
    return await api(gateway).post("/courses", data=content, headers=headers)


# -- sessions ------------------------------------------------------------------------------------------------


async def test_a_relaunch_abandons_the_session_before(gateway: Gateway) -> None:
    # cmi5 9.3.6.0-1
    course = await imported(gateway)
    first = await started(gateway, course["id"])
    second = await launched(gateway, course["id"], registration=first.registration)
    [abandoned] = await _of_verb(gateway, first.registration, words.ABANDONED)
    assert _session_id(abandoned) == first.session != second.session
    assert (await first.send(first.statement(EXPERIENCED))).status == 401


async def test_a_launch_of_another_au_abandons_it_as_well(gateway: Gateway) -> None:
    # cmi5 9.3.6.0-1
    course = await imported(gateway, course_xml(au_xml(1), au_xml(2)))
    first = await started(gateway, course["id"])
    await launched(gateway, course["id"], au=1, registration=first.registration)
    [abandoned] = await _of_verb(gateway, first.registration, words.ABANDONED)
    assert (_session_id(abandoned), abandoned["object"]["id"]) == (first.session, course["aus"][0]["id"])
    assert (await first.send(first.statement(EXPERIENCED))).status == 401


async def test_one_session_is_abandoned_once(gateway: Gateway) -> None:
    # cmi5 9.3.0.0-10
    course = await imported(gateway)
    au = await started(gateway, course["id"])
    for _ in range(2):
        assert (await api(gateway).post(f"/sessions/{au.session}/abandon")).status == 200
    await launched(gateway, course["id"], registration=au.registration)
    assert len(await _of_verb(gateway, au.registration, words.ABANDONED)) == 1


async def test_the_duration_of_an_abandoned_session_ends_with_its_last_statement(gateway: Gateway) -> None:
    # cmi5 9.5.4.2-2
    au = await started(gateway, (await imported(gateway))["id"])
    assert (await au.send(au.statement(EXPERIENCED))).status == 200
    await api(gateway).post(f"/sessions/{au.session}/abandon")
    [abandoned] = await _of_verb(gateway, au.registration, words.ABANDONED)
    assert abandoned["result"]["duration"].startswith("PT")
    assert abandoned["result"]["duration"] != "PT0S"


async def test_after_terminated_the_token_opens_no_document_that_exists(gateway: Gateway) -> None:
    # cmi5 8.1.2.0-2, 8.2.1.0-6
    au = await started(gateway, (await imported(gateway))["id"])
    assert (await au.state("PUT", "bookmark", body={"page": 3})).status == 204
    await au.accepted(words.TERMINATED)
    for reply in (
        await au.state("GET", "bookmark"),
        await au.state("GET", "LMS.LaunchData"),
        await au.state("PUT", "bookmark", body={"page": 4}),
        await au.lrs.get("/statements"),
        await au.lrs.get("/agents", {"agent": au.launch["actor"]}),
    ):
        assert reply.status == 401


async def test_terminated_does_not_come_before_initialized(gateway: Gateway) -> None:
    # cmi5 9.3.0.0-4
    au = await launched(gateway, (await imported(gateway))["id"])
    await au.fetch()
    au.data = (await au.state("GET", "LMS.LaunchData")).json()
    await au.preferences("GET")
    refused = await au.send(au.defined(words.TERMINATED))
    assert (refused.status, "cmi5 9.3.0.0-4" in _requirements(refused)) == (403, True)
    await au.accepted(words.INITIALIZED, words.TERMINATED)


# -- satisfaction --------------------------------------------------------------------------------------------


async def test_what_is_satisfied_is_not_satisfied_again(gateway: Gateway) -> None:
    # cmi5 9.3.9.0-1
    course = await imported(gateway, course_xml(block_xml(1, au_xml(1)), au_xml(2)))
    au = await started(gateway, course["id"])
    await au.accepted(words.COMPLETED, words.PASSED, words.TERMINATED)
    second = await started(gateway, course["id"], au=1, registration=au.registration)
    await second.accepted(words.COMPLETED, words.PASSED)
    satisfied = await _of_verb(gateway, au.registration, words.SATISFIED)
    types = [each["object"]["definition"]["type"] for each in satisfied]
    assert types == [words.TYPE_BLOCK, words.TYPE_COURSE]


async def test_a_course_is_satisfied_with_its_last_child_and_not_with_any(gateway: Gateway) -> None:
    # cmi5 9.3.9.0-1
    course = await imported(gateway, course_xml(au_xml(1), au_xml(2)))
    first = await started(gateway, course["id"])
    await first.accepted(words.COMPLETED, words.TERMINATED)
    assert await _of_verb(gateway, first.registration, words.SATISFIED) == []
    second = await started(gateway, course["id"], au=1, registration=first.registration)
    await second.accepted(words.COMPLETED)
    assert len(await _of_verb(gateway, first.registration, words.SATISFIED)) == 1


@pytest.mark.parametrize("move_on", ["Passed", "CompletedOrPassed"])
async def test_failed_satisfies_nothing(gateway: Gateway, move_on: str) -> None:
    # cmi5 10.2.5.0-1
    course = await imported(gateway, course_xml(au_xml(1, attributes=f'moveOn="{move_on}"')))
    au = await started(gateway, course["id"])
    await au.accepted(words.FAILED)
    assert await _of_verb(gateway, au.registration, words.SATISFIED) == []
    assert not (await au.progress())["satisfied"]


async def test_allowed_statements_satisfy_nothing_whatever_their_verb(gateway: Gateway) -> None:
    # cmi5 7.1.3.0-1, 10.2.5.0-1
    course = await imported(gateway, course_xml(au_xml(1, attributes='moveOn="CompletedOrPassed"')))
    au = await started(gateway, course["id"])
    for verb, result in ((words.PASSED, {"success": True}), (words.COMPLETED, {"completion": True})):
        assert (await au.send(au.statement(verb, result=result))).status == 200
    assert await _of_verb(gateway, au.registration, words.SATISFIED) == []
    await au.accepted(words.PASSED)
    assert len(await _of_verb(gateway, au.registration, words.SATISFIED)) == 1


async def test_every_block_has_an_id_of_its_own(gateway: Gateway) -> None:
    # cmi5 9.3.9.0-3
    inner = block_xml(1, block_xml(2, au_xml(1, attributes=OPTIONAL)), au_xml(2, attributes=OPTIONAL))
    course = await imported(gateway, course_xml(inner, block_xml(3, au_xml(3, attributes=OPTIONAL))))
    registration = await _registered(gateway, course["id"])
    satisfied = await _of_verb(gateway, registration, words.SATISFIED)
    assert [_publisher_ids(each)[0].rpartition("/")[2] for each in satisfied] == ["2", "1", "3", "geology"]
    assert len({each["object"]["id"] for each in satisfied}) == 4
    assert not {each["object"]["id"] for each in satisfied} & {_publisher_ids(each)[0] for each in satisfied}


async def test_what_registering_satisfies_has_a_session_id_of_its_own(gateway: Gateway) -> None:
    # cmi5 9.6.3.1-1, 9.6.1.1-3
    course = await imported(gateway, course_xml(block_xml(1, au_xml(1, attributes=OPTIONAL)), au_xml(2)))
    registrations = [await _registered(gateway, course["id"]) for _ in range(2)]
    sessions = []
    for registration in registrations:
        [satisfied] = await stored(gateway, registration)
        sessions.append(_session_id(satisfied))
    au = await launched(gateway, course["id"], registration=registrations[0])
    assert all(sessions)
    assert len({*sessions, au.session, *registrations}) == 5


# -- the gate ------------------------------------------------------------------------------------------------


async def test_the_id_of_another_session_is_refused(gateway: Gateway) -> None:
    # cmi5 9.6.3.1-4
    course = await imported(gateway)
    au, other = await started(gateway, course["id"]), await started(gateway, course["id"])
    statement = au.statement(EXPERIENCED)
    statement["context"]["extensions"][words.SESSION_ID] = other.session
    refused = await au.send(statement)
    assert (refused.status, _requirements(refused)) == (403, {"cmi5 9.6.3.1-4"})


@pytest.mark.parametrize("key", ["homePage", "name"])
async def test_another_account_is_not_the_learner(gateway: Gateway, key: str) -> None:
    # cmi5 8.1.3.0-3
    au = await started(gateway, (await imported(gateway))["id"])
    statement = au.statement(EXPERIENCED)
    statement["actor"]["account"][key] += "x"
    refused = await au.send(statement)
    assert (refused.status, _requirements(refused)) == (403, {"cmi5 8.1.3.0-3"})


async def test_the_grouping_of_the_context_template_may_not_be_overwritten(gateway: Gateway) -> None:
    # cmi5 9.6.2.0-1, 10.2.1.0-7
    au = await started(gateway, (await imported(gateway))["id"])
    statement = au.statement(EXPERIENCED)
    statement["context"]["contextActivities"]["grouping"] = [{"id": "https://elsewhere.example.org"}]
    refused = await au.send(statement)
    assert (refused.status, _requirements(refused)) == (403, {"cmi5 9.6.2.0-1"})
    statement["context"]["contextActivities"]["grouping"] += au.data["contextTemplate"]["contextActivities"][
        "grouping"
    ]
    assert (await au.send(statement)).status == 200


@pytest.mark.parametrize("verb", sorted(words.LMS_VERBS))
async def test_the_verbs_of_the_lms_are_not_the_aus(gateway: Gateway, verb: str) -> None:
    # cmi5 9.3.0.0-1
    au = await started(gateway, (await imported(gateway))["id"])
    refused = await au.send(au.defined(verb))
    assert (refused.status, _requirements(refused)) == (403, {"cmi5 9.3.0.0-1"})


async def test_the_second_statement_of_a_batch_is_judged_like_the_first(gateway: Gateway) -> None:
    # cmi5 9.1.0.0-1, 9.3.0.0-2
    au = await started(gateway, (await imported(gateway))["id"])
    nameless = au.statement(EXPERIENCED)
    del nameless["id"]
    for second in (nameless, au.defined(words.INITIALIZED)):
        refused = await au.send(au.statement(EXPERIENCED), second)
        assert refused.status == 403
        assert {problem["path"][:3] for problem in refused.error["problems"]} == {"[1]"}
    assert await verbs(gateway, au.registration) == ["launched", "initialized"]


async def test_the_state_of_another_learner_is_out_of_reach(gateway: Gateway) -> None:
    # cmi5 8.1.3.0-3
    course = await imported(gateway)
    grace = await started(gateway, course["id"], actor=GRACE)
    assert (await grace.state("PUT", "bookmark", body={"page": 3})).status == 204
    au = await started(gateway, course["id"])
    query = {"activityId": au.launch["activityId"], "agent": json.dumps(GRACE), "stateId": "bookmark"}
    for registration in ({}, {"registration": grace.registration}):
        reply = await au.lrs.get("/activities/state", query | registration)
        assert (reply.status, "cmi5 8.1.3.0-3" in _requirements(reply)) == (403, True)


async def test_the_state_of_another_registration_is_out_of_reach(gateway: Gateway) -> None:
    # cmi5 8.1.4.0-3
    course = await imported(gateway)
    before, au = await started(gateway, course["id"]), await started(gateway, course["id"])
    query = {"activityId": au.launch["activityId"], "agent": au.launch["actor"], "stateId": "bookmark"}
    query["registration"] = before.registration
    for method in ("GET", "PUT"):
        body = {"page": 3} if method == "PUT" else None
        reply = await au.lrs(method, "/activities/state", query, body=body)
        assert (reply.status, _requirements(reply)) == (403, {"cmi5 8.1.4.0-3"})


# -- waive, and what the LMS records -------------------------------------------------------------------------


async def test_an_au_is_waived_once(gateway: Gateway) -> None:
    # cmi5 9.3.0.0-11
    registration = await _registered(gateway, (await imported(gateway))["id"])
    path = f"/registrations/{registration}/waive"
    replies = [
        await api(gateway).post(path, body={"au": 0, "reason": reason})
        for reason in ("Tested Out", "Tested Out", "Administrative")
    ]
    assert [reply.status for reply in replies] == [200, 409, 409]
    assert len(await _of_verb(gateway, registration, words.WAIVED)) == 1


async def test_abandoned_names_the_publishers_id_of_the_au(gateway: Gateway) -> None:
    # cmi5 9.6.2.3-2
    au = await launched(gateway, (await imported(gateway))["id"])
    await api(gateway).post(f"/sessions/{au.session}/abandon")
    [abandoned] = await _of_verb(gateway, au.registration, words.ABANDONED)
    assert "https://courses.example.org/aus/1" in _publisher_ids(abandoned)


async def test_waived_names_the_publishers_id_of_the_au(gateway: Gateway) -> None:
    # cmi5 9.6.2.3-2
    registration = await _registered(gateway, (await imported(gateway))["id"])
    await api(gateway).post(f"/registrations/{registration}/waive", body={"au": 0, "reason": "Tested Out"})
    [waived] = await _of_verb(gateway, registration, words.WAIVED)
    assert "https://courses.example.org/aus/1" in _publisher_ids(waived)


# -- the fetch URL and the launch URL ------------------------------------------------------------------------


async def test_the_fetch_url_answers_no_get(gateway: Gateway) -> None:
    # cmi5 8.2.2.0-4
    au = await launched(gateway, (await imported(gateway))["id"])
    got = await au.lrs.at(au.launch["fetch"]).get("")
    assert (got.status, b"auth-token" in got.body) == (405, False)
    assert "auth-token" in (await au.fetch()).json()


async def test_an_unknown_fetch_key_is_an_error_code_and_no_404(gateway: Gateway) -> None:
    # cmi5 8.2.2.0-3, 8.2.3.2-1
    au = await launched(gateway, (await imported(gateway))["id"])
    reply = await au.lrs.at(f"{au.launch['fetch']}x").post("")
    assert (reply.status, reply.headers["Content-Type"]) == (200, "application/json")
    assert reply.json()["error-code"] == "2"


async def test_content_of_another_origin_reaches_fetch_url_and_endpoint(gateway: Gateway) -> None:
    # cmi5 8.1.2.0-4, 8.1.1.0-3
    au = await launched(gateway, (await imported(gateway))["id"])
    headers = "authorization,content-type,x-experience-api-version,if-match,if-none-match"
    asked = {
        "Origin": "https://content.example.org",
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": headers,
    }
    bare = au.lrs.with_headers({"X-Experience-API-Version": None})
    for url in (au.launch["fetch"], f"{au.launch['endpoint']}statements"):
        preflight = await bare.at(url)("OPTIONS", "", headers=asked)
        assert preflight.status in (200, 204)
        assert preflight.headers["Access-Control-Allow-Origin"] in ("*", "https://content.example.org")
        allowed = preflight.headers["Access-Control-Allow-Headers"].lower().replace(" ", "").split(",")
        assert set(headers.split(",")) <= set(allowed)
    au.lrs = au.lrs.with_headers({"Origin": "https://content.example.org"})
    answers = [await au.fetch(), await au.state("GET", "LMS.LaunchData"), await au.preferences("GET")]
    answers.append(await au.send({"no": "statement"}))
    answers.append(await au.lrs.with_headers({"Authorization": "Basic bm9ib2R5Og"}).get("/statements"))
    assert [answer.status for answer in answers] == [200, 200, 404, 400, 401]
    assert all(answer.headers["Access-Control-Allow-Origin"] for answer in answers)


async def test_the_launchurl_of_launched_is_without_launch_parameters(gateway: Gateway) -> None:
    # cmi5 9.6.3.4-1
    lesson = au_xml(1, url="https://content.example.org/1/index.html?own=1#part")
    au = await launched(gateway, (await imported(gateway, course_xml(lesson)))["id"])
    [statement] = await stored(gateway, au.registration)
    url = urlsplit(statement["context"]["extensions"][words.LAUNCH_URL])
    assert (url.hostname, url.path, parse_qs(url.query)) == (
        "content.example.org",
        "/1/index.html",
        {"own": ["1"]},
    )


# -- import --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ('moveOn="Completed"', 'moveOn="Finished"'),
        ('moveOn="Completed"', 'moveOn="Completed" masteryScore="60"'),
        ('moveOn="Completed"', 'moveOn="Completed" launchMethod="Popup"'),
        ('moveOn="Completed"', 'moveOn="Completed" color="red"'),
        ("<url>", "<link/><url>"),
        ("</courseStructure>", "<au/></courseStructure>"),
    ],
)
async def test_a_structure_that_the_xsd_refuses_is_refused(gateway: Gateway, right: str, wrong: str) -> None:
    # cmi5 13.2.0.0-1, 4.4.0.0-1
    sound = course_xml().decode()
    refused = await _import(gateway, sound.replace(right, wrong, 1).encode())
    assert (refused.status, "cmi5 13.2.0.0-1" in _requirements(refused)) == (400, True)
    assert (await api(gateway).get("/courses")).json()["courses"] == []
    assert (await _import(gateway, sound.encode())).status == 201


@pytest.mark.parametrize("name", words.LAUNCH_URL_PARAMETERS)
async def test_an_au_url_with_a_parameter_of_the_launch_is_refused(gateway: Gateway, name: str) -> None:
    # cmi5 8.1.0.0-6
    refused = await _import(
        gateway, course_xml(au_xml(1, url=f"https://content.example.org/?a=1&amp;{name}="))
    )
    assert (refused.status, _requirements(refused)) == (400, {"cmi5 8.1.0.0-6"})


async def test_a_url_from_the_root_of_nowhere_is_refused(gateway: Gateway) -> None:
    # cmi5 14.1.0.0-4, 14.2.0.0-1
    bare = await _import(gateway, course_xml(au_xml(1, url="/index.html")))
    assert (bare.status, _requirements(bare)) == (400, {"cmi5 14.2.0.0-1"})
    files = {"cmi5.xml": structure_xml(au_xml(1, url="/index.html")), "index.html": b"<!doctype html>"}
    packed = await _import(gateway, zipped(files).getvalue())
    assert (packed.status, _requirements(packed)) == (400, {"cmi5 14.1.0.0-4"})


async def test_a_reference_to_no_objective_is_a_warning_and_keeps_nobody_from_learning(
    gateway: Gateway,
) -> None:
    # cmi5 13.1.4
    dangling = au_xml(1).replace(
        "<url>", '<objectives><objective idref="https://courses.example.org/none"/></objectives><url>'
    )
    course = await imported(gateway, course_xml(dangling))
    [warning] = course["warnings"]
    assert "https://courses.example.org/none" in warning["message"]
    assert (await started(gateway, course["id"])).data["launchMode"] == "Normal"


async def test_blanks_around_values_are_dropped(gateway: Gateway) -> None:
    # cmi5 13.1.0.0-1
    spaced = (
        au_xml(1, attributes='moveOn=" Passed " masteryScore="\t0.5\n"')
        .replace("<langstring>AU 1<", "<langstring>\n   AU 1\t<")
        .replace("<url>", "<url><![CDATA[  ")
        .replace("</url>", "  ]]></url><launchParameters>\n level=2 </launchParameters>")
        .replace('id="', 'id="  ')
    )
    course = await imported(gateway, course_xml(spaced))
    assert course["aus"][0]["title"] == "AU 1"
    au = await started(gateway, course["id"])
    assert au.url.startswith("https://content.example.org/1/index.html?")
    assert (au.data["moveOn"], au.data["masteryScore"], au.data["launchParameters"]) == (
        "Passed",
        0.5,
        "level=2",
    )
    [launch] = await _of_verb(gateway, au.registration, words.LAUNCHED)
    assert launch["object"]["definition"]["name"] == {"und": "AU 1"}
    assert _publisher_ids(launch) == ["https://courses.example.org/aus/1"]


async def test_a_mastery_score_of_zero_is_a_mastery_score(gateway: Gateway) -> None:
    # cmi5 10.2.4.0-1, 9.6.3.2-1
    course = await imported(gateway, course_xml(au_xml(1, attributes='moveOn="Passed" masteryScore="0"')))
    au = await started(gateway, course["id"])
    assert au.data["masteryScore"] == 0
    [launch] = await _of_verb(gateway, au.registration, words.LAUNCHED)
    assert launch["context"]["extensions"][words.MASTERY_SCORE] == 0
    failed = await au.send(au.defined(words.FAILED, score={"scaled": 0}))
    assert (failed.status, _requirements(failed)) == (403, {"cmi5 9.3.5.0-2"})
    assert (await au.send(au.defined(words.PASSED, score={"scaled": 0}))).status == 200


async def test_the_same_person_written_otherwise_is_the_same_person(gateway: Gateway) -> None:
    # cmi5 8.1.3.0-3
    au = await started(gateway, (await imported(gateway))["id"])
    account = {"name": LEARNER["account"]["name"], "homePage": LEARNER["account"]["homePage"]}
    same = {"account": account, "name": "Ada Lovelace"}
    assert (await au.send(au.statement(EXPERIENCED, actor=copy.deepcopy(same)))).status == 200
    spaced = json.dumps(same, indent=1)
    query = {"activityId": au.launch["activityId"], "agent": spaced, "registration": au.registration.upper()}
    assert (await au.lrs.get("/activities/state", query | {"stateId": "LMS.LaunchData"})).status == 200
    assert (await au.lrs.get("/agents/profile", {"agent": spaced, "profileId": str(uuid4())})).status == 404
