"""`xapi-gateway audit`: who did what in the console, by the management API and by commands."""

from __future__ import annotations

import datetime as dt
from typing import Any

import click

from gateway.cli.cmi5 import PAGE, Place, every
from gateway.cli.config import Sources, settings_options
from gateway.cli.opening import chosen_store, open_client, run
from gateway.cli.output import as_json_option, print_json, print_table
from gateway.services.audit import Audit, Outcome, entry_view
from gateway.store.audit import Entry, EntryFilter
from gateway.store.store import Store

_TIMES = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ"])


@click.group()
def audit() -> None:
    """Read who did what."""


@audit.command("list")
@settings_options("data.dir", "mongo.uri")
@click.option("--actor", default=None, help="A login, the key of a credential, or the account of a command.")
@click.option("--action", default=None, help="Such as people.roles.")
@click.option("--about", default=None, help="An id, login or key that it was about.")
@click.option("--outcome", type=click.Choice([str(one) for one in Outcome]), default=None)
@click.option("--since", type=_TIMES, default=None, help="Not before this time (UTC).")
@click.option("--until", type=_TIMES, default=None, help="Before this time (UTC).")
@click.option("--store", default=None, help="Only this store; all of them if not given.")
@click.option("--limit", type=click.IntRange(min=1), default=None, help="Only the newest.")
@as_json_option
def list_(
    sources: Sources,
    actor: str | None,
    action: str | None,
    about: str | None,
    outcome: str | None,
    since: dt.datetime | None,
    until: dt.datetime | None,
    store: str | None,
    limit: int | None,
    as_json: bool,
) -> None:
    """List entries, the newest first."""
    settings = sources.require()
    chosen = None if store is None else chosen_store(settings, store)
    which = EntryFilter(
        actor=actor, action=action, about=about, outcome=outcome, since=_utc(since), until=_utc(until)
    )

    async def main() -> list[dict[str, Any]]:
        async with open_client(settings) as client:
            log = Audit.of(settings, Store(client, settings.databases[settings.stores.default]))

            async def page(after: Place | None) -> list[Entry]:
                return list(await log.list(which, store=chosen, limit=PAGE, after=after))

            found: list[dict[str, Any]] = []
            async for entry in every(page, lambda entry: (entry.time, entry.id)):
                found.append(entry_view(entry))
                if len(found) == limit:
                    break
            return found

    found = run(main)
    if as_json:
        print_json(found)
        return
    rows = [
        [
            row["time"],
            row["actor"],
            row["kind"],
            row["action"],
            row["outcome"],
            ", ".join(f"{name} {value}" for name, value in row["objects"].items()),
        ]
        for row in found
    ]
    print_table(("time", "who", "kind", "action", "outcome", "about"), rows)


def _utc(moment: dt.datetime | None) -> dt.datetime | None:
    return None if moment is None else moment.replace(tzinfo=dt.UTC)
