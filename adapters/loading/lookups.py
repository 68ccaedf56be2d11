"""`identity:`, `directory:`, `remember:` and `recall:`: what an event asks for."""

from __future__ import annotations

from typing import Any

from adapters.expressions.environment import Closure, Env
from adapters.expressions.forms import Kept, shaped
from adapters.expressions.scope import Scope
from adapters.expressions.values import EvaluationError, text
from adapters.identity import Identity, Undecided
from adapters.linting.findings import suggest
from adapters.loading.model import Block
from adapters.loading.shared import ASKING_NAMES, Loading, span
from adapters.loading.yaml_source import MapNode, Place, ScalarNode
from adapters.remember import DEFAULT_TTL, Recall, Remember
from adapters.resolving import DirectoryEntry
from adapters.templates.closures import named


class LookupLoader:
    """Compiles what is asked of the directory and of remembered facts before the rules run."""

    def __init__(self, loading: Loading) -> None:
        self.loading = loading
        self.block = loading.block
        self.templates = loading.templates

    def identities(self) -> dict[str, Identity]:
        env = self.event_env()
        own = self.loading.source.get("home_page", "")
        found: dict[str, Identity] = {}
        block = self.block.block("identity")
        for name, node in (block.node.items if block.node is not None else {}).items():
            one = Block(node)
            if one.node is None:
                continue
            by: list[tuple[str, Closure]] = []
            for candidate in one.listed("by"):
                if not isinstance(candidate, MapNode) or len(candidate.items) != 1:
                    self.loading.report(candidate.place.lint("E111", "a candidate is one `kind: value`"))
                    continue
                ((kind, value),) = candidate.items.items()
                if isinstance(value, ScalarNode) and "${" not in value.text:
                    written = value.text[:60]
                    message = f"{written!r} is text here: it makes one person of everybody"
                    help = f'write "${{ {written} }}" where it is a path, or name who is meant in `actor:`'
                    self.loading.report(value.place.lint("E109", message, help=help))
                    continue
                closure = named(f"identity.{name}.{kind}", self.templates.template(value, env), env)
                by.append((kind, closure))
            home_page = one.text("home_page", own)
            if not own or not home_page:
                self.loading.report(
                    one.place().lint("E112", f"identity.{name} needs source.home_page, an IRI")
                )
            found[name] = Identity(
                name=name,
                by=tuple(by),
                home_page=home_page,
                own_home_page=own,
                unresolved=one.text("unresolved", "pseudonym"),  # type: ignore[arg-type]
                place=one.place(),
                slot=self.loading.env.slot(),
                hold_for=span(one, "hold_for"),
                learn=one.flag("learn", default=False),
            )
        return found

    def directories(self) -> tuple[tuple[DirectoryEntry, ...], dict[str, Closure]]:
        env = self.event_env()
        block = self.block.block("directory")
        entries: list[DirectoryEntry] = []
        closures: dict[str, Closure] = {}
        for name, node in (block.node.items if block.node is not None else {}).items():
            one = Block(node)
            key = one.get("key")
            if one.node is None or key is None:
                continue
            closure = named(f"directory.{name}.key", self.templates.template(key, env), env)
            entry = DirectoryEntry(name=name, set=one.text("set"), key=closure)
            entries.append(entry)
            closures[name] = _entry(
                entry, one.text("on_missing", "absent"), one.place(), span(one, "hold_for")
            )
        return tuple(entries), closures

    def remembers(self) -> tuple[Remember, ...]:
        env = self.event_env()
        found: list[Remember] = []
        for node in self.block.listed("remember"):
            one = Block(node)
            key, value = one.get("key"), one.get("value")
            if key is None or value is None:
                continue
            remember = Remember(
                set=one.text("set"),
                when=self.loading.condition(one, env),
                key=self.templates.template(key, env),
                value=self.templates.template(value, env),
                at=self.loading.moment(one, env),
                ttl=span(one, "ttl") or DEFAULT_TTL,
                place=one.place(),
                timezone=self.loading.env.timezone,
            )
            found.append(remember)
        return tuple(found)

    def recalls(self) -> tuple[Recall, ...]:
        env = self.event_env()
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
                self.loading.report(chosen.place.lint("W131", message + suggest(chosen.text, known)))
            recall = Recall(
                name=name,
                set=chosen.text,
                when=self.loading.condition(one, env),
                key=named(f"remembered.{name}.key", self.templates.template(key, env), env),
                at=self.loading.moment(one, env),
                defer=span(one, "defer") or 0,
                timezone=self.loading.env.timezone,
            )
            found.append(recall)
        return tuple(found)

    def event_env(self) -> Env:
        """What is asked is computed from the event alone, before anything is looked up."""
        return self.loading.event_env(ASKING_NAMES)


def agents(identities: dict[str, Identity]) -> dict[str, Closure]:
    """How rules reach the agents; each is made once an event."""
    return {name: _agent(identity) for name, identity in identities.items()}


def _agent(identity: Identity) -> Closure:
    return shaped(lambda scope: identity.agent(scope), Kept(identity.slot, identity.agent, "agent"))


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
