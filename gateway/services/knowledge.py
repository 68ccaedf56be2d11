"""What a store learns from statements: activity definitions and agents' names (xAPI 1.0.3 Data 2.4.4.1).

Requests that arrive together learn together, and what was learnt lately is remembered: repeating it costs no
query.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.services.grouping import Gatherer, Job
from gateway.store.store import Store
from gateway.xapi import definitions, strict_json
from gateway.xapi.persons import named_agents

_REMEMBER_FOR = 60.0  # seconds; another process may have learnt something newer meanwhile
_REMEMBER_AT_MOST = 50_000
_AT_ONCE = 1000


@dataclass(slots=True)
class Lesson:
    """What one request teaches: names as (agent key, name), definitions by activity id."""

    names: set[tuple[str, str]] = field(default_factory=set)
    definitions: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.names) + len(self.definitions)


class Knowledge:
    """Definitions and names of one store. `run` must be running for anything to be learnt."""

    def __init__(self, store: Store) -> None:
        self._activities = store.activities
        self._persons = store.persons
        # One group at a time: a later definition has to win over an earlier one.
        self._gatherer: Gatherer[Lesson, None] = Gatherer(self._learn, max_weight=_AT_ONCE, in_flight=1)
        self._names: dict[tuple[str, str], float] = {}  # until when they are remembered
        self._definitions: dict[str, tuple[float, bytes]] = {}

    async def run(self) -> None:
        """Learn until cancelled."""
        await self._gatherer.run()

    async def learn(self, statements: Iterable[Mapping[str, Any]], *, define: bool) -> None:
        """Learn from stored statements; definitions only where the credential may `define`."""
        lesson = self._lesson(statements, define=define)
        if lesson:
            await self._gatherer.submit(lesson, weight=len(lesson))

    async def definitions(self, activities: Iterable[str]) -> dict[str, Any]:
        """The merged definitions of those activities that have one."""
        found = await self._activities.definitions(activities)
        return {activity: strict_json.parse(text).value for activity, text in found.items()}

    async def names(self, agent: str) -> list[str]:
        """The names known for an agent key."""
        return await self._persons.names(agent)

    def _lesson(self, statements: Iterable[Mapping[str, Any]], *, define: bool) -> Lesson:
        """What in these statements is not remembered."""
        now = time.monotonic()
        lesson = Lesson()
        said: dict[str, dict[str, Any]] = {}
        for statement in statements:
            for pair in named_agents(statement):
                if self._names.get(pair, 0.0) < now:
                    lesson.names.add(pair)
            if define:
                for activity, definition in definitions.described(statement):
                    before = said.get(activity)
                    merged = definitions.merge_definition(before, definition) if before else definition
                    said[activity] = merged
        for activity, definition in said.items():
            until, text = self._definitions.get(activity, (0.0, b""))
            if until < now or text != strict_json.dumps(definition):
                lesson.definitions[activity] = definition
        return lesson

    async def _learn(self, group: Sequence[Job[Lesson, None]]) -> None:
        names: dict[str, dict[str, None]] = {}
        said: dict[str, dict[str, Any]] = {}
        for job in group:
            for agent, name in sorted(job.item.names):
                names.setdefault(agent, {})[name] = None
            for activity, definition in job.item.definitions.items():
                said[activity] = definitions.merge_definition(said.get(activity), definition)
        changes = {activity: _merging(definition) for activity, definition in said.items()}
        await asyncio.gather(self._persons.learn(names), self._activities.learn(changes))
        self._remember(group)
        for job in group:
            job.resolve(None)

    def _remember(self, group: Sequence[Job[Lesson, None]]) -> None:
        if len(self._definitions) + len(self._names) > _REMEMBER_AT_MOST:
            self._definitions.clear()
            self._names.clear()
        until = time.monotonic() + _REMEMBER_FOR
        for job in group:
            self._names |= dict.fromkeys(job.item.names, until)
            for activity, definition in job.item.definitions.items():
                self._definitions[activity] = until, strict_json.dumps(definition)


def _merging(definition: Mapping[str, Any]) -> Callable[[bytes | None], bytes]:
    def change(before: bytes | None) -> bytes:
        known = strict_json.parse(before).value if before is not None else None
        return strict_json.dumps(definitions.merge_definition(known, definition))

    return change
