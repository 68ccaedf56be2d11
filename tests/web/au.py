"""A scripted AU: it does over HTTP what course content does in a browser, one step at a time."""

from __future__ import annotations

import copy
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

from gateway.cmi5 import vocabulary as words
from tests.cmi5.samples import au_xml, structure_xml
from tests.gateway import Gateway, Http, Reply

LEARNER: dict[str, Any] = {
    "objectType": "Agent",
    "name": "Ada",
    "account": {"homePage": "https://people.example.org", "name": "ada"},
}
XML = {"Content-Type": "application/xml"}
ZIP = {"Content-Type": "application/zip"}

_RESULTS: dict[str, dict[str, Any]] = {
    words.COMPLETED: {"completion": True, "duration": "PT9S"},
    words.PASSED: {"success": True, "duration": "PT9S"},
    words.FAILED: {"success": False, "duration": "PT9S"},
    words.TERMINATED: {"duration": "PT12S"},
}


def api(gateway: Gateway) -> Http:
    """The management API with all scopes."""
    return gateway.http("/api/v1", {"Authorization": gateway.lrs.headers["Authorization"]})


def course_xml(*aus: str) -> bytes:
    """A bare course structure of these AUs; one with moveOn Completed if none is given."""
    return structure_xml(*(aus or (au_xml(1),)))


def course_zip(**files: bytes) -> bytes:
    """A package of one AU, `index.html`, with further files by name (`__` stands for a dot)."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("cmi5.xml", structure_xml(au_xml(1, url="index.html?own=1#top")))
        archive.writestr("index.html", b"<!doctype html><title>AU</title>")
        for name, content in files.items():
            archive.writestr(name.replace("__", "."), content)
    return packed.getvalue()


async def imported(gateway: Gateway, content: bytes | None = None) -> dict[str, Any]:
    """The answer to an accepted import."""
    content = content or course_xml()
    headers = ZIP if content.startswith(b"PK") else XML
    reply = await api(gateway).post("/courses", data=content, headers=headers)
    assert reply.status == 201, reply.body
    answer: dict[str, Any] = reply.json()
    return answer


async def launched(gateway: Gateway, course: str, **options: Any) -> AU:
    """An AU that was launched by the API: the first one, for Ada, unless `options` say otherwise."""
    body = {"au": 0, "actor": LEARNER, **options}
    reply = await api(gateway).post(f"/courses/{course}/launch", body=body)
    assert reply.status == 200, reply.body
    return AU.of(gateway, reply.json()["url"], reply.json()["session"])


async def started(gateway: Gateway, course: str, **options: Any) -> AU:
    """An AU that is launched and initialized."""
    au = await launched(gateway, course, **options)
    await au.begin()
    return au


@dataclass(slots=True, kw_only=True)
class AU:
    """An AU as its launch URL made it. `lrs` is the endpoint with the token, once it was fetched."""

    gateway: Gateway
    url: str
    session: str
    launch: Mapping[str, str]
    actor: dict[str, Any]
    lrs: Http = field(repr=False)
    data: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, gateway: Gateway, url: str, session: str = "") -> AU:
        launch = dict(parse_qsl(urlsplit(url).query, strict_parsing=True))
        endpoint = Http(
            session=gateway.lrs.session,
            base=launch["endpoint"].rstrip("/"),
            headers={"X-Experience-API-Version": "1.0.3"},
        )
        actor = json.loads(launch["actor"])
        return cls(gateway=gateway, url=url, session=session, launch=launch, actor=actor, lrs=endpoint)

    @property
    def registration(self) -> str:
        return self.launch["registration"]

    def by(self, gateway: Gateway) -> AU:
        """The same AU in the same session, talking to another process of its gateway."""
        return replace(self, gateway=gateway, lrs=self.lrs.at(f"{gateway.url}/xapi"))

    async def fetch(self) -> Reply:
        """POST to the fetch URL; the token, if there is one, is used from now on."""
        reply = await self.lrs.at(self.launch["fetch"]).post("")
        token = reply.json().get("auth-token")
        if token is not None:
            self.lrs = self.lrs.with_headers({"Authorization": f"Basic {token}"})
        return reply

    async def begin(self) -> None:
        """Everything up to initialized."""
        assert "auth-token" in (await self.fetch()).json()
        self.data = (await self.state("GET", "LMS.LaunchData")).json()
        assert (await self.preferences("GET")).status in (200, 404)
        await self.accepted(words.INITIALIZED)

    async def state(self, method: str, state_id: str | None, **kwargs: Any) -> Reply:
        query = {
            "activityId": self.launch["activityId"],
            "agent": self.launch["actor"],
            "registration": self.registration,
        }
        if state_id is not None:
            query["stateId"] = state_id
        return await self.lrs(method, "/activities/state", query, **kwargs)

    async def preferences(self, method: str, **kwargs: Any) -> Reply:
        query = {"profileId": "cmi5LearnerPreferences", "agent": self.launch["actor"]}
        return await self.lrs(method, "/agents/profile", query, **kwargs)

    def statement(self, verb: str, **parts: Any) -> dict[str, Any]:
        """An allowed statement of this session."""
        return {
            "id": str(uuid4()),
            "actor": copy.deepcopy(self.actor),
            "verb": {"id": verb},
            "object": {"objectType": "Activity", "id": self.launch["activityId"]},
            "context": copy.deepcopy(self.data["contextTemplate"]),
            "timestamp": "2026-03-01T10:00:00.000Z",
            **parts,
        }

    def defined(self, verb: str, **result: Any) -> dict[str, Any]:
        """A cmi5 defined statement of this session; `result` is added to what the verb needs."""
        statement = self.statement(verb)
        if found := {**_RESULTS.get(verb, {}), **result}:
            statement["result"] = found
        categories = [words.CATEGORY_CMI5]
        if "success" in found or "completion" in found:
            categories.append(words.CATEGORY_MOVE_ON)
        context = statement["context"]
        context["contextActivities"]["category"] = [{"id": category} for category in categories]
        if "score" in found and "masteryScore" in self.data:
            context["extensions"][words.MASTERY_SCORE] = self.data["masteryScore"]
        return statement

    async def send(self, *statements: object) -> Reply:
        """POST one statement, or several as a batch."""
        return await self.lrs.post("/statements", body=statements[0] if len(statements) == 1 else statements)

    async def accepted(self, *verbs: str) -> None:
        """Send defined statements one after the other; all must be accepted."""
        for verb in verbs:
            reply = await self.send(self.defined(verb))
            assert reply.status == 200, reply.body

    async def progress(self) -> dict[str, Any]:
        """The course node of the registration's progress tree."""
        reply = await api(self.gateway).get(f"/registrations/{self.registration}")
        tree: dict[str, Any] = reply.json()["progress"]
        return tree

    async def shown(self) -> dict[str, Any]:
        """The session as the API shows it."""
        answer: dict[str, Any] = (await api(self.gateway).get(f"/sessions/{self.session}")).json()
        return answer


async def stored(gateway: Gateway, registration: str) -> list[dict[str, Any]]:
    """The statements of a registration in stored order."""
    reply = await gateway.lrs.get("/statements", {"registration": registration, "ascending": "true"})
    statements: list[dict[str, Any]] = reply.json()["statements"]
    return statements


async def verbs(gateway: Gateway, registration: str) -> list[str]:
    """What was done in a registration, in stored order, by the last words of the verbs."""
    return [words.word(statement["verb"]["id"]) for statement in await stored(gateway, registration)]
