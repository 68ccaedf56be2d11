"""`public_key`: a signature over a message made of the request, by a key that only the vendor has."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from adapters.expressions.environment import Closure
from adapters.outcomes import Verified
from adapters.receive.checks import Parts, built_message, sent_signatures
from adapters.receive.incoming import Incoming
from adapters.receive.keys import SIGNING_ALGORITHMS, NamedKey, any_verifies
from adapters.receive.signature import Mismatch, SignatureSpec, TimestampSpec, once


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorKey:
    """One key of a vendor; after `not_after` it proves nothing any more."""

    key: NamedKey
    not_after: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKeySigned:
    """`key_id_headers` name the header that says which key signed; without it every key is tried."""

    algorithm: str
    keys: tuple[VendorKey, ...]
    key_id_headers: tuple[str, ...]
    message: Closure | None
    message_headers: tuple[str, ...]
    message_parts: Parts = ()
    signature: SignatureSpec
    timestamp: TimestampSpec | None
    preset: str | None = None

    def verify(self, sent: Incoming) -> Verified:
        signatures = sent_signatures(self.signature, self.timestamp, self.message_headers, sent)
        keys = self._candidates(sent)
        message = built_message(self.message, self.signature, sent)
        for signature in signatures:
            found = any_verifies(SIGNING_ALGORITHMS[self.algorithm], keys, signature, message)
            if found is not None:
                position = next(i for i, one in enumerate(self.keys) if one.key is keys[found])
                return Verified(
                    method="public_key", key_index=position, preset=self.preset, key_id=keys[found].id
                )
        raise Mismatch("the signature does not match")

    def _candidates(self, sent: Incoming) -> list[NamedKey]:
        keys = [one.key for one in self.keys if one.not_after is None or sent.now <= one.not_after]
        if not keys:
            raise Mismatch("every key has reached its not_after")
        if self.key_id_headers:
            wanted = once(sent.header(self.key_id_headers), f"header {self.key_id_headers[0]}")
            keys = [one for one in keys if one.id == wanted]
            if not keys:
                raise Mismatch("the request names a key that is not known")
        return keys
