"""`/admin/`: what runs, what came in, what waits for somebody, and what to hand out. It only shows.

No script runs here and nothing is loaded from elsewhere. Every text that is put into the page is escaped,
because `fill` escapes whatever is not `Html` already; who adds a page writes templates for it.
"""

from __future__ import annotations

import datetime as dt
import functools
import shlex
from collections.abc import Iterable
from html import escape
from pathlib import Path

from aiohttp import hdrs, web

from gateway import __version__
from gateway.errors import GatewayError
from gateway.keys import SERVICES, SETTINGS
from gateway.services.access import Grant, Scope
from gateway.services.addresses import Addresses
from gateway.services.mappings import Adapter
from gateway.services.overview import MOST_COURSES, Overview, overview, readiness
from gateway.services.texts import time_text, title_text
from gateway.store.connection import translating
from gateway.store.courses import StoredCourse
from gateway.store.overview import ENOUGH, AdapterCounts, CourseCounts
from gateway.web.api.access import granted
from gateway.web.origins import addresses
from gateway.web.pages import page

_ASSETS = Path(__file__).with_name("admin")
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    hdrs.CACHE_CONTROL: "no-store",
}
_TITLES = {401: "Please sign in", 403: "This needs another credential"}
_ADVICE = {
    401: "Use a key with the scope admin or all as user name, and its secret as password.",
    403: "The console needs a credential with the scope admin or all.",
}

_DOCS = (
    ("send and read statements", "docs/xapi.md"),
    ("connect a vendor's webhooks", "docs/webhooks.md"),
    ("import a course and launch it", "docs/cmi5.md"),
    ("run it in production", "docs/production.md"),
    ("look up a setting", "docs/config.md"),
    ("move statements in and out", "docs/moving-statements.md"),
)


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def fill(template: str, **values: object) -> Html:
    """The template with values in the places of their names; everything but `Html` is escaped."""
    return Html(template.format(**{name: _escaped(value) for name, value in values.items()}))


def joined(parts: Iterable[Html]) -> Html:
    return Html("\n".join(parts))


def _escaped(value: object) -> str:
    return value if isinstance(value, Html) else escape(str(value))


# -- handlers ----------------------------------------------------------------------------------------------


async def show(request: web.Request) -> web.Response:
    """The page, for a credential with the scope `admin` or `all`; its store is the one that is shown."""
    try:
        with translating():
            grant = await granted(request, Scope.ADMIN)
            services = request.config_dict[SERVICES]
            found = await overview(services[grant.store], request.config_dict[SETTINGS], grant.store)
            stores = await readiness(services)
    except GatewayError as error:
        return page(
            _TITLES.get(error.status, "The console cannot be shown"),
            _ADVICE.get(error.status, error.message),
            status=error.status,
            mood="trouble",
            headers=error.headers | {hdrs.CACHE_CONTROL: "no-store"},
        )
    text = _overview_page(found, stores, grant, addresses(request))
    return web.Response(text=text, content_type="text/html", headers=_HEADERS)


async def styles(request: web.Request) -> web.Response:
    """The style sheet. It is public, as whoever has the program has it."""
    return web.Response(
        text=_asset("console.css"),
        content_type="text/css",
        headers={hdrs.CACHE_CONTROL: "no-cache", "X-Content-Type-Options": "nosniff"},
    )


async def with_slash(request: web.Request) -> web.Response:
    """`/admin` without its slash; links of the page are relative."""
    raise web.HTTPPermanentRedirect(f"{request.path}/")


def add_routes(app: web.Application) -> None:
    """`/admin/` below the base path."""
    base = f"{app[SETTINGS].server.base_path}/admin"
    app.router.add_get(base, with_slash)
    app.router.add_get(f"{base}/", show)
    app.router.add_get(f"{base}/console.css", styles)


@functools.cache
def _asset(name: str) -> str:
    return (_ASSETS / name).read_text("utf-8")


# -- the page ----------------------------------------------------------------------------------------------


def _overview_page(found: Overview, stores: dict[str, str], grant: Grant, where: Addresses) -> str:
    ready = all(state == "ready" for state in stores.values())
    body = fill(
        _asset("overview.html"),
        statements=f"{found.statements:,}",
        last=_time(found.last_stored),
        mongo=found.mongo_version,
        kind="embedded, for trying out" if found.embedded else "external",
        stores=joined(_store(name, state) for name, state in stores.items()),
        states=joined(_number(state.capitalize(), number) for state, number in found.states.items()),
        adapters=_rows((_adapter(*row) for row in found.adapters), "There are no mappings."),
        courses_shown=_courses_shown(len(found.courses)),
        courses=_rows((_course(*row) for row in found.courses), "No course was imported yet."),
        examples=joined(_example(*one) for one in _examples(found, grant.key, where)),
        docs=joined(
            fill("<li>{task}<br><code>{file}</code></li>", task=task, file=file) for task, file in _DOCS
        ),
    )
    return fill(
        _asset("page.html"),
        title="Overview",
        version=__version__,
        state=_badge(ready, "ready" if ready else "not ready"),
        body=body,
        store=grant.store,
        key=grant.key,
        now=_time(dt.datetime.now(dt.UTC)),
    )


def _store(name: str, state: str) -> Html:
    ready = state == "ready"
    badge = _badge(ready, "ready" if ready else "not ready")
    return fill(
        "<div><dt>Store {name}</dt><dd>{badge}</dd><dd>{more}</dd></div>",
        name=name,
        badge=badge,
        more="answers" if ready else state,
    )


def _adapter(adapter: Adapter, counts: AdapterCounts) -> Html:
    ready = adapter.problem is None
    unsettled = joined(
        _number(state.capitalize(), number) for state, number in counts.unsettled.items() if number
    )
    return fill(
        "<li><div><h3>{name} {badge}</h3><p>{about}</p></div><dl>{unsettled}{kept}</dl></li>",
        name=adapter.name,
        badge=_badge(ready, "ready" if ready else "not ready"),
        about=adapter.problem or fill("last delivery {time}", time=_time(counts.last)),
        unsettled=unsettled,
        kept=_number("Deliveries", counts.kept),
    )


def _course(course: StoredCourse, counts: CourseCounts) -> Html:
    return fill(
        "<li><div><h3>{title}</h3><p><code>{id}</code> version {version}, imported {created}</p></div>"
        "<dl>{registrations}{sessions}</dl></li>",
        title=title_text(course.title),
        id=course.id,
        version=course.number,
        created=_time(course.created),
        registrations=_number("Registrations", counts.registrations),
        sessions=_number("Open sessions", counts.open_sessions),
    )


def _courses_shown(number: int) -> str:
    if number == MOST_COURSES:
        return f"The {MOST_COURSES} newest courses, with their learners."
    return "What was imported, how many learners are registered, and how many of them are at it now."


def _examples(found: Overview, key: str, where: Addresses) -> list[tuple[str, str, str]]:
    user, url = shlex.quote(key), where.gateway
    statements = shlex.quote(f"{url}/xapi/statements?limit=1")
    ready = next((adapter.name for adapter, _ in found.adapters if adapter.problem is None), None)
    return [
        (
            "Learning Record Store",
            f"{url}/xapi, and {url}/v1/xapi for clients that only know 1.0.3. "
            "Scopes statements/write and statements/read.",
            f"curl -u {user} -H 'X-Experience-API-Version: 2.0.0' \\\n  {statements}",
        ),
        (
            "Bearer tokens",
            "For vendors that push with a token instead of a key.",
            f"curl -u {user} -d grant_type=client_credentials \\\n  {shlex.quote(f'{url}/oauth2/token')}",
        ),
        (
            "Webhooks",
            "The URL to enter at the vendor; the mapping says which secret it has to sign with.",
            f"{url}/hooks/{ready or 'ADAPTER'}",
        ),
        (
            "Courses",
            "Import a cmi5 package or a course structure. Scope cmi5.",
            f"curl -u {user} -H 'Content-Type: application/zip' \\\n  --data-binary @course.zip \\\n  "
            f"{shlex.quote(f'{url}/api/v1/courses')}",
        ),
    ]


def _example(title: str, about: str, text: str) -> Html:
    return fill(
        '<article class="card"><h3>{title}</h3><p>{about}</p>'
        '<pre tabindex="0" role="region" aria-label="Example: {title}"><code>{text}</code></pre></article>',
        title=title,
        about=about,
        text=text,
    )


def _rows(rows: Iterable[Html], otherwise: str) -> Html:
    listed = joined(rows)
    if not listed:
        return fill('<p class="empty">{text}</p>', text=otherwise)
    return fill('<ul class="rows">{rows}</ul>', rows=listed)


def _badge(good: bool, text: str) -> Html:
    return fill('<span class="{kind}">{text}</span>', kind="badge" if good else "badge trouble", text=text)


def _number(name: str, number: int) -> Html:
    more = "+" if number >= ENOUGH else ""
    return fill("<div><dt>{name}</dt><dd>{number}</dd></div>", name=name, number=f"{number:,}{more}")


def _time(time: dt.datetime | None) -> Html:
    if time is None:
        return Html("never")
    return fill(
        '<time datetime="{exact}">{shown}</time>',
        exact=time_text(time) or "",
        shown=f"{time.day} {time:%b %Y, %H:%M} UTC",
    )
