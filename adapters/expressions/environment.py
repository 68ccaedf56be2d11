"""What names and functions an expression may use at the place where it stands, and what loading collects."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, TypeAlias

from adapters.expressions.scope import Scope
from adapters.expressions.syntax import Expression, Term
from adapters.linting.findings import Lint
from adapters.loading.yaml_source import Node, Place, ScalarNode

Closure: TypeAlias = Callable[[Scope], Any]
PayloadPath: TypeAlias = tuple[str, tuple[str | int, ...]]

# What expressions of rules can see, with what it holds.
NAMES = {
    "body": "the payload",
    "item": "the present element of `receive.batch`",
    "index": "its number, or that of the present element of a loop, from 0",
    "vars": "what `let:` defines: `vars.x`",
    "identity": "the agents that `identity:` defines: `identity.learner`",
    "directory": "the entries that `directory:` looks up: `directory.course.title`",
    "remembered": "facts of earlier events that `recall:` looks up: `remembered.meeting`",
    "fetched": "what `fetch_back:` brought for this event: `fetched.data.badge`",
    "parent": "the first statement of the rule, for later ones: `parent.id`",
    "headers": "request headers, names in any case: `headers['X-Event']`",
    "query": "parameters of the request's URL",
    "source": "the keys of `source:`",
    "event_id": "what tells this event from others",
    "received_at": "when the request arrived",
    "rule": "the name of the rule",
}
MAPPING_NAMES = frozenset(NAMES)
REQUEST_NAMES = frozenset({"body", "headers", "query", "raw_body", "timestamp", "url"})


def absent(scope: Scope) -> None:
    """The closure of what is never there."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an expression is written: its scalar and its offset in that scalar's text."""

    node: ScalarNode
    offset: int

    def at(self, term: Term) -> Place:
        return self.node.within(self.offset + term.start, max(1, term.end - term.start))


@dataclass(frozen=True, slots=True)
class Read:
    """A path of constants that an expression reads from the payload; `*` stands for any list element."""

    root: str
    keys: tuple[str | int, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Branch:
    """A part of a mapping that is taken only sometimes: of a condition, a fallback or a `$case`."""

    what: str
    place: Place


@dataclass(slots=True)
class Collected:
    """What loading one mapping gathers on the way: findings, payload paths, names of secrets."""

    lints: list[Lint] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)
    branches: list[Branch] = field(default_factory=list)
    secrets: set[str] = field(default_factory=set)
    tables_used: set[str] = field(default_factory=set)
    fragments_used: set[str] = field(default_factory=set)
    expansions: int = 0
    leaves: int = 0
    slots: count[int] = field(default_factory=count)


@dataclass(frozen=True, slots=True)
class Variable:
    """A `let`: its closure, the slot its value is kept in, the payload path it stands for, if any.

    `node` is how it is written, `env` the environment it is written in, `needs` the names it is made of.
    """

    slot: int
    build: Closure
    origin: PayloadPath | None = None
    node: Node | None = None
    env: Env | None = None
    needs: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Local:
    """A loop variable or fragment argument."""

    slot: int
    origin: PayloadPath | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Env:
    """The environment of one expression; `with_locals` and friends derive environments of inner ones.

    `later` are variables that are not there yet, with the names they need.
    """

    collected: Collected
    names: frozenset[str] = MAPPING_NAMES
    receiving: bool = False
    locals: Mapping[str, Local] = field(default_factory=dict)
    variables: Mapping[str, Variable] = field(default_factory=dict)
    later: Mapping[str, frozenset[str]] = field(default_factory=dict)
    identities: Mapping[str, Closure] = field(default_factory=dict)
    directories: Mapping[str, Closure] = field(default_factory=dict)
    recalls: Mapping[str, Closure] = field(default_factory=dict)
    tables: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    timezone: str | None = None
    tracing: bool = False

    def with_locals(self, **added: Local) -> Env:
        return replace(self, locals={**self.locals, **added})

    def slot(self) -> int:
        return next(self.collected.slots)

    def branch(self, what: str, place: Place, closure: Closure) -> Closure:
        """Note a part that is taken only sometimes; compiled for tracing it tells when it is."""
        if self.receiving:
            return closure
        self.collected.branches.append(Branch(what, place))
        if not self.tracing:
            return closure

        def reaching(scope: Scope) -> Any:
            if scope.trace is not None:
                scope.trace.reached.add(place.spot)
            return closure(scope)

        return reaching

    def report(self, lint: Lint) -> None:
        self.collected.lints.append(lint)


class CompileError(Exception):
    """An expression that cannot be compiled; its finding is reported by whoever asked for it."""

    def __init__(self, lint: Lint) -> None:
        super().__init__(lint.message)
        self.lint = lint


@dataclass(frozen=True, slots=True)
class Site:
    """Where a call stands: for functions that prepare themselves at load time."""

    env: Env
    origin: Origin
    call: Term

    def error(
        self, code: str, message: str, term: Term | None = None, *, help: str | None = None
    ) -> CompileError:
        return CompileError(self.origin.at(term or self.call).lint(code, message, help=help))


Builder: TypeAlias = Callable[[Site, tuple[Expression, ...], tuple[Closure, ...]], Closure]
