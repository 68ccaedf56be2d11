"""What expressions read, compared with samples: payloads, and what vendors answered when asked back. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

from adapters.linting.findings import Lint, suggest
from adapters.loading.batch_paths import ELEMENT, places_of
from adapters.mapping import Mapping

Keys: TypeAlias = tuple[str, ...]
_SAMPLES = {"body": "sample", "fetched": "fetched sample"}


def unseen_paths(mapping: Mapping, payloads: Iterable[Any], answers: Iterable[Any]) -> list[Lint]:
    """W201: paths that expressions read but no sample has, with the nearest path that exists."""
    samples = {"body": list(payloads), "fetched": [one for one in answers if one is not None]}
    known = {root: {keys for one in of for keys in paths_of(one)} for root, of in samples.items()}
    shown = {root: sorted(written(root, keys) for keys in paths if keys) for root, paths in known.items()}
    found: list[Lint] = []
    asked = mapping.fetch_back is not None and mapping.fetch_back.batch is not None
    for read in mapping.reads:
        if asked and read.root == "item":
            continue  # an item may be one of what was fetched
        places = [
            (root, _general(keys))
            for root, keys in places_of(mapping.event_plan.items, read.root, read.keys)
            if samples.get(root)
        ]
        if not places or any(keys in known[root] for root, keys in places):
            continue
        root, keys = places[0]
        path = written(root, keys)
        close = suggest(path, shown[root])
        hint = close.removeprefix("; ").replace("'", "").replace("?", " ?") or None
        number = len(samples[root])
        message = f"{path} appears in none of {number} {_SAMPLES[root]}{'s' if number != 1 else ''}"
        found.append(read.place.lint("W201", message, help=hint))
    return found


def paths_of(value: Any, prefix: Keys = ()) -> set[Keys]:
    """Every path of a payload; `*` stands for the elements of a list."""
    found = {prefix}
    for key, inner in _parts(value):
        found |= paths_of(inner, (*prefix, key))
    return found


def written(root: str, keys: Keys) -> str:
    """A path as it stands in a mapping."""
    return root + "".join(_step(key) for key in keys)


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        yield from value.items()
    elif isinstance(value, list):
        yield from (("*", inner) for inner in value)


def _general(keys: tuple[str | int, ...]) -> Keys:
    return tuple("*" if isinstance(key, int) or key == ELEMENT else key for key in keys)


def _step(key: str) -> str:
    if key == "*":
        return "[*]"
    return f".{key}" if key.isidentifier() else f"['{key}']"
