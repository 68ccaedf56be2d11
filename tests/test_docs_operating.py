"""The commands of the pages about operating mappings are run in their order, on a gateway with deliveries."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from tests.gateway import settings_for
from tests.vendors import acme_item, mappings_folder, post_acme, vendor_secrets

__all__ = ["mappings_folder", "vendor_secrets"]

DOCS = Path(__file__).parent.parent / "docs" / "mappings"
OPERATING, IDENTITY = ((DOCS / name).read_text() for name in ("operating.md", "identity.md"))


def commands(page: str) -> str:
    return "\n".join(re.findall(r"^```sh\n(.*?)^```", page, re.DOTALL | re.MULTILINE))


def run(script: str, folder: Path, **environment: str) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env={**os.environ, "PATH": path, **environment},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


async def test_the_commands_of_both_pages_work(
    serve: Callable[..., Any], mappings_folder: Callable[..., Path], mongo_uri: str, tmp_path: Path
) -> None:
    folder = mappings_folder()
    async with serve(hooks__mappings=str(folder)) as gateway:
        await post_acme(gateway.http(), acme_item("1"))
        await post_acme(gateway.http(), acme_item("2", type="new"))
        while any(state == "received" for _, state in await gateway.store.deliveries.counts()):
            await asyncio.sleep(0.01)
        environment = {
            "XAPI_GATEWAY__MONGO__URI": mongo_uri,
            "XAPI_GATEWAY__MONGO__DATABASE": gateway.store.name,
            "XAPI_GATEWAY__HOOKS__MAPPINGS": str(folder),
        }
        script = commands(OPERATING) + commands(IDENTITY)
        shown = await asyncio.to_thread(run, script, tmp_path, **environment)
    assert "unmatched" in shown
    assert "2 deliveries are mapped again\n  1 done\n  1 unmatched" in shown
    assert "4 entries, 4 of them new; 0 deliveries released" in shown
    assert "1 entries, 1 of them new" in shown


def test_the_tenants_of_the_page_can_be_configured(tmp_path: Path) -> None:
    (written,) = re.findall(r"^```yaml\n(.*?)^```", OPERATING, re.DOTALL | re.MULTILINE)
    settings = settings_for("docs", hooks__adapters=yaml.safe_load(written)["hooks"]["adapters"])
    (tenant,) = settings.hooks.instances.values()
    assert tenant.secrets == {"ACME_SECRET": "ACME_MEDICINE_SECRET"}
