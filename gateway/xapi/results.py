"""Results and scores: what is wrong with one (xAPI 1.0.3 Data §2.4.5)."""

from __future__ import annotations

from typing import Any, Final

from gateway.errors import Problem
from gateway.xapi.datatypes import is_duration
from gateway.xapi.findings import Shape, at, boolean, check_extensions, is_number, number, string, text, wrong

_RESULT: Final = "xAPI 2.4.5"
_SCORE: Final = "xAPI 2.4.5.1"


def _scaled(value: Any, path: str, problems: list[Problem]) -> None:
    if not is_number(value) or not -1 <= value <= 1:
        wrong(value, path, problems, _SCORE, "a number from -1 to 1")


_score_properties: Final = Shape(
    name="a Score",
    requirement=_SCORE,
    fields={
        "scaled": _scaled,
        "raw": number(_SCORE),
        "min": number(_SCORE),
        "max": number(_SCORE),
    },
)


def _score(value: object, path: str, problems: list[Problem]) -> None:
    _score_properties(value, path, problems)
    if not isinstance(value, dict):
        return
    numbers = {key: inner for key, inner in value.items() if is_number(inner)}
    low, raw, high = numbers.get("min"), numbers.get("raw"), numbers.get("max")
    if low is not None and high is not None and not low < high:
        wrong(low, at(path, "min"), problems, _SCORE, f"less than max, which is {high!r}")
    if raw is not None and low is not None and raw < low:
        wrong(raw, at(path, "raw"), problems, _SCORE, f"at least min, which is {low!r}")
    if raw is not None and high is not None and raw > high:
        wrong(raw, at(path, "raw"), problems, _SCORE, f"at most max, which is {high!r}")


check_result: Final = Shape(
    name="a Result",
    requirement=_RESULT,
    fields={
        "score": _score,
        "success": boolean(_RESULT),
        "completion": boolean(_RESULT),
        "response": string(_RESULT),
        "duration": text("xAPI 4.6", "an ISO 8601 duration, such as PT1H30M or P2W", is_duration),
        "extensions": check_extensions,
    },
)
"""A check for a Result."""
