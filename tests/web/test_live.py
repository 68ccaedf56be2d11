from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any
from uuid import UUID

import pytest
from aiohttp import ClientResponse

from gateway.services.live import QUEUE, Viewer, Wanted
from gateway.services.people import Role
from gateway.store.live import Happening
from gateway.web.console import live
from tests.gateway import Gateway
from tests.vendors import acme_item, mappings_folder, post_acme, vendor_secrets
from tests.waiting import until
from tests.web.console import Browser, Elements, person, words

__all__ = ["mappings_folder", "vendor_secrets"]

Serve = Callable[..., AbstractAsyncContextManager[Gateway]]
EVERYTHING = frozenset({"statement", "refused statement", "refused delivery", "delivery", "notice"})


def did(name: str, verb: str = "completed") -> dict[str, Any]:
    """Somebody did something."""
    return {
        "actor": {"mbox": f"mailto:{name}@example.edu"},
        "verb": {"id": f"http://adlnet.gov/expapi/verbs/{verb}"},
        "object": {"id": "https://lms.example.edu/geology"},
    }


class Tail:
    """An open stream of events."""

    def __init__(self, response: ClientResponse) -> None:
        self.response = response
        self.last = ""

    async def next(self) -> tuple[str, Any]:
        """The next event that is more than a sign of life."""
        async with asyncio.timeout(10):
            while True:
                fields: dict[str, str] = {}
                while line := (await self.response.content.readline()).decode().rstrip("\n"):
                    name, _, value = line.partition(":")
                    fields[name] = value.strip()
                if self.response.content.at_eof() and not fields:
                    return "end", None
                self.last = fields.get("id", self.last)
                if "event" in fields:
                    return fields["event"], json.loads(fields["data"])

    async def row(self) -> dict[str, Any]:
        kind, row = await self.next()
        assert kind == "row", kind
        found: dict[str, Any] = row
        return found


@asynccontextmanager
async def watching(
    visitor: Browser, *, missed: int = 0, headers: dict[str, str] | None = None, **given: str
) -> AsyncIterator[Tail]:
    """Watch; `missed` rows come before it is live."""
    cookie = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
    url = f"{visitor.http.base}/live/events"
    sent = {"Cookie": cookie} | (headers or {})
    async with visitor.http.session.get(url, params=given, headers=sent, allow_redirects=False) as response:
        assert response.status == 200
        tail = Tail(response)
        for _ in range(missed):
            await tail.row()
        if not headers:
            assert (await tail.next())[0] == "live"
        yield tail


async def test_what_any_process_stores_or_refuses_is_shown_while_it_happens(
    gateway: Gateway, serve: Serve
) -> None:
    async with serve() as other, watching(await person(gateway)) as tail:
        assert tail.response.headers["X-Accel-Buffering"] == "no"
        assert tail.response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert (await other.lrs.post("/statements", body=did("ada"))).status == 200
        row = await tail.row()
        assert row["told"] == "ada@example.edu completed https://lms.example.edu/geology"
        assert row["source"] == "credential tests"
        assert row["what"] == "stored"
        assert row["link"] == f"/statements/{row['id']}"
        assert (await other.lrs.post("/statements", body={"actor": {"mbox": "ada"}})).status == 400
        row = await tail.row()
        assert row["what"] == "refused"
        assert row["told"] == "POST of statements: 400"
        assert "mbox" in row["detail"]


async def test_deliveries_are_shown_that_are_refused_or_fail(
    serve: Serve, mappings_folder: Any, vendor_secrets: Any
) -> None:
    async with serve(hooks__mappings=str(mappings_folder())) as gateway:
        visitor = await person(gateway)
        async with (
            watching(visitor) as tail,
            watching(await person(gateway, Role.ANALYST, login="bo")) as few,
        ):
            reply = await gateway.http().post("/hooks/acme", body={"items": []})
            assert reply.status in (400, 401, 403)
            row = await tail.row()
            assert row["what"] == "refused"
            assert row["source"] == "adapter acme"
            reply = await post_acme(gateway.http(), acme_item("1", type="new"))
            assert reply.status in (200, 202)
            row = await tail.row()
            assert row["what"] == "trouble"
            assert row["told"].startswith("a delivery of acme is ")
            assert row["link"] == f"/deliveries/{reply.json()['delivery']}"
            # Who may not see deliveries sees what comes next.
            assert (await gateway.lrs.post("/statements", body=did("ada"))).status == 200
            assert (await few.row())["what"] == "stored"


async def test_a_reader_that_comes_back_gets_what_it_missed_once(gateway: Gateway) -> None:
    visitor = await person(gateway)
    async with watching(visitor) as tail:
        await gateway.lrs.post("/statements", body=did("one"))
        assert "one@" in (await tail.row())["told"]
    await gateway.lrs.post("/statements", body=[did("two"), did("three"), did("four", "failed")])
    async with watching(visitor, headers={"Last-Event-ID": tail.last}, verb="completed") as back:
        assert "two@" in (await back.row())["told"]
        assert "three@" in (await back.row())["told"]
        assert (await back.next())[0] == "live"
        await gateway.lrs.post("/statements", body=did("five"))
        assert "five@" in (await back.row())["told"]


async def test_nothing_is_missed_between_a_page_and_its_stream(gateway: Gateway) -> None:
    visitor = await person(gateway)
    page = await visitor.get("/live")
    [place] = Elements(page).values("data-place")
    await gateway.lrs.post("/statements", body=did("between"))
    async with watching(visitor, missed=1, after=place):
        pass


@pytest.mark.parametrize("place", ["nonsense", "00" * 20, "f" * 5000])
async def test_a_place_that_is_none_is_a_gap_and_no_error(gateway: Gateway, place: str) -> None:
    async with watching(await person(gateway), headers={"Last-Event-ID": place}) as tail:
        assert [(await tail.next())[0], (await tail.next())[0]] == ["live", "gap"]


async def test_filters_choose_what_is_shown(gateway: Gateway) -> None:
    visitor = await person(gateway)
    wishes: list[dict[str, str]] = [
        {"agent": "ada@example.edu"},
        {"verb": "failed"},
        {"verb": "http://adlnet.gov/expapi/verbs/failed"},
        {"source": "credential tests", "activity": "https://lms.example.edu/geology", "text": "ADA@"},
        {"kind": "refused"},
    ]
    for given in wishes:
        async with watching(visitor, missed=0, headers=None, **given) as tail:
            await gateway.lrs.post("/statements", body=did("bo"))
            await gateway.lrs.post("/statements", body=did("ada", "failed"))
            await gateway.lrs.post("/statements", body=[])
            await gateway.lrs.post("/statements", body={})
            row = await tail.row()
            assert ("ada@" in row["told"]) is ("kind" not in given), given
    assert "kind holds" in words(await visitor.get("/live", kind="x"))
    assert (await visitor.get("/live", agent="{")).status == 400


async def test_the_page_shows_the_newest_without_script(gateway: Gateway) -> None:
    visitor = await person(gateway)
    assert "Nothing yet. What comes in is shown here at once" in words(await visitor.get("/live"))
    hostile = '<img src=x onerror="alert(1)">'
    await gateway.lrs.post(
        "/statements", body=did("ada") | {"actor": {"name": hostile, **did("ada")["actor"]}}
    )
    await gateway.lrs.post("/statements", body={})

    async def both() -> bool:
        return "POST of statements: 400" in words(await visitor.get("/live"))

    await until(both)
    page = await visitor.get("/live")
    assert f"{hostile} completed" in words(page)
    assert b"<img src=x" not in page.body
    assert hostile not in words(await visitor.get("/live", kind="refused"))


async def test_a_session_that_ends_ends_its_stream(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "HEARTBEAT", 0.05)
    visitor = await person(gateway)
    async with watching(visitor) as tail:
        await visitor.get("/")
        await visitor.post("/sign-out")
        assert (await tail.next())[0] == "bye"
        assert (await tail.next())[0] == "end"


async def test_watching_keeps_nobody_signed_in(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "HEARTBEAT", 0.05)
    visitor = await person(gateway)
    sessions = gateway.store.client[gateway.store.name]["console_sessions"]
    async with watching(visitor) as tail:
        row = await sessions.find_one({})
        assert row is not None
        await sessions.update_one({"_id": row["_id"]}, {"$set": {"seen": row["created"].replace(year=2020)}})
        assert (await tail.next())[0] == "bye"


async def test_a_gateway_that_ends_does_not_wait_for_those_who_watch(serve: Serve) -> None:
    async with serve(server__shutdown_grace="1h") as gateway:
        visitor = await person(gateway)
        async with asyncio.timeout(60), watching(visitor) as tail:
            await gateway.app.shutdown()
            assert (await tail.next())[0] == "end"


async def test_more_viewers_than_a_process_takes_are_told_to_come_again(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.services.live.MOST_VIEWERS", 1)
    visitor = await person(gateway)
    async with watching(visitor):
        refused = await visitor.get("/live/events")
        assert refused.status == 503
        assert refused.headers["Retry-After"]


def happening(number: int, **row: Any) -> Happening:
    identity = UUID(int=number)
    statement = {"id": str(identity)} | did("ada")
    return Happening(
        token=str(number), what="statement", id=identity, row={"statement": statement, "stored": 1, **row}
    )


def test_a_reader_that_is_too_slow_loses_the_oldest_and_is_told_how_many() -> None:
    viewer = Viewer(Wanted(what=EVERYTHING))
    for number in range(QUEUE + 7):
        viewer.offer(happening(number))
    found, dropped = viewer.take()
    assert dropped == 7
    assert [one.token for one in found] == [str(number) for number in range(7, QUEUE + 7)]
    assert viewer.take() == ([], 0)
    assert not viewer.more.is_set()


async def test_of_very_many_refusals_a_bounded_number_is_kept(gateway: Gateway) -> None:
    for number in range(1000):
        gateway.services.live.refuse(
            "statement", "x" * 10_000, "POST of statements", 400, f"\0{number}\udc80"
        )
    assert len(gateway.services.live._refused) == 200

    async def some() -> bool:
        return bool(await gateway.store.live.newest(1))

    await until(some)
    [one] = await gateway.store.live.newest(1)
    assert len(one.row["name"]) == 500
    assert one.row["message"].endswith("\\udc80")
