"""`let:`: variables, in order; and which of them can be used before people are known. Pure.

A variable may use those before it. One that is made of the event alone can be used wherever the event can;
one that needs a person, an entry of a directory or a fact is there for rules only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from adapters.expressions.environment import MAPPING_NAMES, Env, Variable
from adapters.expressions.inline import straightened
from adapters.expressions.syntax import Expression, Name, Step, constant_path, terms
from adapters.loading.fragments import origin_of
from adapters.loading.yaml_source import ListNode, MapNode, Node, ScalarNode
from adapters.receive.references import expressions_in
from adapters.templates.closures import named
from adapters.templates.compiler import Templates

# What is known only once an event's people, entries and facts were looked up.
LOOKED_UP = frozenset({"directory", "identity", "parent", "remembered", "rule"})


def early_variables(node: Node | None, templates: Templates, env: Env) -> Env:
    """The environment with those variables of `let:` that are made of the event alone."""
    if not isinstance(node, MapNode):
        return env
    early, later = dict(node.items), {}
    known: dict[str, frozenset[str]] = {}
    for name, value in node.items.items():
        known[name] = names_of(value, templates.fragments, known)
        missing = known[name] & LOOKED_UP
        if missing:
            later[name] = missing
            del early[name]
    return replace(variables(replace(node, items=early), templates, env), later=later)


def later_variables(node: Node | None, templates: Templates, env: Env) -> Env:
    """The environment with the other variables as well."""
    if not isinstance(node, MapNode):
        return env
    items = {name: value for name, value in node.items.items() if name in env.later}
    return variables(replace(node, items=items), templates, replace(env, later={}))


def variables(node: Node | None, templates: Templates, env: Env) -> Env:
    """The environment with the variables of a `let:`; each may use those before it."""
    if not isinstance(node, MapNode):
        return env
    for name, value in node.items.items():
        if not name.isidentifier():
            message = f"{name!r} cannot be the name of a variable"
            env.report(node.keys[name].place.lint("E111", message))
            continue
        if name in env.variables:
            env.report(node.keys[name].place.lint("E114", f"vars.{name} is already defined"))
            continue
        inner = replace(env, locals={})
        built = templates.template(value, inner)
        variable = Variable(
            env.slot(),
            named(f"vars.{name}", built if env.tracing else straightened(built), env),
            origin_of(value, inner),
            value,
            inner,
            names_of(value, templates.fragments, {key: one.needs for key, one in env.variables.items()}),
        )
        env = replace(env, variables={**env.variables, name: variable})
    return env


def limited(env: Env, names: frozenset[str]) -> Env:
    """The environment where only these names exist; variables that need others are not there yet."""
    names &= env.names
    later = {name: one.needs - names for name, one in env.variables.items() if one.needs - names}
    variables = {name: one for name, one in env.variables.items() if name not in later}
    return replace(env, names=names, variables=variables, later={**env.later, **later})


def names_of(
    node: Node, fragments: Mapping[str, Node], variables: Mapping[str, frozenset[str]]
) -> frozenset[str]:
    """The names that a template uses, those that its fragments and variables use included."""
    found: set[str] = set()
    for expression in _expressions(node, fragments, set()):
        for term in terms(expression):
            path = constant_path(term) if isinstance(term, Step) else None
            if path is not None and path[0] == "vars":
                found |= variables.get(str(path[1][0]), frozenset())
            elif isinstance(term, Name):
                found.add(term.name)
    return frozenset(found & MAPPING_NAMES - {"vars"})


def _expressions(node: Node, fragments: Mapping[str, Node], seen: set[str]) -> Iterator[Expression]:
    if isinstance(node, ScalarNode):
        if isinstance(node.value, str) and "${" in node.value:
            yield from expressions_in(node)
    elif isinstance(node, ListNode):
        for item in node.items:
            yield from _expressions(item, fragments, seen)
    else:
        for key, value in node.items.items():
            if "${" in key:
                yield from expressions_in(replace(node.keys[key], value=key))
            if key in ("$each", "when") and isinstance(value, ScalarNode):
                yield from expressions_in(value)  # written bare
            elif key == "$use" and isinstance(value, ScalarNode):
                if value.text in fragments and value.text not in seen:
                    seen.add(value.text)
                    yield from _expressions(fragments[value.text], fragments, seen)
            else:
                yield from _expressions(value, fragments, seen)
