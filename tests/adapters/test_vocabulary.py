from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from adapters import load_mapping
from adapters.linting.linting import lint
from adapters.loading.schema import schema
from adapters.loading.yaml_source import plain, read_yaml
from adapters.vocabulary.terms import KINDS, choices, shipped
from adapters.vocabulary.words import SHIPPED, is_iri
from gateway.xapi.validation import check
from gateway.xapi.versions import Version
from tests.adapters.support import adapt, statements

WORDS: dict[str, dict[str, str]] = plain(
    read_yaml((Path(__file__).parent / "words.yaml").read_text("utf-8"), "words.yaml")
)
PROFILES = [*choices()["general"], *choices()["special"]]


@pytest.mark.parametrize("kind", ["verbs", "types"])
def test_a_word_that_was_ever_shipped_keeps_its_iri(kind: str) -> None:
    known = SHIPPED.verbs if kind == "verbs" else SHIPPED.types
    assert {word: known.get(word) for word in WORDS[kind]} == WORDS[kind]


def test_the_displays_of_verbs_stay_as_they_are() -> None:
    for word, iri in WORDS["verbs"].items():
        assert SHIPPED.displays[iri] == word.replace("-", " ")


@pytest.mark.parametrize("key", PROFILES)
def test_a_profile_is_described_completely(key: str) -> None:
    profile, terms = shipped(key)
    assert is_iri(profile.iri)
    assert all((profile.name, profile.by, profile.version[0].isdigit()))
    assert terms
    for term in terms:
        assert is_iri(term.iri)
        assert term.means[0].isupper()
        assert term.means.endswith(".")
        assert len(term.means) < 100
        assert bool(term.where) == (term.kind == "extensions")
        assert term.name.replace("-", " ") == term.name or "-" in term.word


def test_every_iri_is_defined_once_and_every_term_has_a_word_of_its_own() -> None:
    terms = [term for key in PROFILES for term in shipped(key)[1]]
    assert [iri for iri, count in Counter(term.iri for term in terms).items() if count > 1] == []
    for kind in KINDS:
        qualified = [term.qualified for term in terms if term.kind == kind]
        assert len(qualified) == len(set(qualified))


def test_every_file_of_a_profile_is_listed() -> None:
    folder = Path(__file__).parents[2] / "adapters" / "vocabulary" / "profiles"
    assert sorted(path.stem for path in folder.glob("*.yaml")) == sorted(PROFILES)


def test_what_vendors_say_stands_for_words_that_exist() -> None:
    assert set(choices()["usual"]["verbs"].values()) <= set(SHIPPED.verbs)
    assert set(choices()["usual"]["types"].values()) <= set(SHIPPED.types)


STATEMENT = """\
adapter: sample
provenance: false
source: { language: en }
vocabulary: { extensions: { mood: https://x.org/ext/mood } }
fragments:
  more: { total-items: 12 }
  whole: { extensions: { progress: "${ body.done }", mood: good } }
let:
  part: { id: https://x.org/part, extensions: { chapter: Two, row: "${ body.row }" } }
rules:
  - name: only
    statement:
      actor: { account: { homePage: https://id.example.edu, name: mira } }
      verb: FROM
      object:
        id: https://x.org/m
        extensions: EXTENSIONS
      result: RESULT
      context:
        parent: ${ vars.part }
        extensions: { session-id: "${ body.session }", pdf-annotator.page: 3, mood: fine }
      timestamp: 2026-03-02T09:00:00Z
"""
WRITTEN = {
    "EXTENSIONS": ["{ total-items: 12 }", "{ $use: more }", "{ $case: [{ else: { total-items: 12 } }] }"],
    "RESULT": ['{ extensions: { progress: "${ body.done }", mood: good } }', "{ $use: whole }"],
}
MADE = {
    "object": {"https://w3id.org/xapi/acrossx/extensions/total-items": 12},
    "result": {
        "https://w3id.org/xapi/cmi5/result/extensions/progress": 40,
        "https://x.org/ext/mood": "good",
    },
    "context": {
        "https://w3id.org/xapi/video/extensions/session-id": "s-1",
        "http://www.risc-inc.com/annotator/extensions/page": 3,
        "https://x.org/ext/mood": "fine",
    },
    "part": {
        "https://w3id.org/xapi/acrossx/extensions/chapter": "Two",
        "https://w3id.org/xapi/acrossx/extensions/row": 0,
    },
}


@pytest.mark.parametrize("verb", ["video.played", "${ body.verb }"])
@pytest.mark.parametrize("result", WRITTEN["RESULT"])
@pytest.mark.parametrize("extensions", WRITTEN["EXTENSIONS"])
@pytest.mark.parametrize("tracing", [False, True])
def test_words_of_extensions_become_iris_however_they_are_written(
    tracing: bool, extensions: str, result: str, verb: str
) -> None:
    text = STATEMENT.replace("EXTENSIONS", extensions).replace("RESULT", result).replace("FROM", verb)
    assert [str(one) for one in lint(text, "sample.yaml") if one.code != "W206"] == []
    body = {"done": 40, "session": "s-1", "row": 0, "verb": "video.played"}
    mapping = load_mapping(text, "sample.yaml", tracing=tracing)
    (statement,) = statements(mapping, body)
    assert not check(statement, Version.V2)
    assert statement["verb"] == {
        "id": "https://w3id.org/xapi/video/verbs/played",
        "display": {"en": "played"},
    }
    assert statement["object"]["definition"]["extensions"] == MADE["object"]
    assert statement["result"]["extensions"] == MADE["result"]
    assert statement["context"]["extensions"] == MADE["context"]
    (parent,) = statement["context"]["contextActivities"]["parent"]
    assert parent["definition"]["extensions"] == MADE["part"]


def test_a_computed_word_of_an_extension_that_is_none_is_said_when_it_happens() -> None:
    text = STATEMENT.replace("EXTENSIONS", "{ $use: more }").replace("FROM", "played")
    text = text.replace("RESULT", "${ body.result }")
    mapping = load_mapping(text, "sample.yaml")
    outcome: Any = adapt(mapping, {"result": {"extensions": {"progres": 1}}})
    (problem,) = outcome.problems
    assert problem.code == "R104"
    assert problem.message.endswith(
        "result extension 'progres' is not in the vocabulary; did you mean 'progress'?"
    )


def test_a_wrong_word_is_found_in_each_of_many_statements() -> None:
    rule = (
        "  - name: rule-{n}\n    match: {{ body.type: '{n}' }}\n    statement:\n"
        "      actor: {{ account: {{ homePage: https://id.example.edu, name: mira }} }}\n"
        "      verb: joined\n      object: {{ id: https://x.org/m }}\n"
        "      context: {{ extensions: {{ device: tablet }} }}\n"
    )
    text = "adapter: sample\nrules:\n" + "".join(rule.format(n=n) for n in range(60))
    assert [one.code for one in lint(text, "sample.yaml")].count("E203") == 60


def test_editors_are_offered_words_with_what_they_say() -> None:
    made = schema()
    jsonschema.Draft7Validator.check_schema(made)
    words = made["definitions"]["verb"]["anyOf"][0]
    offered = dict(zip(words["enum"], words["enumDescriptions"], strict=True))
    assert offered["answered"] == "Gave an answer to a question."
    assert "dod-isd.briefed" not in offered
    types = made["definitions"]["type"]["anyOf"][0]["enum"]
    assert {"cmi.interaction", "course"} <= set(types)
    result = made["definitions"]["result"]["anyOf"][0]["properties"]["extensions"]
    assert result["allOf"] == [{"$ref": "#/definitions/result extensions"}]
    assert "progress" in made["definitions"]["result extensions"]["properties"]
