"""`xapi-gateway courses`: import cmi5 courses, look at them, launch them."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import click

from gateway.cli.cmi5 import COMMON, Id, au_reference, learner, learner_options, store_option, with_services
from gateway.cli.config import Sources, settings_options
from gateway.cli.output import as_json_option, print_json, print_table
from gateway.cmi5.overrides import Overrides, read_overrides
from gateway.cmi5.vocabulary import LaunchMode, MoveOn
from gateway.services.addresses import configured_addresses
from gateway.services.course_views import course_summary, imported_course, launched_session, whole_course
from gateway.services.launches import LaunchRequest
from gateway.services.registrations import Enrolment
from gateway.services.services import Services


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
        with file.open("rb") as content:
            if course is None:
                return imported_course(await services.courses.create(content, base=base))
            return imported_course(await services.courses.add_version(course, content, base=base))

    made = with_services(settings, store, use)
    if as_json:
        print_json(made)
        return
    click.echo(f"{made['id']}  {made['title']}")
    for index, au in enumerate(made["aus"]):
        click.echo(f"  AU {index}  {au['title']}")
    for warning in made["warnings"]:
        click.echo(f"  warning  {warning['path']}: {warning['message']} [{warning['requirement']}]")


@courses.command("list")
@settings_options(*COMMON)
@click.option("--search", default=None, help="Only those whose title or publisher id holds this.")
@store_option
@as_json_option
def list_(sources: Sources, search: str | None, store: str | None, as_json: bool) -> None:
    """List courses, newest first."""

    async def use(services: Services) -> list[dict[str, Any]]:
        return [course_summary(each) for each in await services.courses.list(search=search, limit=1000)]

    found = with_services(sources.require(), store, use)
    if as_json:
        print_json(found)
        return
    columns = ("id", "title", "version", "updated")
    print_table(columns, [[str(row[column]) for column in columns] for row in found])


@courses.command()
@settings_options(*COMMON)
@click.argument("course", type=Id())
@store_option
@as_json_option
def show(sources: Sources, course: UUID, store: str | None, as_json: bool) -> None:
    """Show a course with its AUs."""

    async def use(services: Services) -> dict[str, Any]:
        stored = await services.courses.get(course)
        version = await services.courses.version(stored.version)
        return whole_course(stored, version, await services.courses.structure(stored.version))

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
