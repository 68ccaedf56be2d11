"""What a statement can be found by, and whether it is what a query looks for (xAPI 1.0.3
Communication §2.1.3).

One statement is looked at here, never those it refers to: following StatementRefs is asking `matches`
about each statement of the chain. Performs no I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from gateway.xapi.agents import agent_key


class MatchKeys(NamedTuple):
    """All that filters look at. Agents are `agent_key` texts, `registration` is in lower case.

    `related_agents` and `related_activities` include what the narrow filters find. Each key occurs once.
    """

    agents: tuple[str, ...]
    related_agents: tuple[str, ...]
    verb: str
    activity: str | None
    related_activities: tuple[str, ...]
    registration: str | None


class Filters(Protocol):
    """The filters of a query that look at what a statement says (a `StatementsQuery`); None means any."""

    @property
    def agent_key(self) -> str | None: ...
    @property
    def verb(self) -> str | None: ...
    @property
    def activity(self) -> str | None: ...
    @property
    def registration(self) -> UUID | None: ...
    @property
    def related_agents(self) -> bool: ...
    @property
    def related_activities(self) -> bool: ...


def match_keys(statement: Mapping[str, Any]) -> MatchKeys:
    """The match keys of a valid statement, single context activities or arrays of them alike."""
    # Dicts are sets that keep their order, so the same statement always gives the same keys.
    agents: dict[str, None] = {}
    activities: dict[str, None] = {}
    _add_actor(agents, statement["actor"])
    target = statement["object"]
    kind = target.get("objectType", "Activity")
    activity: str | None = None
    if kind == "Activity":
        activity = target["id"]
        activities[target["id"]] = None
    elif kind in ("Agent", "Group"):
        _add_actor(agents, target)
    narrow = tuple(agents)

    if kind == "SubStatement":
        _add_actor(agents, target["actor"])
        inner = target["object"]
        inner_kind = inner.get("objectType", "Activity")
        if inner_kind == "Activity":
            activities[inner["id"]] = None
        elif inner_kind != "StatementRef":
            _add_actor(agents, inner)
        if (inner_context := target.get("context")) is not None:
            _add_context(agents, activities, inner_context)
    registration: str | None = None
    if (context := statement.get("context")) is not None:
        _add_context(agents, activities, context)
        if (registration := context.get("registration")) is not None:
            registration = registration.lower()
    if (authority := statement.get("authority")) is not None:
        _add_actor(agents, authority)
    return MatchKeys(
        narrow, tuple(agents), statement["verb"]["id"], activity, tuple(activities), registration
    )


def matches(keys: MatchKeys, filters: Filters) -> bool:
    """Does this one statement pass all the filters? Times, limit and order are not looked at."""
    agents = keys.related_agents if filters.related_agents else keys.agents
    activities = keys.related_activities if filters.related_activities else (keys.activity,)
    return (
        (filters.agent_key is None or filters.agent_key in agents)
        and (filters.verb is None or filters.verb == keys.verb)
        and (filters.activity is None or filters.activity in activities)
        and (filters.registration is None or str(filters.registration) == keys.registration)
    )


def _add_actor(agents: dict[str, None], actor: Mapping[str, Any]) -> None:
    if (key := agent_key(actor)) is not None:
        agents[key] = None
    # A group is found by each of its members.
    for member in actor.get("member", ()):
        if (key := agent_key(member)) is not None:
            agents[key] = None


def _add_context(agents: dict[str, None], activities: dict[str, None], context: Mapping[str, Any]) -> None:
    for place in ("instructor", "team"):
        if place in context:
            _add_actor(agents, context[place])
    for entry in context.get("contextAgents", ()):
        _add_actor(agents, entry["agent"])
    for entry in context.get("contextGroups", ()):
        _add_actor(agents, entry["group"])
    for related in context.get("contextActivities", {}).values():
        for activity in related if isinstance(related, list) else (related,):
            activities[activity["id"]] = None
