from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from uuid import UUID

from hypothesis import given

from gateway.cmi5.ids import assign
from gateway.cmi5.parsing import parse_structure
from gateway.cmi5.structure import AU, Block, Course, Node, Objective, from_document, to_document
from gateway.cmi5.vocabulary import LaunchMethod, MoveOn
from gateway.xapi.datatypes import is_iri
from tests.cmi5.courses import courses
from tests.cmi5.samples import DATA, au_xml, block_xml, structure_xml

COURSE_ID = UUID("0b0f2f3e-2f55-4ba5-8a2c-0d6f7a1b2c3d")
BASE = "https://lms.example.org"


def _nested() -> Course:
    xml = structure_xml(au_xml(0), block_xml(1, au_xml(1), block_xml(2, au_xml(2))), au_xml(3))
    course = parse_structure(xml, packaged=False).course
    assert course is not None
    return course


def test_a_course_is_walked_in_document_order_with_the_blocks_around_each_node() -> None:
    walked = [
        (node.id.rpartition("org/")[2], [block.id.rpartition("/")[2] for block in path])
        for path, node in _nested().walk()
    ]
    assert walked == [
        ("aus/0", []),
        ("blocks/1", []),
        ("aus/1", ["1"]),
        ("blocks/2", ["1"]),
        ("aus/2", ["1", "2"]),
        ("aus/3", []),
    ]
    assert [block.id[-1] for block in _nested().blocks()] == ["1", "2"]


def test_an_au_is_found_by_index_publisher_id_or_lms_id() -> None:
    course = assign(_nested(), base=BASE, course_id=COURSE_ID)
    second = list(course.aus())[1]
    assert course.find_au(1) is course.find_au(second.id) is course.find_au(second.lms_id) is second
    for unknown in (4, -1, "", "https://courses.example.org/blocks/1"):
        assert course.find_au(unknown) is None


@given(courses())
def test_a_course_survives_storage(course: Course) -> None:
    document = to_document(course)
    assert from_document(document) == course
    assert from_document(json.loads(json.dumps(document))) == course


def test_storage_keeps_every_value_of_an_au_and_an_objective() -> None:
    au = AU(
        id="a:1",
        lms_id="https://lms.example.org/1",
        title={"en": "One"},
        description={"und": ""},
        url="index.html?x=1",
        move_on=MoveOn.COMPLETED_AND_PASSED,
        mastery_score=Decimal("0.1234567890123456789"),
        launch_method=LaunchMethod.OWN_WINDOW,
        activity_type="https://example.org/lesson",
        launch_parameters="",
        entitlement_key="key",
        objectives=("o:1",),
    )
    block = Block(id="b:1", title={"en": "B"}, description={}, children=(au,), objectives=("o:1", "o:2"))
    course = Course(
        id="c:1",
        title={"en": "C"},
        description={"en": "D"},
        children=(block,),
        objectives=(Objective("o:1", {"en": "O"}, {"en": "P"}),),
    )
    assert from_document(to_document(course)) == course


def test_deep_blocks_are_stored_flat() -> None:
    node: Node = AU(id="a:1", title={}, description={}, url="x")
    for number in range(60):
        node = Block(id=f"b:{number}", title={}, description={}, children=(node,))
    course = Course(id="c:1", title={}, description={}, children=(node,))
    document = to_document(course)
    assert len(document["nodes"]) == 61
    assert from_document(document) == course


def _lms_ids(course: Course) -> list[str]:
    return [course.lms_id, *(node.lms_id for _, node in course.walk())]


@given(courses())
def test_lms_ids_are_unique_iris_and_never_a_publishers(course: Course) -> None:
    # cmi5 8.1.5.0-1, 8.1.5.0-3, 9.3.9.0-3, 9.3.9.0-4, 9.3.9.0-7, 9.3.9.0-8
    assigned = assign(course, base=BASE, course_id=COURSE_ID)
    ids = _lms_ids(assigned)
    assert all(is_iri(each) and each.startswith(f"{BASE}/") for each in ids)
    assert len(set(ids)) == len(ids)
    assert not set(ids) & {course.id, *(node.id for _, node in course.walk())}


def test_lms_ids_are_the_same_every_time_and_differ_between_courses() -> None:
    course = _nested()
    once = assign(course, base=BASE, course_id=COURSE_ID)
    assert assign(course, base=BASE + "/", course_id=COURSE_ID) == once
    other = assign(course, base=BASE, course_id=UUID(int=1))
    assert not set(_lms_ids(once)) & set(_lms_ids(other))


def test_a_new_version_keeps_the_ids_of_what_kept_its_publisher_id() -> None:
    first = assign(_nested(), base=BASE, course_id=COURSE_ID)
    children = (replace(_nested().children[0], id="https://courses.example.org/new"), *_nested().children[1:])
    second = assign(
        replace(_nested(), children=children),
        base="https://moved.example.org",
        course_id=COURSE_ID,
        previous=first,
    )
    before, after = _lms_ids(first), _lms_ids(second)
    assert after[1].startswith("https://moved.example.org/")
    assert before[1] not in after
    assert [*after[:1], *after[2:]] == [*before[:1], *before[2:]]


def test_a_publisher_who_uses_an_id_that_will_be_made_gets_another_one() -> None:
    course = _nested()
    made = assign(course, base=BASE, course_id=COURSE_ID)
    first, last = made.children[0], course.children[-1]
    clashing = replace(course, id=made.lms_id, children=(course.children[0], replace(last, id=first.lms_id)))
    again = assign(clashing, base=BASE, course_id=COURSE_ID)
    assert again.lms_id not in (clashing.id, "")
    assert again.children[0].lms_id != first.lms_id


def test_a_publisher_who_uses_our_ids_gets_others() -> None:
    assigned = assign(_nested(), base=BASE, course_id=COURSE_ID)
    children = (replace(assigned.children[0], id=assigned.children[0].lms_id), *assigned.children[1:])
    exported = replace(assigned, id=assigned.lms_id, children=children)
    again = assign(exported, base=BASE, course_id=COURSE_ID)
    publisher = {exported.id, *(node.id for _, node in exported.walk())}
    assert not publisher & set(_lms_ids(again))
    later = assign(exported, base=BASE, course_id=COURSE_ID, previous=assigned)
    assert not publisher & set(_lms_ids(later))


def test_the_large_sample_gets_an_id_for_every_node() -> None:
    parsed = parse_structure((DATA / "structures/complex-cmi5.xml").read_bytes(), packaged=False)
    assert parsed.course is not None
    assigned = assign(parsed.course, base=BASE, course_id=COURSE_ID)
    assert all(_lms_ids(assigned))
    assert from_document(to_document(assigned)) == assigned
