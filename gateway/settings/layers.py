"""Lays the sources over each other: defaults, file, environment, flags; later wins, option by option."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_type_hints

from gateway.resources import config_file
from gateway.settings import schema, sources
from gateway.settings.model import Settings, SettingsError, SettingsProblem
from gateway.settings.schema import Option
from gateway.settings.sources import Given


def load(path: Path | None, environment: Mapping[str, str], flags: Mapping[str, object]) -> Settings:
    """Read everything that is set.

    `path` is a configuration file, or None for the defaults alone. `flags` go by option name, such as
    `server.port`. Raises SettingsError with every problem of every source.
    """
    shipped = config_file()
    layers = [sources.from_file(shipped, "default")]
    if path is not None and _is_same_file(path, shipped):
        layers = [sources.from_file(path)]
    elif path is not None:
        layers.append(sources.from_file(path))
    layers += [sources.from_environment(environment), sources.from_flags(flags)]

    problems = [problem for layer in layers for problem in layer.problems]
    given = {item.option.name: item for layer in layers for item in layer.given}
    if not problems:
        problems = list(_missing(given, shipped))
    if not problems:
        settings = _settings(given)
        problems = list(_contradictions(settings))
    if problems:
        raise SettingsError(tuple(problems))
    return settings


def _settings(given: Mapping[str, Given]) -> Settings:
    sections: dict[str, dict[str, Any]] = {}
    for item in given.values():
        value = schema.convert(item.option.schema, item.value)
        sections.setdefault(item.option.section, {})[item.option.key] = value
    types = get_type_hints(Settings)
    return Settings(
        **{name: types[name](**values) for name, values in sections.items()},
        origins={name: given[name].origin for name in schema.options()},
        written={name: _written(option, given[name].value) for name, option in schema.options().items()},
    )


def _written(option: Option, value: Any) -> object:
    return str(schema.convert(option.schema, value)) if option.secret and value is not None else value


def _missing(given: Mapping[str, Given], shipped: Path) -> Iterator[SettingsProblem]:
    for name in schema.options():
        if name not in given:
            yield SettingsProblem(str(shipped), f"{name}: missing; this file must set every option")


def _contradictions(settings: Settings) -> Iterator[SettingsProblem]:
    """Rules between options, reported at the one that is easier to change."""
    server, stores, cmi5 = settings.server, settings.stores, settings.cmi5

    def at(name: str, message: str) -> SettingsProblem:
        return SettingsProblem(settings.origins[name].place, f"{name}: {message}")

    if server.content_port == server.port != 0:
        yield at("server.content_port", f"expected another port than server.port, got {server.port} for both")
    if (both := server.content_url) is not None and both == server.public_url:
        yield at(
            "server.content_url", f"expected another origin than server.public_url, got {server.public_url}"
        )
    if stores.default in stores.others:
        yield at("stores.others", f"expected stores beside the default one, got {stores.default!r}")
    for adapter, store in settings.hooks.stores.items():
        if store not in stores.names:
            known = ", ".join(stores.names)
            yield at("hooks.stores", f"expected one of the stores {known} for {adapter!r}, got {store!r}")
    if cmi5.idle_timeout > cmi5.session_lifetime:
        longest = settings.written["cmi5.session_lifetime"]
        got = settings.written["cmi5.idle_timeout"]
        yield at("cmi5.idle_timeout", f"expected at most cmi5.session_lifetime ({longest}), got {got}")


def _is_same_file(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except OSError:
        return False
