from __future__ import annotations

from typing import Any

from adapters import Failed, load_mapping
from tests.adapters.support import LOOKUPS, adapt, statements

STATEMENT = {
    "id": "0d092af3-c9f8-431f-9cc3-9db40a0750ef",
    "actor": {"mbox": "mailto:Mira@Example.edu", "name": "Mira"},
    "verb": {"id": "http://adlnet.gov/expapi/verbs/completed", "display": {"en": "finished"}},
    "object": {"id": "https://vendor.example.com/course/7", "definition": {"name": {"en": "Course 7"}}},
    "timestamp": "2026-03-02T10:00:00+01:00",
    "context": {"extensions": {"https://vendor.example.com/x": 1}},
}
PATCHED = """\
adapter: native
source: { platform: Native, home_page: https://vendor.example.com }
identity:
  learner:
    by: [ { email: "${ body.actor.mbox | replace('mailto:', '') }" } ]
rules:
  - name: as-it-is
    passthrough:
      remove: [actor.name, object.definition.name]
      patch:
        actor: ${ identity.learner }
        context: { parent: https://vendor.example.com/programme/1 }
        object: { type: course }
"""


def test_a_statement_that_arrives_as_one_is_kept_as_it_was_sent() -> None:
    mapping = load_mapping("adapter: native\nrules:\n  - { name: all, passthrough: {} }\n", "m.yaml")
    (made,) = statements(mapping, STATEMENT)
    extensions = made["context"].pop("extensions")
    assert {**made, "context": None} == {**STATEMENT, "context": None}
    assert extensions.pop("https://w3id.org/xapi-gateway/extension/source")["adapter"] == "native"
    assert extensions == STATEMENT["context"]["extensions"]  # type: ignore[index]


def test_a_patch_is_laid_over_it_and_nothing_of_the_payload_changes() -> None:
    before = repr(STATEMENT)
    (made,) = statements(load_mapping(PATCHED, "m.yaml"), STATEMENT)
    assert repr(STATEMENT) == before
    assert set(made["actor"]) >= {"account"}
    assert "name" not in made["actor"]
    assert made["object"] == {
        "objectType": "Activity",
        "id": "https://vendor.example.com/course/7",
        "definition": {"type": "http://adlnet.gov/expapi/activities/course"},
    }
    assert made["context"]["contextActivities"]["parent"][0]["id"] == "https://vendor.example.com/programme/1"
    assert made["context"]["platform"] == "Native"
    assert made["timestamp"] == "2026-03-02T10:00:00+01:00"


def test_statements_of_a_batch_are_items() -> None:
    text = """\
adapter: native
receive:
  verify: [ { none: { i_understand: "anyone who knows the URL can post" } } ]
  batch: body
rules:
  - { name: all, passthrough: { remove: [stored] } }
"""
    mapping = load_mapping(text, "m.yaml")
    events = mapping.events([STATEMENT, {**STATEMENT, "id": "a" * 8 + STATEMENT["id"][8:]}])  # type: ignore[index]
    made: list[Any] = [mapping.adapt(event, LOOKUPS) for event in events]  # type: ignore[arg-type]
    assert [one.statements[0]["id"][:8] for one in made] == ["0d092af3", "aaaaaaaa"]


def test_what_is_no_statement_is_told() -> None:
    mapping = load_mapping("adapter: native\nrules:\n  - { name: all, passthrough: {} }\n", "m.yaml")
    outcome = adapt(mapping, "text")
    assert isinstance(outcome, Failed)
    assert outcome.problems[0].message == "passthrough: a statement is wanted, got text 'text'"
    broken = adapt(mapping, {**STATEMENT, "actor": None, "context": "x"})
    assert isinstance(broken, Failed)
    assert broken.problems[0].message == "missing required actor: the statement has no `actor`"
