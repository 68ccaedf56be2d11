"""`xapi-gateway courses`: import cmi5 courses, look at them, launch them."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import click

from gateway.cli.cmi5 import (
    COMMON,
    PAGE,
    Id,
    Place,
    au_reference,
    every,
    learner,
    learner_options,
    overrides_of,
    print_overrides,
    version_option,
    with_services,
)
from gateway.cli.config import Sources, settings_options
from gateway.cli.course_versions import COMMANDS
from gateway.cli.output import as_json_option, print_json, print_table, telling
from gateway.cli.stores import store_option
from gateway.cmi5.overrides import Overrides, read_overrides
from gateway.cmi5.vocabulary import LaunchMode, MoveOn
from gateway.services.addresses import configured_addresses
from gateway.services.course_views import (
    course_summary,
    imported_course,
    launched_session,
    overrides_document,
    whole_course,
)
from gateway.services.courses import stored_overrides
from gateway.services.launches import LaunchRequest
from gateway.services.registrations import Enrolment
from gateway.services.services import Services
from gateway.store.courses import StoredCourse


@click.group()
def courses() -> None:
    """Import, list and launch cmi5 courses."""


@courses.command("import")
@settings_options(*COMMON)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--new-version-of", "course", type=Id(), default=None, help="A course to bring up to date.")
@store_option
@as_json_option
def import_(sources: Sources, file: Path, course: UUID | None, store: str | None, as_json: bool) -> None:
    """Import a course package (.zip) or structure (.xml); prints all that is wrong with it."""
    settings = sources.require()
    base = configured_addresses(settings).gateway

    async def use(services: Services) -> dict[str, Any]:
        with file.open("rb") as content, telling("storing files") as tell:
            if course is None:
                return imported_course(await services.courses.create(content, base=base, tell=tell))
            made = await services.courses.add_version(course, content, base=base, tell=tell)
            return imported_course(made)

    made = with_services(settings, store, use)
    if as_json:
        print_json(made)
        return
    click.echo(f"{made['id']}  {made['title']}  version {made['version']}")
    for index, au in enumerate(made["aus"]):
        click.echo(f"  AU {index}  {au['title']}")
    for warning in made["warnings"]:
        click.echo(f"  warning  {warning['path']}: {warning['message']} [{warning['requirement']}]")


@courses.command("list")
@settings_options(*COMMON)
@click.option("--search", default=None, help="Only those whose name, title or publisher id holds this.")
@click.option("--tag", default=None, help="Only those with this tag.")
@store_option
@as_json_option
def list_(sources: Sources, search: str | None, tag: str | None, store: str | None, as_json: bool) -> None:
    """List courses, newest first."""

    async def use(services: Services) -> list[dict[str, Any]]:
        async def page(after: Place | None) -> list[StoredCourse]:
            return await services.courses.list(search=search, tag=tag, after=after, limit=PAGE)

        return [course_summary(each) async for each in every(page, lambda row: (row.created, row.id))]

    found = with_services(sources.require(), store, use)
    if as_json:
        print_json(found)
        return
    rows = [
        [row["id"], row["title"], str(row["version"]), ", ".join(row["tags"]), str(row["updated"])]
        for row in found
    ]
    print_table(("id", "title", "version", "tags", "updated"), rows)


@courses.command()
@settings_options(*COMMON)
@click.argument("course", type=Id())
@version_option
@store_option
@as_json_option
def show(sources: Sources, course: UUID, version: int | None, store: str | None, as_json: bool) -> None:
    """Show a course with its AUs."""

    async def use(services: Services) -> dict[str, Any]:
        stored, found = await services.courses.get(course), await services.courses.numbered(course, version)
        return whole_course(stored, found, await services.courses.structure(found.id))

    found = with_services(sources.require(), store, use)
    if as_json:
        print_json(found)
        return
    click.echo(f"{found['title']}\n{found['publisherId']}, version {found['version']}\n")
    columns = ("title", "moveOn", "masteryScore", "url")
    rows = [
        [str(index), *("" if au[column] is None else str(au[column]) for column in columns)]
        for index, au in enumerate(found["aus"])
    ]
    print_table(("au", *columns), rows)


@courses.command()
@settings_options(*COMMON)
@click.argument("course", type=Id())
@click.option("--name", default=None, help='What to call it; "" for the publisher\'s title.')
@click.option("--tag", "tags", multiple=True, help="A tag; give all it shall have.")
@click.option("--no-tags", is_flag=True, help="Take all tags away.")
@store_option
@as_json_option
def describe(
    sources: Sources,
    course: UUID,
    name: str | None,
    tags: tuple[str, ...],
    no_tags: bool,
    store: str | None,
    as_json: bool,
) -> None:
    """Change the name and the tags of a course."""
    changes: dict[str, Any] = {}
    if name is not None:
        changes["name"] = name or None
    if tags or no_tags:
        changes["tags"] = list(tags)
    if not changes:
        raise click.UsageError("say what to change: --name, --tag or --no-tags")

    async def use(services: Services) -> dict[str, Any]:
        return course_summary(await services.courses.describe(course, changes))

    found = with_services(sources.require(), store, use)
    if as_json:
        print_json(found)
    else:
        click.echo(f"{found['id']}  {found['title']}  {', '.join(found['tags'])}".rstrip())


@courses.command()
@settings_options(*COMMON)
@click.argument("course", type=Id())
@click.option("--force", is_flag=True, help="Delete its registrations, too.")
@store_option
@as_json_option
def delete(sources: Sources, course: UUID, force: bool, store: str | None, as_json: bool) -> None:
    """Delete a course with its files. Statements stay in the learning record."""
    with_services(
        sources.require(), store, lambda services: services.removals.delete_course(course, force=force)
    )
    if as_json:
        print_json({"deleted": str(course)})
    else:
        click.echo(f"{course} is deleted")


@courses.command()
@settings_options(*COMMON)
@click.argument("course", type=Id())
@click.option("--set", "text", default=None, metavar="JSON", help="Replace them; {} takes all away.")
@store_option
@as_json_option
def overrides(sources: Sources, course: UUID, text: str | None, store: str | None, as_json: bool) -> None:
    """Show or replace what applies to every future launch of a course."""
    new = None if text is None else overrides_of(text)

    async def use(services: Services) -> dict[str, Any]:
        if new is None:
            stored = await services.courses.get(course)
        else:
            stored = await services.courses.override(course, new)
        return overrides_document(stored_overrides(stored.overrides))

    print_overrides(with_services(sources.require(), store, use), as_json=as_json)


@courses.command("launch-url")
@settings_options(*COMMON)
@click.argument("course", type=Id())
@click.option("--au", default="0", show_default=True, help="Index, LMS id or publisher id of the AU.")
@learner_options
@click.option("--registration", type=Id(), default=None, help="A registration to use or to make.")
@click.option("--launch-mode", type=click.Choice([mode.value for mode in LaunchMode]), default=None)
@click.option("--move-on", type=click.Choice([rule.value for rule in MoveOn]), default=None)
@click.option("--mastery-score", type=Decimal, default=None, metavar="0..1")
@click.option("--launch-parameters", default=None)
@click.option("--return-url", default=None, help="Where the learner lands afterwards.")
@store_option
@as_json_option
def launch_url(
    sources: Sources,
    course: UUID,
    au: str,
    actor: str | None,
    account: tuple[str, str] | None,
    registration: UUID | None,
    store: str | None,
    as_json: bool,
    **overrides: Any,
) -> None:
    """Begin a session at once and print the URL that runs it. Learners are better given a link."""
    settings = sources.require()
    agent, changed = learner(actor, account), _overrides(overrides)
    enrolment = Enrolment(course=course, actor=agent, id=registration or uuid4(), overrides=Overrides())
    reference = au_reference(au)

    async def use(services: Services) -> dict[str, Any]:
        await services.registrations.check_au(enrolment, reference)
        registered, _ = await services.registrations.create(enrolment)
        request = LaunchRequest(
            registration=registered.id,
            au=reference,
            overrides=changed,
            addresses=configured_addresses(settings),
        )
        return launched_session(await services.launches.launch(request))

    launched = with_services(settings, store, use)
    if as_json:
        print_json(launched)
    else:
        click.echo(launched["url"])


@courses.command()
@settings_options(*COMMON)
@click.argument("course", type=Id())
@click.option("--au", default="0", show_default=True, help="Index, LMS id or publisher id of the AU.")
@version_option
@store_option
@as_json_option
def preview(
    sources: Sources, course: UUID, au: str, version: int | None, store: str | None, as_json: bool
) -> None:
    """Print a URL that shows an AU in Browse mode, to nobody in particular and in no report."""
    settings = sources.require()

    async def use(services: Services) -> dict[str, Any]:
        addresses = configured_addresses(settings)
        return launched_session(
            await services.previews.launch(course, au_reference(au), Overrides(), addresses, version=version)
        )

    launched = with_services(settings, store, use)
    if as_json:
        print_json(launched)
    else:
        click.echo(launched["url"])


_FIELDS = {
    "launch_mode": "launchMode",
    "move_on": "moveOn",
    "mastery_score": "masteryScore",
    "launch_parameters": "launchParameters",
    "return_url": "returnURL",
}


def _overrides(given: dict[str, Any]) -> Overrides:
    overrides, problems = read_overrides({_FIELDS[name]: value for name, value in given.items()})
    if problems:
        raise click.BadParameter(f"{problems[0].path} {problems[0].message}")
    return overrides


for command in COMMANDS:
    courses.add_command(command)
