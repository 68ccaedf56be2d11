from __future__ import annotations

import asyncio
import itertools
import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin
from uuid import uuid4

import pytest

from gateway import __version__
from gateway.store import overview
from gateway.store.delivery_records import State
from tests.gateway import Gateway, Http, Reply, basic
from tests.vendors import acme_item, mappings_folder, post_acme, vendor_secrets
from tests.web.au import LEARNER, api, course_xml, imported, started

__all__ = ["mappings_folder", "vendor_secrets"]

Serve = Callable[..., AbstractAsyncContextManager[Gateway]]
ROOT = Path(__file__).parents[2]


def console(gateway: Gateway) -> Http:
    base = f"{gateway.settings.server.base_path}/admin"
    return gateway.http(base, {"Authorization": gateway.lrs.headers["Authorization"]})


def words(reply: Reply) -> str:
    """What a reader sees, with single blanks."""
    text = re.sub(r"<[^>]+>", " ", reply.body.decode())
    return re.sub(r"\s+", " ", unescape(text))


class Elements(HTMLParser):
    def __init__(self, reply: Reply) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(reply.body.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def values(self, name: str) -> list[str]:
        return [value for _, attrs in self.found if (value := attrs.get(name)) is not None]


async def settled(gateway: Gateway, number: int) -> None:
    counts = overview.Overview(gateway.store.client, gateway.store.name)
    while (states := await counts.states())[State.RECEIVED] or sum(states.values()) < number:
        await asyncio.sleep(0.01)


# -- who may look ----------------------------------------------------------------------------------------


async def test_without_credentials_the_browser_is_told_to_ask_for_them(gateway: Gateway) -> None:
    reply = await gateway.http().get("/admin/")
    assert reply.status == 401
    assert reply.headers["WWW-Authenticate"].startswith("Basic ")
    assert reply.headers["Content-Type"].startswith("text/html")
    assert reply.headers["Cache-Control"] == "no-store"
    assert "Please sign in" in words(reply)


@pytest.mark.parametrize("scope", ["all/read", "statements/read", "cmi5", "hooks"])
async def test_a_credential_without_the_scope_sees_no_numbers(gateway: Gateway, scope: str) -> None:
    client = await gateway.client("other", scope)
    reply = await client.at(gateway.url).get("/admin/")
    assert reply.status == 403
    assert "scope admin or all" in words(reply)
    assert __version__ not in words(reply)


async def test_an_administrator_may_look(gateway: Gateway) -> None:
    client = await gateway.client("boss", "admin")
    reply = await client.at(gateway.url).get("/admin/")
    assert reply.status == 200
    assert "seen with the key boss at" in words(reply)


async def test_the_token_of_a_course_opens_nothing(gateway: Gateway) -> None:
    au = await started(gateway, (await imported(gateway))["id"])
    assert (await au.lrs.at(gateway.url).get("/admin/")).status == 403


async def test_a_wrong_secret_opens_nothing(gateway: Gateway) -> None:
    reply = await gateway.http("", {"Authorization": basic("tests", "guess")}).get("/admin/")
    assert reply.status == 401


# -- what is shown ---------------------------------------------------------------------------------------


async def test_a_new_gateway_shows_that_it_is_ready_and_empty(gateway: Gateway) -> None:
    reply = await console(gateway).get("/")
    assert reply.status == 200
    shown = words(reply)
    assert f"xapi-gateway {__version__} ready" in shown
    assert "Statements 0 last stored never" in shown
    version = (await gateway.store.client.server_info())["version"]
    assert f"MongoDB {version}" in shown
    assert "Store main ready" in shown
    assert "No course was imported yet." in shown


@pytest.mark.parametrize(
    ("uri", "kind"),
    [(None, "embedded, for trying out"), ("mongodb://db.example.org/?replicaSet=a", "external")],
)
async def test_it_says_whether_the_database_is_the_embedded_one(
    serve: Serve, uri: str | None, kind: str
) -> None:
    async with serve(**({"mongo__uri": uri} if uri else {})) as gateway:
        assert kind in words(await console(gateway).get("/"))


async def test_statements_are_counted_with_the_time_of_the_last_one(gateway: Gateway) -> None:
    statement = {
        "actor": LEARNER,
        "verb": {"id": "http://adlnet.gov/expapi/verbs/completed"},
        "object": {"id": "https://lms.example.edu/courses/1"},
    }
    assert (await gateway.lrs.post("/statements", body=[statement] * 3)).status == 200
    stored = (await gateway.lrs.get("/statements", {"limit": "1"})).json()["statements"][0]["stored"]
    reply = await console(gateway).get("/")
    assert "Statements 3 last stored" in words(reply)
    assert stored[:19] in "".join(Elements(reply).values("datetime"))


async def test_an_adapter_that_is_not_ready_says_what_is_missing(gateway: Gateway) -> None:
    shown = words(await console(gateway).get("/"))
    assert "zoom not ready set ZOOM_SECRET_TOKEN in the environment" in shown


async def test_deliveries_are_counted_by_adapter_and_state(
    serve: Serve, mappings_folder: Callable[..., Path]
) -> None:
    async with serve(hooks__mappings=str(mappings_folder())) as gateway:
        assert "acme ready last delivery never Deliveries 0" in words(await console(gateway).get("/"))
        for item in (
            acme_item("1"),
            acme_item("2", type="ping"),
            acme_item("3", type="new"),
            acme_item("4", at="?"),
        ):
            assert (await post_acme(gateway.http(), item)).status == 200
        await settled(gateway, 4)
        shown = words(await console(gateway).get("/"))
    assert "Received 0 Done 1 Ignored 1 Unmatched 1 Held 0 Differs 0 Failed 1" in shown
    assert re.search(r"acme ready last delivery .* UTC Unmatched 1 Failed 1 Deliveries 4", shown)


async def test_an_adapter_of_another_store_is_not_shown(
    serve: Serve, mappings_folder: Callable[..., Path]
) -> None:
    flags = {
        "stores__others": ["sandbox"],
        "hooks__stores": {"acme": "sandbox"},
        "hooks__mappings": str(mappings_folder()),
    }
    async with serve(**flags) as gateway:
        try:
            shown = words(await console(gateway).get("/"))
        finally:
            await gateway.store.client.drop_database(f"{gateway.store.name}_sandbox")
    assert "Store sandbox ready" in shown
    assert "There are no mappings." in shown


async def test_courses_show_registrations_and_open_sessions(gateway: Gateway) -> None:
    course = await imported(gateway)
    other = await imported(gateway)
    await started(gateway, course["id"])
    for _ in range(2):
        body = {"course": course["id"], "actor": LEARNER}
        assert (await api(gateway).post("/registrations", body=body)).status == 201
    shown = words(await console(gateway).get("/"))
    assert re.search(
        rf"Geology {course['id']} version 1, imported .{{20,30}} Registrations 3 Open sessions 1", shown
    )
    assert re.search(
        rf"Geology {other['id']} version 1, imported .{{20,30}} Registrations 0 Open sessions 0", shown
    )


async def test_what_others_wrote_is_escaped(gateway: Gateway) -> None:
    title = "&lt;script&gt;alert(1)&lt;/script&gt; {key} &quot;"
    xml = course_xml().replace(b">Geology<", f">{title}<".encode())
    await imported(gateway, xml)
    key = "<img src=x onerror=alert(2)>'\""
    client = await gateway.client(key, "admin")
    reply = await client.at(gateway.url).get("/admin/")
    assert reply.status == 200
    assert {"script", "img"}.isdisjoint(tag for tag, _ in Elements(reply).found)
    assert title in reply.body.decode()
    assert "&lt;img src=x onerror=alert(2)&gt;" in reply.body.decode()


async def test_numbers_end_where_counting_would_cost_too_much(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overview, "ENOUGH", 2)
    monkeypatch.setattr("gateway.web.admin.ENOUGH", 2)
    course = await imported(gateway)
    for _ in range(3):
        body = {"course": course["id"], "actor": LEARNER, "id": str(uuid4())}
        await api(gateway).post("/registrations", body=body)
    assert "Registrations 2+" in words(await console(gateway).get("/"))


# -- how it is shown -------------------------------------------------------------------------------------


async def test_the_page_runs_no_script_and_loads_nothing_from_elsewhere(gateway: Gateway) -> None:
    reply = await console(gateway).get("/")
    policy = dict(
        part.strip().partition(" ")[::2] for part in reply.headers["Content-Security-Policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["style-src"] == "'self'"
    assert "script-src" not in policy
    assert {policy[name] for name in ("base-uri", "form-action", "frame-ancestors")} == {"'none'"}
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert reply.headers["Referrer-Policy"] == "no-referrer"
    assert reply.headers["Cache-Control"] == "no-store"
    elements = Elements(reply)
    assert {"script", "style", "iframe", "form"}.isdisjoint(tag for tag, _ in elements.found)
    assert not any(name.startswith("on") or name == "style" for _, attrs in elements.found for name in attrs)
    assert not any(re.match(r"(https?:)?//", link) for link in elements.values("href"))


@pytest.mark.parametrize("base_path", ["", "/lrs"])
async def test_every_link_of_the_page_leads_somewhere(serve: Serve, base_path: str) -> None:
    async with serve(server__base_path=base_path) as gateway:
        reply = await console(gateway).get("/")
        elements = Elements(reply)
        ids = elements.values("id")
        assert len(ids) == len(set(ids))
        for link in elements.values("href"):
            if link.startswith("#"):
                assert link[1:] in ids
            elif not link.startswith("data:"):
                path = urljoin(f"{base_path}/admin/", link)
                assert (await gateway.http().get(path)).status == 200, path
        assert f"{gateway.url}{base_path}/xapi/statements" in words(reply)
        redirect = await gateway.http(base_path).get("/admin")
        assert (redirect.status, redirect.headers["Location"]) == (308, f"{base_path}/admin/")


async def test_labels_refer_to_elements_that_are_there(gateway: Gateway) -> None:
    elements = Elements(await console(gateway).get("/"))
    assert set(elements.values("aria-labelledby")) <= set(elements.values("id"))
    assert dict(elements.found)["html"]["lang"] == "en"
    headings = [int(tag[1]) for tag, _ in elements.found if re.fullmatch(r"h[1-6]", tag)]
    assert headings[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(headings))


async def test_the_pages_it_names_exist(gateway: Gateway) -> None:
    named = re.findall(r"docs/[\w-]+\.md", words(await console(gateway).get("/")))
    assert len(named) == 6
    assert [name for name in named if not (ROOT / name).is_file()] == []


async def test_the_style_sheet_is_served_as_one(gateway: Gateway) -> None:
    reply = await gateway.http().get("/admin/console.css")
    assert (reply.status, reply.headers["Content-Type"]) == (200, "text/css; charset=utf-8")
    assert b"prefers-color-scheme: dark" in reply.body
    assert b"url(" not in reply.body


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_the_page_only_shows(gateway: Gateway, method: str) -> None:
    assert (await console(gateway)(method, "/")).status == 405
