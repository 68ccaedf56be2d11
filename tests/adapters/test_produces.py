from __future__ import annotations

from pathlib import Path

import pytest

from adapters import Adapted
from adapters.linting.produces import Products, products
from adapters.loading.files import TEST_SUFFIX, load_file, mapping_paths, read_text, reader
from adapters.loading.loader import load_mapping
from adapters.statements import SOURCE_EXTENSION
from adapters.testing.running import run_tests
from gateway.resources import mappings_dir
from gateway.xapi.contents import KINDS, contents

HEAD = """\
adapter: acme
version: 1
source: { platform: Acme, home_page: https://acme.example, language: en }
receive: { verify: [ { hmac: { secret: "${ secret('A') }", signature: { header: x-s } } } ] }
vocabulary: { verbs: { waved: https://acme.example/verbs/waved }, types: {} }
tables:
  verb: { a: passed, b: https://acme.example/verbs/b, '*': failed }
let:
  outcome: ${ 'completed' if body.done else lookup('verb', body.kind) }
  thing: { id: "https://acme.example/${ body.id }", type: course }
fragments:
  base:
    actor: { account: { homePage: https://acme.example, name: "${ body.who }" } }
    timestamp: ${ body.at }
    context:
      parent: { id: https://acme.example/p, type: "${ kind }" }
      extensions: { https://acme.example/ext/all: "${ body.all }" }
rules:
  - name: one
    statement:
"""


def told(statement: str) -> Products:
    return products(load_mapping(HEAD + statement, "acme.yaml"))


@pytest.mark.parametrize("path", mapping_paths(mappings_dir()), ids=lambda path: path.stem)
def test_all_that_shipped_mappings_make_of_their_samples_was_told_before(path: Path) -> None:
    mapping = load_file(path)
    tests = path.with_name(path.stem + TEST_SUFFIX)
    found = products(mapping)
    results = run_tests(mapping, read_text(tests), tests.name, reader(path.parent))
    made = [
        statement
        for result in results
        for outcome in result.outcomes
        if isinstance(outcome, Adapted)
        for statement in outcome.statements
    ]
    assert made
    for kind in KINDS:
        seen = {value for one in made for each, value in contents(one) if each == kind}
        assert kind in found.open or seen - {SOURCE_EXTENSION} <= found.of(kind)


def test_most_shipped_mappings_bound_what_they_make() -> None:
    found = [products(load_file(path)) for path in mapping_paths(mappings_dir())]
    assert sum(not one.open for one in found) >= len(found) - 6


def test_words_are_found_through_branches_tables_variables_and_the_vocabulary() -> None:
    found = told(
        """
      $use: base
      with: { kind: module }
      verb: ${ vars.outcome }
      object: ${ vars.thing }
      result: { extensions: { https://acme.example/ext/mine: "${ body.mine }" } }
  - name: two
    statement:
      $use: base
      with: { kind: "${ 'lesson' if body.l }" }
      verb: { $case: [ { when: body.w, value: waved }, { else: "${ 'joined' ?? 'left' }" } ] }
      object:
        id: https://acme.example/x
        definition: { type: https://acme.example/types/x, extensions: { https://acme.example/ext/d: 1 } }
"""
    )
    verbs = {iri.rpartition("/")[2] for iri in found.verbs}
    assert verbs == {"completed", "passed", "b", "failed", "waved", "join", "leave"}
    types = {iri.rpartition("/")[2] for iri in found.types}
    assert types == {"course", "module", "lesson", "x"}
    assert {iri.rpartition("/")[2] for iri in found.extensions} == {"all", "mine", "d"}
    assert found.open == frozenset()


def test_what_only_an_event_tells_is_open() -> None:
    found = told(
        """
      $use: base
      with: { kind: "${ body.kind }" }
      verb: ${ body.verb }
      object: { id: https://acme.example/x, extensions: "${ body.more }" }
"""
    )
    assert found.open == {"verbs", "types", "extensions"}
    assert found.verbs == frozenset()


def test_what_a_rule_lays_over_a_fragment_takes_its_place() -> None:
    text = HEAD.replace("  base:\n", "  base:\n    verb: passed\n").replace(
        'type: "${ kind }"', "type: module"
    )
    mapping = load_mapping(
        text + "      $use: base\n      verb: failed\n      object: { id: https://acme.example/x }\n",
        "acme.yaml",
    )
    assert [iri.rpartition("/")[2] for iri in products(mapping).verbs] == ["failed"]
