"""What can be known of a statement template before it runs: its keys, its words, its extension IRIs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from adapters.expressions.compiler import parse_at
from adapters.expressions.environment import CompileError
from adapters.expressions.syntax import (
    Binary,
    Call,
    Conditional,
    Expression,
    Literal,
)
from adapters.linting.findings import Lint, suggest
from adapters.loading.grammar import STATEMENT
from adapters.loading.yaml_source import ListNode, MapNode, Node, Place, ScalarNode
from adapters.templates.interpolation import Piece, pieces
from adapters.templates.personal import personal
from adapters.templates.shorthand import ACTIVITY_KEYS, GROUPINGS, Shorthand
from adapters.vocabulary.terms import Kind, Where
from adapters.vocabulary.words import is_iri, nearest

_ACTIVITY = dict.fromkeys(ACTIVITY_KEYS, "") | {
    "id": "iri",
    "interaction": "interaction",
    "type": "type",
    "extensions": "activity extensions",
    "definition": "definition",
}
SHAPES: dict[str, dict[str, str]] = {
    "statement": {
        key: key if key in ("actor", "verb", "object", "result", "context") else "" for key in STATEMENT
    },
    "actor": {
        "account": "account",
        **dict.fromkeys(("objectType", "name", "mbox_sha1sum", "member"), ""),
        "mbox": "iri",
        "openid": "iri",
    },
    "account": {"homePage": "iri", "name": ""},
    "verb": {"id": "verb", "display": ""},
    "object": _ACTIVITY,
    "activity": _ACTIVITY,
    "definition": {
        "type": "type",
        "extensions": "activity extensions",
        "interactionType": "interaction",
        **dict.fromkeys(
            (
                "name",
                "description",
                "moreInfo",
                "correctResponsesPattern",
                "choices",
                "scale",
                "source",
                "target",
                "steps",
            ),
            "",
        ),
    },
    "result": {
        "score": "score",
        "extensions": "result extensions",
        "success": "boolean",
        "completion": "boolean",
        **dict.fromkeys(("response", "duration"), ""),
    },
    "score": dict.fromkeys(("scaled", "raw", "min", "max"), ""),
    "context": {
        **dict.fromkeys(GROUPINGS, "activity"),
        "instructor": "actor",
        "team": "actor",
        "extensions": "context extensions",
        "contextActivities": "groupings",
        **dict.fromkeys(
            (
                "registration",
                "revision",
                "platform",
                "language",
                "statement",
                "contextAgents",
                "contextGroups",
            ),
            "",
        ),
    },
    "groupings": dict.fromkeys(GROUPINGS, "activity"),
}
INTERACTIONS = (
    "true-false",
    "choice",
    "fill-in",
    "long-fill-in",
    "matching",
    "performance",
    "sequencing",
    "likert",
    "numeric",
    "other",
)
_EXTENSIONS: dict[str, Where] = {
    "activity extensions": "activity",
    "context extensions": "context",
    "result extensions": "result",
}
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_MISSING = {
    "actor": "name the learner under `identity:` and write actor: ${ identity.NAME }",
    "verb": "a word such as completed, or an IRI",
    "object": "what it is about: object: { id: …, type: … }",
}
_DEEPEST_USE = 16
_LINK = {"Agent", "Group", "StatementRef", "SubStatement"}


class ShapeChecker:
    """Checks statement templates of one mapping against xAPI's shapes and the vocabulary."""

    def __init__(
        self, shorthand: Shorthand, fragments: Mapping[str, Node], tables: Mapping[str, Mapping[str, Any]]
    ) -> None:
        self.shorthand, self.vocabulary = shorthand, shorthand.vocabulary
        self.fragments, self.tables = fragments, tables
        self.lints: list[Lint] = []
        self.seen: dict[tuple[int, str], Node] = {}  # the nodes are kept, so that no id is used twice

    def check(self, node: Node, shape: str) -> None:
        """Check a template that stands where `shape` belongs; findings are collected, each once."""
        if not shape or (id(node), shape) in self.seen:
            return
        self.seen[id(node), shape] = node
        if isinstance(node, ListNode):
            for item in node.items:
                self.check(item, shape)
        elif isinstance(node, ScalarNode):
            if shape in ("verb", "type", "interaction"):
                self.words(node, shape)
            elif shape == "iri":
                self.iri(node)
            elif shape == "boolean":
                self.boolean(node)
        elif "$case" in node.items:
            for option in getattr(node.items["$case"], "items", ()):
                for value in (
                    (option.items.get(key) for key in ("value", "else"))
                    if isinstance(option, MapNode)
                    else ()
                ):
                    if value is not None:
                        self.check(value, shape)
        elif "$each" in node.items:
            if "value" in node.items:
                self.check(node.items["value"], shape)
        else:
            self.mapping(node, shape)

    def complete(self, node: MapNode, place: Place) -> None:
        """E207: a statement without something that xAPI always wants."""
        given = self.keys_of(node)
        if given is None:
            return
        for key in ("actor", "verb", "object"):
            if key not in given:
                self.lints.append(place.lint("E207", f"the statement has no {key}", help=_MISSING[key]))

    def keys_of(self, node: Node, depth: int = 0) -> set[str] | None:
        """The keys that a template gives, looking through fragments; None where only running it tells."""
        if not isinstance(node, MapNode) or depth > _DEEPEST_USE:
            return None
        if any("${" in key or key in ("$case", "$each") for key in node.items):
            return None
        nulls = {key for key, value in node.items.items() if getattr(value, "value", "") is None}
        given: set[str] | None = set()
        if "$use" in node.items:
            fragment = self.fragments.get(getattr(node.items["$use"], "text", ""))
            given = self.keys_of(fragment, depth + 1) if fragment is not None else None
        return None if given is None else (given | set(node.items)) - nulls

    def mapping(self, node: MapNode, shape: str) -> None:
        used = node.items.get("$use")
        if isinstance(used, ScalarNode) and used.text in self.fragments:
            self.check(self.fragments[used.text], shape)
        if shape in _EXTENSIONS:
            self.extensions(node, _EXTENSIONS[shape])
            return
        kind = node.items.get("objectType")
        if shape in ("object", "activity") and isinstance(kind, ScalarNode) and kind.text in _LINK:
            if kind.text == "SubStatement":
                self.mapping(_without(node, "objectType"), "statement")
            return
        known = SHAPES.get(shape)
        if known is None:
            return
        for key, value in node.items.items():
            if key in known:
                self.check(value, known[key])
            elif "${" not in key and key not in ("$use", "with"):
                message = f"{shape} has no property {key!r}{suggest(key, known)}"
                self.lints.append(node.keys[key].place.lint("E202", message))

    def iri(self, node: ScalarNode) -> None:
        """Check an id as far as it is written out: an expression at its start may come to anything."""
        head = node.text.partition("${")[0]
        if node.value is None or (not head and "${" in node.text):
            return
        if not (is_iri(node.text) if head == node.text else _SCHEME.match(head)):
            help = "put your vendor's address in front: https://vendor.example.com/course/…"
            message = f"an absolute IRI is wanted here, got {node.text!r}"
            self.lints.append(node.place.lint("E204", message, help=help))

    def boolean(self, node: ScalarNode) -> None:
        if isinstance(node.value, (str, int, float)) and not isinstance(node.value, bool):
            text = node.text
            if "${" not in text:
                self.lints.append(node.place.lint("E205", f"true or false is wanted here, got {text!r}"))

    def extensions(self, node: MapNode, where: Where) -> None:
        iris: dict[str, str] = {}
        for key, value in node.items.items():
            for name, place in personal(value):
                message = f"{name} looks like personal data; everybody who reads statements sees it here"
                help = "leave it out, or keep what must be told apart with hmac_pseudonym(x)"
                self.lints.append(place.lint("W320", message, help=help))
            if "${" in key or key in ("$use", "with"):
                continue
            place = node.keys[key].place
            iri = self.vocabulary.extensions[where].get(key, key)
            if not is_iri(iri):
                message = self.shorthand.unknown_extension(key, where)
                help = "a word of the vocabulary, or an absolute IRI that you own"
                self.lints.append(place.lint("E203", message, help=help))
                continue
            if iri in iris:
                self.lints.append(place.lint("E120", f"{key!r} and {iris[iri]!r} are the same extension"))
            iris[iri] = key
            if iri == key:
                self.doubt(place, iri, "extensions")

    def words(self, node: ScalarNode, shape: str) -> None:
        """Check a literal word, or every word that an expression can come to."""
        if not isinstance(node.value, str):
            return
        if "${" not in node.value:
            self.word(node, node.value, shape, 0, len(node.value))
            return
        try:
            parts = pieces(node)
            if len(parts) == 1 and isinstance(parts[0], Piece):
                for word, start, end in self.results(parse_at(parts[0].written, node, parts[0].offset)):
                    self.word(node, word, shape, parts[0].offset + start, end - start)
        except CompileError:
            return

    def results(self, expression: Expression) -> Iterator[tuple[str, int, int]]:
        """The literal texts an expression can evaluate to."""
        if isinstance(expression, Literal) and isinstance(expression.value, str):
            yield expression.value, expression.start, expression.end
        elif isinstance(expression, Conditional):
            yield from self.results(expression.then)
            if expression.otherwise is not None:
                yield from self.results(expression.otherwise)
        elif isinstance(expression, Binary) and expression.operator == "??":
            yield from self.results(expression.left)
            yield from self.results(expression.right)
        elif isinstance(expression, Call) and expression.name == "lookup" and expression.args:
            table = expression.args[0]
            if isinstance(table, Literal):
                for value in self.tables.get(str(table.value), {}).values():
                    if isinstance(value, str):
                        yield value, expression.start, expression.end
            for default in expression.args[2:]:
                yield from self.results(default)

    def word(self, node: ScalarNode, word: str, shape: str, offset: int, length: int) -> None:
        if shape == "interaction":
            if word not in INTERACTIONS:
                message = f"{word!r} is not an interaction type{suggest(word, INTERACTIONS)}"
                help = f"one of {', '.join(INTERACTIONS)}"
                self.lints.append(node.within(offset, max(length, 1)).lint("E206", message, help=help))
            return
        known = self.vocabulary.verbs if shape == "verb" else self.vocabulary.types
        if word in known:
            return
        place = node.within(offset, max(length, 1))
        if not is_iri(word):
            message = f"{shape} {word!r} is not in the vocabulary{nearest(word, known)}"
            self.lints.append(place.lint("E201", message))
        elif word in self.vocabulary.aliases:
            message = f"{word} is written {self.vocabulary.aliases[word]} in the profiles"
            self.lints.append(place.lint("W203", message))
        else:
            self.doubt(place, word, "verbs" if shape == "verb" else "types")

    def doubt(self, place: Place, iri: str, kind: Kind) -> None:
        """W207: an IRI that looks like one of a profile and is none."""
        found = self.vocabulary.doubt(iri, kind)
        if found is not None:
            self.lints.append(place.lint("W207", found.message, help=found.help))


def _without(node: MapNode, key: str) -> MapNode:
    items = {name: value for name, value in node.items.items() if name != key}
    return MapNode(place=node.place, items=items, keys=node.keys)
