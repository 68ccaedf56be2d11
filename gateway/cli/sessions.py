"""`xapi-gateway registrations sessions/session/abandon`: what became of launches."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import click

from gateway.cli.cmi5 import COMMON, PAGE, Id, Place, every, with_services
from gateway.cli.config import Sources, settings_options
from gateway.cli.output import as_json_option, print_json, print_table
from gateway.cli.stores import store_option
from gateway.services.course_views import session_summary, whole_session
from gateway.services.services import Services
from gateway.store.sessions import Session


@click.command()
@settings_options(*COMMON)
@click.option("--registration", type=Id(), default=None, help="Only those of this registration.")
@click.option("--course", type=Id(), default=None, help="Only those of this course.")
@click.option("--open", "only_open", is_flag=True, help="Only those that have not ended.")
@click.option("--preview", is_flag=True, help="Those of previews, instead of those of learners.")
@store_option
@as_json_option
def sessions(
    sources: Sources,
    registration: UUID | None,
    course: UUID | None,
    only_open: bool,
    preview: bool,
    store: str | None,
    as_json: bool,
) -> None:
    """List sessions, the latest launch first."""

    async def use(services: Services) -> list[dict[str, Any]]:
        async def page(after: Place | None) -> list[Session]:
            return await services.sessions.list(
                registration=registration,
                course=course,
                only_open=only_open,
                preview=preview,
                after=after,
                limit=PAGE,
            )

        return [session_summary(each) async for each in every(page, lambda row: (row.launched, row.id))]

    found = with_services(sources.require(), store, use)
    if as_json:
        print_json(found)
        return
    columns = ("id", "state", "launchMode", "launched", "ended", "reason", "statements")
    rows = [["" if row[column] is None else str(row[column]) for column in columns] for row in found]
    print_table(columns, rows)


@click.command()
@settings_options(*COMMON)
@click.argument("session", type=Id())
@store_option
@as_json_option
def session(sources: Sources, session: UUID, store: str | None, as_json: bool) -> None:
    """Show a session, and every request of its AU that was refused."""

    async def use(services: Services) -> dict[str, Any]:
        found = await services.sessions.get(session)
        return whole_session(found, await services.sessions.refusals(session))

    found = with_services(sources.require(), store, use)
    if as_json:
        print_json(found)
        return
    click.echo(f"{found['id']} is {found['state']}, launched {found['launched']} as {found['launchMode']}")
    click.echo(f"{found['statements']} statements: {', '.join(found['verbs']) or 'none that cmi5 defines'}")
    for refusal in found["refusals"]:
        click.echo(f"\n{refusal['time']}  {refusal['request']}  {refusal['status']}  {refusal['message']}")
        for problem in refusal["problems"]:
            click.echo(f"  {problem['path']}: {problem['message']} [{problem['requirement']}]")


@click.command()
@settings_options(*COMMON)
@click.argument("session", type=Id())
@store_option
@as_json_option
def abandon(sources: Sources, session: UUID, store: str | None, as_json: bool) -> None:
    """End a session that its AU did not terminate."""

    async def use(services: Services) -> dict[str, Any]:
        return session_summary(await services.sessions.abandon(session, "administrator"))

    ended = with_services(sources.require(), store, use)
    if as_json:
        print_json(ended)
    else:
        click.echo(f"{ended['id']} is {ended['state']}")


COMMANDS = (sessions, session, abandon)
