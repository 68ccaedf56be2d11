from __future__ import annotations

import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from gateway.cli.config import Sources, config, settings_options
from gateway.settings.schema import options


@pytest.fixture(autouse=True)
def _working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(*arguments: str, command: click.Command = config, **environment: str) -> Result:
    result = CliRunner().invoke(command, arguments, env=environment)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_check_accepts_the_defaults() -> None:
    result = run("check")
    assert result.output == f"config ok: {len(options())} options, 0 of them set beside the defaults\n"
    assert result.exit_code == 0


def test_check_prints_every_problem_and_exits_with_1() -> None:
    Path("bad.yaml").write_text("server:\n  prot: 1\nlog: {level: loud}\n")
    result = run("check", "--config", "bad.yaml", "--workers", "0", XAPI_GATEWAY__SERVER__HOST="")
    assert result.stdout == (
        "bad.yaml:2:3: unknown option server.prot; did you mean server.port?\n"
        "bad.yaml:3:14: log.level: expected one of debug, info, warning, error, got 'loud'\n"
        "XAPI_GATEWAY__SERVER__HOST: server.host: expected a host name or an IP address, got ''\n"
        "--workers: server.workers: expected an integer from 1 to 64, got 0\n"
    )
    assert result.exit_code == 1


def test_check_speaks_json() -> None:
    assert json.loads(run("check", "--json").stdout) == {"ok": True, "problems": []}
    result = run("check", "--json", "--config", "none.yaml")
    assert json.loads(result.stdout) == {
        "ok": False,
        "problems": [{"place": "none.yaml", "message": "cannot be read: No such file or directory"}],
    }
    assert result.exit_code == 1


def test_the_file_may_be_named_by_a_variable() -> None:
    Path("gateway.yaml").write_text("server: {port: 9001}\n")
    result = run("show", XAPI_GATEWAY_CONFIG="gateway.yaml")
    assert "server.port = 9001  # gateway.yaml:1:16\n" in result.stdout


def test_show_prints_each_value_with_its_origin_and_masks_secrets() -> None:
    Path("gateway.yaml").write_text("xapi:\n  max_body: 2MiB\nmetrics: {token: hunter2}\n")
    result = run(
        *("show", "--config", "gateway.yaml", "--port", "9001", "--mongo-uri", "mongodb://me:hunter2@db/lrs"),
        XAPI_GATEWAY__BOOTSTRAP__SECRET="hunter2",
        XAPI_GATEWAY__HOOKS__STORES="{zoom: main}",
    )
    lines = result.stdout.splitlines()
    assert [line.split(" = ")[0] for line in lines] == list(options())
    assert [line for line in lines if not line.endswith("# default")] == [
        "server.port = 9001  # --port",
        "mongo.uri = mongodb://***@db/lrs  # --mongo-uri",
        "bootstrap.secret = ***  # XAPI_GATEWAY__BOOTSTRAP__SECRET",
        "xapi.max_body = 2MiB  # gateway.yaml:2:13",
        'hooks.stores = {"zoom": "main"}  # XAPI_GATEWAY__HOOKS__STORES',
        "metrics.token = ***  # gateway.yaml:3:18",
    ]
    assert 'server.base_path = ""  # default' in lines
    assert "hunter2" not in result.output


def test_show_speaks_json() -> None:
    result = run("show", "--json", "--data-dir", "/srv/x", XAPI_GATEWAY__BOOTSTRAP__SECRET="hunter2")
    shown = json.loads(result.stdout)
    assert list(shown) == list(options())
    assert shown["data.dir"] == {"value": "/srv/x", "origin": {"kind": "flag", "place": "--data-dir"}}
    assert shown["bootstrap.secret"] == {
        "value": "***",
        "origin": {"kind": "environment", "place": "XAPI_GATEWAY__BOOTSTRAP__SECRET"},
    }


def test_settings_that_cannot_be_used_end_a_command_with_the_problems() -> None:
    result = run("show", "--port", "x", "--host", "")
    assert result.stdout == ""
    assert result.stderr == (
        "--host: server.host: expected a host name or an IP address, got ''\n"
        "--port: server.port: expected an integer from 0 to 65535, got 'x'\n"
    )
    assert result.exit_code == 1


def test_a_command_may_take_only_some_of_the_flags() -> None:
    @click.command()
    @settings_options("mongo.uri", "data.dir")
    @click.option("--name")
    def command(sources: Sources, name: str) -> None:
        click.echo(f"{name} {sources.path} {sources.require().data.dir}")

    assert run("--name", "n", "--data-dir", "/srv", command=command).stdout == "n None /srv\n"
    assert run("--port", "1", command=command).exit_code == 2
