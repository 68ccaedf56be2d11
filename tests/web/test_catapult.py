"""A tool written for the CATAPULT player points at the gateway: what Moodle's mod_cmi5launch does, step by
step, and what other clients of that player may do.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any
from urllib.parse import urlencode

from gateway.cmi5 import vocabulary as words
from tests.cmi5.samples import au_xml, block_xml
from tests.gateway import Gateway, Http, Reply, basic, forget_credentials
from tests.web.au import AU, LEARNER, api, course_xml, course_zip, imported, started, verbs

Serve = Callable[..., AbstractAsyncContextManager[Gateway]]
# As the plugin sends it: one header line with two headers in it.
ZIP = {"Content-Type": "application/zip", "Accept": "application/zip"}
ACTOR = {"objectType": "Agent", "account": {"homePage": "https://moodle.example.org", "name": "ada"}}


async def _player(gateway: Gateway, **headers: str) -> Http:
    """The player's URL with the credential that the administrator of Moodle typed in."""
    await gateway.client("moodle", "cmi5")
    return gateway.http("/catapult/api/v1", {"Authorization": basic("moodle", "secret of moodle"), **headers})


async def _set_up(gateway: Gateway) -> Http:
    """Tenant and token, as the plugin's two set-up pages get them."""
    player = await _player(gateway)
    tenant = (await player.post("/tenant", body={"code": "moodle"})).json()
    reply = await player.post("/auth", body={"tenantId": tenant["id"], "audience": tenant["code"]})
    assert reply.status == 200, reply.body
    return player.with_headers({"Authorization": f"Bearer {reply.json()['token']}"})


async def test_a_tenant_is_made_and_gives_a_token(gateway: Gateway) -> None:
    player = await _player(gateway)
    tenant = (await player.post("/tenant", body={"code": "moodle"})).json()
    assert tenant == {"code": "moodle", "id": 1}
    assert (await player.post("/tenant", body={"code": "moodle"})).json() == tenant
    assert (await player.post("/tenant", body={"code": "other"})).json()["id"] == 2
    # Moodle keeps the id as a text.
    reply = await player.post("/auth", body={"tenantId": "1", "audience": "moodle"})
    token = reply.json()["token"]
    assert len(token) <= 350  # the column it goes into
    bearer = player.with_headers({"Authorization": f"Bearer {token}"})
    assert (await bearer.get("/ping")).json() == {"ok": True}
    assert (await bearer.get("/about")).json() == {"tenantId": 1, "description": "catapult-player-service"}
    unknown = await player.post("/auth", body={"tenantId": 7, "audience": "moodle"})
    assert (unknown.status, unknown.json()["statusCode"]) == (404, 404)
    assert (await player.delete("/tenant/2")).status == 204
    assert (await player.post("/auth", body={"tenantId": 2, "audience": "x"})).status == 404
    wrong = await player.with_headers({"Authorization": basic("moodle", "wrong")}).post(
        "/tenant", body={"code": "x"}
    )
    assert (wrong.status, wrong.json()["error"]) == (401, "Unauthorized")
    assert (await bearer.with_headers({"Authorization": "Bearer 1.x"}).get("/ping")).status == 401
    # The token opens nothing else than courses, and ends with the credential.
    assert (
        await gateway.lrs.with_headers({"Authorization": f"Bearer {token}"}).get("/statements")
    ).status == 403
    await gateway.store.credentials.revoke("moodle", gateway.services.courses._clock())
    forget_credentials(gateway)
    assert (await bearer.get("/ping")).status == 401


async def test_moodle_creates_an_activity_from_a_package(gateway: Gateway) -> None:
    player = await _set_up(gateway)
    reply = await player.post("/course", data=course_zip(), headers=ZIP)
    assert reply.status == 200, reply.body
    course = reply.json()
    assert type(course["id"]) is int
    assert set(course) == {"id", "createdAt", "updatedAt", "tenantId", "lmsId", "metadata", "structure"}
    assert course["tenantId"] == 1
    [au] = course["metadata"]["aus"]
    # What `au_helpers` saves of each AU.
    fields = {"launchMethod", "lmsId", "url", "type", "title", "moveOn", "auIndex", "parents", "objectives"}
    fields |= {"description", "activityType", "id", "masteryScore"}
    assert fields <= set(au)
    assert (au["auIndex"], au["type"], au["launchMethod"]) == (0, "au", "AnyWindow")
    assert au["title"][0]["text"]
    assert au["description"][0]["text"]
    assert (await player.get(f"/course/{course['id']}")).json() == course
    shown = (await api(gateway).get("/courses")).json()["courses"]
    assert len(shown) == 1
    assert (await player.get(f"/course/{shown[0]['id']}")).json()["id"] == course["id"]


async def test_blocks_are_a_tree_and_aus_are_numbered_in_its_order(gateway: Gateway) -> None:
    player = await _set_up(gateway)
    sent = course_xml(block_xml(1, au_xml(1), block_xml(2, au_xml(2))), au_xml(3))
    course = (await player.post("/course", data=sent, headers={"Content-Type": "text/xml"})).json()
    assert [au["auIndex"] for au in course["metadata"]["aus"]] == [0, 1, 2]
    assert [len(au["parents"]) for au in course["metadata"]["aus"]] == [1, 2, 0]
    root = course["structure"]["course"]
    assert (root["type"], root["lmsId"]) == ("course", course["lmsId"])
    block, last = root["children"]
    assert (block["type"], last["auIndex"]) == ("block", 2)
    assert block["children"][1]["children"][0] == course["metadata"]["aus"][1]


async def test_a_refused_package_says_why_as_the_player_does(gateway: Gateway) -> None:
    player = await _set_up(gateway)
    wrong = course_xml(au_xml(1, attributes='moveOn="Pased"'))
    refused = await player.post("/course", data=wrong, headers={"Content-Type": "text/xml"})
    assert (refused.status, refused.json()["statusCode"], refused.json()["error"]) == (
        400,
        400,
        "Bad Request",
    )
    assert refused.json()["violatedReqId"] == "13.2.0.0-1"
    assert "Pased" in refused.json()["message"]
    for path in ("/course/77", "/course/x", "/registration/77", "/session/77"):
        assert (await player.get(path)).json()["statusCode"] == 404
    for method, path in (("GET", "/courses"), ("PUT", "/course")):
        reply = await player(method, path)
        assert reply.json()["statusCode"] == reply.status, reply.body
        assert reply.status in (404, 405)


async def test_moodle_registers_a_learner_launches_and_reads_what_became_of_it(gateway: Gateway) -> None:
    player = await _set_up(gateway)
    course = (await player.post("/course", data=course_zip(), headers=ZIP)).json()
    registered = await player.post("/registration", body={"courseId": course["id"], "actor": ACTOR})
    registration = registered.json()
    assert registered.status == 200
    assert set(registration) == {
        "id",
        "createdAt",
        "updatedAt",
        "tenantId",
        "code",
        "courseId",
        "actor",
        "isSatisfied",
        "metadata",
        "aus",
    }
    code, number = registration["code"], registration["id"]
    assert len(code) <= 50
    launch = {"actor": ACTOR, "returnUrl": "https://moodle.example.org/view.php?id=3", "reg": code}
    launched = (await player.post(f"/course/{course['id']}/launch-url/0", body=launch)).json()
    assert set(launched) == {"id", "launchMethod", "url"}
    assert type(launched["id"]) is int
    assert len(launched["url"]) <= 750  # the column it goes into
    au = AU.of(gateway, launched["url"])
    assert au.registration == code
    await au.begin()
    assert au.data["returnURL"] == launch["returnUrl"]
    await au.accepted(words.COMPLETED)
    session = (await player.get(f"/session/{launched['id']}")).json()
    expected = {"isLaunched": 1, "isInitialized": 1, "isCompleted": 1, "isPassed": 0, "isTerminated": 0}
    assert expected.items() <= session.items()
    assert len(session["createdAt"]) <= 30
    await au.accepted(words.TERMINATED)
    session = (await player.get(f"/session/{session['code']}")).json()
    assert (session["id"], session["isTerminated"], session["isAbandoned"]) == (launched["id"], 1, 0)
    # How `progress` reads the statements of a session from the LRS.
    query = urlencode({"registration": code, "since": session["createdAt"]})
    found = (await gateway.lrs1.get(f"/statements?{query}")).json()["statements"]
    mine = [each for each in found if session["code"] in each["context"]["extensions"].values()]
    assert "completed" in [words.word(each["verb"]["id"]) for each in mine]
    after = (await player.get(f"/registration/{code}")).json()
    assert (await player.get(f"/registration/{number}")).json() == after
    # How `cmi5launch_find_au_satisfied` walks it.
    tree = after["metadata"]["moveOn"]
    [leaf] = tree["children"]
    assert (tree["type"], leaf["type"], leaf["lmsId"]) == (
        "course",
        "au",
        course["metadata"]["aus"][0]["lmsId"],
    )
    assert (tree["satisfied"], leaf["satisfied"]) == (True, True)
    assert after["isSatisfied"] == 1
    assert {"hasBeenAttempted": 1, "isCompleted": 1, "isSatisfied": 1}.items() <= after["aus"][0].items()


async def test_a_launch_may_change_what_holds_for_it(gateway: Gateway) -> None:
    player = await _set_up(gateway)
    course = (await player.post("/course", data=course_zip(), headers=ZIP)).json()
    path = f"/course/{course['id']}/launch-url/0"
    body = {
        "actor": ACTOR,
        "launchMode": "Browse",
        "masteryScore": 0.4,
        "moveOn": "Passed",
        "launchParameters": "a=b",
        "alternateEntitlementKey": "key",
        "contextTemplateAdditions": {"extensions": {"https://moodle.example.org/x": 1}},
    }
    au = AU.of(gateway, (await player.post(path, body=body)).json()["url"])
    await au.begin()
    assert (au.data["launchMode"], au.data["masteryScore"], au.data["moveOn"]) == ("Browse", 0.4, "Passed")
    assert au.data["launchParameters"] == "a=b"
    assert au.data["entitlementKey"] == {"alternate": "key"}
    assert au.data["contextTemplate"]["extensions"]["https://moodle.example.org/x"] == 1
    for change in (
        {"launchMode": "Exam"},
        {"masteryScore": 2},
        {"reg": "seven"},
        {"returnURL": "https://x.example"},
        {"actor": {"mbox": "mailto:a@example.org"}},
    ):
        reply = await player.post(path, body={**body, **change})
        assert (reply.status, reply.json()["statusCode"]) == (400, 400), change
    assert (await player.post(f"/course/{course['id']}/launch-url/9", body={"actor": ACTOR})).status == 404
    assert (await player.post(f"/course/{course['id']}/launch-url/x", body={"actor": ACTOR})).status == 400
    other = (
        {**ACTOR, "account": {**ACTOR["account"], "name": "eve"}}
        if isinstance(ACTOR["account"], dict)
        else {}
    )
    stolen = await player.post(path, body={"actor": other, "reg": au.registration})
    assert stolen.status == 409


async def test_aus_are_waived_sessions_abandoned_and_all_is_deleted(gateway: Gateway) -> None:
    player = await _set_up(gateway)
    course = (await player.post("/course", data=course_zip(), headers=ZIP)).json()
    launched = (await player.post(f"/course/{course['id']}/launch-url/0", body={"actor": ACTOR})).json()
    code = AU.of(gateway, launched["url"]).registration
    for _ in range(2):
        assert (await player.post(f"/session/{launched['id']}/abandon")).status == 204
    session = (await player.get(f"/session/{launched['id']}")).json()
    assert (session["isAbandoned"], session["abandonedBy"]) == (1, "api")
    waive = f"/registration/{code}/waive-au/0"
    assert (await player.post(waive, body={"reason": "Tested Out"})).status == 204
    assert (await player.post(waive, body={"reason": "Tested Out"})).json()["statusCode"] == 409
    assert (await player.post(waive, body={})).status == 400
    [au] = (await player.get(f"/registration/{code}")).json()["aus"]
    assert (au["isWaived"], au["waivedReason"], au["isSatisfied"]) == (1, "Tested Out", 1)
    prefs = f"/registration/{code}/learner-prefs"
    assert (await player.get(prefs)).status == 404
    wanted = {"languagePreference": "en-GB", "audioPreference": "on"}
    assert (await player.post(prefs, body=wanted)).status == 204
    read = await player.get(prefs)
    assert (read.json(), "Etag" in read.headers) == (wanted, True)
    assert (await player.delete(prefs)).status == 204
    for _ in range(2):
        assert (await player.delete(f"/registration/{code}")).status == 204
        assert (await player.delete(f"/course/{course['id']}")).status == 204
    assert (await player.get(f"/course/{course['id']}")).status == 404
    assert "waived" in await verbs(gateway, code)


async def test_what_was_imported_and_begun_elsewhere_is_there_too(gateway: Gateway) -> None:
    course = await imported(gateway)
    au = await started(gateway, course["id"])
    player = await _set_up(gateway)
    assert (await player.get(f"/session/{au.session}")).json()["isInitialized"] == 1
    assert (await player.get(f"/registration/{au.registration}")).json()["actor"] == LEARNER


async def test_it_is_found_behind_a_proxy_path(serve: Serve) -> None:
    async with serve(server__base_path="/lrs") as gateway:
        await gateway.client("moodle", "cmi5")
        headers = {"Authorization": basic("moodle", "secret of moodle")}
        reply: Reply = await gateway.http("/lrs/catapult/api/v1", headers).get("/about")
        assert json.loads(reply.body)["tenantId"] is None


async def test_a_credential_without_the_scope_is_turned_away(gateway: Gateway) -> None:
    await gateway.client("reader", "statements/read")
    player = gateway.http("/catapult/api/v1", {"Authorization": basic("reader", "secret of reader")})
    calls: list[tuple[str, str, Any]] = [
        ("GET", "/ping", None),
        ("POST", "/tenant", {"code": "x"}),
        ("POST", "/auth", {"tenantId": 1, "audience": "x"}),
        ("GET", "/course/1", None),
        ("DELETE", "/registration/1", None),
        ("POST", "/session/1/abandon", None),
    ]
    for method, path, body in calls:
        reply = await player(method, path, body=body)
        assert (reply.status, reply.json()["error"]) == (403, "Forbidden"), path
