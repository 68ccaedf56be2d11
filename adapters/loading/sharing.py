"""`include:`: tables and fragments of other files, whose text comes from the caller's `files`. Pure."""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from adapters.linting.findings import Lint, MappingError
from adapters.loading.grammar import SHARED
from adapters.loading.model import Block, check
from adapters.loading.yaml_source import MapNode, Node, Place, ScalarNode, read_yaml

MAX_FILES = 50
SHIPPED_PREFIX = "shipped:"  # an include of a file that comes with the gateway, wherever the mapping stands


@dataclass(slots=True)
class Shared:
    """Tables and fragments of a mapping and everything it includes, and the hash of all those texts."""

    tables: dict[str, Node] = field(default_factory=dict)
    fragments: dict[str, Node] = field(default_factory=dict)
    lints: list[Lint] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)

    def revision(self) -> str:
        """SHA-256 over the mapping and its includes, in hexadecimal; the names of files do not count."""
        total = hashlib.sha256()
        for text in self.texts.values():
            total.update(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest())
        return total.hexdigest()


def gather(root: MapNode, text: str, name: str, files: Callable[[str], str | None] | None) -> Shared:
    """Collect a mapping's own tables and fragments and those of its includes; its own win."""
    shared = Shared(texts={name: text})
    _add(root, shared)
    pending = list(_includes(root, name))
    while pending:
        path, place = pending.pop(0)
        if path in shared.texts:
            continue
        inside = path.removeprefix(SHIPPED_PREFIX)
        if inside.startswith(("../", "/")) or inside == "..":
            shared.lints.append(place.lint("E115", f"{path!r} is outside the mappings folder"))
            continue
        found = files(path) if files is not None else None
        if found is None:
            shared.lints.append(place.lint("E115", f"there is no file {path!r}", help=_help(path, files)))
        elif len(shared.texts) > MAX_FILES:
            shared.lints.append(place.lint("E115", f"more than {MAX_FILES} included files"))
        else:
            shared.texts[path] = found
            pending.extend(_read(path, found, shared))
    return shared


def _help(path: str, files: Callable[[str], str | None] | None) -> str | None:
    """A shipped file of that name, where there is one."""
    shipped = SHIPPED_PREFIX + posixpath.basename(path)
    if path.startswith(SHIPPED_PREFIX) or files is None or files(shipped) is None:
        return None
    return f"the gateway brings one along: include: {shipped}"


def _read(path: str, text: str, shared: Shared) -> list[tuple[str, Place]]:
    try:
        node = read_yaml(text, path)
    except MappingError as error:
        shared.lints.extend(error.lints)
        return []
    shared.lints.extend(check(node, SHARED, "an included file"))
    if not isinstance(node, MapNode):
        return []
    _add(node, shared)
    return list(_includes(node, path))


def _includes(node: MapNode, name: str) -> Iterator[tuple[str, Place]]:
    """What a file includes, beside it: a shipped file includes shipped ones."""
    for one in Block(node).listed("include"):
        if isinstance(one, ScalarNode):
            shipped = one.text.startswith(SHIPPED_PREFIX) or name.startswith(SHIPPED_PREFIX)
            folder = posixpath.dirname(name.removeprefix(SHIPPED_PREFIX))
            if one.text.startswith(SHIPPED_PREFIX):
                folder = ""
            path = posixpath.normpath(posixpath.join(folder, one.text.removeprefix(SHIPPED_PREFIX)))
            yield (SHIPPED_PREFIX if shipped else "") + path, one.place


def _add(node: MapNode, shared: Shared) -> None:
    kinds: Mapping[str, dict[str, Node]] = {"tables": shared.tables, "fragments": shared.fragments}
    for kind, known in kinds.items():
        block = Block(node).block(kind)
        for key, value in (block.node.items if block.node is not None else {}).items():
            known.setdefault(key, value)
