"""Deliveries: what vendors sent, what became of it and why; and mapping it again, tried before it is done."""

from __future__ import annotations

import datetime as dt
from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

from aiohttp import web

from adapters.receive.decode import Undecodable
from gateway.errors import GatewayError, Invalid, Problem
from gateway.services.delivery_views import rehearsal, summary, whole
from gateway.store.deliveries import DeliveryFilter
from gateway.store.delivery_records import Replay, State
from gateway.web.api.bodies import Fields, path_id
from gateway.web.api.paging import cursor_at, place_of
from gateway.web.auditing import note
from gateway.web.console.rendering import pretty
from gateway.web.console.visits import Visit, text_of
from gateway.xapi import strict_json
from gateway.xapi.findings import shown

_LIMIT = 25
_MOST_REHEARSED = 50
_FIELDS = ("adapter", "state", "since", "until")


async def index(visit: Visit) -> web.Response:
    """One page of the list, newest first."""
    given = {name: text_of(visit.request, name) for name in _FIELDS}
    which = filter_of(given)
    cursor = text_of(visit.request, "cursor")
    after = place_of(Fields({"cursor": cursor} if cursor else {}, ("cursor",)))
    page = await visit.services.hooks.deliveries.list(which, limit=_LIMIT, after=after)
    older, address = None, {name: value for name, value in given.items() if value}
    if page.more:
        last = page.deliveries[-1]
        older = urlencode(address | {"cursor": cursor_at(last.received, last.id)})
    return visit.page(
        "deliveries.html",
        rows=[(one, summary(one)) for one in page.deliveries],
        given=given,
        states=list(State),
        adapters=[adapter.name for adapter in visit.services.hooks.mappings.adapters],
        older=older,
        first=urlencode(address) if cursor else None,
        limit=_LIMIT,
    )


async def show(visit: Visit) -> web.Response:
    """One delivery: what came, whether it was believed, and what became of each event in it."""
    deliveries = visit.services.hooks.deliveries
    delivery = await deliveries.get(path_id(visit.request, "delivery", "delivery"))
    try:
        payload = deliveries.shown_payload(delivery)
    except Undecodable:
        payload = None
    described = whole(delivery, payload)
    return visit.page(
        "delivery.html",
        delivery=delivery,
        described=described,
        body=_body(described["request"]),
    )


async def trace(visit: Visit) -> web.Response:
    """How each event of a delivery is mapped today: rules tried, fields filled, what nobody read."""
    deliveries = visit.services.hooks.deliveries
    delivery = await deliveries.get(path_id(visit.request, "delivery", "delivery"))
    events = await deliveries.explain(delivery.adapter, delivery.id)
    # What identities read is what a mapping may hide from everybody else.
    for event in events:
        for field in event.get("fields", ()):
            field["hidden"] = field["path"].partition(".")[0] == "identity"
    return visit.page("trace.html", delivery=delivery, events=events)


async def rehearse(visit: Visit) -> web.Response:
    """What mapping the chosen deliveries again would do; nothing is stored."""
    ids = _chosen(visit)
    how = Replay(id=uuid4(), replace=visit.form.text("replace") == "1")
    found = visit.services.hooks.deliveries.rehearse(DeliveryFilter(ids=ids), how, limit=_MOST_REHEARSED)
    return visit.page(
        "rehearsal.html",
        rows=[rehearsal(one) async for one in found],
        ids=ids,
        most=_MOST_REHEARSED,
        replace=how.replace,
    )


async def replay(visit: Visit) -> web.Response:
    """Have the chosen deliveries mapped again."""
    ids = _chosen(visit)
    how = Replay(id=uuid4(), replace=visit.form.text("replace") == "1")
    note(visit.request, objects={"replay": str(how.id)}, deliveries=len(ids), replace=how.replace)
    await visit.services.hooks.deliveries.replay(
        DeliveryFilter(ids=ids), how, by=f"person:{visit.person.login}"
    )
    return visit.to(f"/deliveries/{ids[0]}" if len(ids) == 1 else "/deliveries", said="replayed")


def _chosen(visit: Visit) -> list[UUID]:
    ids = visit.form.uuids("id")
    if not ids:
        message = "chose no delivery; tick those that are to be mapped again"
        raise Invalid(f"you {message}", problems=[Problem("id", "Console", message)])
    return ids


def filter_of(given: dict[str, str]) -> DeliveryFilter:
    """The filter of an address; raises Invalid."""
    problems: list[Problem] = []
    state = given["state"]
    if state and state not in list(State):
        problems.append(
            Problem("state", "Console", f"holds {shown(state)}; expected one of {', '.join(State)}")
        )
        state = ""
    which = DeliveryFilter(
        adapter=given["adapter"] or None,
        states=(State(state),) if state else (),
        since=moment_of(given, "since", problems),
        until=moment_of(given, "until", problems),
    )
    if problems:
        raise Invalid(f"{problems[0].path} {problems[0].message}", problems=problems)
    return which


def moment_of(given: dict[str, str], name: str, problems: list[Problem]) -> dt.datetime | None:
    """A time in UTC where none other is said."""
    if not given[name]:
        return None
    try:
        moment = dt.datetime.fromisoformat(given[name])
        return moment.astimezone(dt.UTC) if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    except (ValueError, OverflowError):
        expected = "a time such as 2026-01-31T10:15"
        problems.append(Problem(name, "Console", f"holds {shown(given[name])}; expected {expected}"))
        return None


def _body(request: dict[str, Any]) -> str:
    """The body as people read it: JSON with indents, else text, else base64."""
    if "payload" in request:
        return pretty(request["payload"])
    text: str = request.get("body", request.get("base64", ""))
    try:
        return pretty(strict_json.parse(text.encode()).value)
    except GatewayError:  # no JSON: a form, XML or what a vendor takes for JSON
        return text
