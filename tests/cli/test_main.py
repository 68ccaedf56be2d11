from __future__ import annotations

import subprocess
import sys

import click

from gateway.cli import main


def test_every_command_of_the_list_can_be_had_and_has_help() -> None:
    context = click.Context(main)
    for name in main.list_commands(context):
        command = main.get_command(context, name)
        assert command is not None
        assert command.name == name
        assert command.get_short_help_str()
    assert main.get_command(context, "opening") is None


def test_a_command_imports_no_other_one() -> None:
    code = "import sys, gateway.cli; gateway.cli.main.get_command(None, 'credentials'); print(*sys.modules)"
    loaded = set(subprocess.check_output([sys.executable, "-c", code], text=True).split())
    assert "gateway.cli.credentials" in loaded
    assert not loaded & {"gateway.app", "gateway.cli.courses", "gateway.services.services", "aiohttp.web"}


def test_only_commands_that_speak_http_import_what_does() -> None:
    code = (
        "import sys, click; from gateway.cli import main\n"
        "for name in set(main.list_commands(click.Context(main))) - {'serve', 'demo'}:\n"
        "    main.get_command(None, name)\n"
        "print(*sys.modules)"
    )
    loaded = set(subprocess.check_output([sys.executable, "-c", code], text=True).split())
    assert {"gateway.cli.deliveries", "gateway.services.services"} <= loaded
    assert not {name for name in loaded if name.startswith(("aiohttp", "gateway.web", "gateway.app"))}


def test_a_flag_of_a_list_may_be_repeated() -> None:
    serve = main.get_command(click.Context(main), "serve")
    assert serve is not None
    context = serve.make_context("serve", ["--mappings", "shipped", "--mappings", "/mine"])
    assert context.params["hooks_mappings"] == ("shipped", "/mine")
