from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from pathlib import Path
from uuid import uuid4

import aiohttp
import pytest

from tests.process import KEY, SECRET, GatewayProcess, gateway_process

pytestmark = pytest.mark.faults

CONNECTIONS = 64


def headers() -> dict[str, str]:
    return {
        "Authorization": aiohttp.encode_basic_auth(KEY, SECRET),
        "Content-Type": "application/json",
        "X-Experience-API-Version": "2.0.0",
    }


def statement(identifier: str) -> dict[str, object]:
    return {
        "id": identifier,
        "actor": {"account": {"homePage": "https://id.example.edu", "name": f"u{random.randrange(50)}"}},
        "verb": {"id": "http://adlnet.gov/expapi/verbs/experienced"},
        "object": {"id": f"https://lms.example.edu/pages/{random.randrange(50)}"},
    }


async def write_until_it_dies(gateway: GatewayProcess, acknowledged: list[str], sent: list[str]) -> None:
    """One connection: single statements and now and then a batch, noting what was acknowledged."""
    async with aiohttp.ClientSession(headers=headers()) as session:
        while True:
            ids = [str(uuid4()) for _ in range(20 if random.random() < 0.1 else 1)]
            sent += ids
            try:
                async with session.post(
                    f"{gateway.url}/xapi/statements", data=json.dumps([statement(each) for each in ids])
                ) as answer:
                    if answer.status == 200:
                        acknowledged += await answer.json()
            except aiohttp.ClientError:
                return


async def read_all(gateway: GatewayProcess) -> list[str]:
    found: list[str] = []
    async with aiohttp.ClientSession(headers=headers()) as session:
        path = "/xapi/statements?limit=500&ascending=true"
        while path:
            async with session.get(gateway.url + path) as answer:
                page = await answer.json()
            found += [each["id"] for each in page["statements"]]
            path = page["more"]
    return found


@pytest.mark.parametrize("workers", [1, 2])
async def test_after_kill_9_under_load_every_acknowledged_statement_is_there_exactly_once(
    tmp_path: Path, workers: int
) -> None:
    acknowledged: list[str] = []
    sent: list[str] = []
    with gateway_process(tmp_path / "data", workers=workers) as gateway:
        for _ in range(3):
            async with asyncio.TaskGroup() as tasks:
                for _ in range(CONNECTIONS):
                    tasks.create_task(write_until_it_dies(gateway, acknowledged, sent))
                await asyncio.sleep(random.uniform(1.5, 3.0))
                await asyncio.to_thread(gateway.kill)
            await asyncio.to_thread(gateway.start)
        stored = Counter(await read_all(gateway))

    assert len(acknowledged) > CONNECTIONS
    assert set(acknowledged) <= stored.keys()
    assert set(stored.values()) == {1}
    # What was not acknowledged may or may not be there, but nothing was made up.
    assert stored.keys() <= set(sent)
