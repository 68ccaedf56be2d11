"""Lays the sources over each other: defaults, file, environment, flags; later wins, option by option."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import Any, get_type_hints
from urllib.parse import urlsplit

from gateway.resources import config_file
from gateway.settings import schema, sources
from gateway.settings.model import Settings, SettingsError, SettingsProblem
from gateway.settings.schema import Option
from gateway.settings.sources import Given, Layer


def load(path: Path | None, environment: Mapping[str, str], flags: Mapping[str, object]) -> Settings:
    """Read everything that is set.

    `path` is a configuration file, or None for the defaults alone. `flags` go by option name, such as
    `server.port`. Raises SettingsError with every problem of every source.
    """
    shipped = config_file()
    layers = [_defaults(shipped)]
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


@cache
def _defaults(shipped: Path) -> Layer:
    """Read once: the shipped file does not change while a process runs."""
    return sources.from_file(shipped, "default")


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
    """Rules between options."""
    server, stores, cmi5, written = settings.server, settings.stores, settings.cmi5, settings.written

    def problem(names: tuple[str, ...], message: str) -> SettingsProblem:
        """At the option that was set last, because somebody just changed it."""
        kinds = ("default", "file", "environment", "flag")
        last = max(names, key=lambda name: kinds.index(settings.origins[name].kind))
        return SettingsProblem(settings.origins[last].place, f"{', '.join(names)}: {message}")

    if server.port == server.content_port != 0:
        names = "server.port", "server.content_port"
        yield problem(names, f"expected different ports, got {server.port} for both")
    if server.public_url is not None and server.public_url == server.content_url:
        names = "server.public_url", "server.content_url"
        yield problem(names, f"expected different origins, got {server.public_url!r} for both")
    if stores.default in stores.others:
        names = "stores.others", "stores.default"
        yield problem(names, f"expected every store once, got {stores.default!r} in both")
    for adapter, store in settings.hooks.stores.items():
        if store not in stores.names:
            known = ", ".join(stores.names)
            yield problem(("hooks.stores",), f"expected one of {known} for {adapter!r}, got {store!r}")
    for name, vendor in settings.hooks.vendors.items():
        if not vendor.base_url.startswith("https://") and not vendor.allow_private:
            message = f"expected https for {name!r}, or allow_private: true, got {vendor.base_url!r}"
            yield problem(("hooks.connections",), message)
        for kind in ("oauth2", "service_account"):
            url = vendor.auth.get(kind, {}).get("token_url", "https://")
            if not url.startswith("https://") and not vendor.allow_private:
                message = f"expected https for the token_url of {name!r}, or allow_private: true, got {url!r}"
                yield problem(("hooks.connections",), message)
        if {".", ".."} & set(vendor.base_url.split("/")):
            message = f"expected no . and .. in the base_url of {name!r}, got {vendor.base_url!r}"
            yield problem(("hooks.connections",), message)
    if (settings.notices.url is None) != (settings.notices.secret is None):
        names = "notices.url", "notices.secret"
        yield problem(names, "expected both or neither, because every notice is signed")
    if cmi5.idle_timeout > cmi5.session_lifetime:
        names = "cmi5.idle_timeout", "cmi5.session_lifetime"
        got = " and ".join(str(written[name]) for name in names)
        yield problem(names, f"expected the first to be at most the second, got {got}")
    for about, message in _of_sign_in(settings):
        yield problem(about, message)


def _of_sign_in(settings: Settings) -> Iterator[tuple[tuple[str, ...], str]]:
    """What contradicts itself about signing in to the console."""
    oidc = settings.oidc
    if (oidc.issuer is None) != (oidc.client_id is None):
        yield ("oidc.issuer", "oidc.client_id"), "expected both or neither"
    if oidc.issuer is not None and not oidc.issuer.startswith("https://") and not _is_here(oidc.issuer):
        yield ("oidc.issuer",), f"expected https, because passwords and tokens go there, got {oidc.issuer!r}"
    if oidc.issuer is None and not settings.console.passwords:
        names = "console.passwords", "oidc.issuer"
        yield names, "expected an issuer where passwords are off, or nobody gets in"


def _is_here(url: str) -> bool:
    """Whether a web address leads to this machine, which tests and trials use."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_same_file(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except OSError:
        return False
