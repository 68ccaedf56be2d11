"""What a mapping hides is nowhere in the database: the raw bytes of every document are searched."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import bson
import pytest
from pymongo.asynchronous.database import AsyncDatabase

from gateway.store.connection import Document
from gateway.store.delivery_records import Delivery, State
from tests.gateway import Gateway
from tests.vendors import acme_item, mappings_folder, post_acme, vendor_secrets

__all__ = ["mappings_folder", "vendor_secrets"]

Serve = Callable[..., AbstractAsyncContextManager[Gateway]]
PRIVACY = """\
privacy:
  drop: [ body.items.*.phone, { path: body.items.*.mail, for_identity_only: true } ]
  mask: [ body.items.*.name ]
  pseudonym: [ { path: body.items.*.parent, kind: email } ]
  store_raw: STORE
identity:
  learner: { by: [ { email: "${ item.mail }" } ], home_page: https://id.example.edu, unresolved: POLICY }
rules:
"""
CANARIES = {
    "phone": "canary-phone-0664",
    "mail": "canary-mail@example.org",
    "name": "Canary Name",
    "parent": "canary-parent@example.org",
}
HELD = {'{ account: { homePage: https://acme.example, name: "${ item.who }" } }': "${ identity.learner }"}


def hiding(store: str = "redacted", policy: str = "pseudonym") -> dict[str, str]:
    return {"rules:\n": PRIVACY.replace("STORE", store).replace("POLICY", policy)} | HELD


async def everything(database: AsyncDatabase[Document]) -> bytes:
    """All documents as they lie there."""
    found: list[bytes] = []
    for name in await database.list_collection_names():
        found += [
            bson.encode(row, codec_options=database.codec_options) async for row in database[name].find()
        ]
    return b"\n".join(found)


async def one(gateway: Gateway, *states: State) -> Delivery:
    collection = gateway.store.client[gateway.store.name]["deliveries"]
    while True:
        row = await collection.find_one({"finished": {"$exists": True}})
        found = await gateway.store.deliveries.get(row["_id"]) if row else None
        if found is not None and (not states or found.state in states):
            return found
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("below", ["body.items.*", "item"])
@pytest.mark.parametrize("policy", ["pseudonym", "hold"])
async def test_what_is_hidden_is_not_in_the_database_whether_it_is_mapped_or_waits(
    serve: Serve,
    mappings_folder: Callable[..., Path],
    database: AsyncDatabase[Document],
    policy: str,
    below: str,
) -> None:
    changes = hiding(policy=policy)
    changes["rules:\n"] = changes["rules:\n"].replace("body.items.*", below)
    folder = str(mappings_folder(**changes))
    async with serve(hooks__mappings=folder) as gateway:
        assert (await post_acme(gateway.http(), acme_item("1", **CANARIES))).status == 200
        delivery = await one(gateway)
        raw = await everything(database)
        assert [canary for canary in CANARIES.values() if canary.encode() in raw] == []
        assert re.search(rb'"parent":"[0-9a-f]{32}"', delivery.body)
        shown = await gateway.lrs.at(gateway.url + "/api/v1").get(f"/deliveries/{delivery.id}")
        assert shown.status == 200
        assert b"canary" not in shown.body.lower()
        api = gateway.lrs.at(gateway.url + "/api/v1")
        explained = await api.post("/mappings/acme/explain", body={"delivery": str(delivery.id)})
        assert explained.status == 200, explained.body
        assert b"canary" not in explained.body.lower()
        assert b"identity.learner.email" in explained.body
        # The identity is still there for whoever has the key: the person can become known later.
        entry = {"kind": "email", "value": CANARIES["mail"], "account": "S-1"}
        await api.post("/directory", body={"entries": [entry]})
        if policy == "hold":
            await one(gateway, State.DONE)
            (statement,) = (await gateway.lrs.get("/statements")).json()["statements"]
            assert statement["actor"]["account"] == {"homePage": "https://id.example.edu", "name": "S-1"}


@pytest.mark.parametrize("store_raw", ["keep", "hash-only", "none"])
async def test_what_is_kept_of_a_request_is_what_the_mapping_says(
    serve: Serve, mappings_folder: Callable[..., Path], database: AsyncDatabase[Document], store_raw: str
) -> None:
    folder = str(mappings_folder(**hiding(store_raw)))
    async with serve(hooks__mappings=folder) as gateway:
        await post_acme(gateway.http(), acme_item("1", **CANARIES))
        await one(gateway, State.DONE)
        await gateway.store.deliveries.forget_bodies((await one(gateway)).received.replace(year=2099))
        found = await one(gateway)
        again = await post_acme(gateway.http(), acme_item("1", **CANARIES))
        assert again.json()["duplicate"] is True
    raw = await everything(database)
    assert (CANARIES["phone"].encode() in raw) is (store_raw == "keep")
    assert (found.body == b"", found.sealed) == (store_raw != "keep", None)
    assert (found.headers == (), found.url == "") == ((store_raw == "none"), (store_raw == "none"))


async def test_a_new_epoch_makes_new_pseudonyms_and_replays_keep_the_old_ones(
    serve: Serve, mappings_folder: Callable[..., Path]
) -> None:
    folder = str(mappings_folder(**hiding()))
    names: list[str] = []
    for epoch in (1, 2):
        async with serve(hooks__mappings=folder, privacy__epoch=epoch) as gateway:
            await post_acme(gateway.http(), acme_item(str(epoch), **CANARIES))
            while len(found := (await gateway.lrs.get("/statements")).json()["statements"]) < epoch:
                await asyncio.sleep(0.01)
            names.append(found[0]["actor"]["account"]["name"])
            api: Any = gateway.lrs.at(gateway.url + "/api/v1")
            body = {"filter": {}, "dryRun": True, "lookups": "original"}
            rows = (await api.post("/deliveries/replay", body=body)).json()["deliveries"]
            assert {row["state"] for row in rows} == {"done"}
    assert len(set(names)) == 2
