"""Administrators change what others may do, and always leave one who can."""

from __future__ import annotations

import asyncio

import pytest

from gateway.errors import Conflict, Invalid, NotFound
from gateway.services.people import Role
from tests.gateway import Gateway
from tests.web.console import PASSWORD, Elements, browser, people, person, words


async def test_an_administrator_gives_somebody_another_role_which_counts_at_once(gateway: Gateway) -> None:
    boss, visitor = await person(gateway), await person(gateway, Role.ANALYST, login="mara")
    assert (await visitor.get("/courses")).status == 403
    mara = await people(gateway).named("mara")
    listed = await boss.get("/people")
    assert f"/admin/people/{mara.id}" in Elements(listed).values("href")
    page = await boss.get(f"/people/{mara.id}")
    assert "Signed in now 1 browser" in words(page)
    checked = [one["value"] for one in Elements(page).having("input") if "checked" in one]
    assert checked == ["analyst"]
    roles = ["lms-administrator", "auditor"]
    done = await boss.post("/people/roles", {"login": "mara", "role": roles})
    assert "The roles were changed" in words(await boss.follow(done))
    assert (await visitor.get("/courses")).status == 200
    assert (await visitor.get("/people")).status == 403


async def test_roles_that_are_none_change_nothing(gateway: Gateway) -> None:
    boss = await person(gateway)
    await person(gateway, Role.ANALYST, login="mara")
    for role in ([], ["emperor"], ["analyst", "<b>"]):
        refused = await boss.post("/people/roles", {"login": "mara", "role": role})
        assert refused.status == 400
        assert "Nothing was changed." in words(refused)
        assert b"<b>" not in refused.body
    assert (await people(gateway).named("mara")).roles == ("analyst",)
    assert (await boss.post("/people/roles", {"login": "nobody", "role": ["analyst"]})).status == 404
    assert (await boss.get("/people/no-uuid")).status == 404


async def test_somebody_is_signed_out_everywhere_and_may_come_back(gateway: Gateway) -> None:
    boss, visitor = await person(gateway), await person(gateway, Role.ANALYST, login="mara")
    done = await boss.post("/people/sign-out", {"login": "mara"})
    assert "signed out everywhere" in words(await boss.follow(done))
    assert (await visitor.get("/")).status == 303
    await visitor.get("/sign-in")
    assert (await visitor.post("/sign-in", {"login": "mara", "password": PASSWORD})).status == 303


async def test_a_new_link_resets_somebody_and_disabling_keeps_them_out(gateway: Gateway) -> None:
    boss, visitor = await person(gateway), await person(gateway, Role.ANALYST, login="mara")
    page = await boss.post("/people/link", {"login": "mara"})
    link = words(page).partition("/admin/welcome/")[2].split()[0]
    assert (await browser(gateway).get(f"/welcome/{link}")).status == 200
    assert (await boss.follow(await boss.post("/people/disable", {"login": "mara"}))).status == 200
    assert (await visitor.get("/")).status == 303
    assert (await browser(gateway).get(f"/welcome/{link}")).status == 404
    assert (await boss.post("/people/disable", {"login": "ada"})).status == 409


async def test_the_last_administrator_stays_one(gateway: Gateway) -> None:
    boss = await person(gateway)
    await people(gateway).create("newcomer", "Without a way in", [Role.ADMINISTRATOR], "main")
    refused = await boss.post("/people/roles", {"login": "ada", "role": ["auditor"]})
    assert refused.status == 409
    assert "'ada' is the last administrator who can sign in" in words(refused)
    with pytest.raises(Conflict, match="last administrator"):
        await people(gateway).disable("ada")
    await person(gateway, Role.ADMINISTRATOR, login="eve")
    own = await boss.post("/people/roles", {"login": "ada", "role": ["auditor"]})
    assert own.headers["Location"] == "/admin/?said=roles"
    assert (await boss.get("/people")).status == 403
    with pytest.raises(Conflict):
        await people(gateway).set_roles("eve", ["analyst"])


async def test_of_administrators_who_remove_each_other_at_once_one_remains(gateway: Gateway) -> None:
    logins = ["ada", "bob", "eve"]
    for login in logins:
        await person(gateway, login=login)
    present = people(gateway)
    tries = [
        present.set_roles("ada", ["auditor"]),
        present.disable("bob"),
        present.set_roles("eve", ["analyst"]),
    ]
    results = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(one, Conflict) for one in results) == 1
    left = [one for one in await present.list() if one.has_way_in and Role.ADMINISTRATOR in one.roles]
    assert len(left) == 1


async def test_two_people_cannot_be_the_same_one_at_the_provider(gateway: Gateway) -> None:
    await person(gateway)
    await person(gateway, login="eve")
    present = people(gateway)
    await present.link_subject("ada", "https://login.example.edu", "8f2c")
    with pytest.raises(Conflict, match="somebody else signs in as '8f2c'"):
        await present.link_subject("eve", "https://login.example.edu", "8f2c")
    for subject in ("", "x" * 256, "a\nb"):
        with pytest.raises(Invalid):
            await present.link_subject("eve", "https://login.example.edu", subject)
    with pytest.raises(NotFound):
        await present.link_subject("nobody", "https://login.example.edu", "1")
    boss = browser(gateway)
    await boss.get("/sign-in")
    await boss.post("/sign-in", {"login": "eve", "password": PASSWORD})
    await boss.get("/people")
    page = await boss.get(f"/people/{(await present.named('ada')).id}")
    assert "Signs in as 8f2c of https://login.example.edu" in words(page)
    done = await boss.post("/people/unlink", {"login": "ada"})
    assert "any more" in words(await boss.follow(done))
    assert (await present.named("ada")).subject is None
    refused = await boss.post("/people/subject", {"login": "ada", "subject": "1"})
    assert "there is no identity provider" in words(refused)
