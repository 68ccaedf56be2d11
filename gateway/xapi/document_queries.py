"""The queries of the document resources: which document, or which set of them.

xAPI Communication §2.3 (state), §2.6 and §2.7 (profiles). Performs no I/O. The presence of the document's id
decides between one document and many; only state documents can be deleted many at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final
from uuid import UUID

from gateway.xapi.agents import agent_key
from gateway.xapi.documents import Kind
from gateway.xapi.parameters import Parameters

_READING: Final = ("GET", "HEAD")


@dataclass(frozen=True, slots=True, kw_only=True)
class StateQuery:
    """One state document, or those of an activity and agent.

    Without `registration` one document is the one stored without any, many are those of all registrations.
    `since` (µs, exclusive) only goes with listing.
    """

    kind: ClassVar[Kind] = Kind.STATE

    activity_id: str
    agent: dict[str, Any]
    agent_key: str
    registration: UUID | None = None
    document_id: str | None = None
    since: int | None = None

    @classmethod
    def parse(cls, pairs: Sequence[tuple[str, str]], method: str) -> StateQuery:
        """Raises Invalid with everything wrong with the query for this method."""
        parameters = Parameters(
            pairs,
            known=("activityId", "agent", "stateId", "registration", *_since(method)),
            requirement="xAPI Communication 2.3",
        )
        parameters.require("activityId", "agent")
        if method in ("PUT", "POST"):
            parameters.require("stateId")
        activity_id, agent = parameters.iri("activityId"), parameters.agent("agent")
        registration = parameters.uuid("registration")
        document_id, since = _document(parameters, "stateId")
        parameters.finish()
        assert activity_id is not None
        assert agent is not None
        return cls(
            activity_id=activity_id,
            agent=agent,
            agent_key=_key(agent),
            registration=registration,
            document_id=document_id,
            since=since,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityProfileQuery:
    """One profile document of an activity, or its list; `since` (µs, exclusive) only goes with listing."""

    kind: ClassVar[Kind] = Kind.ACTIVITY_PROFILE

    activity_id: str
    document_id: str | None = None
    since: int | None = None

    @classmethod
    def parse(cls, pairs: Sequence[tuple[str, str]], method: str) -> ActivityProfileQuery:
        """Raises Invalid with everything wrong with the query for this method."""
        parameters = Parameters(
            pairs,
            known=("activityId", "profileId", *_since(method)),
            requirement="xAPI Communication 2.7",
        )
        parameters.require("activityId", *_profile_id(method))
        activity_id = parameters.iri("activityId")
        document_id, since = _document(parameters, "profileId")
        parameters.finish()
        assert activity_id is not None
        return cls(activity_id=activity_id, document_id=document_id, since=since)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentProfileQuery:
    """One profile document of an agent, or its list; `since` (µs, exclusive) only goes with listing."""

    kind: ClassVar[Kind] = Kind.AGENT_PROFILE

    agent: dict[str, Any]
    agent_key: str
    document_id: str | None = None
    since: int | None = None

    @classmethod
    def parse(cls, pairs: Sequence[tuple[str, str]], method: str) -> AgentProfileQuery:
        """Raises Invalid with everything wrong with the query for this method."""
        parameters = Parameters(
            pairs,
            known=("agent", "profileId", *_since(method)),
            requirement="xAPI Communication 2.6",
        )
        parameters.require("agent", *_profile_id(method))
        agent = parameters.agent("agent")
        document_id, since = _document(parameters, "profileId")
        parameters.finish()
        assert agent is not None
        return cls(agent=agent, agent_key=_key(agent), document_id=document_id, since=since)


def _since(method: str) -> tuple[str, ...]:
    return ("since",) if method in _READING else ()


def _profile_id(method: str) -> tuple[str, ...]:
    return () if method in _READING else ("profileId",)


def _document(parameters: Parameters, id_name: str) -> tuple[str | None, int | None]:
    document_id, since = parameters.text(id_name), parameters.timestamp("since")
    if id_name in parameters and "since" in parameters:
        parameters.problem("since", f"cannot be combined with {id_name}; it narrows a list of documents")
    return document_id, since


def _key(agent: dict[str, Any]) -> str:
    key = agent_key(agent)
    assert key is not None, "a valid Agent has an identifier"
    return key
