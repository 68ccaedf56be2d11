"""What happens to one request, in order: method, size, type, network, handshakes, verification, decoding."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any

from adapters.outcomes import Accepted, Answered, Received, Refused, Request, Verified, Wanting
from adapters.receive.body_path import BodyPath
from adapters.receive.checks import Check, OAuth2Client, Signed, Token, each_check
from adapters.receive.decode import Decoder, Undecodable
from adapters.receive.handshakes import Handshake
from adapters.receive.incoming import Incoming, grouped, incoming
from adapters.receive.jwt import Jwt
from adapters.receive.known import KeysWanted, Known
from adapters.receive.policy import Policy
from adapters.receive.public_key import PublicKeySigned
from adapters.receive.signature import Mismatch


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """The compiled `receive:` block. `secrets` are the names of all secrets it needs.

    The body is decoded after verification, except where a handshake or check has to look into it
    (`reads_body_first`); what it held is then not used before the checks have passed.
    """

    methods: tuple[str, ...]
    content_types: tuple[str, ...]
    max_body: int
    ip_allow: tuple[IPv4Network | IPv6Network, ...]
    checks: tuple[Check, ...]
    handshakes: tuple[Handshake, ...]
    decoder: Decoder
    reject_bad_payload: bool
    ack_status: int
    refuse_status: int
    secrets: frozenset[str]
    reads_body_first: bool
    key: Callable[[Any, Incoming, str], str]
    policy: Policy

    @property
    def key_urls(self) -> frozenset[str]:
        """The key sets that have to be fetched for `Known`."""
        return frozenset(
            check.jwks_url
            for check in each_check(self.checks)
            if isinstance(check, Jwt) and check.jwks_url is not None
        )

    @property
    def secret_paths(self) -> tuple[BodyPath, ...]:
        """Where bodies carry tokens and signatures, which nobody has to keep or see afterwards."""
        found: list[BodyPath | None] = []
        for check in each_check(self.checks):
            if isinstance(check, Token):
                found.append(check.body)
            elif isinstance(check, Jwt):
                found.append(check.path)
            elif isinstance(check, (Signed, PublicKeySigned)):
                found.append(check.signature.body)
        return tuple(dict.fromkeys(path for path in found if path is not None))

    @property
    def takes_clients(self) -> bool:
        """Whether the client of a bearer token has to be found out for `Known`."""
        return any(isinstance(check, OAuth2Client) for check in each_check(self.checks))

    def receive(
        self,
        request: Request,
        secrets: Callable[[str], str | None],
        now: datetime,
        known: Known | None = None,
    ) -> Received:
        """Decide about one request, with what is `known` about it beforehand."""
        if self.policy.retired:
            return Refused(410, "the adapter is retired")
        headers = grouped(request.headers, lower=True)
        refused = self._malformed(request, headers) or self._foreign(request)
        if refused is not None:
            return refused
        payload, problem = self._decoded(request) if self.reads_body_first else (None, None)
        sent = incoming(request, payload, secrets, self.secrets, now, known, headers)
        missing = sorted(name for name, value in sent.scope.secrets.items() if value is None)
        if missing:
            return Refused(503, f"secret {missing[0]} is not set")
        answered = self._handshake(sent, verified=False)
        if answered is not None:
            return answered
        if request.method not in self.methods:
            return Refused(405, f"method {request.method} is not accepted")
        try:
            verified = tuple(check.verify(sent) for check in self.checks)
        except Mismatch as mismatch:
            return Refused(self.refuse_status, str(mismatch))
        except KeysWanted as wanted:
            return Wanting(wanted.url, str(wanted), self.refuse_status)
        if not self.reads_body_first:
            payload, problem = self._decoded(request)
            sent.scope.body = payload
        answered = self._handshake(sent, verified=True)
        if answered is not None:
            return answered
        if problem is not None and self.reject_bad_payload:
            return Refused(400, problem)
        return self._accepted(sent, payload, problem, verified)

    def _malformed(self, request: Request, headers: Mapping[str, tuple[str, ...]]) -> Refused | None:
        if request.method not in self.methods and not any(
            request.method in one.methods for one in self.handshakes
        ):
            return Refused(405, f"method {request.method} is not accepted")
        if len(request.body) > self.max_body:
            return Refused(413, f"{len(request.body)} bytes are more than {self.max_body}")
        if request.body:
            types = headers.get("content-type", ())
            kind = types[0].partition(";")[0].strip().lower() if len(types) == 1 else ""
            if kind not in self.content_types:
                return Refused(415, f"content type {kind[:60] or '(none)'!r} is not accepted")
        return None

    def _foreign(self, request: Request) -> Refused | None:
        if not self.ip_allow:
            return None
        try:
            address = ip_address(request.remote or "")
        except ValueError:
            return Refused(403, "the caller's address is not known")
        if any(address in network for network in self.ip_allow):
            return None
        return Refused(403, "the caller's address is not allowed")

    def _decoded(self, request: Request) -> tuple[Any, str | None]:
        """The payload, or why there is none."""
        try:
            return self.decoder.decode(request.body), None
        except Undecodable as error:
            return None, str(error)

    def _handshake(self, sent: Incoming, *, verified: bool) -> Answered | Refused | None:
        for handshake in self.handshakes:
            if handshake.verify_first is verified:
                answer = handshake.answer(sent.request.method, sent.scope)
                if answer is not None:
                    return answer
        return None

    def _accepted(
        self, sent: Incoming, payload: Any, problem: str | None, verified: tuple[Verified, ...]
    ) -> Accepted:
        digest = hashlib.sha256(sent.request.body).hexdigest()
        return Accepted(
            payload=payload,
            key=digest if problem is not None else self.key(payload, sent, digest),
            digest=digest,
            verified=verified,
            ack_status=self.ack_status,
            problem=problem,
            skew=max(sent.skews, key=abs, default=None),
        )
