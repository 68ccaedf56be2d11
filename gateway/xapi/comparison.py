"""Are two statements the same one, sent twice (xAPI 1.0.3 Data §2.3.1).

Ignored is what an LRS may set or learn: id, authority, stored, version, attachments, displays of verbs,
definitions of activities, default objectTypes. Order of group members and spelling of instants, UUIDs, mail
domains, hashes and language tags do not count, durations to a hundredth of a second. All else must agree.

Timestamps are compared as instants if both were sent: a `timestamp` equal to the `stored` beside it was set
by an LRS. Performs no I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gateway.xapi.agents import IDENTIFIERS, agent_key
from gateway.xapi.datatypes import comparable_duration, parse_timestamp

_SET_BY_LRS: Final = frozenset(("id", "authority", "stored", "timestamp", "version", "attachments"))


def same_statement(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Are these two valid statements equal in all that a sender decides? Neither is changed."""
    if _comparable_statement(one) != _comparable_statement(other):
        return False
    one_time, other_time = _sent_timestamp(one), _sent_timestamp(other)
    return one_time is None or other_time is None or one_time == other_time


def _sent_timestamp(statement: Mapping[str, Any]) -> int | None:
    timestamp = statement.get("timestamp")
    if timestamp is None or timestamp == statement.get("stored"):
        return None
    return parse_timestamp(timestamp)


def _comparable_statement(statement: Mapping[str, Any]) -> dict[str, Any]:
    """Equal statements give equal values. Serves SubStatements too, which keep their timestamp."""
    comparable: dict[str, Any] = {}
    for key, value in statement.items():
        if key == "actor":
            comparable[key] = _actor(value)
        elif key == "verb":
            comparable[key] = value["id"]
        elif key == "object":
            comparable[key] = _object(value)
        elif key == "result":
            comparable[key] = _result(value)
        elif key == "context":
            comparable[key] = _context(value)
        elif key not in _SET_BY_LRS:
            comparable[key] = value
    return comparable


def _actor(actor: Mapping[str, Any]) -> dict[str, Any]:
    comparable: dict[str, Any] = {key: value for key, value in actor.items() if key not in IDENTIFIERS}
    comparable.setdefault("objectType", "Agent")
    comparable["identifier"] = agent_key(actor)
    if "member" in actor:
        members = [_actor(member) for member in actor["member"]]
        comparable["member"] = sorted(
            members, key=lambda member: (member["identifier"], member.get("name", ""))
        )
    return comparable


def _object(target: Mapping[str, Any]) -> dict[str, Any]:
    kind = target.get("objectType", "Activity")
    if kind == "Activity":
        return _activity(target)
    if kind == "StatementRef":
        return _statement_ref(target)
    if kind == "SubStatement":
        comparable = _comparable_statement(target)
        if "timestamp" in target:
            comparable["timestamp"] = parse_timestamp(target["timestamp"])
        return comparable
    return _actor(target)


def _activity(activity: Mapping[str, Any]) -> dict[str, Any]:
    return {"objectType": "Activity", "id": activity["id"]}


def _statement_ref(ref: Mapping[str, Any]) -> dict[str, Any]:
    return {"objectType": "StatementRef", "id": ref["id"].lower()}


def _result(result: Mapping[str, Any]) -> dict[str, Any]:
    comparable = {key: _typed(value) for key, value in result.items()}
    if "duration" in result:
        comparable["duration"] = comparable_duration(result["duration"])
    return comparable


def _context(context: Mapping[str, Any]) -> dict[str, Any]:
    comparable: dict[str, Any] = {}
    for key, value in context.items():
        if key in ("registration", "language"):
            comparable[key] = value.lower()
        elif key in ("instructor", "team"):
            comparable[key] = _actor(value)
        elif key == "statement":
            comparable[key] = _statement_ref(value)
        elif key == "contextActivities":
            comparable[key] = {relation: _activities(related) for relation, related in value.items()}
        elif key == "contextAgents":
            comparable[key] = [entry | {"agent": _actor(entry["agent"])} for entry in value]
        elif key == "contextGroups":
            comparable[key] = [entry | {"group": _actor(entry["group"])} for entry in value]
        else:
            comparable[key] = _typed(value)
    return comparable


def _activities(related: Any) -> list[dict[str, Any]]:
    return [_activity(activity) for activity in (related if isinstance(related, list) else [related])]


def _typed(value: Any) -> Any:
    """The value, but with true and false apart from 1 and 0, which Python takes for equal."""
    if isinstance(value, bool):
        return ("boolean", value)
    if isinstance(value, dict):
        return {key: _typed(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_typed(inner) for inner in value]
    return value
