"""`xapi-gateway reports`: what is counted for reports, and counting it again."""

from __future__ import annotations

import click

from gateway.cli.config import Sources, settings_options
from gateway.cli.output import as_json_option, print_json, telling
from gateway.cli.stores import store_option, with_store
from gateway.services.report_tables import as_csv
from gateway.services.report_tables import as_json as as_json_report
from gateway.services.report_views import report
from gateway.services.reports import Checked
from gateway.services.services import Services

_COMMON = ("data.dir", "mongo.uri")


@click.group()
def reports() -> None:
    """Show counts of statements, check them, and count them again."""


@reports.command()
@settings_options(*_COMMON)
@click.option("--from", "since", default="", help="First month, such as 2026-01; a year before --to.")
@click.option("--to", "until", default="", help="Last month; the running one if not given.")
@click.option("--source", default="", help="Such as `adapter zoom` or `credential KEY`.")
@click.option("--course", default="", help="The id of a course.")
@store_option
@as_json_option
def show(
    sources: Sources, since: str, until: str, source: str, course: str, store: str | None, as_json: bool
) -> None:
    """Print activity by time, source, verb and course as CSV."""
    given = {"from": since, "to": until, "source": source, "course": course}

    async def ask(services: Services) -> None:
        found = await report(services, services.reports.question(given))
        if as_json:
            print_json(as_json_report(found))
        else:
            click.echo(as_csv(found).decode(), nl=False)

    with_store(sources.require(), store, ask)


@reports.command()
@settings_options(*_COMMON)
@store_option
@as_json_option
def rebuild(sources: Sources, store: str | None, as_json: bool) -> None:
    """Count all statements anew; a gateway may run meanwhile, and shows what is counted so far."""
    with telling("Counting") as tell:
        number = with_store(sources.require(), store, lambda services: services.reports.rebuild(tell))
    if as_json:
        print_json({"counted": number})
    else:
        click.echo(f"{number} statements counted")


@reports.command()
@settings_options(*_COMMON)
@store_option
@as_json_option
def check(sources: Sources, store: str | None, as_json: bool) -> None:
    """Compare counts with the statements, on a sample; exit with 1 if they differ."""

    async def compare(services: Services) -> Checked | None:
        return await services.reports.check()

    found = with_store(sources.require(), store, compare)
    wrong = found.wrong if found is not None else ()
    if as_json:
        of, statements = (found.of, found.statements) if found else (None, 0)
        print_json({"ok": not wrong, "of": of, "statements": statements, "wrong": len(wrong)})
    elif found is None:
        click.echo("nothing was counted yet")
    else:
        click.echo(f"{found.of}: {found.statements} statements, {found.cells} counts, {len(wrong)} wrong")
        for key in wrong[:20]:
            click.echo(f"  {key.period} {key.course or 'all courses'} {key.kind or 'all'}")
    if wrong:
        raise SystemExit(1)
