"""The command `xapi-gateway`: everything an operator does without a browser.

A command's module is imported when that command is called: the gateway as a whole takes longer to import than
most commands take to run.
"""

from __future__ import annotations

from importlib import import_module

import click

from gateway import __version__
from gateway.logs import configure_logging
from gateway.settings import LogSettings

# Each is the command of its name in the module of its name.
_COMMANDS = (
    "serve",
    "demo",
    "doctor",
    "config",
    "credentials",
    "people",
    "audit",
    "mappings",
    "deliveries",
    "directory",
    "courses",
    "registrations",
    "reports",
    "sources",
    "subscriptions",
    "statements",
)


class Commands(click.Group):
    """A group whose commands are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context | None, cmd_name: str) -> click.Command | None:
        if cmd_name in _COMMANDS and cmd_name not in self.commands:
            self.add_command(getattr(import_module(f"gateway.cli.{cmd_name}"), cmd_name))
        return self.commands.get(cmd_name)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="xapi-gateway")
def main() -> None:
    """Learning Record Store, vendor adapter hub and cmi5 LMS back end in front of MongoDB."""
    # Standard output belongs to what commands answer; `serve` replaces this by what is configured.
    configure_logging(LogSettings(format="auto", level="warning"))
