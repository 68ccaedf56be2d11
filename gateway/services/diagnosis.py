"""What is wrong with an installation, and what to do about it. Reads only; nothing is created or mended.

A `Diagnosis` is a problem where something does not work or will lose data, advice where it works but not as
an institution would want it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from gateway.services.access import Scope
from gateway.services.mappings import Adapter, nobody_set_up
from gateway.services.services import Services
from gateway.services.sources import Standing, in_use
from gateway.settings import Settings
from gateway.settings.model import OidcSettings
from gateway.store.connection import Server
from gateway.store.credentials import Credential
from gateway.store.delivery_records import State
from gateway.store.indexing import IndexChange
from gateway.store.overview import ENOUGH, Overview

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_LITTLE_SPACE, _NO_SPACE = 5 * 1024**3, 512 * 1024**2
_CLOCKS_DIFFER = dt.timedelta(seconds=2)
_LATE = 300.0  # seconds


class Health(StrEnum):
    """How something is."""

    OK = "ok"
    ADVICE = "advice"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """One thing that was looked at: what was found, and what to do unless it is well."""

    subject: str
    health: Health
    found: str
    advice: str = ""


def _ok(subject: str, found: str) -> Diagnosis:
    return Diagnosis(subject=subject, health=Health.OK, found=found)


def _advice(subject: str, found: str, advice: str) -> Diagnosis:
    return Diagnosis(subject=subject, health=Health.ADVICE, found=found, advice=advice)


def _problem(subject: str, found: str, advice: str) -> Diagnosis:
    return Diagnosis(subject=subject, health=Health.PROBLEM, found=found, advice=advice)


def of_addresses(settings: Settings) -> Iterator[Diagnosis]:
    """Whether the gateway is reached the way it should be: over https, with course content elsewhere."""
    server = settings.server
    if server.host in _LOOPBACK and server.public_url is None:
        yield _ok("addresses", f"only this machine can reach it, at http://{server.host}:{server.port}")
        return
    if server.public_url is None:
        yield _advice(
            "addresses",
            f"it listens on {server.host}, and server.public_url is not set",
            "set server.public_url to the https origin that clients use: launch URLs and authorities name it",
        )
    elif urlsplit(server.public_url).scheme != "https":
        yield _advice(
            "addresses",
            f"server.public_url is {server.public_url}: secrets and learners' data travel in the clear",
            "put a proxy with TLS in front (docs/production.md) and name its https origin",
        )
    else:
        yield _ok("addresses", f"clients reach it at {server.public_url}")
    if server.content_url is None or _host(server.content_url) == _host(server.public_url or ""):
        yield _advice(
            "course content",
            "courses run on the host of the gateway, which differs by its port alone",
            "set server.content_url to another host name: cookies do not tell ports apart",
        )
    else:
        yield _ok("course content", f"courses run at {server.content_url}")


def _host(url: str) -> str | None:
    return urlsplit(url).hostname


def of_provider(settings: OidcSettings, fault: str | None) -> Diagnosis:
    """Whether people can sign in to the console with the identity provider; `fault` is why not."""
    subject, issuer = "identity provider", settings.issuer or ""
    if fault is not None:
        return _problem(
            subject,
            f"nobody can sign in with {issuer}: {fault}",
            f"this machine has to reach {issuer.rstrip('/')}/.well-known/openid-configuration, and "
            "oidc.issuer has to be what that says; meanwhile: xapi-gateway people reset-link LOGIN",
        )
    if not settings.roles and settings.default_role is None:
        return _advice(
            subject,
            f"{issuer} answers, but gives nobody a role",
            "set oidc.roles or oidc.default_role; until then only people who were invited or linked come in",
        )
    return _ok(subject, f"{issuer} answers")


def of_space(free: int, folder: str) -> Diagnosis:
    """Whether the embedded database has room; `free` is in bytes."""
    found = f"{free / 1024**3:.1f} GiB are free at {folder}"
    if free < _NO_SPACE:
        return _problem("disk", found, "make room before MongoDB stops taking writes")
    if free < _LITTLE_SPACE:
        return _advice("disk", found, "make room, or move data.dir to a larger disk")
    return _ok("disk", found)


def of_server(server: Server, *, embedded: bool) -> Diagnosis:
    """Whether the database is one to rely on."""
    kind = "embedded" if embedded else server.kind
    found = f"MongoDB {server.version} ({kind}) answers"
    if embedded or server.advice is None:
        return _ok("database", found)
    return _advice("database", found, server.advice)


def of_clock(here: dt.datetime, there: dt.datetime) -> Diagnosis:
    """Whether this machine and the database agree about the time."""
    apart = abs(here - there)
    if apart < _CLOCKS_DIFFER:
        return _ok("clock", "this machine and the database agree about the time")
    return _problem(
        "clock",
        f"this machine's clock is {apart.total_seconds():.0f} s away from the database's",
        "keep both right with NTP: signatures of vendors are refused when the time is off",
    )


def of_indexes(store: str, changes: Sequence[IndexChange]) -> Diagnosis:
    """Whether a store has the indexes that its lists are read from."""
    subject = f"indexes of {store}"
    missing = [f"{change.collection}.{change.name}" for change in changes if change.missing]
    left = [f"{change.collection}.{change.name}" for change in changes if not change.missing]
    if missing:
        return _advice(
            subject,
            f"{len(missing)} are missing: {', '.join(missing)}",
            "start the gateway, which creates them; on a large store that takes a while",
        )
    if left:
        return _advice(
            subject,
            f"{', '.join(left)} are not the gateway's",
            "drop them if an earlier version left them; every index costs each write",
        )
    return _ok(subject, "all there")


def of_credentials(credentials: Sequence[Credential]) -> Diagnosis:
    """Whether somebody can administer the gateway."""
    active = [credential for credential in credentials if credential.revoked is None]
    if not any({Scope.ALL, Scope.ADMIN} & set(credential.scopes) for credential in active):
        return _problem(
            "credentials",
            "no active credential has the scope admin or all",
            "create one: xapi-gateway credentials create --name NAME --scope admin",
        )
    return _ok("credentials", f"{len(active)} active")


def of_sources(store: str, standings: Sequence[Standing]) -> Diagnosis:
    """Whether somebody answers for each source of a store, and whether it sends what it should."""
    subject, used = f"sources of {store}", in_use(standings)
    nameless = [one.source.id for one in used if not (one.source.owner and one.source.purpose)]
    undeclared = [one.source.id for one in used if one.pressing]
    if nameless:
        return _advice(
            subject,
            f"of {len(used)} in use, {len(nameless)} name no owner or no purpose: {_some(nameless)}",
            "xapi-gateway sources set SOURCE --owner NAME --purpose TEXT, or Sources in the console",
        )
    if undeclared:
        return _advice(
            subject,
            f"of {len(used)} in use, {len(undeclared)} send what nobody declared: {_some(undeclared)}",
            "xapi-gateway sources show SOURCE says what; declare it or have it stopped in the console",
        )
    return _ok(subject, f"{len(used)} in use, each with owner and purpose")


def _some(names: Sequence[str]) -> str:
    return f"{', '.join(names[:5])}{' …' if len(names) > 5 else ''}"


def of_adapters(adapters: Sequence[Adapter]) -> Iterator[Diagnosis]:
    """Which adapters receive, and what keeps the others from it."""
    unused = [adapter.name for adapter in adapters if nobody_set_up(adapter)]
    ready = [adapter.name for adapter in adapters if adapter.problem is None]
    shown = ", ".join(ready) or "none"
    yield _ok("adapters", f"ready: {shown}; not set up: {len(unused)}")
    for adapter in adapters:
        if adapter.kept is not None:
            yield _problem(
                f"adapter {adapter.name}",
                f"the mapping of before goes on: {adapter.kept}",
                "xapi-gateway mappings lint, mappings test",
            )
        if adapter.problem is not None and adapter.name not in unused:
            yield _problem(
                f"adapter {adapter.name}",
                f"not ready: {adapter.problem}",
                "until then the vendor is refused; xapi-gateway mappings lint shows mistakes in the file",
            )


async def of_deliveries(name: str, services: Services, now: dt.datetime) -> list[Diagnosis]:
    """Whether anything waits for a person, or for longer than it should."""
    subject = f"deliveries of {name}"
    found: list[Diagnosis] = []
    states = await Overview(services.store.client, services.store.name).states()
    failed, unmatched, held = (states[state] for state in (State.FAILED, State.UNMATCHED, State.HELD))
    if failed:
        found.append(
            _problem(
                subject,
                f"{_many(failed)} failed",
                "xapi-gateway deliveries list --state failed; mend the mapping, then deliveries replay",
            )
        )
    if unmatched:
        found.append(
            _advice(
                subject,
                f"{_many(unmatched)} matched no rule",
                "add a rule, or one with ignore: true; then deliveries replay --state unmatched",
            )
        )
    if held:
        found.append(
            _advice(
                subject,
                f"{_many(held)} wait for somebody to become known",
                "xapi-gateway directory import people.csv; what waited is mapped at once",
            )
        )
    waiting, age = await services.store.deliveries.queue(now, most=ENOUGH)
    if age > _LATE:
        found.append(
            _problem(
                subject,
                f"{_many(waiting)} are due, the oldest for {age / 60:.0f} minutes",
                "is a gateway running? If so its log says what keeps it; more workers map more at once",
            )
        )
    for silence in await services.hooks.hours.silences():
        if silence.alarm:
            last = "never" if silence.last is None else f"last at {silence.last:%Y-%m-%d %H:%M} UTC"
            found.append(
                _advice(
                    f"adapter {silence.adapter}",
                    f"nothing came for longer than {silence.quiet_after} ({last})",
                    "look at the subscription on the vendor's side: many end one silently after failures",
                )
            )
    return found or [_ok(subject, "nothing waits")]


async def of_reports(name: str, services: Services) -> Diagnosis:
    """Whether the counts of a store are those of its statements, on a sample."""
    subject = f"reports of {name}"
    checked = await services.reports.check()
    if checked is None:
        return _ok(subject, "nothing was counted yet")
    if checked.wrong:
        return _problem(
            subject,
            f"{len(checked.wrong)} of {checked.cells} counts are not those of the statements ({checked.of})",
            "count again: xapi-gateway reports rebuild",
        )
    return _ok(subject, f"right on a sample: {checked.statements} statements, {checked.of}")


def _many(count: int) -> str:
    return f"{ENOUGH} or more" if count >= ENOUGH else str(count)
