"""`xapi-gateway config`: find mistakes in the settings, and see what is set and where it came from."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import click

from gateway.settings import Settings, SettingsError, SettingsProblem, load
from gateway.settings.schema import Option, options


class UnusableSettingsError(click.ClickException):
    """Settings that cannot be used: every problem is one line on standard error, the exit status is 1."""

    def __init__(self, error: SettingsError) -> None:
        super().__init__(str(error))

    def show(self, file: Any = None) -> None:
        click.echo(self.message, file=file, err=file is None)


@dataclass(frozen=True, slots=True)
class Sources:
    """What the command line said about settings; the environment joins when they are loaded."""

    path: Path | None
    flags: dict[str, object]

    def load(self) -> Settings:
        """The settings, or SettingsError."""
        return load(self.path, os.environ, self.flags)

    def require(self) -> Settings:
        """The settings, or an end of the command that prints what is wrong."""
        try:
            return self.load()
        except SettingsError as error:
            raise UnusableSettingsError(error) from None


def _parameter(option: Option) -> str:
    return option.name.replace(".", "_")


def _flag(value: Any) -> object:
    """What a flag says: nothing if it was not given, a list if it was repeated."""
    if not isinstance(value, tuple):
        return value
    return list(value) if len(value) > 1 else next(iter(value), None)


def settings_options(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command `--config` and the flags of these options, or of all that have one.

    The command is called with `sources=Sources(…)` beside its own arguments.
    """
    flagged = [
        (option, option.flag)
        for name, option in options().items()
        if option.flag is not None and (not names or name in names)
    ]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def decorated(config_path: Path | None, **arguments: Any) -> None:
            flags = {option.name: _flag(arguments.pop(_parameter(option))) for option, _ in flagged}
            command(sources=Sources(config_path, flags), **arguments)

        result: Callable[..., None] = decorated
        for option, flag in reversed(flagged):
            metavar = "N" if option.accepts("integer") else "TEXT"
            several = option.accepts("array")
            add = click.option(
                flag,
                _parameter(option),
                metavar=metavar,
                multiple=several,
                help=f"Set {option.name}.{' Repeatable.' if several else ''}",
            )
            result = add(result)
        return click.option(
            "--config",
            "config_path",
            metavar="FILE",
            type=click.Path(path_type=Path),
            envvar="XAPI_GATEWAY_CONFIG",
            show_envvar=True,
            help="File of settings that differ from the defaults.",
        )(result)

    return decorate


@click.group()
def config() -> None:
    """Find mistakes in the settings; see what is set, and where."""


@config.command()
@settings_options()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def check(sources: Sources, as_json: bool) -> None:
    """Print every mistake in the settings, one a line; exit with 1 if there is any."""
    problems: tuple[SettingsProblem, ...] = ()
    outside = 0
    try:
        settings = sources.load()
        outside = sum(origin.kind != "default" for origin in settings.origins.values())
    except SettingsError as error:
        problems = error.problems
    if as_json:
        found = [{"place": problem.place, "message": problem.message} for problem in problems]
        click.echo(json.dumps({"ok": not problems, "problems": found}, indent=2))
    elif problems:
        click.echo("\n".join(map(str, problems)))
    else:
        click.echo(f"config ok: {len(options())} options, {outside} of them set beside the defaults")
    if problems:
        raise SystemExit(1)


@config.command()
@settings_options()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def show(sources: Sources, as_json: bool) -> None:
    """Print every option with its value and where the value came from; secrets are masked."""
    settings = sources.require()
    if as_json:
        shown = {
            name: {"value": value, "origin": {"kind": origin.kind, "place": origin.place}}
            for name, value in settings.written.items()
            for origin in (settings.origins[name],)
        }
        click.echo(json.dumps(shown, indent=2, ensure_ascii=False))
        return
    for name, value in settings.written.items():
        origin = settings.origins[name]
        text = value if value and isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        click.echo(f"{name} = {text}  # {'default' if origin.kind == 'default' else origin.place}")
