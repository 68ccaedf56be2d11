"""What `explain` records while a mapping compiled for tracing runs: fields written, payload parts read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

from adapters.expressions.environment import Closure
from adapters.expressions.scope import Scope
from adapters.expressions.values import EvaluationError
from adapters.loading.yaml_source import Place
from adapters.privacy import MASKED

PayloadKeys: TypeAlias = tuple[str | int, ...]
Spot: TypeAlias = tuple[str, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """One field of a statement: where it went, what was written in the mapping, and what came out."""

    path: str
    expression: str
    place: Place
    value: Any


class Trace:
    """The record of one run. Payload parts are told apart by object identity, whatever name they go by."""

    def __init__(self) -> None:
        self.written: list[Written] = []
        self.path: list[str] = []
        self.read: set[tuple[int, Any]] = set()
        self.looked_up: set[tuple[str, str]] = set()
        self.reached: set[Spot] = set()

    @contextmanager
    def within(self, *path: str, absolute: bool = False) -> Iterator[None]:
        """Fields written meanwhile lie below this path; an absolute one is not below the present one."""
        outer = self.path
        self.path = [*([] if absolute else outer), *path]
        try:
            yield
        finally:
            self.path = outer

    def step(self, value: Any, key: Any) -> None:
        """A key or index of a list or object was read."""
        if isinstance(value, list) and isinstance(key, int) and key < 0:
            key += len(value)
        self.read.add((id(value), key))

    def step_all(self, value: Any) -> None:
        """Everything below a value was read."""
        pending = [value]
        while pending:
            found = pending.pop()
            for key, inner in _parts(found):
                self.read.add((id(found), key))
                pending.append(inner)

    def iterate(self, items: list[Any]) -> None:
        """Every element of a list was visited."""
        self.read.update((id(items), index) for index in range(len(items)))

    def write(self, expression: str, place: Place, value: Any, closure: Closure) -> None:
        """A leaf of a template was evaluated by this closure."""
        path = ".".join(self.path)
        self.written.append(Written(path=path, expression=expression, place=place, value=value))

    def read_in(self, payload: Any) -> set[PayloadKeys]:
        """The paths of a payload that were read; one that was not stepped into was read as a whole."""
        found: set[PayloadKeys] = set()
        self._collect(payload, (), found)
        return found

    def _collect(self, value: Any, path: PayloadKeys, found: set[PayloadKeys]) -> bool:
        """Add what was read below `path`, and tell whether anything was."""
        stepped = False
        for key, inner in _parts(value):
            if (id(value), key) not in self.read:
                continue
            stepped = True
            found.add((*path, key))
            if not self._collect(inner, (*path, key), found):
                found.update((*path, key, *below) for below in _all_below(inner))
        return stepped


class SealedTrace(Trace):
    """What is recorded of expressions that see what only identities may: their values are shown only where
    everybody else would get the same. `public` is a scope as rules see it.
    """

    def __init__(self, trace: Trace, public: Scope) -> None:
        super().__init__()
        self.written, self.read = trace.written, trace.read
        self.looked_up, self.reached = trace.looked_up, trace.reached
        self.public = public

    def write(self, expression: str, place: Place, value: Any, closure: Closure) -> None:
        try:
            shown = value if value is None or closure(self.public) == value else MASKED
        except EvaluationError:
            shown = MASKED
        super().write(expression, place, shown, closure)


def unread(payload: Any, read: set[PayloadKeys], root: str = "body") -> list[str]:
    """Paths that were not read: `body.a.b` for a scalar, `body.a.b.*` for a whole list or object."""
    return list(_unread(payload, (), read, root))


def paths_in(payload: Any) -> Iterator[PayloadKeys]:
    """Every path of a payload below its root."""
    yield from _all_below(payload)


def _unread(value: Any, path: PayloadKeys, read: set[PayloadKeys], shown: str) -> Iterator[str]:
    for key, inner in _parts(value):
        name = f"{shown}[{key}]" if isinstance(key, int) else f"{shown}.{key}"
        if (*path, key) in read:
            yield from _unread(inner, (*path, key), read, name)
        else:
            yield f"{name}.*" if isinstance(inner, (list, dict)) and inner else name


def _all_below(value: Any) -> Iterator[PayloadKeys]:
    for key, inner in _parts(value):
        yield (key,)
        yield from ((key, *below) for below in _all_below(inner))


def _parts(value: Any) -> list[tuple[Any, Any]]:
    if isinstance(value, dict):
        return list(value.items())
    return list(enumerate(value)) if isinstance(value, list) else []
