"""What `explain` records while a mapping compiled for tracing runs: fields written, payload parts read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from adapters.yaml_source import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """One field of a statement: where it went, what was written in the mapping, and what came out."""

    path: str
    expression: str
    place: Place
    value: Any


class Trace:
    """The record of one run. Payload parts are told apart by object identity, whatever name they go by."""

    def __init__(self, payload: Any) -> None:
        self.written: list[Written] = []
        self.path: list[str] = []
        self.read: set[tuple[int, Any]] = set()
        self.payload = payload

    def step(self, value: Any, key: Any) -> None:
        """A key or index of a list or object was read."""
        self.read.add((id(value), key))

    def iterate(self, items: list[Any]) -> None:
        """Every element of a list was visited."""
        self.read.update((id(items), index) for index in range(len(items)))

    def write(self, expression: str, place: Place, value: Any) -> None:
        """A leaf of a template was evaluated."""
        path = ".".join(self.path)
        self.written.append(Written(path=path, expression=expression, place=place, value=value))

    def unread(self) -> list[str]:
        """Payload paths that nothing read: `a.b` for a scalar, `a.b.*` for a whole list or object."""
        found: list[str] = []
        self._unread(self.payload, "body", found)
        return found

    def _unread(self, value: Any, path: str, found: list[str]) -> None:
        for key, inner in _parts(value):
            shown = f"{path}[{key}]" if isinstance(key, int) else f"{path}.{key}"
            if (id(value), key) not in self.read:
                found.append(f"{shown}.*" if isinstance(inner, (list, dict)) and inner else shown)
            elif self._stepped_into(inner):
                self._unread(inner, shown, found)

    def _stepped_into(self, value: Any) -> bool:
        """A container that was read but not stepped into was used as a whole."""
        return any((id(value), key) in self.read or self._stepped_into(inner) for key, inner in _parts(value))


def _parts(value: Any) -> list[tuple[Any, Any]]:
    if isinstance(value, dict):
        return list(value.items())
    return list(enumerate(value)) if isinstance(value, list) else []
