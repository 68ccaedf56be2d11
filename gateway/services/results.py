"""What the outcomes of a delivery's events make of it, and how long it is kept then. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from adapters import Mapping as AdapterMapping
from adapters.privacy import Privacy
from gateway.services.adapting import state_of
from gateway.services.keeping import kept_for
from gateway.store.deliveries import Finished
from gateway.store.delivery_records import RESOLVED, Delivery, Outcome, State

_SOONEST_AGAIN = dt.timedelta(minutes=1)
_LATEST_AGAIN = dt.timedelta(hours=6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long resolved deliveries are kept, and how long their bodies."""

    records: dt.timedelta
    bodies: dt.timedelta


class Results:
    """Makes results, with what they mean for how long things are kept."""

    def __init__(self, retention: Retention, *, clock: Callable[[], dt.datetime]) -> None:
        self._retention = retention
        self._clock = clock

    def finished(
        self, delivery: Delivery, mapping: AdapterMapping, outcomes: Sequence[Outcome], **also: Any
    ) -> Finished:
        """The result of these outcomes; `also` are further fields of it."""
        state, now = state_of(outcomes), self._clock()
        waits = [one.until for one in outcomes if one.state is State.HELD and one.until is not None]
        if waits:
            also["again"] = _again(delivery, now, min(waits))
        elif state in RESOLVED:
            records = kept_for(mapping, self._retention.records)
            kept = min(self._bodies(mapping.privacy), records)
            also["expires"] = now + records
            also["forget"] = now + kept if kept < records else None
            also["forget_all"] = mapping.privacy.store_raw == "none"
        return Finished(delivery=delivery, state=state, outcomes=outcomes, revision=mapping.revision, **also)

    def _bodies(self, privacy: Privacy) -> dt.timedelta:
        """How long the body of a resolved delivery is kept."""
        if privacy.store_raw in ("hash-only", "none"):
            return dt.timedelta(0)
        if privacy.raw_for is not None:
            return dt.timedelta(seconds=privacy.raw_for)
        return dt.timedelta.max if privacy.store_raw == "keep" else self._retention.bodies


def given_up(delivery: Delivery, code: str, reason: str) -> Finished:
    """The result of a delivery that cannot be mapped, whatever is tried."""
    outcome = Outcome(event=None, state=State.FAILED, code=code, reason=reason)
    return Finished(delivery=delivery, state=State.FAILED, outcomes=[outcome], revision=delivery.revision)


def gone_of(delivery: Delivery, outcomes: Sequence[Outcome]) -> list[UUID]:
    """Statements that were made of a delivery before, and are not by these outcomes."""
    before = (*(one for outcome in delivery.outcomes for one in outcome.statements), *delivery.leftover)
    now = {one for outcome in outcomes for one in outcome.statements}
    return [one for one in dict.fromkeys(before) if one not in now]


def internal(error: Exception) -> Outcome:
    """The outcome of a mistake of ours."""
    return Outcome(
        event=None, state=State.FAILED, code="internal", reason=f"internal: {type(error).__name__}"
    )


def _again(delivery: Delivery, now: dt.datetime, until: dt.datetime) -> dt.datetime:
    """When a delivery that waits is looked at again if nobody releases it: rarely, and the longer the
    rarer.
    """
    waited = now - (delivery.held_since or now)
    return min(until, now + min(max(waited, _SOONEST_AGAIN), _LATEST_AGAIN))
