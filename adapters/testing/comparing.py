"""Expected and actual statements compared: each difference names its path, instants are equal as instants."""

from __future__ import annotations

import json
from typing import Any

from adapters.expressions.values import EvaluationError, equal
from adapters.functions.times import instant
from adapters.statements import SOURCE_EXTENSION


def differences(expected: Any, found: Any, path: str, *, exact: bool) -> list[str]:
    """What differs. As a subset only the expected keys count; lists always have the same length.

    An exact comparison still lets the generated id and the source extension be left out.
    """
    if isinstance(expected, dict) and isinstance(found, dict):
        problems: list[str] = []
        for key, value in expected.items():
            if key not in found:
                problems.append(f"{path}.{key}: expected {_shown(value)}, got nothing")
            else:
                problems.extend(differences(value, found[key], f"{path}.{key}", exact=exact))
        if exact:
            extra = [key for key in found if key not in expected and not _generated(key, found[key], path)]
            problems.extend(f"{path}.{key}: unexpected {_shown(found[key])}" for key in extra)
        return problems
    if isinstance(expected, list) and isinstance(found, list):
        if len(expected) != len(found):
            return [f"{path}: expected {len(expected)}, got {len(found)}: {_shown(found)}"]
        return [
            problem
            for index, (one, other) in enumerate(zip(expected, found, strict=True))
            for problem in differences(one, other, f"{path}[{index}]", exact=exact)
        ]
    if equal(expected, found) or _same_instant(expected, found):
        return []
    return [f"{path}: expected {_shown(expected)}, got {_shown(found)}"]


def _generated(key: str, value: Any, path: str) -> bool:
    if key == "id" and path.count(".") == 0:
        return True
    if key == SOURCE_EXTENSION:
        return True
    if key == "context":
        return (
            isinstance(value, dict)
            and set(value) == {"extensions"}
            and set(value["extensions"]) == {SOURCE_EXTENSION}
        )
    return key == "extensions" and isinstance(value, dict) and set(value) == {SOURCE_EXTENSION}


def _same_instant(expected: Any, found: Any) -> bool:
    if not isinstance(expected, str) or not isinstance(found, str):
        return False
    try:
        return instant(expected) == instant(found)
    except EvaluationError:
        return False


def _shown(value: Any) -> str:
    written = json.dumps(value, ensure_ascii=False, default=str)
    return written if len(written) <= 200 else written[:200] + "…"
