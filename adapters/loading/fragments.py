"""`$use`: a fragment with its arguments, and what stands beside it laid over what it makes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from adapters.expressions.environment import Closure, CompileError, Env, Local, PayloadPath, absent
from adapters.expressions.lexer import unknown
from adapters.expressions.paths import payload_path
from adapters.expressions.scope import Scope
from adapters.loading.yaml_source import MapNode, Node, ScalarNode
from adapters.templates.interpolation import Piece, parse_piece, pieces

if TYPE_CHECKING:
    from adapters.templates.compiler import Templates

MAX_EXPANSIONS = 2_000


def use(templates: Templates, node: MapNode, env: Env) -> Closure:
    """Compile a `$use`; circles and endless expansion are findings."""
    name_node = node.items["$use"]
    name = name_node.text if isinstance(name_node, ScalarNode) else ""
    if name not in templates.fragments:
        env.report(name_node.place.lint("E113", unknown("fragment", name, sorted(templates.fragments))))
        return absent
    env.collected.expansions += 1
    if name in templates.using:
        chain = " → ".join([*templates.using, name])
        env.report(name_node.place.lint("E113", f"fragments use each other in a circle: {chain}"))
        return absent
    if env.collected.expansions > MAX_EXPANSIONS:
        message = f"fragments are used more than {MAX_EXPANSIONS} times, counting uses inside fragments"
        raise CompileError(name_node.place.lint("E106", message))
    env.collected.fragments_used.add(name)
    args, inner = arguments(templates, node, env)
    templates.using.append(name)
    fragment = templates.template(templates.fragments[name], inner)
    templates.using.pop()
    rest = {key: value for key, value in node.items.items() if key not in ("$use", "with")}
    removed = tuple(_nulls(replace(node, items=rest)))
    over = None
    if rest:
        over = templates.mapping(replace(node, items=rest), env, keep_empty=False)

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


def arguments(templates: Templates, node: MapNode, env: Env) -> tuple[list[tuple[int, Closure]], Env]:
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
            args.append((slot, templates.template(value, env)))
            locals_[key] = Local(slot, origin_of(value, env))
    return args, replace(env, locals=locals_)


def origin_of(node: Node, env: Env) -> PayloadPath | None:
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
