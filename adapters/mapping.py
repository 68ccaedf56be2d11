"""A compiled mapping: requests in, events out; events in, statements out. Pure and safe to share."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from adapters.expressions.environment import Branch, Closure, PayloadPath, Read
from adapters.expressions.scope import Scope
from adapters.expressions.values import EvaluationError, text
from adapters.fetch_back import FetchBack, Wish
from adapters.functions.times import rfc3339
from adapters.identity import Identity, Undecided
from adapters.lints import Lint
from adapters.outcomes import (
    Account,
    Adapted,
    Event,
    Failed,
    Held,
    Lookups,
    Outcome,
    Pairs,
    Received,
    Refused,
    Request,
    Skipped,
    Taken,
    Unmatched,
)
from adapters.privacy import Hidden, Privacy, redact
from adapters.receive.incoming import grouped, joined
from adapters.receive.known import Known
from adapters.receive.receiver import Receiver
from adapters.remember import Fact, Recall, Recalled, Remember
from adapters.rules import Rule, RuleIndex
from adapters.statements import Maker, Origin, StatementPlan
from adapters.yaml_source import MapNode, Place


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPlan:
    """How a delivery is taken apart: `batch`, `event_id`, and whether the body's hash has to back the id."""

    batch: Closure | None
    event_id: Closure | None
    mix_in_body: bool
    place: Place
    items_path: PayloadPath | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryEntry:
    """One entry of `directory:`: which set is asked for which key."""

    name: str
    set: str
    key: Closure


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What should be resolved before an event is adapted: (kind, value) of people, (set, key) of entries, and
    facts.
    """

    accounts: tuple[tuple[str, str], ...]
    entries: tuple[tuple[str, str], ...]
    facts: tuple[Recalled, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Mapping:
    """One adapter. `revision` is the SHA-256 of its text and includes; `lints` are warnings of loading.

    `texts` holds the loaded files by name, for messages that show a line. `secrets` are the names it needs.
    """

    name: str
    file: str
    version: int
    revision: str
    lints: tuple[Lint, ...]
    texts: MappingOf[str, str]
    node: MapNode
    origin: Origin
    namespace: bytes
    source: dict[str, Any]
    receiver: Receiver | None
    event_plan: EventPlan
    privacy: Privacy
    identities: tuple[Identity, ...]
    directories: tuple[DirectoryEntry, ...]
    remembers: tuple[Remember, ...]
    recalls: tuple[Recall, ...]
    fetch_back: FetchBack | None
    index: RuleIndex
    all_rules: bool
    reads: tuple[Read, ...]
    branches: tuple[Branch, ...]
    tables: MappingOf[str, MappingOf[str, Any]]
    tables_used: frozenset[str]
    fragments_used: frozenset[str]
    traced: Callable[[], Mapping]
    shadow: bool = False

    def __repr__(self) -> str:
        return f"Mapping({self.name!r}, version={self.version}, revision={self.revision[:12]!r})"

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules in the order of the file."""
        return self.index.rules

    @property
    def secrets(self) -> frozenset[str]:
        """The names of all secrets this mapping needs to receive anything."""
        return self.receiver.secrets if self.receiver is not None else frozenset()

    def missing_secrets(self, secrets: Callable[[str], str | None]) -> tuple[str, ...]:
        """Names of secrets that are not set: an adapter that misses one must not be started."""
        return tuple(sorted(name for name in self.secrets if not secrets(name)))

    def receive(
        self,
        request: Request,
        secrets: Callable[[str], str | None],
        now: datetime,
        known: Known | None = None,
    ) -> Received:
        """Decide about one request: `Accepted`, `Refused`, `Answered` for a handshake, or `Wanting` keys.

        `known` is what the gateway found out beforehand: key sets, and the client of a bearer token.
        """
        if self.receiver is None:
            return Refused(404, f"mapping {self.name} has no `receive:` block")
        return self.receiver.receive(request, secrets, now, known)

    @property
    def hidden(self) -> tuple[Hidden, ...]:
        """What `privacy:` hides from rules."""
        return self.privacy.hidden

    @property
    def asks(self) -> bool:
        """Whether anything has to be resolved before an event is adapted."""
        return bool(self.identities or self.directories or self.recalls)

    def redact(self, payload: Any, key: bytes = b"", *, already: Collection[str] = ()) -> Any:
        """The copy of a payload that may be seen: what `privacy:` hides dropped, masked or a pseudonym."""
        return redact(payload, self.hidden, key, already=already)

    def private(self, payload: Any, key: bytes = b"", *, already: Collection[str] = ()) -> Any:
        """The copy of a payload that identities see: without what is hidden from them, too."""
        from_all = tuple(one for one in self.hidden if not one.for_identity_only)
        return redact(payload, from_all, key, already=already) if from_all else payload

    def events(
        self,
        payload: Any,
        headers: Pairs = (),
        query: Pairs = (),
        received_at: datetime | None = None,
        *,
        key: bytes = b"",
        already: Collection[str] = (),
    ) -> list[Taken]:
        """Take an accepted payload apart: one event, or one for each item of a batch, in order.

        Of a batch without items one `Skipped` says so: nothing arrives and vanishes.

        An event without an id of its own gets one from its content, so that a retry is still recognised.
        `key` makes the pseudonyms of `privacy:`; paths in `already` hold them.
        """
        plan = self.event_plan
        scope = self._scope(payload, headers, query, received_at)
        items: list[Any] = [None]
        if plan.batch is not None:
            try:
                found = plan.batch(scope)
            except EvaluationError as error:
                return [self._failed(error, None, 0)]
            if not isinstance(found, list):
                lint = plan.place.lint("R105", "batch: the list of items is missing")
                return [Failed(problems=(lint,), index=0)]
            if not found:
                return [Skipped(None, "the batch is empty")]
            items = found
        visible = private = payload
        shown = known = items
        if self.hidden:
            private = self.private(payload, key, already=already)
            visible = self.redact(payload, key, already=already)
            if plan.batch is not None:
                shown, known = self._items(scope, visible), self._items(scope, private)
                scope.body = payload
        events: list[Taken] = []
        whole_hash = _Lazy(lambda: content_hash(payload))
        for index, item in enumerate(items):
            found = self._event_id(scope, index, item, whole_hash)
            if isinstance(found, Failed):
                events.append(found)
                continue
            event = Event(
                event_id=found,
                index=index,
                body=visible,
                item=shown[index] if index < len(shown) else None,
                whole_body=private,
                whole_item=known[index] if index < len(known) else None,
                headers=scope.headers,
                query=scope.query,
                received_at=scope.received_at or "",
            )
            events.append(event)
        return events

    def _items(self, scope: Scope, payload: Any) -> list[Any]:
        assert self.event_plan.batch is not None
        scope.body = payload
        found = self.event_plan.batch(scope)
        return found if isinstance(found, list) else []

    def _event_id(self, scope: Scope, index: int, item: Any, whole_hash: _Lazy) -> str | Failed:
        plan = self.event_plan
        scope.item, scope.index = item, index
        try:
            found = plan.event_id(scope) if plan.event_id is not None else None
            event_id = text(found) if found is not None else None
        except EvaluationError as error:
            return self._failed(error, None, index)
        if event_id is None:
            event_id = whole_hash() if plan.batch is None else f"{whole_hash()}:{index}"
        elif plan.mix_in_body:
            event_id = f"{event_id}:{whole_hash()[:16]}"
        return event_id

    def wish(self, event: Event) -> Wish | Failed | None:
        """What has to be fetched before an event is resolved and adapted; None for nothing."""
        if self.fetch_back is None:
            return None
        try:
            return self.fetch_back.wish(self.scope(event, _NOBODY))
        except EvaluationError as error:
            return self._failed(error, None, event.index)

    def answered(self, event: Event, answer: Any, key: bytes = b"") -> Event | Failed:
        """An event with the answer that is given, where it wants one: for tests and commands."""
        wish = self.wish(event)
        if not isinstance(wish, Wish):
            return wish or event
        if answer is not None:
            return self.supplied(event, self.kept_fetched(answer, key), key)
        assert self.fetch_back is not None
        if self.fetch_back.optional:
            return event
        message = f"`fetched` is not given; the event wants GET {wish.path} of connection {wish.connection}"
        return Failed(problems=(self.fetch_back.place.lint("R304", message),), index=event.index)

    def kept_fetched(self, answer: Any, key: bytes = b"") -> Any:
        """The copy of what was fetched that may be kept, and that `supplied` takes."""
        return redact(answer, [one for one in self.privacy.fetched if not one.for_identity_only], key)

    def supplied(self, event: Event, kept: Any, key: bytes = b"") -> Event:
        """An event with what was fetched for it."""
        shown = redact(kept, [one for one in self.privacy.fetched if one.for_identity_only], key)
        return replace(event, fetched=shown, whole_fetched=kept)

    def wanted(self, event: Event) -> Wanted:
        """What the directory should be asked before `adapt`; what cannot be computed is left out."""
        scope = self.scope(event, _NOBODY)
        accounts: list[tuple[str, str]] = []
        entries: list[tuple[str, str]] = []
        for identity in self.identities:
            try:
                accounts.extend(identity.candidates(scope))
            except EvaluationError:
                continue
        for entry in self.directories:
            try:
                key = entry.key(scope)
                if key is not None:
                    entries.append((entry.set, text(key)))
            except EvaluationError:
                continue
        facts: list[Recalled] = []
        for recall in self.recalls:
            try:
                recalled = recall.wanted(scope)
            except EvaluationError:
                continue
            if recalled is not None:
                facts.append(recalled)
        return Wanted(
            accounts=tuple(dict.fromkeys(accounts)),
            entries=tuple(dict.fromkeys(entries)),
            facts=tuple(facts),
        )

    def facts(self, event: Event) -> tuple[list[Fact], list[Lint]]:
        """What later events may need of this one, and what could not be remembered of it."""
        facts: list[Fact] = []
        lints: list[Lint] = []
        if not self.remembers:
            return facts, lints
        scope = self.scope(event, _NOBODY)
        for one in self.remembers:
            try:
                fact = one.fact(scope)
            except EvaluationError as error:
                lints.append(replace((error.place or one.place).lint("W403", error.message), help=error.help))
                continue
            if fact is not None:
                facts.append(fact)
        return facts, lints

    def news(self, event: Event, lookups: Lookups) -> dict[tuple[str, str], Account]:
        """What the directory can learn of this event: further (kind, value) of people it knows."""
        found: dict[tuple[str, str], Account] = {}
        scope: Scope | None = None
        for identity in self.identities:
            if identity.learn:
                scope = scope or self.scope(event, lookups)
                try:
                    found |= identity.news(scope, lookups)
                except EvaluationError:
                    continue
        return found

    def adapt(self, event: Event, lookups: Lookups, *, delivery: str | None = None) -> Outcome:
        """Map one event. `delivery` is recorded in the provenance of each statement. Never raises."""
        scope = self.scope(event, lookups)
        return self.run(scope, Maker(self.origin, self.namespace, delivery=delivery))

    def run(self, scope: Scope, maker: Maker) -> Outcome:
        """Map the event that a scope holds: the first rule that applies, or all of them in mode `all`."""
        outcomes: list[Adapted | Skipped] = []
        try:
            for rule in self.index.candidates(scope):
                scope.rule = rule.name
                try:
                    if not rule.applies(scope):
                        continue
                except EvaluationError as error:
                    return self._failed(error, rule, None)
                outcome = self._apply(rule, scope, maker)
                if isinstance(outcome, (Failed, Held)) or not self.all_rules:
                    return outcome
                assert isinstance(outcome, (Adapted, Skipped))
                outcomes.append(outcome)
            if outcomes:
                return _combined(outcomes)
            return Unmatched(self.index.kind(scope))
        except EvaluationError as error:
            return self._failed(error, None, None)
        except (ArithmeticError, ValueError, RecursionError) as error:
            reason = f"{type(error).__name__}: {str(error)[:200]}"
            lint = self.node.place.lint("R199", f"the payload cannot be worked with ({reason})")
            return Failed(problems=(lint,), rule=scope.rule)

    def _apply(self, rule: Rule, scope: Scope, maker: Maker) -> Outcome:
        if not rule.plans:
            return Skipped(rule.name, rule.reason or "ignored by this rule")
        scope.parent = None
        maker.required = rule.required
        scope.provenance = maker.provenance(rule.name)
        made: list[dict[str, Any]] = []
        problems: list[Lint] = []
        for plan in rule.plans:
            try:
                built = plan.build(scope, maker)
            except Undecided as undecided:
                if undecided.action == "hold":
                    return Held(
                        rule=rule.name,
                        missing=undecided.candidates,
                        set=undecided.set,
                        hold_for=undecided.hold_for,
                    )
                return Skipped(rule.name, f"{undecided.name} is not known to the directory")
            except EvaluationError as error:
                problems.append(self._lint(error, plan))
                continue
            made.extend(built)
            if scope.parent is None and made:
                scope.parent = made[0]
        try:
            scope.check_output(made, maker.leaves)
        except EvaluationError as error:
            problems.append(self._lint(error, rule.plans[-1]))
            made.clear()
        if problems and not rule.skip_errors:
            return Failed(problems=tuple(problems), rule=rule.name)
        warnings = (*scope.warnings, *problems)
        if not made:
            reason = "; ".join(lint.message for lint in problems) or "none of its statements applies"
            return Skipped(rule.name, reason)
        return Adapted(statements=tuple(made), rule=rule.name, warnings=warnings)

    def _lint(self, error: EvaluationError, plan: StatementPlan | None) -> Lint:
        place = error.place or (plan.node.place if plan is not None else self.node.place)
        return place.lint(error.code, error.message, help=error.help)

    def _failed(self, error: EvaluationError, rule: Rule | None, index: int | None) -> Failed:
        place = error.place or (rule.node.place if rule is not None else self.node.place)
        lint = place.lint(error.code, error.message, help=error.help)
        return Failed(problems=(lint,), rule=rule.name if rule is not None else None, index=index)

    def explain(self, event: Event, lookups: Lookups, *, delivery: str | None = None) -> Any:
        """Map one event again with everything recorded; see `adapters.explain.Explanation`."""
        from adapters.explain import explain

        return explain(self, event, lookups, delivery=delivery)

    def _scope(self, payload: Any, headers: Pairs, query: Pairs, received_at: datetime | None) -> Scope:
        scope = Scope()
        scope.body = payload
        scope.headers = joined(headers)
        scope.query = {name: values[0] for name, values in grouped(query).items()}
        scope.received_at = rfc3339(received_at or datetime.fromtimestamp(0, UTC))
        scope.source = self.source
        return scope

    def scope(self, event: Event, lookups: Lookups) -> Scope:
        """What the expressions of this mapping see of an event."""
        scope = Scope()
        scope.body, scope.item, scope.index = event.body, event.item, event.index
        scope.fetched = event.fetched
        scope.headers, scope.query = dict(event.headers), dict(event.query)
        scope.event_id, scope.received_at = event.event_id, event.received_at
        scope.source, scope.lookups = self.source, lookups
        if event.whole_body is not event.body or event.whole_fetched is not event.fetched:
            private = Scope()
            private.fetched = event.whole_fetched
            private.body, private.item, private.index = event.whole_body, event.whole_item, event.index
            private.headers, private.query, private.source = scope.headers, scope.query, scope.source
            private.event_id, private.received_at = scope.event_id, scope.received_at
            private.lookups = lookups
            scope.private = private
        return scope


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


_NOBODY = Lookups(pseudonym_key=b"")


def _combined(outcomes: list[Adapted | Skipped]) -> Outcome:
    adapted = [one for one in outcomes if isinstance(one, Adapted)]
    if not adapted:
        return outcomes[0]
    return Adapted(
        statements=tuple(statement for one in adapted for statement in one.statements),
        rule="+".join(one.rule for one in adapted),
        warnings=adapted[-1].warnings,
    )
