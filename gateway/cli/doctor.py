"""`xapi-gateway doctor`: what is wrong with this installation, and what to do about it."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path

import click

from gateway.cli.config import Sources, settings_options
from gateway.cli.opening import open_client, run
from gateway.cli.output import as_json_option, print_json
from gateway.errors import GatewayError
from gateway.services import diagnosis
from gateway.services.clock import utc_now
from gateway.services.diagnosis import Diagnosis, Health
from gateway.services.identity_provider import IdentityProvider
from gateway.services.mappings import Mappings
from gateway.services.services import Services
from gateway.settings import Settings, SettingsError
from gateway.store.connection import Client, check_server, translating
from gateway.store.mongod import MongoDirectory
from gateway.store.overview import Overview
from gateway.store.store import Store

_MARKS = {Health.OK: ("ok", "green"), Health.ADVICE: ("advice", "yellow"), Health.PROBLEM: ("problem", "red")}


@click.command()
@settings_options()
@as_json_option
def doctor(sources: Sources, as_json: bool) -> None:
    """Say what is wrong and what to do about it; exit with 1 if there is a problem.

    Looks at settings, disk, database, indexes, clocks, credentials, adapters and what waits. Changes nothing.
    """
    found = run(lambda: _examine(sources))
    if as_json:
        print_json({"ok": not _problems(found), "diagnoses": [asdict(one) for one in found]})
    else:
        _print(found)
    if _problems(found):
        raise SystemExit(1)


def _problems(found: list[Diagnosis]) -> int:
    return sum(one.health is Health.PROBLEM for one in found)


def _print(found: list[Diagnosis]) -> None:
    width = max(len(one.subject) for one in found)
    for one in found:
        mark, colour = _MARKS[one.health]
        click.echo(f"{click.style(f'{mark:8}', fg=colour)} {one.subject:{width}}  {one.found}")
        if one.advice:
            click.echo(f"{'':8} {'':{width}}  → {one.advice}")
    problems, advice = _problems(found), sum(one.health is Health.ADVICE for one in found)
    click.echo(f"\nlooked at: {len(found)}, problems: {problems}, with advice: {advice}")


async def _examine(sources: Sources) -> list[Diagnosis]:
    try:
        settings = sources.load()
    except SettingsError as error:
        return [
            Diagnosis(
                subject="settings",
                health=Health.PROBLEM,
                found=str(problem),
                advice="xapi-gateway config check",
            )
            for problem in error.problems
        ]
    found = [Diagnosis(subject="settings", health=Health.OK, found="no mistake in them")]
    found += diagnosis.of_addresses(settings)
    if settings.mongo.uri is None:
        folder = _existing(settings.data.dir)
        found.append(diagnosis.of_space(shutil.disk_usage(folder).free, str(folder)))
    mappings = Mappings.of(settings)
    if settings.mongo.uri is None and not MongoDirectory(settings.data.dir).database.exists():
        found.append(
            Diagnosis(
                subject="database",
                health=Health.OK,
                found=f"none yet at {settings.data.dir}; xapi-gateway serve makes it",
            )
        )
        return [*found, *diagnosis.of_adapters(mappings.adapters)]
    try:
        async with open_client(settings) as client:
            found += [one async for one in _of_database(settings, client, mappings)]
    except GatewayError as error:
        found.append(
            Diagnosis(
                subject="database",
                health=Health.PROBLEM,
                found=error.message,
                advice="nothing can be stored until this is mended",
            )
        )
    return [*found, *diagnosis.of_adapters(mappings.adapters)]


def _existing(folder: Path) -> Path:
    """The folder, or where it will be made."""
    folder = folder.absolute()
    return next(path for path in (folder, *folder.parents) if path.exists())


async def _of_database(settings: Settings, client: Client, mappings: Mappings) -> AsyncIterator[Diagnosis]:
    with translating():
        server = await check_server(client)
        yield diagnosis.of_server(server, embedded=settings.mongo.uri is None)
        default = settings.databases[settings.stores.default]
        yield diagnosis.of_clock(utc_now(), await Overview(client, default).server_time())
        yield diagnosis.of_credentials(await Store(client, default).credentials.list())
        if settings.oidc.issuer is not None:
            yield await _of_provider(settings, Store(client, default))
        for name, database in settings.databases.items():
            services = Services(Store(client, database), settings, more_key=b"", mappings=mappings)
            yield diagnosis.of_indexes(name, await services.store.index_changes())
            for one in await diagnosis.of_deliveries(name, services, utc_now()):
                yield one
            yield diagnosis.of_sources(name, await services.sources.all())
            yield await diagnosis.of_reports(name, services)


async def _of_provider(settings: Settings, store: Store) -> Diagnosis:
    from gateway.web.outgoing import HttpFetcher  # most installations ask nobody outside

    provider = IdentityProvider(settings.oidc, HttpFetcher(), store.sign_ins, clock=utc_now)
    try:
        return diagnosis.of_provider(settings.oidc, await provider.fault())
    finally:
        await provider.close()
