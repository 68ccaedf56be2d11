"""What may be told about groups: nothing about fewer learners than a threshold, directly or by subtraction.

Each month stands for itself. A month with fewer learners than the threshold is left out of everything. Of a
month that is shown, the total is shown, and the groups that it falls into (days, sources, verbs, courses,
scores): small ones go together into `rest`, and as long as the rest is itself small, or is one group that
total minus the others would give away, the smallest of the others goes there, too. Numbers over several
months are sums of what each month shows, so no choice of months shows more than the months themselves. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gateway.services import learners
from gateway.store.reports import Cell


@dataclass(frozen=True, slots=True)
class Shown:
    """The groups of a month: those that may be told one by one, and those that only count together."""

    apart: Sequence[Cell]
    rest: Sequence[Cell]


def shown(cells: Iterable[Cell], threshold: int) -> Shown:
    """How the groups that a month falls into may be told."""
    known = [cell for cell in cells if cell.standing or cell.voided]
    rest = [cell for cell in known if learners.number(cell.learners) < threshold]
    if not rest:
        return Shown(known, ())
    apart = [cell for cell in known if learners.number(cell.learners) >= threshold]
    apart.sort(key=lambda cell: (-learners.number(cell.learners), -cell.standing, cell.key))
    while apart and (len(rest) < 2 or learners.number(_joined(rest)) < threshold):
        rest.append(apart.pop())
    if not apart and learners.number(_joined(rest)) < threshold:
        return Shown((), ())
    return Shown(apart, rest)


def _joined(cells: Iterable[Cell]) -> bytes:
    return learners.together(cell.learners for cell in cells)
