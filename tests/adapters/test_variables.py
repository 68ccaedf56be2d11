from __future__ import annotations

import pytest

from adapters import Adapted, Event, Lookups, Mapping, MappingError, load_mapping
from adapters.functions.ids import pseudonym

MAPPING = """\
adapter: sample
source: { home_page: https://vendor.example.com, language: en }
let:
  user: ${ body.user ?? body.person }
  mail: ${ vars.user.email | lower }
  title: ${ directory.course.title }
  both: ${ vars.title }/${ vars.user.login }
identity:
  learner: { by: [ { email: "${ vars.mail }" }, { login: "${ vars.user.login }" } ], unresolved: keep }
directory:
  course: { set: courses, key: "${ vars.user.course }" }
remember:
  - { set: seats, key: "${ vars.user.login }", value: { seat: "${ vars.user.seat }" } }
recall:
  seat: { set: seats, key: "${ vars.user.login }" }
rules:
  - name: only
    statement:
      actor: ${ identity.learner }
      verb: joined
      object: { id: https://x.example/m, name: "${ vars.both }" }
      timestamp: ${ body.at }
"""
SENT = {
    "person": {"email": "Mira@Example.edu", "login": "mira", "course": "c1", "seat": 7},
    "at": "2026-03-02T09:00:00Z",
}


def the_event(mapping: Mapping, payload: object = SENT) -> Event:
    (event,) = mapping.events(payload)
    assert isinstance(event, Event)
    return event


def refused(text: str) -> list[tuple[str, str]]:
    with pytest.raises(MappingError) as caught:
        load_mapping(text, "sample.yaml")
    return [(lint.code, lint.message) for lint in caught.value.lints]


def test_what_is_looked_up_for_an_event_may_be_said_with_variables() -> None:
    mapping = load_mapping(MAPPING, "sample.yaml")
    wanted = mapping.wanted(the_event(mapping))
    assert wanted.accounts == (("email", "mira@example.edu"), ("login", "mira"))
    assert wanted.entries == (("courses", "c1"),)
    assert [(fact.set, fact.key) for fact in wanted.facts] == [("seats", "mira")]
    ((fact,), problems) = mapping.facts(the_event(mapping))
    assert (fact.key, fact.value, problems) == ("mira", {"seat": 7}, [])


def test_rules_see_all_variables_whatever_they_are_made_of() -> None:
    mapping = load_mapping(MAPPING, "sample.yaml")
    lookups = Lookups(
        pseudonym_key=b"",
        accounts={("email", "mira@example.edu"): "S-1"},
        directories={"courses": {"c1": {"title": "Chemistry"}}},
    )
    outcome = mapping.adapt(the_event(mapping), lookups)
    assert isinstance(outcome, Adapted), outcome
    assert outcome.statements[0]["actor"]["account"]["name"] == "S-1"
    assert outcome.statements[0]["object"]["definition"]["name"] == {"en": "Chemistry/mira"}


@pytest.mark.parametrize(
    ("changed", "to", "message"),
    [
        ('"${ vars.mail }"', '"${ vars.title }"', "vars.title is not there yet: it uses directory"),
        ('"${ vars.mail }"', '"${ vars.both }"', "vars.both is not there yet: it uses directory"),
        ('"${ vars.mail }"', '"${ vars.male }"', "unknown variable 'vars.male'; did you mean 'vars.mail'?"),
        ('"${ vars.user.course }"', '"${ identity.learner }"', "identity is not available here"),
        ("user: ${ body.user", "user: ${ vars.mail", "unknown variable 'vars.mail'"),
    ],
)
def test_a_variable_that_is_not_there_yet_is_an_error_that_says_why(
    changed: str, to: str, message: str
) -> None:
    assert ("E102", message) in refused(MAPPING.replace(changed, to, 1))


def test_fragments_count_as_what_they_are_made_of() -> None:
    fragment = "fragments:\n  address: { a: { $case: [ { when: has(remembered.seat), value: x } ] } }\n"
    text = fragment + MAPPING.replace("mail: ${ vars.user.email | lower }", "mail: { $use: address }")
    assert ("E102", "vars.mail is not there yet: it uses remembered") in refused(text)


def test_what_is_fetched_is_not_there_when_it_is_said_what_to_fetch() -> None:
    fetching = "fetch_back: { connection: vendor, path: '/people/${ PART }' }\nidentity:\n"
    text = MAPPING.replace("identity:\n", fetching, 1).replace("body.person", "fetched.person", 1)
    expected = ("E102", "vars.user is not there yet: it uses fetched")
    assert expected in refused(text.replace("PART", "vars.user.login"))
    mapping = load_mapping(text.replace("PART", "body.id"), "sample.yaml")
    (event,) = mapping.supplied(the_event(mapping, {"id": 7}), {"person": {"login": "tom"}})
    assert isinstance(event, Event)
    assert mapping.wanted(event).accounts == (("login", "tom"),)


def test_identities_see_through_a_variable_what_is_for_them_alone_and_rules_do_not() -> None:
    privacy = "privacy: { drop: [ { path: body.person.email, for_identity_only: true } ] }\nidentity:\n"
    text = MAPPING.replace("identity:\n", privacy, 1).replace("vars.both }", "vars.mail ?? 'none' }")
    mapping = load_mapping(text, "sample.yaml")
    event = the_event(mapping)
    assert mapping.wanted(event).accounts[0] == ("email", "mira@example.edu")
    lookups = Lookups(pseudonym_key=b"", accounts={("email", "mira@example.edu"): "S-1"})
    outcome = mapping.adapt(event, lookups)
    assert isinstance(outcome, Adapted), outcome
    assert outcome.statements[0]["actor"]["account"]["name"] == "S-1"
    assert outcome.statements[0]["object"]["definition"]["name"] == {"en": "none"}


def test_an_explanation_shows_variables_where_they_were_computed() -> None:
    mapping = load_mapping(MAPPING, "sample.yaml")
    explanation = mapping.explain(the_event(mapping), Lookups(pseudonym_key=b""))
    fields = [(one.path, one.value) for one in explanation.fields]
    mail, candidate = ("vars.mail", "mira@example.edu"), ("identity.learner.email", "mira@example.edu")
    assert fields.index(mail) < fields.index(candidate) < fields.index(("verb", "joined"))
    assert fields.count(mail) == 1
    assert ("directory.course.key", "c1") in fields


def test_an_explanation_of_what_is_stored_masks_what_only_identities_may_see() -> None:
    privacy = "privacy: { drop: [ { path: body.person.email, for_identity_only: true } ] }\nidentity:\n"
    mapping = load_mapping(MAPPING.replace("identity:\n", privacy, 1), "sample.yaml")
    for sealed, mail in ((True, "***"), (False, "mira@example.edu")):
        explanation = mapping.explain(the_event(mapping), Lookups(pseudonym_key=b""), sealed=sealed)
        shown = {(one.path, one.value) for one in explanation.fields if one.path.startswith("identity")}
        assert shown == {("identity.learner.email", mail), ("identity.learner.login", "mira")}
        assert ("mira@example.edu" in str(explanation.as_json()).lower()) is not sealed


def test_pseudonyms_that_are_asked_for_are_those_of_the_key() -> None:
    text = MAPPING.replace("vars.user.email | lower", "hmac_pseudonym(vars.user.login)")
    mapping = load_mapping(text, "sample.yaml")
    wanted = mapping.wanted(the_event(mapping), b"key")
    assert wanted.accounts[0] == ("email", pseudonym(b"key", "value", "mira"))
