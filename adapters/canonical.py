"""Statement templates compiled straight to canonical xAPI, where their shape is written out in the file.

What a template comes to only at run time (`$use`, `$case`, an expression for a whole object) is written out
then, by `Shorthand`. Both ways make the same statement; this one saves the common case the detour.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from adapters.expressions.environment import Closure, Env
from adapters.expressions.inline import (
    Constant,
    Entry,
    Group,
    MapOf,
    Words,
    form_of,
    map_of,
    shaped,
    straightened,
)
from adapters.expressions.scope import Scope
from adapters.expressions.values import EvaluationError
from adapters.interpolation import may_be_large
from adapters.shorthand import GROUPINGS, Shorthand
from adapters.templates import Templates
from adapters.vocabulary import is_iri
from adapters.yaml_source import ListNode, MapNode, Node, Place, ScalarNode

_DEFINITION = {
    "type": "type",
    "name": "name",
    "description": "description",
    "more_info": "moreInfo",
    "interaction": "interactionType",
    "correct": "correctResponsesPattern",
    "choices": "choices",
    "scale": "scale",
    "source": "source",
    "target": "target",
    "steps": "steps",
    "extensions": "extensions",
}


class Canonical:
    """Compiles the statements of one mapping; templates that are traced for `explain` take the slow way."""

    def __init__(self, templates: Templates, shorthand: Shorthand) -> None:
        self.templates = templates
        self.shorthand = shorthand

    def statement(self, node: MapNode, env: Env) -> Closure:
        """A closure that makes a statement, fresh at its top level and in its context; None when empty."""
        if env.tracing or _unknown_shape(node):
            return self._written_out(self.templates.template(node, env), node)
        entries = tuple((key, *self._part(key, value, env)) for key, value in node.items.items())
        return straightened(map_of(entries))

    def _written_out(self, template: Closure, node: MapNode) -> Closure:
        shorthand = self.shorthand

        def build(scope: Scope) -> Any:
            written = template(scope)
            return shorthand.statement(written) if isinstance(written, dict) else None

        return build

    def _part(self, key: str, node: Node, env: Env) -> tuple[Closure, bool]:
        if key == "verb":
            return self._verb(node, env), False
        if key == "object":
            if isinstance(node, MapNode) and not _unknown_shape(node):
                return self._object(node, env), False
            return self._converted(node, env, self.shorthand.object), True
        if key == "context":
            if (
                isinstance(node, MapNode)
                and not _unknown_shape(node)
                and "contextActivities" not in node.items
            ):
                return self._context(node, env), False
            return self._converted(node, env, self.shorthand.context), True
        convert = {"actor": self.shorthand.actor, "attachments": self.shorthand.attachments}.get(key)
        if convert is None:
            return self.templates.template(node, env), may_be_large(node)
        return self._converted(node, env, convert), may_be_large(node)

    def _converted(self, node: Node, env: Env, convert: Callable[[Any], Any]) -> Closure:
        template, place = self.templates.template(node, env), node.place

        def build(scope: Scope) -> Any:
            written = template(scope)
            if written is None:
                return None
            try:
                return convert(written)
            except EvaluationError as error:
                raise _placed(error, place) from None

        return build

    def _verb(self, node: Node, env: Env) -> Closure:
        if not isinstance(node, ScalarNode) or not isinstance(node.value, str):
            return self._converted(node, env, self.shorthand.verb)
        if "${" in node.value:
            return self._converted(node, env, self.shorthand.verb)
        if node.value not in self.shorthand.vocabulary.verbs and not is_iri(node.value):
            return self.templates.template(node, env)  # refused by the shape check
        env.collected.leaves += 2
        known = self.shorthand.verb(node.value)
        iri, display = known["id"], known.get("display", {}).get("en")
        entries: tuple[Entry, ...] = (("id", constant(iri), False),)
        if display is not None:
            entries += (("display", map_of((("en", constant(display), False),)), False),)
        return map_of(entries)

    def _object(self, node: MapNode, env: Env) -> Closure:
        if "objectType" in node.items or "definition" in node.items:
            return self._converted(node, env, self.shorthand.object)
        return self._activity(node, env)

    def _activity(self, node: MapNode, env: Env) -> Closure:
        if "objectType" in node.items or "definition" in node.items or _unknown_shape(node):
            return self._converted(node, env, self.shorthand.activity)
        top: list[Entry] = []
        definition: list[Entry] = []
        for key, value in node.items.items():
            if key in _DEFINITION:
                definition.append((_DEFINITION[key], *self._definition_part(key, value, env)))
            else:
                top.append((key, self.templates.template(value, env), may_be_large(value)))
        if definition:
            top.append(("definition", map_of(tuple(definition)), False))
        return map_of(tuple(top), (("objectType", "Activity"),))

    def _definition_part(self, key: str, node: Node, env: Env) -> tuple[Closure, bool]:
        shorthand = self.shorthand
        if key == "type":
            word = node.value if isinstance(node, ScalarNode) else None
            if isinstance(word, str) and (word in shorthand.vocabulary.types or is_iri(word)):
                env.collected.leaves += 1
                return constant(shorthand.type(word)), False
            return self._converted(node, env, shorthand.type), False
        if key in ("name", "description"):
            return self._words(node, env), False
        if key == "correct":
            return self._converted(node, env, _listed), True
        if key in ("choices", "scale", "source", "target", "steps"):
            return self._converted(node, env, shorthand.components), True
        if key == "extensions":
            return self.templates.template(node, env, keep_empty=True), may_be_large(node)
        return self.templates.template(node, env), may_be_large(node)

    def _words(self, node: Node, env: Env) -> Closure:
        template, language, words = (
            self.templates.template(node, env),
            self.shorthand.language,
            self.shorthand.words,
        )

        def otherwise(scope: Scope, written: Any) -> Any:
            scope.emit_whole(written)
            return words(written)

        def build(scope: Scope) -> Any:
            written = template(scope)
            if written is None:
                return None
            return {language: written} if written.__class__ is str else otherwise(scope, written)

        return shaped(build, Words(template, language, otherwise))

    def _context(self, node: MapNode, env: Env) -> Closure:
        entries: list[Entry] = []
        groups: list[Entry] = []
        for key, value in node.items.items():
            if key in GROUPINGS:
                listed = value.items if isinstance(value, ListNode) else (value,)
                groups.append((key, _group(tuple(self._related(item, env) for item in listed)), False))
            elif key in ("instructor", "team"):
                entries.append((key, self._converted(value, env, self.shorthand.actor), may_be_large(value)))
            else:
                template = self.templates.template(value, env, keep_empty=key == "extensions")
                entries.append((key, template, may_be_large(value)))
        if groups:
            entries.append(("contextActivities", map_of(tuple(groups)), False))
        return map_of(tuple(entries))

    def _related(self, node: Node, env: Env) -> Closure:
        """The activities that one entry of parent, grouping, category or other comes to, as a list."""
        if isinstance(node, MapNode) and not _unknown_shape(node):
            activity = self._activity(node, env)
            if isinstance(form_of(activity), MapOf):
                return activity
            return lambda scope: [
                one for one in (activity(scope),) if one is not None and one.get("id") is not None
            ]
        template, place, related = self.templates.template(node, env), node.place, self.shorthand.related

        def build_written(scope: Scope) -> list[Any]:
            written = template(scope)
            if written is None:
                return []
            scope.emit_whole(written)
            try:
                return related(written)
            except EvaluationError as error:
                raise _placed(error, place) from None

        return build_written


def _unknown_shape(node: MapNode) -> bool:
    """Whether only evaluation tells which keys a mapping has."""
    return any(key.startswith("$") or "${" in key for key in node.items)


def _group(items: tuple[Closure, ...]) -> Closure:
    def build(scope: Scope) -> list[Any] | None:
        found: list[Any] = []
        for item in items:
            made = item(scope)
            if isinstance(made, dict):
                found.extend([made] if "id" in made else [])
            else:
                found.extend(made or ())
        return found or None

    return shaped(build, Group(items))


def constant(value: Any) -> Closure:
    return shaped(lambda scope: value, Constant(value))


def _listed(written: Any) -> list[Any]:
    return written if isinstance(written, list) else [written]


def _placed(error: EvaluationError, place: Place) -> EvaluationError:
    error.place = error.place or place
    return error
