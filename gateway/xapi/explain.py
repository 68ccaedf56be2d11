"""Everything that is wrong with a statement, in words (xAPI 1.0.3 Data §2.4 and what 2.0 changed).

Says no to exactly what `statement.schema.json` says no to, but where and why: this is the slow path that
only refused statements take. Performs no I/O.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from gateway.errors import Problem
from gateway.xapi.agents import IDENTIFIERS, check_actor, check_agent, check_authority, check_group
from gateway.xapi.contexts import check_statement_ref, context_check
from gateway.xapi.datatypes import is_mime_type, is_sha2, parse_timestamp
from gateway.xapi.findings import (
    Check,
    Shape,
    array,
    at,
    check_language_map,
    check_uuid,
    constant,
    iri,
    is_object,
    nested,
    text,
    wrong,
)
from gateway.xapi.interactions import check_activity
from gateway.xapi.results import check_result
from gateway.xapi.versions import Version

VOIDED: Final = "http://adlnet.gov/expapi/verbs/voided"

_OBJECT: Final = "xAPI 2.4.4"
_CONTEXT: Final = "xAPI 2.4.6"
_ATTACHMENT: Final = "xAPI 2.4.11"


def explain(statement: object, version: Version, path: str = "") -> list[Problem]:
    """Every problem of a statement sent under this version; empty for a valid one."""
    problems: list[Problem] = []
    _STATEMENTS[version](statement, path, problems)
    return problems


def _timestamp(value: object, path: str, problems: list[Problem]) -> None:
    if not isinstance(value, str):
        wrong(value, path, problems, "xAPI 4.5", "an ISO 8601 timestamp")
        return
    try:
        parse_timestamp(value)
    except ValueError as error:
        wrong(value, path, problems, "xAPI 4.5", f"an ISO 8601 timestamp; {error}")


def _is_length(value: object) -> bool:
    if isinstance(value, float):  # JSON does not tell 1.0 from 1
        return value.is_integer() and value >= 0
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


_verb: Final = Shape(
    name="a Verb",
    requirement="xAPI 2.4.3",
    fields={"id": iri("xAPI 2.4.3"), "display": check_language_map},
    required=("id",),
)
_attachment: Final = Shape(
    name="an Attachment",
    requirement=_ATTACHMENT,
    fields={
        "usageType": iri(_ATTACHMENT),
        "display": check_language_map,
        "description": check_language_map,
        "contentType": text(_ATTACHMENT, "a media type, such as application/pdf", is_mime_type),
        "length": text(_ATTACHMENT, "a number of bytes: an integer, at least 0", _is_length),
        "sha2": text(_ATTACHMENT, "a SHA-2 of 56, 64, 96 or 128 hexadecimal digits", is_sha2),
        "fileUrl": iri(_ATTACHMENT),
    },
    required=("usageType", "display", "contentType", "length", "sha2"),
)


def _target(kinds: Mapping[str, Check]) -> Check:
    """A check for an object whose objectType is one of these; none means Activity."""

    def check(value: object, path: str, problems: list[Problem]) -> None:
        if not is_object(value, path, problems, _OBJECT, f"one of {', '.join(kinds)}"):
            return
        kind = value.get("objectType", "Activity")
        known = kinds.get(kind) if isinstance(kind, str) else None
        if known is None:
            allowed = ", ".join(f'"{name}"' for name in kinds)
            wrong(kind, at(path, "objectType"), problems, _OBJECT, f"one of {allowed}")
        elif "objectType" not in value and "id" not in value and any(key in value for key in IDENTIFIERS):
            message = "is missing; an Agent or Group needs it here, for without it an object is an Activity"
            problems.append(Problem(at(path, "objectType"), "xAPI 2.4.4.2", message))
            problems += check_agent(value, path)
        else:
            known(value, path, problems)

    return check


_TARGETS: Final[dict[str, Check]] = {
    "Activity": check_activity,
    "Agent": nested(check_agent),
    "Group": nested(check_group),
    "StatementRef": check_statement_ref,
}


def _with_rules_across(shape: Shape) -> Check:
    def check(value: object, path: str, problems: list[Problem]) -> None:
        shape(value, path, problems)
        if isinstance(value, dict) and isinstance(value.get("object"), dict):
            _check_across(value, value["object"].get("objectType", "Activity"), path, problems)

    return check


def _check_across(value: dict[str, Any], kind: object, path: str, problems: list[Problem]) -> None:
    verb, context = value.get("verb"), value.get("context")
    if isinstance(verb, dict) and verb.get("id") == VOIDED and kind != "StatementRef":
        message = "is no StatementRef; the verb voided needs one, because only statements can be voided"
        problems.append(Problem(at(path, "object"), "xAPI 2.3.2", message))
    if isinstance(context, dict) and kind != "Activity":
        problems.extend(
            Problem(at(at(path, "context"), key), _CONTEXT, "is only allowed if the object is an Activity")
            for key in ("revision", "platform")
            if key in context
        )


def _version(version: Version) -> Check:
    if version is Version.V1:
        lines, expected = "1", 'a version of the line 1.0, such as "1.0.0"'
    else:
        lines, expected = "12", 'a version of the line 1.0 or 2.0, such as "2.0.0"'
    pattern = re.compile(rf"[{lines}]\.0(?:\.[0-9]+)?")

    def is_version(value: object) -> bool:
        return isinstance(value, str) and pattern.fullmatch(value) is not None

    return text("xAPI 2.4.10", expected, is_version)


def _statement(version: Version) -> Check:
    parts: dict[str, Check] = {
        "actor": nested(check_actor),
        "verb": _verb,
        "result": check_result,
        "context": context_check(version),
        "timestamp": _timestamp,
        "attachments": array(_ATTACHMENT, "an array of Attachments", _attachment),
    }
    sub_statement = Shape(
        name="a SubStatement",
        requirement="xAPI 2.4.4.3",
        fields={"objectType": constant("xAPI 2.4.4.3", "SubStatement"), "object": _target(_TARGETS), **parts},
        required=("actor", "verb", "object"),
    )
    shape = Shape(
        name="a Statement",
        requirement="xAPI 2.4",
        fields={
            "id": check_uuid,
            "object": _target(_TARGETS | {"SubStatement": _with_rules_across(sub_statement)}),
            **parts,
            "stored": _timestamp,
            "authority": nested(check_authority),
            "version": _version(version),
        },
        required=("actor", "verb", "object"),
    )
    return _with_rules_across(shape)


_STATEMENTS: Final = {version: _statement(version) for version in Version}
