"""What the loaders of a mapping's parts share: its text as nodes, what they found, the names in reach."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

from adapters.expressions.environment import MAPPING_NAMES, Closure, Collected, Env
from adapters.functions.times import zone
from adapters.linting.findings import Lint
from adapters.loading.model import Block, seconds
from adapters.loading.sharing import Shared
from adapters.loading.variables import early_variables, limited
from adapters.loading.yaml_source import MapNode, Node, ScalarNode, plain
from adapters.templates.compiler import Templates

Files = Callable[[str], str | None]

EVENT_NAMES = frozenset({"body", "headers", "index", "item", "query"})
PERSON_NAMES = EVENT_NAMES | {"event_id", "received_at", "source", "vars"}
ASKING_NAMES = PERSON_NAMES | {"fetched"}


class Loading:
    """One mapping while it is compiled."""

    def __init__(self, node: MapNode, shared: Shared, files: Files | None, *, tracing: bool) -> None:
        self.node = node
        self.block = Block(node)
        self.shared = shared
        self.files = files
        self.collected = Collected()
        self.templates = Templates(shared.fragments)
        names = MAPPING_NAMES
        if "batch" not in self.block.block("receive") and "batch" not in self.block.block("fetch_back"):
            names -= {"item"}
        if "fetch_back" not in self.block:
            names -= {"fetched"}
        self.env = Env(
            collected=self.collected,
            names=names - {"parent"},
            timezone=self.timezone(),
            tables={name: self.table(table, name) for name, table in shared.tables.items()},
            tracing=tracing,
        )
        self.source = {key: value for key, value in self.plain("source").items() if isinstance(value, str)}

    def plain(self, key: str) -> dict[str, Any]:
        node = self.block.get(key)
        found = plain(node) if node is not None else {}
        return found if isinstance(found, dict) else {}

    def report(self, lint: Lint) -> None:
        self.collected.lints.append(lint)

    def timezone(self) -> str | None:
        node = self.block.block("source").scalar("timezone")
        if node is None or node.value is None:
            return None
        if zone(node.text) is None:
            self.report(
                node.place.lint("E111", f"unknown time zone {node.text!r}; IANA names such as Europe/Vienna")
            )
        return node.text

    def table(self, node: Node, name: str) -> dict[str, Any]:
        """A table's values by key; `{ file: x.csv }` reads two columns of an included file."""
        if not isinstance(node, MapNode):
            self.report(node.place.lint("E111", f"table {name} is a mapping of keys to values"))
            return {}
        named = node.items.get("file")
        if len(node.items) == 1 and isinstance(named, ScalarNode) and named.text.endswith(".csv"):
            found = self.files(named.text) if self.files is not None else None
            if found is None:
                self.report(named.place.lint("E115", f"there is no file {named.text!r}"))
                return {}
            self.shared.texts.setdefault(named.text, found)
            return {row[0]: row[1] for row in csv.reader(io.StringIO(found)) if len(row) >= 2}
        return {key: plain(value) for key, value in node.items.items()}

    def file_beside(self, path: str) -> str | None:
        """The text of a file that the mapping names; it is part of the mapping's revision."""
        found = self.files(path) if self.files is not None else None
        if found is not None:
            self.shared.texts.setdefault(path, found)
        return found

    def event_env(self, names: frozenset[str]) -> Env:
        """The environment of what is computed before rules run."""
        return limited(self.env, names)

    def define_early(self) -> None:
        """Let everything compiled from now on use the variables that are made of the event alone."""
        self.env = early_variables(self.block.get("let"), self.templates, self.env)

    def condition(self, one: Block, env: Env) -> Closure | None:
        when = one.get("when")
        return self.templates.condition(when, env) if when is not None else None

    def moment(self, one: Block, env: Env) -> Closure | None:
        at = one.get("at")
        return self.templates.template(at, env) if at is not None else None


def span(block: Block, key: str) -> int | None:
    """A duration in seconds, None where it is not given."""
    node = block.scalar(key)
    return (seconds(node) or None) if node is not None else None
