"""What is kept of a vendor's request: no signature, no credential, nothing that the mapping drops. Pure.

Headers are kept by what their names say, because a mapping that is written later may want to know the type of
an event or the id of a delivery; whatever smells of authentication is left out even if a mapping reads it.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import orjson
import re2

from adapters import Mapping, Request
from adapters.receive.checks import Check, Signed, Token, each_check
from adapters.receive.jwt import Jwt
from adapters.receive.public_key import PublicKeySigned
from gateway.services.at_hand import AtHand
from gateway.services.privacy import PrivacyKeys

MASK = "***"
_ALWAYS = frozenset({"content-type", "user-agent", "date"})
_WANTED = re2.compile(
    r"(^|[-_])(event|events|delivery|topic|type|id|time|timestamp|version|retry|attempt|domain|subdomain|shop)"
    r"([-_]|$)|retry-num"
)
_SECRET = re2.compile(
    r"auth|sign|secret|token|password|passwd|credential|cookie|session|hmac|checksum|digest|api-?key|[-_]key|^key"
)
_MAX_HEADERS = 40
_MOST_REMEMBERED = 1_000
_MAX_VALUE = 1_000
_MAX_URL = 2_000


@dataclass(slots=True)
class _Plan:
    """What one revision of a mapping says about requests; `kept` remembers what is decided about a header."""

    secret_headers: frozenset[str]
    read_headers: frozenset[str]
    secret_parameters: frozenset[str | None]
    token_in_path: bool
    kept: dict[str, bool] = field(default_factory=dict)

    def keeps(self, name: str) -> bool:
        """Whether a header of that lower-case name may be stored."""
        known = self.kept.get(name)
        if known is None:
            wanted = name in _ALWAYS or name in self.read_headers or _WANTED.search(name) is not None
            known = wanted and name not in self.secret_headers and _SECRET.search(name) is None
            if len(self.kept) < _MOST_REMEMBERED:
                self.kept[name] = known
        return known


_plans: dict[str, _Plan] = {}


def _plan(mapping: Mapping) -> _Plan:
    found = _plans.get(mapping.revision)
    if found is None:
        checks = list(_checks(mapping))
        parameters = {check.query for check in checks if isinstance(check, Token)}
        signed = (check for check in checks if isinstance(check, (Signed, PublicKeySigned)))
        found = _Plan(
            secret_headers=frozenset(name for check in checks for name in _headers_of(check)),
            read_headers=frozenset(
                str(keys[0]).lower() for root, keys in _paths(mapping) if root == "headers" and keys
            ),
            secret_parameters=frozenset(parameters | {check.signature.query for check in signed}),
            token_in_path=any(isinstance(check, Token) and check.in_path for check in checks),
        )
        if len(_plans) >= _MOST_REMEMBERED:
            _plans.clear()
        _plans[mapping.revision] = found
    return found


def kept_headers(mapping: Mapping, headers: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """The headers that may be stored, names in lower case."""
    plan = _plan(mapping)
    kept: list[tuple[str, str]] = []
    for name, value in headers:
        low = name.lower()
        if plan.keeps(low) and len(kept) < _MAX_HEADERS:
            kept.append((_storable(low), _storable(value[:_MAX_VALUE])))
    return tuple(kept)


def kept_url(mapping: Mapping, url: str) -> str:
    """The URL with the values of secret parameters, and a token at the end of its path, masked."""
    plan = _plan(mapping)
    if not plan.token_in_path and "?" not in url and "#" not in url:
        return _storable(url[:_MAX_URL])
    parts = urlsplit(url)
    pairs = []
    for pair in parts.query.split("&") if parts.query else ():
        name, equals, value = pair.partition("=")
        hidden = name in plan.secret_parameters or _SECRET.search(name.lower()) is not None
        pairs.append(f"{name}{equals}{MASK if hidden and equals else value}")
    path = parts.path
    if plan.token_in_path:
        path = f"{path.rpartition('/')[0]}/{MASK}"
    return _storable(parts._replace(query="&".join(pairs), path=path).geturl()[:_MAX_URL])


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptBody:
    """What is stored of a body. Where `decoded` it is the payload as JSON, without what the mapping hides and
    with pseudonyms at the paths of `pseudonymised`; `sealed` is what identities see of it, encrypted.

    `at_hand` is what reading it back would give, None where only that can tell.
    """

    body: bytes
    decoded: bool = False
    pseudonymised: tuple[str, ...] = ()
    sealed: bytes | None = None
    at_hand: AtHand | None = None


def kept_body(mapping: Mapping, payload: Any, request: Request, keys: PrivacyKeys, digest: str) -> KeptBody:
    """What may be stored of an accepted request's body."""
    privacy, key = mapping.privacy, keys.pseudonyms(keys.epoch)
    sight = mapping.sight(payload, key)
    if not privacy.hidden or privacy.store_raw == "keep":
        return KeptBody(body=request.body, at_hand=AtHand(mapping.revision, payload, sight))
    visible, exact = _json(sight.visible)
    if privacy.sealed:
        private, exact = _json(sight.private)
        sealed, seen = keys.seal(private, digest), sight.private
    else:
        sealed, seen = None, sight.visible
    return KeptBody(
        body=visible,
        decoded=True,
        pseudonymised=privacy.pseudonyms,
        sealed=sealed,
        at_hand=AtHand(mapping.revision, seen, sight) if exact and privacy.from_rules.settled else None,
    )


def kept_digest(mapping: Mapping, digest: str, keys: PrivacyKeys) -> str:
    """What tells bodies apart: their SHA-256, or where nothing may be kept a keyed hash of it."""
    return keys.fingerprint("digest", digest) if mapping.privacy.store_raw == "none" else digest


def _json(payload: Any) -> tuple[bytes, bool]:
    """As JSON, and whether reading it back is known to give the same."""
    try:
        return orjson.dumps(payload), True
    except TypeError:  # an integer beyond 64 bits, half a surrogate pair of a form
        return json.dumps(payload, separators=(",", ":")).encode(), False


def kept_for(mapping: Mapping, default: dt.timedelta) -> dt.timedelta:
    """How long a resolved delivery stays."""
    seconds = mapping.privacy.keep_for
    return dt.timedelta(seconds=seconds) if seconds is not None else default


def _checks(mapping: Mapping) -> Iterator[Check]:
    return each_check(mapping.receiver.checks if mapping.receiver is not None else ())


def _headers_of(check: Check) -> tuple[str, ...]:
    if isinstance(check, Token):
        return (check.header,) if check.header is not None else ()
    if isinstance(check, Jwt):
        return (check.where,) if check.place == "header" else ()
    return check.signature.headers if isinstance(check, (Signed, PublicKeySigned)) else ()


def _paths(mapping: Mapping) -> Iterator[tuple[str, tuple[Any, ...]]]:
    for read in mapping.reads:
        yield read.root, tuple(read.keys)


def _storable(text: str) -> str:
    """Text that UTF-8 can hold: bytes that were not are shown as question marks."""
    return text.encode("utf-8", "replace").decode()
