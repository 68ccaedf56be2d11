"""Statements: found by filters in the address, read as sentences, and each with where it came from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from aiohttp import web

from gateway.errors import BadRequest, Invalid, NotFound
from gateway.services.sentences import sentence
from gateway.store.statements import StoredStatement
from gateway.web.console.visits import Visit, text_of
from gateway.xapi import strict_json
from gateway.xapi.datatypes import is_uuid
from gateway.xapi.queries import StatementsQuery, decode_more, encode_more
from gateway.xapi.versions import Version

_LIMIT = 25
_FIELDS = ("agent", "verb", "activity", "registration", "since", "until", "related")
# Verbs that are written short in a filter, as people say them.
_ADL = "http://adlnet.gov/expapi/verbs/"
_LOCAL_TIME = re.compile(r"\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2})?)?")


@dataclass(frozen=True, slots=True)
class Filters:
    """What was asked for, as it was written, and as xAPI's parameters."""

    given: dict[str, str]
    query: StatementsQuery

    @property
    def address(self) -> str:
        return urlencode({name: value for name, value in self.given.items() if value})


async def index(visit: Visit) -> web.Response:
    """One page of the list, newest first; what is wrong with a filter stands above the form."""
    given = {name: text_of(visit.request, name) for name in _FIELDS}
    try:
        filters = read_filters(given)
        cursor = text_of(visit.request, "cursor")
        position = None
        if cursor:
            of_cursor, position = decode_more(cursor, key=visit.services.more_key)
            if of_cursor != filters.query:
                raise BadRequest("the cursor belongs to a list with other filters")
        listed = await visit.services.statements.list(visit.grant, filters.query, position)
    except Invalid as error:
        values = {"rows": [], "given": given, "error": error, "older": None, "first": None}
        return visit.page("statements.html", status=400, **values)
    older = None
    if listed.position is not None:
        token = encode_more(filters.query, listed.position, key=visit.services.more_key)
        older = f"?{filters.address}{'&' if filters.address else ''}{urlencode({'cursor': token})}"
    return visit.page(
        "statements.html",
        rows=[(each, sentence(each.statement)) for each in listed.page.statements],
        given=given,
        error=None,
        older=older,
        first=f"?{filters.address}" if cursor else None,
    )


async def show(visit: Visit) -> web.Response:
    """One statement with its JSON, what it hangs together with and where it came from."""
    text = visit.request.match_info["statement"]
    if not is_uuid(text):
        raise NotFound(f"there is no statement with the id {text!r}; ids are UUIDs")
    found, lineage = await visit.services.statements.looked_up(visit.grant, UUID(text))
    delivery = None
    if lineage.delivery is not None:
        delivery = await visit.services.store.deliveries.get(lineage.delivery)
    statement = whole(found)
    return visit.page(
        "statement.html",
        stored=found,
        statement=statement,
        sentence=sentence(statement),
        lineage=lineage,
        delivery=delivery,
        outcome=_outcome(delivery, found.id),
    )


def whole(found: StoredStatement) -> dict[str, Any]:
    """The statement as it is served: what BSON does not hold exactly comes from its text."""
    if found.text is None:
        return found.statement
    value: dict[str, Any] = strict_json.parse(found.text.encode()).value
    return value


def read_filters(given: dict[str, str]) -> Filters:
    """The filters of an address; raises Invalid with everything that is wrong with them."""
    pairs = [("limit", str(_LIMIT))]
    if given["agent"]:
        pairs.append(("agent", agent_of(given["agent"])))
    if verb := given["verb"]:
        pairs.append(("verb", verb if ":" in verb else f"{_ADL}{verb.lower()}"))
    pairs += [(name, given[name]) for name in ("activity", "registration") if given[name]]
    for name in ("since", "until"):
        if value := given[name]:
            plain = _LOCAL_TIME.fullmatch(value)
            if plain and "T" not in value:
                value += "T00:00"
            pairs.append((name, f"{value}{'' if value.count(':') == 2 else ':00'}Z" if plain else value))
    if given["related"]:
        pairs += [("related_agents", "true"), ("related_activities", "true")]
    return Filters(given, StatementsQuery.parse(pairs, Version.V2))


def agent_of(text: str) -> str:
    """An Agent as JSON, from how people write one: JSON, an e-mail address, `homePage name` or an OpenID."""
    if text.startswith("{"):
        return text
    home_page, _, name = text.partition(" ")
    if name and ":" in home_page:
        agent: dict[str, Any] = {"account": {"homePage": home_page, "name": name.strip()}}
    elif re.fullmatch(r"[0-9a-fA-F]{40}", text):
        agent = {"mbox_sha1sum": text}
    elif text.startswith("mailto:") or ("@" in text and "://" not in text):
        agent = {"mbox": f"mailto:{text.removeprefix('mailto:')}"}
    else:
        agent = {"openid": text}
    return strict_json.dumps(agent).decode()


def _outcome(delivery: Any, statement_id: UUID) -> Any:
    """What became of the event that the statement was made of."""
    outcomes = delivery.outcomes if delivery is not None else ()
    return next((outcome for outcome in outcomes if statement_id in outcome.statements), None)
