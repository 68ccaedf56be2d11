from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import resources
from gateway.settings import SettingsError, load, schema
from tests.settings.files import Write, problems_of


def test_all_problems_of_a_file_are_located(write: Write) -> None:
    path = write(
        "bad.yaml",
        """\
servr: {}
port: 1
server:
  prot: 80
  port: abc
  workers: 2.0
  base_path: "/x\\n"
  trusted_proxies: [10.0.0.1/8, "::1", 3]
  public_url: http://a/b
  shutdown_grace: 2h
  port: 9
bootstrap:
  key: 12
log: [1]
metrics: {enabled: yes}
xapi:
  max_body: 1MB
  page_size: true
stores: {others: [a, a]}
hooks: {stores: {zoom: A}}
cors: {allow_origins: ["*", x]}
group_commit: {max_statements: 0, zzzzz: 1}
""",
    )
    assert problems_of(path) == [
        "bad.yaml:1:1: unknown option servr; did you mean server?",
        "bad.yaml:2:1: unknown option port; did you mean server.port?",
        "bad.yaml:4:3: unknown option server.prot; did you mean server.port?",
        "bad.yaml:5:9: server.port: expected an integer from 0 to 65535, got 'abc'",
        "bad.yaml:6:12: server.workers: expected an integer from 1 to 64, got 2.0",
        "bad.yaml:7:14: server.base_path: expected an empty text or a path such as /lrs, got '/x\\n'",
        "bad.yaml:8:21: server.trusted_proxies[0]: expected an IP address or network such as 10.0.0.0/8, "
        "got '10.0.0.1/8'",
        "bad.yaml:8:40: server.trusted_proxies[2]: expected an IP address or network such as 10.0.0.0/8, "
        "got 3",
        "bad.yaml:9:15: server.public_url: expected an origin such as https://lrs.example.org, or null, "
        "got 'http://a/b'",
        "bad.yaml:10:19: server.shutdown_grace: expected a duration from 0s to 1h, got '2h'",
        "bad.yaml:11:3: key 'port' is already set in line 5",
        "bad.yaml:13:8: bootstrap.key: expected a text of up to 128 characters without colons and "
        "control characters, or null, got 12",
        "bad.yaml:14:6: log: expected a mapping of options, or null, got a list",
        "bad.yaml:15:20: metrics.enabled: expected true or false, got 'yes'",
        "bad.yaml:17:13: xapi.max_body: expected a size from 1KiB to 4GiB, got '1MB'",
        "bad.yaml:18:14: xapi.page_size: expected an integer from 1 to 10000, got true",
        "bad.yaml:19:18: stores.others: expected a list without repeats, each a store name of up to 20 "
        'lower-case letters, digits, - and _, got ["a", "a"]',
        "bad.yaml:20:24: hooks.stores.zoom: expected a store name of up to 20 lower-case letters, "
        "digits, - and _, got 'A'",
        'bad.yaml:21:29: cors.allow_origins[1]: expected an origin such as https://example.org, or "*", '
        "got 'x'",
        "bad.yaml:22:32: group_commit.max_statements: expected an integer from 1 to 100000, got 0",
        "bad.yaml:22:35: unknown option group_commit.zzzzz",
    ]


def test_all_sources_are_reported_together(write: Write) -> None:
    path = write("bad.yaml", "server: {port: -1}")
    environment = {
        "XAPI_GATEWAY__": "",
        "XAPI_GATEWAY__HOOKS__STORES": "{a: [}",
        "XAPI_GATEWAY__LOG__LEVEL": "loud",
        "XAPI_GATEWAY__PORT": "1",
        "XAPI_GATEWAY__SERVER__HOST": "\udc80",
        "XAPI_GATEWAY__SERVER__PORT_FILE": "/x",
        "XAPI_GATEWAY__SERVER__PROT": "1",
        "XAPI_GATEWAY__SERVER__WORKERS": "",
        "XAPI_GATEWAY__ZZZZZZ__PORT": "1",
    }
    assert problems_of(path, environment, {"server.port": "x", "server.prt": 1}) == [
        "bad.yaml:1:16: server.port: expected an integer from 0 to 65535, got -1",
        "XAPI_GATEWAY__: unknown option XAPI_GATEWAY__",
        "XAPI_GATEWAY__HOOKS__STORES: hooks.stores: "
        "while parsing a flow node: expected the node content, but found '}'",
        "XAPI_GATEWAY__LOG__LEVEL: log.level: expected one of debug, info, warning, error, got 'loud'",
        "XAPI_GATEWAY__PORT: unknown option XAPI_GATEWAY__PORT; did you mean XAPI_GATEWAY__SERVER__PORT?",
        "XAPI_GATEWAY__SERVER__HOST: server.host: expected a host name or an IP address, got '\\udc80'",
        "XAPI_GATEWAY__SERVER__PORT_FILE: unknown option XAPI_GATEWAY__SERVER__PORT_FILE; "
        "did you mean XAPI_GATEWAY__SERVER__PORT?",
        "XAPI_GATEWAY__SERVER__PROT: unknown option XAPI_GATEWAY__SERVER__PROT; "
        "did you mean XAPI_GATEWAY__SERVER__PORT?",
        "XAPI_GATEWAY__SERVER__WORKERS: server.workers: expected an integer from 1 to 64, got null",
        "XAPI_GATEWAY__ZZZZZZ__PORT: unknown option XAPI_GATEWAY__ZZZZZZ__PORT",
        "--port: server.port: expected an integer from 0 to 65535, got 'x'",
        "server.prt: unknown option server.prt; did you mean server.port?",
    ]


def test_a_file_that_cannot_be_read_is_named(write: Write) -> None:
    write("bad.yaml", "server: [1\nport: 2")
    assert problems_of(Path("none.yaml")) == ["none.yaml: cannot be read: No such file or directory"]
    assert problems_of(Path("bad.yaml")) == [
        "bad.yaml:2:5: while parsing a flow sequence: expected ',' or ']', but got ':'"
    ]
    assert problems_of(write("text.yaml", "server")) == [
        "text.yaml:1:1: expected a mapping of options, or null, got a text"
    ]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (
            "server: {port: 81, content_port: 81}",
            "1:16: server.port, server.content_port: expected different ports, got 81 for both",
        ),
        (
            "server: {public_url: 'http://a', content_url: 'http://a'}",
            "1:22: server.public_url, server.content_url: expected different origins, "
            "got 'http://a' for both",
        ),
        (
            "stores: {others: [main]}",
            "1:18: stores.others, stores.default: expected every store once, got 'main' in both",
        ),
        (
            "stores: {others: [b]}\nhooks: {stores: {zoom: c}}",
            "2:17: hooks.stores: expected one of main, b for 'zoom', got 'c'",
        ),
        (
            "cmi5: {session_lifetime: 90m}",
            "1:26: cmi5.idle_timeout, cmi5.session_lifetime: expected the first to be at most the second, "
            "got 4h and 90m",
        ),
    ],
)
def test_options_that_contradict_each_other_are_refused(write: Write, content: str, problem: str) -> None:
    assert problems_of(write("bad.yaml", content)) == [f"bad.yaml:{problem}"]


def test_a_contradiction_is_reported_at_the_option_that_was_set_last(write: Write) -> None:
    path = write("gateway.yaml", "server: {port: 9001}")
    message = "server.port, server.content_port: expected different ports, got 9001 for both"
    assert problems_of(path, {"XAPI_GATEWAY__SERVER__CONTENT_PORT": "9001"}) == [
        f"XAPI_GATEWAY__SERVER__CONTENT_PORT: {message}"
    ]


def test_both_ports_may_be_chosen_by_the_system() -> None:
    server = load(None, {}, {"server.port": 0, "server.content_port": 0}).server
    assert (server.port, server.content_port) == (0, 0)


def test_a_shipped_file_without_an_option_is_a_problem(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = resources.config_file().read_text(encoding="utf-8")
    path = write("shipped.yaml", shipped.replace("  workers: 1\n", ""))
    monkeypatch.setattr("gateway.settings.layers.config_file", lambda: path)
    assert problems_of() == ["shipped.yaml: server.workers: missing; this file must set every option"]


@given(st.binary() | st.text().map(str.encode))
def test_any_file_is_settings_or_problems(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(content)
    places = outcome(path, {})
    assert all(place.startswith(str(path)) for place in places)


@given(
    st.sampled_from(list(schema.options().values())),
    st.text()
    | st.sampled_from(["[{a: 1}]", "{file: x}", "~nobody/x", "1", "5h", "1MiB", "::", "mongodb://@"]),
)
def test_any_variable_is_settings_or_problems(option: schema.Option, text: str) -> None:
    places = outcome(None, {option.variable: text})
    assert set(places) <= {option.variable}


def outcome(path: Path | None, environment: Mapping[str, str]) -> list[str]:
    try:
        load(path, environment, {})
    except SettingsError as error:
        return [problem.place for problem in error.problems]
    return []
