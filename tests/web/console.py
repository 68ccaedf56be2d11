"""People at the console, as tests play them: a browser without a screen."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import unescape
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode

from pymongo.asynchronous.collection import AsyncCollection

from gateway.services.people import People, Role
from gateway.web.auditing import LOOKS
from tests.gateway import Gateway, Http, Reply

PASSWORD = "a bicycle made of cheese"
FORM = "application/x-www-form-urlencoded"

Fields = Mapping[str, str | Sequence[str]]


@dataclass(kw_only=True)
class Browser:
    """Keeps cookies and the token of the last form, and sends its Origin, as browsers do. Each form that is
    taken has to leave one entry in the audit log.
    """

    http: Http
    origin: str
    audit: AsyncCollection[dict[str, Any]]
    cookies: dict[str, str] = field(default_factory=dict)
    csrf: str = ""

    async def get(self, path: str, **params: str) -> Reply:
        return self._kept(await self.http.get(path, list(params.items()), headers=self._headers()))

    async def post(
        self, path: str, fields: Fields | None = None, *, origin: str | None = "", csrf: str | None = None
    ) -> Reply:
        """Send a form with what the last page's form carried."""
        pairs = [("csrf", self.csrf if csrf is None else csrf)]
        for name, value in (fields or {}).items():
            pairs += [(name, value)] if isinstance(value, str) else [(name, one) for one in value]
        headers = self._headers() | {"Content-Type": FORM, "Origin": self.origin if origin == "" else origin}
        reply = await self.http.post(path, data=urlencode(pairs).encode(), headers=headers)
        await self._demand_entry(path, fields or {}, reply)
        return self._kept(reply)

    async def upload(
        self, path: str, fields: Mapping[str, str], content: bytes, name: str = "a.zip"
    ) -> Reply:
        """Send a form with one file, in the field `file`."""
        parts = [
            f'--edge\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
            for key, value in ({"csrf": self.csrf} | dict(fields)).items()
        ]
        parts.append(
            f'--edge\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n".encode()
            + content
            + b"\r\n--edge--\r\n"
        )
        headers = self._headers() | {
            "Content-Type": "multipart/form-data; boundary=edge",
            "Origin": self.origin,
        }
        reply = await self.http.post(path, data=b"".join(parts), headers=headers)
        await self._demand_entry(path, fields, reply)
        return self._kept(reply)

    async def _demand_entry(self, path: str, fields: Fields, reply: Reply) -> None:
        if reply.status >= 400:
            return
        looks = "dryRun" in fields or any(
            re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", route), path) for route in LOOKS
        )
        of_it = {"request": reply.headers["X-Request-ID"], "action": {"$not": re.compile(r"\.read$")}}
        assert await self.audit.count_documents(of_it) == (0 if looks else 1), path

    async def follow(self, reply: Reply) -> Reply:
        """The page that an answer leads to."""
        assert reply.status == 303, reply.body
        path, _, query = reply.headers["Location"].partition("?")
        http = self.http.at(self.origin)
        pairs = [tuple(pair.split("=", 1)) for pair in query.split("&")] if query else []
        return self._kept(await http.get(path, pairs, headers=self._headers()))  # type: ignore[arg-type]

    def _headers(self) -> dict[str, str | None]:
        if not self.cookies:
            return {}
        return {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}

    def _kept(self, reply: Reply) -> Reply:
        for header in reply.headers.getall("Set-Cookie", []):
            for name, morsel in SimpleCookie(header).items():
                if morsel["max-age"] == "0":
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value
        if found := re.search(rb'name="csrf" value="(\w+)"', reply.body):
            self.csrf = found[1].decode()
        return reply


def browser(gateway: Gateway) -> Browser:
    """Somebody who has not signed in."""
    base = f"{gateway.settings.server.base_path}/admin"
    audit = gateway.store.client[gateway.store.name]["audit"]
    return Browser(http=gateway.http(base), origin=gateway.url, audit=audit)


def people(gateway: Gateway) -> People:
    return People.of(gateway.settings, gateway.store)


async def person(gateway: Gateway, *roles: Role, login: str = "ada") -> Browser:
    """Somebody new who has signed in."""
    present = people(gateway)
    made = await present.create(login, f"{login.title()} Example", roles or (Role.ADMINISTRATOR,), "main")
    visitor = browser(gateway)
    path = f"/welcome/{await present.make_link(made)}"
    assert (await visitor.get(path)).status == 200
    entered = await visitor.post(path, {"password": PASSWORD, "again": PASSWORD})
    assert entered.status == 303, entered.body
    assert (await visitor.get("/")).status == 200
    return visitor


def words(reply: Reply) -> str:
    """What a reader sees, with single blanks."""
    text = re.sub(r"<[^>]+>", " ", reply.body.decode())
    return re.sub(r"\s+", " ", unescape(text))


class Elements(HTMLParser):
    """The elements of a page with their attributes."""

    def __init__(self, reply: Reply) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(reply.body.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def values(self, name: str) -> list[str]:
        return [value for _, attrs in self.found if (value := attrs.get(name)) is not None]

    def having(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for found, attrs in self.found if found == tag]
