"""Webhooks while things break: the database is stopped, gateways are killed under load."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientError, ClientSession

from gateway.store.connection import connect
from gateway.store.deliveries import DeliveryFilter
from gateway.store.delivery_records import State
from gateway.store.embedded import EmbeddedMongo
from gateway.store.store import Store
from tests.gateway import running, settings_for
from tests.mongo import until
from tests.process import GatewayProcess, gateway_process
from tests.vendors import (
    ACME,
    ACME_SECRET,
    acme_headers,
    acme_item,
    post_acme,
    vendor_secrets,
)

pytestmark = [pytest.mark.faults, pytest.mark.timeout(240)]
__all__ = ["vendor_secrets"]


async def test_without_mongodb_nothing_is_acknowledged_and_with_it_again_everything_works(
    tmp_path: Path, vendor_secrets: None
) -> None:
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings" / "acme.yaml").write_text(ACME)
    settings = settings_for("faults", hooks__mappings=str(tmp_path / "mappings"))
    async with (
        EmbeddedMongo(tmp_path / "data") as server,
        connect(server.uri, app_name="tests") as client,
        running(client, settings) as gateway,
    ):
        assert (await post_acme(gateway.http(), acme_item("before"))).status == 200
        killed = server.pid
        assert killed
        os.kill(killed, signal.SIGKILL)
        await until(lambda: server.pid is None)
        away = await post_acme(gateway.http(), acme_item("during"))
        assert (away.status, away.error["code"]) == (503, "unavailable")
        assert int(away.headers["Retry-After"]) >= 1
        watching = asyncio.create_task(server.watch())
        try:
            while (await post_acme(gateway.http(), acme_item("during"))).status != 200:
                await asyncio.sleep(0.1)
            while await gateway.store.statements.count() < 2:
                await asyncio.sleep(0.05)
            assert await gateway.store.statements.count() == 2
        finally:
            watching.cancel()
            await asyncio.wait({watching})


async def test_every_acknowledged_delivery_is_mapped_once_whenever_the_gateway_is_killed(
    tmp_path: Path,
) -> None:
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings" / "acme.yaml").write_text(ACME)
    environment = {
        "ACME_SECRET": ACME_SECRET,
        "XAPI_GATEWAY__HOOKS__MAPPINGS": str(tmp_path / "mappings"),
        "XAPI_GATEWAY__MONGO__DATABASE": "faults",
    }
    data = tmp_path / "data"
    acknowledged: set[str] = set()
    # The database outlives the gateway, so that only the gateway is what is killed.
    async with EmbeddedMongo(data) as server:
        for number, delay in enumerate((0.4, 0.8, 1.3)):
            with gateway_process(data, environment=environment) as gateway:
                async with asyncio.TaskGroup() as tasks:
                    for sender in range(8):
                        prefix = f"{number}-{sender}"
                        tasks.create_task(_send_until_it_dies(gateway, prefix, acknowledged))
                    await asyncio.sleep(delay)
                    await asyncio.to_thread(gateway.kill)
        assert acknowledged
        async with connect(server.uri, app_name="tests") as client:
            store = Store(client, "faults")
            left = DeliveryFilter(states=[State.RECEIVED])
            # The leases of the killed ones run out at once: nobody has to wait a minute for them.
            await client["faults"]["deliveries"].update_many(
                {"due": {"$exists": True}}, [{"$set": {"due": "$received"}}]
            )
            with gateway_process(data, environment=environment):
                while await store.deliveries.list(left, limit=1):
                    await asyncio.sleep(0.1)
            rows = [row async for row in client["faults"]["statements"].find()]
            deliveries = [row async for row in client["faults"]["deliveries"].find()]
    courses = [row["statement"]["object"]["id"].rpartition("/")[2] for row in rows]
    assert len(courses) == len(set(courses)), "a statement is there twice"
    assert acknowledged <= set(courses)
    assert {row["state"] for row in deliveries} == {"done"}
    assert len(deliveries) == len(rows)


async def _send_until_it_dies(gateway: GatewayProcess, prefix: str, acknowledged: set[str]) -> None:
    async with ClientSession() as session:
        for number in range(100_000):
            name = f"{prefix}-{number}"
            body = json.dumps({"items": [acme_item(name, course=name)]}).encode()
            try:
                async with session.post(
                    f"{gateway.url}/hooks/acme", data=body, headers=acme_headers(body)
                ) as response:
                    answer: Any = await response.json()
                    assert response.status == 200, answer
            except (ClientError, ConnectionError):
                return
            acknowledged.add(name)
