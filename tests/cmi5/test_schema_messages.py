from __future__ import annotations

import io

import pytest

from gateway.cmi5.imports import read_course
from gateway.cmi5.packages import PackageLimits
from gateway.cmi5.schema_messages import sentence
from tests.cmi5.samples import au_xml, structure_xml

XML = structure_xml(au_xml(1)).decode()
AU, COURSE = "courseStructure/au (line 3)", "courseStructure/course"


@pytest.mark.parametrize(
    ("before", "after", "path", "message"),
    [
        (
            '"Completed"',
            '"Complet\'d"',
            AU,
            "moveOn holds 'Complet'd'; expected one of NotApplicable, Passed, Completed, CompletedAndPassed, "
            "CompletedOrPassed",
        ),
        ("<au ", '<au masteryScore="2" ', AU, "masteryScore holds '2'; expected at most 1"),
        ("<au ", '<au masteryScore="-1" ', AU, "masteryScore holds '-1'; expected at least 0"),
        (
            "<au ",
            '<au masteryScore="x" ',
            AU,
            "masteryScore is wrong: 'x' is not a valid value of the local atomic type.",
        ),
        (
            "<au ",
            '<au colour="red" ',
            AU,
            "has an attribute colour, which is not allowed here; is it spelt as in cmi5?",
        ),
        ('<au id="https://courses.example.org/aus/1"', "<au", AU, "has no attribute id, which is required"),
        (
            "<title><langstring>AU 1</langstring></title>",
            "<titel/>",
            "courseStructure/au/titel (line 3)",
            "is not expected here; expected: title",
        ),
        (
            '<description><langstring lang="en">Stones</langstring></description>',
            "",
            f"{COURSE} (line 2)",
            "has too little in it; expected: description",
        ),
    ],
)
def test_what_breaks_the_schema_is_said_in_a_sentence(
    before: str, after: str, path: str, message: str
) -> None:
    assert before in XML
    content = XML.replace(before, after, 1).encode()
    found = [each.problem() for each in read_course(io.BytesIO(content), PackageLimits()).findings]
    assert (path, message) in [(each.path, each.message) for each in found]


def test_what_is_no_usual_message_is_passed_on() -> None:
    assert sentence("Something else.") == "Something else."
    assert sentence("Element 'a': Something else.") == "Something else."
