"""From a stored delivery to events, statements and outcomes: what mapping a delivery means. Pure.

The same delivery and mapping revision give the same statements, ids included, whenever and wherever it runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from adapters import Adapted, Event, Failed, Held, Lint, Lookups, Mapping, Skipped, Unmatched
from adapters.receive.decode import Decoder, Undecodable
from adapters.statements import SOURCE_EXTENSION
from gateway.errors import Problem
from gateway.store.delivery_records import Delivery, Outcome, State

_MOST_PROBLEMS = 10
_LONGEST_TEXT = 500
_STORED_PAYLOAD = Decoder("json")
# The worst of its events decides a delivery's state; done and ignored are decided together.
_SEVERITY = (State.FAILED, State.UNMATCHED, State.HELD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """One event and the statements a rule made of it; they are stored together or not at all."""

    event: str
    rule: str
    statements: tuple[dict[str, Any], ...]
    warnings: tuple[dict[str, Any], ...]


def payload_of(mapping: Mapping, delivery: Delivery) -> Any:
    """The payload of a delivery; raises `Undecodable`."""
    if delivery.decoded or mapping.receiver is None:
        return _STORED_PAYLOAD.decode(delivery.body)
    return mapping.receiver.decoder.decode(delivery.body)


def events_of(mapping: Mapping, delivery: Delivery) -> Sequence[Event | Failed]:
    """The events of a delivery in their order; raises `Undecodable`."""
    query = tuple(parse_qsl(urlsplit(delivery.url).query, keep_blank_values=True))
    return mapping.events(payload_of(mapping, delivery), delivery.headers, query, delivery.received)


def adapted(mapping: Mapping, delivery: Delivery, lookups: Lookups) -> Iterator[Made | Outcome]:
    """Each event of a delivery: the statements to store, or the outcome if there are none."""
    try:
        events = events_of(mapping, delivery)
    except Undecodable as error:
        yield undecodable(str(error))
        return
    for event in events:
        yield (
            _failed(None, event) if isinstance(event, Failed) else _adapted(mapping, event, lookups, delivery)
        )


def _adapted(mapping: Mapping, event: Event, lookups: Lookups, delivery: Delivery) -> Made | Outcome:
    outcome = mapping.adapt(event, lookups, delivery=str(delivery.id))
    shown = storable(event.event_id)
    if isinstance(outcome, Adapted):
        return Made(
            event=shown,
            rule=outcome.rule,
            statements=outcome.statements,
            warnings=_lints(outcome.warnings),
        )
    if isinstance(outcome, Skipped):
        return Outcome(event=shown, state=State.IGNORED, rule=outcome.rule, reason=storable(outcome.reason))
    if isinstance(outcome, Unmatched):
        kind = f" {outcome.kind!r}" if outcome.kind else ""
        return Outcome(event=shown, state=State.UNMATCHED, reason=storable(f"no rule matches{kind}"))
    if isinstance(outcome, Held):
        # The kinds only: the values are somebody's addresses and numbers, and they are in the payload.
        kinds = ", ".join(dict.fromkeys(kind for kind, _ in outcome.missing))
        reason = f"waits until the directory knows somebody by {kinds}"
        return Outcome(event=shown, state=State.HELD, rule=outcome.rule, reason=storable(reason))
    return _failed(shown, outcome)


def _failed(event: str | None, failure: Failed) -> Outcome:
    problems = _lints(failure.problems)
    reason = problems[0]["message"] if problems else "the event cannot be mapped"
    return Outcome(event=event, state=State.FAILED, rule=failure.rule, reason=reason, problems=problems)


def undecodable(message: str) -> Outcome:
    """The outcome of a delivery whose body is not what its mapping expects."""
    return Outcome(event=None, state=State.FAILED, reason=storable(f"undecodable: {message}"))


def refused(made: Made, reason: str, problems: Sequence[Problem] = ()) -> Outcome:
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
        reason=storable(reason),
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
