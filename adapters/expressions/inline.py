"""Mappings of known shape as straight-line Python: the paths, texts and constants in them cost no call each.

A closure may carry a `Form`, which says what it computes; the writer turns the forms of a whole template into
one function. Keys and values reach that function as objects, never as source text, so nothing of a mapping
file is ever executed. A closure without a form is called.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from adapters.expressions.environment import Closure
from adapters.expressions.scope import Scope
from adapters.expressions.values import EvaluationError, text
from adapters.yaml_source import Place

LONG = 128
MAX_ENTRIES = 400


@dataclass(frozen=True, slots=True)
class Constant:
    value: Any


@dataclass(frozen=True, slots=True)
class Body:
    """The event's body."""


@dataclass(frozen=True, slots=True)
class LocalValue:
    slot: int


@dataclass(frozen=True, slots=True)
class Kept:
    """A variable: its slot, and the closure that computes it once."""

    slot: int
    closure: Closure


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
    """A function call. Unless it is `seen` by the function, an absent argument makes the result absent."""

    apply: Callable[..., Any]
    args: tuple[Closure, ...]
    seen: bool


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


Form: TypeAlias = Constant | Body | LocalValue | Kept | Steps | Joined | Applied | Words | Group | MapOf


def shaped(closure: Closure, form: Form) -> Closure:
    """Let the writer know what a closure computes."""
    closure.form = form  # type: ignore[attr-defined]
    return closure


def form_of(closure: Closure) -> Form | None:
    return getattr(closure, "form", None)


def map_of(
    entries: tuple[Entry, ...], initial: tuple[tuple[str, Any], ...] = (), *, keep_empty: bool = False
) -> Closure:
    """A closure that makes a mapping of present values; written as Python when first called by itself."""
    form = MapOf(initial, entries, keep_empty)
    written: list[Closure] = []

    def build(scope: Scope) -> Any:
        if not written:
            written.append(straight(form))
        return written[0](scope)

    return shaped(build, form)


def straightened(closure: Closure) -> Closure:
    """The closure itself, or the function written for its mapping."""
    form = form_of(closure)
    return straight(form) if isinstance(form, MapOf) else closure


def straight(form: MapOf) -> Closure:
    """Write and compile the function that makes a mapping."""
    writer = _Writer()
    if _size(form) > MAX_ENTRIES:
        return lambda scope: fill(dict(form.initial), form, scope)
    made = writer.mapping(form)
    writer.line(f"return {made}")
    source = "def build(scope):\n" + "\n".join(f"    {line}" for line in writer.lines) + "\n"
    exec(compile(source, "<mapping>", "exec"), writer.objects)  # noqa: S102 - see the module's promise
    built: Closure = writer.objects["build"]
    return built


def fill(made: dict[str, Any], form: MapOf, scope: Scope) -> dict[str, Any] | None:
    """The same as the written function, for mappings too large to be written out."""
    for key, closure, large in form.entries:
        found = closure(scope)
        if found is not None and (form.keep_empty or found.__class__ is not dict or found):
            emit(scope, found, large=large)
            made[key] = found
    return made if len(made) > len(form.initial) else None


def emit(scope: Scope, value: Any, *, large: bool) -> None:
    """Count a value that goes into a statement, if it is long."""
    if value.__class__ is str:
        if len(value) > LONG:
            scope.emit(len(value))
    elif large and (value.__class__ is dict or value.__class__ is list):
        scope.emit_whole(value)


def text_at(value: Any, place: Place) -> str:
    """A value as text; an error gets the place of the text it is part of."""
    try:
        return text(value)
    except EvaluationError as error:
        error.place = error.place or place
        raise


def _size(form: MapOf) -> int:
    inner = (form_of(closure) for _, closure, _ in form.entries)
    return len(form.entries) + sum(_size(one) for one in inner if isinstance(one, MapOf))


class _Writer:
    """Writes one function. Every method returns the name under which its value is then found."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.objects: dict[str, Any] = {"emit": emit, "text_at": text_at}
        self.names: dict[Any, str] = {}
        self.count = 0

    def line(self, written: str) -> None:
        self.lines.append(written)

    def new(self) -> str:
        self.count += 1
        return f"v{self.count}"

    def object(self, value: Any) -> str:
        """The name of an object of the function's globals."""
        name = f"c{len(self.objects)}"
        self.objects[name] = value
        return name

    def once(self, key: Any, written: str) -> str:
        """Compute something that cannot change during the call only once."""
        if key not in self.names:
            name = self.names[key] = self.new()
            self.line(f"{name} = {written}")
        return self.names[key]

    def value(self, closure: Closure) -> str:
        form = form_of(closure)
        if isinstance(form, Constant):
            return self.object(form.value)
        if isinstance(form, Body):
            return self.once("body", "scope.body")
        if isinstance(form, LocalValue):
            return self.once(("local", form.slot), f"scope.locals.get({form.slot})")
        if isinstance(form, Kept):
            kept = self.once("kept", "scope.kept")
            run = self.object(form.closure)
            slot = form.slot
            return self.once(("kept", slot), f"{kept}[{slot}] if {slot} in {kept} else {run}(scope)")
        if isinstance(form, Steps):
            return self.steps(form)
        if isinstance(form, Joined):
            return self.joined(form)
        if isinstance(form, Applied):
            return self.applied(form)
        if isinstance(form, Words):
            return self.words(form)
        if isinstance(form, Group):
            return self.group(form)
        if isinstance(form, MapOf):
            return self.mapping(form)
        name = self.new()
        self.line(f"{name} = {self.object(closure)}(scope)")
        return name

    def steps(self, form: Steps) -> str:
        value = self.value(form.base)
        for key in form.names:
            name = self.object(key)
            value = self.once(
                ("step", value, key), f"{value}.get({name}) if {value}.__class__ is dict else None"
            )
        return value

    def joined(self, form: Joined) -> str:
        pieces: list[str] = []
        absent: list[str] = []
        place = self.object(form.place)
        for part in form.parts:
            if isinstance(part, str):
                pieces.append(self.object(part))
                continue
            value = self.value(part)
            absent.append(f"{value} is None")
            pieces.append(f"({value} if {value}.__class__ is str else text_at({value}, {place}))")
        name = self.new()
        self.line(f"{name} = None if {' or '.join(absent)} else {' + '.join(pieces)}")
        return name

    def applied(self, form: Applied) -> str:
        args = [self.value(arg) for arg in form.args]
        name = self.new()
        call = f"{self.object(form.apply)}({', '.join(['scope', *args])})"
        absent = " or ".join(f"{arg} is None" for arg in args)
        self.line(f"{name} = {call}" if form.seen or not args else f"{name} = None if {absent} else {call}")
        return name

    def words(self, form: Words) -> str:
        value, name = self.value(form.value), self.new()
        language, otherwise = self.object(form.language), self.object(form.otherwise)
        self.line(f"if {value}.__class__ is str:")
        self.line(f"    if len({value}) > {LONG}: scope.emit(len({value}))")
        self.line(f"    {name} = {{{language}: {value}}}")
        self.line(f"else: {name} = None if {value} is None else {otherwise}(scope, {value})")
        return name

    def group(self, form: Group) -> str:
        name = self.new()
        self.line(f"{name} = []")
        for closure in form.items:
            value = self.value(closure)
            if isinstance(form_of(closure), MapOf):
                self.line(f"if {value} is not None and 'id' in {value}: {name}.append({value})")
            else:
                self.line(f"{name} += {value}")
        return name

    def mapping(self, form: MapOf) -> str:
        name = self.new()
        initial = ", ".join(f"{self.object(key)}: {self.object(value)}" for key, value in form.initial)
        self.line(f"{name} = {{{initial}}}")
        for key, closure, large in form.entries:
            self.entry(name, self.object(key), closure, large=large, keep_empty=form.keep_empty)
        self.line(f"if len({name}) <= {len(form.initial)}: {name} = None")
        return name

    def entry(self, name: str, key: str, closure: Closure, *, large: bool, keep_empty: bool) -> None:
        """Put one value under its key, if it is present."""
        form, value = form_of(closure), self.value(closure)
        if isinstance(form, (MapOf, Words)):
            self.line(f"if {value} is not None: {name}[{key}] = {value}")
        elif isinstance(form, Group):
            self.line(f"if {value}: {name}[{key}] = {value}")
        elif isinstance(form, Constant) and not (isinstance(form.value, str) and len(form.value) > LONG):
            if form.value is not None:
                self.line(f"{name}[{key}] = {value}")
        else:
            self.line(f"if {value} is not None:")
            self.line(f"    if {value}.__class__ is str:")
            self.line(f"        if len({value}) > {LONG}: scope.emit(len({value}))")
            self.line(f"        {name}[{key}] = {value}")
            self.line("    else:" if keep_empty else f"    elif {value}.__class__ is not dict or {value}:")
            if large:
                self.line(f"        emit(scope, {value}, large=True)")
            self.line(f"        {name}[{key}] = {value}")
