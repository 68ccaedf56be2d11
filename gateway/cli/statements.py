"""`xapi-gateway statements`: NDJSON out of a store and into one."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from gateway.cli.config import Sources, settings_options
from gateway.cli.opening import open_client, run
from gateway.cli.output import as_json_option, print_json
from gateway.cli.stores import store_option
from gateway.errors import GatewayError
from gateway.services.addresses import public_url
from gateway.services.attachment_files import AttachmentFiles, replacing
from gateway.services.clock import utc_now
from gateway.services.exports import Exported, Exports
from gateway.services.moves import Line, Manner, Rejected
from gateway.services.opening import open_services
from gateway.services.services import Services
from gateway.services.transfers import Import, Imported, lines_of
from gateway.services.working import enduring
from gateway.settings import Settings
from gateway.xapi import strict_json
from gateway.xapi.datatypes import format_timestamp
from gateway.xapi.queries import StatementsQuery
from gateway.xapi.versions import Version

_COMMON = ("data.dir", "mongo.uri")
_STDIO = "-"
_progress_option = click.option(
    "--progress/--no-progress",
    default=None,
    help="Show progress on standard error (default: on a terminal).",
)


@click.group()
def statements() -> None:
    """Export statements, and import them where they are to live on."""


@statements.command("export")
@settings_options(*_COMMON)
@click.argument("file", default=_STDIO, type=click.Path(dir_okay=False))
@click.option("--since", default=None, metavar="TIME", help="Stored later than this.")
@click.option("--until", default=None, metavar="TIME", help="Stored then or earlier.")
@click.option("--agent", default=None, metavar="AGENT", help="An Agent as JSON, or mailto:…")
@click.option("--verb", default=None, metavar="IRI")
@click.option("--activity", default=None, metavar="IRI")
@click.option("--registration", default=None, metavar="UUID")
@click.option("--related-agents", is_flag=True, help="--agent also in context, authority and groups.")
@click.option("--related-activities", is_flag=True, help="--activity also in context.")
@click.option(
    "--attachments",
    "folder",
    default=None,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for attachment data; FILE.attachments by default.",
)
@click.option("--no-attachments", is_flag=True, help="Leave attachment data out.")
@store_option
@_progress_option
@as_json_option
def export(
    sources: Sources,
    file: str,
    folder: Path | None,
    no_attachments: bool,
    store: str | None,
    progress: bool | None,
    as_json: bool,
    **filters: Any,
) -> None:
    """Write statements to FILE (standard output by default), one a line, the oldest first.

    They are as the LRS serves them, voided ones included. FILE appears when it is complete. Filters follow
    references between statements as the LRS does.
    """
    if no_attachments and folder is not None:
        raise click.UsageError("--attachments and --no-attachments contradict each other")
    query = _query(filters)
    settings = sources.require()
    name = _chosen(settings, store)
    if folder is None and not no_attachments and file != _STDIO:
        folder = _attachments_of(file)
    files = AttachmentFiles(folder) if folder is not None else None

    async def main(out: BinaryIO, note: Callable[[Exported], object]) -> Exported:
        async with open_client(settings) as client:
            services = (await open_services(settings, client))[name]
            return await Exports(services.store).write(query, out.write, files, progress=note)

    with _destination(file) as out, _showing(progress) as bar:
        done = run(lambda: main(out, lambda at: bar(f"{at.statements:,} statements", None)))
    summary = {
        "statements": done.statements,
        "attachments": done.attachments,
        "bytes": done.bytes,
        "through": format_timestamp(done.through),
    }
    if as_json:
        # Standard output is taken where the statements go there.
        click.echo(strict_json.dumps(summary), err=file == _STDIO)
    elif file != _STDIO:
        click.echo(
            f"{done.statements} statements, {done.attachments} attachments, complete through "
            f"{summary['through']}",
            err=True,
        )


@statements.command("import")
@settings_options(*_COMMON)
@click.argument("names", metavar="FILE...", nargs=-1, required=True)
@click.option("--restamp", is_flag=True, help="Store with the time of now instead of the one they have.")
@click.option(
    "--authority",
    type=click.Choice(["kept", "own"]),
    default="kept",
    show_default=True,
    help="Keep the authority of statements, or make this gateway their authority.",
)
@click.option(
    "--attachments",
    "folder",
    default=None,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of attachment data; FILE.attachments by default.",
)
@click.option("--strict", is_flag=True, help="Stop at the first line that is rejected.")
@click.option("--rejects", default=None, type=click.Path(dir_okay=False), help="Write rejected lines there.")
@store_option
@_progress_option
@as_json_option
def import_(
    sources: Sources,
    names: tuple[str, ...],
    restamp: bool,
    authority: str,
    folder: Path | None,
    strict: bool,
    rejects: str | None,
    store: str | None,
    progress: bool | None,
    as_json: bool,
) -> None:
    """Store the statements in FILEs (- is standard input), one a line, as they are: with their ids,
    timestamps, authorities and stored times.

    What is stored already is skipped, so an import that broke off can be run again. Exits with 1 if a line
    was rejected.
    """
    settings = sources.require()
    name = _chosen(settings, store)
    for each in names:
        if each != _STDIO and not Path(each).is_file():
            raise click.UsageError(f"there is no file {each}")
    manner = Manner(
        authority=_authority(settings), own_authority=authority == "own", restamp=restamp, strict=strict
    )
    total = sum(Path(each).stat().st_size for each in names if each != _STDIO)

    async def main(reject: Callable[[Rejected], object], note: Callable[[Imported], object]) -> Imported:
        async with open_client(settings) as client:
            services = (await open_services(settings, client))[name]
            async with _storing(services):
                importing = Import(
                    services.store,
                    services.statements,
                    services.knowledge,
                    manner=manner,
                    files_of=lambda each: _files_of(each, folder),
                    reject=reject,
                    clock=utc_now,
                )
                return await importing.run(_lines(names, settings.xapi.max_body), note)

    try:
        with _rejecting(rejects) as reject, _showing(progress, None if _STDIO in names else total) as bar:
            done = run(lambda: main(reject, lambda at: bar(_tally(at), at.bytes)))
    except OSError as error:
        raise click.ClickException(f"a file cannot be read or written: {error}") from error
    if as_json:
        summary = {
            "stored": done.stored,
            "skipped": done.skipped,
            "rejected": done.rejected,
            "conflicts": done.conflicts,
            "attachments": done.attachments,
        }
        print_json(summary)
    else:
        click.echo(_tally(done))
    if done.rejected:
        raise SystemExit(1)


def _query(filters: dict[str, Any]) -> StatementsQuery:
    """The filters as the query they would be over HTTP, where every mistake has its message."""
    agent = filters["agent"]
    if agent is not None and agent.startswith("mailto:"):
        filters["agent"] = strict_json.dumps({"mbox": agent}).decode()
    pairs = [(name, "true" if value is True else value) for name, value in filters.items() if value]
    try:
        return StatementsQuery.parse(pairs, Version.V2)
    except GatewayError as error:
        raise click.UsageError(error.message) from None


def _chosen(settings: Settings, store: str | None) -> str:
    name = store or settings.stores.default
    if name not in settings.stores.names:
        raise click.UsageError(f"there is no store {name!r}; there is {', '.join(settings.stores.names)}")
    return name


def _authority(settings: Settings) -> dict[str, Any]:
    account = {"homePage": public_url(settings), "name": "import"}
    return {"objectType": "Agent", "name": "xapi-gateway", "account": account}


def _attachments_of(file: str) -> Path:
    return Path(f"{file}.attachments")


def _files_of(file: str, folder: Path | None) -> AttachmentFiles | None:
    if folder is None and file == _STDIO:
        return None
    return AttachmentFiles(folder if folder is not None else _attachments_of(file))


def _lines(names: Sequence[str], limit: int) -> Iterator[Line]:
    for name in names:
        if name == _STDIO:
            yield from lines_of(name, sys.stdin.buffer, limit=limit)
            continue
        with Path(name).open("rb") as file:
            yield from lines_of(name, file, limit=limit)


@contextlib.contextmanager
def _destination(file: str) -> Iterator[BinaryIO]:
    if file == _STDIO:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        with replacing(Path(file)) as out:
            yield out
    except OSError as error:
        raise click.ClickException(f"{file} cannot be written: {error}") from error


@contextlib.contextmanager
def _rejecting(rejects: str | None) -> Iterator[Callable[[Rejected], None]]:
    """Reports rejected lines on standard error, and writes them to a file if there is one."""
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(Path(rejects).open("wb")) if rejects is not None else None

        def reject(rejected: Rejected) -> None:
            line = rejected.line
            for problem in rejected.problems:
                path = f"{problem.path}: " if problem.path else ""
                click.echo(f"{line.file}:{line.number}: {path}{problem.message}", err=True)
            if file is not None and line.text is not None:
                file.write(line.text + b"\n")

        yield reject


@contextlib.contextmanager
def _showing(wanted: bool | None, total: int | None = None) -> Iterator[Callable[[str, int | None], None]]:
    """Progress on standard error: what is done in words, and in bytes where the total is known."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), *([BarColumn()] if total else []), TimeElapsedColumn())
    disable = not (console.is_terminal if wanted is None else wanted)
    # Where lines cannot be drawn over, only the last state is printed.
    with Progress(*columns, console=console, transient=console.is_terminal, disable=disable) as shown:
        task = shown.add_task("", total=total)
        yield lambda words, done: shown.update(task, description=words, completed=done)


def _tally(done: Imported) -> str:
    return (
        f"{done.stored:,} stored, {done.skipped:,} here already, {done.rejected:,} rejected "
        f"({done.conflicts:,} in conflict), {done.attachments:,} attachments"
    )


@contextlib.asynccontextmanager
async def _storing(services: Services) -> AsyncIterator[None]:
    """What storing statements needs to run beside it; nothing else that a serving gateway does."""

    async def background() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(services.committer.run())
            tasks.create_task(services.knowledge.run())
            tasks.create_task(enduring("floors", services.store.writer.keep))

    task = asyncio.create_task(background())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
