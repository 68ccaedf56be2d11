"""What to hand out: addresses and examples for everybody who connects something."""

from __future__ import annotations

import shlex

from aiohttp import web

from gateway.web.console.visits import Visit
from gateway.web.origins import addresses

_DOCS = (
    ("use this console", "docs/console.md"),
    ("send and read statements", "docs/xapi.md"),
    ("connect a vendor's webhooks", "docs/webhooks.md"),
    ("import a course and launch it", "docs/cmi5.md"),
    ("run it in production", "docs/production.md"),
    ("look up a setting", "docs/config.md"),
    ("move statements in and out", "docs/moving-statements.md"),
)


async def show(visit: Visit) -> web.Response:
    """Addresses and examples; nothing secret."""
    url = addresses(visit.request).gateway
    adapters = visit.services.hooks.mappings.adapters
    ready = [adapter.name for adapter in adapters if adapter.problem is None]
    statements = shlex.quote(f"{url}/xapi/statements?limit=1")
    examples = [
        (
            "Learning Record Store",
            f"{url}/xapi, and {url}/v1/xapi for clients that only know 1.0.3. "
            "Scopes statements/write and statements/read.",
            f"curl -u KEY -H 'X-Experience-API-Version: 2.0.0' \\\n  {statements}",
        ),
        (
            "Bearer tokens",
            "For vendors that push with a token instead of a key.",
            f"curl -u KEY -d grant_type=client_credentials \\\n  {shlex.quote(f'{url}/oauth2/token')}",
        ),
        (
            "Webhooks",
            "The URL to enter at the vendor; the mapping says which secret it has to sign with.",
            "\n".join(f"{url}/hooks/{name}" for name in ready) or f"{url}/hooks/ADAPTER",
        ),
        (
            "Courses",
            "Import a cmi5 package or a course structure. Scope cmi5.",
            f"curl -u KEY -H 'Content-Type: application/zip' \\\n  --data-binary @course.zip \\\n  "
            f"{shlex.quote(f'{url}/api/v1/courses')}",
        ),
    ]
    return visit.page("connect.html", examples=examples, docs=_DOCS, gateway=url)
