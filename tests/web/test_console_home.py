from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from gateway import __version__
from gateway.store import overview
from gateway.store.delivery_records import State
from tests.gateway import Gateway
from tests.vendors import acme_item, mappings_folder, post_acme, vendor_secrets
from tests.web.au import LEARNER, api, course_xml, imported, started
from tests.web.console import Elements, person, words

__all__ = ["mappings_folder", "vendor_secrets"]

Serve = Callable[..., AbstractAsyncContextManager[Gateway]]


async def settled(gateway: Gateway, number: int) -> None:
    counts = overview.Overview(gateway.store.client, gateway.store.name)
    while (states := await counts.states())[State.RECEIVED] or sum(states.values()) < number:
        await asyncio.sleep(0.01)


async def test_a_new_gateway_shows_that_it_is_ready_and_empty(gateway: Gateway) -> None:
    reply = await (await person(gateway)).get("/")
    assert reply.status == 200
    shown = words(reply)
    assert f"xapi-gateway {__version__}, as of" in shown
    assert "Statements 0 last stored never" in shown
    version = (await gateway.store.client.server_info())["version"]
    assert f"MongoDB {version}" in shown
    assert "Store main ready" in shown
    assert "No course was imported yet." in shown


async def test_statements_are_counted_with_the_time_of_the_last_one_and_who_sent_it(gateway: Gateway) -> None:
    statement = {
        "actor": LEARNER,
        "verb": {"id": "http://adlnet.gov/expapi/verbs/completed"},
        "object": {"id": "https://lms.example.edu/courses/1"},
    }
    assert (await gateway.lrs.post("/statements", body=[statement] * 3)).status == 200
    stored = (await gateway.lrs.get("/statements", {"limit": "1"})).json()["statements"][0]["stored"]
    reply = await (await person(gateway)).get("/")
    shown = words(reply)
    assert "Statements 3 last stored" in shown
    assert "Within the last hour 3 statements" in shown
    assert re.search(r"Credential tests xAPI, key tests \d+ \w+ \d+, [\d:]+ UTC 3 nothing", shown)
    assert "no owner named for 1 source: Credential tests" in shown
    assert stored[:19] in "".join(Elements(reply).values("datetime"))
    # What was never set up takes no place, and says what it would need.
    assert "zoom set ZOOM_SECRET_TOKEN in the environment" in shown


async def test_an_external_database_and_an_adapter_of_another_store(
    serve: Serve, mappings_folder: Callable[..., Path]
) -> None:
    flags = {
        "mongo__uri": "mongodb://db.example.org/?replicaSet=a",
        "stores__others": ["sandbox"],
        "hooks__stores": {"acme": "sandbox"},
        "hooks__mappings": str(mappings_folder()),
    }
    async with serve(**flags) as gateway:
        try:
            shown = words(await (await person(gateway)).get("/"))
        finally:
            await gateway.store.client.drop_database(f"{gateway.store.name}_sandbox")
    assert "external" in shown
    assert "Store sandbox ready" in shown
    assert "acme" not in shown


async def test_deliveries_that_wait_for_somebody_are_said_first(
    serve: Serve, mappings_folder: Callable[..., Path]
) -> None:
    async with serve(hooks__mappings=str(mappings_folder())) as gateway:
        visitor = await person(gateway)
        assert "acme webhooks ready never 0 nothing" in words(await visitor.get("/"))
        for item in (
            acme_item("1"),
            acme_item("2", type="ping"),
            acme_item("3", type="new"),
            acme_item("4", at="?"),
        ):
            assert (await post_acme(gateway.http(), item)).status == 200
        await settled(gateway, 4)
        shown = words(await visitor.get("/"))
    assert "1 delivery of acme could not be mapped" in shown
    assert "1 delivery of acme matched no rule" in shown
    assert shown.index("What needs a person") < shown.index("1 delivery of acme could not be mapped")
    assert re.search(r"acme webhooks ready .* UTC 4 unmatched 1 failed 1", shown)


async def test_courses_show_registrations_and_open_sessions_and_hostile_titles_as_text(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    title = "&lt;script&gt;alert(1)&lt;/script&gt; {{ 7*7 }} &quot;"
    course = await imported(gateway, course_xml().replace(b">Geology<", f">{title}<".encode()))
    other = await imported(gateway)
    await started(gateway, course["id"])
    for _ in range(2):
        body = {"course": course["id"], "actor": LEARNER}
        assert (await api(gateway).post("/registrations", body=body)).status == 201
    visitor = await person(gateway)
    reply = await visitor.get("/")
    assert "&lt;script&gt;alert(1)&lt;/script&gt; {{ 7*7 }} &#34;" in reply.body.decode()
    assert all("src" in attrs for attrs in Elements(reply).having("script"))
    assert re.search(r"7\*7 }} \" 1 .{20,30} 3 1 ", words(reply))
    assert re.search(r"Geology 1 .{20,30} 0 0 ", words(reply))
    assert other["id"] != course["id"]
    # A number ends where counting on would cost too much.
    monkeypatch.setattr(overview, "ENOUGH", 2)
    monkeypatch.setattr("gateway.web.console.rendering.ENOUGH", 2)
    assert re.search(r"7\*7 }} \" 1 .{20,30} 2\+ 1 ", words(await visitor.get("/")))


async def test_it_looks_again_by_itself_only_when_asked(gateway: Gateway) -> None:
    visitor = await person(gateway)
    assert "hx-trigger" not in (await visitor.get("/")).body.decode()
    assert 'hx-trigger="every 10s"' in (await visitor.get("/", refresh="1")).body.decode()


async def test_below_another_path_every_link_and_form_still_leads_somewhere(serve: Serve) -> None:
    async with serve(server__base_path="/lrs") as gateway:
        visitor = await person(gateway)
        elements = Elements(await visitor.get("/"))
        links = [link for link in elements.values("href") if not link.startswith(("#", "data:"))]
        assert links
        for link in links + elements.values("src") + elements.values("action"):
            assert link.startswith("/lrs/admin/"), link
        for path in {link.removeprefix("/lrs/admin").partition("?")[0] for link in links}:
            assert (await visitor.get(path)).status == 200, path
        assert f"{gateway.url}/lrs/xapi/statements" in words(await visitor.get("/connect"))
        redirect = await gateway.http("/lrs").get("/admin")
        assert (redirect.status, redirect.headers["Location"]) == (308, "/lrs/admin/")
        away = await visitor.get("/no/such/page")
        assert away.status == 404
        assert "there is no page at /lrs/admin/no/such/page" in words(away)
