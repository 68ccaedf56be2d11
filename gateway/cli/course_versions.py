"""`xapi-gateway courses versions/use/files/export`: what was imported of a course, and how to get it out."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

import click

from gateway.cli.cmi5 import COMMON, Id, version_option, with_services
from gateway.cli.config import Sources, settings_options
from gateway.cli.output import as_json_option, print_json, print_table
from gateway.cli.stores import store_option
from gateway.services.course_exports import package_of, structure_of
from gateway.services.course_views import course_summary, version_summary
from gateway.services.services import Services


@click.command()
@settings_options(*COMMON)
@click.argument("course", type=Id())
@store_option
@as_json_option
def versions(sources: Sources, course: UUID, store: str | None, as_json: bool) -> None:
    """List what was imported of a course, the latest first."""

    async def use(services: Services) -> list[dict[str, Any]]:
        stored = await services.courses.get(course)
        return [version_summary(each, stored.number) for each in await services.courses.versions(course)]

    found = with_services(sources.require(), store, use)
    if as_json:
        print_json(found)
        return
    rows = [
        [
            str(row["version"]),
            "current" if row["current"] else "",
            "zip" if row["packaged"] else "xml",
            *(str(row[column]) for column in ("files", "size", "created")),
        ]
        for row in found
    ]
    print_table(("version", "", "as", "files", "bytes", "imported"), rows)


@click.command()
@settings_options(*COMMON)
@click.argument("course", type=Id())
@click.argument("version", type=click.IntRange(min=1))
@store_option
@as_json_option
def use(sources: Sources, course: UUID, version: int, store: str | None, as_json: bool) -> None:
    """Choose the version that new registrations get; those that exist keep theirs."""

    async def choose(services: Services) -> dict[str, Any]:
        return course_summary(await services.courses.select(course, version))

    found = with_services(sources.require(), store, choose)
    if as_json:
        print_json(found)
    else:
        click.echo(f"{found['id']}  {found['title']}  version {found['version']}")


@click.command()
@settings_options(*COMMON)
@click.argument("course", type=Id())
@version_option
@store_option
@as_json_option
def files(sources: Sources, course: UUID, version: int | None, store: str | None, as_json: bool) -> None:
    """List the files of a course."""

    async def look(services: Services) -> list[dict[str, Any]]:
        chosen = await services.courses.numbered(course, version)
        return [{"path": path, "size": file.size} for path, file in await services.courses.files(chosen.id)]

    found = with_services(sources.require(), store, look)
    if as_json:
        print_json(found)
    else:
        print_table(("path", "bytes"), [[row["path"], str(row["size"])] for row in found])


@click.command()
@settings_options(*COMMON)
@click.argument("course", type=Id())
@click.argument("file", type=click.Path(dir_okay=False, writable=True, path_type=Path))
@version_option
@store_option
@as_json_option
def export(
    sources: Sources, course: UUID, file: Path, version: int | None, store: str | None, as_json: bool
) -> None:
    """Write a course to FILE: its structure for a name that ends in .xml, else a package (zip)."""

    async def write(services: Services) -> dict[str, Any]:
        chosen, size = await services.courses.numbered(course, version), 0
        with file.open("wb") as target:
            if file.suffix.lower() == ".xml":
                size += target.write(await structure_of(services.courses, chosen))
            else:
                async for piece in package_of(services.courses, chosen):
                    size += target.write(piece)
        return {"file": str(file), "version": chosen.number, "size": size}

    done = with_services(sources.require(), store, write)
    if as_json:
        print_json(done)
    else:
        click.echo(f"{done['file']}: version {done['version']}, {done['size']} bytes")


COMMANDS = (versions, use, files, export)
