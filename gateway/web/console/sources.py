"""Sources: who sends statements, who answers for it, what was declared and what came; sheets for vendors."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from adapters.linting.findings import MappingError
from adapters.testing.payloads import sample_cases
from gateway.errors import BadRequest, Invalid, NotFound, PreconditionFailed
from gateway.services.clock import utc_now
from gateway.services.mappings import Adapter
from gateway.services.setup_sheets import setup_sheet
from gateway.services.source_fields import DATA_CLASSES, TEXTS, changes, written
from gateway.services.sources import Decision, Source, Standing
from gateway.services.workbench import reading, tests_beside
from gateway.store.observations import Seen
from gateway.web.auditing import note
from gateway.web.console.rendering import segment
from gateway.web.console.visits import Visit
from gateway.web.origins import addresses
from gateway.xapi.contents import KINDS
from gateway.xapi.findings import shown

LABELS = {
    "owner": "owner",
    "vendor": "vendor",
    "purpose": "purpose",
    "ground": "legal ground",
    "data_class": "kind of data",
    "contact": "contact",
    "contract": "contract",
    "retention": "retention",
}
_NOUNS = {"verbs": "verb", "types": "activity type", "extensions": "key of an extension"}


async def index(visit: Visit) -> web.Response:
    """Every source with its gaps; those that nobody set up below."""
    found, now = await visit.services.sources.all(), utc_now()
    return visit.page(
        "sources.html",
        used=[one for one in found if one.source.in_use],
        unused=[one for one in found if not one.source.in_use],
        labels=LABELS,
        now=now,
    )


async def show(visit: Visit) -> web.Response:
    """One source: what is known, what came, what nobody declared."""
    return _page(visit, await _standing(visit))


async def save(visit: Visit) -> web.Response:
    """Write down what is known about a source."""
    form = visit.form
    standing = await _standing(visit)
    values: dict[str, Any] = {name: form.text(name) or None for name in TEXTS}
    values["contract"] = {"reference": form.text("contract") or None, "ends": form.text("ends") or None}
    values["dataClass"] = form.text("data_class") or None
    declared = {kind: form.secret(kind).split() for kind in KINDS}
    values["declared"] = declared if any(declared.values()) else None
    number = form.text("number")
    if not number.isascii() or not number.isdigit() or len(number) > 9:
        raise BadRequest(f"the field number holds {shown(number)}; expected the number of the record")
    try:
        after = await visit.services.sources.put(
            standing.source.id, values, by=_by(visit), number=int(number)
        )
    except (Invalid, PreconditionFailed) as error:
        return _page(visit, standing, status=error.status, refused=error, given=values)
    note(visit.request, **changes(standing.source.record, after.source.record))
    return visit.to(f"/sources/{segment(standing.source.id)}", said="saved")


async def decide(visit: Visit) -> web.Response:
    """Declare a value, or note that it should stop."""
    form, identity = visit.form, visit.request.match_info["source"]
    await visit.services.sources.get(identity)
    kind, decision = form.text("kind"), form.text("decision")
    if kind not in KINDS or decision not in list(Decision):
        raise BadRequest(f"the form says {shown(decision)} of {shown(kind)}; reload the page and try again")
    seen = Seen(identity, kind, form.secret("value"))
    note(visit.request, kind=kind, value=seen.value[:200], decision=decision)
    await visit.services.sources.decide(seen, Decision(decision), by=_by(visit))
    return visit.to(f"/sources/{segment(identity)}", said="saved")


async def declare_seen(visit: Visit) -> web.Response:
    """Declare all that was seen, as a beginning."""
    identity = visit.request.match_info["source"]
    before = (await _standing(visit)).source.record
    after = await visit.services.sources.declare_seen(identity, by=_by(visit))
    note(visit.request, **changes(before, after.source.record))
    return visit.to(f"/sources/{segment(identity)}", said="saved")


async def sheet(visit: Visit) -> web.Response:
    """What to hand to the vendor, to print."""
    source = (await _standing(visit)).source
    url = addresses(visit.request).gateway
    if source.credential is not None:
        key, statements = source.credential.key, f"{url}/xapi/statements"
        return visit.page(
            "sheet_client.html",
            source=source,
            url=url,
            now=utc_now(),
            example=f"curl -u {shlex.quote(key)} -H 'X-Experience-API-Version: 2.0.0' \\\n"
            f"  -H 'Content-Type: application/json' \\\n  --data @statement.json {shlex.quote(statements)}",
        )
    mapping = source.adapter.mapping if source.adapter is not None else None
    samples = await asyncio.to_thread(_samples, source.adapter) if source.adapter is not None else []
    made = setup_sheet(mapping, url, samples, utc_now()) if mapping is not None else None
    if made is None:
        raise NotFound(f"{source.name} receives nothing as it is, so there is nothing to hand out")
    return visit.page("sheet_adapter.html", source=source, sheet=made, now=utc_now())


async def _standing(visit: Visit) -> Standing:
    return await visit.services.sources.get(visit.request.match_info["source"])


def _page(
    visit: Visit,
    standing: Standing,
    *,
    status: int = 200,
    refused: Exception | None = None,
    given: Mapping[str, Any] | None = None,
) -> web.Response:
    source = standing.source
    pressing = {one.seen for one in standing.pressing}
    return visit.page(
        "source.html",
        status=status,
        standing=standing,
        source=source,
        seen={kind: [one for one in standing.observed if one.seen.kind == kind] for kind in KINDS},
        pressing=pressing,
        undeclared={one.seen for one in standing.undeclared},
        unseen=_unseen(source, standing),
        given=given or written(source.record),
        refused=refused,
        labels=LABELS,
        texts=TEXTS,
        nouns=_NOUNS,
        classes=DATA_CLASSES,
        now=utc_now(),
    )


def _unseen(source: Source, standing: Standing) -> dict[str, list[str]]:
    """What may come and did not yet."""
    found: dict[str, list[str]] = {}
    for kind in KINDS:
        seen = {one.seen.value for one in standing.observed if one.seen.kind == kind}
        found[kind] = sorted((source.expected(kind) or frozenset()) - seen)
    return found


def _samples(adapter: Adapter) -> list[Any]:
    """Payloads of the tests beside a mapping."""
    try:
        tests = tests_beside(adapter)
        cases = sample_cases(tests[1], tests[0], reading(adapter)) if tests is not None else []
    except MappingError:
        return []
    return [payload for payload, _ in cases]


def _by(visit: Visit) -> str:
    return f"person:{visit.person.login}"
