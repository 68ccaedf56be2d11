"""The statements that the LMS itself records: launched, abandoned, waived, satisfied (cmi5 9.3, 9.6).

Their ids follow from what they say, so recording one again after a failure cannot double it. Times are
microseconds since the epoch. Performs no I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID, uuid5

from gateway.cmi5 import vocabulary as words
from gateway.cmi5.launch import LaunchSettings, json_number
from gateway.cmi5.structure import AU, Block, Course
from gateway.cmi5.vocabulary import LaunchMode
from gateway.xapi.datatypes import format_timestamp, is_iri


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """Who, in which registration and session, and when; `namespace` is the store's, for the ids."""

    namespace: UUID
    actor: Mapping[str, Any]
    registration: str
    session: str
    timestamp: int


def launched(
    occasion: Occasion, au: AU, *, settings: LaunchSettings, mode: LaunchMode, url: str
) -> dict[str, Any]:
    """Recorded before the AU can run (9.3.1). `url` is the absolute AU URL without launch parameters."""
    extensions: dict[str, Any] = {
        words.LAUNCH_MODE: mode.value,
        words.LAUNCH_URL: url,
        words.MOVE_ON: settings.move_on.value,
    }
    if settings.mastery_score is not None:
        extensions[words.MASTERY_SCORE] = json_number(settings.mastery_score)
    if settings.launch_parameters is not None:
        extensions[words.LAUNCH_PARAMETERS] = settings.launch_parameters
    return _statement(
        occasion, words.LAUNCHED, au, seed=f"launched {occasion.session}", extensions=extensions
    )


def abandoned(occasion: Occasion, au: AU, *, duration: int) -> dict[str, Any]:
    """Recorded when a session ends without terminated (9.3.6); `duration` as of `abandoned_duration`."""
    result = {"duration": iso_duration(duration)}
    return _statement(occasion, words.ABANDONED, au, seed=f"abandoned {occasion.session}", result=result)


def waived(occasion: Occasion, au: AU, *, reason: str, unwaived: int = 0) -> dict[str, Any]:
    """Recorded when an AU is met without being taken (9.3.7). Its session is `waive_session`.

    `unwaived` is how often this was recorded before and voided: an id that was voided cannot come again.
    """
    result = {"success": True, "completion": True, "extensions": {words.REASON: reason}}
    seed = f"waived {occasion.registration} {au.lms_id}{_turn(unwaived)}"
    return _statement(occasion, words.WAIVED, au, seed=seed, result=result, move_on=True)


def satisfied(occasion: Occasion, node: Block | Course) -> dict[str, Any]:
    """Recorded once per registration for a block or the course (9.3.9)."""
    seed = f"satisfied {occasion.registration} {node.lms_id}"
    return _statement(occasion, words.SATISFIED, node, seed=seed)


def waive_session(namespace: UUID, registration: str, au: AU, unwaived: int = 0) -> str:
    """The session id of a waived statement and what it satisfies, the same on a retry (9.3.7.0-3)."""
    return str(uuid5(namespace, f"waive session {registration} {au.lms_id}{_turn(unwaived)}"))


def _turn(before: int) -> str:
    return f" {before}" if before else ""


def registration_session(namespace: UUID, registration: str) -> str:
    """The session id of what is satisfied by being registered alone (9.6.1.1-3)."""
    return str(uuid5(namespace, f"registration session {registration}"))


def abandoned_duration(launched_at: int, last_statement_at: int | None) -> int:
    """Microseconds from launched to the AU's last statement of any kind, 0 if it sent none (9.5.4.2-2)."""
    return 0 if last_statement_at is None else max(0, last_statement_at - launched_at)


def iso_duration(micros: int) -> str:
    """`PT1H2M3.45S`, to the hundredth of a second as xAPI compares durations; `PT0S` for nothing."""
    hundredths = micros // 10_000
    minutes, hundredths = divmod(hundredths, 6_000)
    hours, minutes = divmod(minutes, 60)
    seconds = f"{hundredths // 100}.{hundredths % 100:02}".rstrip("0").rstrip(".")
    text = (f"{hours}H" if hours else "") + (f"{minutes}M" if minutes else "")
    return f"PT{text}{seconds}S" if seconds != "0" or not text else f"PT{text}"


_TYPES: Final = {Block: words.TYPE_BLOCK, Course: words.TYPE_COURSE}


def _statement(
    occasion: Occasion,
    verb: str,
    node: AU | Block | Course,
    *,
    seed: str,
    extensions: Mapping[str, Any] | None = None,
    result: Mapping[str, Any] | None = None,
    move_on: bool = False,
) -> dict[str, Any]:
    categories = [words.CATEGORY_CMI5, words.CATEGORY_MOVE_ON] if move_on else [words.CATEGORY_CMI5]
    statement: dict[str, Any] = {
        "id": str(uuid5(occasion.namespace, seed)),
        "actor": dict(occasion.actor),
        "verb": {"id": verb, "display": {"en": words.word(verb)}},
        "object": {"objectType": "Activity", "id": node.lms_id, "definition": _definition(node)},
        "context": {
            "registration": occasion.registration,
            "contextActivities": {
                "category": [{"objectType": "Activity", "id": category} for category in categories],
                "grouping": [{"objectType": "Activity", "id": node.id}],
            },
            "extensions": {words.SESSION_ID: occasion.session, **(extensions or {})},
        },
        "timestamp": format_timestamp(occasion.timestamp),
    }
    if result is not None:
        statement["result"] = dict(result)
    return statement


def _definition(node: AU | Block | Course) -> dict[str, Any]:
    definition: dict[str, Any] = {"name": dict(node.title), "description": dict(node.description)}
    if not isinstance(node, AU):
        definition["type"] = _TYPES[type(node)]
    elif is_iri(node.activity_type):
        definition["type"] = node.activity_type
    return definition
