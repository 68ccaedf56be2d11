"""The command `xapi-gateway`: everything an operator does without a browser."""

from __future__ import annotations

import click

from gateway import __version__
from gateway.cli.config import config
from gateway.cli.courses import courses
from gateway.cli.credentials import credentials
from gateway.cli.deliveries import deliveries
from gateway.cli.demo import demo
from gateway.cli.directory import directory
from gateway.cli.doctor import doctor
from gateway.cli.mappings import mappings
from gateway.cli.people import people
from gateway.cli.registrations import registrations
from gateway.cli.serve import serve
from gateway.cli.statements import statements
from gateway.cli.subscriptions import subscriptions
from gateway.logs import configure_logging
from gateway.settings import LogSettings


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="xapi-gateway")
def main() -> None:
    """Learning Record Store, vendor adapter hub and cmi5 LMS back end in front of MongoDB."""
    # Standard output belongs to what commands answer; `serve` replaces this by what is configured.
    configure_logging(LogSettings(format="auto", level="warning"))


for command in (
    serve,
    demo,
    doctor,
    config,
    credentials,
    people,
    mappings,
    deliveries,
    directory,
    courses,
    registrations,
    subscriptions,
    statements,
):
    main.add_command(command)
