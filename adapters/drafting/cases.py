"""The test file of a mapping that was guessed from samples: what comes out now, to be looked at. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from adapters.drafting.model import Rule, Sample, scalar
from adapters.linting.findings import MappingError
from adapters.loading.loader import load_mapping
from adapters.outcomes import Adapted, Event, Lookups


def tests_of(name: str, mapping: str, rules: list[Rule], samples: Sequence[Sample]) -> str:
    lines = [
        f"# What {name}.yaml is for. `xapi-gateway mappings test` runs it, `--update` writes what comes out."
    ]
    for sample in samples:
        own = [rule for rule in rules if rule.sample is sample]
        if own:
            lines += [
                "",
                f"- name: {scalar(' and '.join(rule.name for rule in own))}",
                f"  payload: {sample.file}",
            ]
            lines += [f"  {line}" for line in _expected(mapping, own, sample)]
    first = samples[0].file
    lines += ["", "- name: a retry makes the same statements", f"  payload: {first}", "  twice: true"]
    lines += ["", "- name: a delivery that nobody signed is refused", f"  payload: {first}"]
    lines += ["  request: { sign: false }", "  expect: { status: 401 }"]
    return "\n".join(lines) + "\n"


def _expected(mapping: str, rules: list[Rule], sample: Sample) -> Iterator[str]:
    """What comes out now, as far as somebody should look at it."""
    try:
        loaded = load_mapping(mapping, "draft.yaml")
    except MappingError:
        yield "# expect: what comes out, once the mapping can be loaded; `--update` writes it"
        return
    yield "expect:"
    if len(rules) == 1:
        yield f"  rule: {rules[0].name}"
    made: list[dict[str, Any]] = []
    for event in loaded.events(sample.payload):
        outcome = loaded.adapt(event, Lookups(pseudonym_key=b"")) if isinstance(event, Event) else None
        made += outcome.statements if isinstance(outcome, Adapted) else ()
    if made:
        yield "  statements:"
    for statement in made:
        verb = next(
            (
                word
                for word, iri in loaded.shorthand.vocabulary.verbs.items()
                if iri == statement["verb"]["id"]
            )
        )
        yield f"    - verb: {verb}"
        yield f"      object: {{ id: {json.dumps(statement['object']['id'], ensure_ascii=False)} }}"
        if "result" in statement:
            yield f"      result: {json.dumps(statement['result'], ensure_ascii=False)}"
        if all(rule.facts.time is not None for rule in rules):
            yield f"      timestamp: {json.dumps(statement['timestamp'])}"
