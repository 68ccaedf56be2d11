"""A compiled mapping: requests in, events out; events in, statements out. Pure and safe to share."""

from __future__ import annotations

from collections.abc import Callable, Collection
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from adapters.adapting import run
from adapters.expressions.environment import Branch, Read
from adapters.expressions.scope import MAX_STEPS, Scope
from adapters.expressions.values import EvaluationError
from adapters.fetch_back import FetchBack, Wish
from adapters.functions.times import rfc3339
from adapters.identity import Identity
from adapters.linting.findings import Lint
from adapters.loading.yaml_source import MapNode
from adapters.outcomes import (
    Account,
    Event,
    Failed,
    Lookups,
    Outcome,
    Pairs,
    Received,
    Refused,
    Request,
    Taken,
)
from adapters.privacy import Hidden, Privacy, Sight
from adapters.receive.incoming import grouped, joined
from adapters.receive.known import Known
from adapters.receive.receiver import Receiver
from adapters.remember import Fact, Recall, Remember
from adapters.resolving import NOTHING, DirectoryEntry, Wanted, facts, news, wanted
from adapters.rules import Rule, RuleIndex
from adapters.splitting import EventPlan, split, split_fetched
from adapters.statements import Maker, Origin
from adapters.templates.shorthand import Shorthand

if TYPE_CHECKING:
    from adapters.explain import Explanation

NOBODY = Lookups(pseudonym_key=b"")


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
    shorthand: Shorthand
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
        return self.privacy.from_rules(payload, key, already)

    def private(self, payload: Any, key: bytes = b"", *, already: Collection[str] = ()) -> Any:
        """The copy of a payload that identities see: without what is hidden from them, too."""
        return self.privacy.from_all(payload, key, already)

    def sight(self, payload: Any, key: bytes = b"") -> Sight:
        """What identities and what rules see of a payload as it came."""
        private = self.private(payload, key)
        return Sight(private, self.redact(payload, key) if self.privacy.sealed else private)

    def events(
        self,
        payload: Any,
        headers: Pairs = (),
        query: Pairs = (),
        received_at: datetime | None = None,
        *,
        key: bytes = b"",
        already: Collection[str] = (),
        sight: Sight | None = None,
    ) -> list[Taken]:
        """Take an accepted payload apart: one event, or one for each item of a batch, in order.

        Of a batch without items one `Skipped` says so: nothing arrives and vanishes.

        An event without an id of its own gets one from its content, so that a retry is still recognised.
        `key` makes the pseudonyms of `privacy:`; paths in `already` hold them. A `sight` of the payload that
        is at hand saves making it.
        """
        scope = self._scope(payload, headers, query, received_at)
        if sight is None:
            sight = Sight(
                self.private(payload, key, already=already), self.redact(payload, key, already=already)
            )
        return split(self, scope, payload, sight)

    def wish(self, event: Event) -> Wish | Failed | None:
        """What has to be fetched before an event is resolved and adapted; None for nothing."""
        if self.fetch_back is None:
            return None
        try:
            return self.fetch_back.wish(self.scope(event, NOBODY))
        except EvaluationError as error:
            return self.failed(error, index=event.index)

    def answered(self, event: Taken, answer: Any, key: bytes = b"") -> list[Taken]:
        """An event with the answer that is given, where it wants one: for tests and commands."""
        if not isinstance(event, Event):
            return [event]
        wish = self.wish(event)
        if not isinstance(wish, Wish):
            return [wish or event]
        if answer is not None:
            return self.supplied(event, self.kept_fetched(answer, key), key)
        assert self.fetch_back is not None
        if self.fetch_back.optional:
            return [event]
        message = f"`fetched` is not given; the event wants GET {wish.path} of connection {wish.connection}"
        return [Failed(problems=(self.fetch_back.place.lint("R304", message),), index=event.index)]

    def kept_fetched(self, answer: Any, key: bytes = b"") -> Any:
        """The copy of what was fetched that may be kept, and that `supplied` takes."""
        return self.privacy.fetched_from_all(answer, key)

    def supplied(self, event: Event, kept: Any, key: bytes = b"") -> list[Taken]:
        """An event with what was fetched for it, or the events that are in there."""
        shown = self.privacy.fetched_from_rules(kept, key)
        wish = self.wish(event)
        event = replace(
            event, fetched=shown, whole_fetched=kept, wish=wish if isinstance(wish, Wish) else None
        )
        return split_fetched(self, event, self.scope(event, NOBODY))

    def wanted(self, event: Event, key: bytes = b"") -> Wanted:
        """What the directory should be asked before `adapt`; what cannot be computed is left out."""
        return wanted(self, self.scope(event, Lookups(pseudonym_key=key)))

    def facts(self, event: Event, key: bytes = b"") -> tuple[list[Fact], list[Lint]]:
        """What later events may need of this one, and what could not be remembered of it."""
        if not self.remembers:
            return [], []
        return facts(self, self.scope(event, Lookups(pseudonym_key=key)))

    def asked(self, event: Event, key: bytes = b"") -> tuple[Wanted, list[Fact], list[Lint]]:
        """`wanted` and `facts` at once, which costs less."""
        if not self.asks:
            return NOTHING, *self.facts(event, key)
        scope = self.scope(event, Lookups(pseudonym_key=key))
        found = wanted(self, scope)
        if not self.remembers:
            return found, [], []
        scope.steps = MAX_STEPS  # each has its own budget
        return found, *facts(self, scope)

    def news(self, event: Event, lookups: Lookups) -> dict[tuple[str, str], Account]:
        """What the directory can learn of this event: further (kind, value) of people it knows."""
        if not any(one.learn for one in self.identities):
            return {}
        return news(self, self.scope(event, lookups), lookups)

    def adapt(self, event: Event, lookups: Lookups, *, delivery: str | None = None) -> Outcome:
        """Map one event. `delivery` is recorded in the provenance of each statement. Never raises."""
        scope = self.scope(event, lookups)
        return self.run(scope, Maker(self.origin, self.namespace, delivery=delivery))

    def run(self, scope: Scope, maker: Maker) -> Outcome:
        """Map the event that a scope holds: the first rule that applies, or all of them in mode `all`."""
        return run(self, scope, maker)

    def failed(self, error: EvaluationError, *, rule: Rule | None = None, index: int | None = None) -> Failed:
        """The outcome of an event, or of an item of a batch, that met an error."""
        place = error.place or (rule.node.place if rule is not None else self.node.place)
        lint = place.lint(error.code, error.message, help=error.help)
        return Failed(problems=(lint,), rule=rule.name if rule is not None else None, index=index)

    def explain(
        self, event: Event, lookups: Lookups, *, delivery: str | None = None, sealed: bool = False
    ) -> Explanation:
        """Map one event again with everything recorded; `sealed` masks what only identities may see."""
        from adapters.explain import explain

        return explain(self, event, lookups, delivery=delivery, sealed=sealed)

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
