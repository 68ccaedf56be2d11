"""Signing in with an identity provider: the way in, and everything that must not be one."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from gateway.services.people import Role
from gateway.settings import load
from gateway.web.console.visits import PLAIN_COOKIE
from tests.gateway import Gateway, Reply
from tests.identity_server import CLIENT, SECRET, IdentityServer, SigningKey, identity_server
from tests.web.au import api
from tests.web.console import PASSWORD, Browser, Elements, browser, people, person, words

Serve = Callable[..., AbstractAsyncContextManager[Gateway]]
ADA = {
    "sub": "8f2c",
    "email": "Ada@Example.edu",
    "email_verified": True,
    "name": "Ada Lind",
    "groups": ["lrs-analysts", "staff"],
}


@pytest.fixture
async def provider() -> AsyncIterator[IdentityServer]:
    async with identity_server(**ADA) as running:
        yield running


def settings(provider: IdentityServer, **more: Any) -> dict[str, Any]:
    return {
        "oidc__issuer": provider.url,
        "oidc__client_id": CLIENT,
        "oidc__client_secret": SECRET,
        "oidc__name": "Example University",
        "oidc__roles": {"lrs-analysts": "analyst", "lrs-admins": "administrator"},
    } | more


async def go(visitor: Browser, **params: str) -> str:
    """Begin; where the browser is sent."""
    begun = await visitor.get("/sign-in/provider", **params)
    assert begun.status == 303, begun.body
    assert begun.headers["Cache-Control"] == "no-store"
    return begun.headers["Location"]


async def come(visitor: Browser, url: str) -> Reply:
    """Bring the answer of the provider."""
    path = urlsplit(url)
    base = urlsplit(visitor.http.base).path
    query = [(name, value) for name, values in parse_qs(path.query).items() for value in values]
    assert path.path.startswith(base)
    return visitor._kept(
        await visitor.http.get(path.path.removeprefix(base), query, headers=visitor._headers())
    )


async def sign_in(visitor: Browser, provider: IdentityServer, **changes: str | None) -> Reply:
    return await come(visitor, provider.authorize(await go(visitor), **changes))


# -- the way in -------------------------------------------------------------------------------------------


async def test_somebody_new_comes_in_with_the_role_of_their_group(
    serve: Serve, provider: IdentityServer
) -> None:
    async with serve(**settings(provider)) as gateway:
        visitor = browser(gateway)
        page = await visitor.get("/sign-in", next="/admin/statements")
        assert "Sign in with Example University" in words(page)
        link = next(href for href in Elements(page).values("href") if "/provider" in href)
        assert link == "/admin/sign-in/provider?next=/admin/statements"
        before = visitor.cookies[PLAIN_COOKIE]
        entered = await come(visitor, provider.authorize(await go(visitor, next="/admin/statements")))
        assert (entered.status, entered.headers["Location"]) == (303, "/admin/statements")
        assert visitor.cookies[PLAIN_COOKIE] != before
        assert "Ada Lind" in words(await visitor.follow(entered))
        made = await people(gateway).named("ada@example.edu")
        assert (made.roles, made.password, made.follows) == (("analyst",), None, True)
        assert (await visitor.get("/people")).status == 403
        # Again, elsewhere: the same person.
        other = browser(gateway)
        provider.claims |= {"email": "ada.lind@example.edu", "name": "Ada Changed"}
        assert (await sign_in(other, provider)).status == 303
        assert [one.login for one in await people(gateway).list()] == ["ada@example.edu"]


async def test_the_audit_log_keeps_who_came_from_there_and_as_what(
    serve: Serve, provider: IdentityServer
) -> None:
    async with serve(**settings(provider)) as gateway:
        visitor = browser(gateway)
        await sign_in(visitor, provider)
        provider.claims["groups"] = ["lrs-admins"]
        await sign_in(visitor, provider)
        provider.claims["groups"] = []
        await sign_in(visitor, provider)
        reply = await api(gateway).get("/audit", {"action": "sign-in"})
        known = {"how": "identity provider", "subject": "8f2c"}
        assert [(e["kind"], e["actor"], e["outcome"], e["detail"]) for e in reply.json()["entries"]] == [
            ("nobody", "ada@example.edu", "refused", known),
            ("person", "ada@example.edu", "done", known | {"roles": ["administrator"], "new": False}),
            ("person", "ada@example.edu", "done", known | {"roles": ["analyst"], "new": True}),
        ]


async def test_roles_follow_the_provider_at_each_sign_in_until_an_administrator_decides(
    serve: Serve, provider: IdentityServer
) -> None:
    async with serve(**settings(provider)) as gateway:
        visitor, present = browser(gateway), people(gateway)
        await sign_in(visitor, provider)
        provider.claims["groups"] = ["lrs-admins", "lrs-analysts"]
        await sign_in(visitor, provider)
        assert set((await present.named("ada@example.edu")).roles) == {"administrator", "analyst"}
        provider.claims["groups"] = []
        refused = await sign_in(browser(gateway), provider)
        assert refused.status == 403
        assert "nobody gave you a role here yet" in words(refused)
        assert (await visitor.get("/")).status == 303  # whose sessions before are over
        await present.create("eve", "Eve", [Role.ADMINISTRATOR], "main")
        await present.set_roles("ada@example.edu", [Role.AUDITOR, Role.ADMINISTRATOR])
        assert (await sign_in(visitor, provider)).status == 303
        assert set((await present.named("ada@example.edu")).roles) == {"auditor", "administrator"}


async def test_without_a_role_nobody_comes_in_unless_there_is_a_default(
    serve: Serve, provider: IdentityServer
) -> None:
    provider.claims["groups"] = ["students"]
    async with serve(**settings(provider)) as gateway:
        refused = await sign_in(browser(gateway), provider)
        assert refused.status == 403
        assert "Your id at the provider is 8f2c" in words(refused)
        assert await people(gateway).list() == []
    async with serve(**settings(provider, oidc__default_role="auditor")) as gateway:
        assert (await sign_in(browser(gateway), provider)).status == 303
        assert (await people(gateway).named("ada@example.edu")).roles == ("auditor",)


async def test_claims_may_come_from_user_info_and_lie_inside_others(
    serve: Serve, provider: IdentityServer
) -> None:
    provider.claims = {"sub": "8f2c"}
    provider.userinfo = {"sub": "8f2c", "preferred_username": "ADA", "realm": {"roles": ["lrs-admins"]}}
    async with serve(**settings(provider, oidc__roles_claim="realm.roles")) as gateway:
        assert (await sign_in(browser(gateway), provider)).status == 303
        assert (await people(gateway).named("ada")).roles == ("administrator",)
        provider.claims["sub"] = "other"  # what is said about somebody else counts for nothing
        assert (await sign_in(browser(gateway), provider)).status == 403


@pytest.mark.parametrize("method", ["client_secret_post", "client_secret_basic"])
async def test_the_gateway_identifies_itself_as_the_provider_wants(
    serve: Serve, provider: IdentityServer, method: str
) -> None:
    provider.metadata = {"token_endpoint_auth_methods_supported": [method]}
    async with serve(**settings(provider)) as gateway:
        assert (await sign_in(browser(gateway), provider)).status == 303
    async with serve(**settings(provider, oidc__client_secret="wrong")) as gateway:
        refused = await sign_in(browser(gateway), provider)
        assert refused.status == 403
        assert "did not confirm the sign-in" in words(refused)


async def test_it_works_below_a_path_behind_a_proxy(serve: Serve, provider: IdentityServer) -> None:
    where = {"server__base_path": "/lrs", "server__trusted_proxies": ["127.0.0.1"]}
    async with serve(**settings(provider, **where)) as gateway:
        visitor = browser(gateway)
        forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "lrs.example.edu"}
        visitor.http = visitor.http.with_headers(forwarded)
        location = await go(visitor, next="/lrs/admin/connect")
        answer = provider.authorize(location)
        assert answer.startswith("https://lrs.example.edu/lrs/admin/sign-in/return?")
        entered = await come(visitor, answer)
        assert (entered.status, entered.headers["Location"]) == (303, "/lrs/admin/connect")
        assert entered.headers["Set-Cookie"].startswith("__Host-")
        assert (await visitor.get("/")).status == 200


async def test_who_signs_out_may_do_so_at_the_provider_too(serve: Serve, provider: IdentityServer) -> None:
    async with serve(**settings(provider)) as gateway:
        visitor = browser(gateway)
        await sign_in(visitor, provider)
        await visitor.get("/")
        left = await visitor.post("/sign-out")
        assert left.headers["Location"] == "/admin/signed-out"
        page = await visitor.follow(left)
        link = urlsplit(next(h for h in Elements(page).values("href") if h.startswith(provider.url)))
        assert link.path == "/logout"
        assert parse_qs(link.query) == {
            "from": ["here"],
            "client_id": [CLIENT],
            "post_logout_redirect_uri": [f"{gateway.url}/admin/sign-in"],
        }
        provider.metadata = {"end_session_endpoint": None}
    async with serve(**settings(provider)) as gateway:
        page = await browser(gateway).get("/signed-out")
        assert not [h for h in Elements(page).values("href") if h.startswith(provider.url)]


# -- who is who -------------------------------------------------------------------------------------------


async def test_nobody_takes_over_a_person_with_a_password_until_an_administrator_links_them(
    serve: Serve, provider: IdentityServer
) -> None:
    async with serve(**settings(provider)) as gateway:
        await person(gateway, login="ada@example.edu")
        refused = await sign_in(browser(gateway), provider)
        assert refused.status == 403
        assert "somebody with the login 'ada@example.edu' here already" in words(refused)
        await people(gateway).link_subject("ada@example.edu", provider.url, "8f2c")
        assert (await sign_in(browser(gateway), provider)).status == 303
        known = await people(gateway).named("ada@example.edu")
        assert (known.roles, known.follows) == (("administrator",), False)
        await people(gateway).unlink_subject("ada@example.edu")
        assert (await sign_in(browser(gateway), provider)).status == 403


@pytest.mark.parametrize("verified", [True, False])
async def test_who_was_invited_by_address_comes_in_only_if_it_is_verified(
    serve: Serve, provider: IdentityServer, verified: bool
) -> None:
    provider.claims |= {"email_verified": verified, "preferred_username": "ada@example.edu", "groups": []}
    async with serve(**settings(provider)) as gateway:
        await people(gateway).create("ada@example.edu", "Ada", [Role.AUDITOR], "main")
        assert (await sign_in(browser(gateway), provider)).status == (303 if verified else 403)
        known = await people(gateway).named("ada@example.edu")
        assert (known.subject is not None) is verified
        assert known.roles == ("auditor",)


async def test_who_is_disabled_stays_outside(serve: Serve, provider: IdentityServer) -> None:
    async with serve(**settings(provider)) as gateway:
        visitor = browser(gateway)
        await sign_in(visitor, provider)
        await people(gateway).disable("ada@example.edu")
        assert (await visitor.get("/")).status == 303
        refused = await sign_in(visitor, provider)
        assert refused.status == 403
        assert "disabled here" in words(refused)


@pytest.mark.parametrize(
    ("claims", "told"),
    [
        ({"email": "ada@evil.example"}, "only addresses of example.edu may sign in"),
        ({"email": "ada@example.edu@evil.example"}, "only addresses of example.edu"),
        ({"email": "ada@evil.example@example.edu"}, "only addresses of example.edu"),
        ({"email": "ada@sub.example.edu"}, "only addresses of example.edu"),
        ({"email_verified": False}, "did not say that yours is verified"),
        ({"email": None}, "only addresses of example.edu"),
    ],
)
async def test_only_verified_addresses_of_allowed_domains_come_in(
    serve: Serve, provider: IdentityServer, claims: dict[str, Any], told: str
) -> None:
    async with serve(**settings(provider, oidc__allowed_domains=["example.edu"])) as gateway:
        assert (await sign_in(browser(gateway), provider)).status == 303
        provider.claims |= claims
        refused = await sign_in(browser(gateway), provider)
        assert refused.status == 403
        assert told in words(refused)


async def test_passwords_can_be_off_and_one_time_links_still_let_in(
    serve: Serve, provider: IdentityServer
) -> None:
    async with serve(**settings(provider, console__passwords=False)) as gateway:
        visitor = await person(gateway)  # by a link
        assert (await visitor.get("/")).status == 200
        stranger = browser(gateway)
        page = await stranger.get("/sign-in")
        assert "password" not in Elements(page).values("type")
        await stranger.get(f"/welcome/{await people(gateway).first_link('main') or 'x'}")
        refused = await stranger.post("/sign-in", {"login": "ada", "password": PASSWORD}, csrf=visitor.csrf)
        assert refused.status == 403
        assert (await stranger.get("/")).status == 303


# -- attacks ----------------------------------------------------------------------------------------------

HOUR = 3600
_FORGED: dict[str, Callable[[IdentityServer, dict[str, Any]], str]] = {
    "no signature": lambda at, claims: at.unsigned(claims),
    "the public key as a secret": lambda at, claims: at.by_public_key(claims),
    "another nonce": lambda at, claims: at.signed(claims | {"nonce": "x" * 43}),
    "no nonce": lambda at, claims: at.signed({k: v for k, v in claims.items() if k != "nonce"}),
    "another audience": lambda at, claims: at.signed(claims | {"aud": "another"}),
    "two audiences and no party": lambda at, claims: at.signed(claims | {"aud": [CLIENT, "another"]}),
    "another party": lambda at, claims: at.signed(claims | {"aud": [CLIENT, "x"], "azp": "x"}),
    "another issuer": lambda at, claims: at.signed(claims | {"iss": "https://evil.example"}),
    "expired": lambda at, claims: at.signed(claims | {"exp": claims["iat"] - 61}),
    "no expiry": lambda at, claims: at.signed({k: v for k, v in claims.items() if k != "exp"}),
    "made long before": lambda at, claims: at.signed(claims | {"iat": claims["iat"] - HOUR}),
    "made tomorrow": lambda at, claims: at.signed(claims | {"iat": claims["iat"] + 24 * HOUR}),
    "a text for a time": lambda at, claims: at.signed(claims | {"exp": "tomorrow"}),
    "nobody": lambda at, claims: at.signed(claims | {"sub": ""}),
    "a key of somebody else": lambda at, claims: IdentityServer(key=SigningKey("first")).signed(claims),
    "changed behind its signature": lambda at, claims: ".".join(
        [at.signed(claims | {"sub": "x"}).split(".")[0], *at.signed(claims).split(".")[1:2], "AAAA"]
    ),
    "unknown extension": lambda at, claims: at.signed(claims, crit=["exp"]),
    "no token": lambda at, claims: "none",
}


async def test_a_token_that_proves_nothing_lets_nobody_in(serve: Serve, provider: IdentityServer) -> None:
    async with serve(**settings(provider)) as gateway:
        for name, forge in _FORGED.items():
            provider.token = lambda claims, forge=forge: forge(provider, claims)
            visitor = browser(gateway)
            refused = await sign_in(visitor, provider)
            assert refused.status == 403, name
            assert "could not be verified" in words(refused), name
            assert (await visitor.get("/")).status == 303, name
        assert await people(gateway).list() == []
        provider.token = None
        assert (await sign_in(browser(gateway), provider)).status == 303


async def test_an_answer_counts_once_and_only_in_the_browser_that_asked(
    serve: Serve, provider: IdentityServer
) -> None:
    async with serve(**settings(provider)) as gateway:
        victim, attacker = browser(gateway), browser(gateway)
        answer = provider.authorize(await go(attacker))
        for wrong in (answer, answer.replace("state=", "state=x"), answer.replace("state=", "st=")):
            refused = await come(victim, wrong)
            assert refused.status == 403
            assert "was not begun in this browser" in words(refused)
        # The state is used up, so the attacker has nothing of it either.
        assert (await come(attacker, answer)).status == 403
        answer = provider.authorize(await go(attacker))
        assert (await come(attacker, answer)).status == 303
        replayed = await come(attacker, answer)
        assert replayed.status == 403
        # A code that was used already: another sign-in brings it.
        code = parse_qs(urlsplit(answer).query)["code"][0]
        refused = await sign_in(attacker, provider, code=code)
        assert "did not confirm the sign-in" in words(refused)


async def test_a_sign_in_that_was_begun_too_long_ago_is_over(serve: Serve, provider: IdentityServer) -> None:
    async with serve(**settings(provider)) as gateway:
        visitor = browser(gateway)
        answer = provider.authorize(await go(visitor))
        flows = gateway.store.client[gateway.store.name]["console_flows"]
        row = await flows.find_one({})
        assert row is not None
        assert visitor.cookies[PLAIN_COOKIE] not in str(row)
        await flows.update_one({}, {"$set": {"expires": dt.datetime.now(dt.UTC)}})
        assert (await come(visitor, answer)).status == 403


async def test_an_answer_of_another_provider_is_not_taken(serve: Serve, provider: IdentityServer) -> None:
    async with serve(**settings(provider)) as gateway:
        for other in ("https://evil.example", None):
            before = len(provider.codes)
            refused = await sign_in(browser(gateway), provider, iss=other)
            assert refused.status == 403
            assert "did not come from Example University" in words(refused)
            assert len(provider.codes) == before + 1  # the code was not shown to anybody
    provider.metadata = {"authorization_response_iss_parameter_supported": False}
    async with serve(**settings(provider)) as gateway:
        assert (await sign_in(browser(gateway), provider, iss=None)).status == 303
        assert (await sign_in(browser(gateway), provider, iss="https://evil.example")).status == 403


async def test_keys_are_changed_without_anybody_noticing(serve: Serve, provider: IdentityServer) -> None:
    async with serve(**settings(provider)) as gateway:
        for key in (SigningKey("first"), SigningKey("second"), SigningKey("second")):
            provider.key = key
            assert (await sign_in(browser(gateway), provider)).status == 303
        asked = provider.asked.count("/keys")
        assert (await sign_in(browser(gateway), provider)).status == 303
        assert provider.asked.count("/keys") == asked
        assert provider.asked.count("/.well-known/openid-configuration") == 1


async def test_nobody_is_led_away_after_signing_in(serve: Serve, provider: IdentityServer) -> None:
    async with serve(**settings(provider)) as gateway:
        for there in ("https://evil.example/", "//evil.example/admin/", "/admin/\\evil.example"):
            visitor = browser(gateway)
            entered = await come(visitor, provider.authorize(await go(visitor, next=there)))
            assert (entered.status, entered.headers["Location"]) == (303, "/admin/"), there


async def test_what_the_provider_says_is_never_more_than_text(serve: Serve, provider: IdentityServer) -> None:
    evil = "<script>alert(1)</script>"
    async with serve(**settings(provider)) as gateway:
        visitor = browser(gateway)
        state = parse_qs(urlsplit(await go(visitor)).query)["state"][0]
        answer = f"{gateway.url}/admin/sign-in/return?state={state}&iss={provider.url}"
        refused = await come(visitor, f"{answer}&error={evil}&error_description={evil}")
        assert refused.status == 403
        assert "was refused by Example University" in words(refused)
        assert b"<script>alert" not in refused.body
        provider.claims |= {"sub": evil, "name": evil, "groups": []}
        refused = await sign_in(visitor, provider)
        assert refused.status == 403
        assert b"<script>alert" not in refused.body
        state = parse_qs(urlsplit(await go(visitor)).query)["state"][0]
        answer = f"{gateway.url}/admin/sign-in/return?state={state}&iss={provider.url}"
        assert "was cancelled" in words(await come(visitor, f"{answer}&error=access_denied"))


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://evil.example"},
        {"token_endpoint": "file:///etc/passwd"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"jwks_uri": None},
        {"code_challenge_methods_supported": ["plain"]},
    ],
    ids=["issuer", "file", "script", "no keys", "no PKCE"],
)
async def test_a_discovery_document_that_is_not_right_is_not_used(
    serve: Serve, provider: IdentityServer, metadata: dict[str, Any]
) -> None:
    provider.metadata = metadata
    async with serve(**settings(provider)) as gateway:
        refused = await browser(gateway).get("/sign-in/provider")
        assert refused.status == 503
        assert "cannot be reached at the moment, or does not answer as it should" in words(refused)


async def test_while_the_provider_is_away_a_page_says_so_and_passwords_work(
    serve: Serve, provider: IdentityServer
) -> None:
    async with serve(**settings(provider)) as gateway:
        await person(gateway)
        visitor = browser(gateway)
        provider.is_down = True
        away = await visitor.get("/sign-in/provider")
        assert (away.status, away.headers["Retry-After"]) == (503, "30")
        assert b"gateway of somebody" not in away.body
        assert (await visitor.post("/sign-in", {"login": "ada", "password": PASSWORD})).status == 303
        provider.is_down = False
        other = browser(gateway)
        answer = provider.authorize(await go(other))
        provider.is_down = True
        assert (await come(other, answer)).status == 503


async def test_the_system_page_says_whether_people_can_sign_in_with_it(
    serve: Serve, provider: IdentityServer
) -> None:
    async with serve(**settings(provider)) as gateway:
        assert f"{provider.url} answers" in words(await (await person(gateway)).get("/system"))
    async with serve(**settings(provider, oidc__roles={})) as gateway:
        page = words(await (await person(gateway, login="eve")).get("/system"))
        assert "answers, but gives nobody a role" in page
    provider.metadata = {"issuer": "https://evil.example"}
    async with serve(**settings(provider)) as gateway:
        page = words(await (await person(gateway, login="bob")).get("/system"))
        assert f"nobody can sign in with {provider.url}: the discovery document is of another issuer" in page
    provider.metadata = {"jwks_uri": f"{provider.url}/elsewhere"}
    async with serve(**settings(provider)) as gateway:
        page = words(await (await person(gateway, login="liv")).get("/system"))
        assert f"its keys cannot be fetched from {provider.url}/elsewhere" in page


async def test_beginning_without_end_is_refused(serve: Serve, provider: IdentityServer) -> None:
    async with serve(**settings(provider)) as gateway:
        visitor = browser(gateway)
        await go(visitor)
        attempts = gateway.store.client[gateway.store.name]["sign_in_attempts"]
        await attempts.update_one({"_id": "flow 127.0.0.1"}, {"$set": {"count": 300}})
        assert (await visitor.get("/sign-in/provider")).status == 429


async def test_nothing_of_it_is_there_without_the_setting(gateway: Gateway) -> None:
    visitor = browser(gateway)
    assert "provider" not in words(await visitor.get("/sign-in"))
    for path in ("/sign-in/provider", "/sign-in/return"):
        assert (await visitor.get(path)).status == 404


async def test_no_password_crosses_the_network_readable_for_it_either(
    serve: Serve, provider: IdentityServer
) -> None:
    async with serve(**settings(provider)) as gateway:
        reply = await gateway.http("/admin", {"Host": "lrs.example.edu"}).get("/sign-in/provider")
        assert reply.status == 403
        assert "Set-Cookie" not in reply.headers


def test_the_roles_of_the_settings_are_those_of_people() -> None:
    for role in Role:
        given = {"oidc.roles": {"x": str(role)}, "oidc.default_role": str(role)}
        assert load(None, {}, given).oidc.default_role == role
