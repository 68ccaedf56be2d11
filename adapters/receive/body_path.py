"""Where a token, signature or time stands in a body: `a.b`, `items[0].x`, `value[*].clientState`. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, TypeAlias

_NAME = r"[^.\[\]'\"]+"
_BRACKET = r"\[(?:\*|\d{1,6}|'[^']+'|\"[^\"]+\")\]"
_PATH = re.compile(rf"(?:{_NAME}|{_BRACKET})(?:\.{_NAME}|{_BRACKET})*")
_STEP = re.compile(rf"{_BRACKET}|{_NAME}")


class _Every(Enum):
    ITEM = "*"


Step: TypeAlias = str | int | _Every
EVERY: Final = _Every.ITEM
WANTED = "a path in the body, such as token, meta.token, items[0].token or value[*].clientState"


class NoPlace(Exception):
    """A body has no such place; the text says what is in the way."""


@dataclass(frozen=True, slots=True)
class BodyPath:
    """A path that was read; `many` where it stands for all items of a list."""

    written: str
    steps: tuple[Step, ...]

    @property
    def many(self) -> bool:
        return EVERY in self.steps

    @property
    def keys(self) -> tuple[str, ...]:
        """The steps as `privacy:` writes them."""
        return tuple("*" if step is EVERY else str(step) for step in self.steps)

    def values(self, body: Any) -> list[Any]:
        """What stands there, None for what is missing: one value, or one of every item of its lists."""
        found = [body]
        for step in self.steps:
            if step is EVERY:
                found = [item for one in found for item in (one if isinstance(one, list) else [None])]
            else:
                found = [_inside(one, step) for one in found]
        return found

    def put(self, body: Any, value: Any) -> Any:
        """A copy of a body with a value there; raises NoPlace."""
        return _put(body, self.steps, value, self.written)


def body_path(text: str) -> BodyPath | None:
    """Read a path; None where it is none."""
    if _PATH.fullmatch(text) is None:
        return None
    return BodyPath(text, tuple(map(_step, _STEP.findall(text))))


def _step(written: str) -> Step:
    if not written.startswith("["):
        return written
    inside = written[1:-1]
    if inside == "*":
        return EVERY
    return int(inside) if inside.isdecimal() else inside[1:-1]


def _inside(value: Any, step: str | int) -> Any:
    if isinstance(step, str):
        return value.get(step) if isinstance(value, dict) else None
    return value[step] if isinstance(value, list) and step < len(value) else None


def _put(body: Any, steps: tuple[Step, ...], value: Any, written: str) -> Any:
    if not steps:
        return value
    step, rest = steps[0], steps[1:]
    if isinstance(step, str):
        if not isinstance(body, dict) and body is not None:
            raise NoPlace(f"the payload has no object for {step!r} of {written}")
        fields = dict(body or {})
        fields[step] = _put(fields.get(step), rest, value, written)
        return fields
    if not isinstance(body, list) or (step is not EVERY and step >= len(body)):
        raise NoPlace(f"the payload has no list with the items that {written} wants")
    return [
        _put(item, rest, value, written) if step is EVERY or step == index else item
        for index, item in enumerate(body)
    ]
