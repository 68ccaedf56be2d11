"""Statement templates compiled straight to canonical xAPI, where their shape is written out in the file.

What a template comes to only at run time (`$use`, `$case`, an expression for a whole object) is written out
then, by `Shorthand`. Both ways make the same statement; this one saves the common case the detour.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from adapters.expressions.environment import Closure, Collected, Env
from adapters.expressions.forms import (
    Constant,
    Entry,
    Group,
    MapOf,
    Provenance,
    StatementId,
    Words,
    form_of,
    gives,
    shaped,
)
from adapters.expressions.inline import LONG, map_of, straightened
from adapters.expressions.scope import MAX_OUTPUT, Scope, measure
from adapters.expressions.values import EvaluationError
from adapters.loading.yaml_source import ListNode, MapNode, Node, Place, ScalarNode
from adapters.statements import SOURCE_EXTENSION, Origin
from adapters.templates.compiler import Templates
from adapters.templates.interpolation import may_be_large
from adapters.templates.shorthand import GROUPINGS, Shorthand
from adapters.uuids import SEPARATOR, namer
from adapters.vocabulary.terms import Where
from adapters.vocabulary.words import is_iri

_VARIABLE = re.compile(r"\$\{\s*vars\.(\w+)\s*\}")
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

    def __init__(self, templates: Templates, shorthand: Shorthand, origin: Origin) -> None:
        self.templates = templates
        self.shorthand = shorthand
        self.origin = origin

    def sure(self, node: MapNode, env: Env) -> bool:
        """Whether the actor is an identity and the verb a constant, so that only absence is left to check."""
        actor, verb = node.items.get("actor"), node.items.get("verb")
        if env.tracing or not isinstance(actor, ScalarNode) or not isinstance(verb, ScalarNode):
            return False
        agent = gives(self.templates.template(actor, env)) == "agent"
        return agent and isinstance(verb.value, str) and "${" not in verb.value

    def completed(self, node: MapNode, env: Env, id_name: str) -> tuple[Closure, bool]:
        """A closure as `statement` makes it, and whether it makes id, platform and provenance already.

        That is so where the template shows that nothing it comes to at run time could decide otherwise.
        """
        context = node.items.get("context", MapNode(place=node.place, items={}, keys={}))
        if (
            env.tracing
            or _unknown_shape(node)
            or "id" in node.items
            or not (isinstance(context, MapNode) and _plain_context(context))
            or not _is_activity(node.items.get("object"))
        ):
            return self.statement(node, env), False
        name = f"{SEPARATOR}{id_name}{SEPARATOR}"
        entries: list[Entry] = [("id", _id(self.origin.namespace(), name), False)]
        for key, value in node.items.items():
            if key != "context":
                entries.append((key, *self._part(key, value, env)))
        entries.append(("context", self._whole_context(context, env), False))
        return straightened(map_of(tuple(entries))), True

    def _whole_context(self, node: MapNode, env: Env) -> Closure:
        """The context with the platform and where the statement comes from."""
        form = form_of(self._context(node, env))
        assert isinstance(form, MapOf)
        entries = [entry for entry in form.entries if entry[0] != "extensions"]
        if self.origin.platform is not None:
            entries.append(("platform", constant(self.origin.platform), False))
        own = next((entry for entry in form.entries if entry[0] == "extensions"), None)
        if self.origin.provenance:
            inner = form_of(own[1]) if own is not None else None
            written = inner.entries if isinstance(inner, MapOf) else ()
            source: Entry = (SOURCE_EXTENSION, shaped(lambda scope: scope.provenance, Provenance()), False)
            entries.append(("extensions", map_of((*written, source), keep_empty=True), False))
        elif own is not None:
            entries.append(own)
        return map_of(tuple(entries))

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
        if key == "result" and isinstance(node, MapNode) and not _unknown_shape(node):
            return self._result(node, env), may_be_large(node)
        shorthand = self.shorthand
        convert = {
            "actor": shorthand.actor,
            "attachments": shorthand.attachments,
            "result": shorthand.result,
        }.get(key)
        if convert is None:
            return self.templates.template(node, env), may_be_large(node)
        if key == "actor":
            template = self.templates.template(node, env)
            if gives(template) == "agent":
                return template, False
        return self._converted(node, env, convert), may_be_large(node)

    def _result(self, node: MapNode, env: Env) -> Closure:
        extensions = node.items.get("extensions")
        if extensions is None:
            return self.templates.template(node, env)
        if isinstance(extensions, MapNode) and not _unknown_shape(extensions):
            items = {**node.items, "extensions": self._named(extensions, "result")}
            return self.templates.template(replace(node, items=items), env)
        return self._converted(node, env, self.shorthand.result)

    def _extensions(self, node: Node, env: Env, where: Where) -> Closure:
        if isinstance(node, MapNode) and not _unknown_shape(node):
            return self.templates.template(self._named(node, where), env, keep_empty=True)
        convert = self.shorthand.extensions
        return self._converted(node, env, lambda written: convert(written, where), keep_empty=True)

    def _named(self, node: MapNode, where: Where) -> MapNode:
        """Extensions with IRIs for their words; a word that is none is refused by the shape check."""
        known = self.shorthand.vocabulary.extensions[where]
        if not any(key in known for key in node.items):
            return node
        iris = {key: known.get(key, key) for key in node.items}
        return replace(
            node,
            items={iris[key]: value for key, value in node.items.items()},
            keys={iris[key]: node.keys[key] for key in node.items},
        )

    def _converted(
        self, node: Node, env: Env, convert: Callable[[Any], Any], *, keep_empty: bool = False
    ) -> Closure:
        template, place = self.templates.template(node, env, keep_empty=keep_empty), node.place

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
            return self._extensions(node, env, "activity"), may_be_large(node)
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
            elif key == "extensions":
                entries.append((key, self._extensions(value, env, "context"), may_be_large(value)))
            else:
                entries.append((key, self.templates.template(value, env), may_be_large(value)))
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
        known = self._variable_activity(node, env)
        if known is not None:
            return known
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

    def _variable_activity(self, node: Node, env: Env) -> Closure | None:
        """The activity a variable holds, made once an event; what is long in it counts at every use."""
        name = _variable(node)
        variable = env.variables.get(name) if name is not None and not env.tracing else None
        if variable is None or variable.env is None or not _is_activity(variable.node):
            return None
        assert isinstance(variable.node, MapNode)
        written = replace(variable.env, collected=Collected(slots=env.collected.slots))
        activity, slot = straightened(self._activity(variable.node, written)), env.slot()

        def run(scope: Scope) -> list[Any]:
            kept = scope.kept
            if slot not in kept:
                made = activity(scope)
                found = [made] if made is not None and made.get("id") is not None else []
                kept[slot] = (found, measure(found, MAX_OUTPUT))
            found, size = kept[slot]
            if size > 2 * LONG:
                scope.emit(size)
            return list(found)

        return run


def _variable(node: Node) -> str | None:
    """`x` of a text that is `${ vars.x }`."""
    match = _VARIABLE.fullmatch(node.text) if isinstance(node, ScalarNode) else None
    return match[1] if match is not None else None


def _id(namespace: bytes, name: str) -> Closure:
    uuid_of = namer(namespace)

    def build(scope: Scope) -> str:
        return uuid_of((scope.event_id or "") + name + scope.key)

    return shaped(build, StatementId(uuid_of, name))


def _plain_context(node: MapNode) -> bool:
    """Whether a context says with its keys everything that decides its shape."""
    if _unknown_shape(node) or "contextActivities" in node.items or "platform" in node.items:
        return False
    extensions = node.items.get("extensions")
    if extensions is None:
        return True
    return isinstance(extensions, MapNode) and not _unknown_shape(extensions)


def _is_activity(node: Node | None) -> bool:
    return (
        isinstance(node, MapNode)
        and not _unknown_shape(node)
        and not {"objectType", "definition"} & node.items.keys()
    )


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
