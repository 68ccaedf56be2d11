"""The ways a request proves itself. Secrets are compared in constant time and over the raw bytes."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, TypeAlias
from urllib.parse import urlsplit

from adapters.expressions.environment import Closure
from adapters.expressions.values import EvaluationError, text
from adapters.functions.receiver import raw
from adapters.outcomes import Verified
from adapters.receive.body_path import BodyPath
from adapters.receive.incoming import Incoming
from adapters.receive.known import KeysWanted
from adapters.receive.secrets import SharedSecret, key_bytes, usable
from adapters.receive.signature import Mismatch, SignatureSpec, TimestampSpec, once, texts_at

Parts: TypeAlias = tuple[tuple[str | int, ...], ...]


class Check(Protocol):
    """One entry of `verify:`. Returns how the request proved itself; raises `Mismatch` when it did not."""

    def verify(self, sent: Incoming) -> Verified: ...


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(raw(one), raw(other))


def _without_parameter(url: str, name: str) -> str:
    """The URL as it was before a query parameter was appended, byte for byte."""
    base, question, query = url.partition("?")
    kept = [part for part in query.split("&") if part.partition("=")[0] != name]
    return base + (question + "&".join(kept) if kept else "")


def built_message(message: Closure | None, signature: SignatureSpec, sent: Incoming) -> bytes:
    """What was signed: the raw body, or what the mapping makes of the request."""
    if message is None:
        return sent.request.body
    url = sent.request.url
    sent.scope.url = url if signature.query is None else _without_parameter(url, signature.query)
    try:
        built = message(sent.scope)
    except EvaluationError as error:
        raise Mismatch(f"the message cannot be built: {error.message}") from None
    finally:
        sent.scope.url = url
    if isinstance(built, int) and not isinstance(built, bool):
        built = text(built)
    if not isinstance(built, str):
        raise Mismatch("a part of the signed message is missing or not a text")
    return raw(built)


def sent_signatures(
    signature: SignatureSpec,
    timestamp: TimestampSpec | None,
    message_headers: tuple[str, ...],
    sent: Incoming,
) -> list[bytes]:
    """The well-formed signatures of a request, whose time is right and known to its scope from here on."""
    carried = signature.value(sent)
    sent.scope.timestamp = None
    if timestamp is not None:
        sent.scope.timestamp = timestamp.value(sent, signature, carried)
        timestamp.check(sent.scope.timestamp, sent)
    for name in message_headers:
        if len(sent.headers.get(name, ())) > 1:
            raise Mismatch(f"header {name} is sent more than once")
    signatures = signature.signatures(carried)
    if not signatures:
        raise Mismatch("no well-formed signature was sent")
    return signatures


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """`hmac` and `digest`: a signature over a message made of the request.

    `message_parts` are the parts of the decoded body that are in it, where the raw body is not.
    """

    method: str
    algorithm: str
    secrets: tuple[SharedSecret, ...]
    secret_prefix: str
    secret_encoding: str
    message: Closure | None
    message_headers: tuple[str, ...]
    message_parts: Parts = ()
    signature: SignatureSpec
    timestamp: TimestampSpec | None
    preset: str | None = None

    def verify(self, sent: Incoming) -> Verified:
        signatures = sent_signatures(self.signature, self.timestamp, self.message_headers, sent)
        for index, secret in usable(self.secrets, sent):
            expected = self._expected(secret, sent)
            matching = [hmac.compare_digest(expected, one) for one in signatures]
            if any(matching):
                return Verified(method=self.method, key_index=index, preset=self.preset)
        raise Mismatch("the signature does not match")

    def _expected(self, secret: str, sent: Incoming) -> bytes:
        secret = secret.removeprefix(self.secret_prefix)
        message = self._message(secret, sent)
        if self.method == "digest":
            return hashlib.new(self.algorithm, message, usedforsecurity=False).digest()
        key = key_bytes(secret, self.secret_encoding)
        if key is None:
            raise Mismatch(f"the secret is not {self.secret_encoding}")
        return hmac.digest(key, message, self.algorithm)

    def _message(self, secret: str, sent: Incoming) -> bytes:
        sent.scope.secret = secret
        try:
            return built_message(self.message, self.signature, sent)
        finally:
            sent.scope.secret = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """`token`: a shared secret sent along; where every item of the body has one, all must be right."""

    secrets: tuple[SharedSecret, ...]
    header: str | None
    query: str | None
    body: BodyPath | None
    prefix: str
    preset: str | None = None

    @property
    def in_path(self) -> bool:
        """Whether it is the last part of the path."""
        return self.header is None and self.query is None and self.body is None

    def verify(self, sent: Incoming) -> Verified:
        secrets = list(usable(self.secrets, sent))
        if self.body is None:
            index = self._matching(self._value(sent), secrets)
        else:
            # The oldest secret that is still in use is the one to know about.
            index = max(self._matching(found, secrets) for found in set(texts_at(self.body, sent)))
        return Verified(method="token", key_index=index, preset=self.preset)

    def _matching(self, found: str, secrets: list[tuple[int, str]]) -> int:
        if not found.startswith(self.prefix):
            raise Mismatch("the token does not have its prefix")
        token = found[len(self.prefix) :]
        for index, secret in secrets:
            if _same(token, secret):
                return index
        raise Mismatch("the token does not match")

    def _value(self, sent: Incoming) -> str:
        if self.header is not None:
            return once(sent.headers.get(self.header, ()), f"header {self.header}")
        if self.query is not None:
            return once(sent.query.get(self.query, ()), f"query parameter {self.query}")
        return urlsplit(sent.request.url).path.rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Basic:
    """`basic`: HTTP Basic authentication."""

    username: str
    passwords: tuple[SharedSecret, ...]
    preset: str | None = None

    def verify(self, sent: Incoming) -> Verified:
        scheme, _, written = once(sent.headers.get("authorization", ()), "header authorization").partition(
            " "
        )
        if scheme.lower() != "basic":
            raise Mismatch("the authorization is not Basic")
        try:
            decoded = base64.b64decode(written.strip().encode("ascii"), validate=True).decode()
        except ValueError:
            raise Mismatch("the Basic credentials are malformed") from None
        username, colon, password = decoded.partition(":")
        known = bool(colon) & _same(username, self.username)
        for index, secret in usable(self.passwords, sent):
            if _same(password, secret) and known:
                return Verified(method="basic", key_index=index, preset=self.preset)
        raise Mismatch("the Basic credentials do not match")


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuth2Client:
    """`oauth2_client`: a bearer token that our own token endpoint gave to one of the named credentials."""

    clients: tuple[str, ...]
    scope: str
    preset: str | None = None

    def verify(self, sent: Incoming) -> Verified:
        client = sent.known.client
        if client is None:
            raise Mismatch("no valid bearer token of ours was sent")
        if client.key not in self.clients:
            raise Mismatch(f"the token belongs to {client.key!r}, which may not send here")
        if self.scope not in client.scopes:
            raise Mismatch(f"the token does not have the scope {self.scope}")
        return Verified(method="oauth2_client", key_index=self.clients.index(client.key), key_id=client.key)


@dataclass(frozen=True, slots=True)
class Unchecked:
    """`none`: nothing is checked, and somebody said that they know."""

    def verify(self, sent: Incoming) -> Verified:
        return Verified(method="none")


@dataclass(frozen=True, slots=True)
class AnyOf:
    """`any_of`: the first alternative that passes."""

    checks: tuple[Check, ...]

    def verify(self, sent: Incoming) -> Verified:
        reasons: list[str] = []
        wanted: KeysWanted | None = None
        for check in self.checks:
            try:
                return check.verify(sent)
            except Mismatch as mismatch:
                reasons.append(str(mismatch))
            except KeysWanted as keys:
                wanted = wanted or keys
        if wanted is not None:
            raise wanted
        raise Mismatch("; ".join(reasons))


def each_check(checks: tuple[Check, ...]) -> Iterator[Check]:
    """Every check, those inside `any_of` too."""
    for check in checks:
        if isinstance(check, AnyOf):
            yield from each_check(check.checks)
        else:
            yield check
