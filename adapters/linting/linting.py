"""Everything that can be said about a mapping without running it in production. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from adapters.linting.findings import Lint, MappingError, allowed
from adapters.linting.omissions import omissions, own
from adapters.linting.overlap import shadowed_rules
from adapters.linting.sample_paths import unseen_paths
from adapters.loading.loader import load_mapping
from adapters.loading.yaml_source import MapNode, Place, ScalarNode
from adapters.mapping import Mapping
from adapters.testing.coverage import Observed
from adapters.testing.payloads import sample_cases
from adapters.testing.running import run_tests


def lint(
    text: str,
    name: str,
    *,
    files: Callable[[str], str | None] | None = None,
    samples: Iterable[Any] = (),
    tests: tuple[str, str] | None = None,
) -> list[Lint]:
    """The findings about a mapping's text, sorted by place.

    `tests` are the name and text of the test file beside it, whose cases show what the mapping is for;
    `samples` are further payloads. What a comment `# lint: allow CODE` admits is left out.
    """
    try:
        mapping = load_mapping(text, name, files=files)
    except MappingError as error:
        return list(error.lints)
    payloads, answers = list(samples), []
    found = [*mapping.lints, *shadowed_rules(mapping), *omissions(mapping)]
    if tests is not None:
        read = files if files is not None else _nothing
        cases = sample_cases(tests[1], tests[0], read)
        payloads += [payload for payload, _ in cases]
        answers = [answer for _, answer in cases]
        found += unreached(mapping, tests, read)
    found += unseen_paths(mapping, payloads, answers)
    kept = [one for one in dict.fromkeys(found) if not allowed(one, mapping.texts.get(one.file, ""))]
    return sorted(kept, key=lambda one: (one.file, one.line, one.column, one.code))


def _nothing(path: str) -> None:
    return None


def unreached(mapping: Mapping, tests: tuple[str, str], read: Callable[[str], str | None]) -> list[Lint]:
    """W204 and N201: rules that no case reaches, table keys that no case looks up."""
    observed = Observed()
    try:
        run_tests(mapping, tests[1], tests[0], read, observed=observed)
    except MappingError as error:
        return list(error.lints)
    if not observed.events:
        return []
    found: list[Lint] = []
    for rule in mapping.rules:
        if rule.name not in observed.rules:
            message = f"no case of {tests[0].rpartition('/')[2]} reaches rule {rule.name!r}"
            help = "add a case with a payload this rule is for, or delete the rule"
            found.append(_name_place(rule.node).lint("W204", message, help=help))
    for table, node in own(mapping, "tables"):
        for key in node.items if isinstance(node, MapNode) and table in mapping.tables_used else ():
            if (table, key) not in observed.keys and key in mapping.tables[table]:
                message = f"no case looks up {key!r} in table {table!r}"
                found.append(node.keys[key].place.lint("N201", message))  # type: ignore[union-attr]
    return found


def _name_place(rule: MapNode) -> Place:
    name = rule.items.get("name")
    return name.place if isinstance(name, ScalarNode) else rule.place
