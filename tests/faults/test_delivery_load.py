"""Ten thousand deliveries with duplicates while the gateway is killed again and again: each exactly once."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import random
from collections import Counter
from pathlib import Path

import pytest
from aiohttp import ClientError, ClientSession, ClientTimeout

from gateway.store.connection import connect
from gateway.store.delivery_records import State
from gateway.store.embedded import EmbeddedMongo
from gateway.store.store import Store
from tests.process import GatewayProcess, gateway_process
from tests.vendors import ACME, ACME_SECRET, acme_headers, acme_item, all_mapped

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]

DELIVERIES = 10_000
SENDERS = 16
POISONED = 97  # every so many-th delivery has an item that cannot be mapped beside one that can


def body_of(number: int) -> bytes:
    items = [acme_item(f"d{number}", course=f"d{number}")]
    if number % POISONED == 0:
        items.append(acme_item(f"poison{number}", score="many"))
    return json.dumps({"items": items}).encode()


class Vendor:
    """Sends every delivery until it is acknowledged, some of them again and again, whatever is killed."""

    def __init__(self) -> None:
        self.left = list(range(DELIVERIES))
        self.acknowledged = Counter[int]()
        self.gateway: GatewayProcess | None = None
        self.chance = random.Random(7)
        self.chance.shuffle(self.left)

    async def send(self) -> None:
        async with ClientSession(timeout=ClientTimeout(total=20)) as session:
            while self.left:
                number = self.left.pop()
                again = self.chance.random() < 0.2
                while not await self._posted(session, number):
                    await asyncio.sleep(0.05)
                if again:
                    await self._posted(session, number)

    async def _posted(self, session: ClientSession, number: int) -> bool:
        if self.gateway is None:
            return False
        body = body_of(number)
        try:
            async with session.post(
                f"{self.gateway.url}/hooks/acme", data=body, headers=acme_headers(body)
            ) as response:
                assert response.status in (200, 503), await response.text()
                accepted = response.status == 200 and (await response.json())["delivery"]
        except (ClientError, ConnectionError, TimeoutError):
            return False
        self.acknowledged[number] += bool(accepted)
        return bool(accepted)


async def test_ten_thousand_deliveries_are_stored_exactly_once_however_often_the_gateway_is_killed(
    tmp_path: Path,
) -> None:
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings" / "acme.yaml").write_text(ACME)
    environment = {
        "ACME_SECRET": ACME_SECRET,
        "XAPI_GATEWAY__HOOKS__MAPPINGS": str(tmp_path / "mappings"),
        "XAPI_GATEWAY__MONGO__DATABASE": "faults",
    }
    data, vendor, kills = tmp_path / "data", Vendor(), 0
    async with EmbeddedMongo(data) as server, connect(server.uri, app_name="tests") as client:
        store = Store(client, "faults")
        senders = [asyncio.create_task(vendor.send()) for _ in range(SENDERS)]
        # Killed at whatever step each delivery happens to be in: verified, stored, claimed, mapped, finished.
        while not all(task.done() for task in senders):
            with gateway_process(data, environment=environment) as gateway:
                vendor.gateway = gateway
                begun = sum(vendor.acknowledged.values())
                share = vendor.chance.randrange(300, 1500)
                while sum(vendor.acknowledged.values()) < begun + share and not all(
                    t.done() for t in senders
                ):
                    await asyncio.sleep(0.01)
                await asyncio.to_thread(gateway.kill)
                vendor.gateway = None
                kills += 1
        await asyncio.gather(*senders)
        # The leases of the killed ones run out at once: nobody has to wait a minute for them.
        await client["faults"]["deliveries"].update_many(
            {"due": {"$exists": True}}, [{"$set": {"due": "$received"}}]
        )
        with gateway_process(data, environment=environment):
            await all_mapped(store)
        courses = Counter(
            [
                row["statement"]["object"]["id"].rpartition("/")[2]
                async for row in client["faults"]["statements"].find({}, {"statement.object.id": 1})
            ]
        )
        now = dt.datetime.now(dt.UTC)
        hours = await store.delivery_hours.between(
            now - dt.timedelta(hours=3), now - dt.timedelta(hours=3), now + dt.timedelta(hours=1), "acme"
        )
    assert kills > 5
    assert set(vendor.acknowledged) == set(range(DELIVERIES))
    assert courses == Counter({f"d{number}": 1 for number in range(DELIVERIES)})
    poisoned = len(range(0, DELIVERIES, POISONED))
    assert sum(hour.deliveries for hour in hours) == DELIVERIES
    assert sum(hour.statements for hour in hours) == DELIVERIES
    assert sum(hour.states[State.DONE] for hour in hours) == DELIVERIES - poisoned
    assert sum(hour.states[State.FAILED] for hour in hours) == poisoned
    assert sum(hour.events[State.DONE] for hour in hours) == DELIVERIES
    assert sum(hour.events[State.FAILED] for hour in hours) == poisoned
    # Every acknowledgement was stored or counted as a duplicate; a killed process may have stored more.
    assert sum(hour.deliveries + hour.duplicates for hour in hours) >= sum(vendor.acknowledged.values())
