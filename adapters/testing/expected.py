"""What a test case expects of statements, with the short forms of templates written out. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from adapters.templates.shorthand import ACTIVITY_KEYS, GROUPINGS, Shorthand

_CANONICAL = frozenset({"id", "objectType", "definition"})


def written_out(expected: Any, shorthand: Shorthand, *, exact: bool) -> Any:
    """Expected statements as canonical xAPI; raises EvaluationError for a word that is not known.

    Nothing is added that was not written: `verb: completed` expects an id, and a display only when `exact`.
    """
    if not isinstance(expected, list):
        return expected
    return [_statement(one, shorthand, exact) if isinstance(one, dict) else one for one in expected]


def _statement(written: dict[str, Any], shorthand: Shorthand, exact: bool) -> dict[str, Any]:
    made = dict(written)
    if isinstance(made.get("verb"), str):
        verb = shorthand.verb(made["verb"])
        made["verb"] = verb if exact else {"id": verb["id"]}
    convert: dict[str, Callable[[Any], Any]] = {
        "actor": shorthand.actor,
        "object": lambda one: _object(one, shorthand, exact),
        "result": shorthand.result,
        "context": lambda one: _context(one, shorthand),
    }
    return {key: convert[key](value) if key in convert else value for key, value in made.items()}


def _object(written: Any, shorthand: Shorthand, exact: bool) -> Any:
    if isinstance(written, dict) and written.get("objectType") == "SubStatement":
        return _statement(written, shorthand, exact)
    return _activity(written, shorthand)


def _activity(written: Any, shorthand: Shorthand) -> Any:
    if isinstance(written, str):
        return {"id": written}
    if not isinstance(written, dict) or not (ACTIVITY_KEYS - _CANONICAL) & written.keys():
        return written
    made = shorthand.activity(written)
    if "objectType" not in written:
        del made["objectType"]
    return made


def _context(written: Any, shorthand: Shorthand) -> Any:
    if not isinstance(written, dict):
        return written
    made = {key: value for key, value in written.items() if key not in GROUPINGS}
    related = {key: written[key] for key in GROUPINGS if key in written}
    if related:
        listed = {key: value if isinstance(value, list) else [value] for key, value in related.items()}
        made["contextActivities"] = {
            **(made.get("contextActivities") or {}),
            **{key: [_activity(one, shorthand) for one in value] for key, value in listed.items()},
        }
    return shorthand.context(made)
