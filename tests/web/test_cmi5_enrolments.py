"""Whole classes: enrolled from a table, followed in lists, begun anew, written into a table."""

from __future__ import annotations

import csv
import io
from typing import Any
from uuid import uuid4

from aiohttp import FormData

from gateway.cmi5 import vocabulary as words
from tests.cmi5.samples import au_xml
from tests.gateway import Gateway, Reply
from tests.web.au import AU, LEARNER, XML, api, course_xml, imported, launched, started, verbs

CSV = {"Content-Type": "text/csv"}
HOME = "https://people.example.org"


async def _enrol(gateway: Gateway, course: str, table: str, **query: str) -> Reply:
    path = f"/courses/{course}/enrolments"
    return await api(gateway).post(path, query, data=table.encode(), headers=CSV)


async def _listed(gateway: Gateway, **query: str) -> list[dict[str, Any]]:
    reply = await api(gateway).get("/registrations", query)
    assert reply.status == 200, reply.body
    found: list[dict[str, Any]] = reply.json()["registrations"]
    return found


async def test_a_table_enrols_everybody_and_may_be_sent_again(gateway: Gateway) -> None:
    course, own = (await imported(gateway))["id"], str(uuid4())
    table = f"account,name,id,tags\r\nada,Ada,{own},a; b\r\n\r\ngrace,,,\r\n"
    done = await _enrol(gateway, course, table, homePage=HOME)
    assert done.status == 200, done.body
    outcome = done.json()
    assert (outcome["enrolled"], outcome["present"], outcome["dryRun"]) == (2, 0, False)
    assert [(each["line"], each["account"]) for each in outcome["registrations"]] == [
        (2, "ada"),
        (4, "grace"),
    ]
    assert outcome["registrations"][0]["registration"] == own
    again = (await _enrol(gateway, course, table, homePage=HOME)).json()
    assert (again["enrolled"], again["present"]) == (0, 2)
    assert [each["registration"] for each in again["registrations"]] == [
        each["registration"] for each in outcome["registrations"]
    ]
    found = {each["actor"]["account"]["name"]: each for each in await _listed(gateway, course=course)}
    assert found["ada"]["tags"] == ["a", "b"]
    assert found["ada"]["actor"]["name"] == "Ada"
    assert found["grace"]["actor"]["account"]["homePage"] == HOME
    # Who was registered by other means is left alone, too.
    await api(gateway).post(
        "/registrations", body={"course": course, "actor": {"account": {"homePage": HOME, "name": "mary"}}}
    )
    more = await _enrol(gateway, course, f"homePage;account\n{HOME};mary\n{HOME};jo;\n"[:-2] + "\n")
    assert (more.json()["enrolled"], more.json()["present"]) == (1, 1)


async def test_everything_that_is_wrong_with_a_table_is_told_by_line_and_nobody_is_enrolled(
    gateway: Gateway,
) -> None:
    course, other = (await imported(gateway))["id"], (await imported(gateway))["id"]
    taken = await api(gateway).post("/registrations", body={"course": other, "actor": LEARNER})
    table = "\n".join(
        (
            "account,homePage,id,tags",
            f"good,{HOME},,",
            f",{HOME},,",
            "bad,people,,",
            f"good,{HOME},,",
            f"x,{HOME},7,",
            f"y,{HOME},{taken.json()['id']},",
            f"z,{HOME},,,more",
            f"t,{HOME},,{'x' * 101}",
        )
    )
    refused = await _enrol(gateway, course, table)
    assert refused.status == 400
    places = [problem["path"] for problem in refused.error["problems"]]
    assert places == [
        "line 3, account",
        "line 4, homePage",
        "line 5, account",
        "line 6, id",
        "line 8",
        "line 9, tags",
        "line 7, id",
    ]
    assert "is in line 2 already" in refused.error["problems"][2]["message"]
    assert await _listed(gateway, course=course) == []
    for wrong, told in (
        ("", "line 1, account"),
        ("account,homePage\n", "line 1"),
        ("account,homePage,mail\na,https://x.example,b\n", "line 1, mail"),
        ("account,account,homePage\n", "line 1, account"),
        ('account,homePage\n"a,https://x.example\n', "line 2"),
    ):
        reply = await _enrol(gateway, course, wrong)
        assert reply.status == 400, wrong
        assert told in [problem["path"] for problem in reply.error["problems"]], reply.body
    bad = await api(gateway).post(
        f"/courses/{course}/enrolments", data=b"account,homePage\n\xff", headers=CSV
    )
    assert "UTF-8" in bad.error["message"]
    assert (await _enrol(gateway, str(uuid4()), table)).status == 404
    assert (await _enrol(gateway, course, table, homePage="people")).status == 400
    as_json = await api(gateway).post(f"/courses/{course}/enrolments", body=[])
    assert as_json.status == 400


async def test_a_table_can_be_tried_and_sent_as_a_form(gateway: Gateway) -> None:
    course = (await imported(gateway))["id"]
    tried = await _enrol(gateway, course, f"account,homePage\nada,{HOME}\n", dryRun="true")
    assert (tried.json()["enrolled"], tried.json()["dryRun"]) == (1, True)
    assert await _listed(gateway) == []
    form = FormData()
    form.add_field("file", f"\ufeffaccount\thomePage\nada\t{HOME}\n".encode(), filename="class.csv")
    http = api(gateway)
    async with http.session.post(
        f"{http.base}/courses/{course}/enrolments", data=form, headers=http.headers
    ) as response:
        assert response.status == 200
    [ada] = await _listed(gateway)
    assert ada["id"] == tried.json()["registrations"][0]["registration"]


async def test_registrations_are_found_by_state_tag_and_change(gateway: Gateway) -> None:
    course = (await imported(gateway))["id"]
    ids = {}
    for name in ("idle", "busy", "done"):
        actor = {"account": {"homePage": HOME, "name": name}}
        body = {"course": course, "actor": actor, "tags": [name, "all"]}
        ids[name] = (await api(gateway).post("/registrations", body=body)).json()["id"]
    actor = {"account": {"homePage": HOME, "name": "busy"}}
    await launched(gateway, course, registration=ids["busy"], actor=actor)
    waive = f"/registrations/{ids['done']}/waive"
    assert (await api(gateway).post(waive, body={"au": 0, "reason": "Tested Out"})).status == 200
    for state, name in (("registered", "idle"), ("started", "busy"), ("satisfied", "done")):
        [found] = await _listed(gateway, state=state, course=course)
        assert (found["id"], found["state"]) == (ids[name], state)
        assert [each["id"] for each in await _listed(gateway, tag=name)] == [ids[name]]
    assert len(await _listed(gateway, tag="all")) == 3
    since = (await _listed(gateway, state="satisfied"))[0]["updated"]
    assert [each["id"] for each in await _listed(gateway, updatedSince=since)] == [ids["done"]]
    first = await api(gateway).get("/registrations", {"updatedSince": "2020-01-01T00:00:00Z", "limit": "2"})
    query = {"updatedSince": "2020-01-01T00:00:00Z", "cursor": first.json()["more"]}
    rest = await api(gateway).get("/registrations", query)
    changed = [each["id"] for each in first.json()["registrations"] + rest.json()["registrations"]]
    assert changed == [ids["idle"], ids["busy"], ids["done"]]
    tagged = await api(gateway)("PATCH", f"/registrations/{ids['idle']}", body={"tags": []})
    assert tagged.json()["tags"] == []
    for query in ({"state": "lost"}, {"updatedSince": "yesterday"}, {"cursor": "x"}, {"preview": "maybe"}):
        assert (await api(gateway).get("/registrations", query)).status == 400


async def test_a_reset_begins_anew_and_keeps_the_record(gateway: Gateway) -> None:
    course = (await imported(gateway))["id"]
    au = await started(gateway, course)
    await au.accepted(words.COMPLETED)
    old = f"/registrations/{au.registration}"
    link = await api(gateway).post(f"{old}/links")
    await api(gateway)("PATCH", old, body={"tags": ["kept"]})
    reset = await api(gateway).post(f"{old}/reset")
    assert reset.status == 201
    new = reset.json()
    assert (new["resets"], new["tags"], new["state"]) == (au.registration, ["kept"], "registered")
    assert new["linksRevoked"] == 1
    assert (await gateway.http().at(link.json()["url"]).get("")).status == 410
    assert (await au.shown())["state"] == "abandoned"
    assert (await api(gateway).get(old)).json()["progress"]["satisfied"] is True
    again = await started(gateway, course, registration=new["id"])
    await again.accepted(words.COMPLETED)
    assert (await verbs(gateway, new["id"]))[-1] == "satisfied"
    assert (await api(gateway).post(f"/registrations/{uuid4()}/reset")).status == 404


async def test_a_deleted_registration_is_gone_with_its_session_and_its_statements_stay(
    gateway: Gateway,
) -> None:
    course = (await imported(gateway))["id"]
    au = await started(gateway, course)
    link = await api(gateway).post(f"/registrations/{au.registration}/links")
    path = f"/registrations/{au.registration}"
    assert (await api(gateway).delete(path)).status == 204
    assert (await api(gateway).delete(path)).status == 404
    assert (await au.send(au.defined(words.COMPLETED))).status == 401
    assert (await gateway.http().at(link.json()["url"]).get("")).status == 404
    assert (await api(gateway).get("/sessions", {"registration": au.registration})).json()["sessions"] == []
    assert await verbs(gateway, au.registration) == ["launched", "initialized", "abandoned"]
    # The same id may be used again, for a learner who comes back.
    assert (await launched(gateway, course, registration=au.registration)).registration == au.registration


async def test_preferences_are_set_read_and_cleared_and_reach_the_au(gateway: Gateway) -> None:
    course = (await imported(gateway))["id"]
    au = await launched(gateway, course)
    path = f"/registrations/{au.registration}/preferences"
    assert (await api(gateway).get(path)).status == 404
    wanted = {"languagePreference": "de-CH,fr", "audioPreference": "off"}
    for _ in range(2):
        assert (await api(gateway).put(path, body=wanted)).json() == wanted
    assert (await api(gateway).get(path)).json() == wanted
    await au.fetch()
    await au.state("GET", "LMS.LaunchData")
    assert (await au.preferences("GET")).json() == wanted
    for body in ({**wanted, "audioPreference": "loud"}, {"audioPreference": "on"}, {**wanted, "volume": 3}):
        assert (await api(gateway).put(path, body=body)).status == 400
    for _ in range(2):
        assert (await api(gateway).delete(path)).status == 204
    assert (await api(gateway).get(path)).status == 404


async def test_the_statements_of_a_registration_are_read_in_pages_without_a_scope_for_statements(
    gateway: Gateway,
) -> None:
    course = (await imported(gateway))["id"]
    au = await started(gateway, course)
    await au.accepted(words.COMPLETED, words.TERMINATED)
    office = (await gateway.client("office", "cmi5")).at(f"{gateway.url}/api/v1")
    path = f"/registrations/{au.registration}/statements"
    found: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await office.get(path, {"limit": "2", **cursor})).json()
        found += [words.word(each["verb"]["id"]) for each in page["statements"]]
        if page["more"] is None:
            break
        cursor = {"cursor": page["more"]}
    assert found == await verbs(gateway, au.registration)
    assert len(found) == 5
    other = await launched(gateway, course, actor={"account": {"homePage": HOME, "name": "eve"}})
    stolen = await office.get(f"/registrations/{other.registration}/statements", cursor)
    assert stolen.status == 400


async def test_progress_is_a_table_that_no_spreadsheet_runs(gateway: Gateway) -> None:
    course = await imported(gateway, course_xml(au_xml(1), au_xml(2, attributes='moveOn="Passed"')))
    evil = {"name": '=HYPERLINK("x")', "account": {"homePage": HOME, "name": "+ada"}}
    au = await started(gateway, course["id"], au=1, actor=evil)
    assert (await au.send(au.defined(words.PASSED, score={"scaled": 0.75}))).status == 200
    await api(gateway).post(f"/courses/{course['id']}/versions", data=course_xml(au_xml(2)), headers=XML)
    await api(gateway).post("/registrations", body={"course": course["id"], "actor": LEARNER})
    reply = await api(gateway).get(f"/courses/{course['id']}/progress.csv")
    assert reply.headers["Content-Type"] == "text/csv; charset=utf-8"
    new, old = list(csv.DictReader(io.StringIO(reply.body.decode())))
    assert (old["name"], old["account"]) == ('\'=HYPERLINK("x")', "'+ada")
    assert (old["state"], old["met"], old["aus"], old["version"]) == ("started", "1", "2", "1")
    title = next(name for name in old if name.startswith("0 "))
    assert (old[title.removesuffix(", score")], old[f"{title.removesuffix(', score')}, score"]) == (
        "passed",
        "0.75",
    )
    assert (new["state"], new["met"], new["aus"], new["version"]) == ("registered", "0", "1", "2")


async def test_a_link_may_work_once_and_may_be_withdrawn(gateway: Gateway) -> None:
    course = (await imported(gateway))["id"]
    made = await api(gateway).post("/registrations", body={"course": course, "actor": LEARNER})
    path = f"/registrations/{made.json()['id']}/links"
    once = (await api(gateway).post(path, body={"once": True})).json()
    often = (await api(gateway).post(path, body={})).json()

    async def click(link: dict[str, Any]) -> Reply:
        return await gateway.http().at(link["url"]).get("")

    assert [(await click(once)).status for _ in range(2)] == [303, 410]
    assert "only once" in (await click(once)).body.decode()
    clicks = [await click(often) for _ in range(2)]
    assert [each.status for each in clicks] == [303, 303]
    await AU.of(gateway, clicks[1].headers["Location"]).begin()
    listed = (await api(gateway).get(path)).json()["links"]
    assert [each["id"] for each in listed] == [often["id"], once["id"]]
    assert all(each["used"] and "url" not in each and "token" not in each for each in listed)
    for _ in range(2):
        assert (await api(gateway).delete(f"{path}/{often['id']}")).status == 204
    withdrawn = await click(often)
    assert (withdrawn.status, "withdrawn" in withdrawn.body.decode()) == (410, True)
    assert (await api(gateway).get(path)).json()["links"][0]["revoked"]
    assert (await api(gateway).delete(f"{path}/{uuid4()}")).status == 404
    assert (await api(gateway).post(path, body={"once": "yes"})).status == 400
