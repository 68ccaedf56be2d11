"""Row filters: the part of a store's statements that a credential may read.

A filter looks at what a statement says itself, never at what it refers to: a comment on a statement that may
be read is not one that may be read. Every part of a filter that names values must hold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

# Each value is a range of an index; MongoDB merges up to 200 of them in order.
MAX_VALUES: Final = 100
SOURCE_KINDS: Final = ("adapter", "credential")

_PLATFORM: Final = "statement.context.platform"


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFilter:
    """Which statements may be read; a part without values does not limit.

    `verbs` are verb ids, `courses` activity ids that a statement is about or names in its context,
    `platforms` are compared with `context.platform`, `sources` are `adapter:<name>` or `credential:<key>`,
    `agents` are agent keys, `registrations` UUIDs.
    Raises ValueError for a source of another kind and for more than `MAX_VALUES` values in one part.
    """

    verbs: tuple[str, ...] = ()
    courses: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    registrations: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for part, values in self.document().items():
            if len(values) > MAX_VALUES:
                raise ValueError(f"{part} has {len(values)} values; a row filter takes {MAX_VALUES} of each")
        for source in self.sources:
            kind, colon, name = source.partition(":")
            if kind not in SOURCE_KINDS or not colon or not name:
                raise ValueError(f"the source {source!r} is not adapter:<name> or credential:<key>")

    def __bool__(self) -> bool:
        return any(self.document().values())

    def document(self) -> dict[str, list[str]]:
        """The filter as it is stored with its credential and shown to people."""
        return {part.name: list(values) for part in fields(self) if (values := getattr(self, part.name))}

    @classmethod
    def of(cls, document: Mapping[str, Sequence[str]]) -> RowFilter:
        """The filter that `document` was made of."""
        return cls(**{part: tuple(values) for part, values in document.items()})

    @property
    def leads(self) -> frozenset[str]:
        """The indexed fields that this filter gives values for."""
        kinds = {source.partition(":")[0] for source in self.sources}
        leads = {f"source.{kind}" for kind in kinds if len(kinds) == 1}
        named = self._keys()
        if self.platforms:
            named[_PLATFORM] = self.platforms
        return frozenset(leads.union(named))

    def conditions(self) -> list[dict[str, Any]]:
        """What MongoDB has to ask of a statement; all of it must hold."""
        conditions: list[dict[str, Any]] = []
        for field, values in self._keys().items():
            wanted = _one_of(values)
            conditions += [{field: wanted}, itself({field: wanted})]
        if self.platforms:
            conditions.append({_PLATFORM: _one_of(self.platforms)})
        if self.sources:
            names: dict[str, list[str]] = {}
            for source in self.sources:
                kind, _, name = source.partition(":")
                names.setdefault(f"source.{kind}", []).append(name)
            either = [{field: _one_of(values)} for field, values in names.items()]
            conditions.append(either[0] if len(either) == 1 else {"$or": either})
        return conditions

    def _keys(self) -> dict[str, tuple[str, ...]]:
        keys = {
            "registrations": self.registrations,
            "agents": self.agents,
            "related_activities": self.courses,
            "verbs": self.verbs,
        }
        return {field: values for field, values in keys.items() if values}


def itself(keys: Mapping[str, Any]) -> dict[str, Any]:
    """A condition on match keys that a statement has itself, not through what it refers to.

    It is to be added to the condition on the merged keys, which the index serves.
    """
    own = {f"chain.0.{field}": wanted for field, wanted in keys.items()}
    return {"$or": [{"chain": {"$exists": False}}, own]}


def _one_of(values: Sequence[str]) -> Any:
    return values[0] if len(values) == 1 else {"$in": list(values)}
