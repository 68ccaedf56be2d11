from __future__ import annotations

import re
from typing import Any
from uuid import UUID, uuid4

from gateway.services.sentences import sentence
from tests.gateway import Gateway
from tests.web.console import Elements, person, words

COMPLETED = "http://adlnet.gov/expapi/verbs/completed"
VOIDED = "http://adlnet.gov/expapi/verbs/voided"


def statement(**changes: Any) -> dict[str, Any]:
    return {
        "id": str(uuid4()),
        "actor": {"name": "Ada Lovelace", "mbox": "mailto:ada@example.edu"},
        "verb": {"id": COMPLETED, "display": {"de": "beendete", "en-GB": "completed"}},
        "object": {
            "id": "https://lms.example.edu/courses/1",
            "definition": {"name": {"en": "Analytical Engines"}},
        },
        **changes,
    }


def said(**changes: Any) -> str:
    parts = sentence(statement(**changes))
    return f"{parts.who} {parts.did} {parts.what} ({parts.result})"


def test_a_statement_is_a_sentence_whatever_it_leaves_out() -> None:
    assert said() == "Ada Lovelace completed Analytical Engines ()"
    bare = {"id": "https://example.edu/verbs/looked-at/"}
    assert said(actor={"account": {"homePage": "https://a.example", "name": "u7"}}, verb=bare) == (
        "u7 looked at Analytical Engines ()"
    )
    assert said(actor={"mbox": "mailto:bo@example.edu"}, object={"id": "https://x.example/1"}) == (
        "bo@example.edu completed https://x.example/1 ()"
    )
    group = {"objectType": "Group", "member": [{"name": "A"}, {"name": "B"}, {"name": "C"}, {"name": "D"}]}
    assert said(actor=group).startswith("A and B and 2 more completed")
    assert "the statement 1-2" in said(object={"objectType": "StatementRef", "id": "1-2"})
    inner = statement(objectType="SubStatement")
    assert "“Ada Lovelace completed Analytical Engines”" in said(object=inner)
    result = {
        "score": {"scaled": 0.85, "raw": 17, "max": 20},
        "success": True,
        "completion": False,
        "duration": "PT5M",
    }
    assert said(result=result).endswith("(scored 17 of 20, succeeded, incomplete, took 5 min)")
    assert said(result={"score": {"scaled": 0.855}}).endswith("(scored 86 %)")
    assert len(said(actor={"name": "x" * 9000, "mbox": "mailto:a@b.c"})) < 300
    # What other systems stored long ago may be anything.
    hostile: tuple[Any, ...] = (
        None,
        1,
        [],
        "x",
        {},
        {"name": 7, "display": 3, "definition": 5, "member": []},
    )
    for broken in hostile:
        assert said(actor=broken, verb=broken, object=broken, result=broken)


async def test_statements_are_found_by_filters_that_the_address_holds(gateway: Gateway) -> None:
    registration = str(uuid4())
    bo = {"account": {"homePage": "https://id.example.edu", "name": "bo"}}
    sent = [
        statement(),
        statement(actor=bo, context={"registration": registration}),
        statement(verb={"id": "https://example.edu/verbs/waved"}, object={"id": "https://lms.example.edu/2"}),
    ]
    assert (await gateway.lrs.post("/statements", body=sent)).status == 200
    visitor = await person(gateway)

    async def found(**filters: str) -> list[str]:
        reply = await visitor.get("/statements", **filters)
        assert reply.status == 200, words(reply)
        return re.findall(r'href="/admin/statements/([0-9a-f-]{36})"', reply.body.decode())

    ids = [one["id"] for one in sent]
    assert await found() == ids[::-1]
    assert await found(agent="ada@example.edu") == [ids[2], ids[0]]
    assert await found(agent="https://id.example.edu bo") == [ids[1]]
    assert await found(agent='{"mbox": "mailto:ada@example.edu"}', verb="completed") == [ids[0]]
    assert await found(verb="https://example.edu/verbs/waved") == [ids[2]]
    assert await found(activity="https://lms.example.edu/2") == [ids[2]]
    assert await found(registration=registration) == [ids[1]]
    assert await found(since="2999-01-01T00:00") == []
    assert len(await found(since="2020-01-01", until="2999-01-01T10:00:00Z")) == 3
    shown = await visitor.get("/statements", verb="completed", agent="ada@example.edu")
    values = Elements(shown).values("value")
    assert "completed" in values
    assert "ada@example.edu" in values
    wrong = await visitor.get("/statements", registration="7", since="yesterday", activity="no iri")
    assert wrong.status == 400
    for name in ("registration", "since", "activity"):
        assert re.search(rf"\b{name}\b.*expected", words(wrong)), name
    assert (await visitor.get("/statements", cursor="made-up")).status == 400


async def test_further_pages_follow_one_another_whoever_writes_meanwhile(gateway: Gateway) -> None:
    sent = [statement() for _ in range(60)]
    assert (await gateway.lrs.post("/statements", body=sent)).status == 200
    visitor = await person(gateway)
    seen: list[str] = []
    reply = await visitor.get("/statements", verb="completed")
    while True:
        page = reply.body.decode()
        seen += re.findall(r'href="/admin/statements/([0-9a-f-]{36})"', page)
        older = re.search(r'href="/admin/statements\?([^"]+)" rel="next"', page)
        if older is None:
            break
        assert (await gateway.lrs.post("/statements", body=[statement()])).status == 200
        pairs = [pair.split("=", 1) for pair in older[1].replace("&amp;", "&").split("&")]
        reply = await visitor.get("/statements", **dict(pairs))
    assert seen == [one["id"] for one in reversed(sent)]
    cursor = dict(pairs)["cursor"]
    assert (await visitor.get("/statements", verb="passed", cursor=cursor)).status == 400


async def test_one_statement_is_shown_with_its_json_and_what_refers_to_it(gateway: Gateway) -> None:
    target = statement(result={"extensions": {"https://x.example/big": 123456789012345678901234567890}})
    comment = statement(object={"objectType": "StatementRef", "id": target["id"]})
    void = statement(
        verb={"id": VOIDED, "display": {"en": "voided"}},
        object={"objectType": "StatementRef", "id": target["id"]},
    )
    assert (await gateway.lrs.post("/statements", body=[target, comment])).status == 200
    visitor = await person(gateway)
    page = await visitor.get(f"/statements/{target['id']}")
    shown = words(page)
    assert "Ada Lovelace completed Analytical Engines" in shown
    assert "Credential tests" in shown
    assert '"https://x.example/big": 123456789012345678901234567890' in shown
    assert f"referred to by {comment['id']}" in shown
    assert "voided" not in shown
    assert (await gateway.lrs.post("/statements", body=[void])).status == 200
    shown = words(await visitor.get(f"/statements/{target['id']}"))
    assert "This statement was voided by another one" in shown
    assert f"voided by {void['id']}" in shown
    assert f"refers to {target['id']}" in words(await visitor.get(f"/statements/{void['id']}"))
    for missing in (str(UUID(int=0)), "nonsense", "%2e%2e"):
        assert (await visitor.get(f"/statements/{missing}")).status == 404


async def test_what_learners_wrote_runs_nowhere(gateway: Gateway) -> None:
    attack = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'{{7*7}}"
    hostile = statement(
        actor={"name": attack, "mbox": "mailto:ada@example.edu"},
        verb={"id": COMPLETED, "display": {"en": attack}},
        object={"id": "https://lms.example.edu/1", "definition": {"name": {"en": attack}}},
        result={"response": attack},
    )
    assert (await gateway.lrs.post("/statements", body=[hostile])).status == 200
    visitor = await person(gateway)
    for path in ("/statements", f"/statements/{hostile['id']}"):
        reply = await visitor.get(path)
        elements = Elements(reply)
        assert not elements.having("img")
        assert all("nonce" in attrs and "src" in attrs for attrs in elements.having("script"))
        assert not any(name.startswith("on") for _, attrs in elements.found for name in attrs)
        assert "{{7*7}}" in words(reply)
    for attempt in ({"agent": '"><script>x</script>'}, {"verb": attack}, {"said": attack}):
        reply = await visitor.get("/statements", **attempt)
        assert len(Elements(reply).having("script")) == 2
    policies = set()
    for _ in range(2):
        policy = (await visitor.get("/statements")).headers["Content-Security-Policy"]
        assert re.search(r"script-src 'nonce-[\w-]{20,}';", policy)
        assert "unsafe" not in policy
        assert "default-src 'none'" in policy
        policies.add(policy)
    assert len(policies) == 2
