"""A session and statements that pass every rule, to be spoilt by the tests in one way each."""

from __future__ import annotations

import copy
import io
import zipfile
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

from gateway.cmi5 import vocabulary as words
from gateway.cmi5.gate_view import SessionView
from gateway.cmi5.sessions import SessionState

DATA = Path(__file__).parents[1] / "data" / "cmi5"
NAMESPACE = UUID("5b4f2f6e-5d9a-4f0e-8a51-6f6d3a1f0c11")
REGISTRATION = "b22893ae-a13e-406f-abb6-fd463ed7c645"
SESSION = "086bc201-7cc4-4d37-822c-0dd6362f8f78"
ACTIVITY = "https://lms.example.org/cmi5/courses/1/aus/1"
PUBLISHER = "https://courses.example.org/geology/aus/1"
EXTRA = "https://lms.example.org/extensions/cohort"
ACTOR: dict[str, Any] = {
    "objectType": "Agent",
    "name": "Ada",
    "account": {"homePage": "https://people.example.org", "name": "ada"},
}
TEMPLATE: dict[str, Any] = {
    "registration": REGISTRATION,
    "contextActivities": {"grouping": [{"objectType": "Activity", "id": PUBLISHER}]},
    "extensions": {words.SESSION_ID: SESSION, EXTRA: "spring"},
}


def view(**changes: Any) -> SessionView:
    """An active session in Normal mode whose AU has a mastery score of 0.6."""
    active = SessionView(
        session=SESSION,
        actor=ACTOR,
        registration=REGISTRATION,
        activity_id=ACTIVITY,
        context_template=TEMPLATE,
        state=SessionState.ACTIVE,
        mastery=Decimal("0.6"),
        used=frozenset({words.INITIALIZED}),
        preferences_requested=True,
    )
    return replace(active, **changes)


def fresh_view(**changes: Any) -> SessionView:
    """The same before initialized."""
    return view(**{"state": SessionState.AUTHORIZED, "used": frozenset(), **changes})


def allowed(verb: str = "http://adlnet.gov/expapi/verbs/experienced", **parts: Any) -> dict[str, Any]:
    context = copy.deepcopy(TEMPLATE)
    return {
        "id": "ab10dd2f-c19a-43ea-b7fa-3f6b8f388356",
        "actor": copy.deepcopy(ACTOR),
        "verb": {"id": verb},
        "object": {"objectType": "Activity", "id": ACTIVITY},
        "context": context,
        "timestamp": "2024-03-01T10:00:00.000Z",
        **parts,
    }


_RESULTS: dict[str, dict[str, Any]] = {
    words.INITIALIZED: {},
    words.COMPLETED: {"completion": True, "duration": "PT9S"},
    words.PASSED: {"success": True, "duration": "PT9S", "score": {"scaled": 0.9}},
    words.FAILED: {"success": False, "duration": "PT9S", "score": {"scaled": 0.2}},
    words.TERMINATED: {"duration": "PT12S"},
}


def defined(verb: str, **parts: Any) -> dict[str, Any]:
    """A cmi5 defined statement that belongs into `view()` (initialized into `fresh_view()`)."""
    statement = allowed(verb)
    result = copy.deepcopy(_RESULTS[verb]) if verb in _RESULTS else {}
    if result:
        statement["result"] = result
    categories = [words.CATEGORY_CMI5]
    if "success" in result or "completion" in result:
        categories.append(words.CATEGORY_MOVE_ON)
    context = statement["context"]
    context["contextActivities"]["category"] = [{"id": category} for category in categories]
    if "score" in result:
        context["extensions"][words.MASTERY_SCORE] = 0.6
    return statement | parts


def spoilt(statement: dict[str, Any], path: str, *value: Any) -> dict[str, Any]:
    """A copy with one thing changed, or taken out when no value is given; `path` has blanks between keys."""
    changed = copy.deepcopy(statement)
    *parents, last = path.split(" ")
    inner: Any = changed
    for name in parents:
        inner = inner.setdefault(name, {})
    if value:
        inner[last] = value[0]
    else:
        del inner[last]
    return changed


def au_xml(number: int = 1, *, attributes: str = 'moveOn="Completed"', url: str | None = None) -> str:
    return (
        f'<au id="https://courses.example.org/aus/{number}" {attributes}>'
        f"<title><langstring>AU {number}</langstring></title>"
        f"<description><langstring>AU {number}</langstring></description>"
        f"<url>{url or f'https://content.example.org/{number}/index.html'}</url></au>"
    )


def block_xml(number: int, *children: str) -> str:
    return (
        f'<block id="https://courses.example.org/blocks/{number}">'
        f"<title><langstring>Block {number}</langstring></title>"
        f"<description><langstring>Block {number}</langstring></description>{''.join(children)}</block>"
    )


def structure_xml(*children: str, objectives: str = "", root: str = "") -> bytes:
    """A course structure with these blocks and AUs."""
    return (
        f'<courseStructure xmlns="{words.NAMESPACE}"{root}>\n<course id="https://courses.example.org/geology">'
        '<title><langstring lang="en">Geology</langstring></title>'
        '<description><langstring lang="en">Stones</langstring></description></course>\n'
        f"{objectives}{chr(10).join(children)}\n</courseStructure>"
    ).encode()


def zipped(files: dict[str, bytes], **options: Any) -> io.BytesIO:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, **options) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed
