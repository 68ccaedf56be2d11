"""Mapping text to a compiled `Mapping`: everything wrong with a file is told at once. Performs no I/O."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

from adapters import fetch_back
from adapters.expressions.environment import (
    MAPPING_NAMES,
    REQUEST_NAMES,
    Closure,
    Collected,
    CompileError,
    Env,
)
from adapters.expressions.forms import Kept, shaped
from adapters.expressions.scope import Scope
from adapters.expressions.values import EvaluationError, text
from adapters.functions.times import zone
from adapters.grammar import MAPPING
from adapters.identity import Identity, Undecided
from adapters.instances import INSTANCE, Instance
from adapters.lints import Lint, MappingError, suggest
from adapters.mapping import DirectoryEntry, EventPlan, Mapping, content_hash
from adapters.model import Block, check, seconds
from adapters.privacy import ACTIONS, Hidden, Privacy, hidden_path
from adapters.receive.incoming import Incoming
from adapters.receive.loader import ReceiveLoader
from adapters.receive.receiver import Receiver
from adapters.receive.references import headers_in, names_in
from adapters.remember import DEFAULT_TTL, Recall, Remember
from adapters.rule_loader import RuleLoader
from adapters.rules import RuleIndex
from adapters.sharing import Shared, gather
from adapters.shorthand import Shorthand
from adapters.statements import Origin
from adapters.templates import Templates, named
from adapters.vocabulary import SHIPPED, Vocabulary
from adapters.yaml_source import MapNode, Node, Place, ScalarNode, plain, read_yaml

Files = Callable[[str], str | None]

_EVENT_NAMES = frozenset({"body", "headers", "index", "item", "query"})
_LEAST_KEPT, _MOST_KEPT = 5 * 86400, 36_500 * 86400  # seconds
_PERSON_NAMES = _EVENT_NAMES | {"event_id", "received_at", "source"}


def load_mapping(
    text: str,
    name: str,
    *,
    files: Files | None = None,
    tracing: bool = False,
    instance: Instance | None = None,
) -> Mapping:
    """Compile a mapping. `name` is its file's path inside the mappings folder, as messages show it.

    `files` gives the text of an included path, or None. Raises `MappingError` with every finding; findings
    that do not prevent use are on `Mapping.lints`. `tracing` compiles for `explain`. An `instance` gives it
    another name and source.
    """
    node = read_yaml(text, name)
    if instance is not None:
        node = instance.applied(node)
    lints = check(node, MAPPING, "the mapping")
    if not isinstance(node, MapNode):
        raise MappingError(lints)
    shared = gather(node, text, name, files)
    if instance is not None:
        shared.texts[INSTANCE] = instance.text()
    loader = _Loader(node, shared, files, tracing=tracing)
    traced = cache(lambda: load_mapping(text, name, files=files, tracing=True, instance=instance))
    mapping = loader.load(name, traced)
    found = _sorted([*lints, *shared.lints, *loader.collected.lints, *mapping.lints])
    if any(lint.level == "error" and lint.code != "E207" for lint in found):
        # What is missing may stand where something else is wrong.
        found = [lint for lint in found if lint.code != "E207"]
    if any(lint.level == "error" for lint in found):
        raise MappingError(found)
    return replace(mapping, lints=tuple(found))


def _sorted(lints: list[Lint]) -> list[Lint]:
    """In the order of the file; of two checks that see the same thing the first one speaks."""
    order = sorted(dict.fromkeys(lints), key=lambda lint: (lint.file, lint.line, lint.column, lint.code))
    shapes = {"E110": "key", "E202": "key", "E111": "kind"}
    seen: set[tuple[str, int, int, str]] = set()
    kept: list[Lint] = []
    for lint in order:
        about = (lint.file, lint.line, lint.column, shapes.get(lint.code, ""))
        if about[3] and about in seen:
            continue
        seen.add(about)
        kept.append(lint)
    return kept


class _Loader:
    """Compiles the parts of one mapping in the order in which they depend on each other."""

    def __init__(self, node: MapNode, shared: Shared, files: Files | None, *, tracing: bool) -> None:
        self.node = node
        self.block = Block(node)
        self.shared = shared
        self.files = files
        self.collected = Collected()
        self.templates = Templates(shared.fragments)
        names = MAPPING_NAMES
        if "batch" not in self.block.block("receive"):
            names -= {"item"}
        if "fetch_back" not in self.block:
            names -= {"fetched"}
        self.env = Env(
            collected=self.collected,
            names=names - {"parent"},
            timezone=self.timezone(),
            tables={name: self.table(table, name) for name, table in shared.tables.items()},
            tracing=tracing,
        )
        self.source = {key: value for key, value in self.plain("source").items() if isinstance(value, str)}

    def plain(self, key: str) -> dict[str, Any]:
        node = self.block.get(key)
        found = plain(node) if node is not None else {}
        return found if isinstance(found, dict) else {}

    def report(self, lint: Lint) -> None:
        self.collected.lints.append(lint)

    def load(self, name: str, traced: Callable[[], Mapping]) -> Mapping:
        rules = None
        event_plan = None
        adapter = self.block.text("adapter") or name
        try:
            receiver, event_plan = self.receive()
            identities = self.identities()
            directories = self.directories()
            recalls = self.recalls()
            env = self.variables(
                replace(
                    self.env,
                    identities=_agents(identities),
                    directories=directories[1],
                    recalls={recall.name: recall.value for recall in recalls},
                )
            )
            rules = RuleLoader(
                env, self.templates, self.shorthand(), self.shared.fragments, self.origin(adapter)
            ).load(self.block)
        except CompileError as error:
            self.report(error.lint)
        if rules is None or event_plan is None:
            raise MappingError(_sorted([*self.shared.lints, *self.collected.lints]))
        origin = self.origin(adapter)
        return Mapping(
            name=adapter,
            file=name,
            version=self.block.integer("version", 1),
            revision=self.shared.revision(),
            lints=tuple(self.hidden_reads()),
            texts=dict(self.shared.texts),
            node=self.node,
            origin=origin,
            namespace=origin.namespace(),
            source=self.source,
            receiver=receiver,
            event_plan=event_plan,
            privacy=self.privacy(),
            identities=tuple(identities.values()),
            directories=directories[0],
            remembers=self.remembers(),
            recalls=recalls,
            fetch_back=fetch_back.load(
                self.block.block("fetch_back"), self.templates, self.event_env(_PERSON_NAMES)
            ),
            index=RuleIndex(tuple(rules)),
            all_rules=self.block.text("mode", "first") == "all",
            reads=tuple(self.collected.reads),
            branches=tuple(self.collected.branches),
            tables=self.env.tables,
            tables_used=frozenset(self.collected.tables_used),
            fragments_used=frozenset(self.collected.fragments_used),
            traced=traced,
            shadow=self.block.flag("shadow", default=False),
        )

    def timezone(self) -> str | None:
        node = self.block.block("source").scalar("timezone")
        if node is None or node.value is None:
            return None
        if zone(node.text) is None:
            self.report(
                node.place.lint("E111", f"unknown time zone {node.text!r}; IANA names such as Europe/Vienna")
            )
        return node.text

    def table(self, node: Node, name: str) -> dict[str, Any]:
        """A table's values by key; `{ file: x.csv }` reads two columns of an included file."""
        if not isinstance(node, MapNode):
            self.report(node.place.lint("E111", f"table {name} is a mapping of keys to values"))
            return {}
        named = node.items.get("file")
        if len(node.items) == 1 and isinstance(named, ScalarNode) and named.text.endswith(".csv"):
            found = self.files(named.text) if self.files is not None else None
            if found is None:
                self.report(named.place.lint("E115", f"there is no file {named.text!r}"))
                return {}
            self.shared.texts.setdefault(named.text, found)
            return {row[0]: row[1] for row in csv.reader(io.StringIO(found)) if len(row) >= 2}
        return {key: plain(value) for key, value in node.items.items()}

    def vocabulary(self) -> Vocabulary:
        words = self.plain("vocabulary")
        texts = {
            kind: {key: value for key, value in (words.get(kind) or {}).items() if isinstance(value, str)}
            for kind in ("verbs", "types")
        }
        return SHIPPED.extended(texts["verbs"], texts["types"])

    def shorthand(self) -> Shorthand:
        return Shorthand(self.source.get("language", "und"), self.vocabulary())

    def origin(self, adapter: str) -> Origin:
        return Origin(
            adapter=adapter,
            version=self.block.integer("version", 1),
            platform=self.source.get("platform"),
            timezone=self.env.timezone,
            provenance=self.block.flag("provenance", default=True),
        )

    # -- receive

    def receive(self) -> tuple[Receiver | None, EventPlan]:
        block = self.block.block("receive")
        plan = self.event_plan(block)
        if block.node is None:
            return None, plan[0]
        env = Env(collected=self.collected, names=REQUEST_NAMES - {"timestamp"}, receiving=True)
        loader = ReceiveLoader(block, env, self.templates, self.file_beside)
        loaded = loader.load()
        found = loaded.found
        event_plan = self.backed_by_body(plan, found.signs_headers, signed_only=found.signed_only)
        decoder = loader.decoder()
        receiver = Receiver(
            methods=tuple(method.upper() for method in block.texts("methods")) or ("POST",),
            content_types=tuple(one.lower() for one in block.texts("content_types")) or decoder.content_types,
            max_body=loader.max_body(),
            ip_allow=loader.networks(),
            checks=loaded.checks,
            handshakes=loaded.handshakes,
            decoder=decoder,
            reject_bad_payload=block.text("on_bad_payload", "store") == "reject",
            ack_status=loader.status("ack", 200, (200, 202, 204)),
            refuse_status=loader.status("refuse", 401, (401, 403)),
            secrets=frozenset(self.collected.secrets),
            reads_body_first=found.reads_body,
            key=_delivery_key(event_plan),
            policy=loader.policy(),
        )
        return receiver, event_plan

    def file_beside(self, path: str) -> str | None:
        """The text of a file that the mapping names; it is part of the mapping's revision."""
        found = self.files(path) if self.files is not None else None
        if found is not None:
            self.shared.texts.setdefault(path, found)
        return found

    def event_plan(self, block: Block) -> tuple[EventPlan, ScalarNode | None]:
        env = replace(self.env, names=_EVENT_NAMES - ({"item"} if "batch" not in block else set()))
        batch, event_id = block.get("batch"), block.get("event_id")
        without_items = replace(env, names=frozenset({"body", "headers", "query"}))
        items, items_path = (None, None) if batch is None else self.templates.parsed(batch, without_items)
        plan = EventPlan(
            batch=items,
            items_path=items_path,
            event_id=named("event_id", self.templates.template(event_id, env), env)
            if event_id is not None
            else None,
            mix_in_body=False,
            place=batch.place if batch is not None else self.node.place,
        )
        return plan, event_id if isinstance(event_id, ScalarNode) else None

    def backed_by_body(
        self, plan: tuple[EventPlan, ScalarNode | None], signed: set[str], *, signed_only: bool
    ) -> EventPlan:
        """Where only the body is signed, an id from a header or the query can be forged on a replay."""
        event_plan, node = plan
        if node is None or not signed_only:
            return event_plan
        unsigned = headers_in(node) - signed
        if "headers" in names_in(node) and not headers_in(node):
            unsigned.add("…")
        if "query" in names_in(node) or unsigned:
            message = "event_id comes from an unsigned header or the query; the body's hash is added to it"
            self.report(node.place.lint("W311", message))
            return replace(event_plan, mix_in_body=True)
        return event_plan

    # -- people, directories, variables

    def identities(self) -> dict[str, Identity]:
        env = self.event_env(_PERSON_NAMES | {"fetched"})
        own = self.source.get("home_page", "")
        found: dict[str, Identity] = {}
        block = self.block.block("identity")
        for name, node in (block.node.items if block.node is not None else {}).items():
            one = Block(node)
            if one.node is None:
                continue
            by: list[tuple[str, Closure]] = []
            for candidate in one.listed("by"):
                if not isinstance(candidate, MapNode) or len(candidate.items) != 1:
                    self.report(candidate.place.lint("E111", "a candidate is one `kind: value`"))
                    continue
                ((kind, value),) = candidate.items.items()
                if isinstance(value, ScalarNode) and "${" not in value.text:
                    written = value.text[:60]
                    message = f"{written!r} is text here: it makes one person of everybody"
                    help = f'write "${{ {written} }}" where it is a path, or name who is meant in `actor:`'
                    self.report(value.place.lint("E109", message, help=help))
                    continue
                closure = named(f"identity.{name}.{kind}", self.templates.template(value, env), env)
                by.append((kind, closure))
            home_page = one.text("home_page", own)
            if not own or not home_page:
                self.report(one.place().lint("E112", f"identity.{name} needs source.home_page, an IRI"))
            found[name] = Identity(
                name=name,
                by=tuple(by),
                home_page=home_page,
                own_home_page=own,
                unresolved=one.text("unresolved", "pseudonym"),  # type: ignore[arg-type]
                place=one.place(),
                slot=self.env.slot(),
                hold_for=_seconds(one, "hold_for"),
                learn=one.flag("learn", default=False),
            )
        return found

    def directories(self) -> tuple[tuple[DirectoryEntry, ...], dict[str, Closure]]:
        block = self.block.block("directory")
        entries: list[DirectoryEntry] = []
        closures: dict[str, Closure] = {}
        for name, node in (block.node.items if block.node is not None else {}).items():
            one = Block(node)
            key = one.get("key")
            if one.node is None or key is None:
                continue
            entry = DirectoryEntry(name=name, set=one.text("set"), key=self.templates.template(key, self.env))
            entries.append(entry)
            closures[name] = _entry(
                entry, one.text("on_missing", "absent"), one.place(), _seconds(one, "hold_for")
            )
        return tuple(entries), closures

    # -- facts of earlier events

    def remembers(self) -> tuple[Remember, ...]:
        env = self.facts_env()
        found: list[Remember] = []
        for node in self.block.listed("remember"):
            one = Block(node)
            key, value = one.get("key"), one.get("value")
            if key is None or value is None:
                continue
            remember = Remember(
                set=one.text("set"),
                when=self.condition(one, env),
                key=self.templates.template(key, env),
                value=self.templates.template(value, env),
                at=self.moment(one, env),
                ttl=_seconds(one, "ttl") or DEFAULT_TTL,
                place=one.place(),
                timezone=self.env.timezone,
            )
            found.append(remember)
        return tuple(found)

    def recalls(self) -> tuple[Recall, ...]:
        env = self.facts_env()
        block = self.block.block("recall")
        known = {Block(node).text("set") for node in self.block.listed("remember")}
        found: list[Recall] = []
        for name, node in (block.node.items if block.node is not None else {}).items():
            one = Block(node)
            key, chosen = one.get("key"), one.scalar("set")
            if key is None or chosen is None:
                continue
            if chosen.text not in known:
                message = f"nothing is remembered in the set {chosen.text!r}, so remembered.{name} is absent"
                self.report(chosen.place.lint("W131", message + suggest(chosen.text, known)))
            recall = Recall(
                name=name,
                set=chosen.text,
                when=self.condition(one, env),
                key=self.templates.template(key, env),
                at=self.moment(one, env),
                defer=_seconds(one, "defer") or 0,
                timezone=self.env.timezone,
            )
            found.append(recall)
        return tuple(found)

    def facts_env(self) -> Env:
        """Facts are about the event alone: they are computed before anything else is known."""
        return self.event_env(_PERSON_NAMES | {"fetched"})

    def event_env(self, names: frozenset[str]) -> Env:
        """The environment of what is computed before rules run."""
        return replace(self.env, names=names & self.env.names)

    def condition(self, one: Block, env: Env) -> Closure | None:
        when = one.get("when")
        return self.templates.condition(when, env) if when is not None else None

    def moment(self, one: Block, env: Env) -> Closure | None:
        at = one.get("at")
        return self.templates.template(at, env) if at is not None else None

    def variables(self, env: Env) -> Env:
        return RuleLoader(env, self.templates, self.shorthand(), {}, self.origin("")).variables(
            self.block.get("let"), env
        )

    # -- privacy

    def privacy(self) -> Privacy:
        block = self.block.block("privacy")
        store_raw = block.text("store_raw", "redacted")
        hidden = self.hidden()
        if store_raw == "keep" and hidden and "store_raw" in block:
            message = "store_raw: keep stores what is hidden below; only rules do not see it"
            self.report(block.place("store_raw").lint("W317", message))
        return Privacy(
            hidden=tuple(one for one in hidden if one.root == "body"),
            fetched=tuple(one for one in hidden if one.root == "fetched"),
            store_raw=store_raw,  # type: ignore[arg-type]
            raw_for=_seconds(block, "raw_for"),
            keep_for=self.keep_for(block),
        )

    def keep_for(self, block: Block) -> int | None:
        found, node = _seconds(block, "keep_for"), block.scalar("keep_for")
        if node is not None and not _LEAST_KEPT <= (found or 0) <= _MOST_KEPT:
            message = f"keep_for is 5d to 36500d, got {node.text}: vendors repeat deliveries for days"
            help = "store_raw: hash-only keeps nothing of a body once its delivery is resolved"
            self.report(node.place.lint("E111", message, help=help))
        return found

    def hidden(self) -> tuple[Hidden, ...]:
        block = self.block.block("privacy")
        found: list[Hidden] = []
        for action in ACTIONS:
            for node in block.listed(action):
                only, kind = False, ""
                path = node
                if isinstance(node, MapNode):
                    inner = Block(node)
                    path = inner.get("path") or node
                    only = inner.flag("for_identity_only", default=False)
                    kind = inner.text("kind")
                if not isinstance(path, ScalarNode):
                    self.report(
                        node.place.lint("E111", "a path, or { path, for_identity_only: true }, is wanted")
                    )
                    continue
                read = hidden_path(path)
                if isinstance(read, Lint):
                    self.report(read)
                    continue
                root, keys = read
                if root not in self.env.names:
                    self.report(path.place.lint("E111", "`fetched` needs `fetch_back:`"))
                found.append(Hidden(keys, action, only, kind or keys[-1], root))
        return tuple(found)

    def hidden_reads(self) -> list[Lint]:
        """Warn where an expression reads what `privacy.drop` removes; it will always be absent."""
        dropped = [one for one in self.hidden() if one.action == "drop" and not one.for_identity_only]
        lints: list[Lint] = []
        for read in self.collected.reads:
            for one in dropped:
                keys = tuple(map(str, read.keys))
                if read.root == one.root and keys[: len(one.keys)] == one.keys:
                    message = f"{one.shown} is dropped by `privacy:`, so this is always absent"
                    lints.append(read.place.lint("W316", message))
        return lints


def _agents(identities: dict[str, Identity]) -> dict[str, Closure]:
    """How rules reach the agents; each is made once an event."""
    return {name: _agent(identity) for name, identity in identities.items()}


def _agent(identity: Identity) -> Closure:
    return shaped(lambda scope: identity.agent(scope), Kept(identity.slot, identity.agent, "agent"))


def _seconds(block: Block, key: str) -> int | None:
    """A duration in seconds, None where it is not given."""
    node = block.scalar(key)
    return (seconds(node) or None) if node is not None else None


def _entry(entry: DirectoryEntry, on_missing: str, place: Place, hold_for: int | None) -> Closure:
    def find(scope: Scope) -> Any:
        key = entry.key(scope)
        assert scope.lookups is not None
        found = None if key is None else scope.lookups.entry(entry.set, text(key))
        if found is not None or on_missing == "absent":
            return found
        if on_missing in ("hold", "skip"):
            if key is None and on_missing == "hold":
                raise _missing(entry, place)  # nothing could ever end the wait
            missing = (("key", text(key)),) if key is not None else ()
            raise Undecided(
                "hold" if on_missing == "hold" else "drop",
                f"directory.{entry.name}",
                missing,
                set=entry.set,
                hold_for=hold_for,
            )
        raise _missing(entry, place)

    return find


def _missing(entry: DirectoryEntry, place: Place) -> EvaluationError:
    error = EvaluationError(f"directory.{entry.name}: there is no such entry in {entry.set}", code="R302")
    error.place = place
    return error


def _delivery_key(plan: EventPlan) -> Callable[[Any, Incoming, str], str]:
    """The delivery's key: its event's id; for batches and events without one, the hash of the raw body."""

    def key(payload: Any, sent: Incoming, digest: str) -> str:
        if plan.batch is not None or plan.event_id is None:
            return digest
        scope = Scope()
        scope.body, scope.index = payload, 0
        scope.headers, scope.query = sent.scope.headers, sent.scope.query
        try:
            found = plan.event_id(scope)
            if found is None:
                return digest
            return text(found) + (f":{content_hash(payload)[:16]}" if plan.mix_in_body else "")
        except EvaluationError:
            return digest

    return key
