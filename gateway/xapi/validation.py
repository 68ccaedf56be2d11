"""May this statement be stored: an empty list, or everything that keeps it out (xAPI 1.0.3 Data §2).

A compiled schema answers the yes in some microseconds; only what it refuses is walked again, in Python, to
say where and why. Performs no I/O.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.resources import files
from typing import Any, Final

import jsonschema_rs

from gateway.errors import Problem
from gateway.xapi.datatypes import is_language_tag, is_timestamp, is_uuid
from gateway.xapi.explain import explain
from gateway.xapi.findings import shown
from gateway.xapi.interactions import repeated_id
from gateway.xapi.versions import Version

_OF_2_ONLY: Final = ("contextAgents", "contextGroups")


class _BoundsInOrder:
    """Keyword of the schema: min < max, raw between them."""

    def __init__(self, parent_schema: dict[str, Any], value: Any, schema_path: list[str | int]) -> None:
        pass

    def validate(self, instance: Any) -> None:
        low, raw, high = instance.get("min"), instance.get("raw"), instance.get("max")
        if low is not None:
            if high is not None and not low < high:
                raise ValueError("min is not less than max")
            if raw is not None and raw < low:
                raise ValueError("raw is less than min")
        if raw is not None and high is not None and raw > high:
            raise ValueError("raw is more than max")


class _UniqueIds:
    """Keyword of the schema: no two items have the same id."""

    def __init__(self, parent_schema: dict[str, Any], value: Any, schema_path: list[str | int]) -> None:
        pass

    def validate(self, instance: Any) -> None:
        if repeated_id(instance) is not None:
            raise ValueError("two items have the same id")


def schema(version: Version) -> dict[str, Any]:
    """The JSON Schema of statements in this version of the standard."""
    text = files("gateway.xapi").joinpath("statement.schema.json").read_text("utf-8")
    document: dict[str, Any] = json.loads(text)
    if version is Version.V1:
        definitions = document["$defs"]
        definitions["statement"]["properties"]["version"] = {"$ref": "#/$defs/versionOf1.0"}
        for name in _OF_2_ONLY:
            del definitions["context"]["properties"][name]
    return document


def _compile(version: Version) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(
        schema(version),
        validate_formats=True,
        formats={"timestamp": is_timestamp, "language-tag": is_language_tag},
        keywords={"boundsInOrder": _BoundsInOrder, "uniqueIds": _UniqueIds},
    )


_VALIDATORS: Final = {version: _compile(version) for version in Version}
_accepts: Final = {version: validator.is_valid for version, validator in _VALIDATORS.items()}


def is_valid(statement: object, version: Version) -> bool:
    """The answer of the compiled schema alone. A `strict_json.Literal` it cannot read counts as no."""
    try:
        return _accepts[version](statement)
    except ValueError:
        return False


def check(statement: object, version: Version, path: str = "") -> list[Problem]:
    """Every problem of a statement sent under this version; empty if it may be stored."""
    return [] if is_valid(statement, version) else explain(statement, version, path)


def check_batch(statements: Sequence[object], version: Version) -> list[Problem]:
    """Every problem of an array of statements, paths starting with `[index]`; ids may not repeat."""
    problems: list[Problem] = []
    seen: dict[str, int] = {}
    for index, statement in enumerate(statements):
        problems += check(statement, version, f"[{index}]")
        identifier = statement.get("id") if isinstance(statement, dict) else None
        if isinstance(identifier, str) and is_uuid(identifier):
            first = seen.setdefault(identifier.lower(), index)
            if first != index:
                message = f"holds {shown(identifier)}, which [{first}] has too; ids in a batch differ"
                problems.append(Problem(f"[{index}].id", "xAPI Communication 2.1.2", message))
    return problems
