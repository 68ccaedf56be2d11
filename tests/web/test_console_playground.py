from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from html import unescape
from pathlib import Path
from uuid import uuid4

from gateway.services import workbench
from gateway.services.people import Role
from tests.gateway import Gateway
from tests.vendors import (
    ACME,
    acme_item,
    all_mapped,
    mappings_folder,
    post_acme,
    post_zoom,
    vendor_secrets,
    zoom_sample,
)
from tests.web.console import Browser, person, words

__all__ = ["mappings_folder", "vendor_secrets"]

Serve = Callable[..., AbstractAsyncContextManager[Gateway]]
BAD = acme_item("2", at="<b>never</b>")
GIVEN = {"adapter": "acme", "payload": json.dumps({"items": [BAD]}), "headers": ""}
MENDED = ACME.replace("timestamp: ${ item.at }", 'timestamp: "2026-03-02T09:00:00Z"')


async def delivered(gateway: Gateway, visitor: Browser) -> str:
    await all_mapped(gateway.store)
    page = (await visitor.get("/deliveries")).body.decode()
    newest: str = re.findall(r'href="/admin/deliveries/([0-9a-f-]{36})"', page)[0]
    return newest


async def test_a_mapping_is_edited_tried_and_downloaded(
    serve: Serve, mappings_folder: Callable[..., Path]
) -> None:
    folder = mappings_folder()
    async with serve(hooks__mappings=str(folder)) as gateway:
        visitor = await person(gateway, Role.INTEGRATION_ENGINEER)
        await visitor.get("/playground", adapter="acme")
        assert "Event 2: failed" in words(await visitor.post("/playground", GIVEN))
        editing = (await visitor.post("/playground", GIVEN | {"do": "edit"})).body.decode()
        written = re.search(r'name="mapping"[^>]*>\n(.*?)</textarea>', editing, re.DOTALL)
        assert written is not None
        assert unescape(written[1]) == ACME
        tried = await visitor.post("/playground", GIVEN | {"mapping": MENDED.replace("\n", "\r\n")})
        assert "Event 2: adapted" in words(tried)
        assert b"<b>never" not in tried.body
        file = await visitor.post("/playground/mapping", GIVEN | {"mapping": MENDED.replace("\n", "\r\n")})
        assert file.headers["Content-Disposition"] == 'attachment; filename="acme.yaml"'
        assert file.body.decode() == MENDED
        assert (folder / "acme.yaml").read_text() == ACME
        assert (await visitor.post("/playground/mapping", GIVEN)).status == 400


async def test_what_is_wrong_with_a_text_stands_at_its_line(
    serve: Serve, mappings_folder: Callable[..., Path]
) -> None:
    async with serve(hooks__mappings=str(mappings_folder())) as gateway:
        visitor = await person(gateway)
        await visitor.get("/playground")
        hostile = ACME.replace("verb: completed", 'verb: "</textarea><script>alert(1)</script>"')
        reply = await visitor.post("/playground", GIVEN | {"mapping": hostile})
        assert reply.status == 400
        assert b"<script>alert" not in reply.body
        line = ACME[: ACME.index("verb: completed")].count("\n") + 1
        assert f"acme.yaml:{line}:" in words(reply)
        assert re.search(rf'id="acme.yaml-{line}".*\n.*class="lint error"', reply.body.decode())
        bombs = (
            "a: &a [x]\nb: &b [" + ", ".join(["*a"] * 2_000) + "]",
            "[" * 5_000,
            "!!python/object/apply:os.system [id]",
            "adapter: acme\x00",
            "x" * (workbench.MOST_TEXT + 1),
        )
        for bomb in bombs:
            assert (await visitor.post("/playground", GIVEN | {"mapping": bomb})).status == 400
        assert (await visitor.post("/playground", GIVEN | {"payload": "{"})).status == 400
        unknown = await visitor.post("/playground", GIVEN | {"adapter": "<i>", "mapping": MENDED})
        assert unknown.status == 404


async def test_a_text_that_is_tried_knows_nobody(serve: Serve, mappings_folder: Callable[..., Path]) -> None:
    asking = ACME.replace(
        "rules:", 'identity: { who: { by: [ { email: "${ item.who }" } ], unresolved: pseudonym } }\nrules:'
    ).replace('{ account: { homePage: https://acme.example, name: "${ item.who }" } }', "${ identity.who }")
    async with serve(hooks__mappings=str(mappings_folder(asking))) as gateway:
        entry = {
            "kind": "email",
            "value": "ana@uni.edu",
            "account": "S-123",
            "homePage": "https://id.uni.edu",
        }
        http = gateway.lrs.at(f"{gateway.url}/api/v1")
        assert (await http.post("/directory", body={"entries": [entry]})).status == 200
        visitor = await person(gateway)
        await visitor.get("/playground")
        given = GIVEN | {"payload": json.dumps({"items": [acme_item("1", who="ana@uni.edu")]})}
        assert "S-123" in words(await visitor.post("/playground", given))
        assert "S-123" not in words(await visitor.post("/playground", given | {"mapping": asking}))


async def test_a_stored_delivery_is_opened_without_what_is_hidden(
    serve: Serve, mappings_folder: Callable[..., Path]
) -> None:
    mappings_folder()
    async with serve(hooks__mappings=["shipped", str(mappings_folder())]) as gateway:
        visitor = await person(gateway, Role.INTEGRATION_ENGINEER)
        await post_zoom(gateway.http(), zoom_sample())
        delivery = await delivered(gateway, visitor)
        assert "Open it in the playground" in words(await visitor.get(f"/deliveries/{delivery}"))
        page = await visitor.get(f"/deliveries/{delivery}/playground")
        assert page.status == 200
        shown = unescape(page.body.decode())
        assert "<option selected>zoom" in shown
        assert '"event": "meeting.participant_joined"' in shown
        for hidden in ("Mira", "+43155501234", "192.0.2.17"):
            assert hidden in zoom_sample().decode()
            assert hidden not in shown
        for wrong in (str(uuid4()), "x"):
            assert (await visitor.get(f"/deliveries/{wrong}/playground")).status == 404
        await post_acme(gateway.http(), BAD)
        acme = await delivered(gateway, visitor)
        opened = unescape((await visitor.get(f"/deliveries/{acme}/playground")).body.decode())
        assert '"at": "<b>never</b>"' in opened
        rows = gateway.store.client[gateway.store.name]["people"]
        await rows.update_one({"login": "ada"}, {"$set": {"roles": ["analyst"]}})
        assert (await visitor.get(f"/deliveries/{acme}/playground")).status == 403


async def test_a_delivery_of_another_store_is_not_opened(
    serve: Serve, mappings_folder: Callable[..., Path]
) -> None:
    flags = {"stores__others": ["sandbox"], "hooks__stores": {"acme": "sandbox"}}
    async with serve(hooks__mappings=str(mappings_folder()), **flags) as gateway:
        visitor = await person(gateway)
        sent = (await post_acme(gateway.http(), acme_item("1"))).json()
        assert (await visitor.get(f"/deliveries/{sent['delivery']}/playground")).status == 404
        await visitor.get("/playground")
        for action in ("/playground/sample", "/playground/mapping"):
            assert (await visitor.post(action, GIVEN | {"mapping": ACME})).status == 404


async def test_a_payload_is_saved_as_a_test_sample(
    serve: Serve, mappings_folder: Callable[..., Path]
) -> None:
    async with serve(hooks__mappings=["shipped", str(mappings_folder())]) as gateway:
        visitor = await person(gateway, Role.INTEGRATION_ENGINEER)
        await visitor.get("/playground")
        given = {"adapter": "zoom", "payload": zoom_sample().decode(), "name": "joined-late"}
        file = await visitor.post("/playground/sample", given | {"file": "payload"})
        assert file.headers["Content-Disposition"] == 'attachment; filename="joined-late.json"'
        assert file.headers["X-Content-Type-Options"] == "nosniff"
        assert "Mira" not in file.body.decode()
        assert "person-" in file.json()["payload"]["object"]["participant"]["email"]
        case = await visitor.post("/playground/sample", given | {"file": "case"})
        assert "payload: samples/zoom/joined-late.json" in case.body.decode()
        assert re.search(r"expect:\n    rule: \w", case.body.decode())
        same = await visitor.post("/playground/sample", given | {"file": "payload", "as_it_is": "1"})
        assert same.json() == json.loads(zoom_sample())
        odd = await visitor.post("/playground/sample", given | {"name": '../"x'})
        assert odd.status == 400
        assert "expected words of small letters" in words(odd)
        assert "Content-Disposition" not in odd.headers
