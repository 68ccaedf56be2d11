"""Activities, their definitions and interactions: what is wrong with one (xAPI 1.0.3 Data §2.4.4.1).

Response patterns are never parsed: the standard has them stored as they are.
"""

from __future__ import annotations

from typing import Any, Final

from gateway.errors import Problem
from gateway.xapi.findings import (
    Shape,
    array,
    at,
    check_extensions,
    check_language_map,
    constant,
    iri,
    shown,
    string,
    text,
)

_DEFINITION: Final = "xAPI 2.4.4.1"
INTERACTION_TYPES: Final = (
    *("true-false", "choice", "fill-in", "long-fill-in", "matching"),
    *("performance", "sequencing", "likert", "numeric", "other"),
)
COMPONENT_LISTS: Final = {
    "choices": ("choice", "sequencing"),
    "scale": ("likert",),
    "source": ("matching",),
    "target": ("matching",),
    "steps": ("performance",),
}
"""The lists of interaction components, and the interaction types each belongs to."""


def _is_component_id(value: object) -> bool:
    return isinstance(value, str) and value != ""


_component: Final = Shape(
    name="an interaction component",
    requirement=_DEFINITION,
    fields={
        "id": text(_DEFINITION, "a non-empty string", _is_component_id),
        "description": check_language_map,
    },
    required=("id",),
)
_component_array: Final = array(_DEFINITION, "an array of interaction components", _component)


def repeated_id(components: list[Any]) -> tuple[int, str] | None:
    """Index and id of the first component whose id an earlier one has, None if all differ."""
    seen: set[str] = set()
    for index, component in enumerate(components):
        known = component.get("id") if isinstance(component, dict) else None
        if isinstance(known, str):
            if known in seen:
                return index, known
            seen.add(known)
    return None


def _components(value: object, path: str, problems: list[Problem]) -> None:
    _component_array(value, path, problems)
    if isinstance(value, list) and (repeated := repeated_id(value)) is not None:
        index, known = repeated
        message = f"holds {shown(known)}, which an earlier component of the list has; ids in a list differ"
        problems.append(Problem(at(at(path, index), "id"), _DEFINITION, message))


_definition: Final = Shape(
    name="an Activity Definition",
    requirement=_DEFINITION,
    fields={
        "name": check_language_map,
        "description": check_language_map,
        "type": iri(_DEFINITION),
        "moreInfo": iri(_DEFINITION),
        "extensions": check_extensions,
        "interactionType": constant(_DEFINITION, *INTERACTION_TYPES),
        "correctResponsesPattern": array(_DEFINITION, "an array of strings", string(_DEFINITION)),
        **dict.fromkeys(COMPONENT_LISTS, _components),
    },
)


def check_definition(value: object, path: str, problems: list[Problem]) -> None:
    """A check for an Activity Definition."""
    _definition(value, path, problems)
    if not isinstance(value, dict):
        return
    kind = value.get("interactionType")
    given = [key for key in ("correctResponsesPattern", *COMPONENT_LISTS) if key in value]
    if given and "interactionType" not in value:
        message = f"is missing; {given[0]} needs it"
        problems.append(Problem(at(path, "interactionType"), _DEFINITION, message))
    for key, kinds in COMPONENT_LISTS.items():
        if key in value and kind in INTERACTION_TYPES and kind not in kinds:
            wrong_place = (
                f"does not belong to the interactionType {shown(kind)}; only to {' and '.join(kinds)}"
            )
            problems.append(Problem(at(path, key), _DEFINITION, wrong_place))


check_activity: Final = Shape(
    name="an Activity",
    requirement="xAPI 2.4.4.1",
    fields={
        "objectType": constant("xAPI 2.4.4.1", "Activity"),
        "id": iri("xAPI 2.4.4.1"),
        "definition": check_definition,
    },
    required=("id",),
)
"""A check for an Activity."""
