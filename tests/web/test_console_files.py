from __future__ import annotations

import hashlib
import json
from pathlib import Path

from gateway.web.console import rendering
from tests.gateway import Gateway

STATIC = rendering.STATIC
OWN = {"console.css", "console.js", "vendored.json"}


def vendored() -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads((STATIC / "vendored.json").read_text())
    return found


def test_every_file_of_others_is_the_one_that_is_named() -> None:
    for one in vendored():
        assert hashlib.sha256((STATIC / one["file"]).read_bytes()).hexdigest() == one["sha256"], one["file"]
        assert one["version"] in (STATIC / one["file"]).read_text()
        assert one["licence"] in ("MIT", "0BSD")
        assert (STATIC / one["notice"]).stat().st_size > 300


def test_every_file_is_ours_or_is_named_with_its_licence() -> None:
    named = {one[key] for one in vendored() for key in ("file", "notice")}
    assert {path.name for path in STATIC.iterdir()} == OWN | named


def test_no_template_has_inline_script_or_style_or_turns_escaping_off() -> None:
    pages = sorted(Path(rendering.__file__).with_name("templates").glob("*.html"))
    assert len(pages) > 5
    for page in pages:
        text = page.read_text()
        for word in ("|safe", "| safe", "style=", "onclick", "onload", "javascript:", "hx-on", "autoescape"):
            assert word not in text, (page.name, word)
        assert text.count("<script") == text.count('<script nonce="{{ nonce }}" defer src=')


async def test_files_are_served_to_be_kept_and_nothing_else_of_the_folder(gateway: Gateway) -> None:
    http = gateway.http("/admin/static")
    for name, kind in (("pico.min.css", "text/css"), ("htmx.min.js", "text/javascript")):
        reply = await http.get(f"/{name}")
        assert (reply.status, reply.headers["Content-Type"]) == (200, f"{kind}; charset=utf-8")
        assert reply.body == (STATIC / name).read_bytes()
        assert "immutable" in reply.headers["Cache-Control"]
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
    for name in ("vendored.json", "nothing", "..%2Frendering.py", "%2e%2e%2frendering.py"):
        assert (await http.get(f"/{name}")).status in (303, 404)
