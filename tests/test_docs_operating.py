"""The commands of the pages about operating mappings are run in their order, on a gateway with deliveries."""

from __future__ import annotations

import asyncio
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from click.testing import CliRunner

from gateway.cli import main
from tests.gateway import settings_for
from tests.vendors import acme_item, all_mapped, mappings_folder, post_acme, vendor_secrets

__all__ = ["mappings_folder", "vendor_secrets"]

DOCS = Path(__file__).parent.parent / "docs" / "mappings"
OPERATING, IDENTITY = ((DOCS / name).read_text() for name in ("operating.md", "identity.md"))
COMMANDS = [
    line
    for page in (OPERATING, IDENTITY)
    for block in re.findall(r"^```sh\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    for line in block.splitlines()
    if "xapi-gateway" in line
]


def run(line: str, folder: Path, environment: dict[str, str]) -> str:
    piped, _, command = line.rpartition("| ")
    given = shlex.split(piped)[1].replace("\\n", "\n") if piped else None
    arguments = [str(folder / one) if one.endswith(".csv") else one for one in shlex.split(command)[1:]]
    done = CliRunner().invoke(main, arguments, input=given, env=environment)
    assert done.exit_code == 0, f"{line}\n{done.output}"
    return done.output


async def test_the_commands_of_both_pages_work(
    serve: Callable[..., Any], mappings_folder: Callable[..., Path], mongo_uri: str, tmp_path: Path
) -> None:
    folder = mappings_folder()
    (people,) = re.findall(r"<<'CSV'\n(.*?)^CSV$", IDENTITY, re.DOTALL | re.MULTILINE)
    (tmp_path / "people.csv").write_text(people)
    async with serve(hooks__mappings=str(folder)) as gateway:
        await post_acme(gateway.http(), acme_item("1"))
        await post_acme(gateway.http(), acme_item("2", type="new"))
        await all_mapped(gateway.store)
        environment = {
            "XAPI_GATEWAY__MONGO__URI": mongo_uri,
            "XAPI_GATEWAY__MONGO__DATABASE": gateway.settings.mongo.database,
            "XAPI_GATEWAY__HOOKS__MAPPINGS": str(folder),
        }
        shown = [await asyncio.to_thread(run, one, tmp_path, environment) for one in COMMANDS]
    assert "unmatched" in shown[0]
    assert shown[2] == "2 deliveries are mapped again\n  1 done\n  1 unmatched\n"
    assert "4 entries, 4 of them new; 0 deliveries released\n" in shown
    assert "1 entry, 1 of them new; 0 deliveries released\n" in shown
    assert len(COMMANDS) > 10


def test_the_folders_tenants_and_connections_of_the_page_can_be_configured() -> None:
    written: dict[str, Any] = {}
    for block in re.findall(r"^```yaml\n(.*?)^```", OPERATING, re.DOTALL | re.MULTILINE):
        written |= {f"hooks__{key}": value for key, value in yaml.safe_load(block)["hooks"].items()}
    settings = settings_for("docs", **written)
    assert settings.hooks.folders == (None, Path("/etc/xapi/mappings"))
    assert settings.hooks.vendors["credly"].base_url == "https://api.credly.com/v1"
    (tenant,) = settings.hooks.instances.values()
    assert tenant.secrets == {"ACME_SECRET": "ACME_MEDICINE_SECRET"}
