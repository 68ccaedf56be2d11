from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from gateway.services.clock import utc_now
from gateway.store.credentials import Credential
from tests.gateway import KEY, Gateway, Http, basic
from tests.services.test_observing import observed, send, statement
from tests.vendors import ACME, acme_item, all_mapped, mappings_folder, post_acme, vendor_secrets

__all__ = ["mappings_folder", "vendor_secrets"]

Serve = Callable[..., AbstractAsyncContextManager[Gateway]]
MINE = f"/sources/credential:{KEY}"
RECORD = {
    "owner": "Office of Digital Learning",
    "vendor": "Tool Ltd",
    "purpose": "progress",
    "ground": "contract",
    "contract": {"reference": "C-17", "ends": "2031-06-30"},
    "dataClass": "personal",
    "contact": "privacy@tool.example",
    "retention": "two years",
    "declared": {"verbs": ["https://tool.example/v"], "types": [], "extensions": []},
}


def api(gateway: Gateway) -> Http:
    return gateway.lrs.at(f"{gateway.url}/api/v1")


async def test_a_record_is_written_read_and_held_against_what_comes(gateway: Gateway) -> None:
    http = api(gateway)
    before = (await http.get(MINE)).json()
    assert (before["number"], before["record"]["owner"]) == (0, None)
    assert before["gaps"] == ["owner", "purpose", "ground", "dataClass", "contact"]
    assert before["expected"] == {"verbs": None, "types": None, "extensions": None}
    after = await http.put(MINE, body=RECORD)
    assert after.status == 200, after.body
    assert after.json()["record"] == RECORD
    assert (after.json()["number"], after.json()["by"], after.json()["gaps"]) == (1, f"credential:{KEY}", [])
    verb = {"id": "https://tool.example/w", "display": {"en": "w"}}
    await send(gateway, statement(verb=verb), statement(verb={"id": "https://tool.example/v"}))
    await observed(gateway)
    seen = {one["value"]: one for one in (await http.get(MINE)).json()["observed"]}
    assert {value: one["undeclared"] for value, one in seen.items()} == {
        "https://tool.example/v": False,
        "https://tool.example/w": True,
    }
    [row] = [one for one in (await http.get("/sources")).json()["sources"] if one["kind"] == "credential"]
    assert (row["source"], row["undeclared"]) == (f"credential:{KEY}", 1)


async def test_what_is_undeclared_is_declared_or_should_stop(gateway: Gateway) -> None:
    http = api(gateway)
    await http.put(MINE, body=RECORD)
    wanted, unwanted = "https://tool.example/w", "https://tool.example/u"
    await send(gateway, statement(verb={"id": wanted}), statement(verb={"id": unwanted}))
    await observed(gateway)

    async def decide(value: str, decision: str) -> dict[str, Any]:
        body = {"kind": "verbs", "value": value, "decision": decision}
        reply = await http.post(f"{MINE}/decisions", body=body)
        assert reply.status == 200, reply.body
        shown: dict[str, Any] = reply.json()
        return shown

    declared = await decide(wanted, "declare")
    assert declared["record"]["declared"]["verbs"] == ["https://tool.example/v", wanted]
    assert declared["undeclared"] == 1
    stopped = await decide(unwanted, "stop")
    assert stopped["undeclared"] == 0
    [one] = [one for one in stopped["observed"] if one["value"] == unwanted]
    assert (one["undeclared"], one["by"]) == (True, f"credential:{KEY}")
    await send(gateway, statement(verb={"id": unwanted}))
    await observed(gateway)
    assert (await http.get(MINE)).json()["undeclared"] == 1


async def test_a_change_that_somebody_else_made_meanwhile_is_not_lost(gateway: Gateway) -> None:
    http = api(gateway)
    assert (await http.put(MINE, body={"owner": "a"}, headers={"If-Match": '"0"'})).status == 200
    late = await http.put(MINE, body={"owner": "b"}, headers={"If-Match": '"0"'})
    assert (late.status, late.error["code"]) == (412, "precondition_failed")
    assert (await http.get(MINE)).json()["owner"] == "a"
    assert (await http.put(MINE, body={"owner": "b"}, headers={"If-Match": "x"})).status == 400


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"ownr": "a"}, "ownr"),
        ({"owner": 3}, "owner"),
        ({"owner": "x" * 501}, "owner"),
        ({"owner": "\0"}, "owner"),
        ({"contract": "C-17"}, "contract"),
        ({"contract": {"ends": "soon"}}, "contract.ends"),
        ({"contract": {"ends": 20270101}}, "contract.ends"),
        ({"dataClass": "secret"}, "dataClass"),
        ({"dataClass": []}, "dataClass"),
        ({"declared": []}, "declared"),
        ({"declared": {"verb": []}}, "declared"),
        ({"declared": {"verbs": "https://a.example"}}, "declared.verbs"),
        ({"declared": {"verbs": ["https://a.example", "completed"]}}, "declared.verbs[1]"),
    ],
)
async def test_what_cannot_be_stored_is_told(gateway: Gateway, body: Any, path: str) -> None:
    reply = await api(gateway).put(MINE, body=body)
    assert (reply.status, reply.error["code"]) == (400, "invalid")
    assert [problem["path"] for problem in reply.error["problems"]] == [path]
    assert (await api(gateway).get(MINE)).json()["number"] == 0


async def test_decisions_about_what_never_came_or_makes_no_sense_are_refused(gateway: Gateway) -> None:
    path = f"{MINE}/decisions"
    never = {"kind": "verbs", "value": "https://a.example/never", "decision": "declare"}
    assert (await api(gateway).post(path, body=never)).status == 404
    for wrong in ({"kind": "verb"}, {"decision": "burn"}, {"value": 1}):
        reply = await api(gateway).post(path, body=never | wrong)
        assert (reply.status, list(wrong)) == (400, [one["path"] for one in reply.error["problems"]])


async def test_a_mapping_says_itself_what_it_makes(
    serve: Serve, mappings_folder: Callable[..., Path]
) -> None:
    async with serve(hooks__mappings=str(mappings_folder())) as gateway:
        http = api(gateway)
        await post_acme(gateway.http(), acme_item("1"))
        await all_mapped(gateway.store)
        assert await observed(gateway, "adapter:acme")
        shown = (await http.get("/sources/adapter:acme")).json()
        assert shown["expected"] == {
            "verbs": ["http://adlnet.gov/expapi/verbs/completed"],
            "types": ["http://adlnet.gov/expapi/activities/course"],
            "extensions": [],
        }
        assert {(one["kind"], one["undeclared"]) for one in shown["observed"]} == {
            ("verbs", False),
            ("types", False),
        }
        assert shown["undeclared"] == 0


async def test_what_an_earlier_mapping_made_is_not_undeclared_because_it_changed(
    serve: Serve, mappings_folder: Callable[..., Path]
) -> None:
    folder = mappings_folder()
    async with serve(hooks__mappings=str(folder)) as gateway:
        await post_acme(gateway.http(), acme_item("1"))
        await all_mapped(gateway.store)
    (folder / "acme.yaml").write_text(ACME.replace("verb: completed", "verb: passed"))
    async with serve(hooks__mappings=str(folder)) as gateway:
        await observed(gateway, "adapter:acme")
        shown = (await api(gateway).get("/sources/adapter:acme")).json()
        assert shown["expected"]["verbs"] == ["http://adlnet.gov/expapi/verbs/passed"]
        assert ("http://adlnet.gov/expapi/verbs/completed", False) in [
            (one["value"], one["undeclared"]) for one in shown["observed"]
        ]
        assert shown["undeclared"] == 0


async def test_sources_of_other_stores_are_not_there(
    serve: Serve, mappings_folder: Callable[..., Path]
) -> None:
    flags = {"stores__others": ["sandbox"], "hooks__stores": {"acme": "sandbox"}}
    async with serve(hooks__mappings=str(mappings_folder()), **flags) as gateway:
        other = Credential(key="other", name="Other", store="sandbox", scopes=("admin",), created=utc_now())
        await gateway.store.credentials.create(other, "s")
        http = api(gateway)
        theirs = http.with_headers({"Authorization": basic("other", "s")})
        assert (await theirs.get("/sources/adapter:acme")).status == 200
        for path in ("/sources/adapter:acme", "/sources/credential:other"):
            assert (await http.get(path)).status == 404
            assert (await http.put(path, body={"owner": "me"})).status == 404
        assert (await theirs.get(MINE)).status == 404
        assert (await theirs.get("/sources/credential:other")).json()["owner"] is None
        assert {one["source"] for one in (await theirs.get("/sources")).json()["sources"]} == {
            "adapter:acme",
            "credential:other",
        }


async def test_only_administrators_see_and_change_sources(gateway: Gateway) -> None:
    weak = (await gateway.client("weak", "hooks", "all/read")).at(f"{gateway.url}/api/v1")
    for path in ("/sources", MINE):
        assert (await weak.get(path)).status == 403
    assert (await weak.put(MINE, body={})).status == 403
    assert (await weak.post(f"{MINE}/decisions", body={})).status == 403
