"""`/api/v1/directory`: whom and what vendors mean. Entries are put by hand or as CSV, read and forgotten."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from aiohttp import web

from adapters.identity import PEOPLE
from gateway.errors import BadRequest
from gateway.keys import SETTINGS
from gateway.services.directory import NewEntry, entries_of_csv, entry_view
from gateway.services.lookups import KEY
from gateway.store.directory import DirectoryEntry, EntryFilter
from gateway.web.api.access import granted_hooks
from gateway.web.api.answers import answer
from gateway.web.api.bodies import Fields, limit_of, read_fields, read_query
from gateway.web.bodies import read_body
from gateway.xapi.findings import shown

_FILTER = ("set", "kind", "value", "account")
_ENTRY = ("set", "kind", "value", "account", "homePage", "fields")
_MOST_ENTRIES = 10_000


async def index(request: web.Request) -> web.Response:
    """Entries in the order of set, kind and value; `limit`, and `cursor` from the `more` of the page
    before.
    """
    _, hooks = await granted_hooks(request)
    query = read_query(request, (*_FILTER, "limit", "cursor"))
    which, limit, after = _which(query), limit_of(query), _after(query)
    query.finish()
    found, more = await hooks.directory.list(which, limit=limit, after=after)
    return answer(
        {"entries": [entry_view(one) for one in found], "more": _cursor(found[-1]) if more else None}
    )


async def put(request: web.Request) -> web.Response:
    """Store `entries`, or a CSV table (`Content-Type: text/csv`, `set` in the query); what waits for them is
    mapped at once.
    """
    _, hooks = await granted_hooks(request)
    if request.content_type == "text/csv":
        query = read_query(request, ("set",))
        body = await read_body(request, limit=request.config_dict[SETTINGS].limits.max_body)
        entries = list(entries_of_csv(body, query.get("set") or PEOPLE))
    else:
        entries = _entries(await read_fields(request, ("entries",)))
    done = await hooks.directory.put(entries, source="api")
    return answer({"entries": done.entries, "new": done.new, "released": done.released})


async def forget(request: web.Request) -> web.Response:
    """Delete the entries of a filter, of which at least one part has to be given."""
    _, hooks = await granted_hooks(request)
    query = read_query(request, _FILTER)
    which = _which(query)
    query.finish()
    if which == EntryFilter():
        raise BadRequest(f"say which: some of {', '.join(_FILTER)}")
    return answer({"forgotten": await hooks.directory.forget(which)})


def _which(query: Fields) -> EntryFilter:
    return EntryFilter(**{name: query.get(name) for name in _FILTER})


def _entries(fields: Fields) -> list[NewEntry]:
    given = fields.get("entries")
    if not isinstance(given, list) or not 1 <= len(given) <= _MOST_ENTRIES:
        fields.wrong("entries", f"a list of 1 to {_MOST_ENTRIES} objects with some of {', '.join(_ENTRY)}")
        fields.finish()
    entries: list[NewEntry] = []
    for index, one in enumerate(given):
        if not isinstance(one, dict):
            fields.wrong("entries", f"objects; element {index} holds {shown(one)}")
            continue
        inner = Fields(one, _ENTRY)
        of = inner.text("set") if inner.get("set") is not None else PEOPLE
        kind = inner.text("kind") if inner.get("kind") is not None or of == PEOPLE else KEY
        for name in ("account", "homePage"):
            if inner.get(name) is not None and not isinstance(inner.get(name), str):
                inner.wrong(name, "a text")
        extra: Any = inner.get("fields")
        if extra is not None and not isinstance(extra, dict):
            inner.wrong("fields", "an object")
        value = inner.text("value")
        inner.finish()
        entries.append(
            NewEntry(
                set=of,
                kind=kind,
                value=value,
                account=inner.get("account"),
                home_page=inner.get("homePage"),
                fields=extra,
            )
        )
    fields.finish()
    return entries


def _cursor(last: DirectoryEntry) -> str:
    written = json.dumps([last.set, last.kind, last.value]).encode()
    return base64.urlsafe_b64encode(written).decode().rstrip("=")


def _after(query: Fields) -> tuple[str, str, str] | None:
    cursor = query.get("cursor")
    if cursor is None:
        return None
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        of, kind, value = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        if not all(isinstance(part, str) for part in (of, kind, value)):
            raise ValueError("no texts")
    except (ValueError, TypeError, binascii.Error):
        raise BadRequest(f"the cursor {shown(cursor)} is not one that a list gave") from None
    return of, kind, value


def add_routes(app: web.Application, base: str) -> None:
    """The directory below `base`."""
    app.router.add_get(f"{base}/directory", index)
    app.router.add_post(f"{base}/directory", put)
    app.router.add_delete(f"{base}/directory", forget)
