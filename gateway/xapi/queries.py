"""The queries of the Statement, Agents and Activities resources, and the `more` link.

xAPI Communication §2.1, §2.4 and §2.5. Performs no I/O. A `more` token is the query itself with the place
where the page ended, signed: it needs no memory on the server, never expires, and works on every process
that has the key.
"""

from __future__ import annotations

import binascii
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from gateway.errors import BadRequest
from gateway.xapi import strict_json
from gateway.xapi.agents import agent_key
from gateway.xapi.document_queries import ActivityProfileQuery, AgentProfileQuery, StateQuery
from gateway.xapi.formats import actor_ids
from gateway.xapi.parameters import Parameters
from gateway.xapi.versions import Version

__all__ = [
    "ActivitiesQuery",
    "ActivityProfileQuery",
    "AgentProfileQuery",
    "AgentsQuery",
    "Format",
    "Parameters",
    "Position",
    "StateQuery",
    "StatementsQuery",
    "decode_more",
    "encode_more",
    "more_token",
    "parse_nothing",
    "parse_statement_id",
]

_STATEMENTS: Final = {Version.V1: "xAPI Communication 2.1.3", Version.V2: "xAPI 2.0 4.1.6.1"}
_SINGLE: Final = ("statementId", "voidedStatementId")
_WITH_SINGLE: Final = frozenset((*_SINGLE, "attachments", "format"))
_KNOWN: Final = (
    *_SINGLE,
    "agent",
    "verb",
    "activity",
    "registration",
    "related_activities",
    "related_agents",
    "since",
    "until",
    "limit",
    "format",
    "attachments",
    "ascending",
)

_SIGNATURE_BYTES: Final = 16
_PURPOSE: Final = b"xapi more 2\x00"


class Format(StrEnum):
    """How statements are answered."""

    IDS = "ids"
    EXACT = "exact"
    CANONICAL = "canonical"


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementsQuery:
    """What GET /statements asks for: one statement by id, or all that match every filter.

    `agent` is reduced to its identifier and `agent_key` is the text of it. `since` (exclusive) and `until`
    (inclusive) are microseconds since the epoch and look at `stored`. `limit` 0 leaves the page size to the
    server.
    """

    statement_id: UUID | None = None
    voided_statement_id: UUID | None = None
    agent: dict[str, Any] | None = None
    agent_key: str | None = None
    verb: str | None = None
    activity: str | None = None
    registration: UUID | None = None
    related_activities: bool = False
    related_agents: bool = False
    since: int | None = None
    until: int | None = None
    limit: int = 0
    format: Format = Format.EXACT
    attachments: bool = False
    ascending: bool = False

    @property
    def single(self) -> bool:
        """Does it ask for one statement by its id?"""
        return self.statement_id is not None or self.voided_statement_id is not None

    @classmethod
    def parse(cls, pairs: Sequence[tuple[str, str]], version: Version) -> StatementsQuery:
        """Reads the query string; raises Invalid with everything wrong with it.

        Both versions define the same parameters, each in its own section.
        """
        parameters = Parameters(pairs, known=_KNOWN, requirement=_STATEMENTS[version])
        agent = parameters.actor("agent")
        query = cls(
            statement_id=parameters.uuid("statementId"),
            voided_statement_id=parameters.uuid("voidedStatementId"),
            agent=None if agent is None else actor_ids(agent),
            agent_key=None if agent is None else agent_key(agent),
            verb=parameters.iri("verb"),
            activity=parameters.iri("activity"),
            registration=parameters.uuid("registration"),
            related_activities=parameters.boolean("related_activities"),
            related_agents=parameters.boolean("related_agents"),
            since=parameters.timestamp("since"),
            until=parameters.timestamp("until"),
            limit=parameters.integer("limit"),
            format=parameters.choice("format", Format, Format.EXACT),
            attachments=parameters.boolean("attachments"),
            ascending=parameters.boolean("ascending"),
        )
        _check_combination(parameters)
        parameters.finish()
        return query


def _check_combination(parameters: Parameters) -> None:
    singles = [name for name in _SINGLE if name in parameters]
    if not singles:
        return
    if len(singles) == 2:
        parameters.problem("voidedStatementId", "cannot be combined with statementId")
    for name in parameters.given():
        if name not in _WITH_SINGLE:
            parameters.problem(name, f"cannot be combined with {singles[0]}, which names one statement")


def parse_statement_id(pairs: Sequence[tuple[str, str]]) -> UUID:
    """The only parameter of PUT /statements; raises Invalid."""
    parameters = Parameters(pairs, known=("statementId",), requirement="xAPI Communication 2.1.1")
    parameters.require("statementId")
    statement_id = parameters.uuid("statementId")
    parameters.finish()
    assert statement_id is not None
    return statement_id


def parse_nothing(pairs: Sequence[tuple[str, str]]) -> None:
    """POST /statements takes no parameter; raises Invalid for any."""
    Parameters(pairs, known=(), requirement="xAPI Communication 2.1.2").finish()


@dataclass(frozen=True, slots=True)
class AgentsQuery:
    """Of which Agent GET /agents wants the Person."""

    agent: dict[str, Any]
    agent_key: str

    @classmethod
    def parse(cls, pairs: Sequence[tuple[str, str]]) -> AgentsQuery:
        """Raises Invalid with everything wrong with the query."""
        parameters = Parameters(pairs, known=("agent",), requirement="xAPI Communication 2.4")
        parameters.require("agent")
        agent = parameters.agent("agent")
        parameters.finish()
        assert agent is not None
        key = agent_key(agent)
        assert key is not None
        return cls(agent, key)


@dataclass(frozen=True, slots=True)
class ActivitiesQuery:
    """Which Activity GET /activities wants."""

    activity_id: str

    @classmethod
    def parse(cls, pairs: Sequence[tuple[str, str]]) -> ActivitiesQuery:
        """Raises Invalid with everything wrong with the query."""
        parameters = Parameters(pairs, known=("activityId",), requirement="xAPI Communication 2.5")
        parameters.require("activityId")
        activity_id = parameters.iri("activityId")
        parameters.finish()
        assert activity_id is not None
        return cls(activity_id)


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page ended: `stored` (µs) and id of its last statement, and two times of the first page.

    `bound` (µs of `stored`, inclusive) limits all further pages, so that statements stored meanwhile do not
    shift them. `through` (µs) is up to when the first page was complete: whoever reads all pages and goes on
    from there misses nothing.
    """

    stored: int
    statement_id: UUID
    bound: int
    through: int


def encode_more(query: StatementsQuery, position: Position, *, key: bytes) -> str:
    """A token for the `more` link, of characters that need no escaping in a URL."""
    payload = strict_json.dumps(
        [
            position.stored,
            position.statement_id.hex,
            position.bound,
            position.through,
            query.agent,
            query.verb,
            query.activity,
            None if query.registration is None else query.registration.hex,
            query.related_activities,
            query.related_agents,
            query.since,
            query.until,
            query.limit,
            query.format.value,
            query.attachments,
            query.ascending,
        ]
    )
    return urlsafe_b64encode(_sign(payload, key) + payload).rstrip(b"=").decode("ascii")


def decode_more(token: str, *, key: bytes) -> tuple[StatementsQuery, Position]:
    """What `encode_more` was given; BadRequest when this server, or its key, did not make the token."""
    payload = _verified(token, key)
    (
        stored,
        statement_id,
        bound,
        through,
        agent,
        verb,
        activity,
        registration,
        related_activities,
        related_agents,
        since,
        until,
        limit,
        format_,
        attachments,
        ascending,
    ) = strict_json.parse(payload).value
    query = StatementsQuery(
        agent=agent,
        agent_key=None if agent is None else agent_key(agent),
        verb=verb,
        activity=activity,
        registration=None if registration is None else UUID(registration),
        related_activities=related_activities,
        related_agents=related_agents,
        since=since,
        until=until,
        limit=limit,
        format=Format(format_),
        attachments=attachments,
        ascending=ascending,
    )
    return query, Position(stored, UUID(statement_id), bound, through)


def more_token(pairs: Sequence[tuple[str, str]]) -> str | None:
    """The token of a followed `more` link, None for an ordinary query; Invalid when more stands beside it."""
    if all(name != "more" for name, _ in pairs):
        return None
    parameters = Parameters(pairs, known=("more",), requirement="xAPI Communication 2.1.3")
    token = parameters.text("more")
    parameters.finish()
    return token


def _sign(payload: bytes, key: bytes) -> bytes:
    return hmac.digest(key, _PURPOSE + payload, "sha256")[:_SIGNATURE_BYTES]


def _verified(token: str, key: bytes) -> bytes:
    try:
        raw = urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
    except (UnicodeEncodeError, binascii.Error):
        raw = b""
    signature, payload = raw[:_SIGNATURE_BYTES], raw[_SIGNATURE_BYTES:]
    # Decoding passes over stray characters; only the one spelling that was given out is taken back.
    canonical = urlsafe_b64encode(raw).rstrip(b"=").decode("ascii") == token
    if not canonical or not hmac.compare_digest(signature, _sign(payload, key)):
        raise BadRequest("the parameter more is not a token of this server; follow the link as it was given")
    return payload
