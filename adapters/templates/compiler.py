"""YAML shaped like its result, compiled to closures: literals, `${ }`, `$use`, `$case`, `$each`.

Absent values are left out, and what becomes empty by that is left out too; `false`, `0` and `''` stay.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from adapters.expressions.compiler import compile_parsed
from adapters.expressions.environment import Closure, CompileError, Env, Local, Origin, PayloadPath, absent
from adapters.expressions.forms import Entry
from adapters.expressions.lexer import unknown
from adapters.expressions.paths import payload_path
from adapters.expressions.scope import Scope
from adapters.expressions.values import EvaluationError, condition
from adapters.linting.findings import Lint
from adapters.loading.fragments import use
from adapters.loading.yaml_source import ListNode, MapNode, Node, ScalarNode
from adapters.templates.closures import (
    constant,
    elements,
    empty,
    joined,
    mapping_of,
    traced_leaf,
    traced_part,
)
from adapters.templates.interpolation import bare, may_be_large, parse_piece, pieces

# Text like this was meant as an expression: as text it is the same for every event, and for every person.
_LIKE_A_PATH = re.compile(r"(body|item|vars|identity|remembered|directory|headers|query|fetched)(\.\w|\[)")


class Templates:
    """Compiles templates of one mapping; findings are reported, and compilation goes on."""

    def __init__(self, fragments: Mapping[str, Node]) -> None:
        self.fragments = fragments
        self.using: list[str] = []

    def expression(self, node: Node, env: Env) -> Closure:
        """Compile a bare expression such as `when:`; reports and returns an absent one when it is wrong."""
        return self.parsed(node, env)[0]

    def parsed(self, node: Node, env: Env) -> tuple[Closure, PayloadPath | None]:
        """Compile a bare expression, and tell the payload path it stands for, if any."""
        if isinstance(node, ListNode) or (isinstance(node, ScalarNode) and not isinstance(node.value, str)):
            return self.template(node, env), None
        if isinstance(node, MapNode):
            env.report(node.place.lint("E111", "an expression is wanted here, not a mapping"))
            return absent, None
        try:
            piece = bare(node)
            expression = parse_piece(node, piece)
            closure = compile_parsed(expression, Origin(node, piece.offset), env)
            return closure, payload_path(expression, env)
        except CompileError as error:
            env.report(error.lint)
            return absent, None

    def condition(self, node: Node, env: Env) -> Callable[[Scope], bool]:
        """Compile a condition: absent is false, anything but a boolean is an error at run time."""
        closure = self.expression(node, env)

        def test(scope: Scope) -> bool:
            try:
                return condition(closure(scope))
            except EvaluationError as error:
                error.place = error.place or node.place
                raise

        return test

    def template(self, node: Node, env: Env, *, keep_empty: bool = False) -> Closure:
        """Compile a template; with `keep_empty` the values of a mapping may be empty (extensions)."""
        if isinstance(node, ScalarNode):
            return self.scalar(node, env)
        if isinstance(node, ListNode):
            return self.list_of(node, env)
        if "$case" in node.items:
            return self.case(node, env)
        if "$each" in node.items:
            return self.each(node, env)
        if "$use" in node.items:
            return use(self, node, env)
        return self.mapping(node, env, keep_empty=keep_empty)

    def scalar(self, node: ScalarNode, env: Env) -> Closure:
        value = node.value
        env.collected.leaves += 1
        if not isinstance(value, str) or "${" not in value:
            if isinstance(value, str) and (begun := _LIKE_A_PATH.match(value)):
                env.report(_forgotten(node, value, begun[1]))
            return traced_leaf(constant(value), node, env)
        try:
            parts: list[str | Closure] = []
            for part in pieces(node):
                if isinstance(part, str):
                    parts.append(part)
                else:
                    parsed = parse_piece(node, part)
                    parts.append(compile_parsed(parsed, Origin(node, part.offset), env))
        except CompileError as error:
            env.report(error.lint)
            return absent
        if len(parts) == 1:
            only = parts[0]
            return traced_leaf(constant(only) if isinstance(only, str) else only, node, env)
        return traced_leaf(joined(tuple(parts), node), node, env)

    def list_of(self, node: ListNode, env: Env) -> Closure:
        items = [traced_part(str(i), self.template(item, env), env) for i, item in enumerate(node.items)]

        def build(scope: Scope) -> Any:
            found = [value for item in items if (value := item(scope)) is not None and value != {}]
            scope.emit_whole(found)
            return found or None

        return build

    def mapping(self, node: MapNode, env: Env, *, keep_empty: bool) -> Closure:
        fixed: list[Entry] = []
        dynamic: list[tuple[Closure, Closure, ScalarNode]] = []
        for key, value in node.items.items():
            written = node.keys[key]
            if keep_empty and isinstance(value, MapNode) and not value.items:
                closure: Closure = empty
            else:
                closure = self.template(value, env, keep_empty=key == "extensions")
            if key.startswith("$") and not key.startswith("$$") and not key.startswith("${"):
                message = unknown("directive", key, ["$use", "$case", "$each"])
                env.report(written.place.lint("E110", message))
            elif "${" in key:
                dynamic.append((self.scalar(replace(written, value=key), env), closure, written))
            else:
                fixed.append((key, traced_part(key, closure, env), may_be_large(value)))
        return mapping_of(fixed, dynamic, keep_empty=keep_empty)

    def case(self, node: MapNode, env: Env) -> Closure:
        branches: list[tuple[Callable[[Scope], bool], Closure]] = []
        otherwise: Closure = absent
        self.only(node, {"$case"}, env)
        options = node.items["$case"]
        if not isinstance(options, ListNode) or not options.items:
            env.report(options.place.lint("E111", "$case is a list of { when, value } and { else }"))
            return absent
        for number, option in enumerate(options.items):
            if not isinstance(option, MapNode):
                env.report(option.place.lint("E111", "a branch is { when, value } or { else }"))
            elif set(option.items) == {"when", "value"}:
                test = self.condition(option.items["when"], env)
                value = self.template(option.items["value"], env)
                branches.append((test, env.branch("$case", option.place, value)))
            elif set(option.items) == {"else"} and number == len(options.items) - 1:
                otherwise = env.branch("$case else", option.place, self.template(option.items["else"], env))
            else:
                env.report(
                    option.place.lint("E111", "a branch is { when, value }, or { else } as the last one")
                )

        def build(scope: Scope) -> Any:
            for test, value in branches:
                if test(scope):
                    return value(scope)
            return otherwise(scope)

        return build

    def only(self, node: MapNode, allowed: set[str], env: Env) -> None:
        for key in node.items:
            if key not in allowed:
                message = f"{key!r} cannot stand beside {next(k for k in node.items if k.startswith('$'))}"
                env.report(node.keys[key].place.lint("E110", message))

    def each(self, node: MapNode, env: Env) -> Closure:
        self.only(node, {"$each", "as", "value"}, env)
        named = node.items.get("as")
        if "value" not in node.items or not isinstance(named, ScalarNode) or not named.text.isidentifier():
            env.report(node.place.lint("E112", "$each needs `as` (a variable name) and `value`"))
            return absent
        items, inner, slots = self.loop(node.items["$each"], named, env)
        value = self.template(node.items["value"], inner)

        def build(scope: Scope) -> Any:
            found = []
            for index, item in enumerate(elements(items, scope, node.items["$each"])):
                scope.locals[slots[0]], scope.locals[slots[1]] = item, index
                made = value(scope)
                if made is not None and made != {}:
                    scope.emit(len(made) if made.__class__ is str else 16)
                    found.append(made)
            return found or None

        return build

    def loop(self, node: Node, named: ScalarNode, env: Env) -> tuple[Closure, Env, tuple[int, int]]:
        """Prepare a loop: its list, the environment of its body, the slots of its variable and `index`."""
        if named.text in env.names:
            message = f"{named.text!r} already has a meaning; choose another variable name"
            env.report(named.place.lint("E102", message))
        items, path = self.parsed(node, env)
        slots = (env.slot(), env.slot())
        origin = None if path is None else (path[0], (*path[1], "*"))
        added = {named.text: Local(slots[0], origin), "index": Local(slots[1])}
        return items, env.with_locals(**added), slots


def _forgotten(node: ScalarNode, written: str, root: str) -> Lint:
    shown = written if len(written) <= 60 else f"{written[:60]}…"
    message = f"{shown!r} is text here, the same for every event"
    path = written if len(written) <= 60 and '"' not in written else f"{root}.…"
    return node.place.lint("E109", message, help=f'write "${{ {path} }}" for what is found there')
