"""Evaluate one expression the way a mapping would."""

from __future__ import annotations

from typing import Any

from adapters.expressions.compiler import compile_expression
from adapters.expressions.environment import MAPPING_NAMES, Collected, Env
from adapters.expressions.scope import Scope
from adapters.loading.yaml_source import Place, ScalarNode, Source
from adapters.outcomes import Lookups

TABLES = {"grades": {"A": "excellent", "*": "unknown"}, "codes": {"7": "seven"}}


def evaluate(expression: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
    """Raises `CompileError` or `EvaluationError`; absent is None."""
    node = ScalarNode(
        place=Place(source=Source("test", expression), line=1, column=1),
        value=expression,
        text=expression,
        end=len(expression),
    )
    env = Env(collected=Collected(), names=MAPPING_NAMES - {"item", "parent"}, tables=TABLES)
    closure = compile_expression(expression, node, 0, env)
    scope = Scope()
    scope.body = body
    scope.headers = headers or {}
    scope.lookups = Lookups(pseudonym_key=b"key")
    return closure(scope)
