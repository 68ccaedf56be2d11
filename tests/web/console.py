"""People at the console, as tests play them: a browser without a screen."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import unescape
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from urllib.parse import urlencode

from gateway.services.people import People, Role
from tests.gateway import Gateway, Http, Reply

PASSWORD = "a bicycle made of cheese"
FORM = "application/x-www-form-urlencoded"

Fields = Mapping[str, str | Sequence[str]]


@dataclass(kw_only=True)
class Browser:
    """Keeps cookies and the token of the last form, and sends its Origin, as browsers do."""

    http: Http
    origin: str
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
        return self._kept(await self.http.post(path, data=b"".join(parts), headers=headers))

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
    return Browser(http=gateway.http(base), origin=gateway.url)


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
