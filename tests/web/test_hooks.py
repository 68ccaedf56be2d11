from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from gateway.services.metrics import exposition
from gateway.store.delivery_records import Delivery, State
from gateway.web.hooks import remote_address
from tests.gateway import Gateway, Reply
from tests.vendors import (
    ACME,
    ACME_SECRET,
    ZOOM_SECRET,
    acme_headers,
    acme_item,
    mappings_folder,
    post_acme,
    post_zoom,
    states_of,
    vendor_secrets,
    zoom_headers,
    zoom_sample,
)

__all__ = ["mappings_folder", "vendor_secrets"]


async def finished(gateway: Gateway, reply: Reply) -> Delivery:
    """The delivery that an answer names, once it is mapped."""
    delivery_id = UUID(reply.json()["delivery"])
    while True:
        delivery = await gateway.store.deliveries.get(delivery_id)
        if delivery is not None and delivery.finished is not None:
            return delivery
        await asyncio.sleep(0.01)


async def all_statements(gateway: Gateway) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await gateway.lrs.get("/statements")).json()["statements"]
    return found


@pytest.fixture
async def zoom(serve: Callable[..., Any], vendor_secrets: None) -> Any:
    async with serve() as gateway:
        yield gateway


@pytest.fixture
async def acme(serve: Callable[..., Any], mappings_folder: Callable[..., Path]) -> Any:
    async with serve(hooks__mappings=str(mappings_folder())) as gateway:
        yield gateway


# -- from a vendor to a statement ------------------------------------------------------------------------


async def test_a_signed_zoom_event_becomes_a_statement_of_the_lrs(zoom: Gateway) -> None:
    reply = await post_zoom(zoom.http(), zoom_sample())
    assert (reply.status, reply.json()["duplicate"]) == (200, False)
    delivery = await finished(zoom, reply)
    assert delivery.state is State.DONE
    (statement,) = await all_statements(zoom)
    assert statement["verb"]["id"] == "http://activitystrea.ms/join"
    assert statement["object"]["id"] == "https://zoom.us/meeting/96512004711"
    assert statement["timestamp"] == "2026-03-02T09:04:11Z"
    assert statement["authority"]["account"]["name"] == "adapter-zoom"
    assert [UUID(statement["id"])] == list(delivery.outcomes[0].statements)


async def test_what_privacy_drops_is_never_stored(zoom: Gateway) -> None:
    delivery = await finished(zoom, await post_zoom(zoom.http(), zoom_sample()))
    assert b"Mira Lindqvist" not in delivery.body
    assert b"192.0.2.17" not in delivery.body
    assert b"96512004711" in delivery.body
    assert delivery.decoded


async def test_what_only_identities_may_see_is_not_shown_to_people(zoom: Gateway) -> None:
    delivery = await finished(zoom, await post_zoom(zoom.http(), zoom_sample()))
    shown = await zoom.lrs.at(zoom.url).get(f"/api/v1/deliveries/{delivery.id}")
    assert b"mira.lindqvist" not in shown.body.lower()
    assert shown.json()["request"]["payload"]["event"] == "meeting.participant_joined"


async def test_signatures_and_credentials_are_not_stored_but_event_headers_are(acme: Gateway) -> None:
    body = json.dumps({"items": [acme_item("1")]}).encode()
    headers = acme_headers(body) | {
        "Authorization": "Bearer s3cret",
        "Cookie": "a=s3cret",
        "X-Api-Key": "s3cret",
        "X-Acme-Event-Type": "batch",
        "X-Acme-Delivery": "77",
        "X-Unrelated": "x",
    }
    delivery = await finished(
        acme,
        await acme.http().post("/hooks/acme", [("token", "s3cret"), ("a", "b")], data=body, headers=headers),
    )
    names = {name for name, _ in delivery.headers}
    assert {"content-type", "x-acme-event-type", "x-acme-delivery"} <= names
    assert not names & {"authorization", "cookie", "x-api-key", "x-acme-signature", "x-unrelated"}
    assert delivery.url.endswith("/hooks/acme?token=***&a=b")
    assert "s3cret" not in repr(delivery)


async def test_a_token_in_the_path_is_neither_stored_nor_logged(
    serve: Callable[..., Any], mappings_folder: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    check = """- hmac: { secret: "${ secret('ACME_SECRET') }", signature: { header: x-acme-signature } }"""
    text = ACME.replace(check, """- token: { path: key, secret: "${ secret('ACME_SECRET') }" }""")
    async with serve(hooks__mappings=str(mappings_folder(text))) as gateway:
        http, body = gateway.http(), json.dumps({"items": []}).encode()
        headers = {"Content-Type": "application/json"}
        assert (await http.post("/hooks/acme/wrong", data=body, headers=headers)).status == 401
        good = await http.post("/hooks/acme/acme-secret-of-the-tests", data=body, headers=headers)
        delivery = await finished(gateway, good)
        assert delivery.url.endswith("/hooks/acme/***")
        assert "acme-secret-of-the-tests" not in "".join(capsys.readouterr())
        assert delivery.state is State.IGNORED


async def test_an_empty_batch_is_ignored_and_says_so(acme: Gateway) -> None:
    delivery = await finished(acme, await post_acme(acme.http()))
    assert delivery.state is State.IGNORED
    (outcome,) = delivery.outcomes
    assert (outcome.state, outcome.reason) == (State.IGNORED, "the batch is empty")


async def test_each_event_of_a_batch_has_its_own_outcome(acme: Gateway) -> None:
    reply = await post_acme(
        acme.http(),
        acme_item("good"),
        acme_item("poison", score="many"),
        acme_item("lacking", score=None),
        {"id": "ping", "type": "ping"},
        {"id": "new", "type": "unheard-of"},
        acme_item("also-good", who="bo"),
    )
    delivery = await finished(acme, reply)
    outcomes = {outcome.event: outcome for outcome in delivery.outcomes}
    assert {event: outcome.state for event, outcome in outcomes.items()} == {
        "good": State.DONE,
        "poison": State.FAILED,
        "lacking": State.FAILED,
        "ping": State.IGNORED,
        "new": State.UNMATCHED,
        "also-good": State.DONE,
    }
    assert delivery.state is State.FAILED
    assert outcomes["poison"].problems[0]["path"] == "[0].result.score.raw"
    assert "result.score.raw" in outcomes["lacking"].problems[0]["message"]
    assert "unheard-of" in str(outcomes["new"].reason)
    assert {one["actor"]["account"]["name"] for one in await all_statements(acme)} == {"ana", "bo"}


# -- handshakes ------------------------------------------------------------------------------------------


async def test_the_handshake_is_answered_and_not_stored(zoom: Gateway) -> None:
    body = zoom_sample("url-validation")
    token = json.loads(body)["payload"]["plainToken"]
    reply = await zoom.http().post("/hooks/zoom", data=body, headers={"Content-Type": "application/json"})
    encrypted = hmac.new(ZOOM_SECRET.encode(), token.encode(), hashlib.sha256).hexdigest()
    assert (reply.status, reply.json()) == (200, {"plainToken": token, "encryptedToken": encrypted})
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert await states_of(zoom.store) == []


# -- refusals --------------------------------------------------------------------------------------------


async def test_a_tampered_body_is_refused_with_a_text_that_says_nothing(zoom: Gateway) -> None:
    headers = zoom_headers(zoom_sample())
    reply = await zoom.http().post("/hooks/zoom", data=zoom_sample(event_ts=1), headers=headers)
    assert reply.status == 401
    assert reply.error == {
        "code": "unauthorized",
        "message": "the request could not be verified",
        "problems": [],
    }
    assert await states_of(zoom.store) == []


# A minute beyond what is tolerated: until it arrives, a time in the future comes nearer.
@pytest.mark.parametrize("seconds", [-360, 360])
async def test_a_request_of_another_time_is_refused(zoom: Gateway, seconds: int) -> None:
    body = zoom_sample()
    headers = zoom_headers(body, at=time.time() + seconds)
    assert (await zoom.http().post("/hooks/zoom", data=body, headers=headers)).status == 401


async def test_an_unknown_adapter_is_not_found(zoom: Gateway) -> None:
    reply = await zoom.http().post("/hooks/nobody", data=b"{}")
    assert (reply.status, reply.error["code"]) == (404, "not_found")


async def test_a_method_that_the_mapping_does_not_take_is_refused_with_the_ones_it_does(
    zoom: Gateway,
) -> None:
    reply = await zoom.http().put("/hooks/zoom", data=b"{}", headers={"Content-Type": "application/json"})
    assert (reply.status, reply.headers["Allow"]) == (405, "POST")


async def test_a_content_type_that_the_mapping_does_not_take_is_refused(zoom: Gateway) -> None:
    reply = await zoom.http().post("/hooks/zoom", data=b"{}", headers={"Content-Type": "text/plain"})
    assert (reply.status, reply.error["code"]) == (415, "unsupported_media_type")


async def test_a_body_beyond_the_limit_of_the_mapping_is_refused_while_it_streams(acme: Gateway) -> None:
    async def endless() -> Any:
        for _ in range(10_000):
            yield b"x" * 65_536

    reply = await acme.http().post(
        "/hooks/acme", data=endless(), headers={"Content-Type": "application/json"}
    )
    assert (reply.status, reply.error["code"]) == (413, "too_large")


async def test_the_limit_of_the_settings_holds_as_well(
    serve: Callable[..., Any], mappings_folder: Callable[..., Path]
) -> None:
    async with serve(hooks__mappings=str(mappings_folder()), hooks__max_body="1KiB") as gateway:
        reply = await post_acme(gateway.http(), acme_item("1", course="c" * 2000))
        assert reply.status == 413


async def test_an_adapter_without_its_secret_is_not_ready_and_says_which_in_the_api_only(
    serve: Callable[..., Any], mappings_folder: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = mappings_folder()
    monkeypatch.delenv("ACME_SECRET")
    async with serve(hooks__mappings=str(folder)) as gateway:
        reply = await post_acme(gateway.http(), acme_item("1"))
        assert (reply.status, reply.error["code"]) == (503, "adapter_not_ready")
        assert reply.headers["Retry-After"] == "60"
        assert "ACME_SECRET" not in reply.error["message"]
        (listed,) = (await gateway.lrs.at(gateway.url).get("/api/v1/mappings")).json()["mappings"]
        assert (listed["adapter"], listed["ready"]) == ("acme", False)
        assert "set ACME_SECRET in the environment" in listed["problem"]


async def test_a_secret_may_be_in_a_file(
    serve: Callable[..., Any],
    mappings_folder: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    (tmp_path / "secret").write_text("acme-secret-of-the-tests\n")
    folder = mappings_folder()
    monkeypatch.delenv("ACME_SECRET")
    monkeypatch.setenv("ACME_SECRET_FILE", str(tmp_path / "secret"))
    async with serve(hooks__mappings=str(folder)) as gateway:
        assert (await post_acme(gateway.http(), acme_item("1"))).status == 200


async def test_a_broken_mapping_stops_its_own_adapter_and_nothing_else(
    serve: Callable[..., Any], mappings_folder: Callable[..., Path]
) -> None:
    mappings_folder("adapter: [broken", name="broken.yaml")
    async with serve(hooks__mappings=str(mappings_folder())) as gateway:
        assert (await gateway.http().post("/hooks/broken", data=b"{}")).status == 503
        assert (await post_acme(gateway.http(), acme_item("1"))).status == 200


async def test_a_body_that_cannot_be_decoded_is_kept_as_failed_and_acknowledged(acme: Gateway) -> None:
    body = b'{"items": [\xff'
    reply = await acme.http().post("/hooks/acme", data=body, headers=acme_headers(body))
    assert reply.status == 200
    delivery = await finished(acme, reply)
    assert (delivery.state, delivery.body) == (State.FAILED, body)
    assert str(delivery.outcomes[0].reason).startswith("undecodable: the body is not JSON")


# -- sent again ------------------------------------------------------------------------------------------


async def test_fifty_at_once_are_one_delivery_and_one_statement(zoom: Gateway) -> None:
    replies = await asyncio.gather(*(post_zoom(zoom.http(), zoom_sample()) for _ in range(50)))
    assert {reply.status for reply in replies} == {200}
    assert sum(not reply.json()["duplicate"] for reply in replies) == 1
    assert len({reply.json()["delivery"] for reply in replies}) == 1
    delivery = await finished(zoom, replies[0])
    assert (delivery.duplicates, delivery.conflict) == (49, False)
    assert len(await all_statements(zoom)) == 1


async def test_the_same_key_with_another_body_is_kept_beside_the_first_and_both_are_flagged(
    zoom: Gateway,
) -> None:
    first = await post_zoom(zoom.http(), zoom_sample())
    other_bodies = [zoom_sample(sent=number) for number in (1, 2, 1)]
    others = [await post_zoom(zoom.http(), body) for body in other_bodies]
    assert [reply.json()["duplicate"] for reply in (first, *others)] == [False, False, False, True]
    deliveries = [await finished(zoom, reply) for reply in (first, *others)]
    assert len({delivery.id for delivery in deliveries}) == 3
    assert all(delivery.conflict for delivery in deliveries)
    # The same event, so the same statement: it is stored once, and nothing failed.
    assert {delivery.state for delivery in deliveries} == {State.DONE}
    assert len(await all_statements(zoom)) == 1


async def test_an_event_id_that_comes_again_with_another_content_is_a_conflict(acme: Gateway) -> None:
    await finished(acme, await post_acme(acme.http(), acme_item("1", score=5)))
    delivery = await finished(acme, await post_acme(acme.http(), acme_item("1", score=6), acme_item("2")))
    assert [outcome.state for outcome in delivery.outcomes] == [State.FAILED, State.DONE]
    assert str(delivery.outcomes[0].reason).startswith("conflict: ")
    scores = sorted(one["result"]["score"]["raw"] for one in await all_statements(acme))
    assert scores == [5, 5]


# -- around it -------------------------------------------------------------------------------------------


async def test_everything_is_counted(acme: Gateway) -> None:
    before = exposition()[0].decode()
    await finished(acme, await post_acme(acme.http(), acme_item("1"), {"id": "2", "type": "ping"}))
    await post_acme(acme.http(), acme_item("1"), {"id": "2", "type": "ping"})
    await acme.http().post("/hooks/acme", data=b"{}", headers={"Content-Type": "application/json"})
    after = exposition()[0].decode()

    def count(text: str, name: str, outcome: str) -> float:
        wanted = f'xapi_gateway_{name}_total{{adapter="acme",outcome="{outcome}"}} '
        lines = [line for line in text.splitlines() if line.startswith(wanted)]
        return float(lines[0].removeprefix(wanted)) if lines else 0.0

    for name, outcome in (
        ("deliveries", "received"),
        ("deliveries", "duplicate"),
        ("deliveries", "refused"),
        ("delivery_events", "done"),
        ("delivery_events", "ignored"),
    ):
        assert count(after, name, outcome) - count(before, name, outcome) == 1, (name, outcome)


async def test_an_adapter_can_have_a_store_of_its_own(
    serve: Callable[..., Any], mappings_folder: Callable[..., Path]
) -> None:
    flags = {"stores__others": ["sandbox"], "hooks__stores": {"acme": "sandbox"}}
    async with serve(hooks__mappings=str(mappings_folder()), **flags) as gateway:
        client, other = gateway.store.client, f"{gateway.settings.mongo.database}_sandbox"
        await post_acme(gateway.http(), acme_item("1"))
        while not await client[other]["deliveries"].count_documents({"state": "done"}):
            await asyncio.sleep(0.01)
        assert await client[other]["statements"].count_documents({}) == 1
        assert await states_of(gateway.store) == []
    await client.drop_database(other)


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("198.51.100.1", [], "198.51.100.1"),
        ("198.51.100.1", ["203.0.113.9"], "198.51.100.1"),
        ("10.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["203.0.113.8, 203.0.113.9", "10.0.0.2"], "203.0.113.9"),
        ("10.0.0.1", ["forged"], None),
        ("10.0.0.1", [], "10.0.0.1"),
        (None, ["203.0.113.9"], None),
    ],
)
def test_only_trusted_proxies_say_who_called(
    peer: str | None, forwarded: list[str], expected: str | None
) -> None:
    assert remote_address(peer, forwarded, [ip_network("10.0.0.0/8")]) == expected


SIGNED_URL = """\
adapter: acme
version: 1
source: { platform: Acme, home_page: https://acme.example, language: en }
receive:
  verify:
    - digest:
        algorithm: sha256
        message: ${ url }${ raw_body }${ secret }
        secret: ${ secret('ACME_SECRET') }
        signature: { header: x-acme-signature }
  event_id: ${ body.id }
rules:
  - name: noise
    match: { body.type: ping }
    ignore: true
"""


async def test_a_signature_over_the_url_holds_behind_a_trusted_proxy(
    serve: Callable[..., AbstractAsyncContextManager[Gateway]], mappings_folder: Callable[..., Path]
) -> None:
    folder = mappings_folder(SIGNED_URL)
    body = b'{"id": "1", "type": "ping"}'
    signed = b"https://lrs.example.org/hooks/acme" + body + ACME_SECRET.encode()
    headers = {
        "Content-Type": "application/json",
        "X-Acme-Signature": hashlib.sha256(signed).hexdigest(),
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "lrs.example.org",
    }
    async with serve(hooks__mappings=str(folder)) as gateway:
        assert (await gateway.http().post("/hooks/acme", data=body, headers=headers)).status == 401
    async with serve(hooks__mappings=str(folder), server__trusted_proxies=["127.0.0.0/8"]) as gateway:
        assert (await gateway.http().post("/hooks/acme", data=body, headers=headers)).status == 200
