"""`xapi-gateway registrations`: enrol learners, hand out links, follow, waive and abandon."""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import UUID, uuid4

import click

from gateway.cli import enrolments, launch_links, preferences, sessions
from gateway.cli.cmi5 import (
    COMMON,
    Id,
    au_reference,
    learner,
    learner_options,
    overrides_of,
    print_overrides,
    version_option,
    with_services,
)
from gateway.cli.config import Sources, settings_options
from gateway.cli.output import as_json_option, print_json, print_table
from gateway.cli.stores import store_option
from gateway.cmi5.overrides import Overrides
from gateway.cmi5.vocabulary import WAIVE_REASONS
from gateway.services.course_views import overrides_document, registration_summary, whole_registration
from gateway.services.courses import stored_overrides
from gateway.services.registrations import Enrolment
from gateway.services.services import Services
from gateway.store.registrations import RegistrationFilter, RegistrationState


@click.group()
def registrations() -> None:
    """Enrol learners in courses and follow them."""


@registrations.command()
@settings_options(*COMMON)
@click.argument("course", type=Id())
@learner_options
@click.option("--id", "identity", type=Id(), default=None, help="A UUID of your own; made if not given.")
@click.option("--tag", "tags", multiple=True, help="A tag; may be given several times.")
@version_option
@store_option
@as_json_option
def create(
    sources: Sources,
    course: UUID,
    actor: str | None,
    account: tuple[str, str] | None,
    identity: UUID | None,
    tags: tuple[str, ...],
    version: int | None,
    store: str | None,
    as_json: bool,
) -> None:
    """Register a learner for a course; again with the same --id changes nothing."""
    enrolment = Enrolment(
        course=course,
        actor=learner(actor, account),
        id=identity or uuid4(),
        overrides=Overrides(),
        version=version,
        tags=tuple(tags),
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
@click.option("--account", default=None, help="Only those of learners with this account name.")
@click.option("--state", type=click.Choice([state.value for state in RegistrationState]), default=None)
@click.option("--tag", default=None, help="Only those with this tag.")
@click.option(
    "--updated-since",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"]),
    default=None,
    help="Only those that changed since this time (UTC), the oldest change first.",
)
@store_option
@as_json_option
def list_(
    sources: Sources,
    course: UUID | None,
    account: str | None,
    state: str | None,
    tag: str | None,
    updated_since: dt.datetime | None,
    store: str | None,
    as_json: bool,
) -> None:
    """List registrations, newest first."""
    which = RegistrationFilter(
        course=course,
        state=None if state is None else RegistrationState(state),
        tag=tag,
        updated_since=None if updated_since is None else updated_since.replace(tzinfo=dt.UTC),
    )

    async def use(services: Services) -> list[dict[str, Any]]:
        found = services.store.registrations.each(which)
        return [
            registration_summary(one)
            async for one in found
            if account is None or one.actor["account"]["name"] == account
        ]

    found = with_services(sources.require(), store, use)
    if as_json:
        print_json(found)
        return
    rows = [
        [row["id"], row["actor"]["account"]["name"], row["state"], row["course"], str(row["updated"])]
        for row in found
    ]
    print_table(("id", "learner", "state", "course", "updated"), rows)


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
@store_option
@as_json_option
def reset(sources: Sources, registration: UUID, store: str | None, as_json: bool) -> None:
    """Let a learner begin anew: prints a new registration; the old one stays as it is."""

    async def use(services: Services) -> dict[str, Any]:
        done = await services.removals.reset(registration)
        return {**registration_summary(done.registration), "linksRevoked": done.links_revoked}

    made = with_services(sources.require(), store, use)
    if as_json:
        print_json(made)
    else:
        click.echo(made["id"])


@registrations.command()
@settings_options(*COMMON)
@click.argument("registration", type=Id())
@store_option
@as_json_option
def delete(sources: Sources, registration: UUID, store: str | None, as_json: bool) -> None:
    """Forget a registration with its sessions and links. Its statements stay in the learning record."""
    with_services(
        sources.require(), store, lambda services: services.removals.delete_registration(registration)
    )
    if as_json:
        print_json({"deleted": str(registration)})
    else:
        click.echo(f"{registration} is deleted")


@registrations.command()
@settings_options(*COMMON)
@click.argument("registration", type=Id())
@click.option("--set", "text", default=None, metavar="JSON", help="Replace them; {} takes all away.")
@store_option
@as_json_option
def overrides(
    sources: Sources, registration: UUID, text: str | None, store: str | None, as_json: bool
) -> None:
    """Show or replace what applies to every future launch of a registration."""
    new = None if text is None else overrides_of(text)

    async def use(services: Services) -> dict[str, Any]:
        if new is None:
            found = await services.registrations.get(registration)
        else:
            found = await services.registrations.override(registration, new)
        return overrides_document(stored_overrides(found.overrides))

    print_overrides(with_services(sources.require(), store, use), as_json=as_json)


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


for command in (*enrolments.COMMANDS, *launch_links.COMMANDS, *preferences.COMMANDS, *sessions.COMMANDS):
    registrations.add_command(command)
