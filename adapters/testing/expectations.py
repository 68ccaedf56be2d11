"""Expectations written from what a mapping makes: `mappings test --update`. Pure.

Only the `expect:` blocks of cases that fail or have none are written anew; everything else in the file stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adapters.loading.yaml_source import MapNode, Place, write_yaml
from adapters.outcomes import Adapted, Failed, Held, Outcome, Skipped, Unmatched
from adapters.statements import SOURCE_EXTENSION
from adapters.testing.running import CaseResult


def updated(text: str, results: Sequence[CaseResult]) -> tuple[str, list[str]]:
    """The test file with new expectations, and the names of the cases that changed."""
    lines = text.splitlines()
    changed: list[str] = []
    for result in sorted(results, key=lambda one: one.line, reverse=True):
        wanted = expectation(result)
        if wanted is None or (result.passed and "expect" in result.node.items):
            continue
        if _replace(lines, result.node, wanted):
            changed.insert(0, result.name)
    return "\n".join(lines) + "\n", changed


def expectation(result: CaseResult) -> dict[str, Any] | None:
    """What a case would have to expect to pass; None when it could not be run."""
    if result.status is not None and not result.outcomes:
        return {"status": result.status}
    if not result.outcomes:
        return None
    failing = any(isinstance(one, Failed) for one in result.outcomes)
    expect = result.node.items.get("expect")
    if failing and not (isinstance(expect, MapNode) and "failed" in expect.items):
        return None  # nobody expects a failure without having said so
    made: dict[str, Any] = {}
    if result.rules and not failing:
        made["rule"] = result.rules[0]
    statements = [
        _shown(one) for each in result.outcomes if isinstance(each, Adapted) for one in each.statements
    ]
    if statements:
        return {**made, "statements": statements}
    return {**made, **_other(result.outcomes[0])}


def _other(outcome: Outcome) -> dict[str, Any]:
    if isinstance(outcome, Skipped):
        return {"skipped": outcome.reason}
    if isinstance(outcome, Unmatched):
        return {"unmatched": outcome.kind or True}
    if isinstance(outcome, Held):
        return {"held": True}
    return {"failed": outcome.problems[0].message} if isinstance(outcome, Failed) else {}


def _shown(statement: dict[str, Any]) -> dict[str, Any]:
    """A statement without what the gateway adds to every one."""
    shown = {key: value for key, value in statement.items() if key != "id"}
    context = dict(shown.get("context") or {})
    extensions = {k: v for k, v in (context.get("extensions") or {}).items() if k != SOURCE_EXTENSION}
    context.pop("extensions", None)
    if extensions:
        context["extensions"] = extensions
    shown.pop("context", None)
    return {**shown, "context": context} if context else shown


def _replace(lines: list[str], case: MapNode, wanted: dict[str, Any]) -> bool:
    """Write an expectation into the lines of a case; not into one that is written in { }."""
    first = next(iter(case.keys.values())).place
    if lines[first.line - 1][: first.column - 1].strip() not in ("", "-"):
        return False
    written = ["expect:", *("  " + line for line in write_yaml(wanted).splitlines())]
    shifted = [" " * (first.column - 1) + line for line in written]
    key = case.keys.get("expect")
    if key is None:
        end = _end(lines, first)
        lines[end:end] = shifted
        return True
    start = key.place.line - 1
    # The last of the case's keys that are on the line of a dash keeps the dash.
    lines[start : _end(lines, key.place, own=True)] = shifted
    return True


def _end(lines: list[str], place: Place, *, own: bool = False) -> int:
    """The line after a case, or after one of its keys (`own`): where the indentation ends."""
    end = last = place.line
    while end < len(lines):
        indent = len(lines[end]) - len(lines[end].lstrip())
        if lines[end].strip():
            if indent < place.column - 1 or (own and indent == place.column - 1):
                break
            last = end + 1
        end += 1
    return last
