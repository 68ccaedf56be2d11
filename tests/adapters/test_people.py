from __future__ import annotations

from typing import Any

import pytest

from adapters import Adapted, Event, Failed, Held, Lookups, Skipped, load_mapping
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


def person(policy: str, payload: Any, accounts: dict[tuple[str, str], str] | None = None) -> Any:
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
