"""Rules that can never apply because an earlier one takes every event they are for. Pure."""

from __future__ import annotations

from typing import Any

from adapters.expressions.values import equal
from adapters.linting.findings import Lint
from adapters.loading.yaml_source import ScalarNode
from adapters.mapping import Mapping
from adapters.rules import Match, Rule


def shadowed_rules(mapping: Mapping) -> list[Lint]:
    """W205: with `mode: first`, rules whose every event goes to an earlier rule."""
    if mapping.all_rules:
        return []
    found: list[Lint] = []
    for number, rule in enumerate(mapping.rules):
        earlier = next((one for one in mapping.rules[:number] if _takes_all(one, rule)), None)
        if earlier is None:
            continue
        name = rule.node.items.get("name")
        place = name.place if isinstance(name, ScalarNode) else rule.node.place
        message = f"rule {rule.name!r} never applies: rule {earlier.name!r} above takes all its events"
        help = "put the more special rule first, or give the earlier one a condition"
        found.append(place.lint("W205", message, help=help))
    return found


def _takes_all(earlier: Rule, later: Rule) -> bool:
    if earlier.when is not None and _written(earlier) != _written(later):
        return False
    by_path = {match.path: match for match in later.matches}
    return all(match.path in by_path and _includes(match, by_path[match.path]) for match in earlier.matches)


def _written(rule: Rule) -> str | None:
    return " ".join(rule.when_text.split()) if rule.when_text is not None else None


def _includes(wide: Match, narrow: Match) -> bool:
    """Whether every value that `narrow` takes is taken by `wide` too."""
    globs = {written for written, _ in wide.globs}
    return all(written in globs or "*" in globs for written, _ in narrow.globs) and all(
        _accepts(wide, value) for value in narrow.exact
    )


def _accepts(match: Match, value: Any) -> bool:
    if isinstance(value, str) and any(glob.fullmatch(value) for _, glob in match.globs):
        return True
    return any(equal(value, one) for one in match.exact)
