"""What rules cost without server and database: microseconds for one statement."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

from benchmarks.documents import ready
from benchmarks.samples import Population
from gateway.xapi import strict_json, validation
from gateway.xapi.versions import Version

_STATEMENTS = 1000


def validate_and_prepare(rounds: int) -> list[float]:
    """Microseconds to check and prepare a parsed statement, one figure for each round."""

    def work(statement: dict[str, Any]) -> None:
        assert not validation.check(statement, Version.V2)
        ready(statement).stamp(1_700_000_000_000_000)

    return _measure(work, strict_json.dumps, lambda text: strict_json.parse(text).value, rounds)


def parse(rounds: int) -> list[float]:
    """Microseconds to parse a statement strictly."""
    return _measure(strict_json.parse, strict_json.dumps, lambda text: text, rounds)


def _measure(
    work: Callable[[Any], Any],
    written: Callable[[dict[str, Any]], bytes],
    given: Callable[[bytes], Any],
    rounds: int,
) -> list[float]:
    people = Population(100)
    texts = [written(people.statement(index)) for index in range(_STATEMENTS)]
    figures = []
    for _ in range(rounds):
        values = [given(text) for text in texts]
        started = time.perf_counter()
        for value in values:
            work(value)
        figures.append((time.perf_counter() - started) / len(values) * 1e6)
    return figures


def median(figures: list[float]) -> float:
    return statistics.median(figures)
