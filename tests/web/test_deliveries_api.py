from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest

from tests.gateway import Gateway, Http
from tests.vendors import acme_headers, acme_item, mappings_folder, post_acme, states_of, vendor_secrets

__all__ = ["mappings_folder", "vendor_secrets"]

API = "/api/v1"
# A time in a zone that makes it one before the year 1.
TOO_EARLY = "0001-01-01T00:00:00+23:59"
BEFORE_TIME = b64encode(f"{TOO_EARLY} {uuid4()}".encode()).decode()


@pytest.fixture
async def gateway(serve: Callable[..., Any], mappings_folder: Callable[..., Path]) -> Any:
    async with serve(hooks__mappings=str(mappings_folder())) as gateway:
        yield gateway


@pytest.fixture
def api(gateway: Gateway) -> Http:
    return gateway.lrs.at(gateway.url + API)


async def settled(api: Http, count: int) -> list[dict[str, Any]]:
    """The list, once that many deliveries are mapped."""
    while True:
        rows: list[dict[str, Any]] = (await api.get("/deliveries")).json()["deliveries"]
        if len(rows) == count and all(row["finished"] for row in rows):
            return rows
        await asyncio.sleep(0.01)


async def test_the_list_is_filtered_and_paged(gateway: Gateway, api: Http) -> None:
    for number in range(5):
        await post_acme(gateway.http(), acme_item(str(number), score="x" if number == 0 else number))
    everything = await settled(api, 5)
    failed = (await api.get("/deliveries", [("state", "failed,held"), ("adapter", "acme")])).json()
    assert [row["state"] for row in failed["deliveries"]] == ["failed"]
    assert failed["more"] is None
    since = [("since", "2999-01-01T00:00:00Z")]
    assert (await api.get("/deliveries", since)).json()["deliveries"] == []
    paged: list[dict[str, Any]] = []
    cursor: list[tuple[str, str]] = []
    while True:
        page = (await api.get("/deliveries", [("limit", "2"), *cursor])).json()
        paged += page["deliveries"]
        if page["more"] is None:
            break
        cursor = [("cursor", page["more"])]
    assert paged == everything


async def test_one_delivery_shows_its_request_and_its_outcomes(gateway: Gateway, api: Http) -> None:
    await post_acme(gateway.http(), acme_item("1", score="many"))
    (row,) = await settled(api, 1)
    shown = (await api.get(f"/deliveries/{row['id']}")).json()
    assert json.loads(shown["request"]["body"])["items"][0]["id"] == "1"
    assert shown["verified"] == [{"method": "hmac", "key_index": 0, "preset": None, "key_id": None}]
    assert shown["outcomes"][0]["problems"][0]["path"] == "[0].result.score.raw"


async def test_bytes_that_are_no_text_are_shown_in_base64(gateway: Gateway, api: Http) -> None:
    await gateway.http().post("/hooks/acme", data=b"\xff\xfe", headers=acme_headers(b"\xff\xfe"))
    (row,) = await settled(api, 1)
    assert (await api.get(f"/deliveries/{row['id']}")).json()["request"]["base64"] == "//4="


async def test_a_dry_run_says_what_is_new_same_and_different_and_stores_nothing(
    gateway: Gateway, api: Http, mappings_folder: Callable[..., Path]
) -> None:
    await post_acme(gateway.http(), acme_item("1"))
    await post_acme(gateway.http(), acme_item("2", score=None, points=7))
    rows = await settled(api, 2)
    mappings_folder(
        **{"${ item.score }": "${ item.score ?? item.points }", "verb: completed": "verb: passed"}
    )
    gateway.services.hooks.mappings.load()
    reply = await api.post("/deliveries/replay", body={"filter": {}, "dryRun": True})
    found = {one["before"]: one for one in reply.json()["deliveries"]}
    assert [len(found["done"]["statements"][key]) for key in ("new", "same", "different")] == [0, 0, 1]
    assert [len(found["failed"]["statements"][key]) for key in ("new", "same", "different")] == [1, 0, 0]
    assert (found["done"]["state"], found["failed"]["state"]) == ("differs", "done")
    (different,) = found["done"]["differences"]
    assert {"path": "verb.display.en", "stored": "completed", "made": "passed"} in different["changes"]
    assert (await api.get("/deliveries")).json()["deliveries"] == rows
    assert await gateway.store.statements.count() == 1


async def test_a_dry_run_of_an_unchanged_mapping_finds_everything_the_same(
    gateway: Gateway, api: Http
) -> None:
    await post_acme(gateway.http(), acme_item("1"), acme_item("2", score="many"))
    (row,) = await settled(api, 1)
    reply = await api.post("/deliveries/replay", body={"ids": [row["id"]], "dryRun": True})
    (found,) = reply.json()["deliveries"]
    assert (found["before"], found["state"]) == ("failed", "failed")
    assert len(found["statements"]["same"]) == 1
    assert [outcome["state"] for outcome in found["outcomes"]] == ["done", "failed"]


async def test_a_replay_maps_again_with_the_mapping_of_today(
    gateway: Gateway, api: Http, mappings_folder: Callable[..., Path]
) -> None:
    await post_acme(gateway.http(), acme_item("1", type="unheard-of"))
    await settled(api, 1)
    mappings_folder(**{"item.type: completed": "item.type: [completed, unheard-of]"})
    gateway.services.hooks.mappings.load()
    reply = await api.post("/deliveries/replay", body={"filter": {"state": ["unmatched"]}})
    assert (reply.status, reply.json()["replayed"]) == (202, 1)
    (row,) = await settled(api, 1)
    assert (row["state"], row["statements"]) == ("done", 1)


async def test_explain_shows_rules_fields_and_what_was_not_read(gateway: Gateway, api: Http) -> None:
    payload = {"items": [acme_item("1", extra=1), acme_item("2", score="many")]}
    reply = await api.post("/mappings/acme/explain", body={"payload": payload})
    first, second = reply.json()["events"]
    assert first["outcome"]["kind"] == "adapted"
    assert [rule["applies"] for rule in first["rules"]] == [True, False]
    assert first["problems"] == []
    assert second["problems"][0]["path"] == "[0].result.score.raw"
    assert await states_of(gateway.store) == []


async def test_explain_says_that_a_batch_is_empty(api: Http) -> None:
    reply = await api.post("/mappings/acme/explain", body={"payload": {"items": []}})
    (told,) = reply.json()["events"]
    assert told["outcome"] == {"kind": "skipped", "rule": None, "reason": "the batch is empty"}


async def test_explain_takes_a_stored_delivery(gateway: Gateway, api: Http) -> None:
    await post_acme(gateway.http(), acme_item("1"))
    (row,) = await settled(api, 1)
    (event,) = (await api.post("/mappings/acme/explain", body={"delivery": row["id"]})).json()["events"]
    assert event["event_id"] == "1"


async def test_a_credential_needs_the_scope_hooks_or_admin(gateway: Gateway) -> None:
    outsider = (await gateway.client("reader", "all/read")).at(gateway.url + API)
    insider = (await gateway.client("integrator", "hooks")).at(gateway.url + API)
    for path in ("/deliveries", "/mappings"):
        assert (await outsider.get(path)).status == 403
        assert (await insider.get(path)).status == 200
    assert (await gateway.http(API).get("/deliveries")).status == 401


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "field"),
    [
        ("GET", "/deliveries?state=lost", None, 400, "state"),
        ("GET", "/deliveries?since=yesterday", None, 400, "since"),
        ("GET", f"/deliveries?since={quote(TOO_EARLY)}", None, 400, "since"),
        ("GET", "/deliveries/hours?until=0001-01-01T00:00:00Z", None, 400, "until"),
        ("GET", "/deliveries?limit=0", None, 400, "limit"),
        ("GET", "/deliveries?conflict=maybe", None, 400, "conflict"),
        ("GET", "/deliveries?colour=red", None, 400, "colour"),
        ("GET", "/deliveries?cursor=%C3%BC", None, 400, None),
        ("GET", "/deliveries?cursor=AAAA", None, 400, None),
        ("GET", f"/deliveries?cursor={BEFORE_TIME}", None, 400, None),
        ("GET", f"/deliveries/{uuid4()}", None, 404, None),
        ("GET", "/deliveries/one", None, 404, None),
        ("POST", "/deliveries/replay", {}, 400, "ids"),
        ("POST", "/deliveries/replay", {"ids": [], "filter": {}}, 400, "ids"),
        ("POST", "/deliveries/replay", {"ids": ["one"]}, 400, "ids"),
        ("POST", "/deliveries/replay", {"filter": []}, 400, "filter"),
        ("POST", "/deliveries/replay", {"filter": {"state": [1]}}, 400, "state"),
        ("POST", "/deliveries/replay", {"filter": {}, "dryRun": "yes"}, 400, "dryRun"),
        ("POST", "/deliveries/replay", {"filter": {}, "dryRun": True, "limit": True}, 400, "limit"),
        ("POST", "/deliveries/replay", {"filter": {}, "limit": 5}, 400, "limit"),
        ("POST", "/mappings/acme/explain", {}, 400, "payload"),
        ("POST", "/mappings/acme/explain", {"payload": 1, "headers": [1]}, 400, "headers"),
        ("POST", "/mappings/nobody/explain", {"payload": 1}, 404, None),
    ],
)
async def test_a_wrong_request_is_told_which_field(
    api: Http, method: str, path: str, body: object, status: int, field: str | None
) -> None:
    reply = await api(method, path, body=body)
    assert reply.status == status
    if field is not None:
        assert field in [problem["path"] for problem in reply.error["problems"]]
