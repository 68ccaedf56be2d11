from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest

from gateway.xapi.datatypes import parse_timestamp
from gateway.xapi.versions import Version
from tests.gateway import KEY, SECRET, VERSION_HEADER, Gateway, Http, basic
from tests.xapi.examples import minimal

Serve = Callable[..., AbstractAsyncContextManager[Gateway]]

THROUGH = "X-Experience-API-Consistent-Through"
AGENT = json.dumps({"mbox": "mailto:a@example.org"})
ACTIVITY = "https://example.org/1"
STATE = {"activityId": ACTIVITY, "agent": AGENT, "stateId": "s"}
PROFILE = {"activityId": ACTIVITY, "profileId": "p"}
AGENT_PROFILE = {"agent": AGENT, "profileId": "p"}
RESOURCES: dict[str, dict[str, str]] = {
    "/statements": {},
    "/activities/state": STATE,
    "/activities/profile": PROFILE,
    "/agents/profile": AGENT_PROFILE,
    "/agents": {"agent": AGENT},
    "/activities": {"activityId": ACTIVITY},
    "/about": {},
}
ORIGIN = "https://content.example.org"


def statement(**changes: Any) -> dict[str, Any]:
    return minimal(Version.V2) | changes


async def answers(gateway: Gateway) -> dict[str, Any]:
    """One answer of every kind that the LRS gives, by what it is."""
    lrs = gateway.lrs
    post = {"Content-Type": "application/json"}
    return {
        "200": await lrs.get("/statements"),
        "204": await lrs.put("/activities/state", STATE, data=b"x"),
        "400": await lrs.get("/statements", {"limit": "x"}),
        "400 version": await lrs.get("/statements", headers={VERSION_HEADER: "1.1"}),
        "400 JSON": await lrs.post("/statements", data=b"{", headers=post),
        "401": await lrs.get("/statements", headers={"Authorization": None}),
        "404 statement": await lrs.get(
            "/statements", {"statementId": "6690e6c9-3ef0-4ed3-8b37-7f3964730bee"}
        ),
        "404 document": await lrs.get("/agents/profile", AGENT_PROFILE),
        "404 path": await lrs.get("/nothing/here"),
        "404 slash": await lrs.get("/statements/"),
        "404 root": await lrs.get("/"),
        "405": await lrs.delete("/statements"),
        "405 PATCH": await lrs("PATCH", "/agents"),
        "405 PROPFIND": await lrs("PROPFIND", "/activities/state"),
        "412": await lrs.put("/activities/profile", PROFILE, data=b"x", headers={"If-Match": '"0"'}),
        "OPTIONS": await lrs("OPTIONS", "/statements", headers={"Authorization": None, VERSION_HEADER: None}),
    }


def with_lrs(gateway: Gateway, lrs: Http) -> Gateway:
    return replace(gateway, lrs=lrs)


async def test_a_preflight_needs_neither_credentials_nor_a_version(gateway: Gateway) -> None:
    asked = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "authorization,content-type,x-experience-api-version,if-match",
    }
    for path in (*RESOURCES, "/statements/", "//statements", "/unknown"):
        reply = await gateway.http("/xapi")("OPTIONS", path, headers=asked)
        assert reply.status == 204, path
        assert reply.headers["Access-Control-Allow-Origin"] == ORIGIN
        methods = reply.headers["Access-Control-Allow-Methods"].split(", ")
        assert {"GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS"} <= set(methods)
        allowed = {name.lower() for name in reply.headers["Access-Control-Allow-Headers"].split(", ")}
        assert set(asked["Access-Control-Request-Headers"].split(",")) <= allowed
        assert {"if-none-match", "accept-language", "content-length"} <= allowed


async def test_every_answer_can_be_read_across_origins_with_its_headers(gateway: Gateway) -> None:
    elsewhere = gateway.lrs.with_headers({"Origin": ORIGIN})
    for kind, reply in (await answers(with_lrs(gateway, elsewhere))).items():
        assert reply.headers["Access-Control-Allow-Origin"] == ORIGIN, kind
        exposed = reply.headers["Access-Control-Expose-Headers"].split(", ")
        wanted = {"ETag", "Last-Modified", "WWW-Authenticate", VERSION_HEADER, THROUGH, "Content-Type"}
        assert wanted <= set(exposed)
        assert "Origin" in reply.headers["Vary"]
        assert "Access-Control-Allow-Credentials" not in reply.headers


async def test_only_configured_origins_may_read_answers(serve: Serve) -> None:
    async with serve(cors__allow_origins=[ORIGIN]) as gateway:
        for origin, allowed in ((ORIGIN, True), ("https://other.example.org", False), ("null", False)):
            reply = await gateway.lrs.get("/about", headers={"Origin": origin})
            assert ("Access-Control-Allow-Origin" in reply.headers) is allowed


async def test_every_answer_names_the_version(gateway: Gateway) -> None:
    for kind, reply in (await answers(gateway)).items():
        assert reply.headers[VERSION_HEADER] == "2.0.0", kind
        assert reply.headers["Date"]
    for kind, reply in (await answers(with_lrs(gateway, gateway.lrs1))).items():
        assert reply.headers[VERSION_HEADER] == "1.0.3", kind


async def test_the_version_asked_for_wins_over_that_of_the_path(gateway: Gateway) -> None:
    crossed = gateway.lrs.at(gateway.lrs1.base)
    assert (await crossed.get("/statements")).headers[VERSION_HEADER] == "2.0.0"
    for version in ("1.0", "1.0.0", "1.0.1", "1.0.9"):
        reply = await gateway.lrs.get("/statements", headers={VERSION_HEADER: version})
        assert (reply.status, reply.headers[VERSION_HEADER]) == (200, "1.0.3")


async def test_every_answer_of_statements_says_how_far_it_is_consistent(gateway: Gateway) -> None:
    for kind, reply in (await answers(gateway)).items():
        if kind in ("200", "400", "400 version", "400 JSON", "401", "404 statement", "405"):
            assert parse_timestamp(reply.headers[THROUGH]) > 1_700_000_000_000_000, kind
    stored = await gateway.lrs.post("/statements", body=[statement(), statement()])
    put = await gateway.lrs.put(
        "/statements", {"statementId": "6690e6c9-3ef0-4ed3-8b37-7f3964730bee"}, body=statement()
    )
    single = await gateway.lrs.get("/statements", {"statementId": stored.json()[0], "attachments": "true"})
    page = await gateway.lrs.get("/statements", {"limit": "1", "attachments": "true"})
    page = await gateway.lrs.get("/statements", {"limit": "1"})
    more = await gateway.lrs.at(gateway.url).get(page.json()["more"])
    head = await gateway.lrs("HEAD", "/statements")
    doubled = await gateway.lrs.get("//statements")
    for reply in (stored, put, single, page, more, head, doubled):
        assert reply.status in (200, 204)
        assert parse_timestamp(reply.headers[THROUGH]) > 1_700_000_000_000_000


async def test_head_answers_like_get_without_a_body(gateway: Gateway) -> None:
    lrs = gateway.lrs
    [stored] = (await lrs.post("/statements", body=statement())).json()
    for path, params in RESOURCES.items():
        if path in ("/activities/state", "/activities/profile", "/agents/profile"):
            headers = {"If-None-Match": "*", "Content-Type": "text/plain"}
            assert (await lrs.put(path, params, data=b"content", headers=headers)).status == 204
    requests = [
        *RESOURCES.items(),
        ("/statements", {"statementId": stored}),
        ("/statements", {"voidedStatementId": stored}),
        ("/statements", {"limit": "x"}),
        ("/statements", {"more": "x"}),
        ("/activities/state", {"activityId": ACTIVITY, "agent": AGENT}),
        ("/activities/state", STATE | {"stateId": "none"}),
        ("/activities/profile", {}),
        ("/agents", {"agent": "{}"}),
        ("/nowhere", {}),
    ]
    for path, params in requests:
        get, head = await lrs.get(path, params), await lrs("HEAD", path, params)
        assert head.status == get.status, path
        assert head.body == b""
        for name in ("Content-Type", "ETag", "Last-Modified", VERSION_HEADER):
            assert head.headers.get(name) == get.headers.get(name), (path, name)
        assert head.headers.get("Content-Length") in (None, get.headers.get("Content-Length")), path
    multipart = await lrs("HEAD", "/statements", {"attachments": "true"})
    assert (multipart.status, multipart.body) == (200, b"")
    assert multipart.headers["Content-Type"].startswith("multipart/mixed; boundary=")


async def test_a_method_that_a_resource_lacks_is_named_with_those_it_has(gateway: Gateway) -> None:
    reply = await gateway.lrs.delete("/statements")
    assert (reply.status, reply.headers["Allow"]) == (405, "GET, PUT, POST, HEAD, OPTIONS")
    assert reply.error["code"] == "method_not_allowed"


async def test_two_slashes_are_one(gateway: Gateway) -> None:
    for path, params in RESOURCES.items():
        single = await gateway.lrs.get(path, params)
        doubled = await gateway.lrs.get("/" + path.replace("/", "//")[1:], params)
        assert doubled.status == single.status, path
    await gateway.lrs.post("//statements", body=[statement(), statement()])
    page = await gateway.lrs.get("//statements", {"limit": "1"})
    assert page.json()["more"].startswith("/xapi/statements?more=")


@pytest.mark.parametrize("public_url", [None, "https://lrs.example.org"])
async def test_more_can_be_followed_behind_a_proxy_with_a_prefix(
    serve: Serve, public_url: str | None
) -> None:
    async with serve(server__base_path="/learning/lrs", server__public_url=public_url) as gateway:
        for lrs, mount in ((gateway.lrs, "/learning/lrs/xapi"), (gateway.lrs1, "/learning/lrs/v1/xapi")):
            await lrs.post("/statements", body=[minimal(Version.V1)] * 2)
            more = (await lrs.get("/statements", {"limit": "1"})).json()["more"]
            assert more.startswith(f"{mount}/statements?more=")
            following = await lrs.at(gateway.url).get(more)
            assert (following.status, len(following.json()["statements"])) == (200, 1)
            assert following.headers[VERSION_HEADER] == lrs.headers[VERSION_HEADER]
        assert (await gateway.http("/xapi").get("/about")).status == 404


SCOPES = {
    "statements/write": {"POST /statements", "PUT /statements"},
    "statements/read": {"GET /statements", "GET /agents", "GET /activities"},
    "statements/read/mine": {"GET /statements"},
    "state": {
        "GET /activities/state",
        "PUT /activities/state",
        "POST /activities/state",
        "DELETE /activities/state",
    },
    "profile": {
        f"{method} {path}"
        for method in ("GET", "PUT", "POST", "DELETE")
        for path in ("/activities/profile", "/agents/profile")
    }
    | {"GET /agents", "GET /activities"},
    "define": set(),
    "all/read": {f"GET {path}" for path in RESOURCES if path != "/about"},
    "hooks": set(),
    "admin": set(),
}


async def test_each_scope_opens_its_resources_and_no_others(gateway: Gateway) -> None:
    requests: dict[str, tuple[str, str, dict[str, str]]] = {
        "POST /statements": ("POST", "/statements", {}),
        "PUT /statements": ("PUT", "/statements", {"statementId": "6690e6c9-3ef0-4ed3-8b37-7f3964730bee"}),
        **{f"GET {path}": ("GET", path, RESOURCES[path]) for path in RESOURCES},
        **{
            f"{method} {path}": (method, path, RESOURCES[path])
            for method in ("PUT", "POST", "DELETE")
            for path in ("/activities/state", "/activities/profile", "/agents/profile")
        },
    }
    scopes = {**SCOPES, "all": set(requests)}
    for number, (scope, opened) in enumerate(scopes.items()):
        client = await gateway.client(f"key-{number}", scope)
        for name, (method, path, params) in requests.items():
            content = statement() if path == "/statements" else {"a": 1}
            body = None if method in ("GET", "DELETE") else content
            headers = {"If-None-Match": "*"} if method == "PUT" and path != "/statements" else {}
            reply = await client(method, path, params, body=body, headers=headers)
            if name in opened or name == "GET /about":
                assert reply.status in (200, 204, 404, 412), (scope, name, reply.body)
            else:
                assert reply.status == 403, (scope, name)
                assert reply.error["code"] == "forbidden"
                assert reply.headers[VERSION_HEADER] == "2.0.0"


async def test_reading_mine_shows_only_what_the_same_credential_stored(gateway: Gateway) -> None:
    mine = await gateway.client("mine", "statements/write", "statements/read/mine")
    other = await gateway.client("other", "statements/write", "statements/read/mine")
    [own] = (await mine.post("/statements", body=statement())).json()
    [foreign] = (await other.post("/statements", body=statement())).json()
    assert [s["id"] for s in (await mine.get("/statements")).json()["statements"]] == [own]
    assert [s["id"] for s in (await other.get("/statements", {"verb": "x:did"})).json()["statements"]] == [
        foreign
    ]
    assert (await mine.get("/statements", {"statementId": own})).status == 200
    assert (await mine.get("/statements", {"statementId": foreign})).status == 404
    for agent in (
        {"mbox": "mailto:a@example.org"},
        (await gateway.lrs.get("/statements", {"statementId": foreign})).json()["authority"],
    ):
        found = await mine.get("/statements", {"agent": json.dumps(agent), "related_agents": "true"})
        assert foreign not in [s["id"] for s in found.json()["statements"]]
    assert len((await gateway.lrs.get("/statements")).json()["statements"]) == 2


async def test_without_define_statements_teach_nothing(gateway: Gateway) -> None:
    described = {"id": ACTIVITY, "definition": {"name": {"en": "Taught"}}}
    for scopes, taught in ((("statements/write",), False), (("statements/write", "define"), True)):
        client = await gateway.client(f"define-{taught}", *scopes)
        assert (await client.post("/statements", body=statement(object=described))).status == 200
        activity = (await gateway.lrs.get("/activities", {"activityId": ACTIVITY})).json()
        assert ("definition" in activity) is taught


GARBAGE = [
    "",
    "Basic",
    "Basic ",
    "Basic !!!!",
    "Basic dGVzdHM",
    "Basic dGVzdHM=",
    "Basic /////w==",
    "Basic ü",
    "Basic \udcff\udcfe",
    "Digest username=x",
    "basic " + "A" * 6000,
    "Basic Og==",
    "Basic AAAAOgAAAA==",
    "Basic\tx",
    basic(KEY, "wrong"),
    basic("unknown", SECRET),
    basic(KEY.upper(), SECRET),
    basic(KEY, SECRET) + " x",
]


async def test_garbage_for_credentials_is_answered_401(gateway: Gateway) -> None:
    for authorization in GARBAGE:
        answer = await gateway.raw(
            b"GET /xapi/statements HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            b"X-Experience-API-Version: 2.0.0\r\nAuthorization: "
            + authorization.encode("utf-8", "surrogateescape")
            + b"\r\n\r\n"
        )
        assert answer.startswith(b"HTTP/1.1 401 "), (authorization, answer[:300])
        assert b"\r\nWWW-Authenticate: B" in answer
        assert b"\r\nX-Experience-API-Version: 2.0.0\r\n" in answer


async def test_the_scheme_is_not_case_sensitive_and_secrets_may_hold_colons_and_unicode(
    gateway: Gateway,
) -> None:
    for scheme in ("Basic", "basic", "BASIC"):
        authorization = basic(KEY, SECRET).replace("Basic", scheme)
        assert (await gateway.lrs.get("/statements", headers={"Authorization": authorization})).status == 200


async def test_a_revoked_credential_stops_working_for_a_process_that_starts(serve: Serve) -> None:
    async with serve() as gateway:
        client = await gateway.client("short-lived", "all")
        assert (await client.get("/statements")).status == 200
        await gateway.store.credentials.revoke("short-lived", dt.datetime.now(dt.UTC))
    async with serve() as again:
        assert (await again.lrs.with_headers(dict(client.headers)).get("/statements")).status == 401


async def folded(http: Http, path: str, method: str, fields: dict[str, str]) -> Any:
    return await http.post(
        f"{path}?method={method}",
        data=urlencode(fields).encode(),
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )


async def test_a_form_can_carry_the_whole_request_credentials_included(gateway: Gateway) -> None:
    bare = gateway.http("/v1/xapi")
    known = {"Authorization": basic(KEY, SECRET), VERSION_HEADER: "1.0.3"}
    content = json.dumps(minimal(Version.V1))
    stored = await folded(bare, "/statements", "POST", known | {"content": content})
    assert stored.status == 200
    one = await folded(bare, "/statements", "GET", known | {"statementId": stored.json()[0]})
    assert one.json()["id"] == stored.json()[0]
    head = await folded(bare, "/statements", "HEAD", known | {"statementId": stored.json()[0]})
    assert (head.status, head.body) == (200, b"")
    state = known | STATE
    put = await folded(
        bare, "/activities/state", "PUT", state | {"content": "ünïcode", "Content-Type": "text/plain"}
    )
    assert put.status == 204
    got = await folded(bare, "/activities/state", "GET", state)
    assert (got.body.decode(), got.headers["Content-Type"]) == ("ünïcode", "text/plain")
    refused = await folded(bare, "/activities/state", "DELETE", state | {"If-Match": '"0"'})
    assert refused.status == 412
    assert (await folded(bare, "/activities/state", "DELETE", state)).status == 204
    assert (await folded(bare, "/activities/state", "GET", state)).status == 404
    assert (await folded(bare, "/statements", "GET", {VERSION_HEADER: "1.0.3"})).status == 401
    assert (
        await folded(bare, "/statements", "GET", known | {"Authorization": basic(KEY, "x")})
    ).status == 401
    assert (await folded(gateway.lrs1, "/statements", "GET", {VERSION_HEADER: "0.9"})).status == 400
    assert (await folded(bare, "/about", "GET", {})).status == 200


async def test_version_2_knows_no_forms(gateway: Gateway) -> None:
    assert (await folded(gateway.lrs, "/statements", "GET", {})).status == 400
    inside = await folded(gateway.http("/xapi"), "/statements", "GET", dict(gateway.lrs.headers))
    assert inside.status == 400


async def test_requests_of_one_connection_do_not_wait_for_another(gateway: Gateway) -> None:
    slow = await asyncio.open_connection(gateway.host, gateway.port)
    slow[1].write(b"POST /xapi/statements HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    assert (await gateway.lrs.get("/statements")).status == 200
    slow[1].close()
