"""`/api/v1/subscriptions`: who is told what happens in registrations, and what became of it."""

from __future__ import annotations

from aiohttp import web

from gateway.services.subscription_views import notice_view, subscription_summary, whole_subscription
from gateway.store.notices import NoticeState
from gateway.web.api.access import cmi5
from gateway.web.api.answers import answer
from gateway.web.api.bodies import Fields, limit_of, path_id, read_fields, read_query
from gateway.web.api.paging import cursor_at, page_of, place_of

_CHANGEABLE = ("url", "events", "name", "enabled")


async def create(request: web.Request) -> web.Response:
    """Subscribe a `url` to `events`: 201 with the secret, which is shown this once."""
    services = await cmi5(request)
    fields = await read_fields(request, ("url", "events", "name", "secret"))
    fields.finish()
    made = await services.subscriptions.create(
        url=fields.get("url"),
        events=fields.get("events"),
        name=fields.get("name"),
        secret=fields.get("secret"),
    )
    return answer({**subscription_summary(made.subscription), "secret": made.secret}, status=201)


async def index(request: web.Request) -> web.Response:
    """All subscriptions, the oldest first."""
    services = await cmi5(request)
    read_query(request, ()).finish()
    found = await services.subscriptions.list()
    return answer({"subscriptions": [subscription_summary(each) for each in found]})


async def show(request: web.Request) -> web.Response:
    """A subscription with how many notices are pending, delivered and dead."""
    services = await cmi5(request)
    subscription = await services.subscriptions.get(path_id(request, "subscription", "subscription"))
    return answer(whole_subscription(subscription, await services.subscriptions.counts(subscription.id)))


async def change(request: web.Request) -> web.Response:
    """Change `url`, `events` or `name`, or with `enabled` whether anything is sent."""
    services = await cmi5(request)
    fields = await read_fields(request, _CHANGEABLE)
    fields.boolean("enabled")
    fields.finish()
    given = {name: fields.get(name) for name in _CHANGEABLE if fields.has(name)}
    identity = path_id(request, "subscription", "subscription")
    return answer(subscription_summary(await services.subscriptions.change(identity, given)))


async def delete(request: web.Request) -> web.Response:
    """Forget a subscription with its notices: 204."""
    services = await cmi5(request)
    await services.subscriptions.delete(path_id(request, "subscription", "subscription"))
    return web.Response(status=204)


async def rotate(request: web.Request) -> web.Response:
    """A new secret, shown this once; the one before signs beside it for a day."""
    services = await cmi5(request)
    made = await services.subscriptions.rotate(path_id(request, "subscription", "subscription"))
    return answer({**subscription_summary(made.subscription), "secret": made.secret})


async def notices(request: web.Request) -> web.Response:
    """The notices of a subscription, newest first; of one `state`, `limit`, `cursor`."""
    services = await cmi5(request)
    query = read_query(request, ("state", "limit", "cursor"))
    limit, after, state = limit_of(query), place_of(query), _state(query)
    query.finish()
    identity = path_id(request, "subscription", "subscription")
    found = await services.subscriptions.notices(identity, state=state, after=after, limit=limit + 1)
    page, more = page_of(found, limit)
    return answer(
        {
            "notices": [notice_view(notice) for notice in page],
            "more": cursor_at(page[-1].created, page[-1].id) if more else None,
        }
    )


async def retry(request: web.Request) -> web.Response:
    """Send a `notice` again, or without one all that are dead: 202 with their number."""
    services = await cmi5(request)
    fields = await read_fields(request, ("notice",), optional=True)
    notice = fields.uuid("notice", required=False)
    fields.finish()
    identity = path_id(request, "subscription", "subscription")
    return answer({"retried": await services.subscriptions.retry(identity, notice)}, status=202)


def _state(query: Fields) -> NoticeState | None:
    text = query.get("state")
    if text is None:
        return None
    if text not in list(NoticeState):
        query.wrong("state", f"one of {', '.join(NoticeState)}")
        return None
    return NoticeState(text)


def add_routes(app: web.Application, base: str) -> None:
    """Subscriptions and their notices below `base`."""
    one = f"{base}/subscriptions/{{subscription}}"
    app.router.add_routes(
        [
            web.get(f"{base}/subscriptions", index),
            web.post(f"{base}/subscriptions", create),
            web.get(one, show),
            web.patch(one, change),
            web.delete(one, delete),
            web.post(f"{one}/secret", rotate),
            web.get(f"{one}/notices", notices),
            web.post(f"{one}/retry", retry),
        ]
    )
