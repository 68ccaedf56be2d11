"""What cmi5 demands of every statement an AU sends, and of the allowed ones (6.3, 8.1, 9, 10.2.1).

A rule yields what is wrong as (requirement, path, message). Performs no I/O.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from gateway.cmi5 import vocabulary as words
from gateway.cmi5.gate_view import Fault, Reading, SessionView, activity_ids, mapping
from gateway.cmi5.numbers import same_json
from gateway.cmi5.sessions import SessionState
from gateway.xapi.findings import at, shown

_UTC: Final = re.compile(r".*(?:[Zz]|[+-]00(?::?00)?)", re.DOTALL)


def has_id(reading: Reading, _view: SessionView) -> Iterator[Fault]:
    if reading.statement.get("id") is None:
        yield "9.1.0.0-1", "id", "is missing; an AU gives every statement a UUID itself"


def is_no_voiding(reading: Reading, _view: SessionView) -> Iterator[Fault]:
    if reading.verb == words.VOIDED:
        yield "6.3.0.0-1", "verb.id", "is 'voided'; an AU may not void statements"


def has_timestamp(reading: Reading, _view: SessionView) -> Iterator[Fault]:
    if reading.statement.get("timestamp") is None:
        yield "9.7.0.0-1", "timestamp", "is missing; every statement of an AU needs one"


def timestamp_is_utc(reading: Reading, _view: SessionView) -> Iterator[Fault]:
    timestamp = reading.statement.get("timestamp")
    if isinstance(timestamp, str) and _UTC.fullmatch(timestamp) is None:
        yield "9.7.0.0-2", "timestamp", f"holds {shown(timestamp)}; expected a time in UTC, ending in Z"


def actor_is_agent(reading: Reading, _view: SessionView) -> Iterator[Fault]:
    kind = mapping(reading.statement.get("actor")).get("objectType", "Agent")
    if kind != "Agent":
        yield "9.2.0.0-2", "actor.objectType", f"holds {shown(kind)}; expected Agent"


def actor_is_the_learner(reading: Reading, view: SessionView) -> Iterator[Fault]:
    account = mapping(reading.statement.get("actor")).get("account")
    if not isinstance(account, dict):
        yield "9.2.0.0-3", "actor.account", "is missing; send the actor of the launch URL"
        return
    launched = mapping(view.actor.get("account"))
    for key in ("homePage", "name"):
        if account.get(key) != launched.get(key):
            message = (
                f"holds {shown(account.get(key))}; the actor of the launch has {shown(launched.get(key))}"
            )
            yield "8.1.3.0-3", f"actor.account.{key}", message


def has_the_registration(reading: Reading, view: SessionView) -> Iterator[Fault]:
    if not isinstance(reading.statement.get("context"), dict):
        yield "9.6.0.0-1", "context", "is missing; start from the contextTemplate of LMS.LaunchData"
        return
    registration = reading.context.get("registration")
    if not isinstance(registration, str) or registration.lower() != view.registration.lower():
        message = f"holds {shown(registration)}; the registration of the launch is {view.registration}"
        yield "9.6.1.0-1", "context.registration", message


def has_the_session_id(reading: Reading, view: SessionView) -> Iterator[Fault]:
    found = reading.extensions.get(words.SESSION_ID)
    if found != view.session:
        path = at("context.extensions", words.SESSION_ID)
        yield "9.6.3.1-4", path, f"holds {shown(found)}; the id of this session is {shown(view.session)}"


def keeps_the_context_template(reading: Reading, view: SessionView) -> Iterator[Fault]:
    template = view.context_template
    for name in mapping(template.get("contextActivities")):
        present = set(activity_ids(reading.context, name))
        for identifier in activity_ids(template, name):
            if identifier not in present:
                path = f"context.contextActivities.{name}"
                yield "9.6.2.0-1", path, f"lacks {shown(identifier)}, which the contextTemplate has"
    for key, expected in mapping(template.get("extensions")).items():
        if key != words.SESSION_ID:  # Has a rule of its own.
            yield from _kept(reading.extensions.get(key), expected, at("context.extensions", key))
    for key, expected in template.items():
        if key not in ("contextActivities", "extensions", "registration"):
            yield from _kept(reading.context.get(key), expected, at("context", key))


def _kept(found: object, expected: object, path: str) -> Iterator[Fault]:
    if found is None:
        yield "10.2.1.0-6", path, "is missing; the contextTemplate has it"
    elif not same_json(found, expected):
        yield "10.2.1.0-7", path, f"holds {shown(found)}; the contextTemplate has {shown(expected)}"


def token_was_fetched(_reading: Reading, view: SessionView) -> Iterator[Fault]:
    if view.state is SessionState.LAUNCHED:
        yield "8.1.2.0-2", "", "the token of this session was not fetched yet"


def initialized_comes_first(reading: Reading, view: SessionView) -> Iterator[Fault]:
    waiting = view.state in (SessionState.LAUNCHED, SessionState.AUTHORIZED)
    if waiting and not (reading.defined and reading.verb == words.INITIALIZED):
        yield (
            "9.3.0.0-4",
            "verb.id",
            "comes before the cmi5 defined initialized statement, which must be first",
        )


def nothing_follows_terminated(_reading: Reading, view: SessionView) -> Iterator[Fault]:
    if view.state is SessionState.TERMINATED:
        yield "9.3.0.0-5", "", "the session is terminated; no statement can follow"


def nothing_follows_abandoned(_reading: Reading, view: SessionView) -> Iterator[Fault]:
    if view.state is SessionState.ABANDONED:
        yield "9.3.6.0-2", "", "the session was abandoned; launch the AU again"


def allowed_has_no_move_on_category(reading: Reading, _view: SessionView) -> Iterator[Fault]:
    if words.CATEGORY_MOVE_ON in reading.categories:
        message = "has the moveon category without the cmi5 category; it belongs to defined statements only"
        yield "9.6.2.2-2", "context.contextActivities.category", message
