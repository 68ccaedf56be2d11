"""`xapi-gateway demo`: fill a running gateway with samples over its public interfaces, and say what to look
at.
"""

from __future__ import annotations

import hmac
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import click

from gateway.cli.config import Sources, settings_options
from gateway.cli.opening import open_client, run
from gateway.cli.output import as_json_option, print_json
from gateway.demo import build_course, samples
from gateway.services.addresses import public_url
from gateway.services.bootstrap import new_key, new_secret
from gateway.services.clock import utc_now
from gateway.settings import Settings
from gateway.store.credentials import Credential
from gateway.store.store import Store

_SECRET = "ZOOM_SECRET_TOKEN"  # noqa: S105 - the name of an environment variable


@dataclass(frozen=True, slots=True)
class Shown:
    """What the demo made, for the reader to look at."""

    key: str
    secret: str
    statements: int
    webhooks: list[str]
    course: str
    link: str
    registration: str


@click.command()
@settings_options("server.host", "server.port", "data.dir", "mongo.uri")
@as_json_option
def demo(sources: Sources, as_json: bool) -> None:
    """Send samples to the running gateway: native statements, signed webhooks, a cmi5 course."""
    settings = sources.require()
    url = public_url(settings)
    shown = run(lambda: _demo(settings, url))
    if as_json:
        print_json({name: getattr(shown, name) for name in Shown.__slots__})
    else:
        click.echo(_told(url, shown))


async def _demo(settings: Settings, url: str) -> Shown:
    timeout = aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        await _require_running(session, url)
        key, secret = await _credential(settings)
        authorization = {"Authorization": aiohttp.encode_basic_auth(key, secret)}
        stored = await _post(
            session,
            f"{url}/xapi/statements",
            json.dumps(samples.statements(utc_now())).encode(),
            {**authorization, "Content-Type": "application/json", "X-Experience-API-Version": "2.0.0"},
        )
        webhooks = [
            await _zoom(session, url, event) for event in _with_repetition(samples.zoom_meeting(utc_now()))
        ]
        course = await _post(
            session,
            f"{url}/api/v1/courses",
            build_course(),
            {**authorization, "Content-Type": "application/zip"},
        )
        registration = await _post_json(
            session,
            f"{url}/api/v1/registrations",
            {"course": course["id"], "actor": samples.LEARNER},
            authorization,
        )
        link = await _post_json(
            session, f"{url}/api/v1/registrations/{registration['id']}/links", {"au": 0}, authorization
        )
    return Shown(key, secret, len(stored), webhooks, course["title"], link["url"], registration["id"])


async def _require_running(session: aiohttp.ClientSession, url: str) -> None:
    try:
        async with session.get(f"{url}/readyz") as answer:
            if answer.status == 200:
                return
            reason = f"{url}/readyz answers {answer.status}"
    except aiohttp.ClientError as error:
        reason = str(error)
    raise click.ClickException(f"no gateway is ready at {url} ({reason}); start one with `make run`")


async def _credential(settings: Settings) -> tuple[str, str]:
    async with open_client(settings) as client:
        store = Store(client, settings.databases[settings.stores.default])
        credential = Credential(
            key=f"demo-{new_key()}",
            name="Demo",
            store=settings.stores.default,
            scopes=("all",),
            purpose="made by xapi-gateway demo; revoke it when you have seen enough",
            created=utc_now(),
        )
        secret = new_secret()
        await store.credentials.create(credential, secret)
        return credential.key, secret


def _with_repetition(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    # Vendors send again when an answer got lost; the gateway must not mind.
    return [*events, events[0]]


async def _zoom(session: aiohttp.ClientSession, url: str, event: Mapping[str, Any]) -> str:
    secret = _zoom_secret()
    if secret is None:
        return f"not sent: the gateway and this command need the same {_SECRET} in their environment"
    body, timestamp = json.dumps(event).encode(), str(int(time.time()))
    signature = hmac.new(secret.encode(), b"v0:" + timestamp.encode() + b":" + body, "sha256").hexdigest()
    headers = {
        "Content-Type": "application/json",
        "x-zm-request-timestamp": timestamp,
        "x-zm-signature": f"v0={signature}",
    }
    async with session.post(f"{url}/hooks/zoom", data=body, headers=headers) as answer:
        text = await answer.text()
    return f"{event['event']}: {answer.status} {text}"


def _zoom_secret() -> str | None:
    if _SECRET in os.environ:
        return os.environ[_SECRET]
    file = os.environ.get(f"{_SECRET}_FILE")
    return Path(file).read_text().strip() if file else None


async def _post_json(
    session: aiohttp.ClientSession, url: str, value: object, headers: Mapping[str, str]
) -> Any:
    return await _post(
        session, url, json.dumps(value).encode(), {**headers, "Content-Type": "application/json"}
    )


async def _post(session: aiohttp.ClientSession, url: str, body: bytes, headers: Mapping[str, str]) -> Any:
    async with session.post(url, data=body, headers=dict(headers)) as answer:
        text = await answer.text()
        if answer.status >= 400:
            raise click.ClickException(f"POST {url} answers {answer.status}: {text}")
        return json.loads(text)


def _told(url: str, shown: Shown) -> str:
    account = {"account": samples.LEARNER["account"]}
    agent = urlencode({"agent": json.dumps(account, separators=(",", ":")), "limit": 5})
    curl = f"curl -s -u {shown.key}:{shown.secret}"
    hooks = "\n".join(f"             {line}" for line in shown.webhooks)
    return f"""\
Sent to {url}

  Statements {shown.statements} from a native xAPI client
  Webhooks   {len(shown.webhooks)} from Zoom, signed; the last one repeats the first:
{hooks}
  Course     "{shown.course}" imported, {samples.LEARNER["name"]} registered

Look at

  1. the course: open this link in a browser and go through it to the end
       {shown.link}
  2. her progress
       {curl} {url}/api/v1/registrations/{shown.registration}
  3. her learning record: native statements and those of the course in one place
       {curl} -H 'X-Experience-API-Version: 2.0.0' '{url}/xapi/statements?{agent}'
     and what Zoom told, under a pseudonym until somebody says whose e-mail address it is
       {curl} -H 'X-Experience-API-Version: 2.0.0' '{url}/xapi/statements?verb=http://activitystrea.ms/join'
  4. what the vendor sent, and what became of it
       xapi-gateway deliveries list
"""
