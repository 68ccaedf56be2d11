from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapters import load_mapping
from adapters.receive.grammar import METHODS
from adapters.receive.presets import presets
from gateway.web.hooks import _REFUSALS
from tests.gateway import create_credential
from tests.test_docs_webhooks import run
from tests.vendors import post_zoom, vendor_secrets, zoom_sample

__all__ = ["vendor_secrets"]

PAGE = (Path(__file__).parent.parent / "docs" / "receiving.md").read_text()
BLOCKS = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
COMMANDS = re.findall(r"^```sh\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("block", BLOCKS)
def test_every_block_of_the_page_can_be_loaded(block: str) -> None:
    text = f"adapter: sample\n{block}rules:\n  - name: all\n    ignore: true\n"
    assert load_mapping(text, "sample.yaml").receiver is not None


def test_the_page_names_every_method_every_preset_and_every_refusal() -> None:
    assert {name for name in [*METHODS, *presets()] if f"`{name}`" not in PAGE} <= {"none"}
    table = re.findall(r"^\| `(\w+)` \| .* \| .* \| .* \|$", PAGE, re.MULTILINE)
    assert sorted(table) == sorted(presets())
    assert [status for status in _REFUSALS if str(status) not in PAGE] == []


@pytest.mark.usefixtures("vendor_secrets")
async def test_every_command_of_the_page_works(serve: Callable[..., Any], tmp_path: Path) -> None:
    async with serve() as gateway:
        await create_credential(gateway.store, "docs", "secret-of-the-docs", "hooks")
        assert (await post_zoom(gateway.http(), zoom_sample())).status == 200
        ready, mappings, hours = [
            json.loads(await asyncio.to_thread(run, command, tmp_path, gateway.url)) for command in COMMANDS
        ]
    assert (ready["silent"], ready["refusing"]) == ([], {})
    assert all("silence" in mapping for mapping in mappings["mappings"])
    (hour,) = hours["hours"]
    assert (hour["adapter"], hour["accepted"]) == ("zoom", 1)
