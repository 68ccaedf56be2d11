"""What a mapping's rules can make: verbs, activity types and keys of extensions, told from its text. Pure.

Every value that a field can be written with is found through fragments, variables, tables and branches. Where
only an event tells, the kind of value is `open`: anything may come.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from adapters.expressions import syntax
from adapters.expressions.environment import CompileError
from adapters.expressions.syntax import Expression, constant_path
from adapters.loading.model import Block
from adapters.loading.sharing import gather
from adapters.loading.yaml_source import ListNode, MapNode, Node, ScalarNode, plain
from adapters.mapping import Mapping as AdapterMapping
from adapters.templates.interpolation import Piece, parse_piece, pieces
from adapters.templates.shorthand import GROUPINGS
from adapters.vocabulary.terms import KINDS, Kind, Where
from adapters.vocabulary.words import SHIPPED, Vocabulary, is_iri

_DEEPEST = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Products:
    """IRIs by kind; `open` are the kinds of which more may come than what is listed."""

    verbs: frozenset[str] = frozenset()
    types: frozenset[str] = frozenset()
    extensions: frozenset[str] = frozenset()
    open: frozenset[Kind] = frozenset()

    def of(self, kind: Kind) -> frozenset[str]:
        found: frozenset[str] = getattr(self, kind)
        return found


def products(mapping: AdapterMapping) -> Products:
    """What the rules of a mapping can make."""
    reader = _Reader(mapping)
    for rule in mapping.rules:
        reader.rule(Block(rule.node))
    return Products(
        verbs=frozenset(reader.found["verbs"]),
        types=frozenset(reader.found["types"]),
        extensions=frozenset(reader.found["extensions"]),
        open=frozenset(reader.open),
    )


@dataclass(frozen=True, slots=True)
class _Written:
    """A part of a template with the local names that it sees."""

    node: Node
    names: Mapping[str, _Written] = field(default_factory=dict)


_Fields: TypeAlias = dict[str, list[_Written]]


class _Reader:
    def __init__(self, mapping: AdapterMapping) -> None:
        text = mapping.texts.get(mapping.file, "")
        self.fragments = gather(mapping.node, text, mapping.file, mapping.texts.get).fragments
        self.tables = mapping.tables
        self.vocabulary = _vocabulary(mapping)
        self.shared = self._variables(Block(mapping.node), {})
        self.variables = self.shared
        self.found: dict[Kind, set[str]] = {kind: set() for kind in KINDS}
        self.open: set[Kind] = set()

    def _variables(self, block: Block, known: Mapping[str, _Written]) -> Mapping[str, _Written]:
        node = block.get("let")
        written = node.items if isinstance(node, MapNode) else {}
        return {**known, **{name: _Written(value) for name, value in written.items()}}

    def rule(self, block: Block) -> None:
        self.variables = self._variables(block, self.shared)
        if "passthrough" in block:
            self.open |= set(KINDS)
            patch = block.block("passthrough").get("patch")
            if patch is not None:
                self.statement([_Written(patch)])
        single, several = block.get("statement"), block.listed("statements")
        for node in (*((single,) if single is not None else ()), *several):
            self.statement([_Written(node)])

    # -- what stands where

    def statement(self, written: Iterable[_Written], depth: int = 0) -> None:
        fields = self.fields(written, KINDS)
        if depth > _DEEPEST:
            return
        for one in _alternatives(fields.get("verb", ())):
            inner = self.fields([one], ()) if isinstance(one.node, MapNode) else {"id": [one]}
            for identity in inner.get("id", ()):
                self.words(identity, "verbs", self.vocabulary.verbs)
        target = fields.get("object", [])
        if "SubStatement" in self.texts(self.fields(target, ()).get("objectType", ())):
            self.statement(target, depth + 1)
        self.activity(target)
        context = self.fields(fields.get("context", ()), ("types", "extensions"))
        related = self.fields(context.get("contextActivities", ()), ("types", "extensions"))
        for name in GROUPINGS:
            self.activity([*context.get(name, ()), *related.get(name, ())])
        self.extensions(context.get("extensions", ()), "context")
        result = self.fields(fields.get("result", ()), ("extensions",))
        self.extensions(result.get("extensions", ()), "result")

    def activity(self, written: Iterable[_Written]) -> None:
        fields = self.fields([one for one in written if not _is_text(one.node)], ("types", "extensions"))
        definition = self.fields(fields.get("definition", ()), ("types", "extensions"))
        for part in (fields, definition):
            for one in part.get("type", ()):
                self.words(one, "types", self.vocabulary.types)
            self.extensions(part.get("extensions", ()), "activity")

    def extensions(self, written: Iterable[_Written], where: Where) -> None:
        for key in self.fields(written, ("extensions",)):
            if "${" in key:
                self.open.add("extensions")
            elif iri := self.vocabulary.extensions[where].get(key) or (key if is_iri(key) else None):
                self.found["extensions"].add(iri)

    # -- reading

    def fields(self, written: Iterable[_Written], kinds: Iterable[Kind], depth: int = 0) -> _Fields:
        """The fields that a template can have; where that cannot be told, these kinds are open."""
        found: _Fields = {}
        for one in written:
            if depth > _DEEPEST:
                self.open |= set(kinds)
            elif isinstance(one.node, ListNode):
                parts = [_Written(item, one.names) for item in one.node.items]
                _add(found, self.fields(parts, kinds, depth + 1))
            elif isinstance(one.node, MapNode):
                _add(found, self._mapped(one.node, one.names, kinds, depth))
            elif isinstance(one.node.value, str):
                inner = self.resolved(one)
                if inner is None:
                    self.open |= set(kinds)
                else:
                    _add(found, self.fields(inner, kinds, depth + 1))
        return found

    def _mapped(
        self, node: MapNode, names: Mapping[str, _Written], kinds: Iterable[Kind], depth: int
    ) -> _Fields:
        if "$case" in node.items:
            return self.fields(_options(_Written(node, names)), kinds, depth + 1)
        if "$each" in node.items:
            value = node.items.get("value")
            return self.fields([_Written(value, names)] if value is not None else (), kinds, depth + 1)
        found: _Fields = {}
        used = node.items.get("$use")
        if isinstance(used, ScalarNode) and used.text in self.fragments:
            given = node.items.get("with")
            inner = {
                key: _Written(value, names)
                for key, value in (given.items.items() if isinstance(given, MapNode) else ())
            }
            found = self.fields([_Written(self.fragments[used.text], inner)], kinds, depth + 1)
        for key, value in node.items.items():
            if key in ("$use", "with"):
                continue
            if isinstance(value, MapNode):  # laid over what a fragment has there
                found.setdefault(key, []).append(_Written(value, names))
            else:
                found[key] = [_Written(value, names)]
        return found

    def resolved(self, written: _Written) -> list[_Written] | None:
        """The templates that a single expression stands for; None where it stands for what an event has."""
        assert isinstance(written.node, ScalarNode)
        expression = _expression(written.node)
        if expression is None:
            return []
        return self._resolved(expression, written.names)

    def _resolved(self, expression: Expression, names: Mapping[str, _Written]) -> list[_Written] | None:
        if isinstance(expression, syntax.Literal):
            return []
        if isinstance(expression, syntax.Conditional):
            return self._all((expression.then, expression.otherwise), names)
        if isinstance(expression, syntax.Binary) and expression.operator == "??":
            return self._all((expression.left, expression.right), names)
        if isinstance(expression, syntax.ListOf):
            return self._all(expression.items, names)
        named = self._named(expression, names)
        return None if named is None else [named]

    def _all(
        self, parts: Iterable[Expression | None], names: Mapping[str, _Written]
    ) -> list[_Written] | None:
        found: list[_Written] = []
        for part in parts:
            inner = self._resolved(part, names) if part is not None else []
            if inner is None:
                return None
            found += inner
        return found

    def _named(self, expression: Expression, names: Mapping[str, _Written]) -> _Written | None:
        """The variable or argument that an expression is."""
        path = constant_path(expression)
        if path is not None and path[0] == "vars" and len(path[1]) == 1:
            return self.variables.get(str(path[1][0]))
        if path is not None and not path[1]:
            return names.get(path[0])
        return None

    def words(self, written: _Written, kind: Kind, known: Mapping[str, str]) -> None:
        """Add the IRIs of every word that a text can be."""
        values = self.values(written)
        if values is None:
            self.open.add(kind)
            return
        for value in values:
            iri = known.get(value) or (value if is_iri(value) else None)
            if iri is not None:
                self.found[kind].add(self.vocabulary.aliases.get(iri, iri))

    def texts(self, written: Iterable[_Written]) -> set[str]:
        return {value for one in written for value in self.values(one) or ()}

    def values(self, written: _Written, depth: int = 0) -> set[str] | None:
        """Every text that a template can come to, or None."""
        node = written.node
        if depth > _DEEPEST:
            return None
        if isinstance(node, MapNode) and "$case" in node.items:
            return _union(self.values(one, depth + 1) for one in _options(written))
        if not isinstance(node, ScalarNode):
            return None
        if not isinstance(node.value, str):
            return set()
        if "${" not in node.value:
            return {node.value}
        expression = _expression(node)
        return None if expression is None else self._possible(expression, written.names, depth)

    def _possible(self, expression: Expression, names: Mapping[str, _Written], depth: int) -> set[str] | None:
        if isinstance(expression, syntax.Literal):
            return {expression.value} if isinstance(expression.value, str) else set()
        if isinstance(expression, syntax.Conditional):
            branches = (expression.then, expression.otherwise)
            return _union(self._possible(one, names, depth) for one in branches if one is not None)
        if isinstance(expression, syntax.Binary) and expression.operator == "??":
            return _union(self._possible(one, names, depth) for one in (expression.left, expression.right))
        if isinstance(expression, syntax.Call):
            return self._looked_up(expression, names, depth)
        named = self._named(expression, names)
        return None if named is None else self.values(named, depth + 1)

    def _looked_up(self, call: syntax.Call, names: Mapping[str, _Written], depth: int) -> set[str] | None:
        if call.name != "lookup" or not call.args or not isinstance(call.args[0], syntax.Literal):
            return None
        table: Mapping[str, Any] = self.tables.get(str(call.args[0].value), {})
        inside = {value for value in table.values() if isinstance(value, str)}
        return _union([inside, *(self._possible(one, names, depth) for one in call.args[2:])])


def _expression(node: ScalarNode) -> Expression | None:
    """The one expression that a text consists of; None where there is text around it, or none."""
    try:
        parts = pieces(node)
        if len(parts) == 1 and isinstance(parts[0], Piece):
            return parse_piece(node, parts[0])
    except CompileError:
        return None
    return None


def _options(written: _Written) -> list[_Written]:
    """What a `$case` can come to."""
    assert isinstance(written.node, MapNode)
    options = getattr(written.node.items["$case"], "items", ())
    return [
        _Written(option.items[key], written.names)
        for option in options
        if isinstance(option, MapNode)
        for key in ("value", "else")
        if key in option.items
    ]


def _alternatives(written: Iterable[_Written], depth: int = 0) -> Iterator[_Written]:
    for one in written:
        if isinstance(one.node, MapNode) and "$case" in one.node.items and depth < _DEEPEST:
            yield from _alternatives(_options(one), depth + 1)
        else:
            yield one


def _is_text(node: Node) -> bool:
    """Whether a template is an id rather than something with fields."""
    return isinstance(node, ScalarNode) and _expression(node) is None


def _union(parts: Iterable[set[str] | None]) -> set[str] | None:
    found: set[str] = set()
    for part in parts:
        if part is None:
            return None
        found |= part
    return found


def _add(found: _Fields, more: _Fields) -> None:
    for key, values in more.items():
        found.setdefault(key, []).extend(values)


def _vocabulary(mapping: AdapterMapping) -> Vocabulary:
    node = mapping.node.items.get("vocabulary")
    words = plain(node) if node is not None else {}
    own: dict[str, dict[str, str]] = {
        kind: {key: value for key, value in ((words or {}).get(kind) or {}).items() if isinstance(value, str)}
        for kind in KINDS
    }
    return SHIPPED.extended(own["verbs"], own["types"], own["extensions"])
