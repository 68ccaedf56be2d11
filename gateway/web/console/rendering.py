"""Pages of the console: templates that escape everything, a strict policy, files that never change.

Whatever a page shows was written by others: learners, vendors, publishers. Templates escape it, no script
runs that does not carry the nonce of its answer, and nothing is loaded from elsewhere.
"""

from __future__ import annotations

import datetime as dt
import functools
from hashlib import sha256
from pathlib import Path
from secrets import token_urlsafe
from typing import Any
from urllib.parse import quote

import jinja2
import orjson
from aiohttp import hdrs, web
from markupsafe import Markup, escape

from gateway.keys import SETTINGS
from gateway.services.texts import time_text
from gateway.store.overview import ENOUGH

_HERE = Path(__file__).parent
STATIC = _HERE / "static"
_KINDS = {"css": "text/css", "js": "text/javascript"}
_FILES = ("pico.min.css", "console.css", "htmx.min.js", "console.js")
_POLICY = (
    "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def headers(nonce: str) -> dict[str, str]:
    """What every page of the console is sent with.

    The referrer stays on this origin, instead of `no-referrer`, with which browsers hide the origin of forms.
    """
    return {
        "Content-Security-Policy": _POLICY.format(nonce=nonce),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        hdrs.CACHE_CONTROL: "no-store",
    }


def rendered(request: web.Request, template: str, *, status: int = 200, **values: Any) -> web.Response:
    """A page made of a template."""
    nonce = token_urlsafe(16)
    base = f"{request.config_dict[SETTINGS].server.base_path}/admin"
    text = (
        environment()
        .get_template(template)
        .render(base=base, nonce=nonce, assets=_versions(), path=request.path.removeprefix(base), **values)
    )
    return web.Response(status=status, text=text, content_type="text/html", headers=headers(nonce))


async def static(request: web.Request) -> web.Response:
    """A file that pages load. These are public, as whoever has the program has them."""
    name = request.match_info["name"]
    if name not in _FILES:
        raise web.HTTPNotFound
    return web.Response(
        body=(STATIC / name).read_bytes(),
        content_type=_KINDS[name.rpartition(".")[2]],
        charset="utf-8",
        headers={
            hdrs.CACHE_CONTROL: "public, max-age=31536000, immutable",
            "X-Content-Type-Options": "nosniff",
        },
    )


@functools.cache
def environment() -> jinja2.Environment:
    """The templates. A name that nobody gave a value is an error, not an empty text."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"time": time, "number": number, "bounded": bounded, "bytes": size, "pretty": pretty}
    made.filters["segment"] = segment
    return made


@functools.cache
def _versions() -> dict[str, str]:
    """Each file with a mark of its content, so that browsers keep it until it changes."""
    return {name: f"{name}?v={sha256((STATIC / name).read_bytes()).hexdigest()[:12]}" for name in _FILES}


def time(value: dt.datetime | int | None, otherwise: str = "never") -> Markup:
    """A time (or microseconds) in UTC, as an element that a script turns into the reader's zone."""
    if value is None:
        return escape(otherwise)
    if isinstance(value, int):
        value = dt.datetime.fromtimestamp(value / 1_000_000, dt.UTC)
    shown = f"{value.day} {value:%b %Y, %H:%M} UTC"
    return Markup('<time datetime="{}">{}</time>').format(time_text(value), shown)


def number(value: int) -> str:
    return f"{value:,}"


def bounded(value: int) -> str:
    """A count that ends at `ENOUGH`, and then says so."""
    return f"{value:,}{'+' if value >= ENOUGH else ''}"


def size(value: int) -> str:
    """A number of bytes."""
    for unit in ("B", "KiB", "MiB"):
        if value < 1024:
            return f"{value:,.0f} {unit}"
        value //= 1024
    return f"{value:,} GiB"


def segment(text: str) -> str:
    """A text as one part of an address."""
    return quote(text, safe="")


def pretty(value: Any) -> str:
    """JSON as people read it."""
    try:
        return orjson.dumps(value, option=orjson.OPT_INDENT_2, default=str).decode()
    except TypeError:  # integers beyond 64 bits
        import json

        return json.dumps(value, indent=2, ensure_ascii=False, default=str)
