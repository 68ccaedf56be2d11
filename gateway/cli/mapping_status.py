"""`xapi-gateway mappings status`, `reload`, `revisions`, `shadow`: the mappings of the gateway that runs."""

from __future__ import annotations

import asyncio
import time
from typing import Any, TypeVar

import click

from gateway.cli.config import Sources, settings_options
from gateway.cli.output import as_json_option, print_json, print_table
from gateway.cli.stores import store_option, with_store
from gateway.services.clock import utc_now
from gateway.services.revision_views import process_view, report_view, revision_view
from gateway.services.services import Services
from gateway.store.mapping_status import MappingStatus, ProcessStatus

Result = TypeVar("Result")
_COMMON = ("data.dir", "mongo.uri", "hooks.mappings")
_POLL_SECONDS = 0.2
_PATIENCE = 30.0  # seconds


@click.command()
@settings_options(*_COMMON)
@as_json_option
def status(sources: Sources, as_json: bool) -> None:
    """Say what every running gateway process has loaded. Exit status 1 if an adapter is not what its file
    says.
    """
    found = with_store(
        sources.require(), None, lambda services: services.store.mapping_status.processes(utc_now())
    )
    _print_processes(found, as_json=as_json)


@click.command()
@settings_options(*_COMMON)
@as_json_option
def reload(sources: Sources, as_json: bool) -> None:
    """Have every running gateway process read its mappings again, and wait until they have.

    A mapping that does not compile or fails its own tests is not used: the one before stays, which is exit
    status 1.
    """

    async def reloaded(services: Services) -> list[ProcessStatus]:
        status = services.store.mapping_status
        return await _followed(status, await status.wish())

    _print_processes(with_store(sources.require(), None, reloaded), as_json=as_json)


async def _followed(status: MappingStatus, generation: int) -> list[ProcessStatus]:
    deadline = time.monotonic() + _PATIENCE
    while True:
        found = await status.processes(utc_now())
        if not found or all(one.generation >= generation for one in found):
            return found
        if time.monotonic() > deadline:
            slow = ", ".join(f"{one.host}:{one.pid}" for one in found if one.generation < generation)
            raise click.ClickException(f"no answer within {_PATIENCE:g} s from {slow}")
        await asyncio.sleep(_POLL_SECONDS)


def _print_processes(found: list[ProcessStatus], *, as_json: bool) -> None:
    views = [process_view(one) for one in found]
    if as_json:
        print_json(views)
    elif not views:
        click.echo("no gateway process runs on this database", err=True)
    else:
        for view in views:
            click.echo(f"{view['host']}, process {view['pid']}")
            columns = ("adapter", "ready", "revision", "shadow", "remark")
            print_table(columns, [_row(one) for one in view["mappings"]])
    if not views or any(one["kept"] is not None for view in views for one in view["mappings"]):
        raise SystemExit(1)


def _row(one: dict[str, Any]) -> list[str]:
    remark = f"an older revision runs: {one['kept']}" if one["kept"] else one["problem"] or ""
    ready = "yes" if one["ready"] else "no"
    return [one["adapter"], ready, (one["revision"] or "")[:12], (one["shadow"] or "")[:12], remark]


@click.command()
@settings_options(*_COMMON)
@click.argument("adapter")
@click.argument("revision", required=False)
@store_option
@as_json_option
def revisions(sources: Sources, adapter: str, revision: str | None, store: str | None, as_json: bool) -> None:
    """List the revisions of ADAPTER that were ever used, or print the files of one REVISION (its first
    letters are enough).
    """

    async def found(services: Services) -> list[dict[str, Any]]:
        known = await services.hooks.revisions.of(adapter)
        chosen = [one for one in known if revision is None or one.revision.startswith(revision)]
        texts = {one.revision: dict(one.texts) for one in chosen} if revision is not None else {}
        return [revision_view(one) | ({"texts": texts[one.revision]} if texts else {}) for one in chosen]

    rows = with_store(sources.require(), store, found)
    if revision is not None and len(rows) != 1:
        raise click.ClickException(
            f"{len(rows)} revisions of {adapter} begin with {revision!r}; exactly one is wanted"
        )
    if as_json:
        print_json(rows if revision is None else rows[0])
    elif revision is not None:
        for name, text in rows[0]["texts"].items():
            click.echo(f"# {name}\n{text}")
    else:
        columns = ("revision", "version", "file", "first", "used")
        print_table(columns, [[str(row[column]) for column in columns] for row in rows])


@click.command()
@settings_options(*_COMMON)
@click.argument("adapter")
@store_option
@as_json_option
def shadow(sources: Sources, adapter: str, store: str | None, as_json: bool) -> None:
    """Say what a shadow mapping of ADAPTER would have done differently."""
    found = with_store(sources.require(), store, lambda services: services.store.shadows.of(adapter))
    reports = [report_view(one) for one in found]
    if as_json:
        print_json(reports)
        return
    for report in reports:
        click.echo(f"shadow {report['shadow'][:12]} beside {report['active'][:12]}, since {report['since']}")
        click.echo("  " + ", ".join(f"{number} {name}" for name, number in report["counts"].items()))
        for sample in report["samples"]:
            click.echo(
                f"  {sample['kind']}: statement {sample['statement']} of delivery {sample['delivery']}"
            )
            if sample["reason"]:
                click.echo(f"    {sample['reason']}")
            for change in sample["differences"]:
                click.echo(f"    {change['path']}: {change['stored']!r} → {change['made']!r}")
