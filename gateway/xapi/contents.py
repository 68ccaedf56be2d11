"""Which verbs, activity types and keys of extensions a statement holds, wherever they stand in it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, TypeAlias

Kind: TypeAlias = Literal["verbs", "types", "extensions"]
KINDS: tuple[Kind, ...] = ("verbs", "types", "extensions")


def contents(statement: Any) -> set[tuple[Kind, str]]:
    """The IRIs of a statement by kind, those of its SubStatement too. What has no such shape is passed over:
    a stored statement that the database could not hold is only the nearest document.
    """
    return set(_of_statement(statement))


def _of_statement(statement: Any) -> Iterator[tuple[Kind, str]]:
    if not isinstance(statement, dict):
        return
    verb, target = statement.get("verb"), statement.get("object")
    if isinstance(verb, dict) and isinstance(verb.get("id"), str):
        yield "verbs", verb["id"]
    if isinstance(target, dict):
        if target.get("objectType") == "SubStatement":
            yield from _of_statement(target)
        else:
            yield from _of_activity(target)
    context = statement.get("context")
    if isinstance(context, dict):
        yield from _keys(context.get("extensions"))
        related = context.get("contextActivities")
        for listed in related.values() if isinstance(related, dict) else ():
            for activity in listed if isinstance(listed, list) else (listed,):
                yield from _of_activity(activity)
    result = statement.get("result")
    if isinstance(result, dict):
        yield from _keys(result.get("extensions"))


def _of_activity(activity: Any) -> Iterator[tuple[Kind, str]]:
    definition = activity.get("definition") if isinstance(activity, dict) else None
    if isinstance(definition, dict):
        if isinstance(definition.get("type"), str):
            yield "types", definition["type"]
        yield from _keys(definition.get("extensions"))


def _keys(extensions: Any) -> Iterator[tuple[Kind, str]]:
    if isinstance(extensions, dict):
        for key in extensions:
            yield "extensions", key
