"""Statements to measure with: typical in size and variety, valid, and the same in every run.

Performs no I/O. Ids, actors, activities and registrations are functions of an index, so that a reader knows
what a store was filled with without asking it.
"""

from __future__ import annotations

import hashlib
import json
import random
from dataclasses import dataclass
from typing import Any
from uuid import UUID

_SITE = "https://lms.example.org"
_VERBS = (
    ("http://adlnet.gov/expapi/verbs/initialized", "initialized"),
    ("http://adlnet.gov/expapi/verbs/completed", "completed"),
    ("http://adlnet.gov/expapi/verbs/passed", "passed"),
    ("http://adlnet.gov/expapi/verbs/failed", "failed"),
    ("http://adlnet.gov/expapi/verbs/answered", "answered"),
    ("http://adlnet.gov/expapi/verbs/experienced", "experienced"),
    ("http://adlnet.gov/expapi/verbs/terminated", "terminated"),
    ("https://w3id.org/xapi/dod-isd/verbs/watched", "watched"),
)
_TOPICS = ("Fire safety", "Data protection", "First aid", "Project management", "Chemistry II", "Onboarding")
_PER_VALUE = 100  # statements that each actor, activity and registration has, on average


@dataclass(frozen=True, slots=True)
class Population:
    """`size` actors, as many activities, as many registrations."""

    size: int

    @classmethod
    def of(cls, statements: int) -> Population:
        """The population of a store of that many statements: every value selects more than one page."""
        return cls(max(statements // _PER_VALUE, 10))

    def actor(self, index: int) -> dict[str, Any]:
        """Three kinds of identifiers, as different systems send them."""
        number = index % self.size
        name = f"Learner Number {number:06d}"
        if number % 3 == 0:
            return {"objectType": "Agent", "name": name, "mbox": f"mailto:learner.{number}@example.org"}
        if number % 3 == 1:
            account = {"homePage": _SITE, "name": f"{number:08d}"}
            return {"objectType": "Agent", "name": name, "account": account}
        digest = hashlib.sha1(f"mailto:learner.{number}@example.org".encode()).hexdigest()
        return {"objectType": "Agent", "name": name, "mbox_sha1sum": digest}

    def activity(self, index: int) -> dict[str, Any]:
        number = index % self.size
        topic = _TOPICS[number % len(_TOPICS)]
        return {
            "objectType": "Activity",
            "id": f"{_SITE}/courses/{number // 20}/units/{number}",
            "definition": {
                "type": "http://adlnet.gov/expapi/activities/lesson",
                "name": {"en": f"{topic}, unit {number}", "de": f"{topic}, Einheit {number}"},
                "description": {"en": f"Unit {number} of the course on {topic.lower()}, with a short test"},
            },
        }

    def registration(self, index: int) -> UUID:
        return _uuid("registration", index % self.size)

    def statement(self, index: int, statement_id: UUID | None = None) -> dict[str, Any]:
        """The statement at `index` of the run: 1.0 to 1.5 kB of JSON."""
        chance = random.Random(index)
        verb, word = chance.choice(_VERBS)
        unit = chance.randrange(self.size)
        statement: dict[str, Any] = {
            "id": str(statement_id or stored_id(index)),
            "actor": self.actor(chance.randrange(self.size)),
            "verb": {"id": verb, "display": {"en": word}},
            "object": self.activity(unit),
            "context": {
                "registration": str(self.registration(chance.randrange(self.size))),
                "platform": "Example LMS 4.2",
                "language": chance.choice(("en-US", "de-DE", "fr-FR")),
                "contextActivities": {
                    "parent": [{"objectType": "Activity", "id": f"{_SITE}/courses/{unit // 20}"}],
                    "grouping": [{"objectType": "Activity", "id": f"{_SITE}/programmes/{unit % 7}"}],
                },
                "extensions": {
                    "https://example.org/xapi/session": f"{chance.getrandbits(64):016x}",
                    "https://example.org/xapi/client": {
                        "os": "Android 15",
                        "app": f"7.{chance.randrange(9)}",
                    },
                },
            },
            "timestamp": _moment(chance, index),
        }
        if word in ("completed", "passed", "failed", "answered"):
            raw = chance.randrange(101)
            statement["result"] = {
                "score": {"scaled": raw / 100, "raw": raw, "min": 0, "max": 100},
                "success": word != "failed",
                "completion": True,
                "duration": f"PT{chance.randrange(60)}M{chance.randrange(60)}S",
            }
        return statement

    def filters(self, parameter: str, index: int) -> tuple[str, Any]:
        """A value that the query `parameter` may have, with the statements' own text for it."""
        if parameter == "agent":
            actor = self.actor(index)
            del actor["name"]
            return json.dumps(actor), actor
        value = {
            "verb": _VERBS[index % len(_VERBS)][0],
            "activity": self.activity(index)["id"],
            "registration": str(self.registration(index)),
        }[parameter]
        return value, value


def stored_id(index: int) -> UUID:
    """The id of the statement at `index` of a filled store."""
    return _uuid("statement", index)


def _moment(chance: random.Random, index: int) -> str:
    day = f"2026-{chance.randrange(1, 13):02d}-{chance.randrange(1, 29):02d}"
    return f"{day}T{chance.randrange(24):02d}:{chance.randrange(60):02d}:{index % 60:02d}.{index % 1000:03d}Z"


def _uuid(kind: str, index: int) -> UUID:
    return UUID(bytes=hashlib.md5(f"{kind} {index}".encode()).digest(), version=4)
