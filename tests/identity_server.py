"""An identity provider: real HTTP, real keys, real tokens, and a will of its own for attacks."""

from __future__ import annotations

import base64
import hmac
import json
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from aiohttp import web
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

CLIENT, SECRET = "console", "s3cret/with:odd characters"


def _b64(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).decode().rstrip("=")


@dataclass(slots=True)
class SigningKey:
    """One key pair with its id."""

    id: str
    private: rsa.RSAPrivateKey = field(
        default_factory=lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048)
    )

    def jwk(self) -> dict[str, str]:
        numbers = self.private.public_key().public_numbers()
        n, e = (value.to_bytes((value.bit_length() + 7) // 8) for value in (numbers.n, numbers.e))
        return {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.id, "n": _b64(n), "e": _b64(e)}

    def pem(self) -> bytes:
        return self.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def sign(self, message: bytes) -> bytes:
        return self.private.sign(message, padding.PKCS1v15(), hashes.SHA256())


@dataclass(slots=True, kw_only=True)
class IdentityServer:
    """Who is signed in there is `claims`. The rest can be changed to misbehave."""

    url: str = ""
    claims: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Any] | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    key: SigningKey = field(default_factory=lambda: SigningKey("first"))
    published: list[dict[str, str]] | None = None  # keys other than the one it signs with
    token: Any = None  # makes another ID token of the right claims
    is_down: bool = False
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def well_known(self) -> dict[str, Any]:
        found = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            "end_session_endpoint": f"{self.url}/logout?from=here",
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
        }
        if self.userinfo is not None:
            found["userinfo_endpoint"] = f"{self.url}/userinfo"
        return found | self.metadata

    def authorize(self, location: str, **changes: str | None) -> str:
        """What the browser that was sent to `location` brings back: path and query of the console."""
        parts = urlsplit(location)
        assert f"{parts.scheme}://{parts.netloc}{parts.path}" == f"{self.url}/authorize"
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        assert asked["response_type"] == "code"
        assert asked["client_id"] == CLIENT
        assert "openid" in asked["scope"].split()
        assert asked["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe()
        self.codes[code] = asked
        answer: dict[str, str | None] = {"code": code, "state": asked["state"], "iss": self.url}
        kept = {name: value for name, value in (answer | changes).items() if value is not None}
        return f"{asked['redirect_uri']}?{urlencode(kept)}"

    def signed(self, claims: dict[str, Any], **header: Any) -> str:
        head = {"alg": "RS256", "typ": "JWT", "kid": self.key.id} | header
        signed = f"{_b64(json.dumps(head).encode())}.{_b64(json.dumps(claims).encode())}"
        return f"{signed}.{_b64(self.key.sign(signed.encode()))}"

    def unsigned(self, claims: dict[str, Any]) -> str:
        """Of `alg: none`."""
        return f"{_b64(json.dumps({'alg': 'none'}).encode())}.{_b64(json.dumps(claims).encode())}."

    def by_public_key(self, claims: dict[str, Any]) -> str:
        """HS256 with what everybody knows: the public key as the secret."""
        head = {"alg": "HS256", "kid": self.key.id}
        signed = f"{_b64(json.dumps(head).encode())}.{_b64(json.dumps(claims).encode())}"
        return f"{signed}.{_b64(hmac.digest(self.key.pem(), signed.encode(), 'sha256'))}"

    # -- its pages -------------------------------------------------------------------------------------------

    async def take(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        if self.is_down:
            return web.Response(status=502, text="<b>gateway of somebody</b>")
        if request.path == "/.well-known/openid-configuration":
            return web.json_response(self.well_known())
        if request.path == "/keys":
            return web.json_response({"keys": [self.key.jwk()] if self.published is None else self.published})
        if request.path == "/authorize":  # whoever comes is known here, and led back at once
            raise web.HTTPSeeOther(self.authorize(f"{self.url}{request.path_qs}"))
        if request.path == "/logout":
            raise web.HTTPSeeOther(request.query["post_logout_redirect_uri"])
        if request.path == "/token":
            return await self._tokens(request)
        if request.path == "/userinfo" and request.headers.get("Authorization") == "Bearer access":
            return web.json_response(self.userinfo)
        return web.Response(status=404)

    async def _tokens(self, request: web.Request) -> web.Response:
        form = await request.post()
        scheme, _, pair = request.headers.get("Authorization", "").partition(" ")
        if scheme == "Basic":
            name, _, secret = base64.b64decode(pair).decode().partition(":")
            client = unquote(name), unquote(secret)
        else:
            client = str(form.get("client_id")), str(form.get("client_secret"))
        if client != (CLIENT, SECRET):
            return web.json_response({"error": "invalid_client"}, status=401)
        asked = self.codes.pop(str(form["code"]), None)
        challenge = _b64(sha256(str(form["code_verifier"]).encode()).digest())
        if (
            asked is None
            or form["grant_type"] != "authorization_code"
            or form["redirect_uri"] != asked["redirect_uri"]
            or challenge != asked["code_challenge"]
        ):
            return web.json_response({"error": "invalid_grant"}, status=400)
        now = int(time.time())
        usual = {"iss": self.url, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": asked["nonce"]}
        claims = usual | self.claims
        written = self.signed(claims) if self.token is None else self.token(claims)
        return web.json_response({"token_type": "Bearer", "access_token": "access", "id_token": written})


@asynccontextmanager
async def identity_server(**claims: Any) -> AsyncIterator[IdentityServer]:
    """A provider on a free port of this machine, until left."""
    server = IdentityServer(claims=claims)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield server
    finally:
        await runner.cleanup()
