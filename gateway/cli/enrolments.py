"""`xapi-gateway registrations enrol/progress`: whole classes, in and out of tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

import click

from gateway.cli.cmi5 import COMMON, Id, with_services
from gateway.cli.config import Sources, settings_options
from gateway.cli.output import as_json_option, print_json, telling
from gateway.cli.stores import store_option
from gateway.services.course_views import enrolled
from gateway.services.progress_tables import progress_table
from gateway.services.services import Services


@click.command()
@settings_options(*COMMON)
@click.argument("course", type=Id())
@click.argument("table", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--home-page", default=None, help="That of accounts whose line names none.")
@click.option("--dry-run", is_flag=True, help="Check everything, write nothing.")
@store_option
@as_json_option
def enrol(
    sources: Sources,
    course: UUID,
    table: Path,
    home_page: str | None,
    dry_run: bool,
    store: str | None,
    as_json: bool,
) -> None:
    """Register everybody in a CSV with the columns account, homePage, name, id and tags.

    Only account is needed, and homePage unless --home-page is given. Who is registered already stays so.
    When anything is wrong, every problem is printed and nobody is enrolled.
    """
    content = table.read_bytes()

    async def use(services: Services) -> dict[str, Any]:
        with telling("enrolling") as tell:
            done = await services.enrolments.enrol(
                course, content, home_page=home_page, dry_run=dry_run, tell=tell
            )
        return enrolled(done, dry_run=dry_run)

    found = with_services(sources.require(), store, use)
    if as_json:
        print_json(found)
        return
    would = "would be " if dry_run else ""
    click.echo(f"{found['enrolled']} {would}enrolled, {found['present']} registered already")


@click.command()
@settings_options(*COMMON)
@click.argument("course", type=Id())
@click.argument("file", type=click.File("wb"), default="-")
@store_option
def progress(sources: Sources, course: UUID, file: Any, store: str | None) -> None:
    """Write how far everybody is in a course as CSV, to FILE or standard output."""

    async def use(services: Services) -> None:
        async for piece in progress_table(services.store, services.courses, course):
            file.write(piece)

    with_services(sources.require(), store, use)


COMMANDS = (enrol, progress)
