from __future__ import annotations

import re
import shlex
from itertools import pairwise
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from gateway.cli import main
from gateway.services import metrics
from gateway.services.access import REMEMBER_FOR
from gateway.settings import Settings, load, schema
from gateway.store.connection import ADVISED, OLDEST
from gateway.store.delivery_records import State

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "production.md").read_text()
DEFAULTS = load(None, {}, {})
# What a supervisor waits for a worker beyond its own grace.
_MARGIN = 5
_SECRETS = ("mongo-uri", "admin-secret", "metrics-token", "zoom-secret")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def yaml_block(first_line: str) -> str:
    (found,) = (block for block in blocks("yaml") if block.startswith(f"# {first_line}\n"))
    return found


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    """A folder with the secret files that the page names."""
    for name in _SECRETS:
        (tmp_path / name).write_text(f"secret-{name}\n")
    (tmp_path / "mongo-uri").write_text("mongodb://user:secret@db.example.org/?replicaSet=rs0\n")
    return tmp_path


def settings_of(text: str, secrets: Path) -> Settings:
    file = secrets / "gateway.yaml"
    file.write_text(text.replace("/etc/xapi-gateway", str(secrets)))
    return load(file, {}, {})


def commands(group: click.Group) -> dict[str, Any]:
    context = click.Context(group)
    found = {name: group.get_command(context, name) for name in group.list_commands(context)}
    return {
        name: commands(command) if isinstance(command, click.Group) else command
        for name, command in found.items()
    }


# -- settings ----------------------------------------------------------------------------------------------


def test_the_settings_of_the_page_are_settings(secrets: Path) -> None:
    settings = settings_of(yaml_block("/etc/xapi-gateway/gateway.yaml"), secrets)
    assert settings.server.public_url == "https://lrs.example.org"
    assert settings.server.content_url != settings.server.public_url
    assert settings.mongo.uri is not None
    assert settings.bootstrap.secret is not None
    assert settings.bootstrap.secret.reveal() == "secret-admin-secret"
    assert settings.metrics.token is not None


def test_the_settings_for_an_identity_provider_are_settings(secrets: Path) -> None:
    (secrets / "oidc-secret").write_text("secret-oidc\n")
    oidc = settings_of(yaml_block("sign-in"), secrets).oidc
    assert oidc.issuer is not None
    assert oidc.client_secret is not None
    assert oidc.client_secret.reveal() == "secret-oidc"
    assert "`https://lrs.example.org/admin/sign-in/return`" in PAGE
    assert "`sign-in by identity provider failed`" in PAGE


def test_the_settings_for_a_path_are_settings(secrets: Path) -> None:
    (block,) = (block for block in blocks("yaml") if "base_path" in block)
    server = settings_of(block, secrets).server
    (location,) = (block for block in blocks("nginx") if "server {" not in block)
    assert location.startswith(f"location {server.base_path}/ {{")
    assert f"`{server.public_url}{server.base_path}/…`" in PAGE


def test_every_option_that_the_page_names_exists() -> None:
    options = set(schema.options())
    sections = {name.partition(".")[0] for name in options}
    named = {
        name for name in re.findall(r"`([a-z_0-9]+\.[a-z_]+)`", PAGE) if name.partition(".")[0] in sections
    }
    assert named <= options
    assert len(named) > 12


@pytest.mark.parametrize(
    ("sentence", "value"),
    [
        ("`cmi5.max_package`, 512 MiB", DEFAULTS.cmi5.max_package == 512 << 20),
        ("`xapi.max_body`, 64 MiB", DEFAULTS.xapi.max_body == 64 << 20),
        ("`hooks.max_body`, 5 MiB", DEFAULTS.hooks.max_body == 5 << 20),
        ("`limits.idle_timeout`, 75 s", DEFAULTS.limits.idle_timeout == 75),
        ("in every process within five seconds", REMEMBER_FOR == 5),
        ("MongoDB 8.0 or later (6.0 is the oldest", (ADVISED, OLDEST) == ((8, 0), (6, 0))),
    ],
)
def test_a_number_of_the_page_is_that_of_the_gateway(sentence: str, value: bool) -> None:
    assert sentence in " ".join(PAGE.split())
    assert value


def test_every_command_and_file_that_the_page_names_exists() -> None:
    known = commands(main)
    named = re.findall(r"`xapi-gateway ([a-z][^`]*)`", " ".join(PAGE.split()))
    assert len(named) > 3
    for text in named:
        at: Any = known
        for word in text.split():
            if not isinstance(at, dict):
                break
            assert word in at, text
            at = at[word]
    for link in re.findall(r"\]\(([^)#]+)\)", PAGE):
        assert (ROOT / "docs" / link).is_file(), link
    for name in re.findall(r"`((?:Dockerfile|CHANGELOG\.md|docker-compose\.yml|constraints\.txt))`", PAGE):
        assert (ROOT / name).is_file(), name


# -- systemd -----------------------------------------------------------------------------------------------


def unit() -> dict[str, dict[str, list[str]]]:
    """The unit's sections; a key may be there several times."""
    found: dict[str, dict[str, list[str]]] = {}
    for line in blocks("ini")[0].splitlines():
        if line.startswith("["):
            section = found.setdefault(line.strip("[]"), {})
        elif line and not line.startswith("#"):
            assert re.fullmatch(r"[A-Za-z]+=.+", line), line
            key, _, value = line.partition("=")
            section.setdefault(key, []).append(value)
    return found


def test_the_unit_starts_a_command_that_there_is() -> None:
    assert set(unit()) == {"Unit", "Service", "Install"}
    (start,) = unit()["Service"]["ExecStart"]
    program, command, *arguments = shlex.split(start)
    assert program.endswith("/bin/xapi-gateway")
    unit_command = main.get_command(click.Context(main), command)
    assert unit_command is not None
    context = unit_command.make_context(command, arguments)
    assert str(context.params["config_path"]) == "/etc/xapi-gateway/gateway.yaml"


def test_the_environment_of_the_unit_is_understood(secrets: Path) -> None:
    service = unit()["Service"]
    loaded = dict(one.split(":") for one in service["LoadCredential"])
    assert set(loaded) == set(_SECRETS)
    assert all(path == f"/etc/xapi-gateway/{name}" for name, path in loaded.items())
    environment = dict(one.split("=", 1) for one in service["Environment"])
    used = {Path(value).name for value in environment.values() if value.startswith("%d/")}
    assert used == set(loaded)
    settings = load(
        None, {name: value.replace("%d", str(secrets)) for name, value in environment.items()}, {}
    )
    assert settings.data.dir == Path(service["WorkingDirectory"][0])
    assert settings.data.dir == Path("/var/lib") / service["StateDirectory"][0]
    assert settings.mongo.uri is not None
    assert settings.metrics.token is not None


def test_the_unit_gives_the_gateway_time_to_end() -> None:
    service = unit()["Service"]
    assert service["KillMode"] == ["mixed"]
    assert int(service["TimeoutStopSec"][0]) > DEFAULTS.server.shutdown_grace + _MARGIN


# -- containers --------------------------------------------------------------------------------------------


def test_the_container_gets_settings_that_it_understands() -> None:
    gateway = yaml.safe_load(yaml_block("compose.yml"))["services"]["gateway"]
    environment = {
        name: re.sub(r"\$\{MONGO_URI.*?\}", "mongodb://db.example.org/?replicaSet=rs0", value)
        for name, value in gateway["environment"].items()
    }
    settings = load(None, environment, {})
    assert settings.server.workers == 4
    assert [str(network) for network in settings.server.trusted_proxies] == ["172.16.0.0/12"]
    ports = {int(port.rpartition(":")[2]) for port in gateway["ports"]}
    assert ports == {settings.server.port, settings.server.content_port}
    assert int(gateway["stop_grace_period"].rstrip("s")) > settings.server.shutdown_grace + _MARGIN
    shipped = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["gateway"]
    for key in ("read_only", "tmpfs", "cap_drop", "security_opt"):
        assert gateway[key] == shipped[key]


# -- proxies -----------------------------------------------------------------------------------------------


def balanced(text: str) -> bool:
    depths = [0]
    for character in text:
        depths.append(depths[-1] + {"{": 1, "}": -1}.get(character, 0))
    return depths[-1] == 0 and min(depths) == 0


def size(text: str) -> int:
    return int(text[:-1]) * {"k": 1 << 10, "m": 1 << 20}[text[-1]]


@pytest.mark.parametrize("kind", ["nginx", "caddyfile"])
def test_every_proxy_snippet_is_whole_and_reaches_ports_of_the_gateway(kind: str) -> None:
    assert blocks(kind)
    for block in blocks(kind):
        assert balanced(block)
        ports = {int(port) for port in re.findall(r"127\.0\.0\.1:(\d+)", block)}
        assert ports <= {DEFAULTS.server.port, DEFAULTS.server.content_port}
        assert ports


def test_statements_of_the_nginx_snippets_end_and_are_indented() -> None:
    for block in blocks("nginx"):
        depth = 0
        for line in filter(str.strip, block.splitlines()):
            depth -= line.strip() == "}"
            assert len(line) - len(line.lstrip()) == 4 * depth, line
            assert line.endswith(("{", "}", ";")), line
            depth += line.endswith("{")


def test_nginx_sends_each_host_to_its_own_port_of_the_gateway() -> None:
    block = next(block for block in blocks("nginx") if "server {" in block)
    upstreams = dict(re.findall(r"upstream (\w+) \{\s+server 127\.0\.0\.1:(\d+);", block))
    assert set(re.findall(r"proxy_pass http://(\w+);", block)) == set(upstreams)
    hosts = {
        server: {upstreams[name] for name in re.findall(r"proxy_pass http://(\w+);", body)}
        for server, body in re.findall(r"server_name (\S+);(.*?)^\}", block, re.DOTALL | re.MULTILINE)
    }
    assert hosts == {
        "lrs.example.org": {str(DEFAULTS.server.port)},
        "content.example.net": {str(DEFAULTS.server.content_port)},
    }


def test_nginx_lets_through_what_the_gateway_takes_and_is_the_first_to_hang_up() -> None:
    block = next(block for block in blocks("nginx") if "server {" in block)
    everywhere, packages = (size(text) for text in re.findall(r"client_max_body_size (\w+);", block))
    assert everywhere >= max(DEFAULTS.xapi.max_body, DEFAULTS.hooks.max_body, DEFAULTS.limits.max_body)
    assert packages >= DEFAULTS.cmi5.max_package
    for seconds in re.findall(r"keepalive_timeout (\d+)s;", block):
        assert int(seconds) < DEFAULTS.limits.idle_timeout
    assert "$proxy_add_x_forwarded_for" not in block
    for header in ("Host", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-For"):
        assert f"proxy_set_header {header} $" in block


def test_caddy_lets_through_what_the_gateway_takes() -> None:
    (block,) = blocks("caddyfile")
    (mebibytes,) = re.findall(r"max_size (\d+)MiB", block)
    assert int(mebibytes) << 20 >= DEFAULTS.cmi5.max_package


# -- monitoring --------------------------------------------------------------------------------------------


def test_alerts_look_at_measurements_that_the_gateway_has() -> None:
    metrics.REQUESTS.labels("xapi", "GET", "200").inc(0)
    metrics.COMMIT_SECONDS.labels("main")
    metrics.DELIVERIES.labels("zoom", "received").inc(0)
    metrics.EVENTS.labels("zoom", "done").inc(0)
    text, _ = metrics.exposition()
    samples = {
        sample.name: set(sample.labels)
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }
    rules = yaml.safe_load(yaml_block("prometheus rules"))["groups"][0]["rules"]
    assert len(rules) > 3
    for rule in rules:
        used = re.findall(r"(xapi_gateway_\w+)(?:\{(\w+)=)?", rule["expr"])
        assert used
        for name, label in used:
            assert name in samples, name
            assert not label or label in samples[name], rule["alert"]
        assert rule["expr"].count("(") == rule["expr"].count(")")
        assert rule["alert"].isalnum()


def test_alerts_select_outcomes_that_there_are() -> None:
    rules = yaml_block("prometheus rules")
    receiving = (ROOT / "gateway" / "services" / "receiving.py").read_text()
    for outcome in re.findall(r'deliveries_total\{outcome="(\w+)"', rules):
        assert f'"{outcome}"' in receiving
    (events,) = re.findall(r'delivery_events_total\{outcome=~"([\w|]+)"', rules)
    assert set(events.split("|")) <= set(State)


async def test_pages_for_monitoring_are_there(gateway: Any) -> None:
    pages = re.findall(r"^\| `(/\w+/?)` \|", PAGE, re.MULTILINE)
    assert pages == ["/healthz", "/readyz", "/metrics", "/admin/"]
    for page in pages[:-1]:
        assert (await gateway.http().get(page)).status == 200
    console = await gateway.http().get("/admin/")
    assert (console.status, console.headers["Location"]) == (303, "/admin/sign-in?next=%2Fadmin%2F")


def test_headings_go_down_by_one_level_at_a_time() -> None:
    levels = [
        len(marks) for marks in re.findall(r"^(#+) ", re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL), re.M)
    ]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
