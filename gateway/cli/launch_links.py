"""`xapi-gateway registrations link/links/revoke-link`: what learners click to begin a session."""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import UUID

import click

from gateway.cli.cmi5 import COMMON, Id, au_reference, with_services
from gateway.cli.config import Sources, settings_options
from gateway.cli.output import as_json_option, print_json, print_table
from gateway.cli.stores import store_option
from gateway.cmi5.overrides import Overrides
from gateway.services.addresses import configured_addresses
from gateway.services.course_views import link_summary
from gateway.services.services import Services


@click.command()
@settings_options(*COMMON)
@click.argument("registration", type=Id())
@click.option("--au", default=None, help="Index or id of the AU; whichever is next if not given.")
@click.option("--days", type=click.FloatRange(min=0, min_open=True, max=3650), default=None)
@click.option("--once", is_flag=True, help="It works one time only.")
@store_option
@as_json_option
def link(
    sources: Sources,
    registration: UUID,
    au: str | None,
    days: float | None,
    once: bool,
    store: str | None,
    as_json: bool,
) -> None:
    """Print a link for the learner that begins a session when it is clicked."""
    settings = sources.require()
    reference = None if au is None else au_reference(au)
    lifetime = None if days is None else dt.timedelta(days=days)

    async def use(services: Services) -> dict[str, Any]:
        made = await services.launch_links.create(registration, reference, Overrides(), lifetime, once=once)
        gateway = configured_addresses(settings).gateway
        return {"url": f"{gateway}/launch/{made.token}", **link_summary(made.link)}

    made = with_services(settings, store, use)
    if as_json:
        print_json(made)
    else:
        click.echo(made["url"])


@click.command()
@settings_options(*COMMON)
@click.argument("registration", type=Id())
@store_option
@as_json_option
def links(sources: Sources, registration: UUID, store: str | None, as_json: bool) -> None:
    """List the links of a registration, without what opens them."""

    async def use(services: Services) -> list[dict[str, Any]]:
        return [link_summary(each) for each in await services.launch_links.list(registration)]

    found = with_services(sources.require(), store, use)
    if as_json:
        print_json(found)
        return
    columns = ("id", "created", "expires", "used", "revoked")
    rows = [["" if row[column] is None else str(row[column]) for column in columns] for row in found]
    print_table(columns, rows)


@click.command("revoke-link")
@settings_options(*COMMON)
@click.argument("registration", type=Id())
@click.argument("link", type=Id())
@store_option
@as_json_option
def revoke_link(sources: Sources, registration: UUID, link: UUID, store: str | None, as_json: bool) -> None:
    """Let a link not work any more."""
    with_services(sources.require(), store, lambda services: services.launch_links.revoke(registration, link))
    if as_json:
        print_json({"revoked": str(link)})
    else:
        click.echo(f"{link} is revoked")


COMMANDS = (link, links, revoke_link)
