"""What values are and how they combine: text, numbers, comparison and the meaning of absent (`None`)."""

from __future__ import annotations

import math
from typing import Any

from adapters.loading.yaml_source import Place

MAX_TEXT = 1024 * 1024
MAX_BITS = 1024


class EvaluationError(Exception):
    """An expression met data it cannot work with. `place` is filled in by the expression that raised it.

    `field` names the statement's top-level property where no expression is to blame.
    """

    def __init__(self, message: str, *, code: str = "R101", help: str | None = None) -> None:
        super().__init__(message)
        self.message, self.code, self.help = message, code, help
        self.place: Place | None = None
        self.field: str | None = None


def describe(value: Any) -> str:
    """A value for a message: its kind and, shortened, what it holds."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"text {value[:40]!r}" + ("…" if len(value) > 40 else "")
    if isinstance(value, (int, float)):
        return f"number {text(value)}"
    return f"a list of {len(value)}" if isinstance(value, list) else "an object"


def text(value: Any) -> str:
    """A scalar as text: numbers and booleans as JSON writes them; lists and objects are refused."""
    if value.__class__ is str:
        return value
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, int):
        return str(bounded(value))
    if isinstance(value, float):
        return repr(value)
    raise EvaluationError(f"needs text, got {describe(value)}")


def number(value: Any) -> int | float:
    """A number, never a boolean; text is refused with the way to convert it."""
    if value.__class__ is int or value.__class__ is float:
        return value
    hint = "convert text with number(x)" if isinstance(value, str) else None
    raise EvaluationError(f"needs a number, got {describe(value)}", help=hint)


def bounded(value: int | float) -> int | float:
    """Refuse numbers that JSON cannot hold or that grow without end."""
    if value.__class__ is float:
        if not math.isfinite(value):
            raise EvaluationError("the result is not a finite number")
    elif int(value).bit_length() > MAX_BITS:
        raise EvaluationError("the number is too large")
    return value


def sized(value: str) -> str:
    """Refuse text longer than an event may produce."""
    if len(value) > MAX_TEXT:
        raise EvaluationError("text longer than 1 MiB", code="R201")
    return value


def condition(value: Any) -> bool:
    """A condition must be boolean; absent is false. Anything else is an error with the way to write it."""
    if value is True:
        return True
    if value is False or value is None:
        return False
    hint = "compare it (x == 'true') or convert it with bool(x)" if isinstance(value, str) else None
    hint = hint or "compare it, or ask has(x) or not empty(x)"
    raise EvaluationError(f"a condition must be true or false, got {describe(value)}", help=hint)


def equal(left: Any, right: Any) -> bool:
    """JSON equality: `1 == 1.0`, but a boolean is never a number, at any depth."""
    if left.__class__ is str or right.__class__ is str:
        return bool(left == right)
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(equal, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(equal(value, right[key]) for key, value in left.items())
    return bool(left == right)


def ordered(left: Any, right: Any) -> bool:
    """Whether two present values can be compared with `<`; raises when they cannot."""
    kinds = tuple("text" if isinstance(value, str) else _kind(value) for value in (left, right))
    if kinds[0] == kinds[1] and kinds[0] in ("text", "number"):
        return True
    hint = "convert text with number(x)" if set(kinds) == {"text", "number"} else None
    raise EvaluationError(f"cannot order {describe(left)} and {describe(right)}", help=hint)


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, (int, float)) else "container"


def member(value: Any, container: Any) -> bool:
    """`value in container`: an element of a list, a part of a text, a key of an object."""
    if value is None or container is None:
        return False
    if isinstance(container, list):
        return any(equal(value, item) for item in container)
    if isinstance(container, str):
        return text(value) in container
    if isinstance(container, dict):
        return text(value) in container
    raise EvaluationError(f"`in` needs a list, text or object on its right, got {describe(container)}")


def step(value: Any, key: Any) -> Any:
    """One step of a path; whatever does not lead anywhere is absent. A negative index counts from the end."""
    if value.__class__ is dict:
        if key.__class__ is str:
            return value.get(key)
        return value.get(text(key)) if isinstance(key, (int, float)) and not isinstance(key, bool) else None
    if value.__class__ is list and key.__class__ is int and -len(value) <= key < len(value):
        return value[key]
    return None
