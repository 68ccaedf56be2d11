"""The page about tools of one's own: every event is mapped, the program sends one to a gateway."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapters import Adapted, Event, Lookups
from adapters.loading.files import load_file
from gateway.store.delivery_records import State
from tests.adapters.support import NOW
from tests.vendors import all_mapped, states_of

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "mappings" / "generic.md").read_text("utf-8")
EVENTS = re.findall(r"^```json ([\w-]+)( data)?\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
(PROGRAM,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
LOOKUPS = Lookups(pseudonym_key=b"key of the page")
SECRET = "whsec_c2VjcmV0IG9mIHRoZSB0dXRvciBvZiB0aGUgcGFnZQ=="


def whole(mapping: str, part: str, written: str) -> dict[str, Any]:
    """An event of the page; where only its data is shown, in the frame of the mapping's whole event."""
    shown: dict[str, Any] = json.loads(written)
    if not part:
        return shown
    frame = next(json.loads(text) for name, data, text in EVENTS if name == mapping and not data)
    return {**frame, "id": shown["type"], **shown}


@pytest.mark.parametrize(
    ("mapping", "part", "written"),
    EVENTS,
    ids=[f"{name} {json.loads(text)['type']}" for name, _, text in EVENTS],
)
def test_every_event_of_the_page_is_mapped_without_its_free_text(
    mapping: str, part: str, written: str
) -> None:
    payload = whole(mapping, part, written)
    loaded = load_file(ROOT / "mappings" / f"{mapping}.yaml")
    (event,) = loaded.events(payload, (), (), NOW)
    assert isinstance(event, Event)
    outcome = loaded.adapt(event, LOOKUPS)
    assert isinstance(outcome, Adapted), outcome
    kept = json.dumps([outcome.statements, loaded.redact(payload)])
    for word in ("text", "comment", "reflection"):
        said = payload["data"].get(word)
        assert said is None or said not in kept
    verbs = {statement["verb"]["id"].rpartition("/")[2] for statement in outcome.statements}
    row = next(row for row in PAGE.splitlines() if row.startswith("|") and f"`{payload['type']}`" in row)
    promised = row.split("|")[2]
    words = {"receive": "received", "request": "requested", "accept": "accepted", "reject": "rejected"}
    assert all(words.get(verb, verb) in promised for verb in verbs), (verbs, promised)


def test_every_type_that_a_mapping_knows_is_on_the_page() -> None:
    for name in {mapping for mapping, _, _ in EVENTS}:
        for rule in load_file(ROOT / "mappings" / f"{name}.yaml").rules:
            for match in rule.matches:
                for wanted in match.exact if match.path == "item.type" else ():
                    assert f"`{wanted}`" in PAGE, (name, wanted)


async def test_the_program_of_the_page_sends_an_event_that_becomes_a_statement(
    serve: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AI_TUTOR_SECRET", SECRET)
    async with serve() as gateway:
        environment = {**os.environ, "GATEWAY": gateway.url, "AI_TUTOR_SECRET": SECRET}

        def run() -> str:
            done = subprocess.run(
                [sys.executable, "-c", PROGRAM],
                env=environment,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            return done.stdout

        assert "'duplicate': False" in await asyncio.to_thread(run)
        assert "'duplicate': True" in await asyncio.to_thread(run)
        await all_mapped(gateway.store)
        assert await states_of(gateway.store) == [State.DONE]
