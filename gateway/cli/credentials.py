"""`xapi-gateway credentials`: who may use the gateway, and for what."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable
from typing import TypeVar

import click

from gateway.cli.config import Sources, settings_options
from gateway.cli.opening import chosen_store, open_client, run
from gateway.cli.output import as_json_option, print_json, print_table
from gateway.cli.recording import nothing_changed, tell
from gateway.errors import Invalid
from gateway.services.access import Scope
from gateway.services.bootstrap import new_key, new_secret
from gateway.services.clock import utc_now
from gateway.services.credentials import check_rows
from gateway.settings import Settings
from gateway.store.credentials import Credential, Credentials
from gateway.store.row_filters import RowFilter
from gateway.store.store import Store

Result = TypeVar("Result")
_COMMON = ("data.dir", "mongo.uri")


@click.group()
def credentials() -> None:
    """Create, list, rotate and revoke the keys that clients use."""


@credentials.command()
@settings_options(*_COMMON)
@click.option("--name", required=True, help="What people call it; the authority of its statements.")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    type=click.Choice([str(scope) for scope in Scope]),
    help="Repeatable.",
)
@click.option("--may-read-verb", "verbs", multiple=True, metavar="IRI", help="Only these verbs. Repeatable.")
@click.option(
    "--may-read-course",
    "courses",
    multiple=True,
    metavar="IRI",
    help="Only statements about this activity or with it in their context. Repeatable.",
)
@click.option(
    "--may-read-source",
    "sources_",
    multiple=True,
    metavar="SOURCE",
    help="Only what came from adapter:NAME or credential:KEY. Repeatable.",
)
@click.option(
    "--may-read-platform",
    "platforms",
    multiple=True,
    metavar="TEXT",
    help="Only this context.platform. Repeatable.",
)
@click.option("--store", default=None, help="The store it opens; the default one if not given.")
@click.option("--owner", default=None, help="Who answers for it.")
@click.option("--purpose", default=None, help="What it is used for.")
@click.option("--key", default=None, help="User name; generated if not given.")
@click.option("--secret", default=None, help="Password; generated if not given.")
@as_json_option
def create(
    sources: Sources,
    name: str,
    scopes: tuple[str, ...],
    verbs: tuple[str, ...],
    courses: tuple[str, ...],
    sources_: tuple[str, ...],
    platforms: tuple[str, ...],
    store: str | None,
    owner: str | None,
    purpose: str | None,
    key: str | None,
    secret: str | None,
    as_json: bool,
) -> None:
    """Create a credential and print it as JSON; the secret is shown this once.

    The --may-read options limit which statements it reads: those that hold a value of each kind given.
    """
    settings = sources.require()
    chosen = chosen_store(settings, store)
    credential = Credential(
        key=key or new_key(),
        name=name,
        store=chosen,
        scopes=scopes,
        owner=owner,
        purpose=purpose,
        rows=_rows(scopes, verbs=verbs, courses=courses, sources=sources_, platforms=platforms),
        created=utc_now(),
    )
    plain = secret or new_secret()
    tell(key=credential.key)
    if ":" in credential.key:
        raise click.BadParameter("a key cannot contain a colon: HTTP Basic authentication ends it there")
    if not _with(settings, lambda stored: stored.create(credential, plain)):
        raise click.ClickException(f"there is a credential with the key {credential.key} already")
    print_json(_described(credential) | {"secret": plain})


@credentials.command("list")
@settings_options(*_COMMON)
@as_json_option
def list_(sources: Sources, as_json: bool) -> None:
    """List all credentials, revoked ones included; never their secrets."""
    found = [_described(credential) for credential in _with(sources.require(), lambda stored: stored.list())]
    if as_json:
        print_json(found)
        return
    columns = ("key", "name", "store", "scopes", "owner", "last_used", "revoked")
    print_table(columns, [[_shown(row[column]) for column in columns] for row in found])


@credentials.command()
@settings_options(*_COMMON)
@click.argument("key")
@as_json_option
def rotate(sources: Sources, key: str, as_json: bool) -> None:
    """Give a credential a new secret and print it; the old one stops working within seconds."""
    plain = new_secret()
    credential = _with(sources.require(), lambda stored: stored.rotate(key, plain))
    if credential is None:
        raise click.ClickException(f"there is no credential with the key {key} that is not revoked")
    print_json(_described(credential) | {"secret": plain})


@credentials.command()
@settings_options(*_COMMON)
@click.argument("key")
@as_json_option
def revoke(sources: Sources, key: str, as_json: bool) -> None:
    """End a credential for good; it stops working within seconds."""
    credential = _with(sources.require(), lambda stored: stored.revoke(key, utc_now()))
    if credential is None:
        raise click.ClickException(f"there is no credential with the key {key}")
    if as_json:
        print_json(_described(credential))
    else:
        click.echo(f"{key} is revoked")


def _with(settings: Settings, use: Callable[[Credentials], Awaitable[Result]]) -> Result:
    async def main() -> Result:
        async with open_client(settings) as client:
            store = Store(client, settings.databases[settings.stores.default])
            await store.prepare()
            done = await use(store.credentials)
            if done is None or done is False:  # there is none, or the key is taken
                nothing_changed()
            return done

    return run(main)


def _rows(scopes: tuple[str, ...], **parts: tuple[str, ...]) -> RowFilter | None:
    try:
        rows = RowFilter(**parts)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    try:
        check_rows(scopes, rows)
    except Invalid as error:
        raise click.BadParameter(error.message) from None
    return rows or None


def _described(credential: Credential) -> dict[str, object]:
    return {
        "key": credential.key,
        "name": credential.name,
        "store": credential.store,
        "scopes": list(credential.scopes),
        "owner": credential.owner,
        "purpose": credential.purpose,
        "may_read": credential.rows.document() if credential.rows else None,
        "created": _time(credential.created),
        "last_used": _time(credential.last_used),
        "revoked": _time(credential.revoked),
    }


def _time(value: dt.datetime | None) -> str | None:
    return value.isoformat(timespec="seconds").replace("+00:00", "Z") if value else None


def _shown(value: object) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value or "")
