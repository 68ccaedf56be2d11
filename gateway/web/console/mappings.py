"""Mappings: which adapters run which text, what is wrong with it, what its tests reach, how it changed."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from adapters import Lint
from adapters import Mapping as AdapterMapping
from gateway.errors import NotFound
from gateway.services.clock import utc_now
from gateway.services.mappings import Adapter
from gateway.services.sources import is_set_up
from gateway.services.unmatched import RECENT
from gateway.store.delivery_hours import Hour
from gateway.store.delivery_records import State
from gateway.store.overview import Overview
from gateway.web.console.visits import Visit, text_of

_DAY = dt.timedelta(days=1)
_LATEST = 2_000
_SHOWN = (State.DONE, State.IGNORED, State.UNMATCHED, State.HELD, State.FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of a mapping with what is said about it."""

    number: int
    text: str
    lints: Sequence[Lint]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An adapter in the list; `counts` are those of a day."""

    adapter: Adapter
    shadow: AdapterMapping | None
    last: dt.datetime | None
    counts: Mapping[str, Any]


async def index(visit: Visit) -> web.Response:
    """Every adapter with what it did within a day."""
    hooks = visit.services.hooks
    adapters, now = hooks.adapters, utc_now()
    hours = await hooks.hours.between(now - _DAY, now + dt.timedelta(hours=1), None)
    last = await asyncio.gather(*(hooks.hours.last_received(one.name) for one in adapters))
    rows = [
        Row(
            adapter=adapter,
            shadow=hooks.mappings.shadow(adapter.name),
            last=moment,
            counts=_counted([hour for hour in hours if hour.adapter == adapter.name]),
        )
        for adapter, moment in zip(adapters, last, strict=True)
    ]
    used = [row for row in rows if row.last is not None or is_set_up(row.adapter)]
    return visit.page(
        "mappings.html",
        used=used,
        unused=[row.adapter for row in rows if row not in used],
        states=_SHOWN,
        folders=[str(folder) for folder in hooks.mappings.folders],
    )


async def show(visit: Visit) -> web.Response:
    """One adapter: its text with every finding at its line, rules, revisions, what no rule matched."""
    adapter = _adapter(visit)
    hooks, services = visit.services.hooks, visit.services
    counts = Overview(services.store.client, services.store.name)
    written, revisions, mapped, unmatched = await asyncio.gather(
        hooks.workbench.written(adapter.name),
        hooks.revisions.of(adapter.name),
        counts.revisions(adapter.name, _LATEST),
        hooks.unmatched.recent(utc_now() - RECENT, adapters=[adapter.name]),
    )
    return visit.page(
        "mapping.html",
        adapter=adapter,
        shadow=hooks.mappings.shadow(adapter.name),
        sources=sources_of(written.texts, written.lints),
        lints=written.lints,
        revisions=revisions,
        mapped=mapped,
        latest=_LATEST,
        unmatched=unmatched,
    )


async def test(visit: Visit) -> web.Response:
    """Run the tests beside a mapping."""
    adapter = _adapter(visit)
    tested = await visit.services.hooks.workbench.tested(adapter.name)
    return visit.page(
        "mapping_tests.html",
        adapter=adapter,
        tested=tested,
        failed=[one for one in tested.results if not one.passed],
    )


async def difference(visit: Visit) -> web.Response:
    """What changed between two revisions."""
    adapter, hooks = _adapter(visit), visit.services.hooks
    found = [await hooks.revisions.get(text_of(visit.request, name)[:64]) for name in ("before", "after")]
    for one in found:
        if one.adapter != adapter.name:
            raise NotFound(f"there is no revision {one.revision[:12]} of {adapter.name}")
    before, after = found
    lines = await hooks.workbench.difference(before.texts, after.texts)
    return visit.page(
        "mapping_diff.html", adapter=adapter, before=before, after=after, lines=[_kind(one) for one in lines]
    )


async def revision(visit: Visit) -> web.Response:
    """The text of a revision."""
    adapter = _adapter(visit)
    found = await visit.services.hooks.revisions.get(visit.request.match_info["revision"])
    if found.adapter != adapter.name:
        raise NotFound(f"there is no revision {found.revision[:12]} of {adapter.name}")
    return visit.page(
        "mapping_revision.html", adapter=adapter, revision=found, sources=sources_of(found.texts, ())
    )


def sources_of(texts: Mapping[str, str], lints: Sequence[Lint]) -> dict[str, list[Line]]:
    """The lines of each file with the findings about them."""
    found: dict[str, list[Line]] = {}
    for name, text in texts.items():
        of_line: dict[int, list[Lint]] = {}
        for lint in lints:
            if lint.file == name:
                of_line.setdefault(lint.line, []).append(lint)
        lines = text.splitlines() or [""]
        found[name] = [
            Line(number=number, text=line, lints=of_line.get(number, ()))
            for number, line in enumerate(lines, start=1)
        ]
    return found


def _adapter(visit: Visit) -> Adapter:
    return visit.services.hooks.adapter(visit.request.match_info["adapter"])


def _counted(hours: Sequence[Hour]) -> dict[str, Any]:
    states = {state: sum(hour.events.get(state, 0) for hour in hours) for state in _SHOWN}
    return {
        "deliveries": sum(hour.deliveries for hour in hours),
        "statements": sum(hour.statements for hour in hours),
        "states": states,
    }


def _kind(line: str) -> tuple[str, str]:
    """A line of a difference and what it is."""
    if line.startswith(("+++", "---", "@@")):
        return "place", line
    return {"+": "added", "-": "removed"}.get(line[:1], "same"), line
