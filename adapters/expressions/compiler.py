"""Syntax tree to closures. What can be known at load time is decided here: names, functions, patterns."""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from adapters.expressions.calls import arity, calling, named
from adapters.expressions.environment import (
    Closure,
    CompileError,
    Env,
    Local,
    Origin,
    PayloadPath,
    Read,
    Site,
)
from adapters.expressions.forms import Body, Constant, Equals, Kept, LocalValue, Steps, gives, shaped
from adapters.expressions.lexer import ExpressionSyntaxError, unknown
from adapters.expressions.operators import BINARY, MACROS, among, literal_words, steps
from adapters.expressions.parser import parse
from adapters.expressions.scope import Scope
from adapters.expressions.syntax import (
    Binary,
    Call,
    Conditional,
    Expression,
    ListOf,
    Literal,
    Macro,
    Name,
    Step,
    Unary,
    constant_path,
)
from adapters.expressions.values import (
    EvaluationError,
    condition,
    describe,
    equal,
    number,
    step,
)
from adapters.functions.registry import FUNCTIONS, Function
from adapters.lints import suggest
from adapters.yaml_source import Place, ScalarNode

PAYLOAD_ROOTS = frozenset({"body", "fetched", "item", "headers", "query"})
_MEMBERS = frozenset({"vars", "identity", "directory", "remembered"})


def compile_expression(written: str, node: ScalarNode, offset: int, env: Env) -> Closure:
    """Compile one expression found at an offset of a scalar; raises `CompileError` with its finding."""
    return compile_parsed(parse_at(written, node, offset), Origin(node, offset), env)


def parse_at(written: str, node: ScalarNode, offset: int) -> Expression:
    """Parse one expression; raises `CompileError` at the place in the file."""
    try:
        return parse(written)
    except ExpressionSyntaxError as error:
        place = node.within(min(offset + error.offset, max(len(node.text) - 1, 0)), max(error.length, 1))
        raise CompileError(place.lint(error.code, error.message, help=error.help)) from None


def compile_parsed(expression: Expression, origin: Origin, env: Env) -> Closure:
    """Compile a syntax tree whose text starts at `origin`."""
    return _Compiler(origin, env).compile(expression)


def payload_path(expression: Expression, env: Env) -> PayloadPath | None:
    """The payload path an expression stands for, seen through variables and loop variables; else None."""
    path = constant_path(expression)
    if path is None:
        return None
    root, keys = path
    base: PayloadPath | None = None
    if root in env.locals:
        base = env.locals[root].origin
    elif root == "vars" and keys and keys[0] in env.variables:
        base, keys = env.variables[str(keys[0])].origin, keys[1:]
    elif root in PAYLOAD_ROOTS:
        base = (root, ())
    return None if base is None else (base[0], base[1] + keys)


class _Compiler:
    def __init__(self, origin: Origin, env: Env) -> None:
        self.origin = origin
        self.env = env

    def compile(self, expression: Expression) -> Closure:
        return _COMPILE[expression.__class__](self, expression)

    def error(self, code: str, message: str, term: Expression, *, help: str | None = None) -> CompileError:
        return CompileError(self.origin.at(term).lint(code, message, help=help))

    def branch(self, what: str, expression: Expression, closure: Closure) -> Closure:
        return self.env.branch(what, self.origin.at(expression), closure)

    def guarded(self, expression: Expression, run: Closure) -> Closure:
        """Give errors that leave `run` the place of the expression they come from."""
        origin = self.origin

        def guard(scope: Scope) -> Any:
            try:
                return run(scope)
            except EvaluationError as error:
                if error.place is None:
                    error.place = origin.at(expression)
                raise

        return guard

    def literal(self, expression: Literal) -> Closure:
        value = expression.value
        return shaped(lambda scope: value, Constant(value))

    def list_of(self, expression: ListOf) -> Closure:
        if all(isinstance(item, Literal) for item in expression.items):
            constant = [item.value for item in expression.items if isinstance(item, Literal)]
            present = [value for value in constant if value is not None]
            return lambda scope: list(present)
        items = tuple(self.compile(item) for item in expression.items)
        return lambda scope: [value for item in items if (value := item(scope)) is not None]

    def name(self, expression: Name) -> Closure:
        name, env = expression.name, self.env
        if name in env.locals:
            slot = env.locals[name].slot
            return shaped(lambda scope: scope.locals.get(slot), LocalValue(slot))
        if name in _MEMBERS and name in env.names:
            raise self.error("E105", f"{name} needs a name after it, such as {name}.example", expression)
        if name not in env.names:
            if name in FUNCTIONS:
                raise self.error("E102", f"{name} is a function; write {name}(x) or x | {name}", expression)
            known = sorted({*env.names, *env.locals})
            raise self.error("E102", self.unknown_name(name, known), expression)
        if name == "body":
            return shaped(lambda scope: scope.body, Body())
        return operator.attrgetter(name)

    def unknown_name(self, name: str, known: list[str]) -> str:
        if name == "item" and not self.env.receiving:
            return "`item` needs `receive.batch`, which splits a delivery into items"
        if name == "fetched" and not self.env.receiving:
            return "`fetched` needs `fetch_back:`, which says what is fetched for an event"
        if name == "parent":
            return "`parent` is the first statement of a rule: only later statements of that rule can use it"
        if name in self.env.variables:
            return f"unknown name {name!r}; did you mean 'vars.{name}'?"
        return unknown("name", name, known)

    def step(self, expression: Step) -> Closure:
        path = constant_path(expression)
        if path is not None and path[0] not in self.env.locals and path[0] in _MEMBERS:
            return self.member_path(expression)
        self.record(expression)
        keys: list[Expression] = []
        of: Expression = expression
        while isinstance(of, Step):
            keys.append(of.key)
            of = of.of
        base = self.compile(of)
        keys.reverse()
        if path is None:
            return self.guarded(expression, self.dynamic_steps(base, keys))
        constants = list(path[1])
        if path[0] == "headers" and path[0] not in self.env.locals and isinstance(constants[0], str):
            constants[0] = constants[0].lower()
        return self.constant_steps(base, constants)

    def constant_steps(self, base: Closure, keys: list[str | int]) -> Closure:
        if self.env.tracing:
            return self.traced_steps(base, keys)
        if all(isinstance(key, str) for key in keys):
            return shaped(steps(base, tuple(map(str, keys))), Steps(base, tuple(map(str, keys))))

        def by_key(scope: Scope) -> Any:
            value = base(scope)
            for key in keys:
                value = step(value, key)
            return value

        return by_key

    def dynamic_steps(self, base: Closure, keys: list[Expression]) -> Closure:
        compiled = [self.compile(key) for key in keys]
        tracing = self.env.tracing

        def run(scope: Scope) -> Any:
            value = base(scope)
            for key in compiled:
                found = key(scope)
                if tracing and scope.trace is not None:
                    scope.trace.step(value, found)
                value = step(value, found)
            return value

        return run

    def traced_steps(self, base: Closure, keys: list[str | int]) -> Closure:
        def run(scope: Scope) -> Any:
            value = base(scope)
            for key in keys:
                if scope.trace is not None:
                    scope.trace.step(value, key)
                value = step(value, key)
            return value

        return run

    def record(self, expression: Expression) -> None:
        path = payload_path(expression, self.env)
        if path is not None:
            self.env.collected.reads.append(Read(path[0], path[1], self.origin.at(expression)))

    def member_path(self, expression: Step) -> Closure:
        """`vars.x…`, `identity.x…`, `directory.x…`, `remembered.x…`: the member is decided now, the rest is a
        path.
        """
        root, keys = constant_path(expression) or ("", ())
        name, rest = str(keys[0]), list(keys[1:])
        if root not in self.env.names:
            raise self.error("E102", f"{root} is not available here", expression)
        self.record(expression)
        if root == "vars":
            base = self.variable(name, expression)
        elif root == "identity":
            if name not in self.env.identities:
                raise self.error("E102", unknown("identity", name, sorted(self.env.identities)), expression)
            base = self.env.identities[name]
        elif root == "remembered":
            if name not in self.env.recalls:
                raise self.error(
                    "E102",
                    unknown("remembered", name, sorted(self.env.recalls)),
                    expression,
                    help="facts are declared under `recall:`",
                )
            base = self.env.recalls[name]
        elif name in self.env.directories:
            base = self.env.directories[name]
        else:
            message = f"directory.{name} is not declared under `directory:`, so it is always absent"
            self.env.report(self.origin.at(expression).lint("W130", message))
            base = _absent
        return base if not rest else self.constant_steps(base, rest)

    def variable(self, name: str, expression: Expression) -> Closure:
        if name not in self.env.variables:
            known = sorted(self.env.variables)
            hint = None if known else "there is no `let:` before this place"
            raise self.error(
                "E102",
                unknown("variable", f"vars.{name}", [f"vars.{k}" for k in known]),
                expression,
                help=hint,
            )
        variable = self.env.variables[name]
        slot, build = variable.slot, variable.build

        def run(scope: Scope) -> Any:
            kept = scope.kept
            if slot in kept:
                return kept[slot]
            value = kept[slot] = build(scope)
            return value

        return shaped(run, Kept(slot, run, gives(build)))

    def call(self, expression: Call) -> Closure:
        entry = FUNCTIONS.get(expression.name)
        if entry is None or (entry.where == "receive" and not self.env.receiving):
            raise self.error("E104", self.unknown_function(expression, entry), expression)
        if entry.where == "mapping" and self.env.receiving:
            raise self.error("E104", f"{entry.name}() is not available under `receive:`", expression)
        if expression.names:
            expression = self.ordered(expression, entry)
        found = len(expression.args)
        if found < entry.least or (entry.most is not None and found > entry.most):
            message = f"{entry.name}() takes {arity(entry)}, got {found}; it is {entry.signature}"
            raise self.error("E105", message, expression)
        self.warn_precedence(expression)
        args = tuple(self.compile(arg) for arg in expression.args)
        origin = self.origin

        def place() -> Place:
            return origin.at(expression)

        if entry.build is None:
            return calling(entry, args, place)
        return named(
            entry.name, entry.build(Site(self.env, origin, expression), expression.args, args), place
        )

    def ordered(self, expression: Call, entry: Function) -> Call:
        """The call with its named arguments where they belong, defaults between them."""
        positional = len(expression.args) - len(expression.names)
        known = [name for name, _ in entry.parameters]
        given = dict(zip(expression.names, expression.args[positional:], strict=True))
        for name, arg in given.items():
            if name not in known:
                message = (
                    f"{entry.name}() has no argument {name!r}{suggest(name, known)}; it is {entry.signature}"
                )
                raise self.error("E105", message, arg)
            if known.index(name) < positional:
                raise self.error("E105", f"{entry.name}() gets {name!r} twice; it is {entry.signature}", arg)
        if len(given) < len(expression.names):
            raise self.error("E105", f"{entry.name}() gets an argument twice", expression)
        args = list(expression.args[:positional])
        last = max(map(known.index, given))
        for name, default in entry.parameters[positional : last + 1]:
            if name not in given and default is inspect.Parameter.empty:
                raise self.error(
                    "E105", f"{entry.name}() needs {name!r}; it is {entry.signature}", expression
                )
            end = expression.end
            args.append(given.get(name) or Literal(start=end, end=end, value=default))
        return replace(expression, args=tuple(args), names=())

    def unknown_function(self, expression: Call, entry: Function | None) -> str:
        if entry is not None:
            return f"{entry.name}() is available under `receive:` only"
        usable = [name for name, one in FUNCTIONS.items() if one.where != "receive" or self.env.receiving]
        return unknown("function", expression.name, usable)

    def warn_precedence(self, expression: Call) -> None:
        left = expression.args[0] if expression.args else None
        if (
            isinstance(left, (Binary, Unary, Conditional))
            and not left.grouped
            and expression.start > left.end
        ):
            message = f"the pipe takes everything to its left: write ( … ) | {expression.name}"
            self.env.report(
                self.origin.at(left).lint("W120", message, help="put the operation in parentheses")
            )

    def macro(self, expression: Macro) -> Closure:
        source, name = self.compile(expression.of), expression.name
        if expression.variable in self.env.names:
            message = f"{expression.variable!r} already has a meaning; choose another variable name"
            raise self.error("E102", message, expression)
        path = payload_path(expression.of, self.env)
        slot = self.env.slot()
        local = Local(slot, None if path is None else (path[0], (*path[1], "*")))
        inner = _Compiler(self.origin, self.env.with_locals(**{expression.variable: local}))
        body = inner.compile(expression.body)
        run = MACROS[name](body, slot)
        tracing = self.env.tracing

        def iterate(scope: Scope) -> Any:
            items = source(scope)
            if items is None:
                return None
            if items.__class__ is not list:
                hint = "entries(x) makes a list of an object" if isinstance(items, dict) else None
                raise EvaluationError(f"{name} needs a list, got {describe(items)}", help=hint)
            scope.spend(len(items))
            if tracing and scope.trace is not None:
                scope.trace.iterate(items)
            return run(scope, items)

        return self.guarded(expression, iterate)

    def unary(self, expression: Unary) -> Closure:
        operand = self.compile(expression.operand)
        if expression.operator == "not":
            return self.guarded(expression, lambda scope: not condition(operand(scope)))

        def negative(scope: Scope) -> Any:
            value = operand(scope)
            return None if value is None else -number(value)

        return self.guarded(expression, negative)

    def binary(self, expression: Binary) -> Closure:
        left, right = self.compile(expression.left), self.compile(expression.right)
        words = literal_words(expression.right)
        if words is not None and expression.operator in ("in", "not in"):
            return self.guarded(expression, among(left, words, wanted=expression.operator == "in"))
        if expression.operator == "??":
            right = self.branch("fallback", expression.right, right)
            return lambda scope: right(scope) if (value := left(scope)) is None else value
        if expression.operator in ("==", "!="):
            return self.comparing(expression, left, right)
        return self.guarded(expression, BINARY[expression.operator](left, right))

    def comparing(self, expression: Binary, left: Closure, right: Closure) -> Closure:
        wanted = expression.operator == "=="
        constant = expression.right
        if isinstance(constant, Literal) and isinstance(constant.value, str):
            value = constant.value
            form = Equals(left, value, wanted)
            if wanted:
                return shaped(lambda scope: left(scope) == value, form)
            return shaped(lambda scope: left(scope) != value, form)

        def compare(scope: Scope) -> bool:
            one, other = left(scope), right(scope)
            if one.__class__ in (list, dict) and one.__class__ is other.__class__:
                scope.charge_whole(one)
            return equal(one, other) is wanted

        return self.guarded(expression, compare)

    def conditional(self, expression: Conditional) -> Closure:
        test, then = self.compile(expression.test), self.compile(expression.then)
        otherwise = self.compile(expression.otherwise) if expression.otherwise is not None else _absent
        then = self.branch("if", expression.then, then)
        if expression.otherwise is not None:
            otherwise = self.branch("else", expression.otherwise, otherwise)
        tested = self.guarded(expression.test, lambda scope: condition(test(scope)))
        return lambda scope: then(scope) if tested(scope) else otherwise(scope)


def _absent(scope: Scope) -> None:
    return None


_COMPILE: dict[type, Callable[[_Compiler, Any], Closure]] = {
    Literal: _Compiler.literal,
    ListOf: _Compiler.list_of,
    Name: _Compiler.name,
    Step: _Compiler.step,
    Call: _Compiler.call,
    Macro: _Compiler.macro,
    Unary: _Compiler.unary,
    Binary: _Compiler.binary,
    Conditional: _Compiler.conditional,
}
