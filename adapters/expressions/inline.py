"""Mappings of known shape as straight-line Python: the paths, texts and constants in them cost no call each.

A closure may carry a `Form`, which says what it computes; the writer turns the forms of a whole template into
one function. Keys and values reach that function as objects, never as source text, so nothing of a mapping
file is ever executed. A closure without a form is called.
"""

from __future__ import annotations

from typing import Any

from adapters.expressions.environment import Closure
from adapters.expressions.forms import (
    Applied,
    Body,
    Constant,
    Entry,
    Equals,
    Form,
    Group,
    Joined,
    Kept,
    LocalValue,
    Looked,
    MapOf,
    Provenance,
    StatementId,
    Steps,
    Words,
    form_of,
    gives,
    shaped,
)
from adapters.expressions.scope import Scope
from adapters.expressions.values import EvaluationError, text
from adapters.loading.yaml_source import Place

LONG = 128
MAX_ENTRIES = 400


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
    """The closure itself, or the function written for its form."""
    form = form_of(closure)
    if isinstance(form, MapOf) and _size(form) > MAX_ENTRIES:
        return lambda scope: fill(dict(form.initial), form, scope)
    if isinstance(form, (MapOf, Joined, Applied)):
        return shaped(straight(form), form)
    return closure


def straight(form: MapOf | Joined | Applied) -> Closure:
    """Write and compile the function that computes a form."""
    writer = _Writer()
    if isinstance(form, MapOf) and _size(form) > MAX_ENTRIES:
        return lambda scope: fill(dict(form.initial), form, scope)
    made = writer.form(form)
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
        self.objects: dict[str, Any] = {"text_at": text_at}
        self.objects["EvaluationError"] = EvaluationError
        self.names: dict[Any, str] = {}
        self.certain: set[str] = set()
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
        if form is not None:
            return self.form(form)
        name = self.new()
        self.line(f"{name} = {self.object(closure)}(scope)")
        return name

    def form(self, form: Form) -> str:
        written: str = getattr(self, _METHODS[form.__class__])(form)
        return written

    def constant(self, form: Constant) -> str:
        return self.object(form.value)

    def body(self, form: Body) -> str:
        return self.once("body", "scope.body")

    def local(self, form: LocalValue) -> str:
        return self.once(("local", form.slot), f"scope.locals.get({form.slot})")

    def kept(self, form: Kept) -> str:
        kept = self.once("kept", "scope.kept")
        run, slot = self.object(form.closure), form.slot
        return self.once(("kept", slot), f"{kept}[{slot}] if {slot} in {kept} else {run}(scope)")

    def statement_id(self, form: StatementId) -> str:
        name = self.new()
        middle, uuid_of = self.object(form.name), self.object(form.uuid_of)
        self.line(f"{name} = {uuid_of}((scope.event_id or '') + {middle} + scope.key)")
        self.certain.add(name)
        return name

    def provenance(self, form: Provenance) -> str:
        name = self.new()
        self.line(f"{name} = scope.provenance")
        self.certain.add(name)
        return name

    def equals(self, form: Equals) -> str:
        value, name = self.value(form.value), self.new()
        self.line(f"{name} = {value} {'==' if form.wanted else '!='} {self.object(form.text)}")
        self.certain.add(name)
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
            if gives(part) == "text":
                pieces.append(value)
            else:
                pieces.append(f"({value} if {value}.__class__ is str else text_at({value}, {place}))")
        name = self.new()
        self.line(f"{name} = None if {' or '.join(absent)} else {' + '.join(pieces)}")
        return name

    def applied(self, form: Applied) -> str:
        args = [self.value(arg) for arg in form.args]
        name = self.new()
        absent = " or ".join(f"{arg} is None" for arg in args)
        guarded = not form.seen and bool(args)
        if form.direct is None:
            call = f"{self.object(form.apply)}({', '.join(['scope', *args])})"
            self.line(f"{name} = None if {absent} else {call}" if guarded else f"{name} = {call}")
            return name
        direct, indent = form.direct, ""
        if guarded:
            self.line(f"if {absent}: {name} = None")
            self.line("else:")
            indent = "    "
        given = ", ".join(["scope", *args] if direct.scoped else args)
        self.line(f"{indent}try: {name} = {self.object(direct.call)}({given})")
        locate = self.object(direct.locate)
        self.line(f"{indent}except EvaluationError as error: raise {locate}(error) from None")
        if direct.warn is not None:
            self.line(f"{indent}if scope.pending: {self.object(direct.warn)}(scope)")
        return name

    def looked(self, form: Looked) -> str:
        key, name = self.value(form.key), self.new()
        table, fallback = self.object(form.table), self.object(form.fallback)
        apply = self.object(form.apply)
        short = f"{table}.get({key}, {fallback})"
        self.line(f"{name} = {short} if {key}.__class__ is str else {apply}(scope, {key})")
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
        if len(form.items) == 1 and isinstance(form_of(form.items[0]), MapOf):
            value, name = self.value(form.items[0]), self.new()
            self.line(f"{name} = [{value}] if {value} is not None and 'id' in {value} else None")
            return name
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
        """One display where everything is present, as it usually is; else what is present is put in."""
        pairs = [(self.object(key), self.object(value)) for key, value in form.initial]
        optional: list[str] = []
        for key, closure, large in form.entries:
            value, sure = self.present(closure, large=large, keep_empty=form.keep_empty)
            if value is None:
                continue
            pairs.append((self.object(key), value))
            if not sure:
                optional.append(value)
        name, size = self.new(), len(form.initial)
        everything = f"{name} = {{{', '.join(f'{key}: {value}' for key, value in pairs)}}}"
        if not optional:
            self.line(everything if len(pairs) > size else f"{name} = None")
            if len(pairs) > size:
                self.certain.add(name)
            return name
        self.line(f"if {' and '.join(f'{value} is not None' for value in optional)}: {everything}")
        self.line("else:")
        self.line(f"    {name} = {{{', '.join(f'{key}: {value}' for key, value in pairs[:size])}}}")
        for key, value in pairs[size:]:
            condition = f"if {value} is not None: " if value in optional else ""
            self.line(f"    {condition}{name}[{key}] = {value}")
        if len(pairs) - size > len(optional):
            self.certain.add(name)
        else:
            self.line(f"    if len({name}) <= {size}: {name} = None")
        return name

    def present(self, closure: Closure, *, large: bool, keep_empty: bool) -> tuple[str | None, bool]:
        """The value of an entry, counted if it is long, and whether it is sure; None for none at all."""
        written = self.display(closure)
        if written is not None:
            return written, True
        form = form_of(closure)
        if isinstance(form, Constant) and form.value is None:
            return None, False
        value, known = self.value(closure), gives(closure)
        if value in self.certain:
            return value, True
        if isinstance(form, Group):
            self.line(f"{value} = {value} or None")
        elif known == "text":
            self.line(f"if {value} is not None and len({value}) > {LONG}: scope.emit(len({value}))")
        elif not isinstance(form, (MapOf, Words)) and known == "anything":
            kept = self.new()
            self.line(f"{kept} = {value}")
            self.line(f"if {value}.__class__ is str:")
            self.line(f"    if len({value}) > {LONG}: scope.emit(len({value}))")
            self.line(f"elif {value}.__class__ is dict or {value}.__class__ is list:")
            if large:
                self.line(f"    scope.emit_whole({value})")
            if not keep_empty:
                self.line(f"    if {value} == {{}}: {kept} = None")
            elif not large:
                self.line("    pass")
            return kept, False
        return value, False

    def display(self, closure: Closure) -> str | None:
        """A short constant, or a mapping of such, as part of an expression; else None."""
        form = form_of(closure)
        if isinstance(form, Constant):
            long = form.value is None or (isinstance(form.value, str) and len(form.value) > LONG)
            return None if long else self.object(form.value)
        if not isinstance(form, MapOf) or not (form.entries or form.initial):
            return None
        start = [f"{self.object(key)}: {self.object(value)}" for key, value in form.initial]
        for key, inner, _ in form.entries:
            written = self.display(inner)
            if written is None:
                return None
            start.append(f"{self.object(key)}: {written}")
        return f"{{{', '.join(start)}}}" if form.entries else None


_METHODS: dict[type, str] = {
    Constant: "constant",
    Body: "body",
    LocalValue: "local",
    Kept: "kept",
    Steps: "steps",
    Joined: "joined",
    Applied: "applied",
    Equals: "equals",
    Looked: "looked",
    StatementId: "statement_id",
    Provenance: "provenance",
    Words: "words",
    Group: "group",
    MapOf: "mapping",
}
