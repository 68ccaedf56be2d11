"""The grammar of a mapping file as data: files are checked against it, the JSON Schema is made from it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from adapters.linting.findings import Lint, suggest
from adapters.loading.yaml_source import ListNode, MapNode, Node, Place, ScalarNode

Kind = Literal[
    "text",  # a scalar with text
    "name",  # kebab-case or dotted identifier
    "integer",
    "boolean",
    "expression",  # text holding one expression, bare or in ${ }
    "value",  # any template
    "map",  # free keys, values of any kind
    "block",  # keys of another model
    "blocks",  # a list of such
    "named blocks",  # free keys, values of another model
    "list",  # one value or a list of them
    "texts",  # one text or a list of them
    "choice",
    "duration",  # 5m, 30s, 2h
    "size",  # 1MiB, 64KiB
]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_DURATION = re.compile(r"(\d{1,6})\s*(s|m|h|d)")
_SIZE = re.compile(r"(\d{1,9})\s*(B|KiB|MiB)?")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_BYTES = {"B": 1, None: 1, "KiB": 1024, "MiB": 1024**2}


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a block: what it holds, and a sentence for editors and messages."""

    kind: Kind
    doc: str
    required: bool = False
    choices: tuple[str, ...] = ()
    model: Mapping[str, Key] | None = None


Model = Mapping[str, Key]


def check(node: Node, model: Model, what: str) -> list[Lint]:
    """Every disagreement between a node and the model of a block."""
    if not isinstance(node, MapNode):
        return [node.place.lint("E111", f"{what} is a mapping of {_some(model)}")]
    lints: list[Lint] = []
    for key, value in node.items.items():
        if key not in model:
            message = f"unknown key {key!r} in {what}{suggest(key, model)}"
            lints.append(node.keys[key].place.lint("E110", message))
        else:
            lints.extend(_check_value(value, model[key], f"{what}.{key}" if what else key))
    for key, spec in model.items():
        if spec.required and key not in node.items:
            lints.append(node.place.lint("E112", f"{what} needs {key!r}: {spec.doc}"))
    return lints


def _some(model: Model) -> str:
    names = list(model)
    return ", ".join(names[:4]) + (" …" if len(names) > 4 else "")


def _check_value(node: Node, key: Key, what: str) -> list[Lint]:
    if key.model is not None and key.kind == "block":
        return check(node, key.model, what)
    if key.model is not None and key.kind == "blocks":
        if not isinstance(node, ListNode):
            return [node.place.lint("E111", f"{what} is a list")]
        return [lint for i, item in enumerate(node.items) for lint in check(item, key.model, f"{what}[{i}]")]
    if key.model is not None and key.kind == "named blocks":
        if not isinstance(node, MapNode):
            return [node.place.lint("E111", f"{what} is a mapping of names to settings")]
        return [lint for name, one in node.items.items() for lint in check(one, key.model, f"{what}.{name}")]
    problem = _scalar_problem(node, key)
    return [node.place.lint("E111", f"{what} {problem}")] if problem else []


def _scalar_problem(node: Node, key: Key) -> str | None:
    if key.kind in ("value", "list"):
        return None
    if key.kind == "map":
        return None if isinstance(node, MapNode) else "is a mapping"
    if key.kind == "texts":
        items = node.items if isinstance(node, ListNode) else (node,)
        fine = all(isinstance(item, ScalarNode) and item.value is not None for item in items)
        return None if fine else "is one text or a list of texts"
    if not isinstance(node, ScalarNode) or node.value is None:
        return f"is {_WANTED[key.kind]}"
    if key.kind == "integer":
        return None if node.value.__class__ is int else f"is a whole number, got {node.text!r}"
    if key.kind == "boolean":
        return None if isinstance(node.value, bool) else f"is true or false, got {node.text!r}"
    if key.kind == "choice":
        found = node.text
        if found not in key.choices:
            return f"is one of {', '.join(key.choices)}, got {found!r}{suggest(found, key.choices)}"
    if key.kind == "name" and not _NAME.fullmatch(node.text):
        return f"is a name of letters, digits, '-', '_' and '.', got {node.text!r}"
    if key.kind == "duration" and not _DURATION.fullmatch(node.text):
        return f"is a duration such as 5m or 30s, got {node.text!r}"
    if key.kind == "size" and not _SIZE.fullmatch(node.text):
        return f"is a size such as 1MiB or 64KiB, got {node.text!r}"
    return None


_WANTED = {
    "text": "a text",
    "name": "a name",
    "integer": "a whole number",
    "boolean": "true or false",
    "expression": "an expression",
    "choice": "one of a few words",
    "duration": "a duration such as 5m",
    "size": "a size such as 1MiB",
}


def seconds(node: ScalarNode) -> int:
    """A duration that was checked, in seconds."""
    match = _DURATION.fullmatch(node.text)
    return int(match[1]) * _SECONDS[match[2]] if match else 0


def octets(node: ScalarNode) -> int:
    """A size that was checked, in bytes."""
    match = _SIZE.fullmatch(node.text)
    return int(match[1]) * _BYTES[match[2]] if match else 0


class Block:
    """Reads a mapping that has been checked; what did not pass the check reads as not given."""

    __slots__ = ("node",)

    def __init__(self, node: Node | None) -> None:
        self.node = node if isinstance(node, MapNode) else None

    def __contains__(self, key: str) -> bool:
        return self.node is not None and key in self.node.items

    def get(self, key: str) -> Node | None:
        return self.node.items.get(key) if self.node is not None else None

    def place(self, key: str | None = None) -> Place:
        assert self.node is not None
        return self.node.keys[key].place if key is not None else self.node.place

    def text(self, key: str, default: str = "") -> str:
        node = self.get(key)
        return node.text if isinstance(node, ScalarNode) and node.value is not None else default

    def scalar(self, key: str) -> ScalarNode | None:
        node = self.get(key)
        return node if isinstance(node, ScalarNode) else None

    def integer(self, key: str, default: int) -> int:
        node = self.scalar(key)
        return node.value if node is not None and node.value.__class__ is int else default

    def flag(self, key: str, *, default: bool) -> bool:
        node = self.scalar(key)
        return node.value if node is not None and isinstance(node.value, bool) else default

    def block(self, key: str) -> Block:
        return Block(self.get(key))

    def listed(self, key: str) -> tuple[Node, ...]:
        """One value or a list of them, as a tuple."""
        node = self.get(key)
        if node is None:
            return ()
        return node.items if isinstance(node, ListNode) else (node,)

    def texts(self, key: str) -> tuple[str, ...]:
        return tuple(node.text for node in self.listed(key) if isinstance(node, ScalarNode))
