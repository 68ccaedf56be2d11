"""`xapi-gateway sources`: who sends statements, who answers for it, and whether it sends what it should."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import click

from gateway.cli.config import Sources as Settings
from gateway.cli.config import settings_options
from gateway.cli.output import as_json_option, print_json, print_table
from gateway.cli.stores import store_option, with_store
from gateway.services.source_fields import DATA_CLASSES, TEXTS, written
from gateway.services.source_views import source_summary, source_view
from gateway.services.sources import Sources, Standing
from gateway.xapi.contents import KINDS

Result = TypeVar("Result")
_COMMON = ("data.dir", "mongo.uri")


@click.group()
def sources() -> None:
    """See who sends statements and say who answers for it."""


@sources.command("list")
@settings_options(*_COMMON)
@click.option("--all", "everything", is_flag=True, help="Also adapters that nobody set up.")
@store_option
@as_json_option
def list_(sources: Settings, everything: bool, store: str | None, as_json: bool) -> None:
    """List sources with their gaps and how much they send that nobody declared."""
    found = _with(sources, store, lambda of: of.all())
    rows = [source_summary(one) for one in found if everything or one.source.in_use]
    if as_json:
        print_json(rows)
        return
    columns = ("source", "name", "owner", "vendor", "purpose", "contractEnds", "gaps", "undeclared")
    print_table(columns, [[_shown(row[column]) for column in columns] for row in rows])


@sources.command()
@settings_options(*_COMMON)
@click.argument("source")
@store_option
@as_json_option
def show(sources: Settings, source: str, store: str | None, as_json: bool) -> None:
    """Show one SOURCE, adapter:NAME or credential:KEY, with what it was seen to send."""
    _print(_with(sources, store, lambda of: of.get(source)), as_json=as_json)


@sources.command("set")
@settings_options(*_COMMON)
@click.argument("source")
@click.option("--owner", default=None, help=TEXTS["owner"])
@click.option("--vendor", default=None, help=TEXTS["vendor"])
@click.option("--purpose", default=None, help=TEXTS["purpose"])
@click.option("--ground", default=None, help=TEXTS["ground"])
@click.option("--contract", default=None, help="The contract's number or place.")
@click.option("--ends", default=None, metavar="DAY", help="The contract's last day, such as 2027-06-30.")
@click.option(
    "--data-class", default=None, type=click.Choice(["", *DATA_CLASSES]), help="How personal it is."
)
@click.option("--contact", default=None, help=TEXTS["contact"])
@click.option("--retention", default=None, help=TEXTS["retention"])
@click.option("--verb", "verbs", multiple=True, metavar="IRI", help="A verb that it may send. Repeatable.")
@click.option("--type", "types", multiple=True, metavar="IRI", help="An activity type. Repeatable.")
@click.option("--extension", "extensions", multiple=True, metavar="IRI", help="A key. Repeatable.")
@store_option
@as_json_option
def set_(
    sources: Settings,
    source: str,
    store: str | None,
    as_json: bool,
    contract: str | None,
    ends: str | None,
    data_class: str | None,
    verbs: tuple[str, ...],
    types: tuple[str, ...],
    extensions: tuple[str, ...],
    **texts: str | None,
) -> None:
    """Write down what is known about a SOURCE; what is not given stays, an empty text takes away.

    What it may send is given as a whole: one of --verb, --type, --extension replaces all of them.
    """
    values: dict[str, Any] = {name: value for name, value in texts.items() if value is not None}
    if data_class is not None:
        values["dataClass"] = data_class or None
    declared = dict(zip(KINDS, (list(verbs), list(types), list(extensions)), strict=True))
    if any(declared.values()):
        values["declared"] = declared
    parts = {"reference": contract, "ends": ends}

    async def change(of: Sources) -> Standing:
        record = (await of.get(source)).source.record
        before = written(record)
        before["contract"] |= {key: value for key, value in parts.items() if value is not None}
        return await of.put(source, before | values, by="command", number=record.number)

    _print(_with(sources, store, change), as_json=as_json)


def _print(standing: Standing, *, as_json: bool) -> None:
    view = source_view(standing)
    if as_json:
        print_json(view)
        return
    for key, value in {**source_summary(standing), **view["record"]}.items():
        if key != "declared":
            click.echo(f"{key}: {_shown(value)}")
    rows = [
        [one["kind"], one["value"] or "(further ones)", str(one["count"]), one["last"], _verdict(one)]
        for one in view["observed"]
    ]
    if rows:
        print_table(("kind", "seen", "count", "last", ""), rows)


def _verdict(one: dict[str, Any]) -> str:
    if not one["undeclared"]:
        return ""
    return "undeclared" if one["stopped"] is None else "undeclared, to be stopped"


def _with(sources: Settings, store: str | None, use: Callable[[Sources], Awaitable[Result]]) -> Result:
    return with_store(sources.require(), store, lambda services: use(services.sources))


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(str(part) for part in value.values() if part)
    return ", ".join(value) if isinstance(value, list) else "" if value is None else str(value)
