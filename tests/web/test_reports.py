from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from gateway.services.people import Role
from tests.gateway import Gateway
from tests.waiting import until
from tests.web.console import Elements, person, words

ADL = "http://adlnet.gov/expapi/verbs/"
COURSE = {"definition": {"type": "http://adlnet.gov/expapi/activities/course", "name": {"en": "Geology"}}}
SPAN = {"from": "2026-01", "to": "2026-02"}


def did(who: int, verb: str, course: str, day: str = "2026-01-10", **result: Any) -> dict[str, Any]:
    """Somebody did something in a course."""
    statement = {
        "actor": {"mbox": f"mailto:p{who}@example.edu"},
        "verb": {"id": f"{ADL}{verb}"},
        "object": {"id": f"https://lms.example.edu/{course}", **COURSE},
        "timestamp": f"{day}T12:00:00Z",
    }
    return statement | ({"result": result} if result else {})


async def stored(gateway: Gateway, statements: list[dict[str, Any]]) -> list[str]:
    """Store statements and wait until they are counted."""
    before = await gateway.store.reports.counted()
    number = (before.number if before else 0) + len(statements)
    reply = await gateway.lrs.post("/statements", body=statements)
    assert reply.status == 200, reply.body

    async def counted() -> bool:
        place = await gateway.store.reports.counted()
        return place is not None and place.number >= number

    await until(counted)
    ids: list[str] = reply.json()
    return ids


async def report(gateway: Gateway, **given: str) -> dict[str, Any]:
    api = gateway.lrs.at(f"{gateway.url}/api/v1/reports")
    reply = await api.get("/activity", SPAN | given)
    assert reply.status == 200, reply.body
    found: dict[str, Any] = reply.json()
    return found


def groups(table: dict[str, Any]) -> dict[str, tuple[int, int]]:
    return {
        one["key"].rpartition("/")[2]: (one["statements"], one["learners"])
        for one in table["groups"]
        if one["statements"]
    }


async def test_an_institution_without_statements_is_told_what_to_do(gateway: Gateway) -> None:
    visitor = await person(gateway)
    assert "Nothing happened in these months." in words(await visitor.get("/reports"))
    assert "Take a filter away" in words(await visitor.get("/reports", source="adapter zoom"))
    assert (await report(gateway))["total"] == {"statements": 0, "learners": 0}


async def test_activity_and_results_are_counted_and_shown(gateway: Gateway) -> None:
    many = [did(who, "completed", "geo", success=True, score={"scaled": 0.5}) for who in range(12)]
    many += [did(who, "passed", "geo", "2026-01-11", score={"scaled": 0.9}) for who in range(12)]
    many += [did(who, "experienced", "bio", "2026-02-03") for who in range(20)]
    [first, *_] = await stored(gateway, many)
    found = await report(gateway)
    assert found["total"] == {"statements": 44, "learners": 20}
    assert groups(found["time"]) == {"2026-01-10": (12, 12), "2026-01-11": (12, 12), "2026-02-03": (20, 20)}
    assert len(found["time"]["groups"]) == 59
    assert groups(found["courses"]) == {"geo": (24, 12), "bio": (20, 20)}
    assert groups(found["verbs"]) == {"completed": (12, 12), "passed": (12, 12), "experienced": (20, 20)}
    assert groups(found["sources"]) == {"credential tests": (44, 20)}
    assert found["results"] == [
        {
            "course": "https://lms.example.edu/geo",
            "name": "Geology",
            "completed": 12,
            "passed": 12,
            "failed": 0,
            "scored": 24,
            "meanScore": 0.7,
        }
    ]
    assert groups(found["scores"]) == {"5": (12, 12), "9": (12, 12)}

    visitor = await person(gateway, Role.ANALYST)
    page = await visitor.get("/reports", **SPAN)
    shown = words(page)
    assert "Statements 44 2026-01 to 2026-02 Learners 20 counted exactly" in shown
    assert "Geology 12 12 0 24 0.70" in shown
    # Every chart says what it is, and is told by a table as well.
    elements = Elements(page)
    charts = elements.having("svg")
    assert len(charts) == 5
    ids = set(elements.values("id"))
    assert all(set(str(chart["aria-labelledby"]).split()) <= ids for chart in charts)

    table = await visitor.get("/reports/activity.csv", **SPAN)
    assert table.headers["Content-Disposition"] == 'attachment; filename="activity-2026-01-2026-02.csv"'
    rows = list(csv.reader(io.StringIO(table.body.decode())))
    assert rows[1] == ["total", "", "", "44", "20", ""]
    assert ["course", "https://lms.example.edu/geo", "Geology", "24", "12", ""] in rows

    # Voided ones do not count any more.
    void = did(1, "voided", "x") | {"object": {"objectType": "StatementRef", "id": first}}
    await stored(gateway, [void])
    assert groups((await report(gateway))["verbs"])["passed"] == (12, 12)
    assert (await report(gateway))["courses"]["together"]["statements"] in (13, 12, 24, 44)
    assert (await report(gateway))["total"]["statements"] == 44


async def test_few_learners_are_told_nowhere_and_cannot_be_calculated(gateway: Gateway) -> None:
    many = [did(who, "experienced", "large") for who in range(40)]
    many += [did(who, "experienced", "middle") for who in range(20)]
    many += [did(who, "failed", "small") for who in range(3)]
    many += [did(who, "experienced", "large", "2026-02-01") for who in range(4)]
    await stored(gateway, many)
    found = await report(gateway)
    # Of February nothing, of the small course nothing, and nothing that with the total would give it away.
    assert found["leftOut"] == ["2026-02"]
    assert found["total"]["statements"] == 63
    assert groups(found["courses"]) == {"large": (40, 40)}
    assert found["courses"]["together"] == {"statements": 23, "learners": 20}
    assert found["verbs"]["groups"] == []
    assert found["results"] == []
    # A filter does not show what the whole hides.
    for course in ("middle", "small"):
        alone = await report(gateway, course=f"https://lms.example.edu/{course}")
        assert alone["total"]["statements"] == 0
        assert alone["leftOut"] == ["2026-01"]
    # Nor does another choice of months.
    assert (await report(gateway, to="2026-01"))["total"]["statements"] == 63
    assert (await report(gateway, **{"from": "2026-02"}))["total"]["statements"] == 0
    page = words(await (await person(gateway)).get("/reports", **SPAN))
    assert "Left out, because fewer than 10 learners would be told about: 2026-02." in page


async def test_a_course_tells_of_failures_only_if_there_are_enough(gateway: Gateway) -> None:
    many = [did(who, "completed", "geo") for who in range(30)]
    many += [did(who, "passed", "geo", score={"scaled": 1}) for who in range(28)]
    many += [did(who, "failed", "geo", score={"scaled": 0}) for who in range(2)]
    await stored(gateway, many)
    [result] = (await report(gateway))["results"]
    assert result["completed"] == 30
    assert [result[kind] for kind in ("passed", "failed", "scored", "meanScore")] == [None] * 4


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"from": "2026-13"}, 'from holds "2026-13"; expected a month such as 2026-01'),
        ({"from": "2026-03", "to": "2026-01"}, 'from holds "2026-03", which is after 2026-01'),
        ({"from": "1900-01", "to": "2026-01"}, "at most 120 months"),
        ({"from": "0000-01"}, "expected a month such as 2026-01"),
        ({"course": "x" * 2001}, "course is longer than 2000 characters"),
    ],
)
async def test_what_is_wrong_with_a_question_is_said(
    gateway: Gateway, given: dict[str, str], problem: str
) -> None:
    api = gateway.lrs.at(f"{gateway.url}/api/v1/reports")
    reply = await api.get("/activity", given)
    assert reply.status == 400
    assert problem in reply.error["message"]
    page = await (await person(gateway)).get("/reports", **given)
    assert page.status == 400
    assert problem in words(page)


async def test_who_reads_only_some_statements_gets_no_counts_of_all(gateway: Gateway) -> None:
    for scope, status in (("statements/read", 403), ("all/read", 200), ("admin", 200), ("hooks", 403)):
        client = await gateway.client(f"of {scope.replace('/', ' ')}", scope)
        reply = await client.at(f"{gateway.url}/api/v1/reports").get("/activity")
        assert reply.status == status, scope


async def test_what_learners_and_publishers_write_is_shown_as_text(gateway: Gateway) -> None:
    hostile = '=<script>alert(1)</script>"'
    many = [did(who, "experienced", "x") for who in range(12)]
    for one in many:
        one["object"]["definition"] = COURSE["definition"] | {"name": {"en": hostile}}
    await stored(gateway, many)
    visitor = await person(gateway)
    page = await visitor.get("/reports", **SPAN)
    assert b"<script>alert" not in page.body
    assert hostile in words(page)
    table = await visitor.get("/reports/activity.csv", **SPAN)
    assert f"'{hostile}" in [row[2] for row in csv.reader(io.StringIO(table.body.decode()))]
