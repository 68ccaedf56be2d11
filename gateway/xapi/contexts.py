"""Contexts and what they refer to: what is wrong with one (xAPI 1.0.3 Data §2.4.6 and what 2.0 adds)."""

from __future__ import annotations

from typing import Final

from gateway.errors import Problem
from gateway.xapi.agents import check_actor, check_agent, check_group
from gateway.xapi.datatypes import is_language_tag
from gateway.xapi.findings import (
    Check,
    Shape,
    array,
    at,
    check_extensions,
    check_uuid,
    constant,
    iri,
    is_object,
    nested,
    string,
    text,
    wrong,
)
from gateway.xapi.interactions import check_activity
from gateway.xapi.versions import Version

_CONTEXT: Final = "xAPI 2.4.6"
_CONTEXT_ACTIVITIES: Final = "xAPI 2.4.6.2"
_CONTEXT_AGENTS: Final = "xAPI 2.0 contextAgents"
_CONTEXT_GROUPS: Final = "xAPI 2.0 contextGroups"

check_statement_ref: Final = Shape(
    name="a StatementRef",
    requirement="xAPI 2.4.4.3",
    fields={"objectType": constant("xAPI 2.4.4.3", "StatementRef"), "id": check_uuid},
    required=("objectType", "id"),
)
"""A check for a StatementRef."""


def _activities(value: object, path: str, problems: list[Problem]) -> None:
    if isinstance(value, list):
        for index, activity in enumerate(value):
            check_activity(activity, at(path, index), problems)
    elif is_object(value, path, problems, _CONTEXT_ACTIVITIES, "an Activity or an array of Activities"):
        check_activity(value, path, problems)


_context_activities: Final = Shape(
    name="contextActivities",
    requirement=_CONTEXT_ACTIVITIES,
    fields=dict.fromkeys(("parent", "grouping", "category", "other"), _activities),
)


def _relevant_types(requirement: str) -> Check:
    iris = array(requirement, "a non-empty array of IRIs", iri(requirement))

    def check(value: object, path: str, problems: list[Problem]) -> None:
        iris(value, path, problems)
        if value == []:
            wrong(value, path, problems, requirement, "a non-empty array of IRIs; leave the property out")

    return check


_context_agent: Final = Shape(
    name="a contextAgent",
    requirement=_CONTEXT_AGENTS,
    fields={
        "objectType": constant(_CONTEXT_AGENTS, "contextAgent"),
        "agent": nested(check_agent),
        "relevantTypes": _relevant_types(_CONTEXT_AGENTS),
    },
    required=("objectType", "agent"),
)
_context_group: Final = Shape(
    name="a contextGroup",
    requirement=_CONTEXT_GROUPS,
    fields={
        "objectType": constant(_CONTEXT_GROUPS, "contextGroup"),
        "group": nested(check_group),
        "relevantTypes": _relevant_types(_CONTEXT_GROUPS),
    },
    required=("objectType", "group"),
)
_context_fields: Final[dict[str, Check]] = {
    "registration": check_uuid,
    "instructor": nested(check_actor),
    "team": nested(check_group),
    "contextActivities": _context_activities,
    "revision": string(_CONTEXT),
    "platform": string(_CONTEXT),
    "language": text(_CONTEXT, "an RFC 5646 language tag, such as en-US", is_language_tag),
    "statement": check_statement_ref,
    "extensions": check_extensions,
}
_context_fields_of_2: Final[dict[str, Check]] = {
    "contextAgents": array(_CONTEXT_AGENTS, "an array of contextAgents", _context_agent),
    "contextGroups": array(_CONTEXT_GROUPS, "an array of contextGroups", _context_group),
}


def context_check(version: Version) -> Check:
    """A check for a Context; contextAgents and contextGroups came with 2.0."""
    fields = _context_fields if version is Version.V1 else _context_fields | _context_fields_of_2
    return Shape(name="a Context", requirement=_CONTEXT, fields=fields)
