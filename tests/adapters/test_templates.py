from __future__ import annotations

import json
from typing import Any

import pytest

from adapters import Adapted, MappingError, load_mapping
from adapters.statements import SOURCE_EXTENSION
from gateway.xapi.validation import check
from gateway.xapi.versions import Version
from tests.adapters.support import (
    MEETING,
    adapt,
    made,
    mapping_text,
    simple,
)


def result(template: str, payload: Any, **parts: str) -> Any:
    """What a template makes of a payload, seen as an extension's value."""
    body = f"{MEETING}      result:\n        extensions:\n          https://x.org/e: {template}\n"
    return made(body, payload, **parts).get("result", {}).get("extensions", {}).get("https://x.org/e")


@pytest.mark.parametrize(
    ("template", "payload", "value"),
    [
        ("${ body.a }", {"a": 5}, 5),
        ("${ body.a }", {"a": None}, None),
        ("x ${ body.a } y", {"a": 5}, "x 5 y"),
        ("x ${ body.a } y", {}, None),
        ("$${ body.a }", {}, "${ body.a }"),
        ("a $${x} ${ body.a }", {"a": 1}, "a ${x} 1"),
        ("\"${ '}' }\"", {}, "}"),
        ('{ a: 1, b: { c: "${ body.a }" } }', {}, {"a": 1}),
        ('{ a: "${ body.a }" }', {}, None),
        ("{ a: false, b: 0, c: '' }", {}, {"a": False, "b": 0, "c": ""}),
        ('[ "${ body.a }", 2 ]', {}, [2]),
        ('{ "${ body.lang }": x }', {"lang": "de"}, {"de": "x"}),
        ('{ "${ body.lang }": x }', {}, None),
        ("${ body.a }", {"a": {}}, {}),
        (
            (
                "{ $case: [ { when: body.a > 1, value: many }, { when: body.a == 1, value: "
                "one }, { else: none } ] }"
            ),
            {"a": 1},
            "one",
        ),
        ("{ $case: [ { when: body.a > 1, value: many }, { else: none } ] }", {}, "none"),
        ("{ $case: [ { when: body.a > 1, value: many } ] }", {}, None),
        (
            '{ $each: body.a, as: x, value: { n: "${ x.n }", i: "${ index }" } }',
            {"a": [{"n": 7}, {}]},
            [{"n": 7, "i": 0}, {"i": 1}],
        ),
        ('{ $each: body.a, as: x, value: "${ x.n }" }', {"a": [{"n": 7}, {}]}, [7]),
        ("{ $each: body.a, as: x, value: 1 }", {}, None),
    ],
)
def test_a_template_is_shaped_like_its_result(template: str, payload: Any, value: Any) -> None:
    found = result(template, payload)
    assert found == value
    assert type(found) is type(value)


FRAGMENTS = """\
fragments:
  named: { id: "https://x.org/${ id }", definition: { name: "${ title }", type: https://x.org/t } }
  wrapped: { $use: named, with: { id: "w-${ key }", title: "${ vars.title }" } }
let: { title: "${ body.title }" }
"""


def test_fragments_take_arguments_and_are_merged_at_every_level() -> None:
    template = (
        '{ $use: named, with: { id: "${ body.id }", title: T }, definition: { type: https://x.org/u } }'
    )
    found = result(template, {"id": 7}, before=FRAGMENTS)
    assert found == {"id": "https://x.org/7", "definition": {"name": "T", "type": "https://x.org/u"}}


def test_fragments_use_fragments_and_variables() -> None:
    found = result("{ $use: wrapped, with: { key: k } }", {"title": "T"}, before=FRAGMENTS)
    assert found == {"id": "https://x.org/w-k", "definition": {"name": "T", "type": "https://x.org/t"}}


def test_null_beside_a_fragment_leaves_out_what_it_gives() -> None:
    before = "fragments: { f: { id: https://x.org/f, definition: { name: N, type: https://x.org/t } } }\n"
    assert result("{ $use: f, definition: null }", {}, before=before) == {"id": "https://x.org/f"}
    both = result("{ $use: f, definition: { name: null, type: ~ } }", {}, before=before)
    assert both == {"id": "https://x.org/f"}
    absent = result('{ $use: f, definition: { name: "${ body.nothing }" } }', {}, before=before)
    assert absent["definition"] == {"name": "N", "type": "https://x.org/t"}


def test_an_actor_that_null_leaves_out_is_missed_by_the_linter() -> None:
    text = (
        "adapter: s\nfragments:\n  f: { actor: { mbox: mailto:a@x }, verb: joined, object: { id: x:y } }\n"
        "rules:\n  - name: r\n    statement: { $use: f }\n"
    )
    assert load_mapping(text, "m.yaml").rules
    with pytest.raises(MappingError, match="the statement has no actor"):
        load_mapping(text.replace("$use: f }", "$use: f, actor: null }"), "m.yaml")


def test_a_fragment_sees_its_arguments_only() -> None:
    text = mapping_text("      object: { $use: f }\n", before='fragments: { f: { id: "${ x }" } }\n')
    with pytest.raises(Exception, match="unknown name 'x'"):
        load_mapping(text, "m.yaml")


def test_variables_are_computed_once_and_only_when_used() -> None:
    before = "let:\n  broken: ${ lower(body.list) }\n  fine: ${ upper(body.a) }\n"
    assert result("${ vars.fine }${ vars.fine }", {"list": [], "a": "x"}, before=before) == "XX"


def test_a_payload_is_never_changed() -> None:
    payload = {"o": {"id": "https://x.org/o", "extensions": {"https://x.org/e": {}}}, "c": {"platform": "P"}}
    before = json.dumps(payload)
    statement = made("      verb: joined\n      object: ${ body.o }\n      context: ${ body.c }\n", payload)
    assert statement["context"]["extensions"][SOURCE_EXTENSION]["adapter"] == "sample"
    assert json.dumps(payload) == before


def test_short_forms_are_written_out() -> None:
    body = """\
      verb: scored
      object:
        id: https://x.org/q
        type: question
        name: Frage
        description: { en: Question }
        interaction: choice
        choices: { a: Eins, b: Zwei }
        correct: a
        more_info: https://x.org/more
        extensions: { https://x.org/e: {} }
      context:
        parent: https://x.org/p
        grouping: [ { id: https://x.org/g, type: course }, https://x.org/h ]
        instructor: ${ mailto(body.teacher) }
      timestamp: 2024-03-01T10:00:00+01:00
"""
    before = "source: { platform: P, language: de }\n"
    statement = made(body, {"teacher": "T@x.org"}, before=before)
    assert statement["verb"] == {"id": "http://adlnet.gov/expapi/verbs/scored", "display": {"en": "scored"}}
    assert statement["object"] == {
        "objectType": "Activity",
        "id": "https://x.org/q",
        "definition": {
            "type": "http://adlnet.gov/expapi/activities/question",
            "name": {"de": "Frage"},
            "description": {"en": "Question"},
            "moreInfo": "https://x.org/more",
            "interactionType": "choice",
            "correctResponsesPattern": ["a"],
            "choices": [
                {"id": "a", "description": {"de": "Eins"}},
                {"id": "b", "description": {"de": "Zwei"}},
            ],
            "extensions": {"https://x.org/e": {}},
        },
    }
    assert statement["context"]["contextActivities"] == {
        "parent": [{"objectType": "Activity", "id": "https://x.org/p"}],
        "grouping": [
            {
                "objectType": "Activity",
                "id": "https://x.org/g",
                "definition": {"type": "http://adlnet.gov/expapi/activities/course"},
            },
            {"objectType": "Activity", "id": "https://x.org/h"},
        ],
    }
    assert statement["context"]["instructor"] == {"objectType": "Agent", "mbox": "mailto:t@x.org"}
    assert statement["context"]["platform"] == "P"
    assert statement["timestamp"] == "2024-03-01T09:00:00Z"
    assert not check(statement, Version.V2)


def test_aliases_of_verbs_are_normalised_and_own_words_are_known() -> None:
    alias = made("      verb: http://activitystrea.ms/schema/1.0/submit\n      object: { id: x:y }\n", {})
    assert alias["verb"]["id"] == "http://activitystrea.ms/submit"
    own = made(
        "      verb: danced\n      object: { id: x:y, type: party }\n",
        {},
        before=(
            "vocabulary: { verbs: { danced: https://x.org/danced }, types: { party: https://x.org/party } }\n"
        ),
    )
    assert own["verb"] == {"id": "https://x.org/danced", "display": {"en": "danced"}}
    assert own["object"]["definition"]["type"] == "https://x.org/party"


def test_a_platform_is_only_given_for_activities() -> None:
    body = (
        "      verb: joined\n"
        "      object: { objectType: StatementRef, id: 2bf1cb46-7f26-4a72-8ac2-e9fbd74aa8d3 "
        "}\n"
    )
    statement = made(body, {}, before="source: { platform: P }\nprovenance: false\n")
    assert "context" not in statement
    assert statement["object"]["objectType"] == "StatementRef"


def test_a_missing_timestamp_is_the_time_of_receipt_with_a_warning() -> None:
    outcome = adapt(simple(MEETING), {})
    assert isinstance(outcome, Adapted)
    assert outcome.statements[0]["timestamp"] == "2026-03-02T09:00:00Z"
    assert [lint.message for lint in outcome.warnings] == ["only: no timestamp; the time of receipt was used"]


def test_a_score_out_of_range_is_repaired_with_a_warning_at_its_place() -> None:
    mapping = simple(MEETING + "      result:\n        score: ${ score(body.raw, 1) }\n")
    outcome = adapt(mapping, {"raw": 5})
    assert isinstance(outcome, Adapted)
    assert outcome.statements[0]["result"]["score"] == {"raw": 5, "min": 0, "scaled": 1.0}
    warning = outcome.warnings[0]
    assert warning.message == "score: raw 5 is above max 1; kept raw, dropped max"
    assert (warning.line, warning.column) == (9, 19)
