"""From a valid statement to one that is ready to be stored: what the LRS sets, and nothing else.

Set are `id` and `version` if missing, `authority`, `stored`, `timestamp` if missing; timestamps move to UTC
and single context activities become arrays (xAPI 1.0.3 Data §2.4, §2.4.6.2). All else stays as it came,
key order included. Performs no I/O.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from gateway.xapi.datatypes import format_timestamp, utc_timestamp
from gateway.xapi.explain import VOIDED
from gateway.xapi.matching import MatchKeys, match_keys
from gateway.xapi.versions import Version


@dataclass(slots=True, kw_only=True)
class Prepared:
    """A statement that waits for its `stored`.

    `ref` is the statement that its object refers to, and `voids` says whether it voids that one.
    `attachments` are the metadata of its own and of its SubStatement's attachments.
    `explicit_timestamp` says whether the sender gave one.
    """

    id: UUID
    statement: dict[str, Any]
    keys: MatchKeys
    ref: UUID | None
    voids: bool
    attachments: list[dict[str, Any]]
    explicit_timestamp: bool

    def stamp(self, stored_micros: int) -> None:
        """Set `stored`, and `timestamp` unless the sender gave one. May be called again with a later time."""
        stored = format_timestamp(stored_micros)
        self.statement["stored"] = stored
        if not self.explicit_timestamp:
            self.statement["timestamp"] = stored


def prepare(
    statement: dict[str, Any],
    *,
    version: Version,
    authority: dict[str, Any],
    new_id: Callable[[], UUID],
) -> Prepared:
    """Make a checked statement ready. Changes the dict it is given, which then belongs to the result."""
    identifier = statement.get("id")
    if identifier is None:
        uuid = new_id()
        statement["id"] = str(uuid)
    else:
        uuid = UUID(identifier)
    statement["authority"] = authority
    if "version" not in statement:
        statement["version"] = version.default_statement_version
    explicit_timestamp = "timestamp" in statement
    _normalise(statement)
    attachments: list[dict[str, Any]] = statement.get("attachments", [])
    ref: UUID | None = None
    target = statement["object"]
    kind = target.get("objectType")
    if kind == "StatementRef":
        ref = UUID(target["id"])
    elif kind == "SubStatement":
        _normalise(target)
        attachments = attachments + target.get("attachments", [])
    return Prepared(
        id=uuid,
        statement=statement,
        keys=match_keys(statement),
        ref=ref,
        voids=ref is not None and statement["verb"]["id"] == VOIDED,
        attachments=attachments,
        explicit_timestamp=explicit_timestamp,
    )


def _normalise(statement: dict[str, Any]) -> None:
    """What a statement and a SubStatement have in common: times in UTC, context activities in arrays."""
    if (timestamp := statement.get("timestamp")) is not None:
        statement["timestamp"] = utc_timestamp(timestamp)
    if (context := statement.get("context")) is None:
        return
    if (activities := context.get("contextActivities")) is not None:
        for relation, related in activities.items():
            if isinstance(related, dict):
                activities[relation] = [related]
