"""`xapi-gateway registrations preferences`: in which language, and with sound, a learner wants courses."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import click

from gateway.cli.cmi5 import COMMON, Id, with_services
from gateway.cli.config import Sources, settings_options
from gateway.cli.output import as_json_option, print_json
from gateway.cli.stores import store_option
from gateway.errors import NotFound
from gateway.services.services import Services
from gateway.xapi import strict_json


@click.command()
@settings_options(*COMMON)
@click.argument("registration", type=Id())
@click.option("--languages", default=None, help="Language tags with commas between, the best first.")
@click.option("--audio", type=click.Choice(["on", "off"]), default=None)
@click.option("--clear", is_flag=True, help="Remove them.")
@store_option
@as_json_option
def preferences(
    sources: Sources,
    registration: UUID,
    languages: str | None,
    audio: str | None,
    clear: bool,
    store: str | None,
    as_json: bool,
) -> None:
    """Show or set the preferences of a learner, which hold for all courses."""
    if (languages is None) != (audio is None) or (clear and languages is not None):
        raise click.UsageError("set both, --languages and --audio, or --clear them")

    async def use(services: Services) -> dict[str, Any] | None:
        found = await services.registrations.get(registration)
        if languages is not None:
            values = {"languagePreference": languages, "audioPreference": audio}
            await services.preferences.set(found, values)
        if clear:
            await services.preferences.clear(found)
        try:
            document = await services.preferences.get(found)
        except NotFound:
            return None
        value: dict[str, Any] = strict_json.parse(document.content).value
        return value

    found = with_services(sources.require(), store, use)
    if as_json:
        print_json(found)
    elif found is None:
        click.echo("none")
    else:
        click.echo(f"languages {found.get('languagePreference')}, audio {found.get('audioPreference')}")


COMMANDS = (preferences,)
