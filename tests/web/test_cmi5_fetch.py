from __future__ import annotations

import asyncio
import base64

import pytest
from aiohttp.test_utils import TestClient, TestServer

from gateway.app import build_app
from gateway.cmi5 import vocabulary as words
from gateway.services.services import Services
from gateway.store.connection import Timeouts, connect
from gateway.store.store import Store
from tests.gateway import Gateway, settings_for
from tests.web.au import api, imported, launched, started


async def test_the_first_post_gets_the_token_and_every_other_one_an_error(gateway: Gateway) -> None:
    au = await launched(gateway, (await imported(gateway))["id"])
    first = await au.fetch()
    assert (first.status, first.headers["Content-Type"]) == (200, "application/json")
    assert first.headers["Cache-Control"] == "no-store"
    assert set(first.json()) == {"auth-token"}
    second = await au.fetch()
    assert (second.status, second.json()["error-code"]) == (200, "1")
    assert "auth-token" not in second.json()


async def test_parallel_posts_get_one_token(gateway: Gateway) -> None:
    au = await launched(gateway, (await imported(gateway))["id"])
    answers = await asyncio.gather(*(au.lrs.at(au.launch["fetch"]).post("") for _ in range(20)))
    assert sum("auth-token" in answer.json() for answer in answers) == 1
    assert {answer.json().get("error-code") for answer in answers} == {None, "1"}


async def test_the_token_is_basic_authentication_that_survives_every_transport(gateway: Gateway) -> None:
    au = await launched(gateway, (await imported(gateway))["id"])
    token = (await au.fetch()).json()["auth-token"]
    assert not set(token) & set("+/=")
    session, _, secret = base64.b64decode(token, validate=True).decode().partition(":")
    assert session == au.session
    assert len(secret) == 44


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Length": "0"},
        {"Content-Type": "text/plain;charset=UTF-8"},
    ],
)
async def test_whatever_a_client_sends_along_does_not_matter(
    gateway: Gateway, headers: dict[str, str]
) -> None:
    au = await launched(gateway, (await imported(gateway))["id"])
    reply = await au.lrs.at(au.launch["fetch"]).post("", data=b"", headers=headers)
    assert "auth-token" in reply.json()


@pytest.mark.parametrize("key", ["unknown", "%F0%9F%98%80", "a" * 2000])
async def test_an_unknown_key_is_answered_with_code_2(gateway: Gateway, key: str) -> None:
    reply = await gateway.http().post(f"/cmi5/fetch/{key}")
    assert (reply.status, reply.json()["error-code"]) == (200, "2")


async def test_other_methods_are_refused_and_consume_nothing(gateway: Gateway) -> None:
    au = await launched(gateway, (await imported(gateway))["id"])
    fetch = au.lrs.at(au.launch["fetch"])
    for method in ("GET", "HEAD", "PUT", "DELETE"):
        reply = await fetch(method, "")
        assert (reply.status, reply.headers["Allow"]) == (405, "POST, OPTIONS")
    assert "auth-token" in (await au.fetch()).json()


async def test_content_of_another_origin_may_fetch(gateway: Gateway) -> None:
    au = await launched(gateway, (await imported(gateway))["id"])
    fetch = au.lrs.at(au.launch["fetch"]).with_headers({"Origin": "https://content.example.org"})
    preflight = await fetch("OPTIONS", "", headers={"Access-Control-Request-Method": "POST"})
    assert preflight.status == 204
    assert preflight.headers["Access-Control-Allow-Origin"] == "https://content.example.org"
    assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
    answers = [await fetch("GET", ""), await fetch.post("")]
    assert [answer.status for answer in answers] == [405, 200]
    assert {answer.headers["Access-Control-Allow-Origin"] for answer in answers} == {
        "https://content.example.org"
    }


async def test_a_session_that_is_over_hands_out_no_token(gateway: Gateway) -> None:
    course = await imported(gateway)
    au = await launched(gateway, course["id"])
    await api(gateway).post(f"/sessions/{au.session}/abandon")
    assert (await au.fetch()).json()["error-code"] == "1"
    ended = await started(gateway, course["id"])
    await ended.accepted(words.TERMINATED)
    assert (await ended.fetch()).json()["error-code"] == "1"


async def test_no_token_works_before_it_was_fetched(gateway: Gateway) -> None:
    au = await launched(gateway, (await imported(gateway))["id"])
    for secret in ("", "guess", "None"):
        token = base64.b64encode(f"{au.session}:{secret}".encode()).decode()
        lrs = au.lrs.with_headers({"Authorization": f"Basic {token}"})
        assert (await lrs.get("/statements")).status == 401


async def test_neither_fetch_keys_nor_tokens_can_be_read_from_the_database(gateway: Gateway) -> None:
    au = await launched(gateway, (await imported(gateway))["id"])
    token = (await au.fetch()).json()["auth-token"]
    secret = base64.b64decode(token).decode().partition(":")[2]
    found = await gateway.store.client[gateway.store.name]["sessions"].find_one({})
    key = au.launch["fetch"].rpartition("/")[2]
    assert key not in str(found)
    assert secret not in str(found)


async def test_while_the_database_is_away_the_answer_is_code_3() -> None:
    soon = Timeouts(server=0.05, connect=0.05)
    async with connect("mongodb://127.0.0.1:9/?directConnection=true", app_name="t", timeouts=soon) as client:
        settings = settings_for("away")
        services = Services(Store(client, "away"), settings, more_key=b"k" * 32)
        async with TestClient(TestServer(build_app(settings, {"main": services}))) as http:
            reply = await http.post("/cmi5/fetch/key")
            assert (reply.status, (await reply.json())["error-code"]) == (200, "3")
