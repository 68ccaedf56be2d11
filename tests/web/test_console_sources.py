from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from html import unescape
from pathlib import Path
from urllib.parse import quote

import pytest

from gateway.services.clock import utc_now
from gateway.services.people import Role
from gateway.store.credentials import Credential
from tests.gateway import KEY, Gateway
from tests.services.test_observing import observed, send, statement
from tests.vendors import (
    ACME,
    ACME_SECRET,
    ZOOM_SECRET,
    acme_item,
    all_mapped,
    mappings_folder,
    post_acme,
    vendor_secrets,
)
from tests.web.console import person, words
from tests.web.test_audit import entries

__all__ = ["mappings_folder", "vendor_secrets"]

Serve = Callable[..., AbstractAsyncContextManager[Gateway]]
MINE = f"/sources/credential%3A{KEY}"
HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>'
FILLED = {
    "number": "0",
    "owner": HOSTILE,
    "vendor": HOSTILE,
    "purpose": "progress",
    "ground": "consent",
    "contact": "javascript:alert(1)",
    "contract": "C-17",
    "ends": "2020-01-31",
    "data_class": "personal",
    "retention": "two years",
    "verbs": "http://adlnet.gov/expapi/verbs/completed\n https://tool.example/v",
}


async def test_what_is_known_is_written_shown_and_asked_for_where_it_is_missing(gateway: Gateway) -> None:
    visitor = await person(gateway)
    assert "Gap: nobody wrote down owner, purpose, legal ground, kind of data, contact" in words(
        await visitor.get(MINE)
    )
    assert "no owner named for 1 source: Credential tests" in words(await visitor.get("/"))
    saved = await visitor.follow(await visitor.post(MINE, FILLED))
    shown = words(saved)
    assert "Saved." in shown
    assert "Gap" not in shown
    assert "Contract ends 2020-01-31 ended" in shown
    assert re.search(r"Written .* by person:ada", shown)
    home = words(await visitor.get("/"))
    assert "no owner named" not in home
    assert "the contract of Credential tests ended on 2020-01-31" in home
    leaders = words(await visitor.get("/leaders"))
    assert "Every source has an owner." in leaders
    assert "Every source has a legal ground." in leaders
    for path in (MINE, "/sources", f"{MINE}/sheet", "/", "/leaders"):
        reply = await visitor.get(path)
        assert b"<script>alert" not in reply.body
        assert b"<img" not in reply.body
        assert b'href="javascript' not in reply.body
    assert HOSTILE in unescape((await visitor.get(MINE)).body.decode())


async def test_wrong_fields_are_told_and_keep_what_was_typed(gateway: Gateway) -> None:
    visitor = await person(gateway)
    await visitor.get(MINE)
    reply = await visitor.post(MINE, FILLED | {"ends": "31.1.2027", "verbs": "completed"})
    assert reply.status == 400
    shown = words(reply)
    assert 'contract.ends holds "31.1.2027"; expected a day such as 2027-06-30' in shown
    assert 'declared.verbs[0] holds "completed"; expected an IRI' in shown
    assert 'value="C-17"' in reply.body.decode()
    assert (await visitor.post(MINE, {"number": "x"})).status == 400
    late = await visitor.post(MINE, FILLED | {"number": "7"})
    assert late.status == 412
    assert "changed the record of credential:tests meanwhile" in words(late)
    assert await gateway.store.sources.get(f"credential:{KEY}") is None


async def test_undeclared_data_is_flagged_and_decided_about(gateway: Gateway) -> None:
    visitor = await person(gateway, Role.INTEGRATION_ENGINEER)
    await visitor.get(MINE)
    await send(gateway, statement())
    await observed(gateway)
    assert "Nobody said what it may send" in words(await visitor.get(MINE))
    begun = await visitor.follow(await visitor.post(f"{MINE}/declare-seen"))
    assert "All that came was declared" in words(begun)
    mood, ip = "https://tool.example/ext/mood", f"https://tool.example/ext/{quote(HOSTILE)}"
    await send(gateway, statement(result={"extensions": {mood: "low", ip: "10.0.0.1"}}))
    await observed(gateway)
    page = await visitor.get(MINE)
    assert words(page).count("key of an extension https://tool.example/ext/") == 2
    assert b"<script>alert" not in page.body
    assert b"10.0.0.1" not in page.body
    home = words(await visitor.get("/"))
    assert "Credential tests sends 2 things nobody declared" in home
    assert "undeclared 2" in words(await visitor.get("/sources"))
    assert "1 sends what nobody declared: Credential tests" in words(await visitor.get("/leaders"))
    decided = {"kind": "extensions", "value": mood, "decision": "declare"}
    await visitor.post(f"{MINE}/decide", decided)
    done = await visitor.follow(
        await visitor.post(f"{MINE}/decide", decided | {"value": ip, "decision": "stop"})
    )
    assert re.search(r"stopped should stop since .* said person:ada", words(done))
    assert "nobody declared" not in words(await visitor.get("/"))
    await send(gateway, statement(result={"extensions": {ip: "10.0.0.2"}}))
    await observed(gateway)
    assert "still comes" in words(await visitor.get(MINE))
    assert "Credential tests sends 1 thing that nobody declared" in words(await visitor.get("/"))
    for wrong in ({"kind": "x"}, {"decision": "x"}, {"value": "never"}):
        assert (await visitor.post(f"{MINE}/decide", decided | wrong)).status in (400, 404)


async def test_changes_leave_an_entry_that_says_what_was_before(gateway: Gateway) -> None:
    visitor = await person(gateway)
    await visitor.get(MINE)
    await visitor.post(MINE, {"number": "0", "owner": "Registrar"})
    await visitor.post(MINE, {"number": "1", "owner": "Dean"})
    await visitor.post(MINE, {"number": "1", "owner": "Nobody"})
    found = [one for one in await entries(gateway) if one["action"].startswith("sources.")]
    assert [(one["kind"], one["actor"], one["objects"]) for one in found] == [
        ("person", "ada", {"source": f"credential:{KEY}"})
    ] * 2
    assert found[0]["detail"] == {"before": {"owner": "Registrar"}, "after": {"owner": "Dean"}}


async def test_who_may_only_see_sources_finds_no_form(gateway: Gateway) -> None:
    auditor = await person(gateway, Role.AUDITOR)
    page = await auditor.get(MINE)
    assert page.status == 200
    assert b"<form" not in page.body.split(b"<main")[1]
    for path in (MINE, f"{MINE}/decide", f"{MINE}/declare-seen"):
        assert (await auditor.post(path, FILLED)).status == 403


async def test_nobody_reaches_sources_of_another_store(
    serve: Serve, mappings_folder: Callable[..., Path]
) -> None:
    flags = {"stores__others": ["sandbox"], "hooks__stores": {"acme": "sandbox"}}
    async with serve(hooks__mappings=str(mappings_folder()), **flags) as gateway:
        other = Credential(key="other", name="Other", store="sandbox", scopes=("all",), created=utc_now())
        await gateway.store.credentials.create(other, "s")
        visitor = await person(gateway)
        assert "acme" not in words(await visitor.get("/sources"))
        for name in ("adapter%3Aacme", "credential%3Aother", "adapter%3A", "x", "credential%3A%00"):
            assert (await visitor.get(f"/sources/{name}")).status == 404
            assert (await visitor.get(f"/sources/{name}/sheet")).status == 404
            for action in ("", "/decide", "/declare-seen"):
                assert (await visitor.post(f"/sources/{name}{action}", FILLED)).status == 404


async def test_a_vendor_is_handed_a_sheet_without_any_secret(
    serve: Serve, mappings_folder: Callable[..., Path]
) -> None:
    mappings_folder("[]", name="zoom.yaml")
    async with serve(
        hooks__mappings=["shipped", str(mappings_folder())], server__public_url="https://lrs.example.edu"
    ) as gateway:
        visitor = await person(gateway)
        await post_acme(gateway.http(), acme_item("1"))
        await all_mapped(gateway.store)
        reply = await visitor.get("/sources/adapter%3Aacme/sheet")
        shown = words(reply)
        assert "Address https://lrs.example.edu/hooks/acme" in shown
        assert "HMAC with SHA256 and a shared secret" in shown
        assert "the header x-acme-signature, in hex" in shown
        assert "the gateway knows it as ACME_SECRET" in shown
        assert "Largest body 65,536 bytes" in shown
        assert "curl -X POST https://lrs.example.edu/hooks/acme" in shown
        assert "with growing pauses for at least a day" in shown
        for secret in (ACME_SECRET, ZOOM_SECRET):
            assert secret not in reply.body.decode()
        mine = words(await visitor.get(f"{MINE}/sheet"))
        assert "Endpoint https://lrs.example.edu/xapi" in mine
        assert "Scopes all" in mine
        assert f"curl -u {KEY} " in mine


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("canvas", ["JSON Web Token"]),
        ("github", ["x-hub-signature-256", "sha256="]),
        ("moodle", ["shared secret"]),
        ("linkedin-learning", ["/oauth2/token", "client credentials"]),
        ("teams", ["answered with"]),
    ],
)
async def test_every_way_to_prove_a_request_has_its_sheet(
    gateway: Gateway, name: str, facts: list[str]
) -> None:
    visitor = await person(gateway)
    reply = await visitor.get(f"/sources/adapter%3A{name}/sheet")
    assert reply.status == 200, reply.body
    for fact in facts:
        assert fact in words(reply)


async def test_an_adapter_that_is_gone_is_still_a_source(
    serve: Serve, mappings_folder: Callable[..., Path]
) -> None:
    folder = mappings_folder()
    async with serve(hooks__mappings=str(folder)) as gateway:
        await post_acme(gateway.http(), acme_item("1"))
        await all_mapped(gateway.store)
        await observed(gateway)
    (folder / "acme.yaml").unlink()
    mappings_folder(ACME.replace("adapter: acme", "adapter: other"), name="other.yaml")
    async with serve(hooks__mappings=str(folder)) as gateway:
        visitor = await person(gateway)
        assert "acme" in words(await visitor.get("/sources"))
        page = words(await visitor.get("/sources/adapter%3Aacme"))
        assert "It is not here any more" in page
        assert (await visitor.get("/sources/adapter%3Aacme/sheet")).status == 404
