"""Runs contests: gateway and ceilings in turns, so that what else the machine does falls on both."""

from __future__ import annotations

import base64
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from benchmarks.contests import Contest
from benchmarks.documents import KEY
from benchmarks.load import Job, Result, run_apart
from benchmarks.servers import SECRET, Running, cpu_seconds
from benchmarks.work import Work

_TO_THE_END_SECONDS = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How long and how often."""

    seconds: float
    rounds: int


@dataclass(slots=True, kw_only=True)
class Measured:
    """One contestant over all rounds; CPU in microseconds for one unit of work."""

    name: str
    unit: str
    bar: float | None = None
    results: list[Result] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    database_cpu: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return statistics.median(result.rate(self.unit) for result in self.results)

    @property
    def p50(self) -> float:
        return statistics.median(result.p50 for result in self.results)

    @property
    def p99(self) -> float:
        return statistics.median(result.p99 for result in self.results)

    def ratios(self, other: Measured) -> list[float]:
        """This one's rate as a share of the other's, round by round."""
        pairs = zip(self.results, other.results, strict=True)
        return [mine.rate(self.unit) / theirs.rate(self.unit) for mine, theirs in pairs]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A contest and what came of it."""

    contest: Contest
    gateway: Measured
    ceilings: Sequence[Measured]

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.contest.name,
            "title": self.contest.title,
            "unit": self.contest.unit,
            "gateway": _figures(self.gateway),
            "ceilings": [
                _figures(ceiling) | {"bar": ceiling.bar, "ratio": statistics.median(ratios), "ratios": ratios}
                for ceiling in self.ceilings
                for ratios in [self.gateway.ratios(ceiling)]
            ],
        }


async def compete(
    contest: Contest, gateway: Running, ceiling: Running, database: int | None, effort: Effort
) -> Outcome:
    """Gateway, ceilings, gateway, ceilings … Raises LoadError."""
    ours = Measured(name="gateway", unit=contest.unit)
    others = [Measured(name=other.name, unit=contest.unit, bar=other.bar) for other in contest.ceilings]
    entrants = [
        (ours, gateway, contest.gateway),
        *((measured, ceiling, item.work) for measured, item in zip(others, contest.ceilings, strict=True)),
    ]
    if contest.prime is not None:
        await run_apart(
            job_of(contest, contest.prime, f"http://127.0.0.1:{gateway.port}", effort, connections=1)
        )
    for _ in range(effort.rounds):
        for measured, server, work in entrants:
            before = server.cpu_seconds(), cpu_seconds(database)
            result = await run_apart(job_of(contest, work, f"http://127.0.0.1:{server.port}", effort))
            measured.results.append(result)
            units = max(result.all_statements if contest.unit == "statements" else result.all_requests, 1)
            measured.cpu.append((server.cpu_seconds() - before[0]) / units * 1e6)
            measured.database_cpu.append((cpu_seconds(database) - before[1]) / units * 1e6)
    return Outcome(contest=contest, gateway=ours, ceilings=others)


@dataclass(frozen=True, slots=True)
class Peer:
    """Another LRS: the address of its xAPI endpoint, and credentials."""

    name: str
    url: str
    user: str
    password: str

    @classmethod
    def parse(cls, text: str) -> Peer:
        """`name=url,user,secret`; raises ValueError."""
        name, equals, rest = text.partition("=")
        parts = rest.split(",", 2)
        if not equals or len(parts) != 3 or not urlsplit(parts[0]).hostname:
            raise ValueError(f"{text!r} is not of the form name=url,user,secret")
        return cls(name, *parts)


async def measure_peer(peer: Peer, contest: Contest, effort: Effort) -> Measured:
    """The work of a contest done by another LRS. Raises LoadError."""
    measured = Measured(name=peer.name, unit=contest.unit)
    for _ in range(effort.rounds):
        measured.results.append(await run_apart(_peer_job(peer, contest, contest.gateway, effort)))
    return measured


async def fill_peer(peer: Peer, batch: int, statements: int, population: int) -> None:
    """Store the statements that reads are measured on. Raises LoadError."""
    work = Work(kind="fill", path="", statements=statements, population=population, limit=batch)
    filling = Contest(
        name="fill", title="", unit="statements", connections=1, gateway=work, ceilings=(), to_the_end=True
    )
    await run_apart(_peer_job(peer, filling, work, Effort(seconds=0, rounds=1)))


def _peer_job(peer: Peer, contest: Contest, work: Work, effort: Effort) -> Job:
    path = urlsplit(peer.url).path.rstrip("/") + "/statements"
    values = {name: getattr(work, name) for name in Work.__slots__} | {"path": path}
    return job_of(contest, Work(**values), peer.url, effort, user=peer.user, password=peer.password)


def job_of(
    contest: Contest,
    work: Work,
    url: str,
    effort: Effort,
    *,
    user: str = KEY,
    password: str = SECRET,
    connections: int | None = None,
) -> Job:
    """The work as a job for the load client."""
    address = urlsplit(url)
    pair = base64.b64encode(f"{user}:{password}".encode()).decode()
    return Job(
        host=address.hostname or "",
        port=address.port or 80,
        headers={"Authorization": f"Basic {pair}", "X-Experience-API-Version": "1.0.3"},
        work=work,
        connections=connections or contest.connections,
        seconds=_TO_THE_END_SECONDS if contest.to_the_end else effort.seconds,
        warm_up=0.0 if contest.to_the_end else 0.5,
        to_the_end=contest.to_the_end,
    )


def _figures(measured: Measured) -> dict[str, Any]:
    return {
        "name": measured.name,
        "rates": [result.rate(measured.unit) for result in measured.results],
        "rate": measured.rate,
        "p50": measured.p50,
        "p99": measured.p99,
        "cpu": statistics.median(measured.cpu) if measured.cpu else None,
        "database_cpu": statistics.median(measured.database_cpu) if measured.database_cpu else None,
    }
