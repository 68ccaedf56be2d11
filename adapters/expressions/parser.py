"""Tokens to syntax tree, by recursive descent along the published grammar.

expr   := cond ( '|' NAME [ '(' args ')' ] )*
cond   := coal [ 'if' coal 'else' cond ]
coal   := or ( '??' or )*
or     := and ( 'or' and )*          and := not ( 'and' not )*        not := 'not' not | cmp
cmp    := add [ ( == != < <= > >= in 'not in' ) add ]
add    := mul ( (+|-) mul )*         mul := unary ( (*|/|%) unary )*  unary := '-' unary | post
post   := primary ( '.' NAME | '[' expr ']' | '.' MACRO '(' NAME ',' expr ')' )*
primary:= NUMBER | TEXT | true | false | null | [a, b] | NAME | NAME(args) | ( expr )
args   := expr ( ',' expr )* ( ',' NAME '=' expr )*
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from adapters.expressions.lexer import ExpressionSyntaxError, Token, tokens
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
)

MAX_LENGTH = 2048
MAX_DEPTH = 32
MACROS = frozenset({"map", "filter", "first", "exists", "all"})
KEYWORDS = frozenset({"if", "else", "and", "or", "not", "in", "true", "false", "null"})

_COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">="})
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None}


def parse(text: str) -> Expression:
    """Parse one expression; raises `ExpressionSyntaxError` with the offset of what is wrong."""
    if len(text.encode("utf-8", "surrogatepass")) > MAX_LENGTH:
        raise ExpressionSyntaxError("E106", f"an expression of more than {MAX_LENGTH} bytes", 0)
    parser = _Parser(tokens(text))
    expression = parser.expression()
    parser.finish()
    return expression


class _Parser:
    def __init__(self, found: list[Token]) -> None:
        self.found = found
        self.at = 0
        self.depth = 0

    @property
    def next(self) -> Token:
        return self.found[self.at]

    def take(self) -> Token:
        token = self.found[self.at]
        self.at += 1
        return token

    def sees(self, *words: str) -> bool:
        token = self.next
        return token.text in words and token.kind in ("operator", "name")

    def expect(self, text: str) -> Token:
        if not self.sees(text):
            raise self.unexpected(f"expected {text!r}")
        return self.take()

    def unexpected(self, wanted: str) -> ExpressionSyntaxError:
        token = self.next
        if token.kind == "operator" and token.text == "=":
            message = "unexpected '='"
            return ExpressionSyntaxError("E101", message, token.start, help="write `==` to compare")
        found = f"found {token.text!r}" if token.kind != "end" else "the expression ends"
        return ExpressionSyntaxError("E101", f"{wanted}, but {found}", token.start, length=len(token.text))

    def finish(self) -> None:
        if self.next.kind != "end":
            raise self.unexpected("expected an operator or the end")

    def deeper(self, parse: Callable[[], Expression]) -> Expression:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise ExpressionSyntaxError("E106", f"nested deeper than {MAX_DEPTH} levels", self.next.start)
        expression = parse()
        self.depth -= 1
        return expression

    def expression(self) -> Expression:
        return self.deeper(self.piped)

    def piped(self) -> Expression:
        left = self.conditional()
        pipes = 0
        while self.sees("|"):
            pipes += 1
            if pipes > MAX_DEPTH:
                raise ExpressionSyntaxError("E106", f"more than {MAX_DEPTH} pipes", self.next.start)
            self.take()
            name = self.name("a function name")
            args, names = self.arguments() if self.sees("(") else ((), ())
            left = Call(
                start=name.start, end=self.previous_end(), name=name.text, args=(left, *args), names=names
            )
        return left

    def previous_end(self) -> int:
        return self.found[self.at - 1].end

    def conditional(self) -> Expression:
        then = self.coalesced()
        if not self.sees("if"):
            return then
        self.take()
        test = self.coalesced()
        otherwise = None
        if self.sees("else"):
            self.take()
            otherwise = self.deeper(self.conditional)
        return Conditional(
            start=then.start, end=self.previous_end(), test=test, then=then, otherwise=otherwise
        )

    def chain(self, operand: Callable[[], Expression], *operators: str) -> Expression:
        left = operand()
        count = 0
        while self.sees(*operators):
            count += 1
            if count > 8 * MAX_DEPTH:
                raise ExpressionSyntaxError("E106", "too many operators in one chain", self.next.start)
            operator = self.take().text
            right = operand()
            left = Binary(start=left.start, end=right.end, operator=operator, left=left, right=right)
        return left

    def coalesced(self) -> Expression:
        return self.chain(self.disjunction, "??")

    def disjunction(self) -> Expression:
        return self.chain(self.conjunction, "or")

    def conjunction(self) -> Expression:
        return self.chain(self.negation, "and")

    def negation(self) -> Expression:
        if not self.sees("not"):
            return self.comparison()
        start = self.take().start
        operand = self.deeper(self.negation)
        return Unary(start=start, end=operand.end, operator="not", operand=operand)

    def comparison(self) -> Expression:
        left = self.sum()
        operator = self.comparison_operator()
        if operator is None:
            return left
        right = self.sum()
        if self.next.text in _COMPARISONS:
            raise self.unexpected("comparisons do not chain: join them with `and`")
        return Binary(start=left.start, end=right.end, operator=operator, left=left, right=right)

    def comparison_operator(self) -> str | None:
        token = self.next
        if (token.kind == "operator" and token.text in _COMPARISONS) or self.sees("in"):
            return self.take().text
        if self.sees("not"):
            self.take()
            self.expect("in")
            return "not in"
        return None

    def sum(self) -> Expression:
        return self.chain(self.product, "+", "-")

    def product(self) -> Expression:
        return self.chain(self.unary, "*", "/", "%")

    def unary(self) -> Expression:
        if not self.sees("-"):
            return self.postfix()
        start = self.take().start
        operand = self.deeper(self.unary)
        return Unary(start=start, end=operand.end, operator="-", operand=operand)

    def postfix(self) -> Expression:
        value = self.primary()
        while True:
            if self.sees("."):
                self.take()
                name = self.field_name()
                if name.text in MACROS and self.sees("("):
                    value = self.macro(value, name)
                    continue
                if self.sees("("):
                    message = f"{name.text!r} is not a list macro; write {name.text}(x) or x | {name.text}"
                    raise ExpressionSyntaxError("E104", message, name.start, length=len(name.text))
                key: Expression = Literal(start=name.start, end=name.end, value=name.text)
            elif self.sees("["):
                self.take()
                key = self.expression()
                self.expect("]")
            else:
                return value
            value = Step(start=value.start, end=self.previous_end(), of=value, key=key)

    def macro(self, of: Expression, name: Token) -> Expression:
        self.expect("(")
        variable = self.name("a variable name")
        self.expect(",")
        body = self.expression()
        self.expect(")")
        return Macro(
            start=of.start,
            end=self.previous_end(),
            name=name.text,
            of=of,
            variable=variable.text,
            body=body,
        )

    def name(self, wanted: str) -> Token:
        if self.next.kind != "name" or self.next.text in KEYWORDS:
            raise self.unexpected(f"expected {wanted}")
        return self.take()

    def field_name(self) -> Token:
        if self.next.kind != "name":
            raise self.unexpected("expected a field name after '.'")
        return self.take()

    def arguments(self) -> tuple[tuple[Expression, ...], tuple[str, ...]]:
        """The arguments of a call, and the names of those that have one."""
        self.expect("(")
        found: list[Expression] = []
        names: list[str] = []
        while not self.sees(")"):
            following = self.found[self.at + 1] if self.next.kind == "name" else None
            if following is not None and following.text == "=" and following.kind == "operator":
                names.append(self.take().text)
                self.take()
            elif names:
                raise self.unexpected("arguments without a name come before those with one")
            found.append(self.expression())
            if not self.sees(","):
                break
            self.take()
        self.expect(")")
        return tuple(found), tuple(names)

    def items(self, closing: str) -> tuple[Expression, ...]:
        found: list[Expression] = []
        while not self.sees(closing):
            found.append(self.expression())
            if not self.sees(","):
                break
            self.take()
        self.expect(closing)
        return tuple(found)

    def primary(self) -> Expression:
        token = self.next
        if token.kind in ("number", "text"):
            self.take()
            return Literal(start=token.start, end=token.end, value=token.value)
        if token.kind == "name":
            if token.text in _WORDS:
                self.take()
                return Literal(start=token.start, end=token.end, value=_WORDS[token.text])
            if token.text not in KEYWORDS:
                self.take()
                if not self.sees("("):
                    return Name(start=token.start, end=token.end, name=token.text)
                args, names = self.arguments()
                return Call(
                    start=token.start, end=self.previous_end(), name=token.text, args=args, names=names
                )
        if self.sees("("):
            self.take()
            inner = self.expression()
            self.expect(")")
            return dataclasses.replace(inner, grouped=True)
        if self.sees("["):
            self.take()
            items = self.items("]")
            return ListOf(start=token.start, end=self.previous_end(), items=items)
        raise self.unexpected("expected a value")
