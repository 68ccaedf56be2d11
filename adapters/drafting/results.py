"""When it happened and what came out, as a sample of a vendor's payloads probably says it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from adapters.drafting.leaves import Leaf, path
from adapters.drafting.words import listed, verb_of

_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?\s*(Z|[+-]\d\d:?\d\d)?", re.I)
_SECONDS, _MILLIS = (10**9, 5 * 10**9), (10**12, 5 * 10**12)


def time_of(found: list[Leaf], root: str, verb: str | None) -> tuple[str | None, bool]:
    """The expression for when it happened, and whether its text lacks a zone.

    The time of what the event says comes first: `completed_at` for `completed`.
    """
    fitting: list[tuple[int, int, str, bool]] = []
    for leaf in found:
        if not leaf.has("times") or leaf.parts & {"birth", "updated"}:
            continue
        read = _read_time(leaf.value, path(root, leaf.keys))
        if read is not None:
            parts = leaf.parts - {*listed("records"), *listed("other_times")}
            told = [said for part in parts if (said := verb_of(part)) is not None]
            same = any(word == verb for word, _ in told)
            rank = 0 if same else 3 if leaf.has("other_times") else 2 if told else 1
            fitting.append((rank, len(leaf.keys), *read))
    if not fitting:
        return None, False
    return min(fitting, key=lambda one: one[:2])[2:]


def _read_time(value: Any, written: str) -> tuple[str, bool] | None:
    if isinstance(value, bool):
        return None
    number = int(value) if isinstance(value, str) and re.fullmatch(r"\d{10}|\d{13}", value) else value
    if isinstance(number, (int, float)):
        shown = written if number is value else f"number({written})"
        for (least, most), function in ((_SECONDS, "from_seconds"), (_MILLIS, "from_millis")):
            if least <= number < most:
                return f"{function}({shown})", False
        return None
    match = _INSTANT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    zoneless = match[3] is None
    return (f"time({written})" if zoneless or " " in value else written), zoneless


def results_of(found: list[Leaf], root: str) -> Iterator[tuple[str, str]]:
    """Parts of a result: the property, or `progress`, and its expression."""
    numbers = [leaf for leaf in found if _number(leaf.value) is not None]
    raw = [leaf for leaf in numbers if leaf.has("scores") and not leaf.has("limits")]
    if raw:
        most = [
            leaf
            for leaf in numbers
            if leaf.parts & {"max", "maximum", "total", "possible"} and leaf.has("scores")
        ]
        percent = raw[0].parts & {"percent", "percentage", "pct"}
        top = "100" if percent else _as_number(most[0], root) if most else "null"
        yield "score", f"score({_as_number(raw[0], root)}, {top})"
    for leaf in found:
        written = path(root, leaf.keys)
        if isinstance(leaf.value, bool):
            for key, table in (("success", "passed"), ("completion", "completed")):
                if leaf.last in listed(table):
                    yield key, written
        elif isinstance(leaf.value, str) and re.fullmatch(
            r"P(?=.)(\d+[YMWD])*(T(\d+(\.\d+)?[HMS])+)?", leaf.value
        ):
            yield "duration", f"iso_duration({written})"
        elif _number(leaf.value) is not None:
            number = _as_number(leaf, root)
            if leaf.parts & {"seconds", "secs"}:
                yield "duration", f"seconds({number})"
            elif "minutes" in leaf.parts:
                yield "duration", f"minutes({number})"
            elif leaf.last in listed("progress"):
                scale = " * 100" if isinstance(leaf.value, float) and 0 < leaf.value < 1 else ""
                yield "progress", f"round({number}{scale})"


def _number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return value
    return float(value) if isinstance(value, str) and re.fullmatch(r"-?\d+(\.\d+)?", value) else None


def _as_number(leaf: Leaf, root: str) -> str:
    written = path(root, leaf.keys)
    return f"number({written})" if isinstance(leaf.value, str) else written
