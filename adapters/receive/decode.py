"""Bytes to payload: JSON, forms, JSON in forms, tokens, Pub/Sub. Doubled keys and great depth are refused."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import parse_qsl

import jiter

from adapters.functions.values import deeper_than

MAX_DEPTH = 64
MAX_FIELDS = 1_000
MAX_KEYS = 100_000
# A key with its value takes at least five bytes, so that small bodies need no count.
_BYTES_PER_KEY = 5
_CLAIMS = re.compile(rb"\"?[0-9A-Za-z_-]+\.([0-9A-Za-z_-]+)\.[0-9A-Za-z_-]+\"?")


class Undecodable(Exception):
    """The body is not what the mapping says it is; the text says why."""


@dataclass(frozen=True, slots=True)
class Decoder:
    """`decode:`; `field` is the form field that holds JSON."""

    kind: Literal["json", "form", "form_json", "jwt", "pubsub"]
    field: str = ""

    @property
    def content_types(self) -> tuple[str, ...]:
        """The types accepted when the mapping names none."""
        if self.kind == "jwt":
            # Senders disagree about what a body is that is nothing but a token.
            return ("application/jwt", "application/json", "application/jose", "text/plain")
        if self.kind in ("json", "pubsub"):
            return ("application/json",)
        return ("application/x-www-form-urlencoded",)

    def decode(self, body: bytes) -> Any:
        """The payload; raises `Undecodable`."""
        if self.kind == "json":
            return _json(body)
        if self.kind == "jwt":
            return _claims(body)
        if self.kind == "pubsub":
            return _pubsub(_json(body))
        fields = _form(body)
        if self.kind == "form":
            return fields
        written = fields.get(self.field)
        if not isinstance(written, str):
            raise Undecodable(f"the form has no single field {self.field!r}")
        return {**fields, self.field: _json(written.encode("utf-8", "replace"))}


def _json(body: bytes) -> Any:
    try:
        value = jiter.from_json(body, allow_inf_nan=False, catch_duplicate_keys=True, cache_mode="keys")
    except ValueError as error:
        raise Undecodable(f"the body is not JSON: {error}") from None
    # Without so many openings nothing can be nested that deep.
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH and deeper_than(value, MAX_DEPTH):
        raise Undecodable(f"the body is nested deeper than {MAX_DEPTH} levels")
    if len(body) > _BYTES_PER_KEY * MAX_KEYS and too_many_keys(value):
        raise Undecodable(f"the body has more than {MAX_KEYS} keys")
    return value


def too_many_keys(value: Any) -> bool:
    """Whether all objects in a value have more keys together than are taken."""
    pending, keys = [value], 0
    while pending:
        found = pending.pop()
        if isinstance(found, dict):
            keys += len(found)
            if keys > MAX_KEYS:
                return True
            pending.extend(found.values())
        elif isinstance(found, list):
            pending.extend(found)
    return False


def _claims(body: bytes) -> Any:
    """The claims of a token whose signature was checked when it arrived."""
    match = _CLAIMS.fullmatch(body)
    if match is None:
        raise Undecodable("the body is not a token: three pieces of base64url between dots")
    return _json(_base64(match[1], "the token's claims", url_safe=True))


def _pubsub(envelope: Any) -> Any:
    """A push of Google Pub/Sub: `message.data` becomes the JSON or text that it holds in base64."""
    message = envelope.get("message") if isinstance(envelope, dict) else None
    if not isinstance(message, dict):
        raise Undecodable("the body is no Pub/Sub push: it has no object `message`")
    data = message.get("data")
    if data is None:
        return envelope
    if not isinstance(data, str):
        raise Undecodable("message.data is not a text")
    octets = _base64(data.encode("ascii", "replace"), "message.data")
    try:
        value = _json(octets)
    except Undecodable:
        try:
            value = octets.decode()
        except UnicodeDecodeError:
            raise Undecodable("message.data holds neither JSON nor text") from None
    return {**envelope, "message": {**message, "data": value}}


def _base64(written: bytes, what: str, *, url_safe: bool = False) -> bytes:
    try:
        padded = written + b"=" * (-len(written) % 4)
        return base64.b64decode(padded, altchars=b"-_" if url_safe else None, validate=True)
    except (binascii.Error, ValueError):
        raise Undecodable(f"{what} is not base64") from None


def _form(body: bytes) -> dict[str, Any]:
    try:
        pairs = parse_qsl(
            body.decode("utf-8"), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict"
        )
    except ValueError as error:
        raise Undecodable(f"the body is not a form: {error}") from None
    fields: dict[str, Any] = {}
    for name, value in pairs:
        if name not in fields:
            fields[name] = value
        elif isinstance(fields[name], list):
            fields[name].append(value)
        else:
            fields[name] = [fields[name], value]
    return fields
