"""Every example of docs/xapi.md is sent to a gateway, in order, and answered as the page says."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from gateway import yaml_source
from gateway.resources import config_file
from gateway.services.access import Scope
from gateway.services.tokens import LIFETIME
from gateway.xapi.datatypes import parse_timestamp
from tests.gateway import Gateway, Reply, basic

PAGE = (Path(__file__).parent.parent / "docs" / "xapi.md").read_text(encoding="utf-8")
ADDRESS = "http://127.0.0.1:8080"
ANYTHING = "…"
BLOCK = re.compile(r"(?:<!-- file: (?P<file>\S+) -->\n)?```(?P<kind>\w+)\n(?P<text>.*?)```\n", re.DOTALL)


@dataclass
class Curl:
    """The few things of curl that the page uses."""

    url: str = ""
    method: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    data: bytes | None = None
    encoded: list[str] = field(default_factory=list)
    as_query: bool = False

    @classmethod
    def read(cls, command: str, files: dict[str, bytes]) -> Curl:
        words = iter(shlex.split(command))
        assert next(words) == "curl"
        curl = cls()
        for word in words:
            if word == "-u":
                key, _, secret = next(words).partition(":")
                curl.headers["Authorization"] = basic(key, secret)
            elif word == "-H":
                name, _, value = next(words).partition(":")
                curl.headers[name] = value.strip()
            elif word == "-X":
                curl.method = next(words)
            elif word == "-d":
                curl.data = next(words).encode()
            elif word == "--data-binary":
                curl.data = files[next(words).removeprefix("@")]
            elif word == "--data-urlencode":
                name, _, value = next(words).partition("=")
                curl.encoded.append(f"{name}={quote(value, safe='')}")
            elif word == "-G":
                curl.as_query = True
            else:
                assert not word.startswith("-"), word
                curl.url = word
        assert bool(curl.encoded) == curl.as_query
        return curl

    async def send(self, gateway: Gateway) -> Reply:
        assert self.url.startswith(ADDRESS)
        url = self.url.removeprefix(ADDRESS)
        if self.encoded:
            url += "?" + "&".join(self.encoded)
        headers = dict(self.headers)
        if self.data is not None:
            headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
        method = self.method or ("GET" if self.data is None else "POST")
        return await gateway.http()(method, url, data=self.data, headers=headers)


def examples() -> Iterator[tuple[str, str | None, str]]:
    for block in BLOCK.finditer(PAGE):
        yield block["kind"], block["file"], block["text"]


def agrees(said: object, found: object) -> bool:
    """Whether an answer is as the page says: `…` stands for any text, the key `...` for further keys."""
    if isinstance(said, str) and ANYTHING in said:
        pattern = ".*".join(map(re.escape, said.split(ANYTHING)))
        return isinstance(found, str) and re.fullmatch(pattern, found, re.DOTALL) is not None
    if isinstance(said, dict):
        named = {key: value for key, value in said.items() if key != "..."}
        return (
            isinstance(found, dict)
            and (named.keys() <= found.keys() if "..." in said else named.keys() == found.keys())
            and all(agrees(value, found[key]) for key, value in named.items())
        )
    if isinstance(said, list):
        return isinstance(found, list) and len(said) == len(found) and all(map(agrees, said, found))
    return said == found


def check(answer: str, reply: Reply) -> None:
    head, _, body = answer.partition("\n\n")
    status, *headers = head.strip().splitlines()
    assert reply.status == int(status.split()[1]), reply.body
    for header in headers:
        name, _, value = header.partition(": ")
        assert agrees(value, reply.headers.get(name)), (name, reply.headers)
    if body.strip():
        assert agrees(json.loads(body), reply.json()), reply.body
    else:
        assert reply.body == b""


async def passed(gateway: Gateway) -> str:
    """A Consistent-Through that has passed the newest statement, which may take the writer a moment."""
    async with asyncio.timeout(30):
        while True:
            reply = await gateway.lrs.get("/statements", {"limit": "1"})
            through = reply.headers["X-Experience-API-Consistent-Through"]
            [newest] = reply.json()["statements"]
            if parse_timestamp(through) >= parse_timestamp(newest["stored"]):
                return through
            await asyncio.sleep(0.02)


async def test_every_example_is_answered_as_the_page_says(gateway: Gateway) -> None:
    scopes = ("statements/write", "statements/read", "state", "profile", "define")
    await gateway.client("docs", *scopes)
    values = {"KEY": "docs", "SECRET": "secret of docs"}
    files: dict[str, bytes] = {}
    reply: Reply | None = None
    sent = 0
    for kind, file, text in examples():
        if file is not None:
            files[file] = text.rstrip("\n").replace("\n", "\r\n").encode()
        elif kind == "sh":
            assert reply is None, "the page shows an answer to every request"
            if "$THROUGH" in text:
                values["THROUGH"] = await passed(gateway)
            for name, value in values.items():
                text = text.replace(f"${name}", value)
            reply = await Curl.read(text.replace("\\\n", " "), files).send(gateway)
            sent += 1
            if b"access_token" in reply.body:
                values["TOKEN"] = reply.json()["access_token"]
        elif kind == "http":
            assert reply is not None
            check(text, reply)
            reply = None
    assert sent == PAGE.count("```sh\n") == PAGE.count("```http\n") > 10


def table(first: str) -> list[list[str]]:
    lines = iter(PAGE.splitlines())
    for line in lines:
        if line.startswith(f"| {first} |"):
            break
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append([cell.strip().strip("`") for cell in line.strip("|").split(" | ")])
    return rows[1:]


def test_the_limits_are_the_defaults() -> None:
    defaults: Any = yaml_source.parse(config_file().read_text(encoding="utf-8")).value
    rows = table("option")
    assert len(rows) == 9
    for option, default, _ in rows:
        section, key = option.split(".")
        assert str(defaults[section][key]) == default, option


def test_the_scopes_are_those_of_the_lrs() -> None:
    assert {row[0] for row in table("scope")} == set(Scope) - {Scope.CMI5, Scope.HOOKS, Scope.ADMIN}
    assert LIFETIME.total_seconds() == 3600


async def test_documents_without_preconditions_are_treated_as_the_table_says(gateway: Gateway) -> None:
    statuses = {"409": 409, "400": 400, "stored": 204, "replaced": 204, "done": 204}
    rows = {row[0]: row[1:] for row in table("request without `If-Match` and `If-None-Match`")}
    assert len(rows) == 4
    agent = json.dumps({"mbox": "mailto:a@example.org"})
    for column, lrs in enumerate((gateway.lrs1, gateway.lrs)):
        activity = f"https://example.org/{column}"
        profile = {"activityId": activity, "profileId": "p"}
        state = {"activityId": activity, "agent": agent, "stateId": "s"}
        said = {name: statuses[cells[column]] for name, cells in rows.items()}
        reply = await lrs.put("/activities/profile", profile, body={})
        assert reply.status == said["PUT` of a profile that does not"]
        create = {"If-None-Match": "*"}
        await lrs.put("/activities/profile", profile, body={}, headers=create)
        assert (await lrs.put("/activities/profile", profile, body={})).status == said[
            "PUT` of a profile that exists"
        ]
        await lrs.put("/activities/state", state, body={}, headers=create)
        assert (await lrs.put("/activities/state", state, body={})).status == said[
            "PUT` of a state that exists"
        ]
        for method in ("POST", "DELETE"):
            for resource, query in (("/activities/profile", profile), ("/activities/state", state)):
                body: object = {} if method == "POST" else None
                reply = await lrs(method, resource, query, body=body)
                assert reply.status == said["POST`, `DELETE"]
