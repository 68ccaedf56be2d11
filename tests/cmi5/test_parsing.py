# ruff: noqa: E501 - the tables have one case a line
from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from lxml import etree

from gateway.cmi5.findings import Level
from gateway.cmi5.parsing import parse_structure
from gateway.cmi5.safe_xml import XmlLimits, read_xml
from gateway.cmi5.structure import Block
from gateway.cmi5.vocabulary import NAMESPACE, SANDSTONE_NAMESPACE, LaunchMethod, MoveOn
from tests.cmi5.samples import DATA, au_xml, block_xml, structure_xml

OBJECTIVES = (
    "<objectives>{}</objectives>",
    '<objective id="https://courses.example.org/objectives/{}">'
    "<description><langstring>D</langstring></description><title><langstring>T</langstring></title></objective>",
)


def _objectives(*numbers: int) -> str:
    return OBJECTIVES[0].format("".join(OBJECTIVES[1].format(number) for number in numbers))


def _found(
    xml: bytes, *, packaged: bool = False, files: list[str] | None = None
) -> set[tuple[str, str, str]]:
    parsed = parse_structure(xml, packaged=packaged, files=files)
    assert (parsed.course is None) == bool(parsed.errors)
    assert all(finding.message for finding in parsed.findings)
    return {(finding.level.value, finding.requirement, finding.path) for finding in parsed.findings}


@pytest.mark.parametrize("file", sorted((DATA / "structures").glob("*.xml")), ids=lambda each: each.name)
def test_structures_of_the_working_group_are_read(file: Path) -> None:
    parsed = parse_structure(file.read_bytes(), packaged=False)
    assert parsed.course is not None
    assert parsed.errors == ()
    text = file.read_text()
    assert len(list(parsed.course.aus())) == text.count("<au ")
    assert len(list(parsed.course.blocks())) == text.count("<block")


def test_a_large_course_of_the_working_group_is_read_in_full() -> None:
    course = parse_structure((DATA / "structures/complex-cmi5.xml").read_bytes(), packaged=False).course
    assert course is not None
    assert course.title == {"en-US": "Geology", "de-DE": "Geologie"}
    assert course.objectives[0].title["en-US"] == "Geology - Basic knowledge"
    first = course.children[0]
    assert isinstance(first, Block)
    assert first.objectives == (
        "http://objectives.example.com/identifiers/geology/basics",
        "http://objectives.example.com/identifiers/geology/material-identification",
    )
    rock = course.find_au(0)
    assert rock is not None
    assert rock.url.endswith("/aus/64f6/launch")
    assert rock.launch_parameters == "{'initialSpeed':3.0,'mode':1}"
    assert rock.entitlement_key == "833d0c7c-a3f8-4f9b-a51f-cbd8a9dac9fb"
    assert rock.activity_type == "http://adlnet.gov/expapi/activities/lesson"
    assert (rock.move_on, rock.mastery_score) == (MoveOn.COMPLETED_OR_PASSED, Decimal(1))
    quiz = course.children[-1]
    assert not isinstance(quiz, Block)
    assert (quiz.launch_method, quiz.mastery_score) == (LaunchMethod.OWN_WINDOW, Decimal("0.7"))
    eighth = course.find_au("http://example.com/courses/f59c9fc0/au/6f65")
    assert eighth is not None
    assert (eighth.launch_parameters, eighth.entitlement_key) == ("", "")


def test_defaults_are_those_of_the_standard() -> None:
    course = parse_structure(structure_xml(au_xml(attributes="")), packaged=False).course
    assert course is not None
    (au,) = course.aus()
    assert (au.move_on, au.launch_method) == (MoveOn.NOT_APPLICABLE, LaunchMethod.ANY_WINDOW)
    assert (au.mastery_score, au.launch_parameters, au.entitlement_key, au.activity_type) == (None,) * 4
    assert au.title == {"und": "AU 1"}


def test_blanks_around_values_are_dropped() -> None:
    # cmi5 13.1.0.0-1
    au = au_xml(
        attributes='moveOn=" Passed " masteryScore=" 0.5\n" launchMethod="\tOwnWindow" activityType=" a:b "'
    )
    au = au.replace("<url>", "<url>  <![CDATA[  ").replace("</url>", " ]]> </url>")
    au = au.replace("<langstring>AU 1<", '<langstring lang=" en ">\n  AU 1 <').replace('aus/1"', 'aus/1 "')
    course = parse_structure(structure_xml(au), packaged=False).course
    assert course is not None
    (found,) = course.aus()
    assert found.id == "https://courses.example.org/aus/1"
    assert found.url == "https://content.example.org/1/index.html"
    assert found.title == {"en": "AU 1"}
    assert (found.move_on, found.launch_method) == (MoveOn.PASSED, LaunchMethod.OWN_WINDOW)
    assert (found.mastery_score, found.activity_type) == (Decimal("0.5"), "a:b")


@pytest.mark.parametrize(
    ("written", "read"),
    [("0", "0"), ("1", "1"), ("+.5", "0.5"), ("0.8000", "0.8"), ("-0.0", "0"), ("1.", "1")],
)
def test_a_mastery_score_is_any_decimal_from_0_to_1(written: str, read: str) -> None:
    xml = structure_xml(au_xml(attributes=f'moveOn="Passed" masteryScore="{written}"'))
    course = parse_structure(xml, packaged=False).course
    assert course is not None
    (au,) = course.aus()
    assert str(au.mastery_score) == read


@pytest.mark.parametrize("score", ["5e-1", "1.01", "-0.1", "", "high", "NaN", "INF", "0,5"])
def test_other_mastery_scores_are_errors(score: str) -> None:
    xml = structure_xml(au_xml(attributes=f'moveOn="Passed" masteryScore="{score}"'))
    assert ("error", "cmi5 13.2.0.0-1", "courseStructure/au") in _found(xml)


def test_launch_parameters_may_hold_elements_and_their_text_counts() -> None:
    xml = structure_xml(
        au_xml().replace("</url>", "</url><launchParameters> a<b xmlns=''>1</b> &amp; c </launchParameters>")
    )
    course = parse_structure(xml, packaged=False).course
    assert course is not None
    assert next(course.aus()).launch_parameters == "a1 & c"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_every_unicode_encoding_with_or_without_a_mark_is_read(encoding: str) -> None:
    text = structure_xml(au_xml()).decode().replace("Geology", "Géologie")
    course = parse_structure(text.encode(encoding), packaged=False).course
    assert course is not None
    assert course.title == {"en": "Géologie"}


def test_two_thousand_aus_are_read() -> None:
    # cmi5 6.1.0.0-2 asks for more than a thousand.
    blocks = [block_xml(number, *(au_xml(number * 20 + each) for each in range(20))) for number in range(100)]
    course = parse_structure(structure_xml(*blocks), packaged=False).course
    assert course is not None
    assert [au.id.rpartition("/")[2] for au in course.aus()] == [str(number) for number in range(2000)]


FOREIGN = '<x:meta xmlns:x="https://vendor.example.org/x" x:level="1"><x:deep><p xmlns="">text</p></x:deep></x:meta>'


def test_foreign_elements_and_attributes_are_ignored() -> None:
    au = au_xml().replace("</au>", f"{FOREIGN}</au>").replace("<au ", '<au xmlns:y="https://y.org/" y:z="1" ')
    assert _found(structure_xml(au, FOREIGN)) == set()


def test_aus_inside_foreign_elements_are_no_part_of_the_course() -> None:
    inner = f'<x:meta xmlns:x="https://vendor.example.org/x">{au_xml(2)}</x:meta>'
    course = parse_structure(structure_xml(au_xml(), inner), packaged=False).course
    assert course is not None
    assert len(list(course.aus())) == 1


AU_PATH = "courseStructure/au"


@pytest.mark.parametrize(
    ("xml", "expected"),
    [
        # 13.2.0.0-1: what the XSD refuses.
        (structure_xml(au_xml(attributes='moveOn="passed"')), ("13.2.0.0-1", AU_PATH)),
        (structure_xml(au_xml(attributes='launchMethod="Popup"')), ("13.2.0.0-1", AU_PATH)),
        (structure_xml(au_xml(attributes='mode="x"')), ("13.2.0.0-1", AU_PATH)),
        (structure_xml(), ("13.2.0.0-1", "courseStructure")),
        (structure_xml(block_xml(1)), ("13.2.0.0-1", "courseStructure/block")),
        (structure_xml(au_xml().replace("<url>", "<uri>").replace("</url>", "</uri>")), ("13.2.0.0-1", f"{AU_PATH}/uri")),
        (structure_xml(au_xml(url="  ")), ("13.2.0.0-1", f"{AU_PATH}/url")),
        (structure_xml(au_xml().replace("<langstring>AU 1</langstring>", "")), ("13.2.0.0-1", f"{AU_PATH}/title")),
        # 3.0.0.0-1: ids are full IRIs.
        (structure_xml(au_xml().replace("https://courses.example.org/aus", "aus")), ("3.0.0.0-1", f"{AU_PATH}/@id")),
        (structure_xml(au_xml().replace("aus/1", "a us")), ("3.0.0.0-1", f"{AU_PATH}/@id")),
        (structure_xml(au_xml()).replace(b"https://courses.example.org/geology", b"w3id.org/x"), ("3.0.0.0-1", "courseStructure/course/@id")),
        (structure_xml(block_xml(1, au_xml()).replace("https://courses.example.org/blocks", "")), ("3.0.0.0-1", "courseStructure/block/@id")),
        (structure_xml(au_xml(), objectives=_objectives(1).replace("https://", "")), ("3.0.0.0-1", "courseStructure/objectives/objective/@id")),
        # Ids are unique at all depths.
        (structure_xml(au_xml(), block_xml(1, au_xml())), ("13.1.4.0-1", "courseStructure/block/au/@id")),
        (structure_xml(block_xml(1, au_xml()), block_xml(1, au_xml(2))), ("13.1.2.0-1", "courseStructure/block[2]/@id")),
        (structure_xml(block_xml(1, block_xml(1, au_xml()))), ("13.1.2.0-1", "courseStructure/block/block/@id")),
        (structure_xml(au_xml(), objectives=_objectives(1, 2, 1)), ("13.1.3.0-1", "courseStructure/objectives/objective[3]/@id")),
        (structure_xml(block_xml(1, au_xml()).replace("aus/1", "blocks/1")), ("13.1.4.0-1", "courseStructure/block/au/@id")),
        # URLs.
        (structure_xml(au_xml(url="http://example.com index.html")), ("13.1.4.0-2", f"{AU_PATH}/url")),
        (structure_xml(au_xml(url="https://example.com/?a=1&amp;fetch=2")), ("8.1.0.0-6", f"{AU_PATH}/url")),
        (structure_xml(au_xml(url="index.html")), ("14.2.0.0-1", f"{AU_PATH}/url")),
        # The root.
        (b"<html/>", ("13.2.0.0-1", "html")),
        (b"<courseStructure/>", ("13.2.0.0-1", "courseStructure")),
        (structure_xml(au_xml()).replace(NAMESPACE.encode(), SANDSTONE_NAMESPACE.encode()), ("13.2.0.0-1", "courseStructure")),
    ],
)  # fmt: skip
def test_what_breaks_a_rule_is_an_error_with_requirement_and_place(
    xml: bytes, expected: tuple[str, str]
) -> None:
    requirement, path = expected
    assert ("error", f"cmi5 {requirement}", path) in _found(xml)


@pytest.mark.parametrize(
    ("xml", "expected"),
    [
        (structure_xml(au_xml(attributes="")), ("cmi5 9.6.1.1-3", "courseStructure")),
        (structure_xml(au_xml(attributes='moveOn="Passed" activityType="lesson"')), ("cmi5 3.0.0.0-1", f"{AU_PATH}/@activityType")),
        (structure_xml(au_xml(attributes='moveOn="Passed" masteryScore="0.33333"')), ("cmi5 13.1.4", f"{AU_PATH}/@masteryScore")),
        (structure_xml(au_xml().replace("aus/1", "geology")), ("cmi5 13.1.1", f"{AU_PATH}/@id")),
        (structure_xml(au_xml().replace("</langstring>", '</langstring><langstring>B</langstring>', 1)), ("cmi5 13.1", f"{AU_PATH}/title/langstring[2]/@lang")),
        (structure_xml(au_xml().replace("<langstring>", '<langstring lang="englishlanguage">', 1).replace("englishlanguage", "e-nglish")), ("cmi5 13.1", f"{AU_PATH}/title/langstring/@lang")),
        (structure_xml(au_xml().replace("<url>", '<objectives><objective idref="a:b"/></objectives><url>')), ("cmi5 13.1.4", f"{AU_PATH}/objectives/objective/@idref")),
    ],
)  # fmt: skip
def test_what_is_odd_but_legal_is_a_warning(xml: bytes, expected: tuple[str, str]) -> None:
    assert _found(xml) == {("warning", *expected)}


def test_prefixes_in_the_document_do_not_matter() -> None:
    prefixed = structure_xml(au_xml()).replace(b"xmlns=", b"xmlns:c=").replace(b"</", b"</c:")
    prefixed = re.sub(rb"<(?=[a-z])", b"<c:", prefixed)
    assert parse_structure(prefixed, packaged=False).course is not None
    assert _found(prefixed.replace(b"Completed", b"Never")) == {("error", "cmi5 13.2.0.0-1", AU_PATH)}
    inner = au_xml(attributes='moveOn="Never"').replace("<au ", f'<c:au xmlns:c="{NAMESPACE}" ')
    inner = inner.replace("</au>", "</c:au>")
    assert ("error", "cmi5 13.2.0.0-1", "courseStructure") in _found(structure_xml(inner))


def test_errors_and_warnings_can_be_told_apart() -> None:
    odd = parse_structure(structure_xml(au_xml(attributes="")), packaged=False)
    assert (odd.errors, odd.warnings) == ((), odd.findings)
    bad = parse_structure(structure_xml(au_xml(url="x", attributes="")), packaged=False)
    assert [len(bad.errors), len(bad.warnings)] == [1, 1]


def test_all_findings_come_at_once_in_the_order_of_lines() -> None:
    xml = structure_xml(
        au_xml(1, attributes='moveOn="Never"'),
        au_xml(2, url="index.html").replace("https://courses.example.org/", ""),
        au_xml(3, url="javascript:alert(1)"),
        au_xml(3),
    )
    parsed = parse_structure(xml, packaged=False)
    assert [(finding.line, finding.requirement) for finding in parsed.findings] == [
        (3, "cmi5 13.2.0.0-1"),
        (4, "cmi5 3.0.0.0-1"),
        (4, "cmi5 14.2.0.0-1"),
        (5, "cmi5 13.1.4.0-2"),
        (6, "cmi5 13.1.4.0-1"),
    ]
    assert {finding.level for finding in parsed.findings} == {Level.ERROR}


def test_a_finding_tells_an_administrator_what_to_do() -> None:
    (finding,) = parse_structure(structure_xml(au_xml(url="index.html")), packaged=False).errors
    assert finding.message == (
        "the URL 'index.html' is relative; without a package every URL needs scheme and host"
    )
    assert finding.problem().path == "courseStructure/au/url (line 3)"


def test_findings_without_end_are_cut_at_two_hundred() -> None:
    xml = structure_xml(*(au_xml(1, url="x") for _ in range(500)))
    assert len(parse_structure(xml, packaged=False).findings) == 200


def test_relative_urls_of_a_package_are_checked_against_its_files() -> None:
    # cmi5 14.1.0.0-4
    xml = structure_xml(au_xml(1, url="a/index.html?x=1#y"), au_xml(2, url="b/index.html"))
    assert _found(xml, packaged=True, files=["a/index.html"]) == {
        ("error", "cmi5 14.1.0.0-4", "courseStructure/au[2]/url")
    }
    assert _found(xml, packaged=True) == set()


def test_a_doctype_is_refused_whatever_it_declares() -> None:
    body = structure_xml(au_xml()).decode()
    for doctype in (
        "<!DOCTYPE courseStructure>",
        '<!DOCTYPE courseStructure SYSTEM "http://127.0.0.1:1/x.dtd">',
        '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>',
    ):
        for encoding in ("utf-8", "utf-16"):
            parsed = parse_structure(
                (doctype + body.replace("Stones", "&a;")).encode(encoding), packaged=False
            )
            assert [finding.requirement for finding in parsed.errors] == ["xml safety"]
            assert parsed.course is None


def test_entities_without_a_doctype_are_refused() -> None:
    parsed = parse_structure(structure_xml(au_xml()).replace(b"Stones", b"&xxe;"), packaged=False)
    assert [finding.requirement for finding in parsed.errors] == ["cmi5 13.2.0.0-1"]


def test_schemas_named_in_the_document_are_not_loaded(tmp_path: Path) -> None:
    schema = tmp_path / "vendor.xsd"
    schema.write_text(
        '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="https://vendor.example.org/x">'
        '<xs:element name="level" type="xs:integer"/></xs:schema>'
    )
    xsi = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    location = f' {xsi} xsi:schemaLocation="https://vendor.example.org/x {schema.as_uri()}"'
    foreign = '<x:level xmlns:x="https://vendor.example.org/x">no integer</x:level>'
    xml = structure_xml(au_xml(), foreign, root=location)
    assert _found(xml) == set()
    root = read_xml(xml, XmlLimits())
    assert isinstance(root, etree._Element)
    assert b"schemaLocation" not in etree.tostring(root)


@pytest.mark.parametrize(
    ("limits", "word"),
    [
        (XmlLimits(size=100), "bytes"),
        (XmlLimits(depth=4), "deep"),
        (XmlLimits(elements=5), "elements"),
    ],
)
def test_limits_are_kept(limits: XmlLimits, word: str) -> None:
    parsed = parse_structure(structure_xml(block_xml(1, au_xml())), packaged=False, limits=limits)
    (finding,) = parsed.errors
    assert finding.requirement == "xml safety"
    assert word in finding.message


def test_deep_nesting_is_refused_and_what_is_within_the_limit_is_read() -> None:
    def nested(depth: int) -> bytes:
        xml = au_xml()
        for number in range(depth):
            xml = block_xml(number, xml)
        return structure_xml(xml)

    assert parse_structure(nested(60), packaged=False).course is not None
    assert [each.requirement for each in parse_structure(nested(62), packaged=False).errors] == ["xml safety"]
    assert parse_structure(b"<a>" * 100_000, packaged=False).course is None


@pytest.mark.parametrize(
    "xml",
    [
        b"",
        b"\0",
        b"\xff\xfe",
        b"<a",
        b"no xml",
        b"<?xml version='1.0' encoding='martian'?><a/>",
        b"<?xml version='1.0' encoding='utf-7'?><a/>",
        b"<?xml version='1.0' encoding='utf-8'?><a>\xff</a>",
        b"<p:a/>",
        '<?xml version="1.0" encoding="utf-16"?><a/>'.encode("utf-32"),
    ],
)
def test_what_is_no_xml_is_one_error(xml: bytes) -> None:
    parsed = parse_structure(xml, packaged=False)
    assert parsed.course is None
    assert len(parsed.errors) == 1


VALID = structure_xml(block_xml(1, au_xml(1), au_xml(2, url="https://example.org/%20?a=b#c")), au_xml(3))


@given(st.lists(st.tuples(st.integers(0, len(VALID)), st.binary(max_size=4)), min_size=1, max_size=6))
@example([(0, b"\xef\xbb\xbf")])
def test_damaged_structures_never_raise(damage: list[tuple[int, bytes]]) -> None:
    xml = VALID
    for position, inserted in damage:
        xml = xml[:position] + inserted + xml[position + len(inserted) :]
    parsed = parse_structure(xml, packaged=True, files=["index.html"])
    assert (parsed.course is None) == bool(parsed.errors)
