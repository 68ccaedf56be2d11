"""The formats that statements are answered in (xAPI Communication §2.1.3, parameter `format`).

`exact` is the stored statement and needs no function. Performs no I/O and never changes its input: parts that
stay as they are (results, extensions) are shared with it. Expects statements that passed validation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from gateway.xapi import definitions as activity_definitions
from gateway.xapi.agents import IDENTIFIERS
from gateway.xapi.languages import Languages

_COMPONENT_LISTS: Final = ("choices", "scale", "source", "target", "steps")

_Object = dict[str, Any]


def to_ids(statement: Mapping[str, Any]) -> _Object:
    """Only what identifies Agents, Groups, Activities and Verbs; everything else stays in place.

    Anonymous Groups keep their members, since nothing else identifies them. An Agent or Group in object
    position keeps its `objectType`, without which it would be read as an Activity.
    """
    reduced = dict(statement)
    for key, reduce in (("actor", actor_ids), ("authority", actor_ids), ("verb", _only_id)):
        if key in reduced:
            reduced[key] = reduce(reduced[key])
    reduced["object"] = _object_ids(statement["object"])
    if "context" in reduced:
        reduced["context"] = _context_ids(reduced["context"])
    return reduced


def actor_ids(actor: Mapping[str, Any], *, keep_type: bool = False) -> _Object:
    """An Agent or Group reduced to its identifier; an anonymous Group to those of its members."""
    is_group = actor.get("objectType") == "Group"
    reduced: _Object = {"objectType": actor["objectType"]} if is_group or keep_type else {}
    identifiers = {key: actor[key] for key in IDENTIFIERS if key in actor}
    if identifiers:
        return reduced | identifiers
    if "member" in actor:
        reduced["member"] = [actor_ids(member) for member in actor["member"]]
    return reduced


def _only_id(thing: Mapping[str, Any]) -> _Object:
    return {"id": thing["id"]}


def _object_ids(target: Mapping[str, Any]) -> _Object:
    match target.get("objectType", "Activity"):
        case "Activity":
            return _only_id(target)
        case "Agent" | "Group":
            return actor_ids(target, keep_type=True)
        case "SubStatement":
            return to_ids(target)
        case _:
            return dict(target)


def _context_ids(context: Mapping[str, Any]) -> _Object:
    reduced = dict(context)
    for key in ("instructor", "team"):
        if key in reduced:
            reduced[key] = actor_ids(reduced[key])
    if "contextActivities" in reduced:
        reduced["contextActivities"] = _in_lists(reduced["contextActivities"], _only_id)
    for key, role in (("contextAgents", "agent"), ("contextGroups", "group")):
        if key in reduced:
            reduced[key] = [{**entry, role: actor_ids(entry[role])} for entry in reduced[key]]
    return reduced


def to_canonical(
    statement: Mapping[str, Any],
    definitions: Mapping[str, Mapping[str, Any]],
    languages: Languages,
) -> _Object:
    """Activities with the definitions the LRS has learnt, and one language in every map that people read.

    `definitions` holds the merged definition of the statement's `activity_ids`. An Activity that is not among
    them keeps its own, one that nobody described gets none. Languages are chosen for each map by itself;
    Agents, Groups and extensions are left alone.
    """

    def activity(original: Mapping[str, Any]) -> _Object:
        definition = definitions.get(original["id"]) or original.get("definition")
        if definition is None:
            return dict(original)
        return {**original, "definition": _one_language(definition, languages)}

    canonical = dict(statement)
    verb = statement["verb"]
    if "display" in verb:
        canonical["verb"] = {**verb, "display": languages.reduce(verb["display"])}
    target = statement["object"]
    kind = target.get("objectType", "Activity")
    if kind == "Activity":
        canonical["object"] = activity(target)
    elif kind == "SubStatement":
        canonical["object"] = to_canonical(target, definitions, languages)
    context = statement.get("context", {})
    if "contextActivities" in context:
        listed = _in_lists(context["contextActivities"], activity)
        canonical["context"] = {**context, "contextActivities": listed}
    return canonical


def activity_ids(statement: Mapping[str, Any]) -> list[str]:
    """Distinct ids of all activities in a statement: the definitions that `to_canonical` asks for."""
    return list(dict.fromkeys(activity["id"] for activity in activity_definitions.activities(statement)))


def _in_lists(groups: Mapping[str, Any], change: Callable[[Mapping[str, Any]], _Object]) -> _Object:
    """contextActivities with every Activity changed; a single one in place of an array stays single."""
    return {
        key: [change(entry) for entry in listed] if isinstance(listed, list) else change(listed)
        for key, listed in groups.items()
    }


def _one_language(definition: Mapping[str, Any], languages: Languages) -> _Object:
    reduced = dict(definition)
    for key in ("name", "description"):
        if key in reduced:
            reduced[key] = languages.reduce(reduced[key])
    for key in _COMPONENT_LISTS:
        if key in reduced:
            reduced[key] = [
                {**component, "description": languages.reduce(component["description"])}
                if "description" in component
                else component
                for component in reduced[key]
            ]
    return reduced
