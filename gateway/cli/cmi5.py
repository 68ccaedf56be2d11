"""What the course commands share: services that run while a command does, and options for learners."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar
from uuid import UUID

import click

from gateway.cli.opening import open_client, run
from gateway.cli.output import print_json, print_table
from gateway.cmi5.overrides import OVERRIDES, Overrides, read_overrides
from gateway.errors import BadRequest, Invalid
from gateway.services.opening import open_services
from gateway.services.registrations import check_learner
from gateway.services.services import Services
from gateway.settings import Settings
from gateway.xapi import strict_json

Result = TypeVar("Result")
Command = TypeVar("Command", bound=Callable[..., None])

# Where the database is, and the ports that stand in launch URLs.
COMMON = ("data.dir", "mongo.uri", "server.host", "server.port", "server.content_port")

version_option = click.option(
    "--version", type=click.IntRange(min=1), default=None, help="Another than the current one."
)


def with_services(
    settings: Settings, store: str | None, use: Callable[[Services], Awaitable[Result]]
) -> Result:
    """Run `use` with a store's services, and every problem printed when something is refused."""

    async def main() -> Result:
        async with open_client(settings) as client:
            services = await open_services(settings, client)
            name = store or settings.stores.default
            if name not in services:
                raise click.BadParameter(f"there is no store {name!r}; there is {', '.join(services)}")
            async with _writing(services[name]):
                return await use(services[name])

    try:
        return run(main)
    except click.ClickException as error:
        cause = error.__cause__
        if isinstance(cause, Invalid) and cause.problems:
            lines = [f"  {each.path}: {each.message} [{each.requirement}]" for each in cause.problems]
            raise click.ClickException("\n".join([cause.message, *lines])) from cause
        raise


@contextlib.asynccontextmanager
async def _writing(services: Services) -> AsyncIterator[None]:
    """Statements are written by background work, which has to run meanwhile."""
    task = asyncio.create_task(services.write())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def learner_options(command: Command) -> Command:
    """`--actor` or `--account`; `learner` makes the Agent of them."""
    for option in (
        click.option(
            "--account",
            nargs=2,
            default=None,
            metavar="HOME-PAGE NAME",
            help="The learner's account: the site it is of, and its name there.",
        ),
        click.option("--actor", default=None, help="The learner as an xAPI Agent in JSON."),
    ):
        command = option(command)
    return command


def learner(actor: str | None, account: tuple[str, str] | None) -> dict[str, Any]:
    """The Agent that the options name."""
    if (actor is None) == (account is None):
        raise click.UsageError("say who the learner is: either --account HOME-PAGE NAME or --actor JSON")
    if account is not None:
        agent: Any = {"objectType": "Agent", "account": {"homePage": account[0], "name": account[1]}}
    else:
        try:
            agent = strict_json.parse((actor or "").encode()).value
        except BadRequest as error:
            raise click.BadParameter(error.message, param_hint="--actor") from None
    if problems := check_learner(agent):
        raise click.BadParameter(f"{problems[0].path} {problems[0].message}")
    return dict(agent)


# How many rows a command asks for at a time, and behind which it goes on.
PAGE = 500
Place = tuple[dt.datetime, UUID]


async def every(
    page: Callable[[Place | None], Awaitable[list[Result]]], place: Callable[[Result], Place]
) -> AsyncIterator[Result]:
    """All rows of a list that comes in pages of `PAGE`."""
    after: Place | None = None
    while True:
        found = await page(after)
        for row in found:
            yield row
        if len(found) < PAGE:
            return
        after = place(found[-1])


def overrides_of(text: str) -> Overrides:
    """Overrides as JSON, with the names that the API has for them."""
    try:
        value = strict_json.parse(text.encode()).value
    except BadRequest as error:
        raise click.BadParameter(error.message, param_hint="--set") from None
    if not isinstance(value, dict):
        raise click.BadParameter("expected a JSON object", param_hint="--set")
    found, problems = read_overrides(value)
    if unknown := [name for name in value if name not in OVERRIDES]:
        raise click.BadParameter(f"{unknown[0]} is none of {', '.join(OVERRIDES)}", param_hint="--set")
    if problems:
        raise click.BadParameter(f"{problems[0].path} {problems[0].message}", param_hint="--set")
    return found


def print_overrides(found: dict[str, Any], *, as_json: bool) -> None:
    """Overrides, a line each."""
    if as_json:
        print_json(found)
    elif found:
        print_table(("", ""), [[name, str(value)] for name, value in found.items()])
    else:
        click.echo("nothing is overridden")


def au_reference(text: str) -> int | str:
    """An AU as it was typed: digits are an index."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else text


class Id(click.ParamType[UUID]):
    """A UUID."""

    name = "id"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> UUID:
        if isinstance(value, UUID):
            return value
        try:
            return UUID(value)
        except ValueError:
            self.fail(f"{value!r} is no UUID")
