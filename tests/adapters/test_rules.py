from __future__ import annotations

import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters import Adapted, Event, Failed, Skipped, Unmatched, load_mapping
from tests.adapters.support import (
    LOOKUPS,
    MEETING,
    NOW,
    adapt,
    made,
    mapping_text,
    simple,
    statements,
)


@pytest.mark.parametrize(
    ("body", "payload", "message", "line"),
    [
        ("      verb: ${ body.v }\n      object: { id: x:y }\n", {}, "missing required verb.id", 6),
        (
            ('      verb: joined\n      object: { id: "${ body.id }", type: meeting }\n'),
            {},
            "missing required object.id",
            7,
        ),
        (MEETING + "      actor: ${ body.who }\n", {}, "missing required actor: no candidate has a value", 8),
        (
            "      verb: ${ body.v }\n      object: { id: x:y }\n",
            {"v": "joind"},
            "verb 'joind' is not in the vocabulary; did you mean 'joined'?",
            6,
        ),
        (
            MEETING + "      timestamp: ${ body.t }\n",
            {"t": "2024-03-01T10:00:00"},
            "timestamp: the time has no zone",
            8,
        ),
        (MEETING + "      timestamp: ${ body.t }\n", {"t": 5}, "timestamp: needs text, got number 5", 8),
        (
            MEETING + '      result: { success: "${ lower(body.t) }" }\n',
            {"t": [1]},
            "lower: needs text, got a list of 1",
            8,
        ),
        (
            MEETING + "      when: body.t\n",
            {"t": "true"},
            "a condition must be true or false, got text 'true'",
            8,
        ),
        (
            MEETING + "      for_each: body.t\n      as: x\n      key: x.k\n",
            {"t": {}},
            "a list is wanted, got an object",
            8,
        ),
        (
            MEETING + "      for_each: body.t\n      as: x\n      key: x.k\n",
            {"t": [{}]},
            "the key of this element is absent",
            10,
        ),
    ],
)
def test_a_failure_says_what_is_wrong_and_where(body: str, payload: Any, message: str, line: int) -> None:
    text = mapping_text(body)
    if "actor: ${" in body:
        text = text.replace(
            "      actor: { account: { homePage: https://id.example.edu, name: mira } }\n", "      \n"
        )
    outcome = adapt(load_mapping(text, "sample.yaml"), payload)
    assert isinstance(outcome, Failed)
    assert [(lint.message, lint.line) for lint in outcome.problems] == [(message, line)]
    assert outcome.rule == "only"


def test_a_rule_can_require_more_than_xapi_does() -> None:
    mapping = simple(
        MEETING + '      result: { score: "${ score(body.raw, 10) }" }\n',
        rule="    required: [result.score.scaled]\n",
    )
    assert isinstance(adapt(mapping, {"raw": 5}), Adapted)
    outcome = adapt(mapping, {})
    assert isinstance(outcome, Failed)
    assert outcome.problems[0].message == "missing required result.score.scaled"


def test_a_statement_that_fails_can_be_skipped() -> None:
    text = """\
adapter: sample
rules:
  - name: both
    on_error: skip
    statements:
      - name: good
        actor: { mbox: mailto:a@x.org }
        verb: joined
        object: { id: https://x.org/m }
      - name: bad
        actor: { mbox: mailto:a@x.org }
        verb: joined
        object: { id: "${ lower(body.x) }" }
"""
    mapping = load_mapping(text, "m.yaml")
    outcome = adapt(mapping, {"x": [1]})
    assert isinstance(outcome, Adapted)
    assert len(outcome.statements) == 1
    assert "lower: needs text, got a list of 1" in [lint.message for lint in outcome.warnings]
    failing = load_mapping(text.replace("    on_error: skip\n", ""), "m.yaml")
    assert isinstance(adapt(failing, {"x": [1]}), Failed)


RULES = """\
adapter: sample
rules:
  - { name: exact, match: { body.type: a.created, body.n: 1 }, ignore: true, reason: exact }
  - { name: listed, match: { body.type: [a.created, b.created] }, ignore: true }
  - { name: glob, match: { body.type: "c.*" }, ignore: true }
  - { name: number, match: { body.type: 5 }, ignore: true }
  - { name: truth, match: { body.type: true }, ignore: true }
  - { name: absent, match: { body.type: null, body.other: x }, ignore: true }
  - { name: conditional, when: body.special, ignore: true }
"""


@pytest.mark.parametrize(
    ("payload", "rule"),
    [
        ({"type": "a.created", "n": 1}, "exact"),
        ({"type": "a.created", "n": 1.0}, "exact"),
        ({"type": "a.created", "n": True}, "listed"),
        ({"type": "a.created"}, "listed"),
        ({"type": "b.created", "special": True}, "listed"),
        ({"type": "c.d.e"}, "glob"),
        ({"type": "c"}, None),
        ({"type": 5}, "number"),
        ({"type": True}, "truth"),
        ({"type": 1}, None),
        ({"other": "x"}, "absent"),
        ({"special": True}, "conditional"),
        ({"type": "z", "special": True}, "conditional"),
        ({"type": []}, None),
        ([], None),
        ("text", None),
        (None, None),
    ],
)
def test_the_first_rule_that_applies_wins(payload: Any, rule: str | None) -> None:
    outcome = adapt(load_mapping(RULES, "m.yaml"), payload)
    if rule is None:
        assert isinstance(outcome, Unmatched)
    else:
        assert isinstance(outcome, Skipped)
        assert outcome.rule == rule


def test_an_event_without_a_rule_is_counted_by_its_kind() -> None:
    assert adapt(load_mapping(RULES, "m.yaml"), {"type": "d.created"}) == Unmatched("d.created")
    assert adapt(load_mapping(RULES, "m.yaml"), {"type": {"a": 1}}) == Unmatched("")


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["a.created", "b.created", "c.x", "z", 5, True, None]),
            "n": st.sampled_from([1, 2]),
            "special": st.booleans(),
            "other": st.just("x"),
        },
    )
)
def test_the_index_finds_what_trying_every_rule_would(payload: dict[str, Any]) -> None:
    mapping = load_mapping(RULES, "m.yaml")
    (event,) = mapping.events(payload)
    assert isinstance(event, Event)
    scope = mapping.scope(event, LOOKUPS)
    expected = next((rule.name for rule in mapping.rules if rule.applies(scope)), None)
    outcome = mapping.adapt(event, LOOKUPS)
    assert getattr(outcome, "rule", None) == expected


def test_in_mode_all_every_matching_rule_makes_its_statements() -> None:
    text = mapping_text(MEETING).replace("rules:\n", "mode: all\nrules:\n")
    text += text[text.index("  - name: only") :].replace("only", "too")
    outcome = adapt(load_mapping(text, "m.yaml"), {})
    assert isinstance(outcome, Adapted)
    assert outcome.rule == "only+too"
    assert len({statement["id"] for statement in outcome.statements}) == 2


def expected_id(*parts: str) -> str:
    namespace = uuid.uuid5(uuid.NAMESPACE_URL, "urn:gateway:adapter:sample")
    return str(uuid.uuid5(namespace, "\x1f".join(parts)))


def test_ids_come_from_adapter_event_rule_and_item_alone() -> None:
    receive = (
        "receive:\n"
        '  verify: [ { none: { i_understand: "anyone who knows the URL can post" '
        "} } ]\n  event_id: ${ body.id }\n"
    )
    statement = made(MEETING, {"id": "e-1"}, before=receive)
    assert statement["id"] == expected_id("e-1", "only", "")
    other_verb = made(
        MEETING.replace("joined", "left"), {"id": "e-1", "x": 1}, before=f"version: 9\n{receive}"
    )
    assert other_verb["id"] == statement["id"]
    renamed = simple(MEETING, before=receive, rule="    id_key: old-name\n")
    assert statements(renamed, {"id": "e-1"})[0]["id"] == expected_id("e-1", "old-name", "")
    loop = simple(MEETING + "      for_each: body.list\n      as: x\n      key: x\n", before=receive)
    assert [one["id"] for one in statements(loop, {"id": "e-1", "list": ["b", "a"]})] == [
        expected_id("e-1", "only", "b"),
        expected_id("e-1", "only", "a"),
    ]


def test_an_id_can_be_made_by_the_mapping() -> None:
    own = "0d092af3-c9f8-531f-9cc3-9db40a0750ef"
    assert made(MEETING + f"      id: {own}\n", {})["id"] == own


def test_an_event_without_an_id_is_identified_by_its_content() -> None:
    mapping = simple(MEETING)
    one, other = mapping.events({"a": 1, "b": 2}), mapping.events({"b": 2, "a": 1})
    assert getattr(one[0], "event_id", 1) == getattr(other[0], "event_id", 2)
    assert getattr(mapping.events({"a": 2})[0], "event_id", 1) != getattr(one[0], "event_id", 1)


BATCH = """\
adapter: sample
receive:
  verify: [ { none: { i_understand: "anyone who knows the URL can post" } } ]
  batch: body.items
  event_id: ${ body.id }:${ item.n }
rules:
  - name: r
    match: { item.kind: k }
    statement:
      actor: { mbox: "${ mailto(item.who) }" }
      verb: joined
      object: { id: "https://x.org/${ item.n }" }
"""


def test_one_bad_item_does_not_stop_the_others() -> None:
    mapping = load_mapping(BATCH, "m.yaml")
    items = [{"kind": "k", "n": 1, "who": "a@x.org"}, {"kind": "k", "n": 2}, {"n": [3]}, "x"]
    events = mapping.events({"id": "d", "items": items}, (), (), NOW)
    kinds = [type(mapping.adapt(one, LOOKUPS) if isinstance(one, Event) else one) for one in events]
    assert kinds == [Adapted, Failed, Failed, Unmatched]
    assert [getattr(one, "index", None) for one in events] == [0, 1, 2, 3]


@pytest.mark.parametrize("payload", [{}, {"items": {}}, [], "text", None])
def test_a_delivery_without_its_list_fails_as_a_whole(payload: Any) -> None:
    (failed,) = load_mapping(BATCH, "m.yaml").events(payload)
    assert isinstance(failed, Failed)
    assert failed.problems[0].message == "batch: the list of items is missing"


def test_an_empty_batch_says_so() -> None:
    assert load_mapping(BATCH, "m.yaml").events({"items": []}) == [Skipped(None, "the batch is empty")]


def test_an_event_makes_at_most_a_thousand_statements() -> None:
    mapping = simple(MEETING + "      for_each: body\n      as: x\n      key: x\n")
    assert len(statements(mapping, list(range(1000)))) == 1000
    outcome = adapt(mapping, list(range(1001)))
    assert isinstance(outcome, Failed)
    assert outcome.problems[0].message == "more than 1000 statements of one event"


def test_the_statements_of_an_event_are_at_most_a_mebibyte() -> None:
    mapping = simple(
        MEETING
        + (
            '      result: { response: "${ body.text }" }\n'
            "      for_each: body.list\n      as: x\n      key: x\n"
        )
    )
    payload = {"text": "x" * 100_000, "list": list(range(11))}
    outcome = adapt(mapping, payload)
    assert isinstance(outcome, Failed)
    assert outcome.problems[0].message == "the statements of this event are larger than 1 MiB"


def test_loops_in_templates_are_paid_for() -> None:
    loops = """\
      result:
        extensions:
          https://x.org/e: { $each: body, as: x, value: { $each: body, as: y, value: 1 } }
"""
    mapping = simple(MEETING + loops)
    outcome = adapt(mapping, list(range(1000)))
    assert isinstance(outcome, Failed)
    assert outcome.problems[0].message == "more than 100000 list steps in one event"
