"""YAML read as nodes that know their place in the file; the only module that uses PyYAML. Performs no I/O.

libyaml parses; the tree is built here from its events, so that depth, aliases, tags and duplicate keys are
checked before anything is built. Scalars follow the core schema of YAML 1.2: `NO` and `on` are text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import yaml
from yaml.events import AliasEvent, CollectionStartEvent, MappingStartEvent, ScalarEvent

from adapters.linting.findings import Level, Lint, MappingError

MAX_BYTES = 1024 * 1024
MAX_ALIASES = 1000
MAX_DEPTH = 64
MAX_NODES = 100_000

_LEVELS: dict[str, Level] = {"W": "warning", "N": "note"}
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS = {word: word[0] in "tT" for word in ("true", "True", "TRUE", "false", "False", "FALSE")}
_INTEGER = re.compile(r"[-+]?[0-9]{1,300}|0o[0-7]{1,300}|0x[0-9a-fA-F]{1,300}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,4})?")
_NOT_JSON = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


_UNQUOTED = re.compile(r"([\w.-]+):\s+([^\"',{}\s][^\"',{}]*\$\{[^}]*\}|\$\{[^}]*\})")


class Source:
    """One mapping file: its name for messages, its text, and where each line starts."""

    __slots__ = ("_starts", "name", "text")

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text
        self._starts = [0, *(match.end() for match in re.finditer(r"\r\n|\n|\r|\x85|\u2028|\u2029", text))]

    def index(self, line: int, column: int) -> int:
        """The offset in the text of a position counted from 1."""
        return self._starts[min(line, len(self._starts)) - 1] + column - 1

    def position(self, index: int) -> tuple[int, int]:
        """Line and column, counted from 1, of an offset in the text."""
        low, high = 0, len(self._starts) - 1
        while low < high:
            middle = (low + high + 1) // 2
            if self._starts[middle] <= index:
                low = middle
            else:
                high = middle - 1
        return low + 1, index - self._starts[low] + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A position in a source, with the length that a caret should mark."""

    source: Source
    line: int
    column: int
    length: int = 1

    @property
    def spot(self) -> tuple[str, int, int]:
        """File, line and column: the same for two readings of one file."""
        return self.source.name, self.line, self.column

    def lint(self, code: str, message: str, *, help: str | None = None) -> Lint:
        """A finding at this place; codes that start with W are warnings, with N notes."""
        return Lint(
            code=code,
            file=self.source.name,
            line=self.line,
            column=self.column,
            level=_LEVELS.get(code[0], "error"),
            message=message,
            help=help,
            length=self.length,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalarNode:
    """A scalar: `value` by the core schema, `text` as written between its quotes."""

    place: Place
    value: str | int | float | bool | None
    text: str
    end: int

    def within(self, offset: int, length: int = 1) -> Place:
        """The place of a character of `text`, found again in the file whatever the quoting style."""
        source, start = self.place.source, self.place.source.index(self.place.line, self.place.column)
        written = source.text[start : self.end]
        skip = written.find(self.text[: offset + length]) if "\n" not in self.text else -1
        if skip >= 0:
            found = start + skip + offset
        else:
            piece = self.text[offset : offset + max(length, 1)].split("\n")[0]
            earlier = self.text[:offset].count(piece) if piece else 0
            found = start
            for _ in range(earlier + 1):
                at = source.text.find(piece, found + (found > start), self.end) if piece else -1
                if at < 0:
                    return self.place
                found = at
        line, column = source.position(found)
        return Place(source=source, line=line, column=column, length=length)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListNode:
    place: Place
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MapNode:
    """A mapping. Keys are kept as the text that was written; `keys` holds their nodes."""

    place: Place
    items: dict[str, Node]
    keys: dict[str, ScalarNode]


Node: TypeAlias = ScalarNode | ListNode | MapNode


def plain(node: Node) -> Any:
    """The node as plain Python data."""
    if isinstance(node, MapNode):
        return {key: plain(value) for key, value in node.items.items()}
    if isinstance(node, ListNode):
        return [plain(item) for item in node.items]
    return node.value


def walk(node: Node) -> Iterator[ScalarNode]:
    """Every scalar value below a node, in the order of the file."""
    if isinstance(node, ScalarNode):
        yield node
    else:
        for child in node.items.values() if isinstance(node, MapNode) else node.items:
            yield from walk(child)


def write_yaml(value: Any) -> str:
    """Plain data as YAML in block style, in the order it has."""
    written: str = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100)
    return written


def read_yaml(text: str, name: str) -> Node:
    """Parse one YAML document into nodes; raises `MappingError` with the reason and place."""
    source = Source(name, text)
    start = Place(source=source, line=1, column=1)
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise MappingError([start.lint("E006", "the file is larger than 1 MiB")])
    builder = _Builder(source)
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        raise MappingError([_syntax_lint(source, error)]) from None
    except (yaml.YAMLError, UnicodeError) as error:
        message = " ".join(str(error).split())
        raise MappingError([start.lint("E001", f"the file is not YAML text: {message}")]) from None
    if builder.root is None:
        hint = "a mapping begins with `adapter: NAME` and has `rules:`"
        raise MappingError([start.lint("E008", "the file is empty", help=hint)])
    if builder.lints:
        raise MappingError(builder.lints)
    return builder.root


def _syntax_lint(source: Source, error: yaml.MarkedYAMLError) -> Lint:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
    lines = source.text.splitlines()
    written = lines[line - 1] if line <= len(lines) else ""
    flow = "flow" in (error.context or "")
    if flow and "${" in written:
        at = written.rfind("${", 0, column + 1)
        place = Place(source=source, line=line, column=(at if at >= 0 else written.find("${")) + 1)
        unquoted = next((one for one in _UNQUOTED.finditer(written) if one.start() < at < one.end()), None)
        hint = f'{unquoted[1]}: "{unquoted[2].strip()}"' if unquoted is not None else None
        return place.lint("E002", 'quote expressions inside { }:  name: "${ f(a, b) }"', help=hint)
    place = Place(source=source, line=line, column=column)
    problem = error.problem or "not valid YAML"
    context = f" {error.context}" if error.context else ""
    hint = None
    if "mapping values are not allowed" in problem:
        hint = "text that contains ': ' must be quoted"
    elif "cannot start any token" in problem:
        hint = "text that starts with @, ` or % must be quoted"
    return place.lint("E001", f"{problem}{context}", help=hint)


class _Open:
    """A list or mapping whose end has not been read yet."""

    __slots__ = ("anchor", "children", "is_map", "place", "size")

    def __init__(self, place: Place, anchor: str | None, *, is_map: bool) -> None:
        self.place, self.anchor, self.is_map = place, anchor, is_map
        self.children: list[Node] = []
        self.size = 1


class _Builder:
    """Builds nodes from parser events with an explicit stack, so that depth cannot exhaust ours."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.root: Node | None = None
        self.lints: list[Lint] = []
        self.open: list[_Open] = []
        self.anchors: dict[str, tuple[Node, int]] = {}
        self.aliases = 0
        self.documents = 0

    def take(self, event: Any) -> None:
        if isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                raise MappingError([self.place(event).lint("E001", "one file holds one YAML document")])
        elif isinstance(event, AliasEvent):
            self.alias(event)
        elif isinstance(event, ScalarEvent):
            self.refuse_tag(event)
            node = self.scalar(event)
            self.add(node, 1)
            self.remember(event.anchor, node, 1)
        elif isinstance(event, CollectionStartEvent):
            self.refuse_tag(event)
            place = self.place(event)
            if len(self.open) >= MAX_DEPTH:
                raise MappingError([place.lint("E005", f"nested deeper than {MAX_DEPTH} levels")])
            self.open.append(_Open(place, event.anchor, is_map=isinstance(event, MappingStartEvent)))
        elif isinstance(event, yaml.CollectionEndEvent):
            done = self.open.pop()
            built = self.mapping(done) if done.is_map else self.sequence(done)
            self.add(built, done.size)
            self.remember(done.anchor, built, done.size)

    def sequence(self, done: _Open) -> ListNode:
        return ListNode(place=done.place, items=tuple(done.children))

    def place(self, event: Any) -> Place:
        mark = event.start_mark
        length = 1
        end = event.end_mark
        if event.__class__ is ScalarEvent and end.line == mark.line:
            length = max(1, end.column - mark.column)
        return Place(source=self.source, line=mark.line + 1, column=mark.column + 1, length=length)

    def add(self, node: Node, size: int) -> None:
        if not self.open:
            self.root = node
            return
        parent = self.open[-1]
        parent.children.append(node)
        parent.size += size
        if parent.size > MAX_NODES:
            raise MappingError([node.place.lint("E005", f"aliases expand to more than {MAX_NODES} values")])

    def remember(self, anchor: str | None, node: Node, size: int) -> None:
        if anchor is not None:
            self.anchors[anchor] = (node, size)

    def alias(self, event: AliasEvent) -> None:
        self.aliases += 1
        if self.aliases > MAX_ALIASES:
            raise MappingError([self.place(event).lint("E005", f"more than {MAX_ALIASES} aliases")])
        if event.anchor not in self.anchors:
            message = f"alias *{event.anchor} refers to nothing that is complete before it"
            raise MappingError([self.place(event).lint("E005", message)])
        self.add(*self.anchors[event.anchor])

    def refuse_tag(self, event: Any) -> None:
        tag = event.tag
        if tag is not None:
            shown = tag.removeprefix("tag:yaml.org,2002:") if tag.startswith("tag:yaml.org,2002:") else tag
            message = f"YAML tags are not allowed, found {shown!r}"
            self.lints.append(self.place(event).lint("E003", message, help="quote text that starts with !"))

    def scalar(self, event: Any) -> ScalarNode:
        text, place = event.value, self.place(event)
        end = self.source.index(event.end_mark.line + 1, event.end_mark.column + 1)
        value: str | int | float | bool | None = text
        if not event.style:
            value = self.resolve(text, place)
        return ScalarNode(place=place, value=value, text=text, end=end)

    def resolve(self, text: str, place: Place) -> str | int | float | bool | None:
        """A plain scalar by the YAML 1.2 core schema."""
        if text in _NULL:
            return None
        if text in _BOOLEANS:
            return _BOOLEANS[text]
        if text[0] not in "+-.0123456789":
            return text
        if _INTEGER.fullmatch(text):
            return int(text, 0) if text[:2] in ("0x", "0o") else int(text)
        if _FLOAT.fullmatch(text):
            number = float(text)
            if number not in (float("inf"), float("-inf")):
                return number
        if _FLOAT.fullmatch(text) or _NOT_JSON.fullmatch(text):
            self.lints.append(place.lint("E009", f"{text} is a number that JSON cannot hold; quote it"))
        return text

    def mapping(self, done: _Open) -> MapNode:
        items: dict[str, Node] = {}
        keys: dict[str, ScalarNode] = {}
        for key, value in zip(done.children[::2], done.children[1::2], strict=True):
            if not isinstance(key, ScalarNode):
                self.lints.append(key.place.lint("E007", "a key must be text, not a list or mapping"))
            elif key.text == "<<" and key.value == "<<":
                message = "merge keys (<<) are not supported"
                self.lints.append(key.place.lint("E004", message, help="use a fragment: $use: name"))
            elif key.text in items:
                first = keys[key.text].place
                message = f"duplicate key {key.text!r} (first at {first.line}:{first.column})"
                self.lints.append(key.place.lint("E120", message))
            else:
                items[key.text], keys[key.text] = value, key
        return MapNode(place=done.place, items=items, keys=keys)
