"""A payload taken apart into events: `batch`, `event_id`, and what `privacy:` hides of each. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from adapters.expressions.environment import Closure, Read
from adapters.expressions.scope import MAX_STEPS, Scope
from adapters.expressions.values import EvaluationError, text
from adapters.loading.batch_paths import Items
from adapters.loading.yaml_source import Place
from adapters.outcomes import Event, Failed, Skipped, Taken
from adapters.privacy import Sight

if TYPE_CHECKING:
    from adapters.fetch_back import FetchBack
    from adapters.mapping import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPlan:
    """How a delivery is taken apart: `batch`, `event_id`, and whether the body's hash has to back the id.

    `items` are where the batch finds its items, None where that cannot be told; `batch_reads` what it reads.
    """

    batch: Closure | None
    event_id: Closure | None
    mix_in_body: bool
    place: Place
    items: Items | None = None
    batch_reads: tuple[Read, ...] = ()


def split(mapping: Mapping, scope: Scope, payload: Any, sight: Sight) -> list[Taken]:
    """The events of a payload; `scope` holds the request it came with, `sight` what is seen of it."""
    plan = mapping.event_plan
    visible = sight.visible
    # As it is stored: a delivery is taken apart the same way whenever that happens.
    private = scope.body = sight.private
    known: list[Any] = [None]
    if plan.batch is not None:
        try:
            found = plan.batch(scope)
        except EvaluationError as error:
            return [mapping.failed(error, index=0)]
        if not isinstance(found, list):
            lint = plan.place.lint("R105", "batch: the list of items is missing")
            return [Failed(problems=(lint,), index=0)]
        if not found:
            return [Skipped(None, "the batch is empty")]
        known = found
    shown = known
    if plan.batch is not None and visible is not private:
        scope.steps = MAX_STEPS  # the same work once more
        shown = _items(mapping, scope, visible)
        scope.body = private
        if len(shown) != len(known):
            lint = plan.place.lint("R105", "batch: rules would see other items than identities do")
            return [Failed(problems=(lint,), index=0)]
    events: list[Taken] = []
    whole_hash = _Lazy(lambda: content_hash(payload))
    for index, item in enumerate(known):
        found = _event_id(mapping, scope, index, item, whole_hash)
        if isinstance(found, Failed):
            events.append(found)
            continue
        event = Event(
            event_id=found,
            index=index,
            body=visible,
            item=shown[index],
            whole_body=private,
            whole_item=item,
            headers=scope.headers,
            query=scope.query,
            received_at=scope.received_at or "",
        )
        events.append(event)
    return events


def split_fetched(mapping: Mapping, event: Event, scope: Scope) -> list[Taken]:
    """The events of a notice with what was fetched for it, which `scope` holds: itself, or one of each item
    of `fetch_back.batch`.
    """
    plan = mapping.fetch_back
    if plan is None or (plan.batch is None and plan.event_id is None):
        return [event]
    try:
        if plan.batch is None:
            return [replace(event, event_id=_fetched_id(plan, scope) or event.event_id)]
        shown, known = plan.batch(scope), plan.batch(scope.private)
        if not isinstance(shown, list) or not isinstance(known, list) or len(shown) != len(known):
            lint = plan.place.lint("R105", "fetch_back.batch: the list of items is missing")
            return [Failed(problems=(lint,), index=event.index)]
        if not shown:
            return [Skipped(None, "what was fetched has no items")]
        ids: list[str] = []
        for index, item in enumerate(known):
            scope.private.item, scope.private.index = item, index
            ids.append(_fetched_id(plan, scope) or f"{event.event_id}:{index}")
    except EvaluationError as error:
        return [mapping.failed(error, index=event.index)]
    return [
        replace(event, event_id=one, index=index, item=item, whole_item=known[index])
        for index, (one, item) in enumerate(zip(ids, shown, strict=True))
    ]


def _fetched_id(plan: FetchBack, scope: Scope) -> str | None:
    """What the mapping says is the id of an event for which something was fetched."""
    found = plan.event_id(scope.private) if plan.event_id is not None else None
    return text(found) if found is not None else None


def _items(mapping: Mapping, scope: Scope, payload: Any) -> list[Any]:
    assert mapping.event_plan.batch is not None
    scope.body = payload
    try:
        found = mapping.event_plan.batch(scope)
    except EvaluationError:
        return []
    return found if isinstance(found, list) else []


def _event_id(mapping: Mapping, scope: Scope, index: int, item: Any, whole_hash: _Lazy) -> str | Failed:
    plan = mapping.event_plan
    scope.item, scope.index = item, index
    try:
        found = plan.event_id(scope) if plan.event_id is not None else None
        event_id = text(found) if found is not None else None
    except EvaluationError as error:
        return mapping.failed(error, index=index)
    if event_id is None:
        event_id = whole_hash() if plan.batch is None else f"{whole_hash()}:{index}"
    elif plan.mix_in_body:
        event_id = f"{event_id}:{whole_hash()[:16]}"
    return event_id


class _Lazy:
    """A value that is computed once, when it is first asked for."""

    __slots__ = ("compute", "value")

    def __init__(self, compute: Callable[[], str]) -> None:
        self.compute = compute
        self.value: str | None = None

    def __call__(self) -> str:
        if self.value is None:
            self.value = self.compute()
        return self.value


def content_hash(payload: Any) -> str:
    """SHA-256 of a payload as JSON with sorted keys: the same for the same content, however it is spaced."""
    try:
        written = json.dumps(payload, sort_keys=True, separators=(",", ":"))
    except (ValueError, RecursionError, TypeError):
        written = repr(payload)[:1000]
    return hashlib.sha256(written.encode()).hexdigest()
