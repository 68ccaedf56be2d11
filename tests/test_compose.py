from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.settings import load

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def compose() -> Any:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())


def test_the_gateway_starts_after_a_healthy_replica_set(compose: Any) -> None:
    gateway, mongo = compose["services"]["gateway"], compose["services"]["mongo"]
    assert gateway["depends_on"] == {"mongo": {"condition": "service_healthy"}}
    assert "rs.initiate" in mongo["healthcheck"]["test"][1]
    assert "isWritablePrimary" in mongo["healthcheck"]["test"][1]
    assert "--replSet rs0" in mongo["entrypoint"][2]
    assert "replicaSet=rs0" in gateway["environment"]["XAPI_GATEWAY__MONGO__URI"]
    assert mongo["image"] == "mongo:8.0"


def test_the_database_is_not_reachable_from_outside(compose: Any) -> None:
    assert "ports" not in compose["services"]["mongo"]
    assert "--keyFile" in compose["services"]["mongo"]["entrypoint"][2]


def test_secrets_come_from_the_environment_and_are_required() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    required = set(re.findall(r"\$\{(\w+):\?", text))
    assert required == {"MONGO_PASSWORD", "MONGO_REPLICA_KEY", "GATEWAY_SECRET"}
    assert set(re.findall(r"(?<!\$)\$\{(\w+)", text)) == required


def test_the_gateway_understands_the_environment_it_is_given(compose: Any) -> None:
    environment = {
        name: re.sub(r"\$\{.*?\}", "secret", str(value))
        for name, value in compose["services"]["gateway"]["environment"].items()
    }
    settings = load(None, environment, {})
    assert settings.server.host == "0.0.0.0"
    assert settings.server.workers == 2
    assert settings.bootstrap.key == "admin"


def test_the_image_runs_as_nobody_in_particular_and_on_a_read_only_root(compose: Any) -> None:
    gateway = compose["services"]["gateway"]
    assert gateway["read_only"] is True
    assert gateway["cap_drop"] == ["ALL"]
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert re.search(r"^USER 10001$", dockerfile, re.M)
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile, re.M)
    for names in copied:
        for name in names.split():
            assert (ROOT / name).exists(), name


def test_published_ports_are_the_ones_that_are_listened_on(compose: Any) -> None:
    settings = load(None, {}, {})
    published = {int(port.split(":")[1]) for port in compose["services"]["gateway"]["ports"]}
    assert published == {settings.server.port, settings.server.content_port}
