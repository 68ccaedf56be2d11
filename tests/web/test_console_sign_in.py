from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest

from gateway.errors import Conflict
from gateway.services.people import Role
from gateway.web.console.visits import PLAIN_COOKIE, SECURE_COOKIE
from tests.gateway import Gateway
from tests.web.console import PASSWORD, browser, people, person, words

Serve = Callable[..., AbstractAsyncContextManager[Gateway]]

HTTPS = "https://lrs.example.edu"


async def signed_up(gateway: Gateway, login: str = "ada") -> None:
    """Somebody with a password, whose browser forgot them."""
    await person(gateway, login=login)


# -- the way in -------------------------------------------------------------------------------------------


async def test_who_is_not_signed_in_is_led_to_the_form_and_back(gateway: Gateway) -> None:
    await signed_up(gateway)
    visitor = browser(gateway)
    led = await visitor.get("/connect")
    assert (led.status, led.headers["Location"]) == (303, "/admin/sign-in?next=%2Fadmin%2Fconnect")
    await visitor.get("/sign-in", next="/admin/connect")
    entered = await visitor.post(
        "/sign-in", {"login": " Ada ", "password": PASSWORD, "next": "/admin/connect"}
    )
    assert (entered.status, entered.headers["Location"]) == (303, "/admin/connect")
    assert "Connect" in words(await visitor.follow(entered))


async def test_a_wrong_password_and_an_unknown_login_get_the_same_answer(gateway: Gateway) -> None:
    await signed_up(gateway)
    answers = []
    for login in ("ada", "nobody"):
        visitor = browser(gateway)
        await visitor.get("/sign-in")
        reply = await visitor.post("/sign-in", {"login": login, "password": "guess"})
        assert reply.status == 403
        answers.append(words(reply).replace(login, "LOGIN"))
        assert (await visitor.get("/")).status == 303
    assert answers[0] == answers[1]
    assert "do not belong together" in answers[0]


async def test_the_token_is_a_new_one_after_signing_in(gateway: Gateway) -> None:
    await signed_up(gateway)
    visitor = browser(gateway)
    visitor.cookies[PLAIN_COOKIE] = "planted-by-somebody-else"
    await visitor.get("/sign-in")
    assert visitor.cookies[PLAIN_COOKIE] == "planted-by-somebody-else"
    assert (await visitor.post("/sign-in", {"login": "ada", "password": PASSWORD})).status == 303
    assert visitor.cookies[PLAIN_COOKIE] != "planted-by-somebody-else"
    other = browser(gateway)
    other.cookies[PLAIN_COOKIE] = "planted-by-somebody-else"
    assert (await other.get("/")).status == 303


async def test_signing_out_ends_the_session_for_every_copy_of_the_cookie(gateway: Gateway) -> None:
    visitor = await person(gateway)
    copy = browser(gateway)
    copy.cookies = dict(visitor.cookies)
    assert (await copy.get("/")).status == 200
    assert (await visitor.post("/sign-out")).status == 303
    assert PLAIN_COOKIE not in visitor.cookies
    assert (await copy.get("/")).status == 303


_ELSEWHERE = [
    "https://evil.example/",
    "//evil.example/admin/",
    "/admin/../../evil",
    "/admin//evil.example",
    "\\\\evil.example",
    "/admin/\\evil.example",
    "/administrator",
    "javascript:alert(1)",
    "/admin/\r\nSet-Cookie: a=b",
]


async def test_nobody_is_led_away_after_signing_in(gateway: Gateway) -> None:
    await signed_up(gateway)
    for there in _ELSEWHERE:
        visitor = browser(gateway)
        await visitor.get("/sign-in")
        entered = await visitor.post("/sign-in", {"login": "ada", "password": PASSWORD, "next": there})
        assert (entered.status, entered.headers["Location"]) == (303, "/admin/"), there


async def test_guessing_locks_the_login_even_for_the_right_password_until_time_has_passed(
    gateway: Gateway,
) -> None:
    await signed_up(gateway)
    visitor = browser(gateway)
    await visitor.get("/sign-in")
    guesses = [visitor.post("/sign-in", {"login": "ada", "password": f"guess {i}"}) for i in range(10)]
    assert {reply.status for reply in await asyncio.gather(*guesses)} == {403}
    locked = await visitor.post("/sign-in", {"login": "ada", "password": PASSWORD})
    assert locked.status == 429
    assert locked.headers["Retry-After"] == "900"
    assert "too many attempts" in words(locked)
    attempts = gateway.store.client[gateway.store.name]["sign_in_attempts"]
    await attempts.update_many({}, {"$set": {"expires": dt.datetime.now(dt.UTC)}})
    assert (await visitor.post("/sign-in", {"login": "ada", "password": PASSWORD})).status == 303


async def test_guessing_many_logins_locks_the_address(gateway: Gateway) -> None:
    attempts = gateway.store.client[gateway.store.name]["sign_in_attempts"]
    visitor = browser(gateway)
    await visitor.get("/sign-in")
    assert (await visitor.post("/sign-in", {"login": "one", "password": "guess"})).status == 403
    await attempts.update_one({"_id": "address 127.0.0.1"}, {"$set": {"count": 50}})
    assert (await visitor.post("/sign-in", {"login": "other", "password": "guess"})).status == 429


# -- one-time links ---------------------------------------------------------------------------------------


async def test_the_first_person_gets_in_by_a_link_that_works_once(gateway: Gateway) -> None:
    present = people(gateway)
    link = await present.first_link("main")
    assert link is not None
    visitor, late = browser(gateway), browser(gateway)
    for one in (visitor, late):
        assert "You sign in with the login admin" in words(await one.get(f"/welcome/{link}"))
    entered = await visitor.post(f"/welcome/{link}", {"password": PASSWORD, "again": PASSWORD})
    assert "First administrator" in words(await visitor.follow(entered))
    used = await late.post(f"/welcome/{link}", {"password": "other words here", "again": "other words here"})
    assert used.status == 404
    assert "this link was used" in words(used)
    assert await present.first_link("main") is None


async def test_a_new_first_link_replaces_the_one_of_the_start_before(gateway: Gateway) -> None:
    present = people(gateway)
    first, second = await present.first_link("main"), await present.first_link("main")
    assert (await browser(gateway).get(f"/welcome/{first}")).status == 404
    assert (await browser(gateway).get(f"/welcome/{second}")).status == 200
    assert len(await present.list()) == 1


async def test_a_link_is_too_old_after_a_day(gateway: Gateway) -> None:
    link = await people(gateway).first_link("main")
    links = gateway.store.client[gateway.store.name]["console_links"]
    row = await links.find_one({})
    assert row is not None
    assert dt.timedelta(hours=23) < row["expires"] - dt.datetime.now(dt.UTC) <= dt.timedelta(days=1)
    await links.update_one({}, {"$set": {"expires": dt.datetime.now(dt.UTC)}})
    assert (await browser(gateway).get(f"/welcome/{link}")).status == 404


_POOR = [
    ("short", "short", "has 5 characters; expected 12 to 256"),
    ("admin and more", "admin and more", "easy to guess"),
    ("aaaaaaaaaaaaaa", "aaaaaaaaaaaaaa", "easy to guess"),
    (PASSWORD, PASSWORD + "!", "the two passwords differ"),
    ("x" * 257, "x" * 257, "has 257 characters"),
]


async def test_a_poor_password_is_refused_and_the_link_stays(gateway: Gateway) -> None:
    link = await people(gateway).first_link("main")
    visitor = browser(gateway)
    await visitor.get(f"/welcome/{link}")
    for password, again, told in _POOR:
        refused = await visitor.post(f"/welcome/{link}", {"password": password, "again": again})
        assert refused.status == 400
        assert told in words(refused)
    assert (await visitor.get(f"/welcome/{link}")).status == 200


async def test_a_new_password_ends_the_sessions_that_the_old_one_began(gateway: Gateway) -> None:
    before = await person(gateway)
    present = people(gateway)
    link = await present.make_link(await present.named("ada"))
    visitor = browser(gateway)
    await visitor.get(f"/welcome/{link}")
    await visitor.post(f"/welcome/{link}", {"password": "quite another one", "again": "quite another one"})
    assert (await visitor.get("/")).status == 200
    assert (await before.get("/")).status == 303


async def test_who_is_disabled_is_out_at_once_and_gets_no_link(gateway: Gateway) -> None:
    visitor = await person(gateway)
    await person(gateway, login="eve")
    present = people(gateway)
    await present.disable("ADA")
    assert (await visitor.get("/")).status == 303
    await visitor.get("/sign-in")
    assert (await visitor.post("/sign-in", {"login": "ada", "password": PASSWORD})).status == 403
    with pytest.raises(Conflict, match="enable them first"):
        await present.make_link(await present.named("ada"))
    await present.enable("ada")
    assert (await visitor.post("/sign-in", {"login": "ada", "password": PASSWORD})).status == 303


async def test_two_people_cannot_have_one_login(gateway: Gateway) -> None:
    present = people(gateway)
    await present.create("ada", "Ada", [Role.ANALYST], "main")
    with pytest.raises(Conflict, match="'ada' already"):
        await present.create(" ADA ", "Another Ada", [Role.AUDITOR], "main")


async def test_passwords_and_tokens_are_nowhere_in_the_database(gateway: Gateway) -> None:
    visitor = await person(gateway)
    database = gateway.store.client[gateway.store.name]
    kept = ""
    for name in ("people", "console_sessions", "console_links", "sign_in_attempts"):
        kept += str([row async for row in database[name].find()])
    assert "$argon2id$" in kept
    assert PASSWORD not in kept
    assert visitor.cookies[PLAIN_COOKIE] not in kept


# -- how long ---------------------------------------------------------------------------------------------


async def test_a_session_ends_when_it_is_idle_or_old(gateway: Gateway) -> None:
    visitor = await person(gateway)
    sessions = gateway.store.client[gateway.store.name]["console_sessions"]
    now = dt.datetime.now(dt.UTC)
    whole = await sessions.find_one({})
    assert whole is not None
    for change in ({"seen": now - dt.timedelta(minutes=61)}, {"expires": now}):
        await sessions.replace_one({}, whole | change)
        assert (await visitor.get("/")).status == 303
        told = await visitor.post("/sign-out")
        assert told.status == 403
        assert "not signed in any more, so nothing was changed" in words(told)
    await sessions.replace_one({}, whole)
    assert (await visitor.get("/")).status == 200


async def test_using_the_console_keeps_a_session_awake(gateway: Gateway) -> None:
    visitor = await person(gateway)
    sessions = gateway.store.client[gateway.store.name]["console_sessions"]
    then = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=50)
    await sessions.update_many({}, {"$set": {"seen": then}})
    assert (await visitor.get("/")).status == 200
    row = await sessions.find_one({})
    assert row is not None
    assert row["seen"] > then


# -- forms and cookies ------------------------------------------------------------------------------------


async def test_a_form_from_elsewhere_does_nothing(gateway: Gateway) -> None:
    visitor = await person(gateway)
    for origin in ("https://evil.example", "null", None, "http://127.0.0.1:1"):
        refused = await visitor.post("/sign-out", origin=origin)
        assert refused.status == 403
        assert "which is not this console" in words(refused)
        assert (await visitor.get("/")).status == 200


async def test_a_form_without_the_token_of_this_browser_does_nothing(gateway: Gateway) -> None:
    visitor, other = await person(gateway), await person(gateway, login="eve")
    for csrf in ("", "0" * 64, "ünïcode", other.csrf):
        assert (await visitor.post("/sign-out", csrf=csrf)).status == 403
        assert (await visitor.get("/")).status == 200


async def test_signing_in_takes_a_form_of_this_browser_too(gateway: Gateway) -> None:
    await signed_up(gateway)
    visitor = browser(gateway)
    fields = {"login": "ada", "password": PASSWORD}
    assert (await visitor.post("/sign-in", fields)).status == 403
    await visitor.get("/sign-in")
    assert (await visitor.post("/sign-in", fields, origin="https://evil.example")).status == 403
    assert (await visitor.post("/sign-in", fields)).status == 303


async def test_what_is_no_form_is_told_so(gateway: Gateway) -> None:
    visitor = await person(gateway)
    for content_type in ("application/json", "text/plain", "multipart/form-data; boundary=x"):
        headers = {
            "Content-Type": content_type,
            "Origin": visitor.origin,
            "Cookie": f"{PLAIN_COOKIE}={visitor.cookies[PLAIN_COOKIE]}",
        }
        reply = await visitor.http.post("/sign-out", data=b"{}", headers=headers)
        assert reply.status == 400
        assert "expected application/x-www-form-urlencoded" in words(reply)


async def test_over_https_the_cookie_is_bound_to_the_host(serve: Serve) -> None:
    async with serve(server__public_url=HTTPS) as gateway:
        link = await people(gateway).first_link("main")
        visitor = browser(gateway)
        visitor.origin = HTTPS
        reply = await visitor.get(f"/welcome/{link}")
        cookie = reply.headers["Set-Cookie"]
        assert cookie.startswith(f"{SECURE_COOKIE}=")
        assert {part.strip() for part in cookie.split(";")[1:]} == {
            "HttpOnly",
            "Path=/",
            "SameSite=Lax",
            "Secure",
        }
        entered = await visitor.post(f"/welcome/{link}", {"password": PASSWORD, "again": PASSWORD})
        assert entered.headers["Set-Cookie"].startswith(f"{SECURE_COOKIE}=")
        assert (await visitor.get("/")).status == 200


async def test_no_password_is_taken_where_it_could_be_read_on_the_way(gateway: Gateway) -> None:
    http = gateway.http("/admin", {"Host": "lrs.example.edu"})
    for path in ("/sign-in", "/welcome/x"):
        reply = await http.get(path)
        assert reply.status == 403
        assert "passwords are only taken over https" in words(reply)
        assert "Set-Cookie" not in reply.headers
    sent = {"Origin": "http://lrs.example.edu", "Content-Type": "application/x-www-form-urlencoded"}
    assert (await http.post("/sign-in", data=b"login=a", headers=sent)).status == 403


async def test_basic_credentials_do_not_open_the_console(gateway: Gateway) -> None:
    http = gateway.http("/admin", {"Authorization": gateway.lrs.headers["Authorization"]})
    assert (await http.get("/")).status == 303


async def test_the_cookie_of_the_console_opens_nothing_else(gateway: Gateway) -> None:
    visitor = await person(gateway)
    cookie = {"Cookie": f"{PLAIN_COOKIE}={visitor.cookies[PLAIN_COOKIE]}"}
    assert (await gateway.http("/api/v1", cookie).get("/courses")).status == 401
    assert (await gateway.http("/xapi", cookie).get("/statements")).status in (400, 401)
