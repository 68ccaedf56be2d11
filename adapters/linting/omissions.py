"""What a mapping has and does not use, or does without where it should not. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Set

from adapters.linting.findings import Lint
from adapters.loading.model import Block
from adapters.loading.yaml_source import ListNode, MapNode, Node, ScalarNode
from adapters.mapping import Mapping
from adapters.receive.presets import event_id_of

# Where a name is declared, and what an expression calls it.
_CALLED = {"identity": "identity", "directory": "directory", "recall": "remembered"}
_TEXTS = ("name", "description")
_STATEMENT = frozenset({"actor", "object", "verb"})


def omissions(mapping: Mapping) -> Iterator[Lint]:
    """W206, W208 and W209."""
    yield from _unused(mapping)
    yield from _language(mapping)
    yield from _event_id(mapping)


def own(mapping: Mapping, kind: str) -> list[tuple[str, Node]]:
    """The entries of a block of the mapping's own file."""
    block = mapping.node.items.get(kind)
    return list(block.items.items()) if isinstance(block, MapNode) else []


def _unused(mapping: Mapping) -> Iterator[Lint]:
    """Tables, fragments, variables, people, entries and facts that no expression names."""
    for kind, used in (("tables", mapping.tables_used), ("fragments", mapping.fragments_used)):
        yield from _unnamed(mapping.node.items.get(kind), kind[:-1], used)
    written = "\n".join(_texts(mapping.node))
    for kind, root in _CALLED.items():
        yield from _unnamed(mapping.node.items.get(kind), root, _named(root, written))
    for node in (mapping.node, *(rule.node for rule in mapping.rules)):
        yield from _unnamed(node.items.get("let"), "variable", _named("vars", written))


def _unnamed(block: Node | None, what: str, used: Set[str]) -> Iterator[Lint]:
    for name, node in block.items.items() if isinstance(block, MapNode) else ():
        if name not in used and not Block(node).flag("learn", default=False):
            yield block.keys[name].place.lint("W206", f"{what} {name!r} is used nowhere")  # type: ignore[union-attr]


def _named(root: str, written: str) -> Set[str]:
    """What expressions read below a name: `vars.x` and `vars['x']`."""
    found = re.findall(rf"\b{root}\s*(?:\.\s*(\w+)|\[\s*['\"]([^'\"]+)['\"])", written)
    return {dotted or quoted for dotted, quoted in found}


def _texts(node: Node) -> Iterator[str]:
    """Every text below a node, keys too."""
    if isinstance(node, ScalarNode):
        yield node.text
    elif isinstance(node, ListNode):
        for item in node.items:
            yield from _texts(item)
    else:
        for key, value in node.items.items():
            yield key
            yield from _texts(value)


def _language(mapping: Mapping) -> Iterator[Lint]:
    """Texts that would be stored as being in an undetermined language."""
    if "language" in mapping.source:
        return
    found = next((node for part in _parts(mapping) for node in _plain_texts(part)), None)
    if found is not None:
        message = "names and descriptions get the language `und`: there is no source.language"
        help = "the vendor's language as a tag: source: { language: en }"
        yield found.place.lint("W208", message, help=help)


def _parts(mapping: Mapping) -> Iterator[Node]:
    """Where activities are written."""
    for kind in ("let", "fragments"):
        yield from (node for _, node in own(mapping, kind))
    for rule in mapping.rules:
        yield from (
            rule.node.items[key] for key in ("let", "statement", "statements") if key in rule.node.items
        )


def _plain_texts(node: Node) -> Iterator[ScalarNode]:
    """Names and descriptions of activities that are not language maps."""
    if isinstance(node, ListNode):
        for item in node.items:
            yield from _plain_texts(item)
    elif isinstance(node, MapNode):
        if {"id", "type", "definition"} & node.items.keys() and not _STATEMENT & node.items.keys():
            for key in _TEXTS:
                value = node.items.get(key)
                if isinstance(value, ScalarNode):
                    yield value
        for value in node.items.values():
            yield from _plain_texts(value)


def _event_id(mapping: Mapping) -> Iterator[Lint]:
    """A vendor that numbers its deliveries, and a mapping that does not look."""
    receive = Block(mapping.node).block("receive")
    if "event_id" in receive:
        return
    for check in receive.listed("verify"):
        name = check.text if isinstance(check, ScalarNode) else next(iter(getattr(check, "items", ())), "")
        known = event_id_of(name)
        if known is not None:
            message = f"{name} says which deliveries are the same event, and there is no event_id"
            place = check.keys[name].place if isinstance(check, MapNode) else check.place
            yield place.lint("W209", message, help=f'receive: {{ event_id: "{known}" }}')
