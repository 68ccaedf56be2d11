"""One statement of a rule: built from its template, written out, completed, checked for what xAPI wants."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from adapters.expressions.environment import Closure
from adapters.expressions.scope import Scope
from adapters.expressions.values import EvaluationError, describe, text
from adapters.functions.times import instant, rfc3339
from adapters.loading.yaml_source import MapNode, Node, Place
from adapters.templates.closures import elements
from adapters.uuids import SEPARATOR, name_uuid

SOURCE_EXTENSION = "https://w3id.org/xapi-gateway/extension/source"
MAX_STATEMENTS = 1_000

_NO_ACTOR = "name the learner under `identity:` and write actor: ${ identity.NAME }"
_IDENTIFIERS = ("mbox", "mbox_sha1sum", "openid")
_WITH_ID = (None, "Activity", "StatementRef")


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What every statement of a mapping has in common."""

    adapter: str
    version: int
    platform: str | None
    timezone: str | None
    provenance: bool

    def namespace(self) -> bytes:
        """The UUID namespace of the adapter's statement ids."""
        return uuid.uuid5(uuid.NAMESPACE_URL, f"urn:gateway:adapter:{self.adapter}").bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """`for_each`: the list, the slots of the variable and `index`, and what tells elements apart."""

    items: Closure
    slots: tuple[int, int]
    key: Closure | None
    key_place: Place
    node: Node


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementPlan:
    """One compiled `statement:`. `id_name` is its part of statement ids, `leaves` counts its fields.

    `as_sent` is for statements that arrive as such: their time is kept as it was written. The template
    of a `completed` one makes id, platform and provenance itself; a `sure` one has an identity as
    actor and a constant verb.
    """

    node: MapNode
    template: Closure
    id_name: str
    when: Callable[[Scope], bool] | None
    loop: Loop | None
    places: Mapping[str, Place]
    leaves: int
    as_sent: bool = False
    completed: bool = False
    sure: bool = False

    def build(self, scope: Scope, maker: Maker) -> list[dict[str, Any]]:
        """All statements this plan makes of one event, finished."""
        loop = self.loop
        if loop is None:
            if self.when is not None and not self.when(scope):
                return []
            return [maker.finish(self, scope, "")]
        made = []
        variable, position = loop.slots
        for index, item in enumerate(elements(loop.items, scope, loop.node)):
            scope.locals[variable], scope.locals[position] = item, index
            if self.when is None or self.when(scope):
                key = loop.key(scope) if loop.key is not None else None
                written = key if key.__class__ is str else self._key(key, index, loop)
                made.append(maker.finish(self, scope, written))
        return made

    def _key(self, key: Any, index: int, loop: Loop) -> str:
        if loop.key is None:
            return str(index)
        if key is None:
            error = EvaluationError("the key of this element is absent", code="R102")
            error.place = loop.key_place
            raise error
        return text(key)

    def place(self, field: str) -> Place:
        """Where a field is written, or its nearest parent that is."""
        parts = field.split(".")
        while parts:
            found = self.places.get(".".join(parts))
            if found is not None:
                return found
            parts.pop()
        return self.node.place

    def error(self, message: str, field: str, *, help: str | None = None) -> EvaluationError:
        error = EvaluationError(message, code="R102", help=help)
        error.place = self.place(field)
        return error


class Maker:
    """Finishes the statements of one event; counts them and their fields."""

    def __init__(self, origin: Origin, namespace: bytes, *, delivery: str | None) -> None:
        self.origin = origin
        self.namespace = namespace
        self.delivery = delivery
        self.required: tuple[str, ...] = ()
        self.count = 0
        self.leaves = 0

    def provenance(self, rule: str) -> dict[str, Any]:
        """Where the statements of a rule come from; they share it, so nobody changes it."""
        source = {"adapter": self.origin.adapter, "version": self.origin.version, "rule": rule}
        return source if self.delivery is None else {**source, "delivery": self.delivery}

    def finish(self, plan: StatementPlan, scope: Scope, key: str) -> dict[str, Any]:
        """Evaluate, complete and check one statement; raises `EvaluationError`."""
        self.count += 1
        if self.count > MAX_STATEMENTS:
            raise EvaluationError(f"more than {MAX_STATEMENTS} statements of one event", code="R203")
        self.leaves += plan.leaves
        if plan.leaves > 64:
            scope.spend(plan.leaves >> 4)
        scope.key = key
        try:
            made: dict[str, Any] | None = plan.template(scope)
        except EvaluationError as error:
            error.place = error.place or plan.place(error.field or "")
            raise
        if made is None:
            raise plan.error("the statement is empty", "")
        if plan.completed:
            self.date(made, plan, scope)
            self.check(made, plan)
            return made
        if "id" not in made:
            name = SEPARATOR.join((scope.event_id or "", plan.id_name, key))
            made = {"id": name_uuid(self.namespace, name), **made}
        self.date(made, plan, scope)
        self.place_in_context(made, scope)
        self.check(made, plan)
        return made

    def date(self, made: dict[str, Any], plan: StatementPlan, scope: Scope) -> None:
        written = made.get("timestamp")
        if written is None:
            made["timestamp"] = scope.received_at
            where = plan.place("timestamp")
            message = f"{plan.id_name}: no timestamp; the time of receipt was used"
            scope.warnings.append(where.lint("W402", message))
            return
        if written.__class__ is not str:
            hint = "numbers need from_seconds(x) or from_millis(x)"
            raise plan.error(f"timestamp: needs text, got {describe(written)}", "timestamp", help=hint)
        try:
            canonical = _canonical_time(written, self.origin.timezone)
            if not plan.as_sent:
                made["timestamp"] = canonical
        except EvaluationError as error:
            raise plan.error(f"timestamp: {error.message}", "timestamp", help=error.help) from None

    def place_in_context(self, made: dict[str, Any], scope: Scope) -> None:
        """Add the platform and where the statement comes from."""
        origin = self.origin
        context = made.get("context")
        if context is None:
            context = {}
        elif context.__class__ is not dict:
            return
        if origin.platform is not None and "platform" not in context:
            target = made.get("object")
            if target.__class__ is dict and target.get("objectType", "Activity") == "Activity":
                context["platform"] = origin.platform
        if origin.provenance:
            source = scope.provenance
            extensions = context.get("extensions")
            if extensions is None:
                context["extensions"] = {SOURCE_EXTENSION: source}
            elif extensions.__class__ is dict:
                context["extensions"] = {**extensions, SOURCE_EXTENSION: source}
        if context:
            made["context"] = context

    def check(self, made: dict[str, Any], plan: StatementPlan) -> None:
        """What xAPI requires of every statement, and what the rule requires besides."""
        if plan.sure and not self.required:
            target, actor = made.get("object"), made.get("actor")
            if target is not None and "id" in target and actor is not None and actor["account"]["name"]:
                return
        actor = made.get("actor")
        if actor is None:
            if "actor" in plan.places:
                raise plan.error("missing required actor: no candidate has a value", "actor")
            raise plan.error("missing required actor: the statement has no `actor`", "actor", help=_NO_ACTOR)
        if actor.__class__ is not dict or not _identified(actor):
            hint = "an actor has an account, mbox, mbox_sha1sum or openid"
            raise plan.error("missing required identifier of actor", "actor", help=hint)
        verb, target = made.get("verb"), made.get("object")
        if verb.__class__ is not dict or verb.get("id") is None:
            raise plan.error("missing required verb.id", "verb.id")
        if target.__class__ is not dict or (
            target.get("id") is None and target.get("objectType") in _WITH_ID
        ):
            raise plan.error("missing required object.id", "object.id")
        for field in self.required:
            if _at(made, field) is None:
                raise plan.error(f"missing required {field}", field)


def _identified(actor: dict[str, Any]) -> bool:
    account = actor.get("account")
    if account.__class__ is dict:
        return bool(account.get("homePage") and account.get("name"))
    if actor.get("objectType") == "Group" and actor.get("member"):
        return True
    return any(actor.get(key) for key in _IDENTIFIERS)


def _at(value: Any, path: str) -> Any:
    for key in path.split("."):
        if isinstance(value, list) and key.isdecimal():
            value = value[int(key)] if int(key) < len(value) else None
        else:
            value = value.get(key) if isinstance(value, dict) else None
    return value


@lru_cache(maxsize=1024)
def _canonical_time(written: str, timezone: str | None) -> str:
    return rfc3339(instant(written, timezone))


def field_places(node: Node, fragments: Mapping[str, Node]) -> dict[str, Place]:
    """Where each field of a statement template is written, looking through fragments."""
    found: dict[str, Place] = {}
    _collect(node, "", fragments, found, 0)
    return found


def _collect(
    node: Node, path: str, fragments: Mapping[str, Node], found: dict[str, Place], depth: int
) -> None:
    if not isinstance(node, MapNode) or depth > 16 or len(found) > 2_000:
        return
    used = node.items.get("$use")
    if used is not None:
        fragment = fragments.get(getattr(used, "text", ""))
        if fragment is not None:
            _collect(fragment, path, fragments, found, depth + 1)
    for key, value in node.items.items():
        inner = f"{path}.{key}" if path else key
        found[inner] = node.keys[key].place
        _collect(value, inner, fragments, found, depth + 1)
