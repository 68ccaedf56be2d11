"""What xAPI results are made of: scores, responses, language maps, and look-ups in the mapping's tables."""

from __future__ import annotations

from typing import Any

from adapters.expressions.environment import Closure, Site
from adapters.expressions.forms import Applied, Gives, Looked, shaped
from adapters.expressions.lexer import unknown
from adapters.expressions.syntax import Expression, Literal
from adapters.expressions.values import EvaluationError, bounded, number, text
from adapters.functions.registry import builder, function
from adapters.functions.values import json

_OVER = ("clamp", "omit", "error")


@function(absent="seen", scoped=True)
def score(
    scope: Any, raw: Any, max_: Any = None, min_: Any = 0, over: Any = "clamp"
) -> dict[str, Any] | None:
    """An xAPI score with `scaled` = (raw - min) / (max - min); out of range: clamp, omit or error."""
    maximum, minimum = max_, min_
    if raw is None:
        return None
    plain = raw.__class__ is int and maximum.__class__ is int and minimum == 0
    if plain and 0 <= raw <= maximum < 2**53 and maximum:  # the commonest case, without detours
        return {"raw": raw, "min": 0, "max": maximum, "scaled": round(raw / maximum, 4)}
    if over not in _OVER:
        raise EvaluationError("`over` is 'clamp', 'omit' or 'error'")
    value = raw if raw.__class__ is int else _rounded(number(raw))
    if maximum is None:
        return {"raw": value}
    low = 0 if minimum is None or minimum == 0 else _rounded(number(minimum))
    high = maximum if maximum.__class__ is int else _rounded(number(maximum))
    if high <= low:
        return {"raw": value}
    if low <= value <= high:
        try:
            scaled = round((value - low) / (high - low), 4)
        except OverflowError:
            raise EvaluationError("the score is too large") from None
        return {"raw": value, "min": low, "max": high, "scaled": scaled}
    above = value > high
    message = f"raw {value} is {'above max' if above else 'below min'} {high if above else low}"
    if over == "error":
        raise EvaluationError(message)
    scope.warn(f"{message}; kept raw, dropped {'max' if above else 'min'}")
    kept: dict[str, Any] = {"raw": value, "min": low} if above else {"raw": value, "max": high}
    if over == "clamp":
        kept["scaled"] = 1.0 if above else 0.0
    return kept


def _rounded(value: int | float) -> int | float:
    return round(bounded(value), 4) if isinstance(value, float) else value


@function()
def response(value: Any) -> str:
    """An answer as xAPI response text: list elements joined by `[,]`, objects as JSON."""
    if isinstance(value, list):
        return "[,]".join(
            json(item) if isinstance(item, (list, dict)) else text(item) for item in value if item is not None
        )
    return json(value) if isinstance(value, dict) else text(value)


@function()
def language_map(value: Any, language: Any) -> dict[str, str]:
    """A language map of one language."""
    return {text(language): text(value)}


@builder("('table', key, default?)", least=2, most=3, where="mapping")
def lookup(site: Site, terms: tuple[Expression, ...], args: tuple[Closure, ...]) -> Closure:
    """The value of a key in one of the mapping's tables; else its `*` entry, else the default."""
    name = terms[0]
    if not isinstance(name, Literal) or not isinstance(name.value, str):
        raise site.error("E113", "the name of a table must be written out: lookup('table', key)", name)
    if name.value not in site.env.tables:
        raise site.error("E113", unknown("table", name.value, sorted(site.env.tables)), name)
    site.env.collected.tables_used.add(name.value)
    table, table_name, tracing = site.env.tables[name.value], name.value, site.env.tracing
    key, fallback = args[1], table.get("*")
    otherwise = args[2] if len(args) == 3 else None
    texts = otherwise is None and all(isinstance(value, str) for value in table.values())
    found_kind: Gives = "text" if texts else "anything"

    def apply(scope: Any, wanted: Any) -> Any:
        found = None
        if wanted is not None:
            found = table.get(wanted if wanted.__class__ is str else text(wanted))
            if tracing and scope.trace is not None:
                scope.trace.looked_up.add((table_name, "*" if found is None else text(wanted)))
            if found is None:
                found = fallback
        if found is None and otherwise is not None:
            return otherwise(scope)
        return found

    def run(scope: Any) -> Any:
        return apply(scope, key(scope))

    if tracing or otherwise is not None or None in table.values():
        return shaped(run, Applied(apply, (key,), seen=True, gives=found_kind))
    return shaped(run, Looked(apply, key, table, fallback, found_kind))
