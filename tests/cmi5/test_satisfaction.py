from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cmi5.satisfaction import AUFacts, au_met, newly_satisfied
from gateway.cmi5.structure import AU, Block, Course, Node
from gateway.cmi5.vocabulary import MoveOn
from tests.cmi5.courses import courses


def _au(name: str, move_on: MoveOn = MoveOn.PASSED) -> AU:
    return AU(id=f"p:{name}", lms_id=name, title={}, description={}, url="x", move_on=move_on)


def _block(name: str, *children: Node) -> Block:
    return Block(id=f"p:{name}", lms_id=name, title={}, description={}, children=children)


def _course(*children: Node) -> Course:
    return Course(id="p:course", lms_id="course", title={}, description={}, children=children)


def _names(nodes: list[Block | Course]) -> list[str]:
    return [node.lms_id for node in nodes]


PASSED = AUFacts(passed=True)


@pytest.mark.parametrize(
    ("move_on", "nothing", "completed", "passed", "both"),
    [
        (MoveOn.NOT_APPLICABLE, True, True, True, True),
        (MoveOn.PASSED, False, False, True, True),
        (MoveOn.COMPLETED, False, True, False, True),
        (MoveOn.COMPLETED_AND_PASSED, False, False, False, True),
        (MoveOn.COMPLETED_OR_PASSED, False, True, True, True),
    ],
)
def test_an_au_is_met_as_its_move_on_says(
    move_on: MoveOn, nothing: bool, completed: bool, passed: bool, both: bool
) -> None:
    assert au_met(move_on) is nothing
    assert au_met(move_on, AUFacts(completed=True)) is completed
    assert au_met(move_on, PASSED) is passed
    assert au_met(move_on, AUFacts(completed=True, passed=True)) is both
    assert au_met(move_on, AUFacts(waived=True)) is True


def test_an_overridden_move_on_is_the_one_that_counts() -> None:
    assert au_met(MoveOn.PASSED, AUFacts(completed=True, move_on=MoveOn.COMPLETED))
    assert not au_met(MoveOn.NOT_APPLICABLE, AUFacts(move_on=MoveOn.PASSED))


def test_registration_alone_satisfies_what_asks_for_nothing() -> None:
    # cmi5 9.6.1.1-3
    course = _course(_block("free", _au("a", MoveOn.NOT_APPLICABLE)), _au("b"))
    assert _names(newly_satisfied(course, {}, ())) == ["free"]


def test_the_course_comes_last_and_inner_blocks_before_outer_ones() -> None:
    course = _course(_block("outer", _block("inner", _au("a"))), _block("second", _au("b")))
    facts = {"a": PASSED, "b": PASSED}
    assert _names(newly_satisfied(course, facts, ())) == ["inner", "outer", "second", "course"]


def test_an_unmet_sibling_does_not_hide_the_blocks_after_it() -> None:
    course = _course(_au("open"), _block("done", _au("a")))
    assert _names(newly_satisfied(course, {"a": PASSED}, ())) == ["done"]


def test_a_course_needs_all_of_its_children() -> None:
    course = _course(_au("a"), _au("b"))
    assert newly_satisfied(course, {"a": PASSED}, ()) == []
    assert _names(newly_satisfied(course, {"a": PASSED, "b": PASSED}, ())) == ["course"]


def test_what_was_satisfied_stays_so_and_is_not_said_twice() -> None:
    course = _course(_block("block", _au("a")), _au("b"))
    assert _names(newly_satisfied(course, {"b": PASSED}, {"block"})) == ["course"]
    assert newly_satisfied(course, {"a": PASSED, "b": PASSED}, {"block", "course"}) == []


def _naive(node: Course | Node, facts: dict[str, AUFacts]) -> bool:
    if isinstance(node, AU):
        return au_met(node.move_on, facts.get(node.lms_id, AUFacts()))
    return all(_naive(child, facts) for child in node.children)


facts_of_an_au = st.builds(AUFacts, completed=st.booleans(), passed=st.booleans(), waived=st.booleans())


@st.composite
def learned(draw: st.DrawFn) -> tuple[Course, list[tuple[str, AUFacts]]]:
    """A course and what happened in it, in order."""
    course = draw(courses())
    names = [au.lms_id for au in course.aus()]
    return course, draw(st.lists(st.tuples(st.sampled_from(names), facts_of_an_au), max_size=12))


@given(learned())
def test_each_node_is_satisfied_once_when_its_last_part_is_met(
    case: tuple[Course, list[tuple[str, AUFacts]]],
) -> None:
    course, events = case
    facts: dict[str, AUFacts] = {}
    said: list[str] = []
    for name, news in [(next(course.aus()).lms_id, AUFacts()), *events]:
        known = facts.get(name, AUFacts())
        facts[name] = replace(
            known,
            completed=known.completed or news.completed,
            passed=known.passed or news.passed,
            waived=known.waived or news.waived,
        )
        said += _names(newly_satisfied(course, facts, said))
        groups: list[Block | Course] = [course, *course.blocks()]
        expected = {group.lms_id for group in groups if _naive(group, facts)}
        assert set(said) == expected
    assert len(said) == len(set(said))


@given(learned())
def test_inner_nodes_come_before_outer_ones(case: tuple[Course, list[tuple[str, AUFacts]]]) -> None:
    course, events = case
    order = _names(newly_satisfied(course, dict(events), ()))
    for path, node in course.walk():
        outer = [course.lms_id, *(block.lms_id for block in path)]
        for each in outer:
            if each in order and isinstance(node, Block):
                assert order.index(node.lms_id) < order.index(each)
    assert course.lms_id not in order[:-1]


@given(learned())
def test_learning_more_never_takes_satisfaction_back(
    case: tuple[Course, list[tuple[str, AUFacts]]],
) -> None:
    course, events = case
    before = set(_names(newly_satisfied(course, dict(events[: len(events) // 2]), ())))
    later = {
        au.lms_id: AUFacts(completed=True, passed=True, waived=au.lms_id in dict(events))
        for au in course.aus()
    }
    after = _names(newly_satisfied(course, later, before))
    assert before | set(after) == {course.lms_id, *(block.lms_id for block in course.blocks())}
    assert not before & set(after)
