from __future__ import annotations

import dataclasses
import json
import pickle
from ipaddress import ip_network
from pathlib import Path
from typing import get_type_hints

import pytest
from jsonschema import Draft202012Validator

from gateway import resources
from gateway.settings import Origin, Secret, Settings, load, schema
from tests.settings.files import Write


def test_the_shipped_file_alone_is_valid_and_complete() -> None:
    settings = load(None, {}, {})
    assert list(settings.origins) == list(schema.options())
    assert {origin.kind for origin in settings.origins.values()} == {"default"}


def test_sizes_are_bytes_and_durations_are_seconds() -> None:
    settings = load(None, {}, {})
    assert settings.limits.max_body == 1_048_576
    assert settings.server.shutdown_grace == 20.0
    assert settings.hooks.watch == 2.0
    assert settings.data.dir == Path("data")


def test_the_types_have_exactly_the_options_of_the_schema() -> None:
    fields = {
        f"{section}.{field.name}"
        for section, type_ in get_type_hints(Settings).items()
        if dataclasses.is_dataclass(type_)
        for field in dataclasses.fields(type_)
    }
    assert fields == set(schema.options())


def test_the_schema_is_a_json_schema() -> None:
    document = json.loads(resources.settings_schema_file().read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(document)


def test_the_shipped_file_can_be_given_as_the_file() -> None:
    settings = load(resources.config_file(), {}, {})
    assert {origin.kind for origin in settings.origins.values()} == {"file"}


def test_later_sources_win_option_by_option(write: Write) -> None:
    path = write("gateway.yaml", "server:\n  port: 1001\n  workers: 2\n  host: file\n")
    environment = {"XAPI_GATEWAY__SERVER__PORT": "1002", "XAPI_GATEWAY__SERVER__WORKERS": "3"}
    settings = load(path, environment, {"server.port": 1003, "server.workers": None})
    server = settings.server
    assert (server.port, server.workers, server.host, server.content_port) == (1003, 3, "file", 8081)


def test_every_value_knows_where_it_came_from(write: Write) -> None:
    path = write("gateway.yaml", "server:\n  workers: 2\n")
    settings = load(path, {"XAPI_GATEWAY__LOG__LEVEL": "debug"}, {"server.port": 1003, "log.format": "json"})
    assert settings.origins["server.workers"] == Origin(kind="file", place="gateway.yaml:2:12")
    assert settings.origins["log.level"] == Origin(kind="environment", place="XAPI_GATEWAY__LOG__LEVEL")
    assert settings.origins["server.port"] == Origin(kind="flag", place="--port")
    assert settings.origins["log.format"] == Origin(kind="flag", place="log.format")
    assert settings.origins["server.host"].kind == "default"


def test_values_are_kept_as_they_were_written(write: Write) -> None:
    path = write("gateway.yaml", "xapi: {max_body: 1.5MiB}\nhooks: {stores: {zoom: main}}\n")
    written = load(path, {}, {"data.dir": Path("/srv")}).written
    assert (written["xapi.max_body"], written["server.shutdown_grace"]) == ("1.5MiB", "20s")
    assert (written["hooks.stores"], written["data.dir"]) == ({"zoom": "main"}, "/srv")


def test_variables_hold_texts_or_yaml_by_the_type_of_the_option() -> None:
    settings = load(
        None,
        {
            "XAPI_GATEWAY__BOOTSTRAP__KEY": "0123",
            "XAPI_GATEWAY__BOOTSTRAP__SECRET": "{yes: #1}",
            "XAPI_GATEWAY__SERVER__TRUSTED_PROXIES": '[10.0.0.0/8, "::1"]',
            "XAPI_GATEWAY__METRICS__ENABLED": "false",
            "XAPI_GATEWAY__HOOKS__STORES": "{zoom: main}",
            "XAPI_GATEWAY__HOOKS__MAPPINGS": "[shipped, /etc/xapi/mappings]",
            "XAPI_GATEWAY__SERVER__PUBLIC_URL": "https://[::1]:8443",
            "UNRELATED__VARIABLE": "x",
        },
        {},
    )
    assert settings.bootstrap.key == "0123"
    assert settings.bootstrap.secret == Secret("{yes: #1}")
    assert settings.server.trusted_proxies == (ip_network("10.0.0.0/8"), ip_network("::1"))
    assert settings.metrics.enabled is False
    assert settings.hooks.stores == {"zoom": "main"}
    assert settings.hooks.folders == (None, Path("/etc/xapi/mappings"))
    assert settings.server.public_url == "https://[::1]:8443"


@pytest.mark.parametrize("text", ["", "null"])
def test_an_empty_variable_is_null_where_null_is_allowed(write: Write, text: str) -> None:
    path = write("gateway.yaml", "bootstrap: {key: k, secret: s}\nserver: {base_path: /x}\n")
    environment = {"XAPI_GATEWAY__BOOTSTRAP__KEY": text, "XAPI_GATEWAY__BOOTSTRAP__SECRET": text}
    settings = load(path, {**environment, "XAPI_GATEWAY__SERVER__BASE_PATH": ""}, {})
    assert (settings.bootstrap.key, settings.bootstrap.secret, settings.server.base_path) == (
        None,
        None,
        "",
    )


@pytest.mark.parametrize("content", ["", "# nothing", "server:\n", "null", "{}"])
def test_a_file_may_leave_everything_out(write: Write, content: str) -> None:
    assert load(write("gateway.yaml", content), {}, {}) == load(None, {}, {})


def test_stores_are_databases_of_their_own(write: Write) -> None:
    path = write("gateway.yaml", "mongo: {database: lrs}\nstores: {default: a, others: [b, c]}\n")
    settings = load(path, {}, {})
    assert settings.stores.names == ("a", "b", "c")
    assert settings.databases == {"a": "lrs", "b": "lrs_b", "c": "lrs_c"}


def test_settings_can_be_sent_to_another_process() -> None:
    settings = load(None, {"XAPI_GATEWAY__BOOTSTRAP__SECRET": "s"}, {})
    copy = pickle.loads(pickle.dumps(settings))
    assert copy == settings
    assert copy.origins == settings.origins
