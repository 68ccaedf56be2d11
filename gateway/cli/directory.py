"""`xapi-gateway directory`: who is who. What waited for somebody is mapped as soon as they are imported."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import BinaryIO, TypeVar

import click

from adapters.identity import PEOPLE
from gateway.cli.config import Sources, settings_options
from gateway.cli.output import as_json_option, print_json, print_table
from gateway.cli.stores import store_option, with_store
from gateway.errors import Invalid
from gateway.services.directory import Directory, Put, entries_of_csv, entry_view
from gateway.store.directory import EntryFilter

Result = TypeVar("Result")
_COMMON = ("data.dir", "mongo.uri")
_TOGETHER = 5_000

set_option = click.option("--set", "of", default=None, help=f"The set; people are {PEOPLE}.")
kind_option = click.option("--kind", default=None, help="What the value is, such as email.")
value_option = click.option("--value", default=None, help="What the vendor calls them.")
account_option = click.option("--account", default=None, help="The name of their account.")


@click.group()
def directory() -> None:
    """Say who is who, see it, and forget somebody."""


@directory.command("import")
@settings_options(*_COMMON)
@click.argument("table", type=click.File("rb"))
@click.option("--set", "of", default=PEOPLE, show_default=True, help="The set that the table is about.")
@click.option("--dry-run", is_flag=True, help="Only read the table.")
@store_option
@as_json_option
def import_(
    sources: Sources, table: BinaryIO, of: str, dry_run: bool, store: str | None, as_json: bool
) -> None:
    """Import a CSV TABLE with a header (- is standard input); entries that are there are replaced.

    People: columns account and home_page (optional), and either kind and value, or a column for each kind,
    such as email. Other sets: a column key, and one for each field.
    """
    try:
        entries = list(entries_of_csv(table.read(), of))
    except Invalid as error:
        raise click.ClickException(error.message) from None

    async def put(directory: Directory) -> Put:
        total = Put(entries=0, new=0, released=0)
        for start in range(0, len(entries), _TOGETHER):
            done = await directory.put(entries[start : start + _TOGETHER], source="import")
            total = Put(
                entries=total.entries + done.entries,
                new=total.new + done.new,
                released=total.released + done.released,
            )
        return total

    done = Put(entries=len(entries), new=0, released=0) if dry_run else _with(sources, store, put)
    if as_json:
        print_json({"entries": done.entries, "new": done.new, "released": done.released})
    elif dry_run:
        click.echo(f"{_counted(done.entries)} can be read")
    else:
        released = "1 delivery" if done.released == 1 else f"{done.released} deliveries"
        click.echo(f"{_counted(done.entries)}, {done.new} of them new; {released} released")


@directory.command("list")
@settings_options(*_COMMON)
@set_option
@kind_option
@value_option
@account_option
@store_option
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True)
@as_json_option
def list_(
    sources: Sources,
    of: str | None,
    kind: str | None,
    value: str | None,
    account: str | None,
    store: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List entries in the order of set, kind and value."""
    which = EntryFilter(set=of, kind=kind, value=value, account=account)
    found, more = _with(sources, store, lambda directory: directory.list(which, limit=limit))
    rows = [entry_view(entry) for entry in found]
    if as_json:
        print_json(rows)
        return
    columns = ("set", "kind", "value", "account", "homePage", "fields", "source", "updated")
    print_table(columns, [[_shown(row.get(column)) for column in columns] for row in rows])
    if more:
        click.echo(f"There are more than {limit}; narrow it down or raise --limit.", err=True)


@directory.command()
@settings_options(*_COMMON)
@set_option
@kind_option
@value_option
@account_option
@store_option
@as_json_option
def forget(
    sources: Sources,
    of: str | None,
    kind: str | None,
    value: str | None,
    account: str | None,
    store: str | None,
    as_json: bool,
) -> None:
    """Delete entries. Statements that were made with them stay as they are."""
    which = EntryFilter(set=of, kind=kind, value=value, account=account)
    if which == EntryFilter():
        raise click.UsageError("say which: --set, --kind, --value or --account")
    count = _with(sources, store, lambda directory: directory.forget(which))
    if as_json:
        print_json({"forgotten": count})
    else:
        click.echo(f"{_counted(count)} forgotten")


def _with(sources: Sources, store: str | None, use: Callable[[Directory], Awaitable[Result]]) -> Result:
    return with_store(sources.require(), store, lambda services: use(services.hooks.directory))


def _counted(number: int) -> str:
    return "1 entry" if number == 1 else f"{number} entries"


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    return "" if value is None else str(value)
