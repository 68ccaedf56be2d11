"""The Person object: what an LRS knows of an Agent, every property an array (xAPI Communication §2.4).

Performs no I/O. Identifiers of one human being are not joined: that they belong together is for the
institution to say, not for a reader of statements to find out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from gateway.xapi.agents import IDENTIFIERS, agent_key


def person(agent: Mapping[str, Any], names: Iterable[str] = ()) -> dict[str, Any]:
    """The Person for a valid Agent and the names that statements gave it, distinct and in their order.

    An Agent nobody has mentioned is a Person too, made of what the request says of it.
    """
    known = list(dict.fromkeys(names)) or [agent[key] for key in ("name",) if key in agent]
    found: dict[str, Any] = {"objectType": "Person"}
    if known:
        found["name"] = known
    for key in IDENTIFIERS:
        if key in agent:
            found[key] = [agent[key]]
    return found


def named_agents(statement: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Agent key and name of every Agent or identified Group that a valid statement names."""
    target = statement["object"]
    context = statement.get("context", {})
    actors = [statement["actor"], *(context[key] for key in ("instructor", "team") if key in context)]
    actors += [entry["agent"] for entry in context.get("contextAgents", ())]
    actors += [entry["group"] for entry in context.get("contextGroups", ())]
    if target.get("objectType") in ("Agent", "Group"):
        actors.append(target)
    for actor in actors:
        for agent in (actor, *actor.get("member", ())):
            if "name" in agent and (key := agent_key(agent)) is not None:
                yield key, agent["name"]
    if target.get("objectType") == "SubStatement":
        yield from named_agents(target)
