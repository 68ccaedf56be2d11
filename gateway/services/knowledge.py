"""What a store learns from statements: activity definitions and agents' names (xAPI 1.0.3 Data 2.4.4.1)."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from gateway.store.store import Store
from gateway.xapi import definitions, strict_json
from gateway.xapi.persons import named_agents

_REMEMBER_FOR = 10.0  # seconds; another process may have learnt something newer meanwhile
_REMEMBER_AT_MOST = 50_000


class Knowledge:
    """Definitions and names of one store. What was just learnt is remembered: repeating it costs no query."""

    def __init__(self, store: Store) -> None:
        self._activities = store.activities
        self._persons = store.persons
        self._definitions: dict[str, bytes] = {}
        self._names: set[tuple[str, str]] = set()
        self._since = time.monotonic()

    async def learn(self, statements: Iterable[Mapping[str, Any]], *, define: bool) -> None:
        """Learn from stored statements; definitions only where the credential may `define`."""
        self._forget()
        names: dict[str, str] = {}
        learnt: dict[str, dict[str, Any]] = {}
        for statement in statements:
            names |= dict(pair for pair in named_agents(statement) if pair not in self._names)
            if define:
                for activity, definition in definitions.described(statement):
                    learnt[activity] = definitions.merge_definition(learnt.get(activity), definition)
        if names:
            await self._persons.learn(names)
            self._names.update(names.items())
        for activity, definition in learnt.items():
            await self._define(activity, definition)

    async def definitions(self, activities: Iterable[str]) -> dict[str, Any]:
        """The merged definitions of those activities that have one."""
        found = await self._activities.definitions(activities)
        return {activity: strict_json.parse(text).value for activity, text in found.items()}

    async def names(self, agent: str) -> list[str]:
        """The names known for an agent key."""
        return await self._persons.names(agent)

    async def _define(self, activity: str, definition: Mapping[str, Any]) -> None:
        text = strict_json.dumps(definition)
        if self._definitions.get(activity) == text:
            return

        def change(before: bytes | None) -> bytes:
            known = strict_json.parse(before).value if before is not None else None
            return strict_json.dumps(definitions.merge_definition(known, definition))

        await self._activities.learn(activity, change)
        self._definitions[activity] = text

    def _forget(self) -> None:
        crowded = len(self._definitions) + len(self._names) > _REMEMBER_AT_MOST
        if crowded or time.monotonic() - self._since > _REMEMBER_FOR:
            self._definitions.clear()
            self._names.clear()
            self._since = time.monotonic()
