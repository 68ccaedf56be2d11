"""Mapping speed against the same mapping written by hand: one payload, six statements, both results equal.

    python -m benchmarks.mapping [ROUNDS]

The hand-written function does what a careful programmer would write for one vendor: the same statements, ids,
rounding and omissions. The bar is 1.5 times its time, measured in the same run.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
import timeit
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from adapters import Adapted, Event, Lookups, Mapping, load_mapping

BAR = 1.5
MAPPING = """\
adapter: assess
version: 1
source: { platform: Assess, home_page: https://assess.example.com, language: en }
receive:
  verify: [ { github: { secret: "${ secret('ASSESS') }" } } ]
  event_id: ${ body.id }
identity:
  learner:
    by: [ { email: "${ body.learner.email | lower }" } ]
    home_page: https://id.example.edu
tables:
  outcome: { PASS: passed, FAIL: failed }
  kind: { mc: choice, text: fill-in, '*': other }
let:
  exam: https://assess.example.com/exams/${ body.session.id }
  ended: ${ from_millis(body.session.ended) }
  course:
    id: https://assess.example.com/courses/${ body.session.course }
    type: course
rules:
  - name: result
    match: { body.type: session.results }
    when: body.status in ['PASS', 'FAIL']
    statements:
      - name: attempt
        actor: ${ identity.learner }
        verb: ${ lookup('outcome', body.status) }
        object:
          id: ${ vars.exam }
          type: assessment
          name: ${ body.session.title }
          description: ${ body.session.summary }
        result:
          success: ${ body.status == 'PASS' }
          completion: true
          score: ${ score(body.points, body.max) }
          duration: ${ seconds(body.seconds) }
        context:
          registration: ${ body.attempt }
          parent: ${ vars.course }
          extensions:
            https://assess.example.com/ext/device: ${ body.device }
        timestamp: ${ vars.ended }
      - name: answer
        for_each: body.answers
        as: answer
        key: answer.q
        actor: ${ identity.learner }
        verb: answered
        object:
          id: ${ vars.exam }/questions/${ answer.q }
          type: question
          interaction: ${ lookup('kind', answer.kind) }
          name: ${ answer.title }
        result:
          success: ${ answer.ok }
          response: ${ answer.given }
          score: ${ score(answer.points, answer.max) }
        context:
          parent: { id: "${ vars.exam }" }
        timestamp: ${ vars.ended }
"""
PAYLOAD: dict[str, Any] = {
    "id": "dlv-77120",
    "type": "session.results",
    "status": "PASS",
    "points": 17.5,
    "max": 20,
    "seconds": 750,
    "attempt": "0d092af3-c9f8-431f-9cc3-9db40a0750ef",
    "device": "tablet",
    "learner": {"email": "Ana.Horvat@example.org", "name": "Ana Horvat"},
    "session": {"id": 9, "course": "chem-101", "title": "Fire Safety", "ended": 1709287200000},
    "answers": [
        {
            "q": f"q{n}",
            "kind": "mc",
            "title": f"Question {n}",
            "ok": n != 3,
            "given": "a",
            "points": n % 2,
            "max": 1,
        }
        for n in range(5)
    ],
}
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "urn:gateway:adapter:assess").bytes
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
VERBS = {"PASS": "passed", "FAIL": "failed"}
KINDS = {"mc": "choice", "text": "fill-in"}
SOURCE = "https://w3id.org/xapi-gateway/extension/source"
LOOKUPS = Lookups(pseudonym_key=b"key", accounts={("email", "ana.horvat@example.org"): "S-1"})


def score(raw: Any, high: Any) -> dict[str, Any] | None:
    if raw is None:
        return None
    if high is None or high <= 0:
        return {"raw": raw}
    if raw > high:
        return {"raw": raw, "min": 0, "scaled": 1.0}
    return {"raw": raw, "min": 0, "max": high, "scaled": round(raw / high, 4)}


def pruned(value: dict[str, Any]) -> dict[str, Any]:
    return {key: inner for key, inner in value.items() if inner is not None and inner != {}}


def identifier(*parts: str) -> str:
    name = "\x1f".join(parts).encode()
    return str(uuid.UUID(bytes=hashlib.sha1(NAMESPACE + name).digest()[:16], version=5))


def iso_duration(seconds: int) -> str:
    hours, rest = divmod(seconds, 3600)
    minutes, rest = divmod(rest, 60)
    return (
        "PT"
        + (f"{hours}H" if hours else "")
        + (f"{minutes}M" if minutes else "")
        + (f"{rest}S" if rest else "")
    )


def by_hand(body: dict[str, Any]) -> list[dict[str, Any]]:
    """The mapping above as Python."""
    session, learner = body.get("session") or {}, body.get("learner") or {}
    exam = f"https://assess.example.com/exams/{session.get('id')}"
    moment = EPOCH + timedelta(milliseconds=session["ended"])
    ended = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    account = LOOKUPS.accounts.get(("email", learner["email"].strip().lower()))
    actor = {"objectType": "Agent", "account": {"homePage": "https://id.example.edu", "name": account}}
    verb = VERBS[body["status"]]
    source = {"adapter": "assess", "version": 1, "rule": "result"}
    course = {
        "objectType": "Activity",
        "id": f"https://assess.example.com/courses/{session.get('course')}",
        "definition": {"type": "http://adlnet.gov/expapi/activities/course"},
    }
    title, summary = session.get("title"), session.get("summary")
    definition = {
        "type": "http://adlnet.gov/expapi/activities/assessment",
        "name": {"en": title} if title is not None else None,
        "description": {"en": summary} if summary is not None else None,
    }
    result = {
        "success": body["status"] == "PASS",
        "completion": True,
        "score": score(body.get("points"), body.get("max")),
        "duration": iso_duration(body["seconds"]) if "seconds" in body else None,
    }
    made = [
        {
            "id": identifier(body["id"], "result/attempt", ""),
            "actor": actor,
            "verb": {"id": f"http://adlnet.gov/expapi/verbs/{verb}", "display": {"en": verb}},
            "object": {"objectType": "Activity", "id": exam, "definition": pruned(definition)},
            "result": pruned(result),
            "context": pruned(
                {
                    "registration": body.get("attempt"),
                    "contextActivities": {"parent": [course]},
                    "platform": "Assess",
                    "extensions": pruned(
                        {"https://assess.example.com/ext/device": body.get("device"), SOURCE: source}
                    ),
                }
            ),
            "timestamp": ended,
        }
    ]
    for answer in body.get("answers") or []:
        title = answer.get("title")
        definition = {
            "type": "http://adlnet.gov/expapi/activities/question",
            "name": {"en": title} if title is not None else None,
            "interactionType": KINDS.get(answer.get("kind"), "other"),
        }
        result = {
            "success": answer.get("ok"),
            "response": answer.get("given"),
            "score": score(answer.get("points"), answer.get("max")),
        }
        made.append(
            {
                "id": identifier(body["id"], "result/answer", answer["q"]),
                "actor": actor,
                "verb": {"id": "http://adlnet.gov/expapi/verbs/answered", "display": {"en": "answered"}},
                "object": {
                    "objectType": "Activity",
                    "id": f"{exam}/questions/{answer['q']}",
                    "definition": pruned(definition),
                },
                "result": pruned(result),
                "context": {
                    "contextActivities": {"parent": [{"objectType": "Activity", "id": exam}]},
                    "platform": "Assess",
                    "extensions": {SOURCE: source},
                },
                "timestamp": ended,
            }
        )
    return made


def by_engine(mapping: Mapping, event: Event) -> tuple[dict[str, Any], ...]:
    outcome = mapping.adapt(event, LOOKUPS)
    assert isinstance(outcome, Adapted), outcome
    return outcome.statements


def timed(call: Callable[[], object], number: int = 200) -> float:
    """Microseconds of processor time a call; short rounds, so that some fall between other people's work."""
    return timeit.timeit(call, number=number, timer=time.process_time) / number * 1e6


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    mapping = load_mapping(MAPPING, "assess.yaml")
    (event,) = mapping.events(PAYLOAD)
    assert isinstance(event, Event)
    expected, found = by_hand(PAYLOAD), list(by_engine(mapping, event))
    assert found == expected, json.dumps([expected, found], indent=1)
    hand: list[float] = []
    engine: list[float] = []
    for _ in range(rounds):
        hand.append(timed(lambda: by_hand(PAYLOAD)))
        engine.append(timed(lambda: by_engine(mapping, event)))
    ratio = min(engine) / min(hand)
    loading = min(timeit.repeat(lambda: load_mapping(MAPPING, "assess.yaml"), number=1, repeat=5)) * 1000
    print(f"by hand   {min(hand):7.1f} µs for {len(expected)} statements")
    print(f"by engine {min(engine):7.1f} µs, {ratio:.2f} times as long (bar {BAR})")
    print(f"loading   {loading:7.1f} ms")


if __name__ == "__main__":
    main()
