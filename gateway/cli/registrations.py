"""`xapi-gateway registrations`: enrol learners, hand out links, follow, waive and abandon."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import click

from gateway.cli.cmi5 import COMMON, Id, au_reference, learner, learner_options, store_option, with_services
from gateway.cli.config import Sources, settings_options
from gateway.cli.output import as_json_option, print_json, print_table
from gateway.cmi5.overrides import Overrides
from gateway.cmi5.vocabulary import WAIVE_REASONS
from gateway.services.addresses import configured_addresses
from gateway.services.course_views import (
    registration_summary,
    session_summary,
    whole_registration,
)
from gateway.services.registrations import Enrolment
from gateway.services.services import Services
from gateway.services.texts import time_text


@click.group()
def registrations() -> None:
    """Enrol learners in courses and follow them."""


@registrations.command()
@settings_options(*COMMON)
@click.argument("course", type=Id())
@learner_options
@click.option("--id", "identity", type=Id(), default=None, help="A UUID of your own; made if not given.")
@store_option
@as_json_option
def create(
    sources: Sources,
    course: UUID,
    actor: str | None,
    account: tuple[str, str] | None,
    identity: UUID | None,
    store: str | None,
    as_json: bool,
) -> None:
    """Register a learner for a course; again with the same --id changes nothing."""
    enrolment = Enrolment(
        course=course, actor=learner(actor, account), id=identity or uuid4(), overrides=Overrides()
    )

    async def use(services: Services) -> dict[str, Any]:
        registration, _ = await services.registrations.create(enrolment)
        return registration_summary(registration)

    made = with_services(sources.require(), store, use)
    if as_json:
        print_json(made)
    else:
        click.echo(made["id"])


@registrations.command("list")
@settings_options(*COMMON)
@click.option("--course", type=Id(), default=None, help="Only those for this course.")
@store_option
@as_json_option
def list_(sources: Sources, course: UUID | None, store: str | None, as_json: bool) -> None:
    """List registrations, newest first."""

    async def use(services: Services) -> list[dict[str, Any]]:
        found = await services.registrations.list(course=course, limit=1000)
        return [registration_summary(registration) for registration in found]

    found = with_services(sources.require(), store, use)
    if as_json:
        print_json(found)
        return
    rows = [[row["id"], row["actor"]["account"]["name"], row["course"], str(row["created"])] for row in found]
    print_table(("id", "learner", "course", "created"), rows)


@registrations.command()
@settings_options(*COMMON)
@click.argument("registration", type=Id())
@store_option
@as_json_option
def show(sources: Sources, registration: UUID, store: str | None, as_json: bool) -> None:
    """Show how far a learner is."""
    found = with_services(sources.require(), store, lambda services: _whole(services, registration))
    if as_json:
        print_json(found)
    else:
        _print_progress(found)


@registrations.command()
@settings_options(*COMMON)
@click.argument("registration", type=Id())
@click.option("--au", default=None, help="Index or id of the AU; whichever is next if not given.")
@store_option
@as_json_option
def link(sources: Sources, registration: UUID, au: str | None, store: str | None, as_json: bool) -> None:
    """Print a link for the learner that begins a session when it is clicked."""
    settings = sources.require()
    reference = None if au is None else au_reference(au)

    async def use(services: Services) -> dict[str, Any]:
        made = await services.launch_links.create(registration, reference, Overrides())
        gateway = configured_addresses(settings).gateway
        return {"url": f"{gateway}/launch/{made.token}", "expires": time_text(made.expires)}

    made = with_services(settings, store, use)
    if as_json:
        print_json(made)
    else:
        click.echo(made["url"])


@registrations.command()
@settings_options(*COMMON)
@click.argument("registration", type=Id())
@click.argument("au")
@click.option("--reason", required=True, help=f"Such as: {', '.join(WAIVE_REASONS)}.")
@store_option
@as_json_option
def waive(
    sources: Sources, registration: UUID, au: str, reason: str, store: str | None, as_json: bool
) -> None:
    """Let an AU (index or id) count as met without being taken."""

    async def use(services: Services) -> dict[str, Any]:
        await services.registrations.waive(registration, au_reference(au), reason)
        return await _whole(services, registration)

    found = with_services(sources.require(), store, use)
    if as_json:
        print_json(found)
    else:
        _print_progress(found)


@registrations.command()
@settings_options(*COMMON)
@click.argument("session", type=Id())
@store_option
@as_json_option
def abandon(sources: Sources, session: UUID, store: str | None, as_json: bool) -> None:
    """End a session that its AU did not terminate."""

    async def use(services: Services) -> dict[str, Any]:
        return session_summary(await services.sessions.abandon(session, "administrator"))

    ended = with_services(sources.require(), store, use)
    if as_json:
        print_json(ended)
    else:
        click.echo(f"{ended['id']} is {ended['state']}")


async def _whole(services: Services, registration_id: UUID) -> dict[str, Any]:
    registration = await services.registrations.get(registration_id)
    progress = await services.registrations.progress(registration)
    sessions = await services.sessions.list(registration=registration_id)
    return whole_registration(registration, progress, sessions)


_FLAGS = ("attempted", "completed", "passed", "failed", "waived", "satisfied")


def _print_progress(found: dict[str, Any]) -> None:
    click.echo(f"{found['actor']['account']['name']}, registered {found['created']}\n")
    rows: list[list[str]] = []

    def walk(node: dict[str, Any], depth: int) -> None:
        title = next(iter(node["title"].values()), node["publisherId"])
        state = ", ".join(flag for flag in _FLAGS if node[flag])
        score = node.get("score")
        rows.append(["  " * depth + title, state, "" if score is None else str(score), node["time"]])
        for child in node.get("children", ()):
            walk(child, depth + 1)

    walk(found["progress"], 0)
    print_table(("", "state", "score", "time"), rows)
    if found["sessions"]:
        click.echo()
        columns = ("id", "state", "launched", "statements")
        print_table(columns, [[str(row[column]) for column in columns] for row in found["sessions"]])
