from __future__ import annotations

import random

from gateway.services import learners
from gateway.services.disclosure import shown
from gateway.store.reports import Cell, CellKey

T = 10


def cell(name: str, people: range, statements: int = 1) -> Cell:
    """A group of these people."""
    packed = learners.packed(learners.hashed(str(one), b"k") for one in people)
    return Cell(
        key=CellKey("2026-01", None, name, ""), standing=statements, voided=0, total=0, learners=packed
    )


def names(cells: object) -> list[str | None]:
    return sorted(one.key.course or "" for one in cells)  # type: ignore[attr-defined]


def test_large_groups_are_told_one_by_one() -> None:
    told = shown([cell("a", range(20)), cell("b", range(30))], T)
    assert names(told.apart) == ["a", "b"]
    assert told.rest == ()


def test_one_small_group_takes_another_one_along_so_that_the_total_does_not_give_it_away() -> None:
    told = shown([cell("a", range(20)), cell("b", range(30)), cell("c", range(30, 33))], T)
    assert names(told.apart) == ["b"]
    assert names(told.rest) == ["a", "c"]


def test_small_groups_are_told_together_once_enough_learners_are_behind_them() -> None:
    told = shown([cell("a", range(20)), cell("b", range(6)), cell("c", range(6, 12))], T)
    assert names(told.apart) == ["a"]
    assert names(told.rest) == ["b", "c"]
    # The same few people twice are no more people.
    told = shown([cell("a", range(20)), cell("b", range(6)), cell("c", range(6))], T)
    assert names(told.apart) == []


def test_a_part_of_the_total_that_is_small_as_a_whole_is_not_told_at_all() -> None:
    told = shown([cell("a", range(3)), cell("b", range(5))], T)
    assert told.apart == told.rest == ()


def test_whatever_is_told_no_number_and_no_difference_is_about_few() -> None:
    chance = random.Random(0)
    for _ in range(500):
        cells = []
        for index in range(chance.randrange(1, 8)):
            start = chance.randrange(60)
            cells.append(cell(str(index), range(start, start + chance.randrange(1, 40))))
        told = shown(cells, T)
        assert len(told.rest) != 1
        assert all(learners.number(one.learners) >= T for one in told.apart)
        if told.rest:
            assert learners.number(learners.together(one.learners for one in told.rest)) >= T
            assert len(told.apart) + len(told.rest) == len(cells)
