from __future__ import annotations

from typing import Any

import pytest

from adapters import Adapted, Event, Failed, Held, Lookups, MappingError, Skipped, load_mapping
from adapters.outcomes import Account
from tests.adapters.support import (
    MEETING,
    adapt,
    mapping_text,
    simple,
    statements,
)

PEOPLE = """\
source: { home_page: https://vendor.example.com }
identity:
  learner:
    by: [ { email: "${ body.email }" }, { login: "${ body.login }" } ]
    home_page: https://id.example.edu
    unresolved: POLICY
"""


def person(policy: str, payload: Any, accounts: dict[tuple[str, str], Any] | None = None) -> Any:
    text = mapping_text(MEETING, before=PEOPLE.replace("POLICY", policy))
    text = text.replace(
        "{ account: { homePage: https://id.example.edu, name: mira } }", "${ identity.learner }"
    )
    lookups = Lookups(pseudonym_key=b"key", accounts=accounts or {})
    return adapt(load_mapping(text, "m.yaml"), payload, lookups)


MIRA = {"email": " Mira@Example.edu ", "login": "mira"}


def account(outcome: Any) -> Any:
    assert isinstance(outcome, Adapted), outcome
    return outcome.statements[0]["actor"]["account"]


def test_the_directory_decides_by_the_first_candidate_it_knows() -> None:
    known = {("email", "mira@example.edu"): "S-1", ("login", "mira"): "S-2"}
    assert account(person("keep", MIRA, known)) == {"homePage": "https://id.example.edu", "name": "S-1"}
    del known["email", "mira@example.edu"]
    assert account(person("keep", MIRA, known)) == {"homePage": "https://id.example.edu", "name": "S-2"}


def test_an_unknown_person_is_kept_without_the_address() -> None:
    assert account(person("keep", MIRA)) == {"homePage": "https://vendor.example.com", "name": "mira"}
    by_address_only = account(person("keep", {"email": "mira@example.edu"}))
    assert "@" not in by_address_only["name"]


def test_a_pseudonym_is_stable_and_needs_the_key() -> None:
    one = account(person("pseudonym", MIRA))
    assert one == account(person("pseudonym", {"email": "mira@example.edu"}))
    assert one != account(person("pseudonym", {"email": "tomas@example.edu"}))
    assert len(one["name"]) == 32


def test_an_unknown_person_can_hold_drop_or_reject_the_event() -> None:
    held = person("hold", MIRA)
    assert held == Held(rule="only", missing=(("email", "mira@example.edu"), ("login", "mira")))
    assert person("drop", MIRA) == Skipped("only", "learner is not known to the directory")
    rejected = person("reject", MIRA)
    assert isinstance(rejected, Failed)
    assert rejected.problems[0].message == "identity learner: the directory knows none of email, login"


def test_nobody_at_all_is_a_failure() -> None:
    for policy in ("keep", "pseudonym", "hold", "drop", "reject"):
        assert isinstance(person(policy, {"email": " "}), Failed)


def test_what_to_ask_the_directory_is_known_before_mapping() -> None:
    text = mapping_text(
        MEETING,
        before=PEOPLE.replace("POLICY", "keep")
        + 'directory: { course: { set: courses, key: "${ body.course }" } }\n',
    )
    mapping = load_mapping(text, "m.yaml")
    (event,) = mapping.events({**MIRA, "course": 7})
    assert isinstance(event, Event)
    wanted = mapping.wanted(event)
    assert wanted.accounts == (("email", "mira@example.edu"), ("login", "mira"))
    assert wanted.entries == (("courses", "7"),)


@pytest.mark.parametrize(
    ("on_missing", "kind"), [("absent", Adapted), ("skip", Skipped), ("hold", Held), ("fail", Failed)]
)
def test_a_missing_directory_entry_does_what_the_mapping_says(on_missing: str, kind: type) -> None:
    before = f'directory: {{ course: {{ set: courses, key: "${{ body.c }}", on_missing: {on_missing} }} }}\n'
    mapping = simple(
        '      verb: joined\n      object: { id: x:y, name: "${ directory.course.title }" }\n', before=before
    )
    assert isinstance(adapt(mapping, {"c": "c1"}), kind)
    known = Lookups(pseudonym_key=b"", directories={"courses": {"c1": {"title": "T"}}})
    assert statements(mapping, {"c": "c1"}, known)[0]["object"]["definition"]["name"] == {"und": "T"}


PRIVATE = """\
source: { home_page: https://vendor.example.com }
identity: { who: { by: [ { email: "${ body.user.email }" }, { phone: "${ body.user.phone }" } ] } }
privacy:
  drop:
    - body.user.phone
    - { path: body.user.email, for_identity_only: true }
    - body.list[*].name
  mask: [ body.user.name ]
"""


def test_a_known_person_is_news_by_what_else_the_event_calls_them() -> None:
    text = mapping_text(MEETING, before=PEOPLE.replace("POLICY", "keep\n    learn: true"))
    mapping = load_mapping(text, "m.yaml")
    (event,) = mapping.events(MIRA)
    assert isinstance(event, Event)
    known = Lookups(pseudonym_key=b"", accounts={("email", "mira@example.edu"): Account("S-1")})
    assert mapping.news(event, known) == {("login", "mira"): Account("S-1")}
    assert mapping.news(event, Lookups(pseudonym_key=b"")) == {}


def test_the_directory_may_say_where_an_account_is_at_home() -> None:
    found = person("keep", MIRA, {("login", "mira"): Account("S-9", "https://med.example.edu")})
    assert account(found) == {"homePage": "https://med.example.edu", "name": "S-9"}


def test_an_entry_without_a_key_holds_nothing_for_ever() -> None:
    before = 'directory: { course: { set: courses, key: "${ body.c }", on_missing: hold } }\n'
    mapping = simple(
        '      verb: joined\n      object: { id: x:y, name: "${ directory.course.title }" }\n', before=before
    )
    assert isinstance(adapt(mapping, {}), Failed)


FACTS = """\
remember:
  - set: joins
    when: body.kind == 'joined'
    key: ${ body.meeting }:${ body.who }
    value: { since: "${ body.at }" }
    at: ${ body.at }
    ttl: 12h
recall:
  join:
    set: joins
    when: body.kind == 'left'
    key: ${ body.meeting }:${ body.who }
    at: ${ body.at }
    defer: 2m
"""
LEFT = """\
      verb: left
      object: { id: https://x.example/m }
      result: { duration: "${ between(remembered.join.since, body.at) }" }
      timestamp: ${ body.at }
"""


def test_a_fact_of_one_event_is_what_a_later_one_asks_for() -> None:
    mapping = simple(LEFT, before=FACTS)
    joined = {"kind": "joined", "meeting": 1, "who": "mira", "at": "2026-03-02T09:00:00Z"}
    left = {**joined, "kind": "left", "at": "2026-03-02T09:30:00Z"}
    first, second = (mapping.events(one)[0] for one in (joined, left))
    assert isinstance(first, Event)
    assert isinstance(second, Event)
    ((fact,), none), nothing = mapping.facts(first), mapping.facts(second)
    assert (fact.set, fact.key, fact.ttl, none) == ("joins", "1:mira", 43_200, [])
    assert nothing == ([], [])
    assert mapping.wanted(first).facts == ()
    (wanted,) = mapping.wanted(second).facts
    assert (wanted.set, wanted.key, wanted.at, wanted.defer) == ("joins", "1:mira", left["at"], 120)
    known = Lookups(pseudonym_key=b"", remembered={"joins": {fact.key: fact.value}})
    (statement,) = statements(mapping, left, known)
    assert statement["result"] == {"duration": "PT30M"}
    (unknown,) = statements(mapping, left)
    assert "result" not in unknown


def test_a_fact_that_cannot_be_remembered_is_a_warning_with_its_place() -> None:
    mapping = simple(LEFT, before=FACTS)
    (event,) = mapping.events({"kind": "joined", "meeting": 1, "who": "m", "at": "yesterday"})
    assert isinstance(event, Event)
    facts, lints = mapping.facts(event)
    assert facts == []
    assert [(lint.code, lint.line) for lint in lints] == [("W403", 3)]


def test_what_is_recalled_has_to_be_declared() -> None:
    with pytest.raises(MappingError) as caught:
        simple(LEFT.replace("remembered.join.", "remembered.joins."), before=FACTS)
    assert "unknown remembered 'joins'; did you mean 'join'?" in str(caught.value)
    mapping = simple(LEFT, before=FACTS.replace("  join:\n    set: joins", "  join:\n    set: join"))
    assert [lint.code for lint in mapping.lints] == ["W131"]


def test_a_pseudonym_replaces_a_value_and_is_that_of_the_identity() -> None:
    before = """\
source: { home_page: https://vendor.example.com }
identity: { who: { by: [ { email: "${ body.user.email }" } ] } }
privacy:
  pseudonym:
    - { path: body.user.email, for_identity_only: true }
    - { path: "body.list[*]", kind: email }
"""
    payload = {"user": {"email": " E@x.org "}, "list": ["e@x.org", None, {"a": 1}]}
    text = mapping_text(MEETING, before=before).replace(
        "{ account: { homePage: https://id.example.edu, name: mira } }", "${ identity.who }"
    )
    mapping = load_mapping(text, "m.yaml")
    (event,) = mapping.events(payload, key=b"key")
    assert isinstance(event, Event)
    outcome = mapping.adapt(event, Lookups(pseudonym_key=b"key"))
    name = account(outcome)["name"]
    assert event.body == {"user": {"email": name}, "list": [name, None, "***"]}
    assert event.whole_body["user"] == payload["user"]
    (again,) = mapping.events(event.whole_body, key=b"key", already=["body.list.*"])
    assert isinstance(again, Event)
    assert again.body == event.body


def test_dropped_fields_are_gone_and_masked_ones_overwritten() -> None:
    payload = {
        "user": {"email": "e@x.org", "phone": "1", "name": "N", "id": 1},
        "list": [{"name": "a", "k": 1}, 2],
    }
    mapping = simple(MEETING, before=PRIVATE)
    assert mapping.redact(payload) == {"user": {"name": "***", "id": 1}, "list": [{"k": 1}, 2]}
    assert payload["user"] == {"email": "e@x.org", "phone": "1", "name": "N", "id": 1}
    assert mapping.redact("text") == "text"


def test_rules_do_not_see_what_is_hidden_but_identities_see_what_is_for_them() -> None:
    payload = {"user": {"email": "e@x.org", "phone": "1", "name": "N"}}
    text = mapping_text(
        MEETING + '      result: { extensions: { https://x.org/e: "${ body.user }" } }\n', before=PRIVATE
    ).replace("{ account: { homePage: https://id.example.edu, name: mira } }", "${ identity.who }")
    mapping = load_mapping(text, "m.yaml")
    (statement,) = statements(mapping, payload)
    assert statement["result"]["extensions"]["https://x.org/e"] == {"name": "***"}
    (event,) = mapping.events(payload)
    assert isinstance(event, Event)
    assert mapping.wanted(event).accounts == (("email", "e@x.org"),)


def test_reading_what_is_dropped_is_warned_about() -> None:
    mapping = simple('      verb: joined\n      object: { id: "${ body.user.phone }" }\n', before=PRIVATE)
    assert [str(lint) for lint in mapping.lints] == [
        "sample.yaml:3:74  warning W316  body.user.phone is dropped by `privacy:`, so this is always absent",
        "sample.yaml:15:25  warning W316  body.user.phone is dropped by `privacy:`, so this is always absent",
    ]
