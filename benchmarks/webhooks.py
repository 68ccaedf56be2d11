"""From a webhook to a stored statement, against posting that statement: until the last one is stored."""

from __future__ import annotations

import asyncio
import statistics
import time
from typing import Any

from benchmarks.contests import Contest, writes
from benchmarks.load import run_apart
from benchmarks.runs import Effort, job_of
from benchmarks.servers import Running, cpu_seconds
from benchmarks.work import Work
from gateway.store.connection import connect
from gateway.store.store import Store

BAR = 0.5
_CONNECTIONS = 64
_WARM_UP = 0.5  # seconds, as of every job


async def measure(
    gateway: Running, uri: str, database: str, mongod: int | None, effort: Effort
) -> dict[str, Any]:
    """Posts and webhooks in turns. Raises LoadError."""
    posting = next(contest for contest in writes() if contest.name == "post-one")
    hooking = Contest(
        name="webhook",
        title="webhook to stored statement",
        unit="requests",
        connections=_CONNECTIONS,
        gateway=Work(kind="hook", path="/hooks/zoom"),
        ceilings=(),
    )
    url = f"http://127.0.0.1:{gateway.port}"
    rounds: list[dict[str, float]] = []
    async with connect(uri, app_name="benchmarks") as client:
        store = Store(client, database)
        for _ in range(effort.rounds):
            posted = await run_apart(job_of(posting, posting.gateway, url, effort))
            before = await store.statements.count()
            cpu = gateway.cpu_seconds(), cpu_seconds(mongod)
            begun = time.perf_counter()
            sent = await run_apart(job_of(hooking, hooking.gateway, url, effort))
            ended = time.perf_counter()
            while await store.statements.count() < before + sent.all_requests:
                await asyncio.sleep(0.01)
            # Sent within warm-up and counted time; the start of the client's process is nobody's.
            busy = min(effort.seconds + _WARM_UP, ended - begun) + time.perf_counter() - ended
            rounds.append(
                {
                    "posted": posted.rate("requests"),
                    "stored": sent.all_requests / busy,
                    "acknowledged": sent.rate("requests"),
                    "p50": sent.p50,
                    "p99": sent.p99,
                    "cpu": (gateway.cpu_seconds() - cpu[0]) / sent.all_requests * 1e6,
                    "database_cpu": (cpu_seconds(mongod) - cpu[1]) / sent.all_requests * 1e6,
                }
            )
    figures = {key: statistics.median(one[key] for one in rounds) for key in rounds[0]}
    ratios = [one["stored"] / one["posted"] for one in rounds]
    return figures | {"ratio": statistics.median(ratios), "ratios": ratios, "bar": BAR}
