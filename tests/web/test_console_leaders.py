from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from gateway.services.people import Role
from tests.gateway import Gateway
from tests.vendors import acme_item, mappings_folder, post_acme, vendor_secrets
from tests.web.au import LEARNER, imported
from tests.web.console import person, words
from tests.web.test_console_home import settled

__all__ = ["mappings_folder", "vendor_secrets"]

Serve = Callable[..., AbstractAsyncContextManager[Gateway]]


async def test_five_answers_are_given_from_live_data_with_gaps_named(
    serve: Serve, mappings_folder: Callable[..., Path]
) -> None:
    async with serve(hooks__mappings=str(mappings_folder())) as gateway:
        visitor = await person(gateway, Role.ANALYST)
        empty = words(await visitor.get("/leaders"))
        assert "It holds 0 statements; the last one was stored never" in empty
        assert "Gap: it runs on the embedded database" in empty
        assert "Gap: nothing has flowed into it yet" in empty
        assert "Set up, but nothing has come yet: acme" in empty
        assert empty.count("could be switched on:") == 3
        statement = {
            "actor": LEARNER,
            "verb": {"id": "http://adlnet.gov/expapi/verbs/completed"},
            "object": {"id": "https://lms.example.edu/courses/1"},
        }
        assert (await gateway.lrs.post("/statements", body=[statement] * 2)).status == 200
        assert (await post_acme(gateway.http(), acme_item("1"), acme_item("2", at="?"))).status == 200
        await settled(gateway, 1)
        await imported(gateway)
        full = words(await visitor.get("/leaders"))
        assert re.search(r"Credential tests xAPI .{15,30} UTC 2 ", full)
        assert re.search(r"acme webhooks .{15,30} UTC 1 ", full)
        assert "1 course was imported" in full
        assert "Gap: no owner named for 2 of 2 sources: acme, Credential tests." in full
        assert "Gap: 1 may do everything: Credential tests." in full
        assert full.count(": in use.") == 3
        assert "They deliver: acme." in full
        assert "1 delivery of acme could not be mapped" in full
