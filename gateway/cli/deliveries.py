"""`xapi-gateway deliveries`: what vendors sent, what became of it, and having it mapped again."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import json
import sys
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeVar
from uuid import UUID, uuid4

import click

from adapters.receive.decode import Undecodable
from gateway.cli.config import Sources, settings_options
from gateway.cli.moments import Moment
from gateway.cli.output import as_json_option, print_json, print_table
from gateway.cli.stores import store_option, with_store
from gateway.services.deliveries import Deliveries
from gateway.services.delivery_views import rehearsal, replay_view, summary, whole
from gateway.settings import Settings
from gateway.store.deliveries import DeliveryFilter
from gateway.store.delivery_records import Replay, State

Result = TypeVar("Result")
Command = TypeVar("Command", bound=Callable[..., None])
_COMMON = ("data.dir", "mongo.uri", "hooks.mappings")
_WHEN = click.Choice(["current", "original"])
_POLL_SECONDS = 0.5
_COLUMNS = ("id", "received", "adapter", "state", "events", "statements", "reason")


def _filter_options(command: Command) -> Command:
    moment = Moment()
    for option in (
        store_option,
        click.option("--until", type=moment, default=None, help="Received before; see --since."),
        click.option("--since", type=moment, default=None, help="Received from then on: a time, or 7d."),
        click.option(
            "--state",
            "states",
            multiple=True,
            type=click.Choice([state.value for state in State]),
            help="Repeatable.",
        ),
        click.option("--replay", "replay", type=click.UUID, default=None, help="Mapped by this replay."),
        click.option("--code", default=None, help="With an event of this reason code, such as unmatched."),
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
def list_(sources: Sources, store: str | None, limit: int, as_json: bool, **chosen: Any) -> None:
    """List deliveries, the newest first."""
    which = _which(**chosen)
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
@store_option
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
        for key in ("rule", "code", "reason", "until"):
            if outcome[key]:
                click.echo(f"  {key:<9}{outcome[key]}")
        for identity in outcome["statements"]:
            click.echo(f"  statement {identity}")
        for problem in (*outcome["problems"], *outcome["warnings"]):
            click.echo(f"  {_place(problem)}{problem['message']}")
    if shown["leftover"]:
        click.echo("\nstatements of earlier mappings that this one does not make:")
        for identity in shown["leftover"]:
            click.echo(f"  statement {identity}")
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
@click.option("--mapping", type=_WHEN, default="current", show_default=True, help="Which revision maps.")
@click.option("--lookups", type=_WHEN, default="current", show_default=True, help="Which look-ups count.")
@click.option("--replace", is_flag=True, help="Void statements that say something else now; store them anew.")
@click.option(
    "--dry-run", is_flag=True, help="Store nothing; say what would become of each, and what differs."
)
@click.option("--wait", is_flag=True, help="Wait until all of them are mapped, and say what became of them.")
@as_json_option
def replay(
    sources: Sources,
    ids: tuple[UUID, ...],
    everything: bool,
    mapping: str,
    lookups: str,
    replace: bool,
    dry_run: bool,
    wait: bool,
    as_json: bool,
    store: str | None,
    **chosen: Any,
) -> None:
    """Have deliveries mapped again, by the gateway that runs on this database.

    Statements that are stored already stay as they are: an event about which the mapping says something
    else by
    now is `differs`, unless --replace is given. Doing it again does no harm. Exit status with --dry-run or
    --wait: 1 if some delivery is failed.
    """
    which = _which(**chosen, ids=ids)
    if which == DeliveryFilter() and not everything:
        raise click.UsageError("say which: ids, --adapter, --state, --code, --since, --until, or --all")
    how = Replay(
        id=uuid4(),
        original_mapping=mapping == "original",
        original_lookups=lookups == "original",
        replace=replace,
    )
    settings = sources.require()
    if dry_run:
        found = _with(settings, store, lambda service: _rehearsed_all(service, which, how))
        _print_rehearsal(found, as_json=as_json)
        failed = any(row["state"] == State.FAILED for row in found)
    else:
        by = f"command of {getpass.getuser()}"
        done = _with(settings, store, lambda service: _replayed(service, which, how, by, wait=wait))
        _print_replay(done, as_json=as_json)
        failed = wait and State.FAILED in done["states"]
    if failed:
        raise SystemExit(1)


@deliveries.command()
@settings_options(*_COMMON)
@store_option
@click.option("--limit", type=click.IntRange(1, 1_000), default=20, show_default=True)
@as_json_option
def replays(sources: Sources, store: str | None, limit: int, as_json: bool) -> None:
    """List the latest replays and how far they are."""

    async def found(service: Deliveries) -> list[dict[str, Any]]:
        return [replay_view(await service.progress(one.id)) for one in await service.replays(limit=limit)]

    rows = _with(sources.require(), store, found)
    if as_json:
        print_json(rows)
        return
    columns = ("replay", "started", "by", "replayed", "pending", "mapping", "lookups", "replace")
    print_table(columns, [[_shown(row[column]) for column in columns] for row in rows])


async def _rehearsed_all(service: Deliveries, which: DeliveryFilter, how: Replay) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    with _progress("Trying", await service.count(which)) as advance:
        async for one in service.rehearse(which, how, limit=None):
            rows.append(rehearsal(one))
            advance(1)
    return rows


async def _replayed(
    service: Deliveries, which: DeliveryFilter, how: Replay, by: str, *, wait: bool
) -> dict[str, Any]:
    progress = await service.replay(which, how, by=by)
    total = progress.replay.deliveries or 0
    if wait:
        with _progress("Mapping", total) as advance:
            done = 0
            while progress.pending:
                await asyncio.sleep(_POLL_SECONDS)
                progress = await service.progress(how.id)
                advance(max(total - progress.pending - done, 0))
                done = max(done, total - progress.pending)
    return replay_view(progress)


@contextlib.contextmanager
def _progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal; nothing where standard error goes elsewhere."""
    if not sys.stderr.isatty() or not total:
        yield lambda _: None
        return
    with click.progressbar(length=total, label=what, file=sys.stderr) as bar:
        yield bar.update


def _print_rehearsal(found: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    presences = ("new", "same", "different", "foreign", "voided", "gone")
    columns = ("id", "adapter", "before", "state", *presences, "reason")
    print_table(columns, [[_shown(cell) for cell in _rehearsed(row, presences)] for row in found])
    for row in found:
        for one in row["differences"]:
            click.echo(f"\nstatement {one['statement']} of delivery {row['id']}")
            for change in one["changes"]:
                click.echo(f"  {change['path']}")
                click.echo(f"    - {_json_text(change['stored'])}")
                click.echo(f"    + {_json_text(change['made'])}")


def _print_replay(done: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(done)
        return
    count = done["replayed"]
    waiting = f", {done['pending']} of them still to be" if done["pending"] else ""
    click.echo(f"{count} {'delivery is' if count == 1 else 'deliveries are'} mapped again{waiting}")
    for state, number in sorted(done["states"].items()):
        click.echo(f"  {number} {state}")
    if done["pending"]:
        click.echo(f"replay {done['replay']}: xapi-gateway deliveries replays")


def _json_text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _rehearsed(row: dict[str, Any], presences: tuple[str, ...]) -> list[object]:
    counts = [len(row["statements"][presence]) for presence in presences]
    reason = next((outcome["reason"] for outcome in row["outcomes"] if outcome["reason"]), None)
    return [row["id"], row["adapter"], row["before"], row["state"], *counts, reason]


def _which(*, states: tuple[str, ...], ids: tuple[UUID, ...] = (), **chosen: Any) -> DeliveryFilter:
    return DeliveryFilter(ids=ids or None, states=tuple(map(State, states)), **chosen)


def _with(settings: Settings, store: str | None, use: Callable[[Deliveries], Awaitable[Result]]) -> Result:
    return with_store(settings, store, lambda services: use(services.hooks.deliveries))


def _place(problem: dict[str, Any]) -> str:
    if "line" in problem:
        return f"{problem['file']}:{problem['line']}:{problem['column']}  {problem['code']}  "
    return f"{problem['path']}: " if problem.get("path") else ""


def _shown(value: object) -> str:
    return "" if value is None else str(value)
