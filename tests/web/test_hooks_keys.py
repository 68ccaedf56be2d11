"""Adapters that trust somebody else's keys or our own tokens, with a real issuer behind TLS."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.services.fetching import FetchFailed, Outgoing
from gateway.web.outgoing import HttpFetcher
from tests.adapters.test_receive_keys import KEY as ISSUER_KEY
from tests.adapters.test_receive_keys import encoded, token
from tests.gateway import Gateway, Reply, create_credential
from tests.vendors import mappings_folder, states_of, vendor_secrets

__all__ = ["mappings_folder", "vendor_secrets"]

TOKENS = """\
adapter: issued
receive:
  verify:
    - jwt: { algorithms: [RS256], jwks_url: "URL/jwks", issuer: "https://idp.example" }
rules: [ { name: all, ignore: true } ]
"""
CLIENTS = """\
adapter: pushed
receive:
  verify: [ { oauth2_client: { clients: [linkedin], scope: "xapi:write" } } ]
rules: [ { name: all, ignore: true } ]
"""


class Issuer:
    """Publishes a key set over TLS; counts how often it is asked, and can be told to misbehave."""

    def __init__(self) -> None:
        self.url = ""
        self.asked = 0
        self.kid = "sample"
        self.answer: Callable[[], web.StreamResponse] | None = None

    async def jwks(self, request: web.Request) -> web.StreamResponse:
        self.asked += 1
        if self.answer is not None:
            return self.answer()
        numbers = ISSUER_KEY.public_key().public_numbers()  # type: ignore[union-attr]
        modulus = encoded(numbers.n.to_bytes(256))  # type: ignore[union-attr]
        return web.json_response({"keys": [{"kty": "RSA", "kid": self.kid, "e": "AQAB", "n": modulus}]})


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for this machine that only the tests trust, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "issuer of the tests")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return folder / "cert.pem", folder / "key.pem"


@asynccontextmanager
async def serving(app: web.Application, context: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    runner = web.AppRunner(app, shutdown_timeout=0.1)  # to aiohttp, 0 is for ever
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        scheme = "https" if context else "http"
        yield f"{scheme}://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.fixture
async def issuer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Issuer]:
    cert, key = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(cert))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    one, app = Issuer(), web.Application()
    app.router.add_get("/jwks", one.jwks)
    async with serving(app, context) as one.url:
        yield one


async def post(gateway: Gateway, kid: str = "sample") -> Reply:
    now = int(dt.datetime.now(dt.UTC).timestamp())
    written = token({"iss": "https://idp.example", "exp": now + 60}, kid=kid)
    headers = {"Authorization": f"Bearer {written}", "Content-Type": "application/json"}
    return await gateway.http().post("/hooks/issued", data=b"{}", headers=headers)


async def test_tokens_are_verified_with_the_issuers_keys_which_are_fetched_once(
    serve: Callable[..., Any], mappings_folder: Callable[..., Path], issuer: Issuer
) -> None:
    folder = mappings_folder(TOKENS.replace("URL", issuer.url), name="issued.yaml")
    async with serve(hooks__mappings=str(folder)) as gateway:
        replies = await asyncio.gather(*(post(gateway) for _ in range(20)))
        assert {reply.status for reply in replies} == {200}
        assert issuer.asked == 1
        issuer.kid = "next"
        # Whoever sends unknown ids cannot make the gateway ask more than once a minute.
        assert {(await post(gateway, kid)).status for kid in ("next", "a", "b", "c")} == {401}
        assert issuer.asked == 1


async def test_a_new_key_is_found_by_asking_again(
    serve: Callable[..., Any],
    mappings_folder: Callable[..., Path],
    issuer: Issuer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gateway.services.key_sets._AT_MOST_EVERY", 0.0)
    folder = mappings_folder(TOKENS.replace("URL", issuer.url), name="issued.yaml")
    async with serve(hooks__mappings=str(folder)) as gateway:
        assert (await post(gateway)).status == 200
        issuer.kid = "next"
        assert (await post(gateway, "next")).status == 200
        assert (await post(gateway, "sample")).status == 401


@pytest.mark.parametrize(
    "answer",
    [
        lambda: web.Response(status=500),
        lambda: web.Response(status=302, headers={"Location": "http://127.0.0.1:1/"}),
        lambda: web.Response(text="not a key set"),
        lambda: web.json_response({"keys": "none"}),
        lambda: web.Response(body=b" " * 600_000),
    ],
)
async def test_without_the_issuers_keys_the_vendor_is_asked_to_come_again(
    serve: Callable[..., Any],
    mappings_folder: Callable[..., Path],
    issuer: Issuer,
    answer: Callable[[], web.StreamResponse],
) -> None:
    issuer.answer = answer
    folder = mappings_folder(TOKENS.replace("URL", issuer.url), name="issued.yaml")
    async with serve(hooks__mappings=str(folder)) as gateway:
        reply = await post(gateway)
        assert (reply.status, reply.headers["Retry-After"]) == (503, "60")
        assert await states_of(gateway.store) == []


async def test_a_vendor_pushes_with_the_token_that_it_got_from_us(
    serve: Callable[..., Any], mappings_folder: Callable[..., Path]
) -> None:
    async with serve(hooks__mappings=str(mappings_folder(CLIENTS, name="pushed.yaml"))) as gateway:
        for name, scope in (
            ("linkedin", "statements/write"),
            ("other", "statements/write"),
            ("reader", "statements/read"),
        ):
            await create_credential(gateway.store, name, "s3cret", scope)
        statuses = {}
        for name in ("linkedin", "other"):
            form = f"grant_type=client_credentials&client_id={name}&client_secret=s3cret&scope=xapi:write"
            answer = await gateway.http().post(
                "/oauth2/token",
                data=form.encode(),
                headers={"Content-Type": "application/x-www-form-urlencoded"},
            )
            headers = {
                "Authorization": f"Bearer {answer.json()['access_token']}",
                "Content-Type": "application/json",
            }
            statuses[name] = (await gateway.http().post("/hooks/pushed", data=b"{}", headers=headers)).status
        for name, authorization in (
            ("forged", "Bearer AAAA"),
            ("basic", "Basic bGlua2VkaW46czNjcmV0"),
            ("none", None),
        ):
            headers = {"Content-Type": "application/json"} | (
                {"Authorization": authorization} if authorization else {}
            )
            statuses[name] = (await gateway.http().post("/hooks/pushed", data=b"{}", headers=headers)).status
        assert statuses == {"linkedin": 200, "other": 401, "forged": 401, "basic": 401, "none": 401}


# -- the outgoing client ---------------------------------------------------------------------------------


async def test_what_is_fetched_is_limited_in_time_size_and_place() -> None:
    async def slow(request: web.Request) -> web.Response:
        await asyncio.sleep(30)
        return web.Response()

    async def moved(request: web.Request) -> web.Response:
        raise web.HTTPFound("/good")

    async def good(request: web.Request) -> web.Response:
        return web.json_response(dict(request.headers))

    async def large(request: web.Request) -> web.Response:
        return web.Response(text="x" * 2000)

    app = web.Application()
    app.router.add_get("/slow", slow)
    app.router.add_get("/moved", moved)
    app.router.add_get("/good", good)
    app.router.add_get("/large", large)
    fetcher = HttpFetcher()
    try:
        async with serving(app) as url:
            request = Outgoing(url=f"{url}/good", headers={"X-Key": "k"}, max_bytes=1000)
            assert json.loads(await fetcher.fetch(request))["X-Key"] == "k"
            for path, changes, heals in (
                ("/slow", {"timeout": 0.2}, True),
                ("/moved", {}, False),
                ("/absent", {}, False),
                ("/large", {"max_bytes": 1999}, False),
                ("/good", {"allow_private": False}, True),
            ):
                with pytest.raises(FetchFailed) as failure:
                    await fetcher.fetch(Outgoing(url=url + path, **changes))
                assert failure.value.heals is heals, path
            named = url.replace("127.0.0.1", "localhost")
            with pytest.raises(FetchFailed, match="localhost"):
                await fetcher.fetch(Outgoing(url=named + "/good", allow_private=False))
    finally:
        await fetcher.close()
