"""Signing a request the way a mapping's vendor does, for tests and for trying out an endpoint. Pure."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import quote

from adapters.expressions.environment import Closure
from adapters.expressions.scope import Scope
from adapters.functions.receiver import raw
from adapters.mapping import Mapping
from adapters.outcomes import Request
from adapters.receive.checks import AnyOf, Basic, Check, Signed, Token, key_bytes
from adapters.receive.incoming import incoming


class CannotSign(Exception):
    """The mapping's checks cannot be satisfied from here; the text says why."""


def sample_secret(name: str) -> str:
    """A made-up secret for tests; it is well-formed as text, hex and base64."""
    return hashlib.sha256(name.encode()).hexdigest()


def unsigned(mapping: Mapping, body: bytes, url: str, now: datetime) -> Request:
    """A request as the vendor would send it, before it is signed."""
    receiver = mapping.receiver
    content_type = receiver.content_types[0] if receiver is not None else "application/json"
    return Request(
        method=receiver.methods[0] if receiver is not None else "POST",
        url=url,
        headers=(("content-type", content_type),),
        query=(),
        body=body,
        received_at=now,
    )


def sign(request: Request, mapping: Mapping, secrets: Callable[[str], str | None], now: datetime) -> Request:
    """The request with everything added that its mapping checks; raises `CannotSign`."""
    if mapping.receiver is None:
        raise CannotSign(f"mapping {mapping.name} has no `receive:` block")
    missing = mapping.missing_secrets(secrets)
    if missing:
        raise CannotSign(f"secret {missing[0]} is not set")
    for check in mapping.receiver.checks:
        request = _signed(request, check, mapping, secrets, now)
    return request


def _signed(
    request: Request, check: Check, mapping: Mapping, secrets: Callable[[str], str | None], now: datetime
) -> Request:
    scope = incoming(request, None, secrets, mapping.secrets, now).scope
    if isinstance(check, AnyOf):
        return _signed(request, check.checks[0], mapping, secrets, now)
    if isinstance(check, Token):
        return _placed(request, check.prefix + _value(check.secrets[0], scope), check)
    if isinstance(check, Basic):
        pair = f"{check.username}:{_value(check.passwords[0], scope)}"
        return _with_header(request, "authorization", "Basic " + base64.b64encode(pair.encode()).decode())
    if isinstance(check, Signed):
        return _with_signature(request, check, mapping, secrets, now)
    return request


def _value(closure: Closure, scope: Scope) -> str:
    found = closure(scope)
    if not isinstance(found, str):
        raise CannotSign("a secret is not set")
    return found


def _with_signature(
    request: Request, check: Signed, mapping: Mapping, secrets: Callable[[str], str | None], now: datetime
) -> Request:
    written: str | None = None
    if check.timestamp is not None:
        if check.timestamp.body is not None:
            raise CannotSign("the time is in the body; put it there")
        seconds = now.timestamp()
        written = now.isoformat() if check.timestamp.unit == "iso8601" else str(int(seconds))
        if check.timestamp.unit == "ms":
            written = str(int(seconds * 1000))
        if check.timestamp.headers:
            request = _with_header(request, check.timestamp.headers[0], written)
    for name in check.message_headers[-1:]:
        if not any(known == name for known, _ in request.headers):
            request = _with_header(request, name, hashlib.sha256(request.body).hexdigest()[:32])
    scope = incoming(request, None, secrets, mapping.secrets, now).scope
    scope.timestamp = written
    secret = _value(check.secrets[0], scope).removeprefix(check.secret_prefix)
    scope.secret = secret
    message = request.body if check.message is None else raw(check.message(scope) or "")
    if check.method == "digest":
        signature = hashlib.new(check.algorithm, message, usedforsecurity=False).digest()
    else:
        key = key_bytes(secret, check.secret_encoding)
        if key is None:
            raise CannotSign(f"the secret is not {check.secret_encoding}")
        signature = hmac.digest(key, message, check.algorithm)
    return _placed(request, _carried(check, signature, written), check.signature)


def _carried(check: Signed, signature: bytes, timestamp: str | None) -> str:
    spec = check.signature
    if spec.encoding == "hex":
        written = signature.hex()
    elif spec.encoding == "base64url":
        written = base64.urlsafe_b64encode(signature).decode().rstrip("=")
    else:
        written = base64.b64encode(signature).decode()
    written = spec.prefix + written
    if not spec.pairs:
        return written
    pairs = [f"{spec.keys[0]}={written}"]
    if check.timestamp is not None and check.timestamp.from_signature:
        pairs.insert(0, f"{spec.timestamp_key}={timestamp}")
    return spec.separator.join(pairs)


def _placed(request: Request, value: str, where: Any) -> Request:
    """Put a signature or token where the vendor would."""
    headers = getattr(where, "headers", None) or ([where.header] if getattr(where, "header", None) else [])
    if headers:
        return _with_header(request, headers[0], value)
    if where.query is not None:
        mark = "&" if "?" in request.url else "?"
        url = f"{request.url}{mark}{quote(where.query)}={quote(value, safe='')}"
        return replace(request, url=url, query=(*request.query, (where.query, value)))
    if where.body is not None:
        raise CannotSign("the signature is in the body; put it there")
    return replace(request, url=f"{request.url.rstrip('/')}/{quote(value, safe='')}")


def _with_header(request: Request, name: str, value: str) -> Request:
    return replace(request, headers=(*request.headers, (name, value)))
