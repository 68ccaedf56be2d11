"""`/api/v1/mappings`: what is loaded and in every process, reading it again, revisions, shadows,
explanations.
"""

from __future__ import annotations

from aiohttp import web

from gateway.errors import NotFound
from gateway.keys import RELOADING
from gateway.services.access import Scope
from gateway.services.clock import utc_now
from gateway.services.deliveries import Sample
from gateway.services.delivery_views import silence
from gateway.services.reloading import adapter_view
from gateway.services.revision_views import process_view, report_view, revision_view
from gateway.services.unmatched import RECENT
from gateway.web.api.access import granted_hooks, services_for
from gateway.web.api.answers import answer
from gateway.web.api.bodies import Fields, read_fields, read_query


async def index(request: web.Request) -> web.Response:
    """The adapters of this process: which mapping they run, or why they receive nothing."""
    _, hooks = await granted_hooks(request)
    silences = {one.adapter: silence(one) for one in await hooks.hours.silences()}
    shown = [
        {**adapter_view(one, hooks.mappings), "silence": silences.get(one.name)}
        for one in hooks.mappings.adapters
    ]
    return answer({"mappings": shown})


async def status(request: web.Request) -> web.Response:
    """What every process runs that was heard of lately."""
    await granted_hooks(request)
    found = await request.config_dict[RELOADING].processes()
    return answer({"processes": [process_view(one) for one in found]})


async def reload(request: web.Request) -> web.Response:
    """Read the folder again: here at once, in all other processes within seconds."""
    _, hooks = await granted_hooks(request)
    generation = await request.config_dict[RELOADING].wish()
    shown = [adapter_view(one, hooks.mappings) for one in hooks.mappings.adapters]
    return answer({"generation": generation, "mappings": shown})


async def revisions(request: web.Request) -> web.Response:
    """The revisions of an adapter that were ever used, the latest first, without their texts."""
    _, hooks = await granted_hooks(request)
    found = await hooks.revisions.of(request.match_info["adapter"])
    return answer({"revisions": [revision_view(one) for one in found]})


async def revision(request: web.Request) -> web.Response:
    """One revision with its texts."""
    _, hooks = await granted_hooks(request)
    found = await hooks.revisions.get(request.match_info["revision"])
    if found.adapter != request.match_info["adapter"]:
        raise NotFound(f"the revision is one of {found.adapter!r}")
    return answer(revision_view(found) | {"texts": dict(found.texts)})


async def shadow(request: web.Request) -> web.Response:
    """What shadow mappings of an adapter would have said instead."""
    services = await services_for(request, Scope.HOOKS, Scope.ADMIN)
    found = await services.store.shadows.of(request.match_info["adapter"])
    return answer({"reports": [report_view(one) for one in found]})


async def unmatched(request: web.Request) -> web.Response:
    """Types of events that no rule of an adapter was for, in deliveries since `since`, or of a week."""
    _, hooks = await granted_hooks(request)
    query = read_query(request, ("since",))
    since = query.moment("since") or utc_now() - RECENT
    query.finish()
    found = await hooks.unmatched.recent(since, adapters=[request.match_info["adapter"]])
    return answer(found.as_json())


async def explain(request: web.Request) -> web.Response:
    """How a `payload` (with `headers`, `query`, `fetched`) or a stored `delivery` is mapped, event by event.

    A delivery with `original` is explained by the mapping and the lookups that it was mapped with.
    """
    _, hooks = await granted_hooks(request)
    adapter = request.match_info["adapter"]
    fields = await read_fields(request, ("payload", "headers", "query", "fetched", "delivery", "original"))
    delivery, original = fields.uuid("delivery", required=False), fields.get("original")
    sample = Sample(
        payload=fields.get("payload"),
        headers=_pairs(fields, "headers"),
        query=_pairs(fields, "query"),
        fetched=fields.get("fetched"),
        received=utc_now(),
    )
    if (delivery is None) == (sample.payload is None):
        fields.wrong("payload", "a payload or, instead, the id of a `delivery`")
    if original not in (None, True, False):
        fields.wrong("original", "true or false")
    fields.finish()
    if delivery is not None:
        events = await hooks.deliveries.explain(adapter, delivery, original=original is True)
    else:
        events = await hooks.deliveries.explain_sample(adapter, sample)
    return answer({"events": events})


def _pairs(fields: Fields, name: str) -> tuple[tuple[str, str], ...]:
    given = fields.get(name)
    if given is None:
        return ()
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        fields.wrong(name, "an object of texts")
        return ()
    return tuple(given.items())


def add_routes(app: web.Application, base: str) -> None:
    """Mappings below `base`."""
    app.router.add_get(f"{base}/mappings", index)
    app.router.add_get(f"{base}/mappings/status", status)
    app.router.add_post(f"{base}/mappings/reload", reload)
    app.router.add_get(f"{base}/mappings/{{adapter}}/revisions", revisions)
    app.router.add_get(f"{base}/mappings/{{adapter}}/revisions/{{revision}}", revision)
    app.router.add_get(f"{base}/mappings/{{adapter}}/shadow", shadow)
    app.router.add_get(f"{base}/mappings/{{adapter}}/unmatched", unmatched)
    app.router.add_post(f"{base}/mappings/{{adapter}}/explain", explain)
