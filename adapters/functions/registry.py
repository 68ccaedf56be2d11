"""How a Python function becomes a function of the expression language."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from adapters.expressions.environment import Builder

Absent = Literal["propagates", "seen"]
Where = Literal["anywhere", "mapping", "receive"]

_Callable = TypeVar("_Callable", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """One function: `least` to `most` arguments (None: any number); `signature` and `summary` document it.
    `parameters` are the names and defaults of arguments that may be given by name, `returns` is how the
    result is annotated.

    With `absent` = "propagates" an absent argument makes the result absent without a call. `scoped` functions
    get the scope as their first argument. A `build` function prepares itself at load time instead.
    """

    name: str
    group: str
    signature: str
    summary: str
    returns: str = ""
    least: int
    most: int | None
    parameters: tuple[tuple[str, Any], ...] = ()
    call: Callable[..., Any]
    absent: Absent = "propagates"
    scoped: bool = False
    where: Where = "anywhere"
    build: Builder | None = None


FUNCTIONS: dict[str, Function] = {}


def function(
    *, absent: Absent = "propagates", scoped: bool = False, where: Where = "anywhere"
) -> Callable[[_Callable], _Callable]:
    """Register a function under its own name (a trailing underscore is dropped)."""

    def register(call: _Callable) -> _Callable:
        parameters = list(inspect.signature(call).parameters.values())[1 if scoped else 0 :]
        many = any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters)
        single = [parameter for parameter in parameters if parameter.kind is not parameter.VAR_POSITIONAL]
        names = [p.name.rstrip("_") for p in single]
        shown = [
            f"{name}?" if p.default is not p.empty else name for name, p in zip(names, single, strict=True)
        ] + ["…"] * many
        _register(
            call,
            "(" + ", ".join(shown) + ")",
            least=sum(parameter.default is parameter.empty for parameter in single),
            most=None if many else len(single),
            parameters=() if many else tuple((n, p.default) for n, p in zip(names, single, strict=True)),
            absent=absent,
            scoped=scoped,
            where=where,
        )
        return call

    return register


def builder(
    signature: str, *, least: int, most: int | None, where: Where = "anywhere"
) -> Callable[[Builder], Builder]:
    """Register a function that is prepared at load time, such as one with a regular expression."""

    def register(build: Builder) -> Builder:
        _register(build, signature, least=least, most=most, where=where, build=build)
        return build

    return register


def _register(call: Callable[..., Any], signature: str, **options: Any) -> None:
    name = getattr(call, "__name__", "").rstrip("_")
    FUNCTIONS[name] = Function(
        name=name,
        group=call.__module__.rpartition(".")[2],
        signature=name + signature,
        returns=getattr(call, "__annotations__", {}).get("return", ""),
        summary=(inspect.getdoc(call) or "").split("\n")[0],
        call=call,
        **options,
    )
