"""Which path of the payload an expression stands for."""

from __future__ import annotations

from adapters.expressions.environment import Env, PayloadPath
from adapters.expressions.syntax import Expression, constant_path

PAYLOAD_ROOTS = frozenset({"body", "fetched", "item", "headers", "query"})
# Names that need a name after them, which is known when the mapping is loaded.
MEMBERS = frozenset({"vars", "identity", "directory", "remembered"})


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
