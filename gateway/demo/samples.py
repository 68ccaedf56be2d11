"""What `xapi-gateway demo` sends: a small class that meets, answers and finishes. Performs no I/O."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

LEARNER_HOME = "https://id.example.edu"
LEARNER: Mapping[str, Any] = {
    "objectType": "Agent",
    "name": "Ada Lovelace",
    "account": {"homePage": LEARNER_HOME, "name": "ada"},
}
_CLASSMATES = (("ada", "Ada Lovelace"), ("charles", "Charles Babbage"), ("mary", "Mary Somerville"))
_UNIT = "https://lms.example.edu/courses/analytical-engines/units/1"
_COURSE = "https://lms.example.edu/courses/analytical-engines"


def statements(now: dt.datetime) -> list[dict[str, Any]]:
    """A quiz taken by three people in the last hour: answered, then passed or failed."""
    made: list[dict[str, Any]] = []
    for number, (name, full_name) in enumerate(_CLASSMATES):
        actor = {
            "objectType": "Agent",
            "name": full_name,
            "account": {"homePage": LEARNER_HOME, "name": name},
        }
        scaled = round(0.95 - 0.25 * number, 2)
        passed = scaled >= 0.6
        at = now - dt.timedelta(minutes=50 - 10 * number)
        made.append(
            _statement(
                actor,
                "answered",
                {
                    "id": f"{_UNIT}/quiz/questions/1",
                    "definition": {
                        "type": "http://adlnet.gov/expapi/activities/cmi.interaction",
                        "name": {"en": "What did the Analytical Engine call its memory?"},
                        "interactionType": "choice",
                        "correctResponsesPattern": ["store"],
                        "choices": [
                            {"id": "mill", "description": {"en": "The mill"}},
                            {"id": "store", "description": {"en": "The store"}},
                        ],
                    },
                },
                {"success": passed, "response": "store" if passed else "mill", "duration": "PT12S"},
                at,
            )
        )
        made.append(
            _statement(
                actor,
                "passed" if passed else "failed",
                {
                    "id": f"{_UNIT}/quiz",
                    "definition": {
                        "type": "http://adlnet.gov/expapi/activities/assessment",
                        "name": {"en": "Quiz: Analytical Engines"},
                    },
                },
                {"success": passed, "score": {"scaled": scaled}, "duration": "PT4M30S"},
                at + dt.timedelta(minutes=5),
            )
        )
    return made


def zoom_meeting(now: dt.datetime) -> list[dict[str, Any]]:
    """A participant joins a meeting and leaves it, as Zoom reports it."""
    joined, left = now - dt.timedelta(minutes=45), now - dt.timedelta(minutes=5)
    return [
        _zoom("meeting.participant_joined", joined, {"join_time": _z(joined), "date_time": _z(joined)}),
        _zoom("meeting.participant_left", left, {"leave_time": _z(left), "leave_reason": "left the meeting"}),
    ]


def _zoom(event: str, at: dt.datetime, participant: Mapping[str, str]) -> dict[str, Any]:
    return {
        "event": event,
        "event_ts": int(at.timestamp() * 1000),
        "payload": {
            "account_id": "EXAMPLE-ACCOUNT",
            "object": {
                "id": "85746065432",
                "uuid": f"demo{at:%Y%m%d%H}==",
                "host_id": "EXAMPLE-HOST",
                "topic": "Seminar: Analytical Engines",
                "type": 2,
                "start_time": _z(at),
                "timezone": "Etc/UTC",
                "duration": 60,
                "participant": {
                    "user_id": "16778240",
                    "user_name": "Ada Lovelace",
                    "id": "",
                    "participant_uuid": "0E3C9D38-5D4F-4B1C-9C5E-ADA000000001",
                    "email": "ada@example.edu",
                    **participant,
                },
            },
        },
    }


def _statement(
    actor: Mapping[str, Any],
    verb: str,
    activity: Mapping[str, Any],
    result: Mapping[str, Any],
    at: dt.datetime,
) -> dict[str, Any]:
    return {
        "actor": dict(actor),
        "verb": {"id": f"http://adlnet.gov/expapi/verbs/{verb}", "display": {"en": verb}},
        "object": {"objectType": "Activity", **activity},
        "result": dict(result),
        "context": {"contextActivities": {"grouping": [{"id": _COURSE}]}, "platform": "Example LMS"},
        "timestamp": _z(at),
    }


def _z(at: dt.datetime) -> str:
    return at.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
