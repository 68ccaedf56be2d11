"""Thin notices: what they leave out is fetched from a real vendor, kept, and never in anybody's way."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from aiohttp import web

from gateway.resources import mappings_dir
from gateway.store.delivery_records import Delivery, State
from tests.gateway import Gateway, Reply
from tests.vendor_server import VendorServer, vendor_server
from tests.vendors import acme_headers, acme_item, mappings_folder, post_acme, vendor_secrets
from tests.waiting import until
from tests.web.test_hooks import all_statements, finished
from tests.web.test_privacy import everything

__all__ = ["mappings_folder", "vendor_secrets"]

Serve = Callable[..., AbstractAsyncContextManager[Gateway]]
THIN = """\
adapter: thin
source: { platform: Thin, home_page: https://thin.example, language: en }
receive:
  verify:
    - hmac: { secret: "${ secret('ACME_SECRET') }", signature: { header: x-acme-signature } }
  event_id: ${ body.id }
fetch_back:
  connection: vendor
  path: /orgs/${ body.org }/events/${ body.id }
  when: body.type == 'badge'
identity:
  learner: { by: [ { email: "${ fetched.mail }" } ], unresolved: pseudonym }
privacy:
  drop: [ fetched.name, { path: fetched.mail, for_identity_only: true } ]
rules:
  - name: badge
    match: { body.type: badge }
    statement:
      actor: ${ identity.learner }
      verb: earned
      object: { id: "https://thin.example/badges/${ fetched.badge }", type: badge, name: "${ fetched.name }" }
      result: { score: { raw: "${ fetched.score }" } }
      timestamp: 2026-03-02T09:00:00Z
  - name: ping
    match: { body.type: ping }
    ignore: true
"""
THING = {"badge": "safety", "score": 5, "mail": "canary-mail@example.org", "name": "Canary Name"}


@pytest.fixture
async def vendor() -> AsyncIterator[VendorServer]:
    async with vendor_server(dict(THING)) as running:
        yield running


@pytest.fixture
async def thin(
    serve: Serve, mappings_folder: Callable[..., Path], vendor: VendorServer, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Gateway]:
    """A gateway that knows the vendor, and Acme beside it."""
    monkeypatch.setenv("VENDOR_TOKEN", "canary-token")
    mappings_folder()
    folder = str(mappings_folder(THIN, name="thin.yaml"))
    connection = vendor.connection(auth={"basic": {"user": "VENDOR_TOKEN"}}, max_body="4KiB", timeout="20s")
    async with serve(hooks__mappings=folder, hooks__connections={"vendor": connection}) as gateway:
        yield gateway


async def notify(gateway: Gateway, identity: str, **changes: Any) -> Reply:
    body = json.dumps({"id": identity, "org": "o1", "type": "badge", **changes}).encode()
    return await gateway.http().post("/hooks/thin", data=body, headers=acme_headers(body))


async def replayed(gateway: Gateway, delivery: Delivery, **how: Any) -> Delivery:
    manage = gateway.lrs.at(f"{gateway.url}/api/v1")
    assert (await manage.post("/deliveries/replay", body={"ids": [str(delivery.id)], **how})).status == 202

    async def again() -> Delivery | None:
        found = await gateway.store.deliveries.get(delivery.id)
        return found if found is not None and found.finished not in (None, delivery.finished) else None

    return await until(again)


async def waits(gateway: Gateway, reply: Reply) -> dict[str, Any]:
    """A delivery as the management API shows it once its vendor failed to answer."""
    identity = UUID(reply.json()["delivery"])

    async def unfetched() -> dict[str, Any] | None:
        found = await gateway.store.deliveries.get(identity)
        if found is None or found.unfetched is None:
            return None
        shown = await gateway.lrs.at(gateway.url).get(f"/api/v1/deliveries/{identity}")
        summary: dict[str, Any] = shown.json()
        return summary

    return await until(unfetched)


async def test_the_rest_of_a_notice_is_fetched_with_the_connections_secret_and_kept_encrypted(
    thin: Gateway, vendor: VendorServer, mongo_client: Any
) -> None:
    delivery = await finished(thin, await notify(thin, "e1"))
    assert delivery.state is State.DONE
    assert vendor.asked == ["/base/orgs/o1/events/e1"]
    assert vendor.credentials == ["Basic Y2FuYXJ5LXRva2VuOg=="]
    (statement,) = await all_statements(thin)
    assert statement["object"]["id"] == "https://thin.example/badges/safety"
    assert "name" not in statement["object"]["definition"]
    assert len(statement["actor"]["account"]["name"]) == 32
    assert delivery.fetched is not None
    stored = await everything(mongo_client[thin.store.name])
    for canary in (b"canary-mail@example.org", b"Canary Name", b"canary-token"):
        assert canary not in stored
    # Nothing is fetched for what needs nothing.
    assert (await finished(thin, await notify(thin, "e2", type="ping"))).state is State.IGNORED
    assert len(vendor.asked) == 1


@pytest.mark.parametrize(
    ("identity", "path"),
    [
        ("a/b c?x#é%2e", "/base/orgs/o1/events/a%2Fb%20c%3Fx%23%C3%A9%252e"),
        ("https://evil.example/", "/base/orgs/o1/events/https:%2F%2Fevil.example%2F"),
        ("..", None),
        ("../../admin", None),
        ("a\\..\\b", None),
        (".", None),
        ("", None),
    ],
)
async def test_what_a_notice_holds_never_leads_anywhere_else(
    thin: Gateway, vendor: VendorServer, identity: str, path: str | None
) -> None:
    delivery = await finished(thin, await notify(thin, identity, org="o1"))
    assert vendor.asked == ([path] if path else [])
    assert delivery.state is (State.DONE if path else State.FAILED)
    if path is None:
        assert delivery.outcomes[0].code == "R303"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda: web.Response(status=404), "404; the vendor has no such thing"),
        (lambda: web.Response(status=410), "410; the vendor has no such thing"),
        (lambda: web.Response(status=401), "401; look at its secrets and rights"),
        (lambda: web.Response(status=403), "403; look at its secrets and rights"),
        (lambda: web.Response(status=302, headers={"Location": "/base/elsewhere"}), "302"),
        (lambda: web.Response(text="<html>"), "is not JSON"),
        (lambda: web.Response(text='{"badge": "a", "badge": "b"}'), "is not JSON"),
        (lambda: web.Response(body=b" " * 5000), "more than 4096 bytes"),
    ],
)
async def test_an_answer_that_will_not_heal_is_a_dead_letter_that_names_the_connection(
    thin: Gateway, vendor: VendorServer, answer: Callable[[], web.Response], reason: str
) -> None:
    vendor.answers.append(answer)
    failed = await finished(thin, await notify(thin, "e1"))
    (outcome,) = failed.outcomes
    assert (failed.state, outcome.code, len(vendor.asked)) == (State.FAILED, "fetch_failed", 1)
    assert outcome.reason is not None
    assert outcome.reason.startswith("connection vendor: ")
    assert reason in outcome.reason
    assert (await replayed(thin, failed)).state is State.DONE


@pytest.mark.parametrize(
    "answer",
    [
        lambda: web.Response(status=503),
        lambda: web.Response(status=429, headers={"Retry-After": "1"}),
    ],
)
async def test_what_may_heal_is_asked_for_again_and_until_then_says_what_it_waits_for(
    thin: Gateway, vendor: VendorServer, answer: Callable[[], web.Response]
) -> None:
    vendor.answers.append(answer)
    reply = await notify(thin, "e1")
    waiting = await waits(thin, reply)
    assert waiting["state"] == "received"
    assert waiting["reason"].startswith("connection vendor: the answer was ")
    delivery = await finished(thin, reply)
    assert (delivery.state, delivery.unfetched, len(vendor.asked)) == (State.DONE, None, 2)


async def test_a_slow_vendor_is_in_nobodys_way(thin: Gateway, vendor: VendorServer) -> None:
    vendor.open.clear()
    notices = [await notify(thin, f"e{number}") for number in range(30)]
    others = [await post_acme(thin.http(), acme_item(str(number))) for number in range(20)]
    for reply in others:
        assert (await finished(thin, reply)).state is State.DONE
    assert 1 <= len(vendor.asked) <= 4
    vendor.open.set()
    assert {(await finished(thin, reply)).state for reply in notices} == {State.DONE}
    assert len(await all_statements(thin)) == 50
    assert len(vendor.asked) == 30


async def test_a_replay_takes_what_was_fetched_then_or_asks_again(
    thin: Gateway, vendor: VendorServer
) -> None:
    first = await finished(thin, await notify(thin, "e1"))
    vendor.thing = THING | {"score": 7}
    manage = thin.lrs.at(f"{thin.url}/api/v1")
    dry = await manage.post("/deliveries/replay", body={"ids": [str(first.id)], "dryRun": True})
    assert len(dry.json()["deliveries"][0]["statements"]["same"]) == 1
    explained = await manage.post("/mappings/thin/explain", body={"delivery": str(first.id)})
    assert explained.json()["events"][0]["outcome"]["statements"][0]["result"]["score"] == {"raw": 5}
    original = await replayed(thin, first, lookups="original")
    assert (original.state, len(vendor.asked)) == (State.DONE, 1)
    current = await replayed(thin, original)
    assert (current.state, len(vendor.asked)) == (State.DIFFERS, 2)
    # What is gone at the vendor's is still here.
    vendor.answers.append(lambda: web.Response(status=410))
    gone = await replayed(thin, current)
    assert (gone.state, len(vendor.asked)) == (State.FAILED, 3)
    last = await replayed(thin, gone, lookups="original")
    assert (last.state, len(vendor.asked)) == (State.DIFFERS, 3)


async def test_what_waits_for_somebody_is_not_fetched_again(
    serve: Serve, mappings_folder: Callable[..., Path], vendor: VendorServer
) -> None:
    text = THIN.replace("unresolved: pseudonym", "unresolved: hold")
    folder = str(mappings_folder(text, name="thin.yaml"))
    async with serve(hooks__mappings=folder, hooks__connections={"vendor": vendor.connection()}) as gateway:
        held = await finished(gateway, await notify(gateway, "e1"))
        assert held.state is State.HELD
        manage = gateway.lrs.at(f"{gateway.url}/api/v1")
        person = {"kind": "email", "value": "canary-mail@example.org", "account": "mira"}
        entry = {"set": "learners", **person, "homePage": "https://id.example.edu"}
        assert (await manage.post("/directory", body={"entries": [entry]})).status < 300

        async def done() -> bool:
            found = await gateway.store.deliveries.get(held.id)
            return found is not None and found.state is State.DONE

        await until(done)
        assert len(vendor.asked) == 1
        (statement,) = await all_statements(gateway)
        assert statement["actor"]["account"]["name"] == "mira"


@pytest.mark.parametrize(
    ("connections", "problem"),
    [
        ({}, "hooks.connections has no 'vendor' (there is none)"),
        ({"vendor": {"base_url": "https://x.example", "auth": {"bearer": "NOT_SET"}}}, "set NOT_SET"),
    ],
)
async def test_an_adapter_without_its_connection_is_not_ready_and_says_why(
    serve: Serve, mappings_folder: Callable[..., Path], connections: dict[str, Any], problem: str
) -> None:
    folder = str(mappings_folder(THIN, name="thin.yaml"))
    async with serve(hooks__mappings=folder, hooks__connections=connections) as gateway:
        assert (await notify(gateway, "e1")).status == 503
        adapter = gateway.services.hooks.mappings.get("thin")
        assert adapter is not None
        assert adapter.problem is not None
        assert problem in adapter.problem


async def test_an_optional_connection_may_be_missing_and_then_nothing_is_fetched(
    serve: Serve, mappings_folder: Callable[..., Path]
) -> None:
    text = THIN.replace("  when:", "  optional: true\n  when:").replace(
        "rules:\n", "rules:\n  - { name: thin, when: not has(fetched), ignore: true }\n"
    )
    async with serve(hooks__mappings=str(mappings_folder(text, name="thin.yaml"))) as gateway:
        delivery = await finished(gateway, await notify(gateway, "e1"))
        assert (delivery.state, delivery.outcomes[0].rule) == (State.IGNORED, "thin")


async def test_addresses_of_this_network_are_reached_only_where_the_settings_say_so(
    serve: Serve, mappings_folder: Callable[..., Path], vendor: VendorServer
) -> None:
    port = vendor.url.rpartition(":")[2]
    connection = {"base_url": f"https://127.0.0.1:{port}"}
    folder = str(mappings_folder(THIN, name="thin.yaml"))
    async with serve(hooks__mappings=folder, hooks__connections={"vendor": connection}) as gateway:
        waiting = await waits(gateway, await notify(gateway, "e1"))
        assert "is not a public address" in waiting["reason"]
        assert vendor.asked == []


async def test_credlys_notices_become_statements_with_the_shipped_mapping(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = mappings_dir() / "samples" / "credly"
    monkeypatch.setenv("CREDLY_TOKEN", "token-in-the-url")
    monkeypatch.setenv("CREDLY_ORG_TOKEN", "token-of-the-organization")
    async with vendor_server(json.loads((samples / "badge-created.json").read_text())) as credly:
        connection = credly.connection(auth={"basic": {"user": "CREDLY_ORG_TOKEN"}})
        async with serve(hooks__connections={"credly": connection}) as gateway:
            body, sent = (samples / "notice.json").read_bytes(), {"Content-Type": "application/json"}
            reply = await gateway.http().post(
                "/hooks/credly", params=[("token", "token-in-the-url")], data=body, headers=sent
            )
            assert (await finished(gateway, reply)).outcomes[0].rule == "issued"
            assert credly.asked[0].startswith(
                "/base/organizations/ba92621f-f22c-41e5-9157-c2dc274e3cf0/events/"
            )
            (statement,) = await all_statements(gateway)
            assert statement["verb"]["id"] == "http://id.tincanapi.com/verb/earned"
