"""`/api/v1/sources`: who sends statements, who answers for it, what was declared and what was seen."""

from __future__ import annotations

from aiohttp import web

from gateway.errors import BadRequest
from gateway.keys import SERVICES
from gateway.services.access import Scope
from gateway.services.source_fields import changes
from gateway.services.source_views import source_summary, source_view
from gateway.services.sources import Decision, Sources
from gateway.store.observations import Seen
from gateway.web.api.access import granted
from gateway.web.api.answers import answer
from gateway.web.api.bodies import read_fields, read_object
from gateway.web.auditing import note
from gateway.xapi.contents import KINDS
from gateway.xapi.findings import shown


async def index(request: web.Request) -> web.Response:
    """Every source of the store, those that nobody set up too."""
    _, sources = await _granted(request)
    return answer({"sources": [source_summary(one) for one in await sources.all()]})


async def show(request: web.Request) -> web.Response:
    """One source, with its record and what was observed."""
    _, sources = await _granted(request)
    return answer(source_view(await sources.get(request.match_info["source"])))


async def put(request: web.Request) -> web.Response:
    """Write the record of a source anew; with `If-Match`, only if its number is that one still."""
    by, sources = await _granted(request)
    values = await read_object(request)
    number, identity = _number(request), request.match_info["source"]
    before = (await sources.get(identity)).source.record
    changed = await sources.put(identity, values, by=by, number=number)
    note(request, **changes(before, changed.source.record))
    return answer(source_view(changed))


async def decide(request: web.Request) -> web.Response:
    """Declare a value that was seen, or note that it should stop."""
    by, sources = await _granted(request)
    fields = await read_fields(request, ("kind", "value", "decision"))
    kind, value, decision = fields.text("kind"), fields.text("value"), fields.text("decision")
    if kind not in KINDS:
        fields.wrong("kind", f"one of {', '.join(KINDS)}")
    if decision not in list(Decision):
        fields.wrong("decision", f"one of {', '.join(Decision)}")
    fields.finish()
    seen = Seen(request.match_info["source"], kind, value)
    note(request, kind=kind, value=value[:200], decision=decision)
    return answer(source_view(await sources.decide(seen, Decision(decision), by=by)))


async def _granted(request: web.Request) -> tuple[str, Sources]:
    """Who asks, and the sources of their store."""
    grant = await granted(request, Scope.ADMIN)
    return f"credential:{grant.key}", request.config_dict[SERVICES][grant.store].sources


def _number(request: web.Request) -> int | None:
    given = request.headers.get("If-Match")
    if given is None:
        return None
    text = given.strip().strip('"')
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise BadRequest(f"If-Match holds {shown(given)}; expected the number of the record that was read")
    return int(text)


def add_routes(app: web.Application, base: str) -> None:
    """The sources below `base`."""
    app.router.add_get(f"{base}/sources", index)
    app.router.add_get(f"{base}/sources/{{source}}", show)
    app.router.add_put(f"{base}/sources/{{source}}", put)
    app.router.add_post(f"{base}/sources/{{source}}/decisions", decide)
