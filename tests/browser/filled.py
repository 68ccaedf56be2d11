"""A gateway as it looks after some weeks of use: something of everything that pages show."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from hashlib import sha256
from itertools import product
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

from adapters.loading.files import mapping_paths
from gateway.cmi5 import vocabulary as words
from gateway.demo import build_course, samples
from gateway.resources import mappings_dir
from gateway.services.people import People, Role
from gateway.store.credentials import Credential
from gateway.store.delivery_records import State
from gateway.store.overview import Overview
from gateway.store.revisions import Revision
from tests.browser.site import Site
from tests.gateway import Reply, basic, settings_for
from tests.vendors import ZOOM_SECRET, zoom_headers
from tests.waiting import until
from tests.web.au import XML, ZIP

_SEMINAR = "https://courses.example.edu/seminar"
_CLASS = (
    ("ada", "Ada Lovelace"),
    ("charles", "Charles Babbage"),
    ("mary", "Mary Somerville"),
    ("sophia", "Sophia De Morgan"),
)
_STRUCTURE = f"""\
<courseStructure xmlns="https://w3id.org/xapi/profiles/cmi5/v1/CourseStructure.xsd">
  <course id="{_SEMINAR}">
    <title><langstring lang="en">Seminar: Analytical Engines</langstring></title>
    <description><langstring lang="en">What the engine could have done.</langstring></description>
  </course>
  <block id="{_SEMINAR}/parts">
    <title><langstring lang="en">The parts</langstring></title>
    <description><langstring lang="en">Mill and store.</langstring></description>
    <au id="{_SEMINAR}/mill" moveOn="Completed">
      <title><langstring lang="en">The mill</langstring></title>
      <description><langstring lang="en">Where it reckons.</langstring></description>
      <url>https://courses.example.edu/mill.html</url>
    </au>
    <au id="{_SEMINAR}/store" moveOn="Completed">
      <title><langstring lang="en">The store</langstring></title>
      <description><langstring lang="en">Where it remembers.</langstring></description>
      <url>https://courses.example.edu/store.html</url>
    </au>
  </block>
  <au id="{_SEMINAR}/quiz" moveOn="Passed" masteryScore="0.7">
    <title><langstring lang="en">Quiz</langstring></title>
    <description><langstring lang="en">Ten questions.</langstring></description>
    <url>https://courses.example.edu/quiz.html</url>
  </au>
</courseStructure>
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """Where to look."""

    course: str
    registration: str


async def fill(site: Site) -> Filled:
    """Statements of a tool, deliveries of a vendor of which one fails, two courses with learners."""
    await _people(site)
    await _sources(site)
    await _statements(site)
    lesson = await _imported(site, build_course(), ZIP)
    course = await _imported(site, _STRUCTURE.encode(), XML)
    again = await site.api.post(f"/courses/{course}/versions", data=_STRUCTURE.encode(), headers=XML)
    assert again.status == 201, again.body
    registrations = [await _registered(site, course, *who) for who in reversed(_CLASS)]
    await _registered(site, lesson, *_CLASS[0])
    first, second = registrations[-1], registrations[-2]
    await site.post(f"/registrations/{first}/waive", {"au": 1, "reason": "Tested Out"})
    await site.post(f"/registrations/{first}/links", {"lifetime": 604_800})
    await _taken(site, course, first, [words.COMPLETED, words.TERMINATED])
    await _taken(site, course, second, [words.COMPLETED, words.COMPLETED])
    await _deliveries(site)
    await _revisions(site)
    return Filled(course=course, registration=first)


async def _revisions(site: Site) -> None:
    """Each mapping had another text before."""
    then = dt.datetime(2026, 1, 31, 10, 15, tzinfo=dt.UTC)
    for path in mapping_paths(mappings_dir()):
        before = path.read_text("utf-8") + "# as it was before\n"
        revision = Revision(
            revision=sha256(before.encode()).hexdigest(),
            adapter=path.stem,
            version=1,
            file=path.name,
            texts={path.name: before},
            first=then,
            used=then,
        )
        await site.store.revisions.keep(revision)


async def _people(site: Site) -> None:
    people = People.of(settings_for(site.store.name), site.store)
    await people.create("mara", "Mara Lind", [Role.LMS_ADMINISTRATOR], "main")
    await people.create("ivo", "Ivo Brandt", [Role.INTEGRATION_ENGINEER, Role.AUDITOR], "main")


async def _sources(site: Site) -> None:
    """What somebody wrote down about Zoom."""
    known = {
        "owner": "Ivo Brandt",
        "vendor": "Zoom Communications",
        "purpose": "attendance in seminars",
        "ground": "contract",
        "dataClass": "pseudonymous",
    }
    reply = await site.api.put("/sources/adapter:zoom", body=known)
    assert reply.status == 200, reply.body


async def _statements(site: Site) -> None:
    key, secret = "moodle", "secret of Moodle"
    credential = Credential(
        key=key,
        name="Moodle, faculty of science",
        store="main",
        scopes=("statements/write",),
        owner="Mara Lind",
        purpose="results of quizzes",
        created=dt.datetime.now(dt.UTC),
    )
    assert await site.store.credentials.create(credential, secret)
    headers = {"Authorization": basic(key, secret), "X-Experience-API-Version": "2.0.0"}
    lrs = site.api.at(f"{site.url}/xapi").with_headers(headers)
    now = dt.datetime.now(dt.UTC)
    sent = await lrs.post("/statements", body=_classes(now))
    assert sent.status == 200, sent.body
    sent = await lrs.post("/statements", body=samples.statements(now))
    assert sent.status == 200, sent.body
    void = {
        "actor": {"objectType": "Agent", "account": {"homePage": samples.LEARNER_HOME, "name": "mara"}},
        "verb": {"id": "http://adlnet.gov/expapi/verbs/voided"},
        "object": {"objectType": "StatementRef", "id": sent.json()[0]},
    }
    sent = await lrs.post("/statements", body=void)
    assert sent.status == 200, sent.body


def _classes(now: dt.datetime) -> list[dict[str, Any]]:
    """What a class did in this month and the two before: enough people for reports to tell about them."""
    made = []
    quiz, *_ = [each for each in samples.statements(now) if each["verb"]["id"].endswith("passed")]
    for months, number in product(range(3), range(26)):
        at = now - dt.timedelta(days=30 * months, hours=number)
        verb = words.PASSED if number < 15 - months else words.FAILED
        made.append(
            quiz
            | {
                "actor": _learner(f"student-{number}", f"Student {number + 1}"),
                "verb": {"id": verb, "display": {"en": words.word(verb)}},
                "result": {
                    "success": verb == words.PASSED,
                    "score": {"scaled": round(0.95 - number / 40, 2)},
                },
                "timestamp": at.isoformat(timespec="milliseconds"),
            }
        )
    return made


async def _imported(site: Site, content: bytes, headers: dict[str, str]) -> str:
    reply = await site.api.post("/courses", data=content, headers=headers)
    assert reply.status == 201, reply.body
    return str(reply.json()["id"])


async def _registered(site: Site, course: str, account: str, name: str) -> str:
    made = await site.post("/registrations", {"course": course, "actor": _learner(account, name)})
    return str(made["id"])


def _learner(account: str, name: str) -> dict[str, Any]:
    return {
        "objectType": "Agent",
        "name": name,
        "account": {"homePage": samples.LEARNER_HOME, "name": account},
    }


async def _taken(site: Site, course: str, registration: str, verbs: list[str]) -> None:
    """A session of the first unit; what a verb says twice is refused."""
    found = (await site.api.get(f"/registrations/{registration}")).json()
    launch = {"au": 0, "actor": found["actor"], "registration": registration}
    query = parse_qs(urlsplit((await site.post(f"/courses/{course}/launch", launch))["url"]).query)
    token = (await site.api.at(query["fetch"][0]).post("")).json()["auth-token"]
    lrs = site.api.at(query["endpoint"][0].rstrip("/")).with_headers(
        {"Authorization": f"Basic {token}", "X-Experience-API-Version": "1.0.3"}
    )
    state = {
        "activityId": query["activityId"][0],
        "agent": query["actor"][0],
        "registration": registration,
        "stateId": "LMS.LaunchData",
    }
    data = (await lrs.get("/activities/state", state)).json()
    profile = {"profileId": "cmi5LearnerPreferences", "agent": query["actor"][0]}
    assert (await lrs.get("/agents/profile", profile)).status in (200, 404)
    sent: list[Reply] = []
    for verb in [words.INITIALIZED, *verbs]:
        context = json.loads(json.dumps(data["contextTemplate"]))
        categories = [words.CATEGORY_CMI5]
        result: dict[str, Any] = {} if verb == words.INITIALIZED else {"duration": "PT4M"}
        if verb == words.COMPLETED:
            result["completion"] = True
            categories.append(words.CATEGORY_MOVE_ON)
        context["contextActivities"]["category"] = [{"id": category} for category in categories]
        statement = {
            "id": str(uuid4()),
            "actor": json.loads(query["actor"][0]),
            "verb": {"id": verb, "display": {"en": words.word(verb)}},
            "object": {
                "objectType": "Activity",
                "id": query["activityId"][0],
                "definition": {"name": {"en": "The mill"}},
            },
            "context": context,
            "timestamp": dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds"),
        }
        if result:
            statement["result"] = result
        sent.append(await lrs.post("/statements", body=statement))
    repeated = len(set(verbs)) < len(verbs)
    statuses = [200] * (len(sent) - repeated) + [403] * repeated
    assert [reply.status for reply in sent] == statuses, [reply.body for reply in sent]


async def _deliveries(site: Site) -> None:
    now = dt.datetime.now(dt.UTC)
    events = samples.zoom_meeting(now)
    broken = json.loads(json.dumps(events[0]))
    broken["event_ts"] += 1
    broken["payload"]["object"]["participant"]["join_time"] = "soon"
    unknown = events[0] | {"event": "meeting.chat_message_sent"}
    http = site.api.at(site.url).with_headers({"Authorization": None})
    for event in (*events, broken, unknown):
        body = json.dumps(event).encode()
        sent = await http.post("/hooks/zoom", data=body, headers=zoom_headers(body, secret=ZOOM_SECRET))
        assert sent.status == 200, sent.body
    counts = Overview(site.store.client, site.store.name)

    async def mapped() -> bool:
        states = await counts.states()
        return not states[State.RECEIVED] and sum(states.values()) == 4

    await until(mapped)
