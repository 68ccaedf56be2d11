"""What was fetched for a delivery, and its events with it: `fetch_back` without the network. Pure.

Answers are kept with the delivery, encrypted, without what the mapping hides from everybody; so it can be
mapped the same way again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from adapters import Event, Failed, Taken
from adapters import Mapping as AdapterMapping
from adapters.fetch_back import Wish
from gateway.services.privacy import PrivacyKeys
from gateway.store.delivery_records import Delivery, Fetched, Outcome, State

_LARGEST_KEPT = 1024 * 1024  # bytes of all answers for one delivery; beyond that they are not kept with it


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What vendors answered: JSON, or why there is none and will be none."""

    given: Mapping[Wish, Any] = field(default_factory=dict)
    refused: Mapping[Wish, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Supplied:
    """Events with what was fetched for them, in which there may be several events for one. `failed` are those
    that get nothing, by their place among `events`; `missing`
    is what has to be fetched before anything can be mapped; `kept` is what to store, None for no change.
    """

    events: Sequence[Taken]
    failed: Mapping[int, Outcome]
    missing: Sequence[Wish]
    kept: Fetched | None


class Supply:
    """One delivery's answers: fresh ones, and those that are kept with it as far as they count."""

    def __init__(
        self,
        mapping: AdapterMapping,
        delivery: Delivery,
        keys: PrivacyKeys,
        *,
        epoch: int,
        kept: bool = False,
    ) -> None:
        self._mapping = mapping
        self._delivery = delivery
        self._keys = keys
        self._pseudonyms = keys.pseudonyms(epoch)
        replay, stored = delivery.replay, delivery.fetched
        counts = kept or replay is None or replay.original_lookups
        same = stored is not None and stored.replay == (replay.id if replay is not None else None)
        self._stored = stored.answers if stored is not None and (counts or same) else {}

    def supplied(self, events: Sequence[Taken], fresh: Answers, *, optional: bool = False) -> Supplied:
        """The events with their answers. Where it is `optional`, what is missing is just absent.

        Raises Sealed.
        """
        found: list[Taken] = []
        failed: dict[int, Outcome] = {}
        missing: dict[Wish, None] = {}
        kept: dict[str, bytes] = {}
        for event in events:
            index = len(found)
            wish = self._mapping.wish(event) if isinstance(event, Event) else None
            if not isinstance(event, Event) or wish is None:
                found.append(event)
                continue
            if isinstance(wish, Failed):
                found.append(wish)
                continue
            name = self._keys.fingerprint("fetched", wish.connection, wish.path)
            if wish in fresh.given:
                answer = self._mapping.kept_fetched(fresh.given[wish], self._pseudonyms)
                kept[name] = self._keys.seal(_json(answer), self._delivery.digest)
            elif wish in fresh.refused:
                failed[index] = _failed(event, "fetch_failed", fresh.refused[wish])
                found.append(event)
                continue
            elif name in self._stored:
                answer = json.loads(self._keys.unseal(self._stored[name], self._delivery.digest))
            elif optional:
                found.append(event)
                continue
            else:
                missing[wish] = None
                failed[index] = _failed(event, "not_fetched", "what the mapping wants was not fetched yet")
                found.append(event)
                continue
            found.extend(self._mapping.supplied(event, answer, self._pseudonyms))
        return Supplied(events=found, failed=failed, missing=tuple(missing), kept=self._kept(kept))

    def _kept(self, fresh: Mapping[str, bytes]) -> Fetched | None:
        answers = {**self._stored, **fresh}
        if not fresh or sum(map(len, answers.values())) > _LARGEST_KEPT:
            return None
        replay = self._delivery.replay
        return Fetched(answers=answers, replay=replay.id if replay is not None else None)


def _failed(event: Event, code: str, reason: str) -> Outcome:
    # Ids of vendors may be texts that UTF-8 does not have.
    shown = event.event_id[:500].encode("utf-8", "replace").decode()
    return Outcome(event=shown, state=State.FAILED, code=code, reason=reason)


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
