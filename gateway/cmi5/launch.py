"""What a launch hands to an AU: its mode, its URL and its launch data (cmi5 8.1, 10).

Settings cascade: course structure, course, registration, launch; the later one wins. Performs no I/O.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from gateway.cmi5.overrides import Overrides
from gateway.cmi5.satisfaction import NOTHING, AUFacts, au_met
from gateway.cmi5.structure import AU
from gateway.cmi5.vocabulary import SESSION_ID, LaunchMode, MoveOn


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchSettings:
    """What is in force for one session; `launch_mode` is None where nobody forced one."""

    move_on: MoveOn
    launch_mode: LaunchMode | None = None
    mastery_score: Decimal | None = None
    launch_parameters: str | None = None
    entitlement_key: str | None = None
    alternate_entitlement_key: str | None = None
    return_url: str | None = None
    context: Mapping[str, Any] | None = None


def effective(au: AU, *layers: Overrides) -> LaunchSettings:
    """The AU's own values, each replaced by the last of `layers` that sets it."""
    settings: dict[str, Any] = {
        "move_on": au.move_on,
        "mastery_score": au.mastery_score,
        "launch_parameters": au.launch_parameters,
        "entitlement_key": au.entitlement_key,
    }
    for layer in layers:
        settings |= layer.given()
    return LaunchSettings(**settings)


def choose_mode(move_on: MoveOn, facts: AUFacts = NOTHING, forced: LaunchMode | None = None) -> LaunchMode:
    """Normal until the AU is met, then Review, unless a mode is forced.

    What asks for nothing is met from the start; it turns to Review once it was completed or passed, because
    a second such statement would be refused.
    """
    if forced is not None:
        return forced
    if (facts.move_on or move_on) is MoveOn.NOT_APPLICABLE:
        finished = facts.completed or facts.passed or facts.waived
    else:
        finished = au_met(move_on, facts)
    return LaunchMode.REVIEW if finished else LaunchMode.NORMAL


def launch_url(
    url: str, *, endpoint: str, fetch: str, actor: Mapping[str, Any], registration: str, activity_id: str
) -> str:
    """The absolute AU URL with the five launch parameters (8.1) in its query, before any fragment.

    Values are encoded without exceptions and blanks as `%20`: many AUs decode with `decodeURIComponent`, to
    which a `+` is a plus.
    """
    values = {
        "endpoint": endpoint,
        "fetch": fetch,
        "actor": json.dumps(actor, separators=(",", ":"), ensure_ascii=False),
        "registration": registration,
        "activityId": activity_id,
    }
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in values.items())
    address, hash_sign, fragment = url.partition("#")
    if "?" not in address:
        joint = "?"
    elif address.endswith(("?", "&")):
        joint = ""
    else:
        joint = "&"
    return f"{address}{joint}{query}{hash_sign}{fragment}"


def context_template(
    au: AU, *, session: str, registration: str, additions: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The `contextTemplate` of a session (10.2.1): session id, publisher id and registration.

    `additions` is a context of the administrator's; what the LMS sets wins, and its `category` list is left
    out, because AUs overwrite that with their own.
    """
    template = dict(additions or {})
    activities = {
        name: list(value) if isinstance(value, list) else [value]
        for name, value in (template.get("contextActivities") or {}).items()
        if name != "category"
    }
    publisher = {"objectType": "Activity", "id": au.id}
    others = [each for each in activities.get("grouping", []) if each.get("id") != au.id]
    template["contextActivities"] = activities | {"grouping": [publisher, *others]}
    template["extensions"] = {**(template.get("extensions") or {}), SESSION_ID: session}
    template["registration"] = registration
    return template


def launch_data(settings: LaunchSettings, *, mode: LaunchMode, template: Mapping[str, Any]) -> dict[str, Any]:
    """The `LMS.LaunchData` document (10.2). What is not set has no key."""
    document: dict[str, Any] = {
        "contextTemplate": template,
        "launchMode": mode.value,
        "moveOn": settings.move_on.value,
    }
    if settings.mastery_score is not None:
        document["masteryScore"] = json_number(settings.mastery_score)
    if settings.launch_parameters is not None:
        document["launchParameters"] = settings.launch_parameters
    if settings.return_url is not None:
        document["returnURL"] = settings.return_url
    entitlement = {
        "courseStructure": settings.entitlement_key,
        "alternate": settings.alternate_entitlement_key,
    }
    if given := {name: value for name, value in entitlement.items() if value is not None}:
        document["entitlementKey"] = given
    return document


def json_number(value: Decimal) -> int | float:
    """The number as JSON writes it: `1`, `0.8`."""
    return int(value) if value == value.to_integral_value() else float(value)
