from __future__ import annotations

import html
import re
from uuid import UUID, uuid4

from gateway.cmi5 import vocabulary
from gateway.services.people import Role
from tests.cmi5.samples import au_xml
from tests.gateway import Gateway
from tests.web.au import course_xml, course_zip, imported, launched
from tests.web.console import Browser, person, words

ADA = {"homePage": "https://id.example.edu", "account": "ada", "name": "Ada"}


async def runner(gateway: Gateway) -> Browser:
    """Somebody who runs courses, with a page in front of them."""
    visitor = await person(gateway, Role.LMS_ADMINISTRATOR)
    assert (await visitor.get("/courses")).status == 200
    return visitor


async def test_a_course_is_imported_looked_at_taken_along_and_versioned(gateway: Gateway) -> None:
    visitor = await runner(gateway)
    done = await visitor.upload("/courses", {}, course_zip())
    page = await visitor.follow(done)
    assert "The course was imported." in words(page)
    assert "Geology" in words(page)
    assert "met when completed" in words(page)
    path = done.headers["Location"].removeprefix("/admin").partition("?")[0]
    taken = await visitor.get(f"{path}/package.zip")
    assert taken.headers["Content-Disposition"].startswith("attachment; ")
    assert taken.body.startswith(b"PK")
    assert b"<courseStructure" in (await visitor.get(f"{path}/structure.xml")).body
    version = await visitor.upload(f"{path}/versions", {}, course_xml(au_xml(1), au_xml(2)), "a.xml")
    shown = words(await visitor.follow(version))
    assert re.search(r"2 current .* UTC 1 ", shown)
    assert "Geology" in words(await visitor.get("/courses", search="geol"))
    assert "No course was found" in words(await visitor.get("/courses", search="astronomy"))


async def test_a_course_that_is_wrong_is_not_imported_and_every_finding_is_said(gateway: Gateway) -> None:
    visitor = await runner(gateway)
    broken = course_xml().replace(b'moveOn="Completed"', b'moveOn="<script>"'.replace(b"<", b"&lt;"))
    refused = await visitor.upload("/courses", {}, broken, "<b>.xml")
    assert refused.status == 400
    shown = words(refused)
    assert "Nothing was imported." in shown
    assert "moveOn" in shown
    assert re.search(r"\(cmi5 [\d.-]+\)", shown)
    assert b"<script>" not in refused.body
    for content, told in ((b"", "choose a file"), (b"no zip, no XML", "finding")):
        refused = await visitor.upload("/courses", {}, content)
        assert refused.status == 400
        assert told in words(refused)
    assert "No course was imported yet." in words(await visitor.get("/courses"))
    before = visitor.csrf
    visitor.csrf = "0" * 64
    assert (await visitor.upload("/courses", {}, course_zip())).status == 403
    visitor.csrf = before
    assert "No course was imported yet." in words(await visitor.get("/courses"))


async def test_a_learner_is_registered_gets_a_link_and_is_followed(gateway: Gateway) -> None:
    visitor = await runner(gateway)
    course = (await imported(gateway, course_xml(au_xml(1), au_xml(2))))["id"]
    page = (await visitor.get(f"/courses/{course}")).body.decode()
    identity = re.search(r'name="id" value="([0-9a-f-]{36})"', page)
    assert identity is not None
    for wrong in ({}, {"account": ""}, {"homePage": "not a URL"}):
        refused = await visitor.post(f"/courses/{course}/enrol", ADA | {"id": str(uuid4())} | wrong)
        assert refused.status == (400 if wrong else 303)
    sent = [await visitor.post(f"/courses/{course}/enrol", ADA | {"id": identity[1]}) for _ in range(2)]
    assert sent[0].headers["Location"] == sent[1].headers["Location"]
    assert "0 of 2 units met" in words(await visitor.follow(sent[0]))
    registration = f"/registrations/{identity[1]}"

    link = await visitor.post(f"{registration}/links", {"au": "", "once": "1", "days": "7"})
    url = re.search(r"http://127.0.0.1:\d+/launch/[\w-]+", link.body.decode())
    assert url is not None
    assert "It works once until" in words(link)
    page = (await visitor.get(registration)).body.decode()
    assert url[0] not in page
    assert (await visitor.post(f"{registration}/links", {"days": "0"})).status == 400
    chosen = re.search(r'name="link" value="([0-9a-f-]{36})"', page)
    assert chosen is not None
    withdrawn = await visitor.post(f"{registration}/withdraw", {"link": chosen[1]})
    assert "The link was withdrawn." in words(await visitor.follow(withdrawn))
    gone = await gateway.http().get(url[0].removeprefix(gateway.url))
    assert gone.status in (403, 410)

    units = [html.unescape(one) for one in re.findall(r'<option value="(http[^"]+)"', page)]
    waived = await visitor.post(f"{registration}/waive", {"au": units[0], "reason": "did it <i>before</i>"})
    after = await visitor.follow(waived)
    assert "1 of 2 units met" in words(after)
    assert "waived: did it <i>before</i>" in words(after)
    assert b"<i>before" not in after.body
    again = await visitor.post(f"{registration}/waive", {"au": units[0], "reason": "again"})
    assert again.status in (303, 409)
    assert (await visitor.post(f"{registration}/waive", {"au": "nothing", "reason": "x"})).status == 404
    assert "Ada" in words(await visitor.get(f"/courses/{course}"))
    assert b"ada" in (await visitor.get(f"/courses/{course}/progress.csv")).body


async def test_a_class_is_tried_before_it_is_registered(gateway: Gateway) -> None:
    visitor = await runner(gateway)
    course = (await imported(gateway))["id"]
    path, table = f"/courses/{course}/enrolments", b"account,name\nada,Ada\nbo,<b>Bo</b>\n"
    fields = {"homePage": "https://id.example.edu"}
    tried = words(await visitor.upload(path, fields | {"dryRun": "1"}, table, "class.csv"))
    assert "2 learners would be registered" in tried
    assert "Nobody is registered yet" in words(await visitor.get(f"/courses/{course}"))
    assert "2 learners registered" in words(await visitor.upload(path, fields, table, "class.csv"))
    again = words(await visitor.upload(path, fields, table, "class.csv"))
    assert "0 learners registered 2 are registered already" in again
    wrong = await visitor.upload(path, {"homePage": "here"}, b"account\n\n,\n", "class.csv")
    assert wrong.status == 400
    assert "homePage is no absolute URL" in words(wrong)
    listed = await visitor.get(f"/courses/{course}")
    assert b"<b>Bo" not in listed.body
    assert "<b>Bo</b>" in words(listed)


async def test_a_session_says_what_was_refused_and_can_be_abandoned_and_a_preview_begun(
    gateway: Gateway,
) -> None:
    visitor = await runner(gateway)
    course = await imported(gateway)
    au = await launched(gateway, course["id"])
    path = f"/sessions/{au.session}"
    assert "The content never fetched its token" in words(await visitor.get(path))
    await au.begin()
    await au.accepted(vocabulary.COMPLETED)
    early = await au.send(au.defined(vocabulary.COMPLETED))
    assert early.status == 403
    shown = words(await visitor.get(path))
    assert "POST statements 403" in shown or "PUT statements 403" in shown
    assert re.search(r"\(cmi5 [\d.-]+\)", shown)
    done = await visitor.follow(await visitor.post(f"{path}/abandon"))
    assert "The session was abandoned." in words(done)
    assert "abandoned: administrator" in words(done)
    preview = await visitor.post(f"/courses/{course['id']}/preview", {"au": course["aus"][0]["id"]})
    assert re.search(
        r'href="http[^"]+fetch=[^"]+" target="_blank" rel="noopener noreferrer"', preview.body.decode()
    )
    assert "Browse mode was begun" in words(preview)
    assert (await visitor.get(f"/courses/{UUID(int=1)}")).status == 404
