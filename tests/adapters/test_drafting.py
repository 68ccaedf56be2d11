from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from adapters import load_mapping
from adapters.drafting.drafting import draft
from adapters.drafting.model import Sample
from adapters.linting.linting import lint
from adapters.receive.presets import presets
from adapters.testing.running import run_tests

SAMPLES = sorted((Path(__file__).parents[2] / "mappings" / "samples").glob("*/*.json"))
GRADED: dict[str, Any] = {
    "event_name": "quiz_graded",
    "event_id": 99,
    "created": 1772442754,
    "student": {"user-name": "ada", "mail": "Ada@example.edu", "first_name": "Ada", "phone": "1"},
    "course_id": 3,
    "course_name": "Chemistry",
    "quiz": {"quiz_id": 7, "title": "Acids"},
    "attempt": {
        "grade": "17.5",
        "max_grade": "20",
        "is_passed": True,
        "time_minutes": 12,
        "percent_complete": 0.5,
    },
}


def drafted(
    *payloads: Any, name: str = "acme", preset: str | None = None
) -> tuple[str, list[str], list[Any]]:
    """The mapping, what the linter says of it, and the results of its own tests."""
    files = {f"{number}.json": json.dumps(payload) for number, payload in enumerate(payloads)}
    made = draft(name, [Sample(file, json.loads(text)) for file, text in files.items()], preset)
    tests = (f"{name}.test.yaml", made.tests)
    found = [str(one) for one in lint(made.mapping, f"{name}.yaml", tests=tests, files=files.get)]
    if any("  error " in one for one in found):
        return made.mapping, found, []
    mapping = load_mapping(made.mapping, f"{name}.yaml", files=files.get)
    results = run_tests(mapping, made.tests, tests[0], files.get)
    return made.mapping, found, [one.problems for one in results]


def test_everything_in_a_plain_sample_is_found_and_its_tests_are_green() -> None:
    mapping, found, problems = drafted(GRADED)
    assert found == []
    assert problems == [(), (), ()]
    for line in (
        "match: { body.event_name: quiz_graded }",
        "event_id: ${ body.event_id }",
        "- email: ${ body.student.mail | lower }",
        "- acme_username: ${ body.student['user-name'] }",
        "- { path: body.student.mail, for_identity_only: true }",
        "- body.student.first_name",
        'verb: scored  # guessed of "graded"',
        "id: https://acme.example.com/quizzes/${ body.quiz.quiz_id }",
        "type: assessment",
        "name: ${ body.quiz.title }",
        "score: ${ score(number(body.attempt.grade), number(body.attempt.max_grade)) }",
        "success: ${ body.attempt.is_passed }",
        "duration: ${ minutes(body.attempt.time_minutes) }",
        'extensions: { progress: "${ round(body.attempt.percent_complete * 100) }" }',
        "id: https://acme.example.com/courses/${ body.course_id }",
        "timestamp: ${ from_seconds(body.created) }",
    ):
        assert line in mapping, line


def test_several_samples_become_several_rules_with_one_identity() -> None:
    joined = {
        "event_name": "meeting.joined",
        "id": "e-2",
        "participant": {"email": "x@example.edu"},
        "meeting": {"id": "https://meet.acme.com/m/1", "topic": "Office hours"},
        "joined_at": "2026-03-02 10:00:00",
    }
    mapping, found, problems = drafted(GRADED, joined, GRADED)
    assert found == []
    assert set(problems) == {()}
    assert mapping.count("- name: ") == 2
    assert "home_page: https://meet.acme.com\n" in mapping
    assert "timezone: UTC" in mapping
    assert "timestamp: ${ time(body.joined_at) }" in mapping
    assert "id: ${ body.meeting.id }" in mapping
    assert "- email: ${ (body.student.mail ?? body.participant.email) | lower }" in mapping
    assert "event_id: ${ body.event_id ?? body.id }" in mapping


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_batch_is_taken_apart(wrapped: bool) -> None:
    items = [{"type": "lesson.completed", "id": n, "user_id": n, "lesson": {"id": n}} for n in (1, 2)]
    mapping, found, problems = drafted({"sent": 1, "events": items} if wrapped else items)
    assert found == []
    assert set(problems) == {()}
    assert f"batch: {'body.events' if wrapped else 'body'}\n" in mapping
    assert "- acme_id: ${ item.user_id }" in mapping


def test_what_happened_beside_what_it_happened_to_is_matched_together() -> None:
    mapping, _, _ = drafted(
        {"resource": "enrollment", "action": "created", "user": {"id": 1}, "course": {"id": 2}}
    )
    assert "match: { body.resource: enrollment, body.action: created }" in mapping


def test_the_time_and_the_verb_are_those_of_what_happened() -> None:
    payload = {
        "type": "Enrollment.completed",
        "hook_event_id": 9,
        "id": 2,
        "created": "2026-03-02T09:00:00Z",
        "object": {
            "enrolled_at": "2026-01-02T09:00:00Z",
            "completed_at": "2026-03-02T08:59:58Z",
            "user": {"id": 5, "last_sign_in_ip": "192.0.2.1"},
            "course": {"code": "C-1", "name": "Sketching"},
        },
    }
    mapping, found, problems = drafted(payload, {**payload, "type": "Enrollment.created"})
    assert found == []
    assert set(problems) == {()}
    assert "event_id: ${ body.hook_event_id }" in mapping
    assert "courses/${ body.object.course.code }" in mapping
    assert "- body.object.user.last_sign_in_ip" in mapping
    completed, created = mapping.split("- name: enrollment-created")
    assert "timestamp: ${ body.object.completed_at }" in completed
    assert 'verb: registered  # guessed of "enrollment"' in created
    assert "timestamp: ${ body.object.enrolled_at }" in created


def test_nothing_is_made_up_where_a_sample_says_nothing() -> None:
    mapping, found, problems = drafted({"a": 1, "b": {"c": True}})
    assert problems == []
    assert [one.partition("error ")[2] for one in found] == [
        "E207  the statement has no actor",
        "E207  the statement has no verb",
        "E207  the statement has no object",
    ]
    assert "# verb: " in mapping
    made = draft("acme", [Sample("x.json", {"a": 1})])
    assert [one.partition(":")[0] for one in made.open] == [
        "source.home_page", "receive.verify", "receive.event_id", "match", "all-events", "all-events",
        "all-events", "all-events",
    ]  # fmt: skip


@pytest.mark.parametrize("payload", ["text", 5, [], [1, 2], {}])
def test_what_holds_no_object_is_refused(payload: Any) -> None:
    if payload == {}:
        assert draft("acme", [Sample("x.json", payload)]).mapping
        return
    with pytest.raises(ValueError, match=r"x\.json holds no JSON object, nor a list of them"):
        draft("acme", [Sample("x.json", payload)])


def test_hostile_keys_and_values_stay_text() -> None:
    payload = {
        "type": "course.completed",
        "id": "${ secret('X') }",
        "user": {"id": "a: b\n- c", "e-mail address": 1, "in": 2},
        "course": {"id": "#x", "title": "${ body.type }", "url": "https://acme.com\n#"},
        "a\nb": {"at": "2026-03-02T10:00:00Z"},
        "deep": {"x": {"y": {"z": {"u": {"v": {"w": {"k": 1}}}}}}},
    }
    mapping, found, problems = drafted(payload)
    assert found == []
    assert problems == [(), (), ()]
    assert "secret('X')" not in mapping


@pytest.mark.parametrize("preset", sorted(presets()))
def test_a_known_way_of_signing_is_taken_and_says_itself_what_is_missing(preset: str) -> None:
    mapping, found, problems = drafted(GRADED, preset=preset)
    assert f"- {preset}: {{ secret:" in mapping
    assert problems == [(), (), ()] or found, problems


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_of_every_sample_something_is_made_that_is_green_or_says_what_is_missing(path: Path) -> None:
    _, found, problems = drafted(json.loads(path.read_text("utf-8")), name=path.parent.name)
    assert {one.partition("error ")[2].partition(" no ")[0] for one in found} <= {"E207  the statement has"}
    assert set(problems) <= {()}
