"""`rules:` to compiled rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from adapters.expressions.compiler import parse_at
from adapters.expressions.environment import Collected, CompileError, Env
from adapters.expressions.scope import Scope
from adapters.expressions.syntax import constant_path
from adapters.expressions.values import EvaluationError, describe
from adapters.loading.fragments import merged
from adapters.loading.grammar import STATEMENT, STATEMENT_CONTROL
from adapters.loading.model import Block
from adapters.loading.variables import variables
from adapters.loading.yaml_source import ListNode, MapNode, Node, ScalarNode
from adapters.privacy import Hidden, Hiding
from adapters.rules import Match, Rule, glob
from adapters.statements import Loop, Origin, StatementPlan, field_places
from adapters.templates.canonical import Canonical
from adapters.templates.compiler import Templates
from adapters.templates.shapes import ShapeChecker
from adapters.templates.shorthand import Shorthand


class RuleLoader:
    """Compiles the rules of one mapping in the environment of its tables, variables and identities."""

    def __init__(
        self,
        env: Env,
        templates: Templates,
        shorthand: Shorthand,
        fragments: Mapping[str, Node],
        origin: Origin,
    ) -> None:
        self.env = env
        self.templates = templates
        self.fragments = fragments
        self.canonical = Canonical(templates, shorthand, origin)
        self.shapes = ShapeChecker(shorthand, fragments, env.tables)

    def load(self, block: Block) -> list[Rule]:
        rules: list[Rule] = []
        names: dict[str, ScalarNode] = {}
        for node in block.listed("rules"):
            if not isinstance(node, MapNode):
                continue
            rules.append(self.rule(Block(node)))
            for key in ("name", "id_key"):
                found = Block(node).scalar(key)
                if found is None:
                    continue
                if found.text in names:
                    first = names[found.text].place
                    message = f"rule name {found.text!r} is used twice (first at {first.line}:{first.column})"
                    self.env.report(found.place.lint("E114", message))
                names.setdefault(found.text, found)
        if not rules and "rules" in block:
            self.env.report(block.place("rules").lint("E112", "rules is a list of at least one rule"))
        for lint in self.shapes.lints:
            self.env.report(lint)
        return rules

    def rule(self, block: Block) -> Rule:
        env = variables(block.get("let"), self.templates, self.env)
        when = block.get("when")
        assert block.node is not None
        return Rule(
            name=block.text("name"),
            node=block.node,
            matches=tuple(self.matches(block, env)),
            when=self.templates.condition(when, env) if when is not None else None,
            when_text=when.text if isinstance(when, ScalarNode) else None,
            reason=block.text("reason") or None,
            plans=tuple(self.plans(block, env)),
            required=block.texts("required"),
            skip_errors=block.text("on_error") == "skip",
        )

    def matches(self, block: Block, env: Env) -> list[Match]:
        node = block.get("match")
        found: list[Match] = []
        if not isinstance(node, MapNode):
            return found
        for path, wanted in node.items.items():
            written = node.keys[path]
            try:
                if constant_path(parse_at(path, written, 0)) is None:
                    raise CompileError(
                        written.place.lint("E111", "the key of a match is a path such as body.event")
                    )
            except CompileError as error:
                env.report(error.lint)
                continue
            options = wanted.items if isinstance(wanted, ListNode) else (wanted,)
            exact: list[Any] = []
            globs: list[tuple[str, Any]] = []
            for option in options:
                if not isinstance(option, ScalarNode):
                    env.report(option.place.lint("E111", "a match is a value, a list of values or a glob"))
                elif isinstance(option.value, str) and ("*" in option.value or "?" in option.value):
                    globs.append((option.value, glob(option.value)))
                else:
                    exact.append(option.value)
            value = self.templates.expression(replace(written, value=path), env)
            found.append(Match(path, value, tuple(exact), tuple(globs), written.place))
        return found

    def plans(self, block: Block, env: Env) -> list[StatementPlan]:
        single, several = block.get("statement"), block.listed("statements")
        ignoring = block.flag("ignore", default=False)
        given = [key for key in ("statement", "statements", "passthrough") if key in block] + [
            "ignore"
        ] * ignoring
        if len(given) != 1:
            message = "a rule has one of statement, statements, passthrough, ignore: true"
            env.report(block.place().lint("E112", message))
        if "reason" in block and not ignoring:
            env.report(block.place("reason").lint("W121", "reason explains `ignore: true` only"))
        base = block.text("id_key") or block.text("name")
        if "passthrough" in block and len(given) == 1:
            return [self.passthrough(block, base, env)]
        if isinstance(single, MapNode):
            return [self.plan(single, base, env, first=True)]
        plans: list[StatementPlan] = []
        names: set[str] = set()
        for number, node in enumerate(several):
            if not isinstance(node, MapNode):
                continue
            name = Block(node).text("name")
            if not name and len(several) > 1:
                env.report(
                    node.place.lint("E112", "each of several statements needs a name; it is part of its id")
                )
            if name and name in names:
                env.report(node.place.lint("E114", f"statement name {name!r} is used twice in this rule"))
            names.add(name)
            plans.append(self.plan(node, f"{base}/{name}" if name else base, env, first=number == 0))
        return plans

    def passthrough(self, block: Block, id_name: str, env: Env) -> StatementPlan:
        """A statement that arrives as one: parts are taken out, then the patch is laid over it."""
        settings = block.block("passthrough")
        patch = settings.get("patch")
        over = None
        if isinstance(patch, MapNode):
            self.shapes.check(patch, "statement")
            over = self.canonical.statement(patch, env)
        removed = Hiding(
            Hidden(tuple(path.replace("[*]", ".*").split(".")), "drop") for path in settings.texts("remove")
        )
        batched, place = "item" in env.names, block.place("passthrough")

        def build(scope: Scope) -> dict[str, Any] | None:
            found = scope.item if batched else scope.body
            if not isinstance(found, dict):
                error = EvaluationError(f"passthrough: a statement is wanted, got {describe(found)}")
                error.place = place
                raise error
            if scope.trace is not None:
                scope.trace.step_all(found)
            scope.emit_whole(found)
            made = removed(dict(found))
            if over is not None:
                made = merged(made, over(scope))
            context = made.get("context")
            return {**made, "context": dict(context)} if isinstance(context, dict) else made

        node = patch if isinstance(patch, MapNode) else settings.node
        assert node is not None
        return StatementPlan(
            node=node,
            template=build,
            leaves=0,
            id_name=id_name,
            when=None,
            loop=None,
            places=field_places(node, self.fragments),
            as_sent=True,
        )

    def plan(self, node: MapNode, id_name: str, env: Env, *, first: bool) -> StatementPlan:
        block = Block(node)
        inner = env if first else replace(env, names=env.names | {"parent"})
        loop = None
        items, key = block.get("for_each"), block.get("key")
        if items is not None:
            variable = block.scalar("as")
            if variable is None:
                env.report(
                    block.place("for_each").lint("E112", "for_each needs `as`: the name of its variable")
                )
            else:
                if key is None:
                    message = "for_each without `key`: ids follow the order of the list, which may change"
                    env.report(block.place("for_each").lint("W122", message))
                closure, inner, slots = self.templates.loop(items, variable, inner)
                loop = Loop(
                    items=closure,
                    slots=slots,
                    key=self.templates.expression(key, inner) if key is not None else None,
                    key_place=key.place if key is not None else items.place,
                    node=items,
                )
        for name in ("as", "key"):
            if name in block and items is None:
                env.report(block.place(name).lint("E112", f"{name} belongs to for_each"))
        when = block.get("when")
        body = {name: value for name, value in node.items.items() if name not in STATEMENT_CONTROL}
        template = replace(node, items=body)
        self.shapes.check(template, "statement")
        self.shapes.complete(template, node.place)
        before = env.collected.leaves
        compiled, completed = self.canonical.completed(template, inner, id_name)
        return StatementPlan(
            node=node,
            template=compiled,
            completed=completed,
            sure=completed and self.canonical.sure(template, replace(inner, collected=Collected())),
            leaves=env.collected.leaves - before,
            id_name=id_name,
            when=self.templates.condition(when, inner) if when is not None else None,
            loop=loop,
            places=field_places(template, self.fragments),
        )


assert set(STATEMENT_CONTROL) < set(STATEMENT)
