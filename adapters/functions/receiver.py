"""Functions of `receive:` only: secrets and the HMACs of handshakes. Mapping rules never see a secret."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any

from adapters.expressions.environment import Closure, Site
from adapters.expressions.syntax import Expression, Literal
from adapters.expressions.values import text
from adapters.functions.registry import builder, function


@builder("('NAME')", least=1, most=1, where="receive")
def secret(site: Site, terms: tuple[Expression, ...], args: tuple[Closure, ...]) -> Closure:
    """A secret by name: the environment variable of that name or the file that NAME_FILE names."""
    name = terms[0]
    if not isinstance(name, Literal) or not isinstance(name.value, str) or not name.value:
        raise site.error("E309", "the name of a secret must be written out: secret('NAME')", name)
    wanted = name.value
    site.env.collected.secrets.add(wanted)
    return lambda scope: scope.secrets.get(wanted)


@function(where="receive")
def hmac_sha256_hex(key: Any, message: Any) -> str:
    """HMAC-SHA256 in hexadecimal."""
    return _hmac(key, message).hex()


@function(where="receive")
def hmac_sha256_base64(key: Any, message: Any) -> str:
    """HMAC-SHA256 in base64."""
    return base64.b64encode(_hmac(key, message)).decode()


def _hmac(key: Any, message: Any) -> bytes:
    return hmac.digest(_bytes(key), _bytes(message), hashlib.sha256)


def _bytes(value: Any) -> bytes:
    return raw(text(value))


def raw(value: str) -> bytes:
    """Bytes that were read with `surrogateescape`, as they arrived; other lone surrogates stay distinct."""
    try:
        return value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return value.encode("utf-8", "surrogatepass")
