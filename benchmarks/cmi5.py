"""The LMS at size: a course of 2 000 AUs, 100 000 registrations, and a class that begins all at once."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import statistics
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

from aiohttp import ClientSession, TCPConnector, encode_basic_auth
from pymongo.asynchronous.database import AsyncDatabase

from benchmarks import servers
from benchmarks.documents import KEY
from gateway.store.connection import connect
from gateway.store.embedded import EmbeddedMongo

_DATABASE = "benchmark_cmi5"
_VERBS = "http://adlnet.gov/expapi/verbs/"
_CATEGORIES = "https://w3id.org/xapi/cmi5/context/categories/"
_PEOPLE = "https://people.example.org"


async def measure(directory: Path, mongo: EmbeddedMongo, *, quick: bool) -> dict[str, Any]:
    """Milliseconds of single calls (median and worst), seconds of the class; `memory` in MiB."""
    registrations, learners, blocks = (5_000, 50, 2) if quick else (100_000, 500, 20)
    async with (
        servers.gateway(directory / "data", _DATABASE, directory / "gateway.log") as gateway,
        ClientSession(connector=TCPConnector(limit=0)) as session,
        connect(mongo.uri, app_name="benchmark") as client,
    ):
        database = client[_DATABASE]
        lms = Lms(session, f"http://127.0.0.1:{gateway.port}")
        figures: dict[str, Any] = {"aus": blocks * 100, "registrations": registrations, "learners": learners}
        started = time.perf_counter()
        large = await lms.api("POST", "/courses", structure(blocks, 100))
        figures["import"] = (time.perf_counter() - started) * 1000
        figures |= await large_course(lms, database, large)
        small = await lms.api("POST", "/courses", structure(1, 2))
        figures["launch_when_empty"] = await _times(20, lambda: lms.launched(small["id"]))
        await fill(database, small["id"], registrations)
        figures["launch_when_full"] = await _times(20, lambda: lms.launched(small["id"]))
        for name, query in (
            ("list_all", ""),
            ("list_course", f"?course={small['id']}"),
            ("list_learner", "?actor=" + json.dumps(_learner("learner-77"))),
        ):
            figures[name] = await _times(20, partial(lms.api, "GET", f"/registrations{query}"))
        figures["list_open_sessions"] = await _times(20, lambda: lms.api("GET", "/sessions?open=true"))
        figures["class"] = await whole_class(lms, small["id"], learners)
        figures["memory"] = gateway.peak_memory()
        return figures


class Lms:
    """The gateway as a portal and as AUs meet it."""

    def __init__(self, session: ClientSession, url: str) -> None:
        self._session, self._url = session, url

    async def api(self, method: str, path: str, body: object = None) -> Any:
        headers = {
            "Authorization": encode_basic_auth(KEY, servers.SECRET),
            "Content-Type": "application/xml" if isinstance(body, bytes) else "application/json",
        }
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        async with self._session.request(
            method,
            f"{self._url}/api/v1{path}",
            data=data,
            headers=headers,
        ) as reply:
            assert reply.status in (200, 201), await reply.text()
            return await reply.json()

    async def launched(self, course: str, au: int = 0, **fields: Any) -> dict[str, str]:
        """The launch parameters of a session that the API began, for a new learner unless one is given."""
        body = {"au": au, "actor": _learner(str(uuid4())), **fields}
        return _parameters((await self.api("POST", f"/courses/{course}/launch", body))["url"])

    async def clicked(self, link: str) -> dict[str, str]:
        async with self._session.get(link, allow_redirects=False) as reply:
            assert reply.status == 303, await reply.text()
            return _parameters(reply.headers["Location"])

    async def begin(self, launch: dict[str, str]) -> tuple[dict[str, str], dict[str, Any]]:
        """What an AU does up to initialized: its headers and its launch data."""
        async with self._session.post(launch["fetch"]) as reply:
            token = (await reply.json())["auth-token"]
        headers = {"Authorization": f"Basic {token}", "X-Experience-API-Version": "1.0.3"}
        where = {
            "activityId": launch["activityId"],
            "agent": launch["actor"],
            "registration": launch["registration"],
            "stateId": "LMS.LaunchData",
        }
        address = f"{launch['endpoint']}activities/state"
        async with self._session.get(address, params=where, headers=headers) as reply:
            data = await reply.json()
        wanted = {"agent": launch["actor"], "profileId": "cmi5LearnerPreferences"}
        address = f"{launch['endpoint']}agents/profile"
        async with self._session.get(address, params=wanted, headers=headers) as reply:
            assert reply.status in (200, 404)
        await self.send(launch, headers, data, "initialized")
        return headers, data

    async def send(
        self, launch: dict[str, str], headers: dict[str, str], data: dict[str, Any], word: str
    ) -> None:
        """A cmi5 defined statement."""
        context = json.loads(json.dumps(data["contextTemplate"]))
        names = ("cmi5", "moveon") if word == "completed" else ("cmi5",)
        context["contextActivities"]["category"] = [{"id": _CATEGORIES + name} for name in names]
        statement: dict[str, Any] = {
            "id": str(uuid4()),
            "actor": json.loads(launch["actor"]),
            "verb": {"id": _VERBS + word},
            "object": {"id": launch["activityId"]},
            "context": context,
            "timestamp": dt.datetime.now(dt.UTC).isoformat(),
        }
        if word == "completed":
            statement["result"] = {"completion": True, "duration": "PT1M"}
        address = f"{launch['endpoint']}statements"
        async with self._session.post(address, json=statement, headers=headers) as reply:
            assert reply.status == 200, await reply.text()


async def large_course(lms: Lms, database: AsyncDatabase[Any], course: dict[str, Any]) -> dict[str, Any]:
    """Launches and the last completion in a registration that has met every other AU of the course."""
    aus = [au["id"] for au in course["aus"]]
    launch = await lms.launched(course["id"])
    record = {
        "completed": True,
        "passed": False,
        "waived": False,
        "move_on": None,
        "attempted": True,
        "failed": False,
        "score": None,
        "time": 60_000_000,
        "percent": None,
        "waive_reason": None,
        "sessions": 1,
    }
    await database["registrations"].update_one(
        {"_id": UUID(launch["registration"])},
        {"$set": {"aus": [{"au": au, **record} for au in aus[:-1]]}, "$inc": {"revision": 1}},
    )
    fields = {"registration": launch["registration"], "actor": json.loads(launch["actor"])}
    launches = await _times(10, lambda: lms.launched(course["id"], len(aus) - 1, **fields))
    last = await lms.launched(course["id"], len(aus) - 1, **fields)
    headers, data = await lms.begin(last)
    started = time.perf_counter()
    await lms.send(last, headers, data, "completed")
    satisfied = (time.perf_counter() - started) * 1000
    progress = await _times(5, lambda: lms.api("GET", f"/registrations/{launch['registration']}"))
    tree = (await lms.api("GET", f"/registrations/{launch['registration']}"))["progress"]
    assert tree["satisfied"], "the last AU satisfies the course"
    return {"launch_large": launches, "satisfy_large": satisfied, "progress_large": progress}


async def fill(database: AsyncDatabase[Any], course: str, count: int) -> None:
    """Registrations of as many learners, copied from one that the gateway made."""
    pattern = await database["registrations"].find_one({"course": UUID(course)})
    assert pattern is not None
    key = pattern["actor_key"]
    known = pattern["actor"]["account"]["name"]
    for start in range(0, count, 5_000):
        batch = [
            pattern
            | {
                "_id": uuid4(),
                "actor": _learner(f"learner-{number}"),
                "actor_key": key.replace(known, f"learner-{number}"),
            }
            for number in range(start, min(start + 5_000, count))
        ]
        await database["registrations"].insert_many(batch, ordered=False)


async def whole_class(lms: Lms, course: str, learners: int) -> dict[str, float]:
    """Everybody clicks a link of their own at the same moment; seconds until the last is initialized."""
    links = []
    for number in range(learners):
        body = {"course": course, "actor": _learner(f"pupil-{number}")}
        registration = await lms.api("POST", "/registrations", body)
        links.append((await lms.api("POST", f"/registrations/{registration['id']}/links", {"au": 0}))["url"])

    async def begins(link: str) -> float:
        started = time.perf_counter()
        await lms.begin(await lms.clicked(link))
        return time.perf_counter() - started

    started = time.perf_counter()
    waited = await asyncio.gather(*map(begins, links))
    return {
        "seconds": time.perf_counter() - started,
        "median": statistics.median(waited),
        "worst": max(waited),
    }


async def _times(count: int, call: Callable[[], Awaitable[Any]]) -> dict[str, float]:
    taken = []
    for _ in range(count):
        started = time.perf_counter()
        await call()
        taken.append((time.perf_counter() - started) * 1000)
    return {"median": statistics.median(taken), "worst": max(taken)}


def _parameters(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def _learner(name: str) -> dict[str, Any]:
    return {"account": {"homePage": _PEOPLE, "name": name}}


def _texts(name: str) -> str:
    text = f'<langstring lang="en">{name}</langstring>'
    return f"<title>{text}</title><description>{text}</description>"


def structure(blocks: int, aus: int) -> bytes:
    """A bare structure of this many blocks with this many AUs each."""
    base = "https://courses.example.org"
    inner = "".join(
        f'<block id="{base}/blocks/{block}">{_texts(f"Block {block}")}'
        + "".join(
            f'<au id="{base}/aus/{block}-{au}" moveOn="Completed">{_texts(f"AU {au}")}'
            f"<url>https://content.example.org/{block}/{au}</url></au>"
            for au in range(aus)
        )
        + "</block>"
        for block in range(blocks)
    )
    return (
        '<courseStructure xmlns="https://w3id.org/xapi/profiles/cmi5/v1/CourseStructure.xsd">'
        f'<course id="{base}">{_texts("Course")}</course>{inner}</courseStructure>'
    ).encode()
