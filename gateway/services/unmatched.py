"""What vendors send that no rule is for: types of events in recent deliveries, as findings about mappings."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from adapters import Lint
from adapters import Mapping as AdapterMapping
from adapters.linting.findings import allowed
from adapters.loading.yaml_source import MapNode, Place
from gateway.services.texts import time_text
from gateway.store import unmatched as store
from gateway.store.unmatched import MOST_DELIVERIES, UnmatchedType

RECENT = dt.timedelta(days=7)
_UNMATCHED, _WITHOUT_RULE = "unmatched", "no_rule"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What no rule was for since then, most frequent first, by adapter and type.

    `ignored` was ignored without a rule, such as an empty batch. It is `whole` if all deliveries of that time
    were looked at; of very many only the newest are.
    """

    since: dt.datetime
    unmatched: Sequence[UnmatchedType]
    ignored: Sequence[UnmatchedType]
    whole: bool

    def of(self, adapters: Collection[str]) -> Report:
        """What is about these adapters."""
        return Report(
            since=self.since,
            unmatched=[one for one in self.unmatched if one.adapter in adapters],
            ignored=[one for one in self.ignored if one.adapter in adapters],
            whole=self.whole,
        )

    def as_json(self) -> dict[str, Any]:
        """For the management API: `types` by what became of them."""
        return {
            "since": time_text(self.since),
            "whole": self.whole,
            "unmatched": [type_view(one) for one in self.unmatched],
            "ignored": [type_view(one) for one in self.ignored],
        }


def type_view(one: UnmatchedType) -> dict[str, Any]:
    """A type of event as JSON; `newest` is where to look at one."""
    newest = {"delivery": str(one.delivery), "event": one.event, "received": time_text(one.received)}
    return {"adapter": one.adapter, "kind": one.kind, "events": one.events, "newest": newest}


class Unmatched:
    """Event types that the mappings of one store do not know."""

    def __init__(self, types: store.Unmatched) -> None:
        self._types = types

    async def recent(self, since: dt.datetime, *, adapters: Sequence[str] | None = None) -> Report:
        """What no rule was for in deliveries received from `since` on; of these adapters, or of all.

        Two aggregations on an index; at most `MOST_DELIVERIES` of the newest deliveries are read. Deliveries
        are counted as they were mapped last: after a rule is added, replay them.
        """
        return Report(
            since=since,
            unmatched=await self._types.types(_UNMATCHED, since, adapters=adapters),
            ignored=await self._types.types(_WITHOUT_RULE, since, adapters=adapters),
            whole=await self._types.whole(_UNMATCHED, since, adapters=adapters),
        )


def findings(mapping: AdapterMapping, report: Report) -> list[Lint]:
    """W220 and N202 about a mapping, at its `rules:`; `report` is about its adapters."""
    place = _rules(mapping)
    since = f"{report.since.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC"
    most = "" if report.whole else f" among the newest {MOST_DELIVERIES} deliveries"
    found: list[Lint] = []
    for one in report.unmatched:
        what = f"{one.kind!r}" if one.kind is not None else "an event without a type"
        message = f"no rule is for {what}: {_counted(one)} since {since}{most}, {_newest(one, mapping)}"
        again = f"deliveries replay --adapter {one.adapter} --code unmatched"
        help = f"add a rule, or one with `ignore: true`; then {again}"
        found.append(place.lint("W220", message, help=help))
    for one in report.ignored:
        message = f"{_counted(one)} ignored without a rule since {since}, {_newest(one, mapping)}"
        found.append(place.lint("N202", message))
    return [one for one in found if not allowed(one, mapping.texts.get(one.file, ""))]


def _counted(one: UnmatchedType) -> str:
    return f"{one.events} event{'s' if one.events != 1 else ''}"


def _newest(one: UnmatchedType, mapping: AdapterMapping) -> str:
    of = f" of {one.adapter}" if one.adapter != mapping.name else ""
    return f"the newest{of} in delivery {one.delivery}"


def _rules(mapping: AdapterMapping) -> Place:
    node: MapNode = mapping.node
    key = node.keys.get("rules")
    return key.place if key is not None else node.place
