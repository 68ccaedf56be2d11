from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.gateway import KEY, create_credential
from tests.vendors import ZOOM_SECRET, all_mapped, vendor_secrets

__all__ = ["vendor_secrets"]

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "webhooks.md").read_text()
COMMANDS = re.findall(r"^```sh\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def run(command: str, folder: Path, gateway: str) -> str:
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "ZOOM_SECRET_TOKEN": ZOOM_SECRET,
        "GATEWAY": gateway,
        "KEY": "docs",
        "SECRET": "secret-of-the-docs",
    }
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.mark.usefixtures("vendor_secrets")
async def test_every_command_of_the_page_works_in_its_order(
    serve: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "mappings").symlink_to(ROOT / "mappings")
    async with serve() as gateway:
        assert KEY != "docs"
        await create_credential(gateway.store, "docs", "secret-of-the-docs", "hooks", "statements/read")
        outputs: list[str] = []
        for command in COMMANDS:
            outputs.append(await asyncio.to_thread(run, command, tmp_path, gateway.url))
            await all_mapped(gateway.store)
    ready, handshake, first, second, became, explained, replayed = outputs
    assert '"adapter":"zoom","ready":true' in ready
    assert "encryptedToken" in handshake
    assert '"duplicate":false' in first
    assert '"duplicate":true' in second
    assert '"state":"done"' in became
    assert "http://activitystrea.ms/join" in became
    assert "http://activitystrea.ms/leave" in explained
    assert '"different":[]' in replayed
    assert '"replayed":0,' in replayed
