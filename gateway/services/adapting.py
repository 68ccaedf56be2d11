"""From a stored delivery to events, statements and outcomes: what mapping a delivery means. Pure.

The same delivery and mapping revision give the same statements, ids included, whenever and wherever it runs.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from adapters import Adapted, Event, Failed, Held, Lint, Lookups, Skipped, Taken, Unmatched
from adapters import Mapping as AdapterMapping
from adapters.identity import PEOPLE
from adapters.outcomes import Account, Pairs
from adapters.receive.decode import Decoder, Undecodable
from adapters.remember import Recalled
from adapters.statements import SOURCE_EXTENSION
from gateway.errors import Problem
from gateway.services.at_hand import AtHand
from gateway.services.lookups import Asking, Found, Resolver
from gateway.services.privacy import PrivacyKeys
from gateway.store.delivery_records import Delivery, Outcome, State

_MOST_PROBLEMS = 10
_LONGEST_TEXT = 500
_STORED_PAYLOAD = Decoder("json")
# The worst of its events decides a delivery's state; done and ignored are decided together.
_SEVERITY = (State.FAILED, State.UNMATCHED, State.HELD, State.DIFFERS)
HOLD_FOR = 30 * 86400  # seconds, where a mapping does not say


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """One event and the statements a rule made of it; they are stored together or not at all."""

    event: str
    rule: str
    statements: tuple[dict[str, Any], ...]
    warnings: tuple[Mapping[str, Any], ...]


def payload_of(mapping: AdapterMapping, delivery: Delivery, keys: PrivacyKeys) -> Any:
    """The payload of a delivery as identities see it; raises `Undecodable` and Sealed."""
    if delivery.gone:
        raise Undecodable("the body was forgotten, as the mapping's store_raw or raw_for wants it")
    if delivery.sealed is not None:
        return _STORED_PAYLOAD.decode(keys.unseal(delivery.sealed, delivery.digest))
    if delivery.decoded or mapping.receiver is None:
        return _STORED_PAYLOAD.decode(delivery.body)
    return mapping.receiver.decoder.decode(delivery.body)


def events_of(
    mapping: AdapterMapping, delivery: Delivery, keys: PrivacyKeys, at_hand: AtHand | None = None
) -> Sequence[Taken]:
    """The events of a delivery in their order; raises `Undecodable` and Sealed."""
    query: Pairs = ()
    if "?" in delivery.url:
        query = tuple(parse_qsl(urlsplit(delivery.url).query, keep_blank_values=True))
    if at_hand is not None and at_hand.revision != mapping.revision:
        at_hand = None
    return mapping.events(
        at_hand.payload if at_hand is not None else payload_of(mapping, delivery, keys),
        delivery.headers,
        query,
        delivery.received,
        key=keys.pseudonyms(delivery.epoch),
        already=delivery.pseudonymised,
        sight=at_hand.sight if at_hand is not None else None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapting:
    """One delivery with everything that mapping it depends on: pure from here.

    `original` is whether what it did not find then is absent, whatever is known by now.
    """

    delivery: Delivery
    asking: Asking
    found: Found
    lookups: Lookups
    resolver: Resolver
    now: dt.datetime
    original: bool = False

    def each(self) -> Iterator[Made | Outcome]:
        """Each event: the statements to store, or the outcome if there are none.

        Events that are decided stay as they are where the delivery was only waiting for others.
        """
        decided = _decided(self.delivery, self.asking)
        for index, event in enumerate(self.asking.events):
            if index in decided:
                yield decided[index]
            elif index in self.asking.failed:
                yield self.asking.failed[index]
            elif isinstance(event, Event):
                yield self._event(index, event)
            else:
                yield _failed(None, event) if isinstance(event, Failed) else _skipped(None, event)

    def news(self) -> dict[tuple[str, str], Account]:
        """What the directory can learn of this delivery."""
        found: dict[tuple[str, str], Account] = {}
        for index, event in enumerate(self.asking.events):
            if isinstance(event, Event) and index not in self.asking.failed:
                found |= self.asking.mapping.news(event, self.lookups)
        return found

    def _event(self, index: int, event: Event) -> Made | Outcome:
        lookups, missing = self.resolver.with_facts(self.lookups, self.asking, index, self.found)
        shown = storable(event.event_id)
        patient = [] if self.original else [one for one in missing if self._deferral(one) > self.now]
        if patient:
            sets = ", ".join(dict.fromkeys(one.set for one in patient))
            return Outcome(
                event=shown,
                state=State.HELD,
                code="deferred",
                reason=storable(f"waits for an earlier event that tells of {sets}"),
                until=max(map(self._deferral, patient)),
                waits=self.resolver.waits_for(self.asking, patient),
            )
        outcome = self.asking.mapping.adapt(event, lookups, delivery=str(self.delivery.id))
        if isinstance(outcome, Held):
            return self._held(shown, outcome)
        made = _adapted(shown, outcome)
        told = _lints(self.asking.warnings[index])
        return replace(made, warnings=(*made.warnings, *told)) if told else made

    def _deferral(self, recalled: Recalled) -> dt.datetime:
        return self.delivery.received + dt.timedelta(seconds=recalled.defer)

    def _held(self, event: str, held: Held) -> Outcome:
        # The kinds only: the values are somebody's addresses and numbers, and they are in the payload.
        kinds = ", ".join(dict.fromkeys(kind for kind, _ in held.missing))
        whom = f"somebody by {kinds}" if held.set == PEOPLE else f"an entry of {held.set}"
        since = self.delivery.held_since or self.now
        until = since + dt.timedelta(seconds=held.hold_for or HOLD_FOR)
        if until <= self.now:
            waited = _duration(until - since)
            return Outcome(
                event=event,
                state=State.FAILED,
                rule=held.rule,
                code="hold_expired",
                reason=storable(f"waited {waited} until the directory knows {whom}, in vain"),
            )
        return Outcome(
            event=event,
            state=State.HELD,
            rule=held.rule,
            code="held",
            reason=storable(f"waits until the directory knows {whom}"),
            until=until,
            waits=self.resolver.waits_for_entries(held.set, held.missing),
        )


def _decided(delivery: Delivery, asking: Asking) -> dict[int, Outcome]:
    """The outcomes that stand: all but those that wait, if nothing else has changed since."""
    outcomes = delivery.outcomes
    if (
        delivery.state is not State.HELD
        or delivery.revision != asking.mapping.revision
        or len(outcomes) != len(asking.events)
    ):
        return {}
    return {index: one for index, one in enumerate(outcomes) if one.state is not State.HELD}


def _duration(length: dt.timedelta) -> str:
    seconds = round(length.total_seconds())
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _adapted(shown: str, outcome: Adapted | Skipped | Unmatched | Failed | Held) -> Made | Outcome:
    """Any outcome of mapping but Held."""
    if isinstance(outcome, Adapted):
        return Made(
            event=shown,
            rule=outcome.rule,
            statements=outcome.statements,
            warnings=_lints(outcome.warnings),
        )
    if isinstance(outcome, Skipped):
        return _skipped(shown, outcome)
    if isinstance(outcome, Unmatched):
        kind = f" {outcome.kind!r}" if outcome.kind else ""
        reason = storable(f"no rule matches{kind}")
        return Outcome(
            event=shown,
            state=State.UNMATCHED,
            code="unmatched",
            kind=storable(outcome.kind) or None,
            reason=reason,
        )
    assert isinstance(outcome, Failed)
    return _failed(shown, outcome)


def _skipped(event: str | None, skipped: Skipped) -> Outcome:
    return Outcome(
        event=event,
        state=State.IGNORED,
        rule=skipped.rule,
        code="no_rule" if skipped.rule is None else None,
        reason=storable(skipped.reason),
    )


def _failed(event: str | None, failure: Failed) -> Outcome:
    problems = _lints(failure.problems)
    reason = problems[0]["message"] if problems else "the event cannot be mapped"
    code = problems[0]["code"] if problems else "failed"
    return Outcome(
        event=event, state=State.FAILED, rule=failure.rule, code=code, reason=reason, problems=problems
    )


def undecodable(message: str) -> Outcome:
    """The outcome of a delivery whose body is not what its mapping expects."""
    reason = storable(f"undecodable: {message}")
    return Outcome(event=None, state=State.FAILED, code="undecodable", reason=reason)


def refused(made: Made, code: str, reason: str, problems: Sequence[Problem] = ()) -> Outcome:
    """The outcome of an event whose statements cannot be stored."""
    listed = tuple(
        {
            "path": storable(problem.path),
            "requirement": problem.requirement,
            "message": storable(problem.message),
        }
        for problem in problems[:_MOST_PROBLEMS]
    )
    return Outcome(
        event=made.event,
        state=State.FAILED,
        rule=made.rule,
        code=code,
        reason=storable(f"{code}: {reason}"),
        problems=listed,
        warnings=made.warnings,
    )


def state_of(outcomes: Sequence[Outcome]) -> State:
    """The state of a delivery with these outcomes: its worst one; without events there was nothing to do."""
    states = {outcome.state for outcome in outcomes}
    worst = next((state for state in _SEVERITY if state in states), None)
    return worst or (State.DONE if State.DONE in states else State.IGNORED)


def without_provenance(statement: dict[str, Any]) -> dict[str, Any]:
    """A statement as its event decides it: not by which delivery, rule or version it came."""
    context = statement.get("context")
    if not isinstance(context, dict) or SOURCE_EXTENSION not in context.get("extensions", {}):
        return statement
    extensions = {key: value for key, value in context["extensions"].items() if key != SOURCE_EXTENSION}
    rest = {key: value for key, value in context.items() if key != "extensions"}
    rest |= {"extensions": extensions} if extensions else {}
    changed = {key: value for key, value in statement.items() if key != "context"}
    return changed | {"context": rest} if rest else changed


def storable(text: str) -> str:
    """A text for a person, short enough and in characters that UTF-8 has."""
    return text[:_LONGEST_TEXT].encode("utf-8", "replace").decode()


def _lints(lints: Sequence[Lint]) -> tuple[dict[str, Any], ...]:
    return tuple(
        {
            key: storable(value) if isinstance(value, str) else value
            for key, value in lint.as_json().items()
            if key != "length"
        }
        for lint in lints[:_MOST_PROBLEMS]
    )
