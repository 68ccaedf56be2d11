from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

from gateway.web import catapult
from tests.gateway import Gateway, create_credential
from tests.test_docs_cmi5 import KEY, SECRET, run

PAGE = (Path(__file__).parent.parent / "docs" / "catapult.md").read_text()


async def test_a_tenant_and_its_token_are_had_as_the_page_says(gateway: Gateway, tmp_path: Path) -> None:
    await create_credential(gateway.store, KEY, SECRET, "cmi5", "statements/read")
    script = "\n".join(re.findall(r"^```sh\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE))
    output = await asyncio.to_thread(run, script, tmp_path, gateway.url)
    assert json.loads(output) == {"tenantId": 1, "description": "catapult-player-service"}


def test_every_call_of_the_player_is_in_the_table() -> None:
    """And nothing is there that is not."""
    covered = PAGE.partition("## What is covered")[2].partition("## What differs")[0]
    described: set[tuple[str, str]] = set()
    for cells in re.findall(r"^\| (`[^|]*) \|", covered, re.MULTILINE):
        path = ""
        methods: list[str] = []
        for call in reversed(re.findall(r"`([^`]*)`", cells)):
            method, _, own = call.partition(" ")
            path = own or path
            methods.append(method)
            described.add((method, re.sub(r"{\w+}", "{}", path)))
    routes = {
        (route.method, re.sub(r"{\w+}", "{}", route.resource.canonical.removeprefix("/api/v1")))
        for route in catapult.subapp().router.routes()
        if route.resource is not None and route.method != "HEAD"
    }
    assert described == routes
