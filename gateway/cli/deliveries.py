"""`xapi-gateway deliveries`: what vendors sent, what became of it, and having it mapped again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar
from uuid import UUID

import click

from adapters.receive.decode import Undecodable
from gateway.app import open_services
from gateway.cli.config import Sources, settings_options
from gateway.cli.opening import open_client, run
from gateway.cli.output import as_json_option, print_json, print_table
from gateway.services.deliveries import Deliveries
from gateway.services.delivery_views import rehearsal, summary, whole
from gateway.settings import Settings
from gateway.store.deliveries import DeliveryFilter
from gateway.store.delivery_records import State

Result = TypeVar("Result")
Command = TypeVar("Command", bound=Callable[..., None])
_COMMON = ("data.dir", "mongo.uri", "hooks.mappings")
_COLUMNS = ("id", "received", "adapter", "state", "events", "statements", "reason")


class _Moment(click.ParamType[dt.datetime]):
    """A time with a zone, or how long ago: 90m, 12h, 7d."""

    name = "time"
    _UNITS = {"m": "minutes", "h": "hours", "d": "days"}  # noqa: RUF012 - a constant

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dt.datetime:
        if isinstance(value, dt.datetime):
            return value
        number, unit = value[:-1], value[-1:]
        if unit in self._UNITS and number.isascii() and number.isdigit() and len(number) < 6:
            return dt.datetime.now(dt.UTC) - dt.timedelta(**{self._UNITS[unit]: int(number)})
        try:
            moment = dt.datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no time such as 2026-01-31T10:15:00Z, nor an age such as 90m, 12h or 7d")
        if moment.tzinfo is None:
            self.fail(f"{value!r} has no zone; add Z for UTC")
        return moment


def _filter_options(command: Command) -> Command:
    moment = _Moment()
    for option in (
        click.option("--store", default=None, help="The store; the default one if not given."),
        click.option("--until", type=moment, default=None, help="Received before; see --since."),
        click.option("--since", type=moment, default=None, help="Received from then on: a time, or 7d."),
        click.option(
            "--state",
            "states",
            multiple=True,
            type=click.Choice([state.value for state in State]),
            help="Repeatable.",
        ),
        click.option("--adapter", default=None, help="The adapter that received them."),
    ):
        command = option(command)
    return command


@click.group()
def deliveries() -> None:
    """Look at vendor deliveries and have them mapped again."""


@deliveries.command("list")
@settings_options(*_COMMON)
@_filter_options
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@as_json_option
def list_(
    sources: Sources,
    adapter: str | None,
    states: tuple[str, ...],
    since: dt.datetime | None,
    until: dt.datetime | None,
    store: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List deliveries, the newest first."""
    which = _which(adapter, states, since, until)
    page = _with(sources.require(), store, lambda found: found.list(which, limit=limit))
    rows = [summary(delivery) for delivery in page.deliveries]
    if as_json:
        print_json(rows)
        return
    print_table(_COLUMNS, [[_shown(row[column]) for column in _COLUMNS] for row in rows])
    if page.more:
        click.echo(f"There are more than {limit}; narrow it down or raise --limit.", err=True)


@deliveries.command()
@settings_options(*_COMMON)
@click.argument("delivery", type=click.UUID)
@click.option("--store", default=None, help="The store; the default one if not given.")
@as_json_option
def show(sources: Sources, delivery: UUID, store: str | None, as_json: bool) -> None:
    """Show one delivery: its request as it came, and what became of each event."""

    async def described(found: Deliveries) -> dict[str, Any]:
        one = await found.get(delivery)
        try:
            return whole(one, found.shown_payload(one))
        except Undecodable:
            return whole(one)

    shown = _with(sources.require(), store, described)
    if as_json:
        print_json(shown)
        return
    for key in (
        "id",
        "adapter",
        "key",
        "received",
        "state",
        "finished",
        "duplicates",
        "attempts",
        "revision",
    ):
        click.echo(f"{key:<11}{_shown(shown[key])}")
    for outcome in shown["outcomes"]:
        click.echo(f"\nevent {outcome['event'] or '(unknown)'}: {outcome['state']}")
        for key in ("rule", "reason"):
            if outcome[key]:
                click.echo(f"  {key:<9}{outcome[key]}")
        for identity in outcome["statements"]:
            click.echo(f"  statement {identity}")
        for problem in (*outcome["problems"], *outcome["warnings"]):
            click.echo(f"  {_place(problem)}{problem['message']}")
    request = shown["request"]
    click.echo(f"\n{request['method']} {request['url']}")
    for name, value in request["headers"]:
        click.echo(f"{name}: {value}")
    click.echo()
    if "payload" in request:
        print_json(request["payload"])
    else:
        click.echo(request.get("body", request.get("base64")))


@deliveries.command()
@settings_options(*_COMMON)
@click.argument("ids", nargs=-1, type=click.UUID, metavar="[DELIVERY]...")
@_filter_options
@click.option("--all", "everything", is_flag=True, help="Every delivery, when no filter is given.")
@click.option("--dry-run", is_flag=True, help="Store nothing; say what would become of each.")
@as_json_option
def replay(
    sources: Sources,
    ids: tuple[UUID, ...],
    adapter: str | None,
    states: tuple[str, ...],
    since: dt.datetime | None,
    until: dt.datetime | None,
    store: str | None,
    everything: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Have deliveries mapped again with the mapping of today, by the gateway that runs on this database.

    Statements that are stored already stay as they are.
    """
    which = _which(adapter, states, since, until, ids)
    if which == DeliveryFilter() and not everything:
        raise click.UsageError("say which: ids, --adapter, --state, --since, --until, or --all")
    settings = sources.require()
    if not dry_run:
        count = _with(settings, store, lambda found: found.replay(which))
        if as_json:
            print_json({"replayed": count})
        else:
            click.echo(f"{count} {'delivery is' if count == 1 else 'deliveries are'} mapped again")
        return
    found = [rehearsal(one) for one in _with(settings, store, lambda service: service.rehearse(which))]
    if as_json:
        print_json(found)
        return
    columns = ("id", "adapter", "before", "state", "new", "same", "different", "reason")
    print_table(columns, [[_shown(cell) for cell in _rehearsed(row)] for row in found])


def _rehearsed(row: dict[str, Any]) -> list[object]:
    counts = [len(row["statements"][presence]) for presence in ("new", "same", "different")]
    reason = next((outcome["reason"] for outcome in row["outcomes"] if outcome["reason"]), None)
    return [row["id"], row["adapter"], row["before"], row["state"], *counts, reason]


def _which(
    adapter: str | None,
    states: tuple[str, ...],
    since: dt.datetime | None,
    until: dt.datetime | None,
    ids: tuple[UUID, ...] = (),
) -> DeliveryFilter:
    return DeliveryFilter(
        ids=ids or None, adapter=adapter, states=tuple(map(State, states)), since=since, until=until
    )


def _with(settings: Settings, store: str | None, use: Callable[[Deliveries], Awaitable[Result]]) -> Result:
    chosen = store or settings.stores.default
    if chosen not in settings.databases:
        raise click.BadParameter(f"there is no store {chosen!r}; there is {', '.join(settings.stores.names)}")

    async def main() -> Result:
        async with open_client(settings) as client:
            return await use((await open_services(settings, client))[chosen].hooks.deliveries)

    return run(main)


def _place(problem: dict[str, Any]) -> str:
    if "line" in problem:
        return f"{problem['file']}:{problem['line']}:{problem['column']}  {problem['code']}  "
    return f"{problem['path']}: " if problem.get("path") else ""


def _shown(value: object) -> str:
    return "" if value is None else str(value)
