from __future__ import annotations

import datetime as dt
import html
import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from gateway.services.people import Role
from gateway.store.credentials import Credential
from tests.gateway import Gateway, basic
from tests.web.console import PASSWORD, Elements, browser, people, person, words

Serve = Callable[..., AbstractAsyncContextManager[Gateway]]

VERSION = {"X-Experience-API-Version": "2.0.0"}


async def works(gateway: Gateway, key: str, secret: str) -> bool:
    http = gateway.http("/xapi", VERSION | {"Authorization": basic(key, secret)})
    return (await http.get("/statements")).status == 200


async def test_a_credential_is_created_used_renewed_and_revoked(gateway: Gateway) -> None:
    visitor = await person(gateway)
    await visitor.get("/credentials")
    fields = {
        "name": "Moodle <b>",
        "scope": ["statements/read", "statements/write"],
        "owner": "Faculty of Science",
        "purpose": "course logs",
        "verbs": "http://adlnet.gov/expapi/verbs/completed\n",
        "platforms": "Moodle of Science\n",
    }
    made = await visitor.post("/credentials", fields)
    assert made.status == 200
    key, secret = (html.unescape(one) for one in re.findall(r'class="copy">([^<]+)<', made.body.decode())[:2])
    assert await works(gateway, key, secret)
    listed = await visitor.get("/credentials")
    assert secret not in listed.body.decode()
    shown = words(listed)
    assert f"Moodle <b> key {key} Faculty of Science; course logs statements/read, statements/write" in shown
    assert "platforms: Moodle of Science" in shown

    renewed = await visitor.post("/credentials/rotate", {"key": key})
    other = re.findall(r'class="copy">([^<]+)<', renewed.body.decode())[1]
    assert not await works(gateway, key, secret)
    assert await works(gateway, key, other)
    revoked = await visitor.follow(await visitor.post("/credentials/revoke", {"key": key}))
    assert "The credential was revoked." in words(revoked)
    assert not await works(gateway, key, other)
    assert (await visitor.post("/credentials/rotate", {"key": key})).status == 409

    for wrong, told in (
        ({"name": ""}, "name is empty"),
        ({"scope": []}, "scope holds none of"),
        ({"scope": ["root"]}, "scope holds none of"),
        ({"scope": ["all"]}, "reaches beyond statements"),
        ({"sources": "moodle"}, "is not adapter:<name> or credential:<key>"),
    ):
        refused = await visitor.post("/credentials", fields | wrong)
        assert refused.status == 400
        assert told in words(refused)
        assert "Faculty of Science" in Elements(refused).values("value")


async def test_the_credentials_of_another_store_are_neither_seen_nor_touched(gateway: Gateway) -> None:
    other = Credential(
        key="theirs", name="Theirs", store="other", scopes=("all",), created=dt.datetime.now(dt.UTC)
    )
    assert await gateway.store.credentials.create(other, "secret")
    visitor = await person(gateway)
    assert "theirs" not in words(await visitor.get("/credentials")).lower()
    for action in ("rotate", "revoke"):
        assert (await visitor.post(f"/credentials/{action}", {"key": "theirs"})).status == 404
    assert await gateway.store.credentials.authenticate("theirs", "secret") is not None


async def test_people_are_added_by_a_link_and_disabled(gateway: Gateway) -> None:
    visitor = await person(gateway)
    await visitor.get("/people")
    made = await visitor.post("/people", {"login": "Bo", "name": "Bo <i>", "role": ["analyst", "auditor"]})
    link = re.search(r"/admin(/welcome/[\w-]+)", made.body.decode())
    assert link is not None
    newcomer = browser(gateway)
    await newcomer.get(link[1])
    assert (await newcomer.post(link[1], {"password": PASSWORD, "again": PASSWORD})).status == 303
    assert "Bo <i>" in words(await newcomer.get("/statements"))
    assert (await people(gateway).named("bo")).roles == (Role.ANALYST, Role.AUDITOR)
    for wrong, status in (({"login": "bo"}, 409), ({"role": []}, 400), ({"login": "b o"}, 400)):
        fields = {"login": "cy", "name": "Cy", "role": ["analyst"]} | wrong
        refused = await visitor.post("/people", fields)
        assert refused.status == status
        assert "Nobody was added." in words(refused)
    assert (await visitor.post("/people/disable", {"login": "ada"})).status == 409
    disabled = await visitor.follow(await visitor.post("/people/disable", {"login": "bo"}))
    assert "They are signed out" in words(disabled)
    assert (await newcomer.get("/")).status == 303
    assert (await visitor.post("/people/link", {"login": "bo"})).status == 409
    assert (await visitor.post("/people/enable", {"login": "bo"})).status == 303
    again = await visitor.post("/people/link", {"login": "bo"})
    assert "/admin/welcome/" in again.body.decode()
    assert (await visitor.post("/people/link", {"login": "nobody"})).status == 404


async def test_the_system_says_what_is_well_and_hides_secrets(serve: Serve) -> None:
    async with serve(metrics__token="token-of-the-tests", server__workers=3) as gateway:
        visitor = await person(gateway, Role.AUDITOR)
        shown = words(await visitor.get("/system"))
    assert "token-of-the-tests" not in shown
    assert "metrics.token ***" in shown
    assert re.search(r"server\.workers 3 (?!default)", shown)
    assert re.search(r"limits\.max_body 1MiB default", shown)
    assert "indexes of main ok" in shown
    assert re.search(r"database ok MongoDB [\d.]+ ", shown)
    assert re.search(r"zoom not set up 1 [0-9a-f]{12}", shown)
