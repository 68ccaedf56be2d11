from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from gateway.services.people import Role
from tests.gateway import Gateway
from tests.vendors import ACME, acme_item, mappings_folder, post_acme, vendor_secrets
from tests.web.console import Browser, person, words
from tests.web.test_console_home import settled

__all__ = ["mappings_folder", "vendor_secrets"]

Serve = Callable[..., AbstractAsyncContextManager[Gateway]]


async def listed(visitor: Browser, **filters: str) -> list[str]:
    page = (await visitor.get("/deliveries", **filters)).body.decode()
    return re.findall(r'href="/admin/deliveries/([0-9a-f-]{36})"', page)


async def test_a_failed_delivery_is_found_understood_mended_and_replayed(
    serve: Serve, mappings_folder: Callable[..., Path]
) -> None:
    folder = mappings_folder()
    async with serve(hooks__mappings=str(folder)) as gateway:
        visitor = await person(gateway, Role.INTEGRATION_ENGINEER)
        assert "hand out the address" in words(await visitor.get("/deliveries"))
        good, bad = acme_item("1"), acme_item("2", at="<b>never</b>")
        for item in (good, bad):
            assert (await post_acme(gateway.http(), item)).status == 200
        await settled(gateway, 2)
        assert len(await listed(visitor)) == 2
        [failed] = await listed(visitor, state="failed", adapter="acme")
        assert await listed(visitor, state="failed", since="2999-01-01T00:00") == []
        page = await visitor.get(f"/deliveries/{failed}")
        shown = words(page)
        assert "failed" in shown
        assert re.search(r"acme\.yaml:\d+:\d+", shown)
        assert "<b>never</b>" in shown
        assert b"<b>never" not in page.body
        assert "content-type application/json" in shown.lower()
        assert re.search(r"Verified by .*hmac", shown)
        trace = words(await visitor.get(f"/deliveries/{failed}/trace"))
        assert "completed applies" in trace
        assert "item.score" in trace

        (folder / "acme.yaml").write_text(
            ACME.replace("timestamp: ${ item.at }", 'timestamp: "2026-03-02T09:00:00Z"')
        )
    async with serve(hooks__mappings=str(folder)) as gateway:
        visitor = await person(gateway, Role.ADMINISTRATOR, login="bo")
        await visitor.get("/deliveries")
        dry = await visitor.post("/deliveries/rehearse", {"id": [failed]})
        assert "failed becomes done ; 1 new" in words(dry)
        assert "0 statements" not in words(dry)
        assert await listed(visitor, state="failed") == [failed]
        done = await visitor.post("/deliveries/replay", {"id": [failed]})
        assert "are being mapped again" in words(await visitor.follow(done))
        while await listed(visitor, state="received") or await listed(visitor, state="failed"):
            pass
        assert len(await listed(visitor, state="done")) == 2
        whole = (await visitor.get(f"/deliveries/{failed}")).body.decode()
        made = re.search(r'href="/admin/statements/([0-9a-f-]{36})"', whole)
        assert made is not None
        shown = words(await visitor.get(f"/statements/{made[1]}"))
        assert re.search(r"Adapter acme Mapping revision \w+ Delivery " + failed, shown)
        assert "Rule completed , of the event 2" in shown


async def test_choosing_nothing_or_nonsense_is_told(gateway: Gateway) -> None:
    visitor = await person(gateway)
    await visitor.get("/deliveries")
    for path in ("/deliveries/rehearse", "/deliveries/replay"):
        nothing = await visitor.post(path)
        assert nothing.status == 400
        assert "tick those that are to be mapped again" in words(nothing)
        assert (await visitor.post(path, {"id": "7"})).status == 400
    for wrong in ({"state": "lost"}, {"since": "yesterday"}, {"cursor": "made up"}):
        assert (await visitor.get("/deliveries", **wrong)).status == 400


async def test_a_payload_is_tried_on_the_playground_and_nothing_is_stored(
    serve: Serve, mappings_folder: Callable[..., Path]
) -> None:
    async with serve(hooks__mappings=str(mappings_folder())) as gateway:
        visitor = await person(gateway, Role.INTEGRATION_ENGINEER)
        assert "Nothing is stored" in words(await visitor.get("/playground", adapter="acme"))
        items = [acme_item("1", who="<i>ana</i>"), acme_item("2", at="?"), acme_item("3", type="new")]
        fields = {"adapter": "acme", "payload": json.dumps({"items": items}), "headers": "X-A: 1\n\nX-B:2"}
        tried = await visitor.post("/playground", fields)
        shown = words(tried)
        assert tried.status == 200
        assert "Event 1: adapted" in shown
        assert "completed applies" in shown
        assert "<i>ana</i>" in shown
        assert b"<i>ana" not in tried.body
        assert "Event 2: failed" in shown
        assert re.search(r"acme\.yaml:\d+:\d+", shown)
        assert "Event 3: unmatched" in shown
        assert "X-A: 1" in shown
        for wrong, status, told in (
            ({"payload": "{"}, 400, "JSON"),
            ({"payload": '{"a": 1, "a": 2}'}, 400, "a"),
            ({"headers": "no header"}, 400, "expected Name: value"),
            ({"adapter": "nobody"}, 404, "there is no adapter"),
        ):
            refused = await visitor.post("/playground", fields | wrong)
            assert refused.status == status
            assert told in words(refused)
        assert (await visitor.post("/playground", fields | {"payload": "7"})).status < 500
        assert await listed(visitor) == []
        assert await gateway.store.statements.count() == 0
