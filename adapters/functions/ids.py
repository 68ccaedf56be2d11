"""Identifiers and privacy: UUIDs, hashes, pseudonyms, mailboxes."""

from __future__ import annotations

import hashlib
import hmac
import uuid
from typing import Any

from adapters.expressions.values import EvaluationError, describe, text
from adapters.functions.registry import function
from adapters.functions.values import json
from adapters.uuids import SEPARATOR, encoded, name_uuid

_NAMESPACES = {
    "dns": uuid.NAMESPACE_DNS,
    "url": uuid.NAMESPACE_URL,
    "oid": uuid.NAMESPACE_OID,
    "x500": uuid.NAMESPACE_X500,
}


def pseudonym(key: bytes, kind: str, value: str) -> str:
    """HMAC-SHA256 of `kind:value`, its first 128 bits in hexadecimal."""
    return hmac.new(key, encoded(f"{kind}:{value}"), hashlib.sha256).hexdigest()[:32]


@function()
def uuid5(namespace: Any, *parts: Any) -> str:
    """A version 5 UUID of a namespace (a UUID, or url, dns, oid, x500) and a name; parts are joined."""
    written = text(namespace)
    try:
        space = _NAMESPACES.get(written) or uuid.UUID(written)
    except ValueError:
        raise EvaluationError(f"{describe(namespace)} is not a UUID") from None
    if not parts:
        raise EvaluationError("needs a name after the namespace")
    return name_uuid(space.bytes, SEPARATOR.join(map(text, parts)))


@function(absent="seen")
def hash_(*parts: Any) -> str | None:
    """SHA-256 in hexadecimal of some values; absent ones count as such, all absent is absent."""
    if all(part is None for part in parts):
        return None
    written = [
        "\x00" if part is None else json(part) if isinstance(part, (list, dict)) else text(part)
        for part in parts
    ]
    return hashlib.sha256(encoded(SEPARATOR.join(written))).hexdigest()


@function(scoped=True, where="mapping")
def hmac_pseudonym(scope: Any, value: Any) -> str:
    """A stable name that cannot be turned back into the value without the gateway's key."""
    return pseudonym(scope.lookups.pseudonym_key, "value", text(value))


@function()
def mailto(value: Any) -> str | None:
    """A mailbox IRI of an e-mail address, trimmed and in lower case; absent when it is no address."""
    address = text(value).strip().lower().removeprefix("mailto:")
    local, at, domain = address.partition("@")
    usable = local and at and domain and "@" not in domain and not any(c.isspace() for c in address)
    return f"mailto:{address}" if usable else None


@function()
def sha1_mailto(value: Any) -> str | None:
    """The SHA-1 of an address's mailbox IRI, as `mbox_sha1sum` wants it."""
    mailbox = mailto(value)
    return hashlib.sha1(encoded(mailbox), usedforsecurity=False).hexdigest() if mailbox else None
