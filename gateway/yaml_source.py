"""YAML that remembers where it was written: a value, and the line and column of every part of it.

A small, strict YAML: the scalar types of JSON (so `no` and `1:30` are texts), no aliases, no tags, one
document, keys are texts and occur once. Anything else is a `YamlProblem`, never another exception.
Performs no I/O.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

import yaml

MAX_DEPTH = 32
"""Levels of nesting beyond which a document is refused."""

MAX_DIGITS = 40
"""Characters of a number beyond which it is refused."""

_UNUSABLE_MESSAGE = "a NUL or half of a surrogate pair is not supported"
_UNUSABLE = re.compile("[\x00\ud800-\udfff]")

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """A place in the text; both count from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class YamlProblem:
    """One thing that cannot be read, and where."""

    mark: Mark
    message: str


@dataclass(frozen=True, slots=True)
class Document:
    """What a text says. `marks` and `keys` locate each value, and each key of a mapping, by its path."""

    value: Any
    marks: Mapping[Path, Mark]
    keys: Mapping[Path, Mark]
    problems: tuple[YamlProblem, ...]


def parse(source: str | bytes) -> Document:
    """Read one document. An empty text is null; a text that cannot be read is null with a problem."""
    reading = _Reading()
    value: Any = None
    try:
        text = source.decode("utf-8-sig") if isinstance(source, bytes) else source
        node = _compose(text)
        if node is not None:
            value = reading.value(node, ())
    except UnicodeDecodeError as error:
        reading.problems.append(_undecodable(error))
    except _UnreadableError as error:
        reading.problems.append(error.problem)
    return Document(value, reading.marks, reading.keys, tuple(reading.problems))


class _UnreadableError(Exception):
    def __init__(self, mark: Mark, message: str) -> None:
        super().__init__(message)
        self.problem = YamlProblem(mark, message)


def _compose(text: str) -> yaml.Node | None:
    try:
        loader = _Loader(text)
    except yaml.reader.ReaderError as error:
        found = f"character {_codepoint(text[error.position])}"
        raise _UnreadableError(_place(text, error.position), f"{found} is not allowed in YAML") from None
    try:
        return loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        place = error.problem_mark or error.context_mark or loader.get_mark()
        parts = [part for part in (error.context, error.problem) if part]
        raise _UnreadableError(_mark(place), ": ".join(parts)) from None
    except (ValueError, OverflowError):
        # PyYAML hands escapes such as "\UFFFFFFFF" to chr() and version numbers to int() unchecked.
        raise _UnreadableError(
            _mark(loader.get_mark()), "a number in an escape or a directive is out of range"
        ) from None


class _Loader(yaml.SafeLoader):
    """PyYAML's parser with JSON's scalar types, without aliases, with bounded depth."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        refused = None
        if isinstance(event, yaml.AliasEvent):
            refused = f"alias '*{event.anchor}' is not supported"
        elif getattr(event, "tag", None) is not None:
            refused = f"tag '{event.tag}' is not supported"
        elif self._depth == MAX_DEPTH:
            refused = f"nested more than {MAX_DEPTH} levels deep"
        if refused:
            raise yaml.composer.ComposerError(None, None, refused, event.start_mark)
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", "~nN\0"),
    ("int", r"[-+]?[0-9]+", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(rf"(?:{_pattern})\Z"), [c.strip("\0") for c in _first]
    )


@dataclass(slots=True)
class _Reading:
    """Turns nodes into values and notes where each one stood."""

    marks: dict[Path, Mark] = field(default_factory=dict)
    keys: dict[Path, Mark] = field(default_factory=dict)
    problems: list[YamlProblem] = field(default_factory=list)

    def value(self, node: yaml.Node, path: Path) -> Any:
        self.marks[path] = _mark(node.start_mark)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
        return self._scalar(node, path)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            mark = _mark(key_node.start_mark)
            if not isinstance(key_node, yaml.ScalarNode):
                self.problems.append(YamlProblem(mark, "a key must be a text"))
                continue
            key = str(key_node.value)
            if _UNUSABLE.search(key):
                self.problems.append(YamlProblem(mark, _UNUSABLE_MESSAGE))
                continue
            if key in result:
                first = self.keys[*path, key]
                self.problems.append(YamlProblem(mark, f"key '{key}' is already set in line {first.line}"))
                continue
            self.keys[*path, key] = mark
            result[key] = self.value(value_node, (*path, key))
        return result

    def _scalar(self, node: yaml.Node, path: Path) -> Any:
        text = str(node.value)
        kind = node.tag.removeprefix("tag:yaml.org,2002:")
        if kind == "null":
            return None
        if kind == "bool":
            return text.lower() == "true"
        if kind in {"int", "float"} and len(text) <= MAX_DIGITS:
            number = int(text) if kind == "int" else float(text)
            if isfinite(number):
                return number
        if kind in {"int", "float"}:
            self._refuse(path, "a number out of range")
        elif _UNUSABLE.search(text):
            self._refuse(path, _UNUSABLE_MESSAGE)
        return text

    def _refuse(self, path: Path, message: str) -> None:
        self.problems.append(YamlProblem(self.marks[path], message))


def _mark(mark: yaml.Mark) -> Mark:
    return Mark(mark.line + 1, mark.column + 1)


def _place(text: str, position: int) -> Mark:
    line_start = text.rfind("\n", 0, position) + 1
    return Mark(text.count("\n", 0, position) + 1, position - line_start + 1)


def _codepoint(character: str) -> str:
    return f"U+{ord(character):04X}"


def _undecodable(error: UnicodeDecodeError) -> YamlProblem:
    before = error.object[: error.start].decode("utf-8", "replace")
    found = f"byte 0x{error.object[error.start]:02X}"
    return YamlProblem(_place(before, len(before)), f"{found} is not UTF-8")
