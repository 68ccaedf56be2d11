"""The load client counts right, what it sends is what the gateway takes, and ceilings store the same."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import pytest
from aiohttp import ClientSession, CookieJar, web
from pymongo.asynchronous.database import AsyncDatabase

from benchmarks import cmi5, console, contests, documents, report, servers
from benchmarks.ceilings import Ceilings
from benchmarks.documents import entry
from benchmarks.filling import fill
from benchmarks.load import Job, LoadError, Result, parse_answer, run
from benchmarks.runs import Peer
from benchmarks.samples import Population, stored_id
from benchmarks.work import Work, source
from gateway.services.people import People
from gateway.store.connection import Client, Document
from gateway.store.indexing import create_indexes
from gateway.web.console import ROUTES
from gateway.xapi import validation
from gateway.xapi.queries import StatementsQuery
from gateway.xapi.versions import Version
from tests.gateway import Gateway, create_credential

PARAMETERS = ("agent", "verb", "activity", "registration")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(app: web.Application) -> AsyncIterator[int]:
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def answering(handler: Handler) -> web.Application:
    app = web.Application(client_max_size=2**26)
    app.router.add_route("*", "/{path:.*}", handler)
    return app


async def load(port: int, work: Work, connections: int = 2, requests: int | None = 12) -> Result:
    return await run(
        Job(
            host="127.0.0.1",
            port=port,
            headers={},
            work=work,
            connections=connections,
            seconds=60.0,
            warm_up=0.0,
            to_the_end=True,
            requests=requests,
        )
    )


def body_of(request: bytes) -> Any:
    head, _, body = request.partition(b"\r\n\r\n")
    assert f"content-length: {len(body)}".encode() in head.lower()
    return json.loads(body)


@pytest.mark.parametrize("version", list(Version))
def test_sample_statements_are_valid_and_of_typical_size(version: Version) -> None:
    samples = [Population(50).statement(index) for index in range(300)]
    assert [validation.check(sample, version) for sample in samples] == [[]] * 300
    sizes = [len(json.dumps(sample, separators=(",", ":"))) for sample in samples]
    assert 1000 <= sum(sizes) / 300 <= 1500


def test_sample_statements_are_the_same_in_every_run() -> None:
    assert Population(50).statement(7) == Population(50).statement(7)
    assert UUID(Population(50).statement(7)["id"]) == stored_id(7)


def test_every_posted_statement_has_an_id_of_its_own() -> None:
    work = Work(kind="post", path="/statements", statements=20)
    connections = [source(work, {"Host": "x"}, number) for number in range(3)]
    sent = [
        body_of(request)
        for requests in connections
        for _ in range(5)
        if (request := requests.next(b"")) is not None
    ]
    ids = [statement["id"] for batch in sent for statement in batch]
    assert len(set(ids)) == len(ids) == 3 * 5 * 20
    assert validation.check_batch(sent[0], Version.V2) == []


def test_a_posted_document_is_what_the_gateway_stores() -> None:
    posts = source(Work(kind="post", path="/insert-each", form="ceiling"), {}, 0)
    document = body_of(posts.next(b"") or b"")
    statement = json.loads(json.dumps(document["statement"]))
    del statement["authority"], statement["stored"], statement["version"]
    stored = json.loads(json.dumps(entry(statement, 1_700_000_000_000_000).document(), default=str))
    assert document == stored
    assert document["_id"] == document["statement"]["id"]


@pytest.mark.parametrize("parameter", PARAMETERS)
def test_filters_are_queries_that_the_gateway_reads(parameter: str) -> None:
    text, _ = Population(50).filters(parameter, 11)
    query = StatementsQuery.parse([(parameter, text), ("limit", "50")], Version.V1)
    assert query.limit == 50


async def test_every_answer_is_counted_once() -> None:
    seen = 0

    async def handler(request: web.Request) -> web.StreamResponse:
        nonlocal seen
        seen += len(await request.json())
        return web.json_response([])

    async with serving(answering(handler)) as port:
        result = await load(port, Work(kind="post", path="/", statements=3), connections=4)
    assert (result.requests, result.all_requests, seen) == (12, 12, 36)
    assert result.statements == result.all_statements == 36
    assert result.p50 <= result.p99


async def test_chunked_answers_are_read_whole() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        await response.write(b'{"statements": [{"sto')
        await asyncio.sleep(0)
        await response.write(b'red": "2026"}]}')
        await response.write_eof()
        return response

    async with serving(answering(handler)) as port:
        result = await load(port, Work(kind="one", path="/", statements=10))
    assert (result.all_requests, result.all_statements) == (12, 12)


@pytest.mark.parametrize("split", [5, 40, 60, 80])
def test_an_incomplete_answer_says_how_much_there_must_be(split: int) -> None:
    answer = b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 40\r\n\r\n" + b"x" * 40
    needed = parse_answer(answer[:split])
    assert isinstance(needed, int)
    assert split < needed <= len(answer)
    assert parse_answer(answer) == (200, b"x" * 40)


@pytest.mark.parametrize("status", [302, 400, 500, 503])
async def test_an_answer_that_is_not_2xx_fails_the_run(status: int) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        await request.read()
        return web.Response(status=status, text="no")

    async with serving(answering(handler)) as port:
        with pytest.raises(LoadError, match=f"answered {status}: no"):
            await load(port, Work(kind="post", path="/"))


async def test_an_answer_with_too_few_statements_fails_the_run() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return web.json_response({"statements": [{"stored": "2026"}] * 49, "more": ""})

    async with serving(answering(handler)) as port:
        with pytest.raises(LoadError, match="holds 49 statements instead of 50"):
            await load(port, Work(kind="list", path="/", parameter="verb", limit=50))


async def test_a_closed_connection_fails_the_run() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.Response(text="bye")
        response.force_close()
        return response

    async with serving(answering(handler)) as port:
        with pytest.raises(LoadError, match="closed a connection"):
            await load(port, Work(kind="post", path="/bare"))


async def test_following_more_reads_everything_and_notices_a_page_that_is_missing() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        page = int(request.query.get("page", 0))
        more = f"/next?page={page + 1}" if page < 3 else ""
        # As servers write it: the client finds `more` without parsing the page.
        text = json.dumps({"statements": [{"stored": "2026"}] * 10, "more": more}, separators=(",", ":"))
        return web.Response(text=text)

    async with serving(answering(handler)) as port:
        work = Work(kind="follow", path="/", statements=40, limit=10)
        result = await load(port, work, connections=1, requests=None)
        assert (result.all_statements, result.all_requests) == (40, 4)
        longer = Work(kind="follow", path="/", statements=42, limit=10)
        with pytest.raises(LoadError, match="2 statements too early"):
            await load(port, longer, connections=1, requests=None)


async def test_a_filled_store_gives_the_ceilings_what_they_ask_for(
    mongo_uri: str, mongo_client: Client, database_name: str
) -> None:
    statements = 2000
    await fill(mongo_uri, database_name, statements)
    collection = mongo_client[database_name]["statements"]
    await create_indexes(mongo_client[database_name])
    async with serving(Ceilings(collection, collection).app()) as port:
        for contest in contests.reads(statements):
            work = contest.ceilings[0].work
            result = await load(port, work, connections=1, requests=None if contest.to_the_end else 12)
            each = contests.LISTED if work.kind == "list" else 1
            assert result.all_statements == (statements if contest.to_the_end else 12 * each)
        written = 0
        for contest in contests.writes():
            for ceiling in contest.ceilings:
                result = await load(port, ceiling.work, requests=3)
                written += 0 if ceiling.name == "bare handler" else result.all_statements
    assert await collection.count_documents({}) == statements + written


def test_a_peer_is_an_address_with_credentials() -> None:
    peer = Peer.parse("ralph=http://127.0.0.1:8100/xAPI,user,se,cret")
    assert (peer.name, peer.url, peer.user, peer.password) == (
        "ralph",
        "http://127.0.0.1:8100/xAPI",
        "user",
        "se,cret",
    )
    with pytest.raises(ValueError, match="name=url,user,secret"):
        Peer.parse("ralph=http://127.0.0.1")


def test_a_missed_bar_is_reported_and_drawn() -> None:
    ceiling = {"name": "insert <each>", "bar": 1.7, "ratio": 1.5, "ratios": [1.4, 1.6]}
    figures = {
        "machine": "Linux & co",
        "rules": {"parse": [9.0], "validate_prepare": [30.0]},
        "contests": [{"title": "POST one", "ceilings": [ceiling, ceiling | {"bar": None}]}],
        "memory": {"writes": 100.0, "reads": None},
    }
    assert report.missed(figures) == ["POST one"]
    drawn = report.plot(figures)
    assert "1.50 × insert &lt;each&gt; (at least 1.7)" in drawn
    assert drawn.count("<rect") == 1 + 3


async def test_the_lms_is_measured_at_what_learners_and_portals_really_do(
    gateway: Gateway, database: AsyncDatabase[Document]
) -> None:
    await create_credential(gateway.store, documents.KEY, servers.SECRET, "all")
    async with ClientSession() as session:
        lms = cmi5.Lms(session, gateway.url)
        course = await lms.api("POST", "/courses", cmi5.structure(2, 3))
        assert len(course["aus"]) == 6
        figures = await cmi5.large_course(lms, database, course)
        await cmi5.fill(database, course["id"], 20)
        assert len((await lms.api("GET", "/registrations"))["registrations"]) == 21
        whole = await cmi5.whole_class(lms, course["id"], 3)
        assert whole["seconds"] >= whole["worst"] > 0 < figures["satisfy_large"]
        sessions = (await lms.api("GET", "/sessions?open=true"))["sessions"]
        assert [each["state"] for each in sessions] == ["active"] * 4


async def test_every_page_of_the_console_is_measured(gateway: Gateway) -> None:
    listed = console.pages(Population.of(1000))
    link = await People.of(gateway.settings, gateway.store).first_link("main")
    assert link is not None
    async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as session:
        await console.enter(session, f"{gateway.url}/admin", link)
        times = await console.visit(session, f"{gateway.url}/admin", listed, 2)
    assert [*times] == [name for name, _ in listed]
    assert all(len(taken) == 2 for taken in times.values())
    lists = {
        route.path
        for route in ROUTES
        if route.method == "GET" and "{" not in route.path
        if not route.path.endswith((".csv", ".ndjson", "/events"))
    }
    assert lists <= {path.partition("?")[0] for _, path in listed}
