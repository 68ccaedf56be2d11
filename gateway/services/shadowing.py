"""A shadow mapping runs beside the active one, stores nothing, and tells what it would have said instead."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import structlog

from adapters import Adapted, Event, Failed
from adapters import Mapping as AdapterMapping
from gateway.services.adapting import Adapting, Made, events_of, without_provenance
from gateway.services.lookups import Asking, Found
from gateway.services.metrics import SHADOW_STATEMENTS
from gateway.services.privacy import PrivacyKeys
from gateway.services.replacing import differences
from gateway.services.supplying import Answers, Supply
from gateway.store.delivery_records import Fetched, Outcome
from gateway.store.shadows import MOST_SAMPLES, Shadows

log = structlog.get_logger(__name__)


class Shadowing:
    """Compares what two mappings make of the same deliveries."""

    def __init__(self, shadows: Shadows, *, clock: Callable[[], dt.datetime]) -> None:
        self._shadows = shadows
        self._clock = clock

    async def compare(
        self,
        shadow: AdapterMapping,
        active: AdapterMapping,
        adapting: Adapting,
        made: Sequence[Made | Outcome],
        fetched: Fetched | None,
        keys: PrivacyKeys,
    ) -> None:
        """Count what the shadow says differently of a delivery. Never raises for what the shadow does."""
        try:
            asking = _asking(shadow, adapting, fetched, keys)
            found = (await adapting.resolver.find([asking]))[0] if shadow.asks else Found()
            counts, samples = _compared(adapting, asking, found, made)
        except Exception as error:  # whatever a mapping in trial does, the active one goes on
            log.warning(
                "shadow mapping failed", adapter=active.name, error=f"{type(error).__name__}: {error}"
            )
            counts, samples = Counter(failed=1), []
        for name, number in counts.items():
            SHADOW_STATEMENTS.labels(active.name, name).inc(number)
        pair = (active.name, active.revision, shadow.revision)
        await self._shadows.count(pair, counts, samples, self._clock())


def _asking(shadow: AdapterMapping, adapting: Adapting, fetched: Fetched | None, keys: PrivacyKeys) -> Asking:
    """What the shadow makes of a delivery; nothing is fetched for it that the active mapping did not want."""
    delivery, key = adapting.delivery, adapting.lookups.pseudonym_key
    events = events_of(shadow, delivery, keys)
    if shadow.fetch_back is None:
        return Asking.of(shadow, events, key=key)
    supply = Supply(
        shadow, replace(delivery, fetched=fetched or delivery.fetched), keys, epoch=delivery.epoch, kept=True
    )
    supplied = supply.supplied(events, Answers(), optional=shadow.fetch_back.optional)
    return Asking.of(shadow, supplied.events, supplied.failed, key=key)


def _compared(
    adapting: Adapting, asking: Asking, found: Found, made: Sequence[Made | Outcome]
) -> tuple[Counter[str], list[dict[str, Any]]]:
    resolver = adapting.resolver
    base = resolver.lookups(adapting.lookups, asking, found)
    active = _by_id(one for event in made if isinstance(event, Made) for one in event.statements)
    shadow: dict[str, dict[str, Any]] = {}
    counts: Counter[str] = Counter()
    samples: list[dict[str, Any]] = []
    delivery = str(adapting.delivery.id)
    for index, event in enumerate(asking.events):
        if not isinstance(event, Event):
            continue
        if index in asking.failed:
            counts["failed"] += 1
            continue
        lookups, _ = resolver.with_facts(base, asking, index, found)
        outcome = asking.mapping.adapt(event, lookups, delivery=delivery)
        if isinstance(outcome, Adapted):
            shadow |= _by_id(outcome.statements)
        elif isinstance(outcome, Failed):
            counts["failed"] += 1
            reason = outcome.problems[0].message if outcome.problems else "failed"
            samples.append({"delivery": delivery, "kind": "failed", "reason": reason})
    for identity in dict.fromkeys((*active, *shadow)):
        kind, changes = _kind(active.get(identity), shadow.get(identity))
        counts[kind] += 1
        if kind != "same":
            sample = {"delivery": delivery, "statement": identity, "kind": kind, "differences": changes}
            samples.append({**sample, "differences": _storable(changes)})
    return counts, samples[:MOST_SAMPLES]


def _by_id(statements: Any) -> dict[str, dict[str, Any]]:
    return {one["id"]: without_provenance(one) for one in statements}


def _kind(active: Any, shadow: Any) -> tuple[str, list[dict[str, Any]]]:
    if shadow is None:
        return "missing", []
    if active is None:
        return "extra", []
    changes = differences(active, shadow)
    return ("different" if changes else "same"), changes


def _storable(changes: list[dict[str, Any]]) -> list[dict[str, str]]:
    """As texts: a value of a statement may be one that BSON does not have."""
    return [
        {"path": one["path"], "stored": json.dumps(one["stored"]), "made": json.dumps(one["made"])}
        for one in changes[:10]
    ]
