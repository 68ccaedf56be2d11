"""Statements for tests: typical ones, and some that together use every property the standard knows.

Each function builds its statement anew, so a test may change what it gets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from gateway.xapi.findings import at
from gateway.xapi.versions import Version

Json = dict[str, Any]

AUTHORITY: Json = {
    "objectType": "Agent",
    "account": {"homePage": "https://lrs.example.org/", "name": "key-1"},
}
VOIDED = "http://adlnet.gov/expapi/verbs/voided"
SHA1 = "ebd31e95054c018b10727ccffd2ef2ec3a016ee9"
SHA2 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


def extensions() -> Json:
    return {
        "https://example.org/x/anything": {"null": None, "list": [1, None, {"Actor": True}]},
        "urn:x": None,
    }


def language_map() -> Json:
    return {"en-US": "text", "sr-Latn-RS": "", "zh-Hans-CN": "文", "x-own": "o", "de-u-co-phonebk": "Wort"}


def agent(name: str = "learner") -> Json:
    return {"objectType": "Agent", "name": "A Learner", "mbox": f"mailto:{name}@example.org"}


def group(*, identified: bool = True) -> Json:
    members = [
        agent("one"),
        {"mbox_sha1sum": SHA1},
        {"openid": "https://openid.example.org/two"},
        {"name": "Three", "account": {"homePage": "https://lms.example.org", "name": "3"}},
    ]
    identity = {"account": {"homePage": "https://lms.example.org", "name": "group"}} if identified else {}
    return {"objectType": "Group", "name": "A Group", **identity, "member": members}


def definition() -> Json:
    return {
        "name": language_map(),
        "description": language_map(),
        "type": "http://adlnet.gov/expapi/activities/cmi.interaction",
        "moreInfo": "https://example.org/more",
        "interactionType": "choice",
        "correctResponsesPattern": ["a[,]b"],
        "choices": [{"id": "a", "description": language_map()}, {"id": "b"}],
        "extensions": extensions(),
    }


def activity(name: str = "course", *, described: bool = True) -> Json:
    described_by = {"definition": definition()} if described else {}
    return {"objectType": "Activity", "id": f"https://example.org/activities/{name}", **described_by}


def statement_ref() -> Json:
    return {"objectType": "StatementRef", "id": "9e13cefd-53d3-4eac-b5ed-2cf6693903bb"}


def verb() -> Json:
    return {"id": "http://adlnet.gov/expapi/verbs/completed", "display": language_map()}


def result() -> Json:
    return {
        "score": {"scaled": 0.5, "raw": 0, "min": -1.5, "max": 10},
        "success": True,
        "completion": False,
        "response": "a[,]b",
        "duration": "P1Y2M3DT4H5M6.789S",
        "extensions": extensions(),
    }


def context(version: Version) -> Json:
    whole: Json = {
        "registration": "ec531277-b57b-4c15-8d91-d292c5b2b8f7",
        "instructor": agent("instructor"),
        "team": group(),
        "contextActivities": {
            "parent": [activity("parent")],
            "grouping": activity("grouping"),
            "category": [activity("category-1", described=False), activity("category-2", described=False)],
            "other": [],
        },
        "revision": "r1",
        "platform": "Example LMS",
        "language": "en-GB-oed",
        "statement": statement_ref(),
        "extensions": extensions(),
    }
    if version is Version.V2:
        whole["contextAgents"] = [
            {
                "objectType": "contextAgent",
                "agent": agent("mentor"),
                "relevantTypes": ["https://example.org/types/mentor"],
            },
            {"objectType": "contextAgent", "agent": {"openid": "https://openid.example.org/mentor"}},
        ]
        whole["contextGroups"] = [
            {
                "objectType": "contextGroup",
                "group": group(identified=False),
                "relevantTypes": ["https://example.org/types/mentor"],
            },
        ]
    return whole


def attachment() -> Json:
    return {
        "usageType": "https://example.org/usage/certificate",
        "display": language_map(),
        "description": language_map(),
        "contentType": 'text/plain; charset="utf-8"',
        "length": 4,
        "sha2": SHA2,
        "fileUrl": "https://example.org/files/1",
    }


def maximal(version: Version) -> Json:
    """Every property of a statement whose object is an Activity."""
    return {
        "id": "fd41c918-b88b-4b20-a0a5-a4c32391aaa0",
        "actor": group(),
        "verb": verb(),
        "object": activity(),
        "result": result(),
        "context": context(version),
        "timestamp": "2024-01-31T10:15:00.123+01:00",
        "stored": "2024-01-31T10:15:00.123Z",
        "authority": {"objectType": "Group", "member": [agent("app"), agent("user")]},
        "version": "1.0.3" if version is Version.V1 else "2.0.0",
        "attachments": [attachment()],
    }


def sub_statement(version: Version) -> Json:
    """A statement about a SubStatement that has every property."""
    inner = {key: value for key, value in maximal(version).items() if key not in ("id", "stored", "version")}
    del inner["authority"]
    return {"actor": agent(), "verb": verb(), "object": {"objectType": "SubStatement", **inner}}


def _about(target: Callable[[], Json]) -> Callable[[Version], Json]:
    return lambda _: {"actor": agent(), "verb": verb(), "object": target()}


def _interaction(kind: str, *lists: str) -> Callable[[Version], Json]:
    def question() -> Json:
        components = {name: [{"id": "1", "description": language_map()}, {"id": "2"}] for name in lists}
        described = {"interactionType": kind, "correctResponsesPattern": [], **components}
        return {"id": "https://example.org/question", "definition": described}

    return _about(question)


def voiding(_: Version) -> Json:
    return {"actor": agent(), "verb": {"id": VOIDED}, "object": statement_ref()}


def minimal(_: Version) -> Json:
    return {
        "actor": {"mbox": "mailto:a@example.org"},
        "verb": {"id": "x:did"},
        "object": {"id": "https://example.org/1"},
    }


def typical() -> Json:
    """What an LMS sends: 1.3 kB of compact JSON."""
    return {
        "id": "fd41c918-b88b-4b20-a0a5-a4c32391aaa0",
        "actor": {
            "objectType": "Agent",
            "name": "Example Learner",
            "account": {"homePage": "https://lms.example.org", "name": "learner-000123"},
        },
        "verb": {
            "id": "http://adlnet.gov/expapi/verbs/completed",
            "display": {"en-US": "completed", "de-DE": "beendete"},
        },
        "object": {
            "objectType": "Activity",
            "id": "https://lms.example.org/courses/42/modules/7",
            "definition": {
                "name": {"en-US": "Module 7: Safety at work", "de-DE": "Modul 7: Arbeitsschutz"},
                "description": {"en-US": "The seventh module of the course, with a quiz at its end."},
                "type": "http://adlnet.gov/expapi/activities/module",
                "extensions": {"https://lms.example.org/x/level": 3},
            },
        },
        "result": {
            "score": {"scaled": 0.85, "raw": 85, "min": 0, "max": 100},
            "success": True,
            "completion": True,
            "duration": "PT12M34.56S",
        },
        "context": {
            "registration": "ec531277-b57b-4c15-8d91-d292c5b2b8f7",
            "platform": "Example LMS 4.2",
            "language": "en-US",
            "instructor": {"objectType": "Agent", "name": "A Teacher", "mbox": "mailto:teacher@example.org"},
            "contextActivities": {
                "parent": [{"objectType": "Activity", "id": "https://lms.example.org/courses/42"}],
                "category": [{"id": "https://w3id.org/xapi/cmi5/context/categories/cmi5"}],
            },
            "extensions": {"https://w3id.org/xapi/cmi5/context/extensions/sessionid": "5f1d3c2a-00000000"},
        },
        "timestamp": "2024-03-05T10:15:30.123Z",
    }


EXAMPLES: dict[str, Callable[[Version], Json]] = {
    "maximal": maximal,
    "minimal": minimal,
    "typical": lambda _: typical(),
    "SubStatement": sub_statement,
    "Agent": _about(agent),
    "identified Group": _about(group),
    "anonymous Group": _about(lambda: group(identified=False)),
    "StatementRef": _about(statement_ref),
    "voiding": voiding,
    "sequencing": _interaction("sequencing", "choices"),
    "likert": _interaction("likert", "scale"),
    "matching": _interaction("matching", "source", "target"),
    "performance": _interaction("performance", "steps"),
    **{kind: _interaction(kind) for kind in ("true-false", "fill-in", "long-fill-in", "numeric", "other")},
}
"""Valid statements by what is special about them."""


Place = tuple[str | int, ...]


def places(value: Any, place: Place = ()) -> Iterator[Place]:
    """Every place in a statement below its root, but nothing inside extensions."""
    inner: Iterator[tuple[str | int, Any]]
    if isinstance(value, dict):
        inner = iter(value.items())
    elif isinstance(value, list):
        inner = iter(enumerate(value))
    else:
        return
    for key, child in inner:
        yield (*place, key)
        if key != "extensions":
            yield from places(child, (*place, key))


def found(value: Any, place: Place) -> Any:
    """What is at this place."""
    for key in place:
        value = value[key]
    return value


def path_of(place: Place) -> str:
    """The place as problems write it."""
    path = ""
    for key in place:
        path = at(path, key)
    return path
