"""Statements of other credentials that have no place in a registration of this LMS (cmi5 6.3, 9).

Only an AU with its session's token and the LMS make cmi5 defined statements. Whoever else writes one into a
registration is not kept from it, because an LRS takes every valid statement; but what nobody judged must not
look like a result, so the LMS voids it. Performs no I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID, uuid5

from gateway.cmi5 import vocabulary as words
from gateway.cmi5.gate_view import activity_ids, mapping
from gateway.errors import Problem

REQUIREMENT: Final = "cmi5 6.3.0.0-2"
_CATEGORIES: Final = frozenset({words.CATEGORY_CMI5, words.CATEGORY_MOVE_ON})


def claimed_registration(statement: object) -> str | None:
    """The registration in which a statement poses as one of cmi5's, None if it does not.

    It poses by one of the two categories of cmi5. Others about the same registration are anybody's right.
    """
    context = mapping(mapping(statement).get("context"))
    if "category" not in mapping(context.get("contextActivities")):
        return None
    registration = context.get("registration")
    if not isinstance(registration, str) or _CATEGORIES.isdisjoint(activity_ids(context, "category")):
        return None
    return registration


def voided_target(statement: object) -> str | None:
    """The id of what a statement voids, None if it is no voiding statement."""
    verb = statement.get("verb") if isinstance(statement, dict) else None
    if not isinstance(verb, dict) or verb.get("id") != words.VOIDED:
        return None
    target = mapping(mapping(statement).get("object"))
    identifier = target.get("id")
    return identifier if target.get("objectType") == "StatementRef" and isinstance(identifier, str) else None


def concern(statements: object) -> bool:
    """Can any of a request's statements, one or a list, matter to a registration?"""
    return any(map(_concerns, statements if isinstance(statements, list) else (statements,)))


def _concerns(statement: object) -> bool:
    # Asked of every statement there is, so what most of them lack is looked at first.
    if not isinstance(statement, dict):
        return False
    context = statement.get("context")
    if isinstance(context, dict) and "registration" in context and "contextActivities" in context:
        return claimed_registration(statement) is not None or voided_target(statement) is not None
    return voided_target(statement) is not None


def voiding(namespace: UUID, authority: Mapping[str, Any], target: str) -> dict[str, Any]:
    """The statement by which the LMS voids one of somebody else's; voiding it again makes the same one."""
    return {
        "id": str(uuid5(namespace, f"voided {target.lower()}")),
        "actor": dict(authority),
        "verb": {"id": words.VOIDED, "display": {"en": words.word(words.VOIDED)}},
        "object": {"objectType": "StatementRef", "id": target},
    }


def problem(statement: Mapping[str, Any]) -> Problem:
    """Why it was voided, for the session that it names."""
    verb = mapping(statement.get("verb")).get("id")
    message = (
        f"the statement with the verb {verb} was stored and voided at once: it has a category of cmi5, "
        "but was not sent with the token of its session"
    )
    return Problem("context.contextActivities.category", REQUIREMENT, message)


def claimed_session(statement: Mapping[str, Any]) -> str | None:
    """The session id that a statement names."""
    found = mapping(mapping(statement.get("context")).get("extensions")).get(words.SESSION_ID)
    return found if isinstance(found, str) else None
