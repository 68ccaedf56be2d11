"""The ways a request proves itself. Secrets are compared in constant time and over the raw bytes."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from adapters.expressions.environment import Closure
from adapters.expressions.values import EvaluationError
from adapters.functions.receiver import raw
from adapters.outcomes import Verified
from adapters.receive.incoming import Incoming
from adapters.receive.signature import Mismatch, SignatureSpec, TimestampSpec, decode, once


class Check(Protocol):
    """One entry of `verify:`. Returns how the request proved itself; raises `Mismatch` when it did not."""

    def verify(self, sent: Incoming) -> Verified: ...


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(raw(one), raw(other))


def _secret(closure: Closure, sent: Incoming) -> str:
    value = closure(sent.scope)
    if not isinstance(value, str) or not value:
        raise Mismatch("a secret is not set")
    return value


def key_bytes(secret: str, encoding: str) -> bytes | None:
    """A secret as the key of an HMAC; None when it is not written in its encoding."""
    return decode(secret, encoding) if encoding in ("hex", "base64") else raw(secret)


def _without_parameter(url: str, name: str) -> str:
    """The URL as it was before a query parameter was appended, byte for byte."""
    base, question, query = url.partition("?")
    kept = [part for part in query.split("&") if part.partition("=")[0] != name]
    return base + (question + "&".join(kept) if kept else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """`hmac` and `digest`: a signature over a message made of the request."""

    method: str
    algorithm: str
    secrets: tuple[Closure, ...]
    secret_prefix: str
    secret_encoding: str
    message: Closure | None
    message_headers: tuple[str, ...]
    signature: SignatureSpec
    timestamp: TimestampSpec | None
    preset: str | None = None

    def verify(self, sent: Incoming) -> Verified:
        carried = self.signature.value(sent)
        sent.scope.timestamp = None
        if self.timestamp is not None:
            sent.scope.timestamp = self.timestamp.value(sent, self.signature, carried)
            self.timestamp.check(sent.scope.timestamp, sent.now)
        for name in self.message_headers:
            if len(sent.headers.get(name, ())) > 1:
                raise Mismatch(f"header {name} is sent more than once")
        signatures = self.signature.signatures(carried)
        if not signatures:
            raise Mismatch("no well-formed signature was sent")
        for index, closure in enumerate(self.secrets):
            expected = self._expected(_secret(closure, sent), sent)
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
        if self.message is None:
            return sent.request.body
        sent.scope.secret = secret
        url = sent.request.url
        sent.scope.url = (
            url if self.signature.query is None else _without_parameter(url, self.signature.query)
        )
        try:
            message = self.message(sent.scope)
        except EvaluationError as error:
            raise Mismatch(f"the message cannot be built: {error.message}") from None
        finally:
            sent.scope.secret = None
            sent.scope.url = url
        if not isinstance(message, str):
            raise Mismatch("a part of the signed message is missing")
        return raw(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """`token`: a shared secret sent along."""

    secrets: tuple[Closure, ...]
    header: str | None
    query: str | None
    body: str | None
    prefix: str
    preset: str | None = None

    def verify(self, sent: Incoming) -> Verified:
        found = self._value(sent)
        if not found.startswith(self.prefix):
            raise Mismatch("the token does not have its prefix")
        token = found[len(self.prefix) :]
        for index, closure in enumerate(self.secrets):
            if _same(token, _secret(closure, sent)):
                return Verified(method="token", key_index=index, preset=self.preset)
        raise Mismatch("the token does not match")

    def _value(self, sent: Incoming) -> str:
        if self.header is not None:
            return once(sent.headers.get(self.header, ()), f"header {self.header}")
        if self.query is not None:
            return once(sent.query.get(self.query, ()), f"query parameter {self.query}")
        if self.body is not None:
            found = sent.in_body(self.body)
            return once(() if found is None else (found,), f"body {self.body}")
        return urlsplit(sent.request.url).path.rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Basic:
    """`basic`: HTTP Basic authentication."""

    username: str
    passwords: tuple[Closure, ...]
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
        for index, closure in enumerate(self.passwords):
            if _same(password, _secret(closure, sent)) and known:
                return Verified(method="basic", key_index=index, preset=self.preset)
        raise Mismatch("the Basic credentials do not match")


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
        for check in self.checks:
            try:
                return check.verify(sent)
            except Mismatch as mismatch:
                reasons.append(str(mismatch))
        raise Mismatch("; ".join(reasons))
