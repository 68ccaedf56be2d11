"""What a vendor has to know to send to an adapter: told from its mapping, with no secret in it. Pure."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from adapters import Mapping as AdapterMapping
from adapters.loading.model import Block
from adapters.loading.yaml_source import MapNode
from adapters.receive.body_path import BodyPath
from adapters.receive.checks import AnyOf, Basic, Check, OAuth2Client, Signed, Token
from adapters.receive.jwt import Jwt
from adapters.receive.public_key import PublicKeySigned
from adapters.receive.receiver import Receiver
from adapters.receive.signature import SignatureSpec, TimestampSpec
from adapters.testing.bodies import CannotSign, encoded
from adapters.testing.keys import sample_secret
from adapters.testing.signing import sign, unsigned

_LONGEST_SAMPLE = 1_200  # characters of a body that is shown
_CLOCK = {"s": "seconds since 1970", "ms": "milliseconds since 1970", "iso8601": "ISO 8601"}


@dataclass(frozen=True, slots=True)
class Fact:
    """A line of the sheet."""

    name: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupSheet:
    """`proof` is how a request proves itself, `answers` what the vendor gets back by status.

    `example` is a request signed with a made-up secret, or None where nobody but the vendor can sign.
    """

    url: str
    methods: tuple[str, ...]
    content_types: tuple[str, ...]
    decoded: str
    proof: tuple[tuple[Fact, ...], ...]
    secrets: tuple[str, ...]
    handshakes: tuple[Fact, ...]
    limits: tuple[Fact, ...]
    answers: tuple[Fact, ...]
    example: str | None
    retired: bool


def setup_sheet(
    mapping: AdapterMapping, gateway: str, samples: list[Any], now: datetime
) -> SetupSheet | None:
    """The sheet of a mapping for a gateway at that URL; None for one that receives nothing."""
    receiver = mapping.receiver
    if receiver is None:
        return None
    url = f"{gateway}/hooks/{mapping.name}"
    in_path = any(_is_in_path(one) for one in receiver.checks)
    return SetupSheet(
        url=f"{url}/SECRET" if in_path else url,
        methods=receiver.methods,
        content_types=receiver.content_types,
        decoded=_DECODED[receiver.decoder.kind].format(receiver.decoder.field),
        proof=tuple(tuple(facts) for one in receiver.checks for facts in _each(one, mapping, gateway)),
        secrets=tuple(sorted(receiver.secrets)),
        handshakes=tuple(
            Fact(
                one.name,
                f"{', '.join(one.methods)}, answered with {one.status}"
                f"{' after the signature was checked' if one.verify_first else ''}",
            )
            for one in receiver.handshakes
        ),
        limits=tuple(_limits(receiver)),
        answers=tuple(_answers(receiver)),
        example=_example(mapping, url, samples, now),
        retired=receiver.policy.retired,
    )


_DECODED = {
    "json": "JSON",
    "form": "an HTML form",
    "form_json": "an HTML form whose field {} holds JSON",
    "jwt": "a JSON Web Token",
    "pubsub": "a Pub/Sub push message",
}


def _is_in_path(check: Check) -> bool:
    if isinstance(check, AnyOf):
        return _is_in_path(check.checks[0])
    return isinstance(check, Token) and check.in_path


def _each(check: Check, mapping: AdapterMapping, gateway: str) -> list[list[Fact]]:
    if isinstance(check, AnyOf):
        return [facts for one in check.checks for facts in _each(one, mapping, gateway)]
    facts = _facts(check, mapping, gateway)
    preset = getattr(check, "preset", None)
    return [[*facts, Fact("Scheme", f"the vendor's own, called {preset} here")] if preset else facts]


def _facts(check: Check, mapping: AdapterMapping, gateway: str) -> list[Fact]:
    if isinstance(check, Signed):
        how = f"{check.method.upper()} with {check.algorithm.upper()}"
        return [
            Fact("Method", f"{how} and a shared secret"),
            Fact("What is signed", _message(check.message is None, mapping)),
            *_where(check.signature, check.timestamp),
        ]
    if isinstance(check, PublicKeySigned):
        facts = [
            Fact("Method", f"a signature by your private key, {check.algorithm}"),
            Fact("What is signed", _message(check.message is None, mapping)),
            *_where(check.signature, check.timestamp),
        ]
        ids = ", ".join(check.key_id_headers)
        return [*facts, Fact("Which key", f"its id in the header {ids}")] if ids else facts
    if isinstance(check, Token):
        prefix = f", after {check.prefix!r}" if check.prefix else ""
        place = _place(header=check.header, query=check.query, body=check.body)
        return [Fact("Method", "a shared secret that is sent along"), Fact("Where", f"{place}{prefix}")]
    if isinstance(check, Basic):
        return [Fact("Method", "HTTP Basic"), Fact("User", check.username), Fact("Password", "the secret")]
    if isinstance(check, OAuth2Client):
        return [
            Fact("Method", "a bearer token, which you get with client credentials"),
            Fact("Token endpoint", f"{gateway}/oauth2/token"),
            Fact("Client", ", ".join(check.clients)),
            Fact("Scope", check.scope),
        ]
    if isinstance(check, Jwt):
        where = {"bearer": "the header Authorization, as Bearer", "body": "the body is the token"}
        place = where.get(check.place) or f"the {check.place} {check.where}"
        keys = f"keys from {check.jwks_url}" if check.jwks_url else "the shared secret or key on file"
        algorithms = ", ".join(check.algorithms)
        return [
            Fact("Method", f"a JSON Web Token, {algorithms}"),
            Fact("Where", place),
            Fact("Verified with", keys),
        ]
    return [Fact("Method", "none: anybody who knows the address can send")]


def _where(signature: SignatureSpec, timestamp: TimestampSpec | None) -> list[Fact]:
    place = _place(header=" or ".join(signature.headers) or None, query=signature.query, body=signature.body)
    shape = f", after {signature.prefix!r}" if signature.prefix else ""
    if signature.pairs:
        shape = f", as {signature.keys[0]}=… among pairs"
    facts = [Fact("Signature", f"{place}, in {signature.encoding}{shape}")]
    if timestamp is not None:
        found = f"the header {timestamp.headers[0]}" if timestamp.headers else "the signature's own header"
        if timestamp.body:
            found = f"the body, {timestamp.body.written}"
        unit = _CLOCK.get(timestamp.unit, timestamp.unit)
        facts.append(Fact("Time", f"{found}, in {unit}, at most {timestamp.tolerance} s from now"))
    return facts


def _place(*, header: str | None, query: str | None, body: BodyPath | None) -> str:
    if header:
        return f"the header {header}"
    if query:
        return f"the query parameter {query}"
    return f"the body, {body.written}" if body else "the last part of the address"


def _message(whole_body: bool, mapping: AdapterMapping) -> str:
    if whole_body:
        return "the body, byte for byte"
    for check in Block(mapping.node).block("receive").listed("verify"):
        settings = next(iter(check.items.values()), None) if isinstance(check, MapNode) else None
        if isinstance(settings, MapNode) and (written := Block(settings).text("message")):
            return written
    return "what the scheme says"


def _limits(receiver: Receiver) -> list[Fact]:
    facts = [Fact("Largest body", f"{receiver.max_body:,} bytes")]
    if rate := receiver.policy.rate:
        facts.append(Fact("Rate", f"{rate.requests} requests in {rate.seconds} s of one address"))
    if receiver.ip_allow:
        facts.append(Fact("Networks", ", ".join(map(str, receiver.ip_allow))))
    return facts


def _answers(receiver: Receiver) -> list[Fact]:
    refused = receiver.refuse_status
    facts = [
        Fact(str(receiver.ack_status), "It is stored and will not be lost. Sent again, it counts once."),
        Fact(str(refused), "It could not be verified. Look at secret, clock and address; do not repeat it."),
        Fact("405, 413, 415", "Method, size or content type is not accepted. Do not repeat it."),
        Fact("429, 503", "Not now. Repeat it after the seconds that Retry-After names, or later."),
    ]
    if receiver.reject_bad_payload:
        facts.insert(2, Fact("400", "The body cannot be read. Do not repeat it."))
    return facts


def _example(mapping: AdapterMapping, url: str, samples: list[Any], now: datetime) -> str | None:
    """A curl call, signed with a secret that everybody has: it shows the form and is refused."""
    fitting = (one for one in samples if len(json.dumps(one)) <= _LONGEST_SAMPLE)
    body = encoded(mapping, next(fitting, {}))
    request = unsigned(mapping, body, url, now)
    try:
        request = sign(request, mapping, sample_secret, now)
    except CannotSign:
        return None
    parts = [f"curl -X {request.method} {shlex.quote(request.url)}"]
    parts += [f"-H {shlex.quote(f'{name}: {value}')}" for name, value in request.headers]
    if request.body:
        parts.append(f"--data-raw {shlex.quote(request.body.decode('utf-8', 'replace'))}")
    return " \\\n  ".join(parts)
