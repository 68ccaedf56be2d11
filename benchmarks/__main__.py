"""`python -m benchmarks`: measures the gateway against its ceilings and says which bars are met."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import platform
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks import cmi5, console, contests, filling, inprocess, report, servers, webhooks
from benchmarks.contests import Contest
from benchmarks.load import LoadError
from benchmarks.runs import Effort, Outcome, Peer, compete, fill_peer, measure_peer
from benchmarks.samples import Population
from gateway.store.embedded import EmbeddedMongo

_WRITTEN, _READ, _HOOKED = "benchmark_written", "benchmark_read", "benchmark_hooked"
_RULES = "rules"
_WEBHOOKS = "webhooks"
_CMI5 = "cmi5"
_CONSOLE = "console"
_RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Parse the command line, run, print; exit status 1 if a bar is missed or a server misbehaves."""
    parts = [contest.name for contest in [*contests.writes(), *contests.reads(1000)]]
    names = [_RULES, _WEBHOOKS, _CMI5, _CONSOLE, *parts]
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", action="append", choices=names, help="run this part (may be repeated)")
    parser.add_argument("--quick", action="store_true", help="short rounds on 20 000 statements")
    parser.add_argument("--statements", type=int, help="statements to read from (default 200000)")
    parser.add_argument("--rounds", type=int, help="turns of each contestant (default 5)")
    parser.add_argument("--seconds", type=float, help="length of a turn (default 4)")
    parser.add_argument(
        "--peer", action="append", default=[], type=Peer.parse, metavar="NAME=URL,USER,SECRET"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures")
    parser.add_argument("--data-dir", type=Path, help="where to keep the database (default: a temporary one)")
    options = parser.parse_args()
    quick = options.quick
    effort = Effort(
        seconds=options.seconds or (1.5 if quick else 4.0), rounds=options.rounds or (2 if quick else 5)
    )
    statements = options.statements or (20_000 if quick else 200_000)
    only = set(options.only or names)
    try:
        figures = asyncio.run(_measure(only, statements, effort, options.peer, options.data_dir, quick=quick))
    except LoadError as error:
        sys.exit(f"The run was given up: {error}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")
    _RESULTS.mkdir(exist_ok=True)
    plot = _RESULTS / "benchmarks.svg"
    plot.write_text(report.plot(figures))
    print(f"\nPlot: {plot}")
    sys.exit(1 if report.missed(figures) else 0)


async def _measure(
    only: set[str],
    statements: int,
    effort: Effort,
    peers: Sequence[Peer],
    data_dir: Path | None,
    *,
    quick: bool,
) -> dict[str, Any]:
    figures: dict[str, Any] = {
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}",
        "load_before": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "statements": statements,
        "contests": [],
        "peers": [],
        "memory": {},
    }
    report.heading(figures)
    if _RULES in only:
        figures["rules"] = {
            "parse": inprocess.parse(effort.rounds),
            "validate_prepare": inprocess.validate_and_prepare(effort.rounds),
        }
        report.show_rules(figures)
    writes = [contest for contest in contests.writes() if contest.name in only]
    reads = [contest for contest in contests.reads(statements) if contest.name in only]
    with tempfile.TemporaryDirectory(prefix="xapi-gateway-bench-") as temporary:
        directory = data_dir or Path(temporary)
        async with EmbeddedMongo(directory / "data") as mongo:
            if writes:
                await _phase("writes", writes, directory, mongo, _WRITTEN, effort, figures)
                await filling.drop(mongo.uri, _WRITTEN, servers.CEILING_DATABASE)
            if _WEBHOOKS in only:
                log = directory / "webhooks.log"
                async with servers.gateway(directory / "data", _HOOKED, log) as gateway:
                    figures["webhooks"] = await webhooks.measure(
                        gateway, mongo.uri, _HOOKED, mongo.pid, effort
                    )
                report.show_webhooks(figures["webhooks"])
                await filling.drop(mongo.uri, _HOOKED)
            if reads:
                seconds = await filling.fill(mongo.uri, _READ, statements)
                print(f"{statements} statements filled in {seconds:.0f} s", file=sys.stderr)
                await _phase("reads", reads, directory, mongo, _READ, effort, figures)
                await filling.drop(mongo.uri, _READ)
            if _CMI5 in only:
                figures["cmi5"] = await cmi5.measure(directory, mongo, quick=quick)
                report.show_cmi5(figures["cmi5"])
                figures["memory"]["courses"] = figures["cmi5"]["memory"]
            if _CONSOLE in only:
                figures["console"] = await console.measure(directory, mongo, statements, quick=quick)
                report.show_console(figures["console"])
                await filling.drop(mongo.uri, console.DATABASE)
    for peer in peers:
        await _peer(peer, writes, reads, statements, effort, figures)
    report.show_memory(figures)
    return figures


async def _phase(
    name: str,
    phase: Sequence[Contest],
    directory: Path,
    mongo: EmbeddedMongo,
    database: str,
    effort: Effort,
    figures: dict[str, Any],
) -> None:
    async with _servers(directory, mongo, database) as (gateway, ceiling):
        for contest in phase:
            outcome: Outcome = await compete(contest, gateway, ceiling, mongo.pid, effort)
            figures["contests"].append(outcome.as_json())
            report.show_contest(figures["contests"][-1])
        figures["memory"][name] = gateway.peak_memory()


@contextlib.asynccontextmanager
async def _servers(
    directory: Path, mongo: EmbeddedMongo, database: str
) -> AsyncIterator[tuple[servers.Running, servers.Running]]:
    async with (
        servers.gateway(directory / "data", database, directory / "gateway.log") as gateway,
        servers.ceiling(mongo.uri, database, directory / "ceilings.log") as ceiling,
    ):
        yield gateway, ceiling


async def _peer(
    peer: Peer,
    writes: Sequence[Contest],
    reads: Sequence[Contest],
    statements: int,
    effort: Effort,
    figures: dict[str, Any],
) -> None:
    """Reads first: a store that was filled and nothing else."""
    if reads:
        await fill_peer(peer, contests.PAGE, statements, Population.of(statements).size)
    for contest in [*reads, *writes]:
        measured = await measure_peer(peer, contest, effort)
        figures["peers"].append(
            {"peer": peer.name, "name": contest.name, "unit": contest.unit}
            | {"rate": measured.rate, "p50": measured.p50, "p99": measured.p99}
        )
        report.show_peer(figures["peers"][-1])


if __name__ == "__main__":
    main()
