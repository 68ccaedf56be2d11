"""Courses and registrations are changed, begun anew and deleted in the browser; scripts are not needed."""

from __future__ import annotations

import re
from uuid import UUID

from gateway.services.people import Role
from gateway.store.registrations import RegistrationFilter
from tests.cmi5.samples import au_xml
from tests.gateway import Gateway, Reply
from tests.web.au import api, course_xml, imported, launched, started, stored
from tests.web.console import Browser, person, words
from tests.web.test_console_courses import runner


async def registration(gateway: Gateway, course: str, name: str = "ada", **fields: object) -> str:
    actor = {"name": name.title(), "account": {"homePage": "https://id.example.edu", "name": name}}
    body = {"course": course, "actor": actor, **fields}
    made = await api(gateway).post("/registrations", body=body)
    assert made.status == 201, made.body
    return str(made.json()["id"])


async def refused(reply: Reply, *texts: str, status: int = 400) -> None:
    assert reply.status == status, reply.body
    for text in texts:
        assert text in words(reply)


async def test_a_course_is_named_and_tagged_and_found_by_that(gateway: Gateway) -> None:
    visitor = await runner(gateway)
    path = f"/courses/{(await imported(gateway))['id']}"
    await visitor.get(path)
    done = await visitor.post(f"{path}/describe", {"name": "Stones", "tags": "spring, <i>, spring"})
    shown = await visitor.follow(done)
    assert "Saved. " in words(shown)
    assert "Tags spring, <i>" in words(shown)
    assert b"<i>" not in shown.body
    assert "Stones" in words(await visitor.get("/courses", tag="spring"))
    assert "No course was found" in words(await visitor.get("/courses", tag="autumn"))
    wrong = await visitor.post(f"{path}/describe", {"name": "x" * 501, "tags": ""})
    await refused(wrong, "Nothing was changed.", "expected a text of 1 to 500 characters")
    done = await visitor.post(f"{path}/describe", {"name": "", "tags": ""})
    assert "Geology" in words(await visitor.follow(done))


async def test_what_applies_to_launches_is_changed_for_a_course_and_for_a_registration(
    gateway: Gateway,
) -> None:
    visitor = await runner(gateway)
    course = (await imported(gateway))["id"]
    one = await registration(gateway, course)
    await visitor.get(f"/courses/{course}")
    of_course = {"moveOn": "Passed", "masteryScore": "0.8", "contextTemplate": '{"platform": "Portal"}'}
    done = await visitor.post(f"/courses/{course}/overrides", of_course | {"returnURL": ""})
    assert "3 changed" in words(await visitor.follow(done))
    of_learner = {"masteryScore": "0.5", "launchParameters": "speed=slow", "launchMode": ""}
    done = await visitor.post(f"/registrations/{one}/overrides", of_learner)
    page = await visitor.follow(done)
    assert "It applies to launches from now on." in words(page)
    assert "2 changed" in words(page)
    # What the course says is what an empty field would mean.
    assert b'<option value="">Passed</option>' in page.body
    actor = {"account": {"homePage": "https://id.example.edu", "name": "ada"}}
    au = await started(gateway, course, registration=one, actor=actor)
    assert au.data["moveOn"] == "Passed"
    assert au.data["masteryScore"] == 0.5
    assert au.data["launchParameters"] == "speed=slow"
    assert au.data["contextTemplate"]["platform"] == "Portal"

    hostile = {"masteryScore": "7", "returnURL": "javascript:alert(1)", "contextTemplate": "{", "moveOn": "x"}
    for path in (f"/courses/{course}", f"/registrations/{one}"):
        wrong = await visitor.post(f"{path}/overrides", hostile)
        await refused(wrong, "expected a number from 0 to 1", "contextTemplate is no JSON", "returnURL")
        assert b'value="7"' in wrong.body  # what was written is still there
    untouched = (await api(gateway).get(f"/courses/{course}/overrides")).json()
    assert untouched["masteryScore"] == 0.8
    await visitor.post(f"/courses/{course}/overrides", {})
    assert not any((await api(gateway).get(f"/courses/{course}/overrides")).json().values())


async def test_newcomers_get_the_version_that_was_chosen_and_each_can_be_taken_along(
    gateway: Gateway,
) -> None:
    visitor = await runner(gateway)
    course = (await imported(gateway))["id"]
    path = f"/courses/{course}"
    await visitor.upload(f"{path}/versions", {}, course_xml(au_xml(1), au_xml(2)), "a.xml")
    await visitor.get(path)
    done = await visitor.post(f"{path}/select", {"version": "1"})
    shown = words(await visitor.follow(done))
    assert re.search(r"1 current ", shown)
    one = await registration(gateway, course)
    assert "0 of 1 units met" in words(await visitor.get(f"/registrations/{one}"))
    await visitor.post(f"{path}/select", {"version": "2"})
    assert "Version 1, while new registrations get 2" in words(await visitor.get(f"/registrations/{one}"))
    old, new = [await visitor.get(f"{path}/structure.xml", version=number) for number in "12"]
    assert len(old.body) < len(new.body)
    assert "-2.xml" in new.headers["Content-Disposition"]
    for number, status in (("3", 404), ("0", 404), ("two", 400)):
        assert (await visitor.get(f"{path}/structure.xml", version=number)).status == status
        assert (await visitor.post(f"{path}/select", {"version": number})).status == status


async def test_registrations_of_a_course_are_found_by_account_state_and_tag(gateway: Gateway) -> None:
    visitor = await runner(gateway)
    course = (await imported(gateway))["id"]
    ada = await registration(gateway, course, "ada", tags=["monday"])
    bo = await registration(gateway, course, "bo")
    path = f"/courses/{course}"

    async def found(**filters: str) -> set[str]:
        page = (await visitor.get(path, **filters)).body.decode()
        return set(re.findall(r'href="/admin/registrations/([0-9a-f-]{36})"', page))

    assert await found() == {ada, bo}
    assert await found(tag="monday") == {ada}
    assert await found(account="https://id.example.edu bo") == {bo}
    assert await found(state="satisfied") == set()
    assert "Take a filter away" in words(await visitor.get(path, state="satisfied"))
    assert "choose one from the list" in words(await visitor.get(path, state="<b>"))
    assert "write the home page" in words(await visitor.get(path, account="bo"))
    done = await visitor.post(f"/registrations/{bo}/describe", {"tags": "friday,  evening"})
    assert "friday, evening" in words(await visitor.follow(done))
    assert await found(tag="evening") == {bo}
    wrong = await visitor.post(f"/registrations/{bo}/describe", {"tags": "x" * 101})
    await refused(wrong, "Nothing was changed.", "1 to 100 characters")


async def test_a_learner_begins_anew_and_the_old_registration_stays(gateway: Gateway) -> None:
    visitor = await runner(gateway)
    course = await imported(gateway)
    au = await launched(gateway, course["id"])
    old = au.registration
    await visitor.get(f"/registrations/{old}")
    done = await visitor.post(f"/registrations/{old}/reset")
    page = await visitor.follow(done)
    assert "takes the place of the old one" in words(page)
    assert f'href="/admin/registrations/{old}"' in page.body.decode()
    assert old not in done.headers["Location"]
    assert "abandoned" in words(await visitor.get(f"/registrations/{old}"))


async def test_preferences_of_a_learner_are_set_and_taken_away(gateway: Gateway) -> None:
    visitor = await runner(gateway)
    path = f"/registrations/{await registration(gateway, (await imported(gateway))['id'])}"
    await visitor.get(path)
    chosen = {"languagePreference": "de-CH,en", "audioPreference": "off"}
    page = await visitor.follow(await visitor.post(f"{path}/preferences", chosen))
    assert b'value="de-CH,en"' in page.body
    wrong = await visitor.post(f"{path}/preferences", {"languagePreference": "de, en"})
    await refused(wrong, "expected language tags", "expected on or off")
    page = await visitor.follow(await visitor.post(f"{path}/preferences", {"languagePreference": ""}))
    assert b'value="de-CH,en"' not in page.body
    assert (await api(gateway).get(f"{path}/preferences")).status == 404


async def test_a_session_is_abandoned_with_a_reason_and_open_ones_stand_at_the_course(
    gateway: Gateway,
) -> None:
    visitor = await runner(gateway)
    course = (await imported(gateway))["id"]
    au = await started(gateway, course)
    assert "Open sessions" in words(await visitor.get(f"/courses/{course}"))
    await visitor.get(f"/sessions/{au.session}")
    assert (await visitor.post(f"/sessions/{au.session}/abandon", {"reason": "x" * 501})).status == 400
    done = await visitor.post(f"/sessions/{au.session}/abandon", {"reason": "<b>moved</b>"})
    assert "abandoned: administrator: <b>moved</b>" in words(await visitor.follow(done))
    assert "Open sessions" not in words(await visitor.get(f"/courses/{course}"))


async def test_a_registration_is_deleted_once_its_account_was_typed_and_its_statements_stay(
    gateway: Gateway,
) -> None:
    visitor = await runner(gateway)
    course = (await imported(gateway))["id"]
    au = await started(gateway, course)
    path = f"/registrations/{au.registration}"
    asked = words(await visitor.get(f"{path}/delete"))
    assert "1 session and 0 links" in asked
    for typed in ("", "Ada", "bo"):
        await refused(await visitor.post(f"{path}/delete", {"confirm": typed}), "Nothing was deleted.")
    assert (await visitor.get(path)).status == 200
    done = await visitor.follow(await visitor.post(f"{path}/delete", {"confirm": " ada "}))
    assert "Nobody is registered yet." in words(done)
    assert (await visitor.get(path)).status == 404
    assert await stored(gateway, au.registration)
    assert (await visitor.post(f"{path}/delete", {"confirm": "ada"})).status == 404


async def test_a_course_is_deleted_once_its_title_was_typed_with_registrations_only_where_that_is_meant(
    gateway: Gateway,
) -> None:
    visitor = await runner(gateway)
    course = (await imported(gateway))["id"]
    await registration(gateway, course)
    path = f"/courses/{course}"
    asked = words(await visitor.get(f"{path}/delete"))
    assert "1 version with 1 file" in asked
    assert "1 registration with sessions and links" in asked
    wrong = await visitor.post(f"{path}/delete", {"confirm": "geology?", "registrations": "1"})
    await refused(wrong, "Nothing was deleted.", "expected the title of the course, 'Geology'")
    wrong = await visitor.post(f"{path}/delete", {"confirm": "Geology"})
    await refused(wrong, "the course has 1 registration", status=409)
    assert (await visitor.get(path)).status == 200
    done = await visitor.post(f"{path}/delete", {"confirm": "Geology", "registrations": "1"})
    assert "The course was deleted." in words(await visitor.follow(done))
    assert (await visitor.get(path)).status == 404
    assert await gateway.store.registrations.list(RegistrationFilter(course=UUID(course))) == []


async def test_what_was_changed_is_in_the_audit_log_from_what_to_what(gateway: Gateway) -> None:
    visitor = await runner(gateway)
    course = (await imported(gateway))["id"]
    au = await started(gateway, course)
    one = f"/registrations/{au.registration}"
    await visitor.get(one)
    await visitor.post(f"/courses/{course}/describe", {"name": "Stones", "tags": "spring"})
    await visitor.post(f"/courses/{course}/overrides", {"moveOn": "Passed"})
    await visitor.post(f"/courses/{course}/overrides", {"moveOn": "nonsense"})
    await visitor.post(f"{one}/describe", {"tags": "monday"})
    await visitor.post(f"/sessions/{au.session}/abandon", {"reason": "moved away"})
    await visitor.post(f"/courses/{course}/delete", {"confirm": "Stones", "registrations": "1"})
    listed = (await api(gateway).get("/audit", {"limit": "100"})).json()["entries"]
    told = [(each["action"], each["detail"]) for each in listed if each["kind"] == "person"]
    named = {"before": {"name": None, "tags": []}, "after": {"name": "Stones", "tags": ["spring"]}}
    assert [detail for action, detail in told if action.startswith(("courses", "registr", "sess"))][:5] == [
        {"title": "Stones", "registrations": True},
        {"reason": "moved away"},
        {"before": [], "after": ["monday"]},
        {"before": {}, "after": {"moveOn": "Passed"}},
        named,
    ]


async def test_nothing_is_changed_by_an_auditor_or_by_another_page(gateway: Gateway) -> None:
    course = (await imported(gateway))["id"]
    one = await registration(gateway, course)
    auditor = await person(gateway, Role.AUDITOR, login="vera")
    for path in (f"/courses/{course}", f"/registrations/{one}"):
        page = await auditor.get(path)
        assert page.status == 200
        assert b"/delete" not in page.body
        assert b"Change launches" not in page.body
    visitor: Browser = await runner(gateway)
    for path in (f"/courses/{course}", f"/registrations/{one}"):
        foreign = {"confirm": "Geology", "registrations": "1"}
        reply = await visitor.post(f"{path}/delete", foreign, origin="https://elsewhere.example")
        assert reply.status == 403
        assert (await visitor.post(f"{path}/delete", foreign, csrf="0" * 64)).status == 403
        assert (await visitor.get(path)).status == 200
