"""What is asked of the directory before an event is adapted, and what is learned of it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from adapters.expressions.environment import Closure
from adapters.expressions.scope import Scope
from adapters.expressions.values import EvaluationError, text
from adapters.linting.findings import Lint
from adapters.outcomes import Account, Lookups
from adapters.remember import Fact, Recalled

if TYPE_CHECKING:
    from adapters.mapping import Mapping


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


NOTHING = Wanted(accounts=(), entries=())


def wanted(mapping: Mapping, scope: Scope) -> Wanted:
    """What should be resolved for the event that a scope holds."""
    accounts: list[tuple[str, str]] = []
    entries: list[tuple[str, str]] = []
    for identity in mapping.identities:
        try:
            accounts.extend(identity.candidates(scope))
        except EvaluationError:
            continue
    for entry in mapping.directories:
        try:
            key = entry.key(scope)
            if key is not None:
                entries.append((entry.set, text(key)))
        except EvaluationError:
            continue
    facts: list[Recalled] = []
    for recall in mapping.recalls:
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


def facts(mapping: Mapping, scope: Scope) -> tuple[list[Fact], list[Lint]]:
    """What is to be remembered of the event that a scope holds, and what could not be."""
    facts: list[Fact] = []
    lints: list[Lint] = []
    for one in mapping.remembers:
        try:
            fact = one.fact(scope)
        except EvaluationError as error:
            lints.append(replace((error.place or one.place).lint("W403", error.message), help=error.help))
            continue
        if fact is not None:
            facts.append(fact)
    return facts, lints


def news(mapping: Mapping, scope: Scope, lookups: Lookups) -> dict[tuple[str, str], Account]:
    """Further (kind, value) of people the directory knows."""
    found: dict[tuple[str, str], Account] = {}
    for identity in mapping.identities:
        if identity.learn:
            try:
                found |= identity.news(scope, lookups)
            except EvaluationError:
                continue
    return found
