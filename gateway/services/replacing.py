"""Statements that take the place of stored ones: their ids, what they say instead, and voiding. Pure.

A statement never changes. Where a mended mapping says something else about an event, the stored statement is
voided and another one is stored, whose id follows from the one it replaces and from what it says: doing it
again finds it there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID, uuid5

from gateway.services.adapting import without_provenance
from gateway.xapi.explain import VOIDED

_MOST_DIFFERENCES = 50
_LONGEST_SHOWN = 300
_SET_BY_LRS = frozenset({"id", "authority", "stored", "version"})


def substituted(value: Any, ids: Mapping[str, str]) -> Any:
    """A statement with other ids for itself and for the statements of its event that it refers to."""
    if not ids:
        return value
    changed = _references(value, ids)
    if isinstance(changed, dict) and changed.get("id") in ids:
        changed = changed | {"id": ids[changed["id"]]}
    return changed


def _references(value: Any, ids: Mapping[str, str]) -> Any:
    if isinstance(value, list):
        return [_references(item, ids) for item in value]
    if not isinstance(value, dict):
        return value
    changed = {key: _references(item, ids) for key, item in value.items()}
    if changed.get("objectType") == "StatementRef" and changed.get("id") in ids:
        changed["id"] = ids[changed["id"]]
    return changed


def replacing_id(standing: UUID, statement: Mapping[str, Any]) -> UUID:
    """The id of a statement that takes the place of another one."""
    content = {key: value for key, value in without_provenance(dict(statement)).items() if key != "id"}
    return uuid5(standing, json.dumps(content, sort_keys=True, separators=(",", ":")))


def voiding(target: UUID, actor: Mapping[str, Any]) -> dict[str, Any]:
    """The statement that voids another one (xAPI 1.0.3 Data 2.3.2), the same one whenever it is made.

    It has no timestamp, so that the LRS sets it and a second one says nothing else.
    """
    return {
        "id": str(uuid5(target, "voided by a replay")),
        "actor": dict(actor),
        "verb": {"id": VOIDED, "display": {"en": "voided"}},
        "object": {"objectType": "StatementRef", "id": str(target)},
    }


def rearranged(
    statements: Sequence[dict[str, Any]],
    standing: Mapping[UUID, UUID],
    differs: Callable[[UUID, dict[str, Any]], bool],
) -> tuple[list[dict[str, Any]], dict[UUID, tuple[UUID, UUID]]]:
    """The statements of an event with ids that are free where something else is stored, and what they
    replace.

    A reference to a statement of the same event follows it, which may make the referring one differ as well.
    """
    ids = {str(base): str(now) for base, now in standing.items()}
    replaced: dict[UUID, tuple[UUID, UUID]] = {}
    made = [substituted(one, ids) for one in statements]
    for _ in range(len(statements)):
        more = False
        for original, one in zip(statements, made, strict=True):
            base, now = UUID(original["id"]), UUID(one["id"])
            if base not in replaced and differs(now, one):
                after = replacing_id(now, one)
                replaced[base] = (now, after)
                ids[str(base)] = str(after)
                more = True
        if not more:
            break
        made = [substituted(one, ids) for one in statements]
    return made, replaced


def differences(stored: Any, made: Any, path: str = "") -> list[dict[str, Any]]:
    """Where two statements differ: `path`, what is `stored` and what would be `made`; null where one has
    none.

    Long values are cut and at most 50 places are told.
    """
    found: list[dict[str, Any]] = []
    if not path:
        stored, made = _told(stored), _told(made)
    _compare(stored, made, path, found)
    return found[:_MOST_DIFFERENCES]


def _told(statement: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in without_provenance(statement).items() if key not in _SET_BY_LRS}


def _compare(stored: Any, made: Any, path: str, found: list[dict[str, Any]]) -> None:
    if len(found) > _MOST_DIFFERENCES or stored == made:
        return
    if isinstance(stored, dict) and isinstance(made, dict):
        for key in dict.fromkeys((*stored, *made)):
            _compare(stored.get(key), made.get(key), f"{path}.{key}" if path else key, found)
    elif isinstance(stored, list) and isinstance(made, list):
        for index in range(max(len(stored), len(made))):
            one = stored[index] if index < len(stored) else None
            other = made[index] if index < len(made) else None
            _compare(one, other, f"{path}[{index}]", found)
    else:
        found.append({"path": path, "stored": _cut(stored), "made": _cut(made)})


def _cut(value: Any) -> Any:
    if isinstance(value, str):
        return value if len(value) <= _LONGEST_SHOWN else value[:_LONGEST_SHOWN] + "…"
    if isinstance(value, (dict, list)):
        written = json.dumps(value, ensure_ascii=False)
        return value if len(written) <= _LONGEST_SHOWN else written[:_LONGEST_SHOWN] + "…"
    return value
