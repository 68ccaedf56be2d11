"""YAML shaped like its result, compiled to closures: literals, `${ }`, `$use`, `$case`, `$each`.

Absent values are left out, and what becomes empty by that is left out too; `false`, `0` and `''` stay.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from adapters.expressions.compiler import compile_parsed, payload_path
from adapters.expressions.environment import (
    Closure,
    CompileError,
    Env,
    Local,
    Origin,
    PayloadPath,
)
from adapters.expressions.forms import Constant, Entry, Joined, shaped
from adapters.expressions.inline import LONG, map_of, text_at
from adapters.expressions.lexer import unknown
from adapters.expressions.scope import Scope
from adapters.expressions.values import EvaluationError, condition, describe, sized, text
from adapters.interpolation import Piece, bare, may_be_large, parse_piece, pieces
from adapters.lints import Lint
from adapters.yaml_source import ListNode, MapNode, Node, ScalarNode

MAX_EXPANSIONS = 2_000
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
            return _absent, None
        try:
            piece = bare(node)
            expression = parse_piece(node, piece)
            closure = compile_parsed(expression, Origin(node, piece.offset), env)
            return closure, payload_path(expression, env)
        except CompileError as error:
            env.report(error.lint)
            return _absent, None

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
            return self.use(node, env)
        return self.mapping(node, env, keep_empty=keep_empty)

    def scalar(self, node: ScalarNode, env: Env) -> Closure:
        value = node.value
        env.collected.leaves += 1
        if not isinstance(value, str) or "${" not in value:
            if isinstance(value, str) and (begun := _LIKE_A_PATH.match(value)):
                env.report(_forgotten(node, value, begun[1]))
            return _traced_leaf(_constant(value), node, env)
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
            return _absent
        if len(parts) == 1:
            only = parts[0]
            return _traced_leaf(_constant(only) if isinstance(only, str) else only, node, env)
        return _traced_leaf(_joined(tuple(parts), node), node, env)

    def list_of(self, node: ListNode, env: Env) -> Closure:
        items = [_traced_part(str(i), self.template(item, env), env) for i, item in enumerate(node.items)]

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
                closure: Closure = _empty
            else:
                closure = self.template(value, env, keep_empty=key == "extensions")
            if key.startswith("$") and not key.startswith("$$") and not key.startswith("${"):
                message = unknown("directive", key, ["$use", "$case", "$each"])
                env.report(written.place.lint("E110", message))
            elif "${" in key:
                dynamic.append((self.scalar(replace(written, value=key), env), closure, written))
            else:
                fixed.append((key, _traced_part(key, closure, env), may_be_large(value)))
        return _mapping(fixed, dynamic, keep_empty=keep_empty)

    def case(self, node: MapNode, env: Env) -> Closure:
        branches: list[tuple[Callable[[Scope], bool], Closure]] = []
        otherwise: Closure = _absent
        self.only(node, {"$case"}, env)
        options = node.items["$case"]
        if not isinstance(options, ListNode) or not options.items:
            env.report(options.place.lint("E111", "$case is a list of { when, value } and { else }"))
            return _absent
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
            return _absent
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

    def use(self, node: MapNode, env: Env) -> Closure:
        name_node = node.items["$use"]
        name = name_node.text if isinstance(name_node, ScalarNode) else ""
        if name not in self.fragments:
            env.report(name_node.place.lint("E113", unknown("fragment", name, sorted(self.fragments))))
            return _absent
        env.collected.expansions += 1
        if name in self.using:
            chain = " → ".join([*self.using, name])
            env.report(name_node.place.lint("E113", f"fragments use each other in a circle: {chain}"))
            return _absent
        if env.collected.expansions > MAX_EXPANSIONS:
            message = f"fragments are used more than {MAX_EXPANSIONS} times, counting uses inside fragments"
            raise CompileError(name_node.place.lint("E106", message))
        env.collected.fragments_used.add(name)
        args, inner = self.arguments(node, env)
        self.using.append(name)
        fragment = self.template(self.fragments[name], inner)
        self.using.pop()
        rest = {key: value for key, value in node.items.items() if key not in ("$use", "with")}
        removed = tuple(_nulls(replace(node, items=rest)))
        over = None
        if rest:
            over = self.mapping(replace(node, items=rest), env, keep_empty=False)

        def build(scope: Scope) -> Any:
            scope.spend(1)
            for slot, value in args:
                scope.locals[slot] = value(scope)
            base = fragment(scope)
            if over is None:
                return base
            made = merged(base, over(scope))
            for path in removed:
                made = _left_out(made, path)
            return made

        return build

    def arguments(self, node: MapNode, env: Env) -> tuple[list[tuple[int, Closure]], Env]:
        given = node.items.get("with")
        args: list[tuple[int, Closure]] = []
        locals_: dict[str, Local] = {}
        if given is not None and not isinstance(given, MapNode):
            env.report(given.place.lint("E111", "`with` is a mapping of argument names to values"))
        elif given is not None:
            for key, value in given.items.items():
                if not key.isidentifier() or key in env.names:
                    message = f"{key!r} cannot be the name of an argument"
                    env.report(given.keys[key].place.lint("E102", message))
                    continue
                slot = env.slot()
                args.append((slot, self.template(value, env)))
                locals_[key] = Local(slot, self.origin_of(value, env))
        return args, replace(env, locals=locals_)

    def origin_of(self, node: Node, env: Env) -> PayloadPath | None:
        """The payload path that a template consisting of one expression stands for."""
        if not isinstance(node, ScalarNode) or not isinstance(node.value, str) or "${" not in node.value:
            return None
        try:
            parts = pieces(node)
            if len(parts) == 1 and isinstance(parts[0], Piece):
                return payload_path(parse_piece(node, parts[0]), env)
        except CompileError:
            return None
        return None


def elements(items: Closure, scope: Scope, node: Node) -> list[Any]:
    """The elements of a loop's list, paid for; an absent list has none."""
    found = items(scope)
    if found is None:
        return []
    if not isinstance(found, list):
        error = EvaluationError(f"a list is wanted, got {describe(found)}")
        error.place = node.place
        raise error
    if scope.trace is not None:
        scope.trace.iterate(found)
    scope.spend(len(found))
    return found


def merged(base: Any, over: Any) -> Any:
    """Lay one value over another: mappings key by key at every level, anything else replaces."""
    if over is None:
        return base
    if not isinstance(base, dict) or not isinstance(over, dict):
        return over
    result = dict(base)
    for key, value in over.items():
        result[key] = merged(result.get(key), value)
    return result


def _nulls(node: MapNode) -> Iterator[tuple[str, ...]]:
    """The keys beside `$use` that are written as null: what a fragment gives there is left out."""
    for key, value in node.items.items():
        if isinstance(value, ScalarNode) and value.value is None:
            yield (key,)
        elif isinstance(value, MapNode) and not any(name.startswith("$") for name in value.items):
            for path in _nulls(value):
                yield (key, *path)


def _left_out(value: Any, path: tuple[str, ...]) -> Any:
    """A copy of a value without what is at a path; absent when nothing else was there."""
    if not isinstance(value, dict) or path[0] not in value:
        return value
    rest = {key: one for key, one in value.items() if key != path[0]}
    if len(path) > 1 and (inner := _left_out(value[path[0]], path[1:])) is not None:
        rest[path[0]] = inner
    return rest or None


def _forgotten(node: ScalarNode, written: str, root: str) -> Lint:
    shown = written if len(written) <= 60 else f"{written[:60]}…"
    message = f"{shown!r} is text here, the same for every event"
    path = written if len(written) <= 60 and '"' not in written else f"{root}.…"
    return node.place.lint("E109", message, help=f'write "${{ {path} }}" for what is found there')


def _absent(scope: Scope) -> None:
    return None


def _empty(scope: Scope) -> dict[str, Any]:
    return {}


def _constant(value: Any) -> Closure:
    return shaped(lambda scope: value, Constant(value))


def _joined(parts: tuple[str | Closure, ...], node: ScalarNode) -> Closure:
    place = node.place

    def build(scope: Scope) -> str | None:
        values = [part if isinstance(part, str) else part(scope) for part in parts]
        if any(value is None for value in values):
            return None
        found = [value if value.__class__ is str else text_at(value, place) for value in values]
        whole = "".join(found)
        if len(whole) > LONG:
            scope.charge(sized(whole))
        return whole

    return shaped(build, Joined(parts, place))


def _mapping(
    fixed: list[Entry],
    dynamic: list[tuple[Closure, Closure, ScalarNode]],
    *,
    keep_empty: bool,
) -> Closure:
    build = map_of(tuple(fixed), keep_empty=keep_empty)
    if not dynamic:
        return build

    def build_dynamic(scope: Scope) -> Any:
        made = build(scope) or {}
        for key, value, node in dynamic:
            name, found = key(scope), value(scope)
            if name is None or found is None or (found == {} and not keep_empty):
                continue
            scope.emit_whole(found)
            try:
                made[text(name)] = found
            except EvaluationError as error:
                error.place = error.place or node.place
                raise
        return made or None

    return build_dynamic


def _traced_leaf(closure: Closure, node: ScalarNode, env: Env) -> Closure:
    if not env.tracing:
        return closure

    def traced(scope: Scope) -> Any:
        value = closure(scope)
        if scope.trace is not None:
            scope.trace.write(node.text, node.place, value)
        return value

    return traced


def _traced_part(key: str, closure: Closure, env: Env) -> Closure:
    if not env.tracing:
        return closure

    def traced(scope: Scope) -> Any:
        if scope.trace is None:
            return closure(scope)
        with scope.trace.within(key):
            return closure(scope)

    return traced


def named(path: str, closure: Closure, env: Env) -> Closure:
    """Let `explain` show what a variable or candidate does under its own name."""
    if not env.tracing:
        return closure

    def traced(scope: Scope) -> Any:
        if scope.trace is None:
            return closure(scope)
        with scope.trace.within(path, absolute=True):
            return closure(scope)

    return traced
