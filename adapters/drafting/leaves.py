"""The values of a sample of a vendor's payloads, and the expressions that reach them. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from adapters.drafting.words import listed, parts_of, snake

_DEEPEST = 6
_WORDS = frozenset({"and", "else", "false", "if", "in", "not", "null", "or", "true"})


@dataclass(frozen=True, slots=True)
class Leaf:
    """One value of a payload that is no object: where it is, and what it holds."""

    keys: tuple[str, ...]
    value: Any

    @property
    def last(self) -> str:
        return snake(self.keys[-1])

    @property
    def parts(self) -> frozenset[str]:
        return frozenset(parts_of(self.keys[-1]))

    def has(self, table: str) -> bool:
        """Whether a part of the key is one of the words of this table."""
        return not self.parts.isdisjoint(listed(table))


def leaves(value: Any, keys: tuple[str, ...] = ()) -> Iterator[Leaf]:
    """Every value below an object, outside lists."""
    if isinstance(value, dict) and len(keys) < _DEEPEST:
        for key, inner in value.items():
            yield from leaves(inner, (*keys, key))
    elif not isinstance(value, (dict, list)) and value not in (None, ""):
        yield Leaf(keys, value)


def objects(value: Any, keys: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Every object below an object, outside lists."""
    for key, inner in value.items() if isinstance(value, dict) and len(keys) < _DEEPEST else ():
        if isinstance(inner, dict):
            yield (*keys, key), inner
            yield from objects(inner, (*keys, key))


def path(root: str, keys: tuple[str, ...]) -> str:
    """The expression for a value."""
    steps = (f".{key}" if key.isidentifier() and key not in _WORDS else f"[{key!r}]" for key in keys)
    return root + "".join(steps)
