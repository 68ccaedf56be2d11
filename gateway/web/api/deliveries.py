"""`/api/v1/deliveries`: what vendors sent, what became of it, and mapping it again."""

from __future__ import annotations

from uuid import UUID, uuid4

from aiohttp import web

from adapters.receive.decode import Undecodable
from gateway.services.deliveries import MOST_REHEARSED, Page
from gateway.services.delivery_views import rehearsal, replay_summary, replay_view, summary, whole
from gateway.services.hooks import Hooks
from gateway.store.deliveries import DeliveryFilter
from gateway.store.delivery_records import Replay, State
from gateway.web.api.access import granted_hooks
from gateway.web.api.answers import answer
from gateway.web.api.bodies import Fields, limit_of, path_id, read_fields, read_query
from gateway.web.api.paging import cursor_at, place_of
from gateway.web.auditing import note
from gateway.xapi.datatypes import is_uuid

_FILTER = ("adapter", "state", "since", "until", "conflict", "code", "replay")
_MOST_IDS = 10_000


async def index(request: web.Request) -> web.Response:
    """Deliveries, the newest first: `adapter`, `state` (several by comma), `since`, `until`, `conflict`,
    `limit`, and `cursor` from the `more` of the page before.
    """
    hooks = await _hooks(request)
    query = read_query(request, (*_FILTER, "limit", "cursor"))
    which, limit, after = _filter(query), limit_of(query), place_of(query)
    query.finish()
    page = await hooks.deliveries.list(which, limit=limit, after=after)
    return answer({"deliveries": [summary(one) for one in page.deliveries], "more": _more(page)})


async def show(request: web.Request) -> web.Response:
    """One delivery with its request and the outcome of each event."""
    hooks = await _hooks(request)
    delivery = await hooks.deliveries.get(path_id(request, "delivery", "delivery"))
    try:
        payload = hooks.deliveries.shown_payload(delivery)
    except Undecodable:
        payload = None
    return answer(whole(delivery, payload))


async def replay(request: web.Request) -> web.Response:
    """Map deliveries (`ids` or `filter`) again, with `mapping` and `lookups` of today (`current`) or as it
    was (`original`): 202 with a replay, whose progress can be asked for.

    With `replace`, statements that say something else by now are voided and stored anew. With `dryRun`
    nothing is stored: 200 with what would become of each, at most `limit` of them.
    """
    grant, hooks = await granted_hooks(request)
    fields = await read_fields(request, ("ids", "filter", "mapping", "lookups", "replace", "dryRun", "limit"))
    which, dry_run, limit = _chosen(fields), _flag(fields, "dryRun"), fields.get("limit")
    how = Replay(
        id=uuid4(),
        original_mapping=_original(fields, "mapping"),
        original_lookups=_original(fields, "lookups"),
        replace=_flag(fields, "replace"),
    )
    if limit is not None and (limit.__class__ is not int or not 1 <= limit <= MOST_REHEARSED):
        fields.wrong("limit", f"a number from 1 to {MOST_REHEARSED}")
    if limit is not None and not dry_run:
        fields.wrong("limit", "nothing, because only a dry run is limited")
    fields.finish()
    note(request, changed=not dry_run)
    if dry_run:
        found = hooks.deliveries.rehearse(which, how, limit=limit or MOST_REHEARSED)
        return answer({"deliveries": [rehearsal(one) async for one in found]})
    note(request, objects={"replay": str(how.id)}, replace=how.replace)
    progress = await hooks.deliveries.replay(which, how, by=grant.key)
    return answer(replay_view(progress), status=202)


async def replays(request: web.Request) -> web.Response:
    """The latest replays; at most `limit` of them."""
    _, hooks = await granted_hooks(request)
    query = read_query(request, ("limit",))
    limit = limit_of(query)
    query.finish()
    found = await hooks.deliveries.replays(limit=limit)
    return answer({"replays": [replay_summary(one) for one in found]})


async def show_replay(request: web.Request) -> web.Response:
    """One replay, and how far it is."""
    _, hooks = await granted_hooks(request)
    return answer(replay_view(await hooks.deliveries.progress(path_id(request, "replay", "replay"))))


async def _hooks(request: web.Request) -> Hooks:
    return (await granted_hooks(request))[1]


def _flag(fields: Fields, name: str) -> bool:
    given = fields.get(name)
    if given is not None and not isinstance(given, bool):
        fields.wrong(name, "true or false")
    return given is True


def _original(fields: Fields, name: str) -> bool:
    given = fields.get(name)
    if given not in (None, "current", "original"):
        fields.wrong(name, "current or original")
    return bool(given == "original")


def _chosen(fields: Fields) -> DeliveryFilter:
    ids, chosen = fields.get("ids"), fields.get("filter")
    if (ids is None) == (chosen is None):
        fields.wrong("ids", "a list of ids or, instead, a `filter`; {} is every delivery")
    elif ids is not None:
        if not isinstance(ids, list) or len(ids) > _MOST_IDS or not all(map(is_uuid, ids)):
            fields.wrong("ids", f"a list of at most {_MOST_IDS} UUIDs")
            return DeliveryFilter(ids=())
        return DeliveryFilter(ids=[UUID(one) for one in ids])
    elif not isinstance(chosen, dict):
        fields.wrong("filter", f"an object with some of {', '.join(_FILTER)}")
    else:
        inner = Fields(chosen, _FILTER)
        which = _filter(inner)
        inner.finish()
        return which
    return DeliveryFilter(ids=())


def _filter(fields: Fields) -> DeliveryFilter:
    adapter, conflict = fields.get("adapter"), fields.get("conflict")
    if adapter is not None and not isinstance(adapter, str):
        fields.wrong("adapter", "the name of an adapter")
    if conflict not in (None, True, False, "true", "false"):
        fields.wrong("conflict", "true or false")
    code = fields.get("code")
    if code is not None and not isinstance(code, str):
        fields.wrong("code", "a reason code, such as unmatched or R102")
    return DeliveryFilter(
        adapter=adapter,
        states=_states(fields),
        since=fields.moment("since"),
        until=fields.moment("until"),
        conflict=None if conflict is None else conflict in (True, "true"),
        code=code,
        replay=fields.uuid("replay", required=False),
    )


def _states(fields: Fields) -> tuple[State, ...]:
    given = fields.get("state")
    words = given.split(",") if isinstance(given, str) else given
    if words is None:
        return ()
    if not isinstance(words, list) or not all(isinstance(one, str) and one in list(State) for one in words):
        fields.wrong("state", f"some of {', '.join(State)}")
        return ()
    return tuple(map(State, words))


def _more(page: Page) -> str | None:
    if not page.more:
        return None
    last = page.deliveries[-1]
    return cursor_at(last.received, last.id)


def add_routes(app: web.Application, base: str) -> None:
    """Deliveries and replays below `base`."""
    app.router.add_get(f"{base}/deliveries", index)
    app.router.add_post(f"{base}/deliveries/replay", replay)
    app.router.add_get(f"{base}/deliveries/replays", replays)
    app.router.add_get(f"{base}/deliveries/replays/{{replay}}", show_replay)
    app.router.add_get(f"{base}/deliveries/{{delivery}}", show)
