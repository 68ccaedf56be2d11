"""What mappings ask before they map: whom the directory knows, its entries, and facts of earlier events.

All that a group of deliveries asks is one query for the directory and one for each fact; nothing is cached
beyond that, because a correction in the directory has to count from the next delivery on, in every process.
What was found is kept with the delivery, by fingerprint, so that it can be mapped the same way again.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from adapters import Event, Lookups, Taken
from adapters import Mapping as AdapterMapping
from adapters.functions.times import instant
from adapters.identity import PEOPLE
from adapters.linting.findings import Lint
from adapters.outcomes import Account
from adapters.remember import Fact, Recalled
from adapters.resolving import NOTHING, Wanted
from gateway.services.privacy import PrivacyKeys
from gateway.store.delivery_records import Outcome
from gateway.store.directory import Directory, DirectoryEntry
from gateway.store.facts import Facts, StoredFact

_LARGEST_KEPT = 1024 * 1024  # bytes of what one delivery found; beyond that it is not kept with it
KEY = "key"  # the kind of entries that are not people


def normal(kind: str, value: str) -> str:
    """How a value is compared: without space around it, e-mail addresses in lower case."""
    value = value.strip()
    return value.lower() if kind == "email" else value


def entry_id(keys: PrivacyKeys, of: str, kind: str, value: str) -> str:
    """The fingerprint of a directory entry."""
    return keys.fingerprint("directory", of, kind, normal(kind, value))


def fact_id(keys: PrivacyKeys, adapter: str, of: str, key: str) -> str:
    """The fingerprint of what facts are about; adapters know nothing of each other's."""
    return keys.fingerprint("fact", adapter, of, key)


def micros(written: str) -> int:
    """A moment in microseconds since 1970."""
    moment = instant(written)
    return round(moment.timestamp() * 1_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """One delivery's events and what they want to know; `facts` are what they tell, by event. `failed` are
    the outcomes of those for which nothing could be fetched, by their place.
    """

    mapping: AdapterMapping
    events: Sequence[Taken]
    wanted: Sequence[Wanted]
    facts: Sequence[Sequence[Fact]]
    warnings: Sequence[Sequence[Lint]]
    failed: Mapping[int, Outcome] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        mapping: AdapterMapping,
        events: Sequence[Taken],
        failed: Mapping[int, Outcome] | None = None,
        *,
        key: bytes,
    ) -> Asking:
        """Pure: what the events of a delivery want to know and tell; `key` makes pseudonyms."""
        wanted: list[Wanted] = []
        facts: list[Sequence[Fact]] = []
        warnings: list[Sequence[Lint]] = []
        for index, event in enumerate(events):
            whole = isinstance(event, Event) and index not in (failed or ())
            want, told, lints = (
                mapping.asked(event, key) if whole and isinstance(event, Event) else (NOTHING, [], [])
            )
            wanted.append(want)
            facts.append(told)
            warnings.append(lints)
        return cls(
            mapping=mapping,
            events=events,
            wanted=wanted,
            facts=facts,
            warnings=warnings,
            failed=failed or {},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What lookups found for one delivery: account or fields by entry, facts as JSON text by (of, at)."""

    accounts: Mapping[str, Account] = field(default_factory=dict)
    entries: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any] | None:
        """As it is kept with a delivery; None if that would be too much."""
        document: dict[str, dict[str, Any]] = {
            "accounts": {one: [account.name, account.home_page] for one, account in self.accounts.items()},
            "entries": {one: _text(value) for one, value in self.entries.items()},
            "facts": {one: _text(value) for one, value in self.facts.items()},
        }
        size = sum(len(one) + len(str(value)) for part in document.values() for one, value in part.items())
        return {key: value for key, value in document.items() if value} if size <= _LARGEST_KEPT else None

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Found:
        """What was found when a delivery was mapped."""
        return cls(
            accounts={one: Account(*pair) for one, pair in document.get("accounts", {}).items()},
            entries={one: json.loads(text) for one, text in document.get("entries", {}).items()},
            facts={one: json.loads(text) for one, text in document.get("facts", {}).items()},
        )


class Resolver:
    """Answers what mappings ask, from the directory and the facts of one store."""

    def __init__(self, directory: Directory, facts: Facts, keys: PrivacyKeys) -> None:
        self._directory = directory
        self._facts = facts
        self._keys = keys

    async def tell(self, asking: Iterable[Asking], now: dt.datetime) -> list[str]:
        """Keep what events tell; the fingerprints of what was told, for those who wait for it."""
        stored = [
            StoredFact(
                of=fact_id(self._keys, one.mapping.name, fact.set, fact.key),
                at=micros(fact.at),
                value=_text(fact.value),
                expires=now + dt.timedelta(seconds=fact.ttl),
            )
            for one in asking
            for facts in one.facts
            for fact in facts
        ]
        await self._facts.put(stored)
        return list(dict.fromkeys(fact.of for fact in stored))

    async def find(self, asking: Sequence[Asking]) -> list[Found]:
        """What the directory and the facts say, for each delivery."""
        ids = [self._ids(one) for one in asking]
        entries = await self._directory.find(one for part in ids for one in part)
        facts = await self._facts.find(
            [self._fact_key(one, fact) for one in asking for want in one.wanted for fact in want.facts]
        )
        return [self._found(one, part, entries, facts) for one, part in zip(asking, ids, strict=True)]

    def _ids(self, asking: Asking) -> list[str]:
        people = [pair for want in asking.wanted for pair in want.accounts]
        things = [pair for want in asking.wanted for pair in want.entries]
        return [
            *(entry_id(self._keys, PEOPLE, kind, value) for kind, value in dict.fromkeys(people)),
            *(entry_id(self._keys, of, KEY, key) for of, key in dict.fromkeys(things)),
        ]

    def _fact_key(self, asking: Asking, wanted: Recalled) -> tuple[str, int | None]:
        of = fact_id(self._keys, asking.mapping.name, wanted.set, wanted.key)
        return of, micros(wanted.at) if wanted.at is not None else None

    def _found(
        self,
        asking: Asking,
        ids: Sequence[str],
        entries: Mapping[str, DirectoryEntry],
        facts: Mapping[tuple[str, int | None], StoredFact],
    ) -> Found:
        known = {one: entries[one] for one in ids if one in entries}
        told = {
            shown(key): json.loads(facts[key].value)
            for want in asking.wanted
            for fact in want.facts
            if (key := self._fact_key(asking, fact)) in facts
        }
        return Found(
            accounts={
                one: Account(entry.account, entry.home_page)
                for one, entry in known.items()
                if entry.account is not None
            },
            entries={
                one: json.loads(entry.fields) for one, entry in known.items() if entry.fields is not None
            },
            facts=told,
        )

    def lookups(self, base: Lookups, asking: Asking, found: Found) -> Lookups:
        """What the events of a delivery see, except facts: those belong to an event's own time."""
        if not (found.accounts or found.entries or base.accounts or base.directories):
            return base  # nobody is known, as most are not
        accounts: dict[tuple[str, str], str | Account] = {}
        directories: dict[str, dict[str, Any]] = {}
        for want in asking.wanted:
            for kind, value in want.accounts:
                account = found.accounts.get(entry_id(self._keys, PEOPLE, kind, value))
                if account is not None:
                    accounts[kind, value] = account
            for of, key in want.entries:
                entry = found.entries.get(entry_id(self._keys, of, KEY, key))
                if entry is not None:
                    directories.setdefault(of, {})[key] = entry
        return replace(base, accounts=accounts, directories=directories)

    def with_facts(
        self, lookups: Lookups, asking: Asking, index: int, found: Found
    ) -> tuple[Lookups, list[Recalled]]:
        """What one event sees, facts included, and which of those it asked for are missing."""
        wanted = asking.wanted[index].facts
        if not wanted:
            return lookups, []
        remembered: dict[str, dict[str, Any]] = {}
        missing: list[Recalled] = []
        for one in wanted:
            value = found.facts.get(shown(self._fact_key(asking, one)))
            if value is None:
                missing.append(one)
            else:
                remembered.setdefault(one.set, {})[one.key] = value
        return replace(lookups, remembered=remembered), missing

    def waits_for(self, asking: Asking, missing: Iterable[Recalled]) -> tuple[str, ...]:
        """The fingerprints of facts that an event waits for."""
        return tuple(fact_id(self._keys, asking.mapping.name, one.set, one.key) for one in missing)

    def waits_for_entries(self, of: str, missing: Iterable[tuple[str, str]]) -> tuple[str, ...]:
        """The fingerprints of directory entries that an event waits for."""
        return tuple(entry_id(self._keys, of, kind, value) for kind, value in missing)

    async def known(self, fingerprints: Sequence[str]) -> list[str]:
        """Which of these directory entries and facts are there by now."""
        entries = await self._directory.find(fingerprints)
        return [*entries, *await self._facts.known(fingerprints)]

    async def learn(self, news: Mapping[tuple[str, str], Account], now: dt.datetime) -> list[str]:
        """Let the directory know what else people are called; the fingerprints of what may be new."""
        entries = [
            DirectoryEntry(
                id=entry_id(self._keys, PEOPLE, kind, value),
                set=PEOPLE,
                kind=storable(kind),
                value=storable(normal(kind, value)),
                account=account.name,
                home_page=account.home_page,
                source="learned",
                updated=now,
            )
            for (kind, value), account in news.items()
        ]
        return [entry.id for entry in entries] if await self._directory.learn(entries) else []


def shown(key: tuple[str, int | None]) -> str:
    """The name under which a fact is kept with a delivery."""
    return f"{key[0]}:{'' if key[1] is None else key[1]}"


def storable(text: str) -> str:
    """Text that UTF-8 can hold; different texts stay different."""
    return text.encode("utf-8", "backslashreplace").decode()


def _text(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
