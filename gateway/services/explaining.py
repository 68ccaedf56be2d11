"""How one event is mapped and why, as JSON: what `explain` of the API and of the commands answers. Pure."""

from __future__ import annotations

from typing import Any

from adapters import Adapted, Failed, Lookups, Skipped, Taken
from adapters import Mapping as AdapterMapping
from gateway.errors import Problem
from gateway.store.delivery_records import Outcome
from gateway.xapi import validation
from gateway.xapi.versions import Version


def explained(
    mapping: AdapterMapping, event: Taken, lookups: Lookups, delivery: str | None
) -> dict[str, Any]:
    """The explanation of an event; `problems` are those of its statements."""
    if isinstance(event, Failed):
        problems = [lint.as_json() for lint in event.problems]
        return {"event_id": None, "outcome": {"kind": "failed", "problems": problems}, "problems": []}
    if isinstance(event, Skipped):
        outcome = {"kind": "skipped", "rule": event.rule, "reason": event.reason}
        return {"event_id": None, "outcome": outcome, "problems": []}
    # Whoever brought the payload has seen it; what is stored is sealed for identities alone.
    explanation = mapping.explain(event, lookups, delivery=delivery, sealed=delivery is not None)
    found: list[Problem] = []
    if isinstance(explanation.outcome, Adapted):
        found = validation.check_batch(explanation.outcome.statements, Version.V2)
    described: dict[str, Any] = explanation.as_json()
    described["problems"] = [
        {"path": problem.path, "requirement": problem.requirement, "message": problem.message}
        for problem in found
    ]
    return described


def unsupplied(outcome: Outcome) -> dict[str, Any]:
    """The explanation of an event for which nothing was fetched."""
    problems = [{"code": outcome.code, "message": outcome.reason}]
    return {
        "event_id": outcome.event,
        "outcome": {"kind": "failed", "problems": problems},
        "problems": [],
    }
