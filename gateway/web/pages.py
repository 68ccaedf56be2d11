"""The few pages that learners see: one card, no script, nothing loaded from anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Literal

from aiohttp import web

_ICONS = {
    "done": '<path d="M14 25l7 7 14-15"/>',
    "window": '<path d="M22 15h-7v18h18v-7"/><path d="M27 14h7v7"/><path d="M34 14L23 25"/>',
    "trouble": '<path d="M24 14v14"/><path d="M24 34v.5"/>',
}

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{title}</title>
<link rel="icon" href="data:,">
<style>
:root {{ color-scheme: light dark; --ground: #eef2f5; --card: #fff; --text: #1c2b36; --soft: #51626f;
  --done: #17735a; --trouble: #a6541a; --window: #1d5fa8; --on-window: #fff; }}
@media (prefers-color-scheme: dark) {{
  :root {{ --ground: #12191f; --card: #1c262e; --text: #e8eef2; --soft: #a9b8c3;
    --done: #5fc9a5; --trouble: #eba56c; --window: #7db8f2; --on-window: #10202e; }}
}}
* {{ box-sizing: border-box; margin: 0; }}
body {{ min-height: 100vh; display: grid; place-items: center; padding: 1.5rem;
  background: var(--ground); color: var(--text);
  font: 1.0625rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }}
main {{ width: 100%; max-width: 29rem; padding: 2.75rem clamp(1.25rem, 6vw, 2.25rem) 2.5rem;
  text-align: center; background: var(--card); border-radius: 1rem;
  box-shadow: 0 1px 2px #0b1c2a14, 0 12px 32px #0b1c2a14; }}
svg {{ width: 4rem; height: 4rem; margin-bottom: 1.25rem; fill: none; stroke: currentColor;
  stroke-width: 3.2; stroke-linecap: round; stroke-linejoin: round; }}
.done svg {{ color: var(--done); }}
.trouble svg {{ color: var(--trouble); }}
.window svg {{ color: var(--window); }}
a {{ display: inline-block; margin-top: 1.5rem; padding: .7rem 1.4rem; border-radius: .6rem; font-weight: 600;
  text-decoration: none; background: var(--window); color: var(--on-window); }}
a:hover {{ text-decoration: underline; }}
a:focus-visible {{ outline: 3px solid var(--window); outline-offset: 3px; }}
circle {{ stroke-width: 2.4; opacity: .35; }}
h1 {{ font-size: clamp(1.3rem, 5.6vw, 1.5rem); line-height: 1.25; font-weight: 650; text-wrap: balance;
  margin-bottom: .6rem; }}
p {{ color: var(--soft); text-wrap: pretty; }}
</style>
</head>
<body>
<main class="{mood}">
<svg viewBox="0 0 48 48" aria-hidden="true"><circle cx="24" cy="24" r="22"/>{icon}</svg>
<h1>{title}</h1>
<p>{text}</p>{link}
</main>
</body>
</html>
"""


@dataclass(frozen=True, slots=True)
class Link:
    """Where to go on, in a window of its own; `url` is absolute."""

    text: str
    url: str


def page(
    title: str,
    text: str,
    *,
    mood: Literal["done", "trouble", "window"],
    link: Link | None = None,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """A page with one message."""
    onward = ""
    if link is not None:
        target = 'target="_blank" rel="noopener noreferrer"'
        onward = f'\n<p><a href="{escape(link.url)}" {target}>{escape(link.text)}</a></p>'
    body = _PAGE.format(title=escape(title), text=escape(text), mood=mood, icon=_ICONS[mood], link=onward)
    return web.Response(
        status=status,
        text=body,
        content_type="text/html",
        headers={
            "Content-Security-Policy": _POLICY,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            **(headers or {}),
        },
    )
