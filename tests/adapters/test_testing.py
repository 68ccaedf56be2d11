from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from adapters import Event, Failed, MappingError, load_mapping
from adapters.explain import describe
from adapters.linting.linting import lint
from adapters.loading.files import load_file, mapping_paths, reader
from adapters.testing.bodies import CannotSign
from adapters.testing.coverage import Observed, coverage
from adapters.testing.running import CaseResult, run_tests
from adapters.testing.signing import sample_secret, sign, unsigned
from tests.adapters.support import LOOKUPS, NOW, mapping_text, simple

MAPPINGS = Path(__file__).parents[2] / "mappings"
SHIPPED = mapping_paths(MAPPINGS)
MEETING = '      verb: ${ body.verb }\n      object: { id: https://x.org/m, name: "${ body.title }" }\n'


def cases(text: str, files: dict[str, str] | None = None) -> list[CaseResult]:
    return run_tests(simple(MEETING), text, "m.test.yaml", (files or {}).get)


def problems(case: str, files: dict[str, str] | None = None) -> list[str]:
    (result,) = cases(f"- name: a case\n{case}", files)
    return list(result.problems)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_mapping_passes_its_cases_and_reaches_every_rule(path: Path) -> None:
    mapping = load_file(path)
    tests = path.with_name(f"{path.stem}.test.yaml")
    results = run_tests(mapping, tests.read_text("utf-8"), tests.name, reader(path.parent))
    assert [(one.name, one.problems) for one in results if not one.passed] == []
    assert {rule.name for rule in mapping.rules} == {rule for one in results for rule in one.rules}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_mapping_agrees_with_its_cases(path: Path) -> None:
    tests = path.with_name(f"{path.stem}.test.yaml")
    beside = (tests.name, tests.read_text("utf-8"))
    found = lint(path.read_text("utf-8"), path.name, files=reader(path.parent), tests=beside)
    assert [str(one) for one in found if one.level != "note"] == []


def test_a_difference_names_its_path_and_both_values() -> None:
    found = problems(
        """\
  payload: { verb: joined, title: T }
  expect:
    statements:
      - verb: { id: http://activitystrea.ms/leave }
        object: { definition: { name: { und: T, en: T } } }
"""
    )
    assert found == [
        'statements[0].verb.id: expected "http://activitystrea.ms/leave", got "http://activitystrea.ms/join"',
        'statements[0].object.definition.name.en: expected "T", got nothing',
    ]


def test_an_exact_comparison_reports_what_was_not_expected() -> None:
    found = problems(
        """\
  payload: { verb: joined }
  expect:
    match: exact
    statements:
      - actor: { account: { homePage: https://id.example.edu, name: mira } }
        verb: { id: http://activitystrea.ms/join, display: { en: joined } }
        object: { id: https://x.org/m }
"""
    )
    assert found == [
        'statements[0].object.objectType: unexpected "Activity"',
        'statements[0].timestamp: unexpected "2026-01-15T12:00:00Z"',
    ]


@pytest.mark.parametrize(
    ("case", "problem"),
    [
        ("  payload: { verb: joined }\n  expect: { statements: [] }\n", "statements: expected 0, got 1"),
        ("  payload: { verb: joined }\n  expect: { rule: other }\n", "rule: expected other, got only"),
        ("  payload: { verb: joined }\n  expect: { skipped: true }\n", "skipped: expected, got adapted"),
        ("  payload: { verb: joined }\n  expect: { failed: true }\n", "failed: expected, got adapted"),
        ("  payload: { verb: joined }\n  expect: { warnings: heat }\n", "warnings: none contains 'heat'"),
        (
            "  payload: { verb: jined }\n",
            (
                "failed: sample.yaml:6:13  error R104  verb 'jined' is not in the vocabulary; "
                "did you mean 'joined'?"
            ),
        ),
        ("  payload: { verb: jined }\n  expect: { failed: score }\n", "failed: expected 'score', got"),
        ("  payload: none.json\n", "there is no payload file 'none.json'"),
        ("  payload: bad.json\n", "bad.json is not JSON"),
        (
            ("  payload: {}\n  set: { 'body.a.b': 1 }\n  remove: body.a\n  expect: { failed: other }\n"),
            "failed: expected 'other'",
        ),
        ("  payload: { a: [] }\n  set: { 'body.a[3]': 1 }\n", "the payload has no element '3' to change"),
        ("  payload: { a: x }\n  set: { body.a.b: 1 }\n", "the payload has nothing to change at 'b'"),
        (
            "  payload: {}\n  directory: { learners: { mira: S } }\n",
            "directory.learners: 'mira' is not kind:value",
        ),
        ("  payload: {}\n  request: { sign: true }\n", "mapping sample has no `receive:` block"),
        (
            ("  payload: { verb: jined }\n  twice: true\n  expect: { failed: true }\n"),
            "a second delivery makes other statements",
        ),
    ],
)
def test_a_case_that_does_not_hold_says_why(case: str, problem: str) -> None:
    found = problems(case, {"bad.json": "{"})
    assert any(one.startswith(problem) for one in found), found


def test_expected_statements_may_be_written_like_a_mapping() -> None:
    statement = """\
      verb: ${ body.verb }
      object:
        id: https://x.org/m
        type: meeting
        name: Intro
        extensions: { total-items: 3 }
      result: { extensions: { progress: 40 } }
      context: { parent: { id: https://x.org/c, type: course }, extensions: { session-id: s } }
"""
    mapping = simple(statement, before="source: { language: en }\n")
    case = """\
- name: a case
  payload: { verb: joined }
  expect:
    statements:
      - verb: VERB
        object: { id: https://x.org/m, type: meeting, name: Intro, extensions: { total-items: 3 } }
        result: { extensions: { progress: 40 } }
        context: { parent: PARENT, extensions: { session-id: s } }
"""

    def found(verb: str, parent: str) -> list[str]:
        text = case.replace("VERB", verb).replace("PARENT", parent)
        (result,) = run_tests(mapping, text, "m.test.yaml", lambda _: None)
        return list(result.problems)

    assert found("joined", "{ id: https://x.org/c, type: course }") == []
    assert found("joined", "https://x.org/c") == []
    assert found("left", "[ https://x.org/c ]") == [
        'statements[0].verb.id: expected "http://activitystrea.ms/leave", got "http://activitystrea.ms/join"'
    ]
    assert found("jined", "https://x.org/c") == [
        "verb 'jined' is not in the vocabulary; did you mean 'joined'?"
    ]


def test_an_exact_expectation_of_a_word_wants_the_display_too() -> None:
    case = """\
  payload: { verb: joined }
  expect:
    match: exact
    statements:
      - actor: { account: { homePage: https://id.example.edu, name: mira } }
        verb: joined
        object: { objectType: Activity, id: https://x.org/m }
        timestamp: 2026-01-15T12:00:00Z
"""
    assert problems(case) == []


def test_instants_are_compared_as_instants() -> None:
    case = (
        "  payload: p.json\n  received_at: 2026-01-15T13:00:00+01:00\n"
        "  expect: { statements: [ { timestamp: 2026-01-15T12:00:00.000Z } ] }\n"
    )
    assert problems(case, {"p.json": '{"verb": "joined"}'}) == []


def test_a_test_file_with_unknown_keys_is_refused() -> None:
    with pytest.raises(MappingError, match="unknown key 'expected' in a case; did you mean 'expect'"):
        cases("- name: x\n  payload: {}\n  expected: {}\n")
    with pytest.raises(MappingError, match="a test file is a list of cases"):
        cases("name: x\n")


def test_a_path_that_no_sample_has_is_found_with_the_nearest_one() -> None:
    text = mapping_text('      verb: joined\n      object: { id: "${ body.meeting.identifer }" }\n')
    found = lint(text, "m.yaml", samples=[{"meeting": {"identifier": 1}}, {}])
    assert [str(one) for one in found] == [
        "m.yaml:7:25  warning W201  body.meeting.identifer appears in none of 2 samples"
    ]
    assert found[0].help == "did you mean body.meeting.identifier ?"
    assert lint(text, "m.yaml") == []


def test_paths_are_followed_through_variables_loops_and_batches() -> None:
    text = """\
adapter: sample
receive:
  verify: [ { none: { i_understand: "anyone who knows the URL can post" } } ]
  batch: body.items
let: { who: "${ item.user }" }
rules:
  - name: r
    statement:
      for_each: vars.who.tags.filter(t, t.off)
      as: x
      key: x.k
      actor: { mbox: "${ mailto(vars.who.mial) }" }
      verb: joined
      object: { $each: vars.who.tags, as: tag, value: { id: "${ tag.nmae }" } }
"""
    found = lint(text, "m.yaml", samples=[{"items": [{"user": {"mail": "a", "tags": [{"name": "n"}]}}]}])
    assert [one.message for one in found] == [
        "body.items[*].user.tags[*].off appears in none of 1 sample",
        "body.items[*].user.mial appears in none of 1 sample",
        "body.items[*].user.tags[*].nmae appears in none of 1 sample",
    ]


def test_linting_a_broken_mapping_returns_its_errors() -> None:
    assert [one.code for one in lint("rules: []", "m.yaml")] == ["E112", "E112"]


# -- explain


def explained(text: str, payload: Any) -> Any:
    mapping = load_mapping(text, "m.yaml")
    (event,) = mapping.events(payload, (), (), NOW)
    assert isinstance(event, Event)
    explanation = mapping.explain(event, LOOKUPS, delivery="d-1")
    assert explanation.outcome == mapping.adapt(event, LOOKUPS, delivery="d-1")
    assert json.loads(json.dumps(explanation.as_json(), default=str))["event_id"] == event.event_id
    return explanation


def test_an_explanation_tells_rules_fields_and_what_nobody_reads() -> None:
    before = 'let: { meeting: "${ body.meeting }" }\n'
    text = mapping_text(
        (
            "      verb: joined\n      object:\n"
            "        id: https://x.org/${ vars.meeting.id }\n"
            "        name: ${ vars.meeting.title }\n"
        ),
        before=before,
        rule="    match: { body.type: [a, b] }\n    when: body.n > 1\n",
    ).replace("rules:\n", "rules:\n  - { name: other, match: { body.type: c }, ignore: true }\n")
    text += "  - { name: last, ignore: true }\n"
    payload = {"type": "a", "n": 2, "meeting": {"id": 9, "host": {"x": 1}, "tags": []}, "more": [{"a": 1}]}
    explanation = explained(text, payload)
    assert [(one.rule, one.applies, one.reason) for one in explanation.rules] == [
        ("other", False, "match body.type: c ✗, it is 'a'"),
        ("only", True, "match body.type: [a, b] ✓; when body.n > 1 ✓"),
        ("last", False, "not tried: the first match wins"),
    ]
    fields = {one.path: (one.value, one.line, one.column) for one in explanation.fields}
    assert fields["object.id"] == ("https://x.org/9", 12, 13)
    assert fields["object.name"] == (None, 13, 15)
    assert fields["vars.meeting"][0] == payload["meeting"]
    assert fields["actor.account.name"] == ("mira", 9, 67)
    assert explanation.unread == ("body.meeting.host.*", "body.meeting.tags", "body.more.*")


def test_what_is_read_as_a_whole_or_in_a_loop_counts_as_read() -> None:
    text = mapping_text(
        "      verb: joined\n      object: { id: \"https://x.org/${ join(body.ids, '-') }\" }\n"
        '      result: { extensions: { https://x.org/e: "${ body.list.map(x, x.a) }" } }\n'
    )
    explanation = explained(text, {"ids": ["a", "b"], "list": [{"a": 1, "b": 2}, {"a": 3}]})
    assert explanation.unread == ("body.list[0].b",)


THIN = """\
adapter: sample
source: { home_page: https://vendor.example.com }
receive:
  verify: [ { token: { header: x-token, secret: "${ secret('T') }" } } ]
  batch: BATCH
  event_id: ${ item.id }
fetch_back: { connection: vendor, path: "/people/${ item.who }" }
identity: { learner: { by: [ { login: "${ fetched.login }" } ], unresolved: keep } }
rules:
  - name: only
    statement:
      actor: ${ identity.learner }
      verb: joined
      object: { id: "https://vendor.example.com/${ fetched.courses[0].id }" }
      timestamp: ${ item.at }
"""
NOTICE = {"id": 1, "who": "u 7", "at": "2026-03-02T09:00:00Z", "seen": True}
ANSWER = {"login": "mira", "mail": "x", "courses": [{"id": "c1", "title": "T"}, {"id": "c2"}]}


@pytest.mark.parametrize(
    ("batch", "payload", "unread"),
    [
        ("body.list", {"list": [NOTICE, {**NOTICE, "id": 2}], "sent": 1}, ["body.sent", "item.seen"]),
        ("body.list ?? [body]", NOTICE, ["item.seen"]),
        ("body if is_list(body) else [body]", [NOTICE], ["item.seen"]),
    ],
)
def test_of_batches_and_fetched_answers_too_it_is_told_what_nobody_read(
    batch: str, payload: Any, unread: list[str]
) -> None:
    mapping = load_mapping(THIN.replace("BATCH", batch), "sample.yaml")
    event = mapping.events(payload)[0]
    assert isinstance(event, Event)
    (supplied,) = mapping.supplied(event, ANSWER)
    assert isinstance(supplied, Event)
    explanation = mapping.explain(supplied, LOOKUPS)
    assert explanation.as_json()["fetch"] == {"connection": "vendor", "path": "/people/u%207"}
    of_fetched = ["fetched.mail", "fetched.courses[0].title", "fetched.courses[1].*"]
    assert explanation.as_json()["unread"] == [*unread, *of_fetched]


def test_coverage_tells_what_of_all_samples_nobody_reads() -> None:
    mapping = load_mapping(THIN.replace("BATCH", "body.list"), "sample.yaml")
    sent = [NOTICE, {**NOTICE, "id": 2, "device": {"os": "x"}}]
    case = {"name": "n", "payload": {"list": sent, "sent": {"by": [1]}}, "fetched": ANSWER}
    for paths in (True, False):
        observed = Observed(paths=paths)
        run_tests(mapping, json.dumps([case]), "sample.test.yaml", lambda _: None, observed=observed)
        of_fetched = ["fetched.courses[*].title", "fetched.mail"]
        unread = ["body.sent.*", *of_fetched, "item.device.*", "item.seen"]
        assert coverage(mapping, observed).as_json()["unread"] == (unread if paths else [])


def test_outcomes_are_described_in_a_line() -> None:
    text = "adapter: a\nrules:\n  - { name: r, match: { body.t: x }, ignore: true, reason: dull }\n"
    assert describe(explained(text, {"t": "x"}).outcome) == "skipped by rule r: dull"
    assert describe(explained(text, {"t": "y"}).outcome) == "no rule matches y"
    failed = explained(mapping_text('      verb: joined\n      object: { id: "${ body.m }" }\n'), {}).outcome
    assert isinstance(failed, Failed)
    assert describe(failed) == "failed: missing required object.id"


# -- signing


def test_signing_needs_the_secrets_and_a_receive_block() -> None:
    mapping = load_file(MAPPINGS / "zoom.yaml")
    plain = unsigned(mapping, b"{}", "https://g.example.org/hooks/zoom", NOW)
    with pytest.raises(CannotSign, match="secret ZOOM_SECRET_TOKEN is not set"):
        sign(plain, mapping, lambda name: None, NOW)
    signed = dict(sign(plain, mapping, sample_secret, NOW).headers)
    assert signed["x-zm-request-timestamp"] == str(int(NOW.timestamp()))
    with pytest.raises(CannotSign, match="has no `receive:` block"):
        sign(plain, simple(MEETING), sample_secret, NOW)


@pytest.mark.parametrize("decode", ["form", "{ form_json: event }"])
def test_a_request_is_encoded_as_the_mapping_decodes_it(decode: str) -> None:
    text = (
        "adapter: s\nreceive:\n"
        "  verify: [ { hmac: { secret: \"${ secret('S') }\", signature: { header: x-s } } } ]\n"
        f"  decode: {decode}\nrules:\n  - name: all\n    match: {{ body.domain: a&b }}\n    ignore: true\n"
    )
    case = "- name: n\n  payload: { event: [], domain: a&b }\n  request: {}\n  expect: { rule: all }\n"
    (result,) = run_tests(load_mapping(text, "s.yaml"), case, "s.test.yaml", lambda _: None)
    assert result.problems == ()
    assert result.status == 200
