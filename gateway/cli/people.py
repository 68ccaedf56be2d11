"""`xapi-gateway people`: who may sign in to the console, and as what."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import click

from gateway.cli.config import Sources, settings_options
from gateway.cli.opening import open_client, run
from gateway.cli.output import as_json_option, print_json, print_table
from gateway.services.addresses import public_url
from gateway.services.people import People, Role
from gateway.services.texts import time_text
from gateway.settings import Settings
from gateway.store.people import Person
from gateway.store.store import Store

Result = TypeVar("Result")
_COMMON = ("data.dir", "mongo.uri")
_role = click.Choice([str(role) for role in Role])


@click.group()
def people() -> None:
    """Create, list, disable and let back in the people who use the console."""


@people.command()
@settings_options(*_COMMON)
@click.option("--login", required=True, help="What they type to sign in; an e-mail address will do.")
@click.option("--name", required=True, help="What they are called.")
@click.option(
    "--role",
    "roles",
    multiple=True,
    required=True,
    type=_role,
    help="Repeatable.",
)
@click.option("--store", default=None, help="Which store they see; the default one if not given.")
@as_json_option
def create(
    sources: Sources, login: str, name: str, roles: tuple[str, ...], store: str | None, as_json: bool
) -> None:
    """Create somebody and print the link with which they choose a password, once, within a day."""
    settings = sources.require()

    async def make(present: People) -> tuple[Person, str]:
        person = await present.create(login, name, roles, store or settings.stores.default)
        return person, await present.make_link(person)

    _print_link(settings, *_with(settings, make), as_json=as_json)


@people.command("list")
@settings_options(*_COMMON)
@as_json_option
def list_(sources: Sources, as_json: bool) -> None:
    """List everybody, disabled people included; never their passwords."""
    found = [_described(person) for person in _with(sources.require(), lambda present: present.list())]
    if as_json:
        print_json(found)
        return
    columns = ("login", "name", "roles", "store", "password", "signed_in", "disabled")
    print_table(columns, [[_shown(row[column]) for column in columns] for row in found])


@people.command("reset-link")
@settings_options(*_COMMON)
@click.argument("login")
@as_json_option
def reset_link(sources: Sources, login: str, as_json: bool) -> None:
    """Print a link with which somebody chooses a new password, once, within a day."""
    settings = sources.require()

    async def make(present: People) -> tuple[Person, str]:
        person = await present.named(login)
        return person, await present.make_link(person)

    _print_link(settings, *_with(settings, make), as_json=as_json)


@people.command("set-roles")
@settings_options(*_COMMON)
@click.argument("login")
@click.option("--role", "roles", multiple=True, required=True, type=_role, help="All that they shall have.")
@as_json_option
def set_roles(sources: Sources, login: str, roles: tuple[str, ...], as_json: bool) -> None:
    """Give somebody other roles; they count at once."""
    person = _with(sources.require(), lambda present: present.set_roles(login, roles))
    _print(person, f"{person.login} is {', '.join(person.roles)}", as_json=as_json)


@people.command("sign-out")
@settings_options(*_COMMON)
@click.argument("login")
@as_json_option
def sign_out(sources: Sources, login: str, as_json: bool) -> None:
    """End all sessions of somebody, who may sign in again."""
    person = _with(sources.require(), lambda present: present.end_sessions(login))
    _print(person, f"{person.login} is signed out", as_json=as_json)


@people.command("link")
@settings_options(*_COMMON)
@click.argument("login")
@click.argument("subject")
@as_json_option
def link_subject(sources: Sources, login: str, subject: str, as_json: bool) -> None:
    """Let somebody sign in as SUBJECT, their id at the identity provider of the settings."""
    settings = sources.require()
    issuer = settings.oidc.issuer
    if issuer is None:
        raise click.ClickException("there is no identity provider; set oidc.issuer")
    person = _with(settings, lambda present: present.link_subject(login, issuer, subject))
    _print(person, f"{person.login} may come in as {subject}", as_json=as_json)


@people.command("unlink")
@settings_options(*_COMMON)
@click.argument("login")
@as_json_option
def unlink_subject(sources: Sources, login: str, as_json: bool) -> None:
    """Let somebody not come in from the identity provider any more, and end their sessions."""
    person = _with(sources.require(), lambda present: present.unlink_subject(login))
    _print(person, f"{person.login} is not linked any more", as_json=as_json)


@people.command()
@settings_options(*_COMMON)
@click.argument("login")
@as_json_option
def disable(sources: Sources, login: str, as_json: bool) -> None:
    """End all sessions of somebody, who cannot sign in any more."""
    person = _with(sources.require(), lambda present: present.disable(login))
    _print(person, f"{person.login} is disabled", as_json=as_json)


@people.command()
@settings_options(*_COMMON)
@click.argument("login")
@as_json_option
def enable(sources: Sources, login: str, as_json: bool) -> None:
    """Let somebody who was disabled sign in again."""
    person = _with(sources.require(), lambda present: present.enable(login))
    _print(person, f"{person.login} may sign in", as_json=as_json)


def _with(settings: Settings, use: Callable[[People], Awaitable[Result]]) -> Result:
    async def main() -> Result:
        async with open_client(settings) as client:
            store = Store(client, settings.databases[settings.stores.default])
            await store.prepare()
            return await use(People.of(settings, store))

    return run(main)


def _print(person: Person, told: str, *, as_json: bool) -> None:
    if as_json:
        print_json(_described(person))
    else:
        click.echo(told)


def _print_link(settings: Settings, person: Person, token: str, *, as_json: bool) -> None:
    url = f"{public_url(settings)}/admin/welcome/{token}"
    if as_json:
        print_json(_described(person) | {"link": url})
    else:
        click.echo(f"{person.login} chooses a password with this link, once, within a day:\n{url}")


def _described(person: Person) -> dict[str, object]:
    return {
        "login": person.login,
        "name": person.name,
        "roles": list(person.roles),
        "store": person.store,
        "password": person.password is not None,
        "subject": person.subject.id if person.subject is not None else None,
        "created": time_text(person.created),
        "signed_in": time_text(person.signed_in),
        "disabled": time_text(person.disabled),
    }


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) if isinstance(value, list) else str(value or "")
