from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from structlog.testing import capture_logs

from gateway.resources import mappings_dir
from gateway.services.mappings import Mappings

TWO = """\
adapter: two
receive:
  verify:
    - token: { query: key, secret: ["${ secret('NEW') }", "${ secret('OLD') }"] }
rules: [ { name: all, ignore: true } ]
"""


def reported(folder: Path, secrets: Callable[[str], str | None]) -> list[tuple[str, str]]:
    mappings = Mappings(folder, secrets)
    mappings.load()
    with capture_logs() as logs:
        mappings.report()
    return [(one["event"], one.get("adapter") or one["adapters"]) for one in logs]


def test_shipped_adapters_that_nobody_set_up_share_one_line_and_fetch_nothing() -> None:
    secrets = {"ZOOM_SECRET_TOKEN": "s"}
    lines = reported(mappings_dir(), secrets.get)
    waiting = [names for event, names in lines if event == "adapters not set up"]
    assert len(waiting) == 1
    assert {"canvas", "moodle", "typeform"} <= set(waiting[0].split(", "))
    assert ("adapter ready", "zoom") in lines
    assert [name for event, name in lines if event == "adapter not ready"] == []
    mappings = Mappings(mappings_dir(), secrets.get)
    mappings.load()
    assert mappings.key_urls() == set()


def test_an_adapter_that_somebody_set_up_by_half_has_a_line_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "two.yaml").write_text(TWO)
    (tmp_path / "bad.yaml").write_text("adapter: [")
    assert reported(tmp_path, {"NEW": "s"}.get) == [
        ("adapter not ready", "bad"),
        ("adapter not ready", "two"),
    ]
    assert reported(tmp_path, lambda _: None) == [
        ("adapters not set up", "two"),
        ("adapter not ready", "bad"),
    ]
