"""What closures compute, as data: a `Form` on a closure lets `inline` write it out instead of calling it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from adapters.expressions.environment import Closure
from adapters.expressions.scope import Scope
from adapters.expressions.values import EvaluationError
from adapters.loading.yaml_source import Place

# What a value that is present is known to be: text; a number or boolean; a small mapping that is not empty,
# or that of an identity.
Gives: TypeAlias = Literal["text", "short", "small map", "agent", "anything"]


@dataclass(frozen=True, slots=True)
class Constant:
    """A value that does not depend on the event."""

    value: Any


@dataclass(frozen=True, slots=True)
class Body:
    """The event's body."""


@dataclass(frozen=True, slots=True)
class LocalValue:
    slot: int


@dataclass(frozen=True, slots=True)
class Kept:
    """A variable: its slot, the closure that computes it once, and what that is known to give."""

    slot: int
    closure: Closure
    gives: Gives = "anything"


@dataclass(frozen=True, slots=True)
class Steps:
    """Constant keys below another value."""

    base: Closure
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Joined:
    """Text with values in it; absent when one of them is."""

    parts: tuple[str | Closure, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Applied:
    """A function call. Unless it is `seen` by the function, an absent argument makes the result absent.

    A `direct` call is written out instead of `apply`, which does the same with a call more.
    """

    apply: Callable[..., Any]
    args: tuple[Closure, ...]
    seen: bool
    gives: Gives = "anything"
    direct: Direct | None = None


@dataclass(frozen=True, slots=True)
class Direct:
    """A function and how it is called: with the scope first or not; `locate` places its errors."""

    call: Callable[..., Any]
    scoped: bool
    locate: Callable[[EvaluationError], EvaluationError]
    warn: Callable[[Scope], None] | None = None


@dataclass(frozen=True, slots=True)
class Looked:
    """The entry of a table: for text without a call, for anything else by `apply`."""

    apply: Callable[..., Any]
    key: Closure
    table: Mapping[str, Any]
    fallback: Any
    gives: Gives


@dataclass(frozen=True, slots=True)
class Equals:
    """Whether a value is a constant text, or is not."""

    value: Closure
    text: str
    wanted: bool


@dataclass(frozen=True, slots=True)
class StatementId:
    """The UUID of the statement being made: of the event, this name and the key of its element."""

    uuid_of: Callable[[str], str]
    name: str


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where the statement being made comes from."""


@dataclass(frozen=True, slots=True)
class Words:
    """A language map of text in one language; what is no text is left to `otherwise`."""

    value: Closure
    language: str
    otherwise: Callable[[Scope, Any], Any]


@dataclass(frozen=True, slots=True)
class Group:
    """A list of what some closures make: mappings that have an `id`, or lists."""

    items: tuple[Closure, ...]


Entry: TypeAlias = tuple[str, Closure, bool]


@dataclass(frozen=True, slots=True)
class MapOf:
    """A mapping: what it starts with, and its entries. It is absent when no entry is present."""

    initial: tuple[tuple[str, Any], ...]
    entries: tuple[Entry, ...]
    keep_empty: bool = False


Form: TypeAlias = (
    Constant
    | Body
    | LocalValue
    | Kept
    | Steps
    | Joined
    | Applied
    | Looked
    | Equals
    | StatementId
    | Provenance
    | Words
    | Group
    | MapOf
)


def shaped(closure: Closure, form: Form) -> Closure:
    """Let the writer know what a closure computes."""
    closure.form = form  # type: ignore[attr-defined]
    return closure


def form_of(closure: Closure) -> Form | None:
    return getattr(closure, "form", None)


def gives(closure: Closure) -> Gives:
    """What is known of a closure's values."""
    form = form_of(closure)
    if isinstance(form, (Kept, Applied, Looked)):
        return form.gives
    return "text" if isinstance(form, Joined) else "short" if isinstance(form, Equals) else "anything"
