"""Activity definitions: where statements carry them and how they add up (xAPI Data §2.4.4.1).

Performs no I/O and changes nothing it is given. Expects statements that passed validation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

_MERGED_MAPS: Final = ("name", "description", "extensions")


def activities(statement: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every Activity of a statement: its object, its contextActivities, and those of its SubStatement."""
    target = statement["object"]
    kind = target.get("objectType", "Activity")
    if kind == "Activity":
        yield target
    for listed in statement.get("context", {}).get("contextActivities", {}).values():
        # Before storing, a single Activity may stand in place of the array.
        yield from listed if isinstance(listed, list) else (listed,)
    if kind == "SubStatement":
        yield from activities(target)


def described(statement: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Id and definition of every Activity that carries one; what the canonical definitions learn from."""
    for activity in activities(statement):
        definition = activity.get("definition")
        if definition is not None:
            yield activity["id"], definition


def merge_definition(old: Mapping[str, Any] | None, new: Mapping[str, Any]) -> dict[str, Any]:
    """The definition known so far plus a newer one.

    `name`, `description` and `extensions` are merged key by key and the newer entry wins, so languages
    add up; any other property is replaced whole.
    """
    merged = {**(old or {}), **new}
    for key in _MERGED_MAPS:
        if old is not None and key in old and key in new:
            merged[key] = {**old[key], **new[key]}
    return merged


def learn(statements: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """By activity id, everything that these statements say together, the later ones winning."""
    learnt: dict[str, dict[str, Any]] = {}
    for statement in statements:
        for activity_id, definition in described(statement):
            learnt[activity_id] = merge_definition(learnt.get(activity_id), definition)
    return learnt


def canonical_activity(activity_id: str, definition: Mapping[str, Any] | None) -> dict[str, Any]:
    """What GET /activities answers, with all languages; an Activity nobody described is answered too."""
    activity: dict[str, Any] = {"objectType": "Activity", "id": activity_id}
    if definition:
        activity["definition"] = dict(definition)
    return activity
