"""Everything that can be said about a mapping without running it in production. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from adapters.lints import Lint, MappingError, suggest
from adapters.loader import load_mapping
from adapters.mapping import Mapping


def lint(
    text: str,
    name: str,
    *,
    files: Callable[[str], str | None] | None = None,
    samples: Iterable[Any] = (),
) -> list[Lint]:
    """The findings about a mapping's text, sorted by place; `samples` are payloads it is meant for."""
    try:
        mapping = load_mapping(text, name, files=files)
    except MappingError as error:
        return list(error.lints)
    found = [*mapping.lints, *unseen_paths(mapping, list(samples))]
    return sorted(dict.fromkeys(found), key=lambda one: (one.file, one.line, one.column, one.code))


def unseen_paths(mapping: Mapping, samples: list[Any]) -> list[Lint]:
    """W201: paths that expressions read but no sample has, with the nearest path that exists."""
    if not samples:
        return []
    known = {path for sample in samples for path in paths_of(sample)}
    shown = sorted("body" + "".join(_step(key) for key in path) for path in known if path)
    found: list[Lint] = []
    for read in mapping.reads:
        keys = _absolute(mapping, read.root, read.keys)
        if keys is None or keys in known:
            continue
        written = "body" + "".join(_step(key) for key in keys)
        close = suggest(written, shown)
        hint = close.removeprefix("; ").replace("'", "").replace("?", " ?") or None
        message = f"{written} appears in none of {len(samples)} samples"
        found.append(read.place.lint("W201", message, help=hint))
    return found


def _absolute(mapping: Mapping, root: str, keys: tuple[str | int, ...]) -> tuple[str, ...] | None:
    plain = tuple("*" if isinstance(key, int) else key for key in keys)
    if root == "body":
        return plain
    items = mapping.event_plan.items_path
    if root == "item" and items is not None and items[0] == "body":
        return (*("*" if isinstance(key, int) else key for key in items[1]), "*", *plain)
    return None


def _step(key: str) -> str:
    if key == "*":
        return "[*]"
    return f".{key}" if key.isidentifier() else f"['{key}']"


def paths_of(value: Any, prefix: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    """Every path of a payload; `*` stands for the elements of a list."""
    found = {prefix}
    if isinstance(value, dict):
        for key, inner in value.items():
            found |= paths_of(inner, (*prefix, key))
    elif isinstance(value, list):
        for inner in value:
            found |= paths_of(inner, (*prefix, "*"))
    return found
