"""What an AU's token may do with documents, agents and stored statements (cmi5 8.1.3, 10.2.1, 11).

Applied before the general xAPI rules, so that a breach of cmi5 is answered as one. Performs no I/O.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from gateway.cmi5.gate_view import SessionView, mapping
from gateway.cmi5.preferences import check_preferences
from gateway.cmi5.refusals import Refusal
from gateway.cmi5.vocabulary import LAUNCH_DATA_ID, PREFERENCES_ID
from gateway.xapi.findings import shown

_ACTOR: Final = "cmi5 8.1.3.0-3"
_REGISTRATION: Final = "cmi5 8.1.4.0-3"
_LAUNCH_DATA: Final = "cmi5 10.2.1.0-5"
_PROFILE_AGENT: Final = "cmi5 11.0.0.0-1"
_PREFERENCES: Final = "cmi5 11.0.0.0-5"
_READING: Final = frozenset({"GET", "HEAD"})


class Resource(StrEnum):
    """The xAPI resources beside `statements`, by their path below the endpoint."""

    STATE = "activities/state"
    AGENT_PROFILE = "agents/profile"
    ACTIVITY_PROFILE = "activities/profile"
    AGENTS = "agents"
    ACTIVITIES = "activities"
    ABOUT = "about"


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentRequest:
    """A request as the AU meant it, alternate syntax undone.

    `agent` is the parsed `agent` parameter, whatever JSON it was. `document_id` is stateId or profileId.
    `content` is the body as parsed JSON, for a POST the merged result; it is looked at for learner
    preferences only, where a body that is no JSON is given as None.
    """

    resource: Resource
    method: str
    agent: object = None
    registration: str | None = None
    document_id: str | None = None
    content_type: str = ""
    content: object = None


def examine_document(request: DocumentRequest, view: SessionView) -> tuple[Refusal, ...]:
    """Why the request is refused, nothing if it is not."""
    match request.resource:
        case Resource.STATE:
            return tuple(_state(request, view))
        case Resource.AGENT_PROFILE:
            return tuple(_agent_profile(request, view))
        case Resource.AGENTS:
            return tuple(_same_agent(request, view, _ACTOR))
        case Resource.ACTIVITY_PROFILE | Resource.ACTIVITIES | Resource.ABOUT:
            return ()


def asks_for_preferences(request: DocumentRequest) -> bool:
    """Does this request count as having asked for the preferences (11.0.0.0-3)? A 404 does, too."""
    return (
        request.resource is Resource.AGENT_PROFILE
        and request.method == "GET"
        and request.document_id == PREFERENCES_ID
    )


def scoped_query(query: Mapping[str, str], view: SessionView, actor: str) -> dict[str, str] | None:
    """A statements query narrowed to the session's registration and `actor`, the launch actor as JSON.

    None if it asks for another registration: the answer is an empty list then. An agent it asks for is left
    to the caller, who alone can say whether it is the same person.
    """
    registration = query.get("registration", view.registration)
    if registration.lower() != view.registration.lower():
        return None
    return {"agent": actor, **query, "registration": view.registration}


def readable(statement: Mapping[str, Any], view: SessionView) -> bool:
    """May the AU read this statement by its id: is it of this registration?"""
    registration = mapping(statement.get("context")).get("registration")
    return isinstance(registration, str) and registration.lower() == view.registration.lower()


def is_launch_actor(agent: object, view: SessionView) -> bool:
    """Has this Agent the account of the launch? Name and objectType do not matter."""
    account, launched = mapping(mapping(agent).get("account")), mapping(view.actor.get("account"))
    return bool(launched) and all(account.get(key) == launched.get(key) for key in ("homePage", "name"))


def _state(request: DocumentRequest, view: SessionView) -> Iterator[Refusal]:
    yield from _same_agent(request, view, _ACTOR)
    given = request.registration
    if given is not None and given.lower() != view.registration.lower():
        message = f"holds {shown(given)}; the registration of the launch is {view.registration}"
        yield _refusal(_REGISTRATION, "registration", message)
    if request.method in _READING:
        return
    if request.document_id == LAUNCH_DATA_ID:
        yield _refusal(_LAUNCH_DATA, "stateId", f"is {LAUNCH_DATA_ID}, which an AU may only read")
    elif request.document_id is None and request.method == "DELETE":
        message = f"is missing; deleting all documents at once would take {LAUNCH_DATA_ID} along"
        yield _refusal(_LAUNCH_DATA, "stateId", message)


def _agent_profile(request: DocumentRequest, view: SessionView) -> Iterator[Refusal]:
    if request.agent is None:
        yield _refusal("xAPI 2.6", "agent", "is missing; send the actor of the launch", status=400)
        return
    yield from _same_agent(request, view, _PROFILE_AGENT)
    if request.document_id != PREFERENCES_ID or request.method in _READING:
        return
    if request.method == "DELETE":
        yield _refusal(_PREFERENCES, "profileId", f"is {PREFERENCES_ID}, which an AU may not delete")
        return
    content_type = request.content_type.partition(";")[0].strip().lower()
    if content_type != "application/json":
        message = f"holds {shown(request.content_type)}; expected application/json"
        yield _refusal(_PREFERENCES, "Content-Type", message)
    for problem in check_preferences(request.content):
        yield _refusal(problem.requirement, problem.path, problem.message)


def _same_agent(request: DocumentRequest, view: SessionView, requirement: str) -> Iterator[Refusal]:
    if request.agent is not None and not is_launch_actor(request.agent, view):
        yield _refusal(requirement, "agent", "is not the actor of the launch")


def _refusal(requirement: str, path: str, message: str, *, status: int = 403) -> Refusal:
    return Refusal(status=status, requirement=requirement, path=path, message=message)
