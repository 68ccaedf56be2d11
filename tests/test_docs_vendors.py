"""The settings of the page are settings, its requests are JSON, and mappings do what it says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

from adapters import Event
from adapters.loading.files import load_file
from adapters.mapping import NOBODY
from gateway.resources import mappings_dir
from gateway.services.mappings import Mappings
from tests.gateway import settings_for

PAGE = (Path(__file__).parent.parent / "docs" / "vendors.md").read_text()


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def test_the_connections_of_the_page_are_those_that_the_mappings_ask_and_their_secrets_are_named() -> None:
    connections: dict[str, Any] = {}
    for block in blocks("yaml"):
        connections |= yaml.safe_load(block)["hooks"]["connections"]
    settings = settings_for("docs", hooks__connections=connections)
    lines = re.findall(r"^export (.*)$", PAGE, re.MULTILINE)
    exported = set(re.findall(r"([A-Z_]+?)(?:_FILE)?=", " ".join(lines)))
    mappings = Mappings.of(settings)
    for name in ("teams", "classroom"):
        mapping = load_file(mappings_dir() / f"{name}.yaml")
        assert mapping.fetch_back is not None
        connection = mappings.connection(name, mapping.fetch_back.connection)
        assert connection is not None
        assert connection.grant is not None
        assert {*mapping.secrets, *connection.grant.names} <= exported
        assert f"https://gateway.example.edu/hooks/{name}" in PAGE


def test_the_requests_of_the_page_are_json_and_notices_of_the_lifecycle_end_as_it_says() -> None:
    assert [sorted(json.loads(block)) for block in blocks("json")] == [
        [
            "changeType",
            "clientState",
            "expirationDateTime",
            "lifecycleNotificationUrl",
            "notificationUrl",
            "resource",
        ],
        ["cloudPubsubTopic", "feed"],
        ["cloudPubsubTopic", "feed"],
    ]
    mapping = load_file(mappings_dir() / "teams.yaml")
    for name, state in re.findall(r"^\| `(\w+)` \|.*\| `(\w+)`, [^|]*\|$", PAGE, re.MULTILINE):
        notice = {"value": [{"lifecycleEvent": name}]}
        outcomes = [mapping.adapt(one, NOBODY) for one in mapping.events(notice) if isinstance(one, Event)]
        assert [type(one).__name__.lower() for one in outcomes] == [state.replace("ignored", "skipped")]
