"""Every page of the console on a large store: what 95 of 100 visits take at most."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from aiohttp import ClientSession, CookieJar

from benchmarks import servers
from benchmarks.filling import fill
from benchmarks.samples import Population
from gateway.app import open_services
from gateway.services.people import People
from gateway.settings import load
from gateway.store.connection import connect
from gateway.store.embedded import EmbeddedMongo
from gateway.store.store import Store

DATABASE = "benchmark_console"
_PASSWORD = "a bicycle made of cheese"
_VISITS, _QUICK_VISITS = 40, 10


def pages(people: Population) -> list[tuple[str, str]]:
    """Each page with its filters, by the name under which it is reported."""
    agent = people.actor(4)["account"]
    who = f"{agent['homePage']} {agent['name']}"
    activity = str(people.activity(7)["id"])
    verb = str(people.statement(3)["verb"]["id"])
    span = {"from": "2020-01", "to": "2026-12"}

    def address(path: str, **given: str) -> str:
        return f"{path}?{urlencode(given)}" if given else path

    return [
        ("home", "/"),
        ("leaders", "/leaders"),
        ("connect", "/connect"),
        ("statements", "/statements"),
        ("statements of somebody", address("/statements", agent=who)),
        ("statements with a verb", address("/statements", verb=verb)),
        ("statements about an activity", address("/statements", activity=activity)),
        ("statements about and by", address("/statements", activity=activity, agent=who, related="1")),
        ("statements of nobody", address("/statements", agent="nobody@example.org", verb=verb)),
        ("statements with a verb, until long ago", address("/statements", verb=verb, until="2001-01-01")),
        ("live", "/live"),
        ("live, filtered", address("/live", verb="nothing", text="nothing")),
        ("reports", "/reports"),
        ("reports of seven years", address("/reports", **span)),
        ("reports of a source", address("/reports", source="credential benchmark", **span)),
        ("sources", "/sources"),
        ("deliveries", "/deliveries"),
        ("deliveries that failed", address("/deliveries", state="failed")),
        ("mappings", "/mappings"),
        ("playground", "/playground"),
        ("courses", "/courses"),
        ("credentials", "/credentials"),
        ("people", "/people"),
        ("audit", "/audit"),
        ("system", "/system"),
    ]


async def measure(directory: Path, mongo: EmbeddedMongo, statements: int, *, quick: bool) -> dict[str, Any]:
    """Milliseconds of each page: median, 95th percentile; seconds to count all for reports."""
    await fill(mongo.uri, DATABASE, statements)
    counted = await _counted(mongo.uri)
    async with (
        servers.gateway(directory / "data", DATABASE, directory / "console.log") as gateway,
        ClientSession(cookie_jar=CookieJar(unsafe=True)) as session,
    ):
        base = f"http://127.0.0.1:{gateway.port}/admin"
        await enter(session, base, await _first_link(mongo.uri))
        visits = _QUICK_VISITS if quick else _VISITS
        times = await visit(session, base, pages(Population.of(statements)), visits)
        return {
            "pages": {name: _figures(taken) for name, taken in times.items()},
            "statements": statements,
            "counted": counted,
        }


async def visit(
    session: ClientSession, base: str, listed: Sequence[tuple[str, str]], visits: int
) -> dict[str, list[float]]:
    """Open each page that often, one after the other; the milliseconds of each visit."""
    times: dict[str, list[float]] = {}
    for _ in range(visits):
        for name, path in listed:
            started = time.perf_counter()
            async with session.get(base + path, allow_redirects=False) as answer:
                text = await answer.text()
                if answer.status != 200:
                    raise RuntimeError(f"{path} answered {answer.status}: {text[:500]}")
            times.setdefault(name, []).append((time.perf_counter() - started) * 1000)
    return times


def _figures(taken: list[float]) -> dict[str, float]:
    ordered = sorted(taken)
    return {
        "median": ordered[len(ordered) // 2],
        "p95": ordered[min(round(len(ordered) * 0.95), len(ordered) - 1)],
    }


async def _first_link(uri: str) -> str:
    async with connect(uri, app_name="benchmarks") as client:
        settings = load(None, {}, {"mongo.database": DATABASE})
        link = await People.of(settings, Store(client, DATABASE)).first_link(settings.stores.default)
    if link is None:
        raise RuntimeError("somebody has a password already")
    return link


async def enter(session: ClientSession, base: str, link: str) -> None:
    """Choose a password with the link of the first person, which signs in."""
    async with session.get(f"{base}/welcome/{link}") as page:
        found = re.search(r'name="csrf" value="(\w+)"', await page.text())
    if found is None:
        raise RuntimeError("the link of the first person does not open")
    form = {"csrf": found[1], "password": _PASSWORD, "again": _PASSWORD}
    origin = base.removesuffix("/admin")
    async with session.post(f"{base}/welcome/{link}", data=form, headers={"Origin": origin}) as answer:
        if answer.status != 200:
            raise RuntimeError(f"signing in was answered {answer.status}")


async def _counted(uri: str) -> float:
    """Count everything for reports, as the command does; the seconds it took."""
    settings = load(None, {}, {"mongo.database": DATABASE})
    started = time.perf_counter()
    async with connect(uri, app_name="benchmarks") as client:
        services = (await open_services(settings, client))[settings.stores.default]
        await services.reports.rebuild(lambda done, of: None)
    return time.perf_counter() - started
