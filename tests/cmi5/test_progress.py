from __future__ import annotations

from decimal import Decimal

from hypothesis import given

from gateway.cmi5.progress import AURecord, progress
from gateway.cmi5.satisfaction import AUFacts
from gateway.cmi5.structure import AU, Block, Course
from gateway.cmi5.vocabulary import MoveOn
from tests.cmi5.courses import courses


def _au(name: str, move_on: MoveOn = MoveOn.PASSED) -> AU:
    return AU(id=f"p:{name}", lms_id=name, title={"en": name}, description={}, url="x", move_on=move_on)


COURSE = Course(
    id="p:course",
    lms_id="course",
    title={"en": "course"},
    description={},
    children=(
        Block(
            id="p:block", lms_id="block", title={"en": "block"}, description={}, children=(_au("a"), _au("b"))
        ),
        _au("c", MoveOn.NOT_APPLICABLE),
    ),
)


def test_an_untouched_registration_shows_only_what_asks_for_nothing_as_met() -> None:
    tree = progress(COURSE, {}, ())
    assert (tree.aus, tree.met, tree.time, tree.attempted, tree.satisfied) == (3, 1, 0, False, False)
    assert [child.satisfied for child in tree.children] == [False, True]


def test_the_tree_says_what_happened_where() -> None:
    records = {
        "a": AURecord(
            facts=AUFacts(completed=True, passed=True),
            attempted=True,
            failed=True,
            score=Decimal("0.85"),
            time=90_000_000,
            percent=100,
            sessions=2,
        ),
        "b": AURecord(facts=AUFacts(waived=True), waive_reason="Tested Out"),
    }
    document = progress(COURSE, records, {"block"}).to_document()
    block, free = document["children"]
    first, second = block["children"]
    assert first == {
        "kind": "au",
        "id": "a",
        "publisherId": "p:a",
        "title": {"en": "a"},
        "attempted": True,
        "completed": True,
        "passed": True,
        "failed": True,
        "waived": False,
        "satisfied": True,
        "time": "PT1M30S",
        "sessions": 2,
        "moveOn": "Passed",
        "score": 0.85,
        "progress": 100,
        "waiveReason": None,
    }
    assert (second["waived"], second["satisfied"], second["waiveReason"]) == (True, True, "Tested Out")
    assert (second["score"], second["attempted"]) == (None, False)
    assert {name: value for name, value in block.items() if name != "children"} == {
        "kind": "block",
        "id": "block",
        "publisherId": "p:block",
        "title": {"en": "block"},
        "attempted": True,
        "completed": False,
        "passed": False,
        "failed": True,
        "waived": False,
        "satisfied": True,
        "time": "PT1M30S",
        "sessions": 2,
        "aus": 2,
        "met": 2,
    }
    assert (free["moveOn"], free["satisfied"]) == ("NotApplicable", True)
    assert (document["met"], document["satisfied"]) == (3, False)


def test_an_overridden_move_on_is_shown() -> None:
    tree = progress(COURSE, {"c": AURecord(facts=AUFacts(move_on=MoveOn.COMPLETED))}, ())
    assert (tree.children[1].move_on, tree.children[1].satisfied) == ("Completed", False)


@given(courses())
def test_the_tree_has_the_shape_of_the_course(course: Course) -> None:
    everything = {au.lms_id: AURecord(facts=AUFacts(completed=True, passed=True)) for au in course.aus()}
    tree = progress(course, everything, {course.lms_id})
    flat = [tree]
    for node in flat:
        flat.extend(node.children)
    assert {node.lms_id for node in flat} == {course.lms_id, *(node.lms_id for _, node in course.walk())}
    assert tree.aus == tree.met == len(everything)
    assert tree.completed
    assert tree.passed
