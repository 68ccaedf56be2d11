"""`xapi-gateway subscriptions`: who is told what happens in registrations, and what became of it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import click

from gateway.cli.cmi5 import COMMON, PAGE, Id, Place, every, with_services
from gateway.cli.config import Sources, settings_options
from gateway.cli.output import as_json_option, print_json, print_table
from gateway.cli.stores import store_option
from gateway.services.services import Services
from gateway.services.subscription_views import notice_view, subscription_summary, whole_subscription
from gateway.services.subscriptions import EVENTS
from gateway.store.notices import Notice, NoticeState

_event = click.Choice(EVENTS)


@click.group()
def subscriptions() -> None:
    """Tell other systems what happens in registrations."""


@subscriptions.command()
@settings_options(*COMMON)
@click.argument("url")
@click.option("--event", "events", multiple=True, type=_event, help="May be given several times.")
@click.option("--name", default=None, help="What to call it.")
@store_option
@as_json_option
def create(
    sources: Sources,
    url: str,
    events: tuple[str, ...],
    name: str | None,
    store: str | None,
    as_json: bool,
) -> None:
    """Subscribe URL and print the secret that signs its notices; it is shown this once."""

    async def use(services: Services) -> dict[str, Any]:
        made = await services.subscriptions.create(url=url, events=list(events) or None, name=name)
        return {**subscription_summary(made.subscription), "secret": made.secret}

    made = with_services(sources.require(), store, use)
    if as_json:
        print_json(made)
    else:
        click.echo(f"{made['id']}\nsecret, shown this once: {made['secret']}")


@subscriptions.command("list")
@settings_options(*COMMON)
@store_option
@as_json_option
def list_(sources: Sources, store: str | None, as_json: bool) -> None:
    """List subscriptions, the oldest first."""

    async def use(services: Services) -> list[dict[str, Any]]:
        return [subscription_summary(each) for each in await services.subscriptions.list()]

    found = with_services(sources.require(), store, use)
    if as_json:
        print_json(found)
        return
    rows = [
        [row["id"], row["name"] or "", row["url"], row["disabled"] or "enabled", row["delivered"] or ""]
        for row in found
    ]
    print_table(("id", "name", "url", "state", "delivered"), rows)


@subscriptions.command()
@settings_options(*COMMON)
@click.argument("subscription", type=Id())
@store_option
@as_json_option
def show(sources: Sources, subscription: UUID, store: str | None, as_json: bool) -> None:
    """Show a subscription, and how many notices it has in each state."""

    async def use(services: Services) -> dict[str, Any]:
        found = await services.subscriptions.get(subscription)
        return whole_subscription(found, await services.subscriptions.counts(subscription))

    _print(with_services(sources.require(), store, use), as_json=as_json)


@subscriptions.command()
@settings_options(*COMMON)
@click.argument("subscription", type=Id())
@click.option("--url", default=None)
@click.option("--event", "events", multiple=True, type=_event, help="Give all that it shall have.")
@click.option("--name", default=None)
@click.option("--enable/--disable", "enabled", default=None, help="Whether anything is sent.")
@store_option
@as_json_option
def change(
    sources: Sources,
    subscription: UUID,
    url: str | None,
    events: tuple[str, ...],
    name: str | None,
    enabled: bool | None,
    store: str | None,
    as_json: bool,
) -> None:
    """Change a subscription. What waited while it was disabled is sent when it is enabled."""
    given = {"url": url, "events": list(events) or None, "name": name, "enabled": enabled}
    changes = {field: value for field, value in given.items() if value is not None}
    if not changes:
        raise click.UsageError("say what to change: --url, --event, --name, --enable or --disable")

    async def use(services: Services) -> dict[str, Any]:
        return subscription_summary(await services.subscriptions.change(subscription, changes))

    _print(with_services(sources.require(), store, use), as_json=as_json)


@subscriptions.command()
@settings_options(*COMMON)
@click.argument("subscription", type=Id())
@store_option
@as_json_option
def rotate(sources: Sources, subscription: UUID, store: str | None, as_json: bool) -> None:
    """Print a new secret; the one before signs beside it for a day."""

    async def use(services: Services) -> dict[str, Any]:
        made = await services.subscriptions.rotate(subscription)
        return {**subscription_summary(made.subscription), "secret": made.secret}

    made = with_services(sources.require(), store, use)
    if as_json:
        print_json(made)
    else:
        click.echo(made["secret"])


@subscriptions.command()
@settings_options(*COMMON)
@click.argument("subscription", type=Id())
@store_option
@as_json_option
def delete(sources: Sources, subscription: UUID, store: str | None, as_json: bool) -> None:
    """Forget a subscription with its notices."""
    with_services(sources.require(), store, lambda services: services.subscriptions.delete(subscription))
    if as_json:
        print_json({"deleted": str(subscription)})
    else:
        click.echo(f"{subscription} is deleted")


@subscriptions.command()
@settings_options(*COMMON)
@click.argument("subscription", type=Id())
@click.option("--state", type=click.Choice([state.value for state in NoticeState]), default=None)
@store_option
@as_json_option
def notices(
    sources: Sources, subscription: UUID, state: str | None, store: str | None, as_json: bool
) -> None:
    """List the notices of a subscription, the newest first."""
    wanted = None if state is None else NoticeState(state)

    async def use(services: Services) -> list[dict[str, Any]]:
        async def page(after: Place | None) -> list[Notice]:
            return list(
                await services.subscriptions.notices(subscription, state=wanted, after=after, limit=PAGE)
            )

        return [notice_view(each) async for each in every(page, lambda row: (row.created, row.id))]

    found = with_services(sources.require(), store, use)
    if as_json:
        print_json(found)
        return
    rows = [
        [
            row["id"],
            row["payload"]["type"],
            row["registration"],
            row["state"],
            str(row["attempts"]),
            row["problem"] or "",
        ]
        for row in found
    ]
    print_table(("id", "event", "registration", "state", "attempts", "problem"), rows)


@subscriptions.command()
@settings_options(*COMMON)
@click.argument("subscription", type=Id())
@click.option("--notice", type=Id(), default=None, help="Only this one, delivered or not.")
@store_option
@as_json_option
def retry(
    sources: Sources, subscription: UUID, notice: UUID | None, store: str | None, as_json: bool
) -> None:
    """Have dead notices sent again by the running gateway."""
    count = with_services(
        sources.require(), store, lambda services: services.subscriptions.retry(subscription, notice)
    )
    if as_json:
        print_json({"retried": count})
    else:
        click.echo(f"{count} will be sent again")


def _print(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    click.echo(f"{found['id']}  {found['url']}")
    click.echo(f"{', '.join(found['events'])}: {found['disabled'] or 'enabled'}")
    for state, count in found.get("notices", {}).items():
        click.echo(f"  {state}  {count}")
