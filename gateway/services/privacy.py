"""The keys of one store's privacy: pseudonyms, fingerprints, and seals of what only identities may see.

All of them are derived from one key of the installation, so tenants have nothing in common.
"""

from __future__ import annotations

import hmac
from secrets import token_bytes

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.errors import GatewayError

_NONCE = 12  # bytes, NIST SP 800-38D 8.2


class Sealed(GatewayError):
    """What only identities may see cannot be opened: the key is another one."""

    status, code = 409, "sealed"


class PrivacyKeys:
    """Derived keys. A new `epoch` makes new pseudonyms; fingerprints and seals stay."""

    def __init__(self, key: bytes, store: str, *, epoch: int = 1) -> None:
        self.epoch = epoch
        self._key = key
        self._store = store
        self._fingerprints = self._derived("lookups")
        self._pseudonyms: dict[int, bytes] = {}  # one key is asked for with each request
        self._seals = AESGCM(self._derived("seals"))

    def _derived(self, purpose: str, suffix: str = "") -> bytes:
        return hmac.digest(self._key, f"{purpose} of {self._store}{suffix}".encode(), "sha256")

    def pseudonyms(self, epoch: int) -> bytes:
        """The key of an epoch's pseudonyms."""
        known = self._pseudonyms.get(epoch)
        if known is None:
            known = self._derived("pseudonyms", "" if epoch == 1 else f", epoch {epoch}")
            self._pseudonyms[epoch] = known
        return known

    def fingerprint(self, *parts: str) -> str:
        """128 bits that stand for a person or a thing, in hexadecimal; without the key nobody can guess
        it.
        """
        written = "\x1f".join(parts).encode("utf-8", "surrogatepass")
        return hmac.digest(self._fingerprints, written, "sha256")[:16].hex()

    def seal(self, content: bytes, digest: str) -> bytes:
        """Encrypt and authenticate what belongs to a body, known by its digest (AES-256-GCM)."""
        nonce = token_bytes(_NONCE)
        return nonce + self._seals.encrypt(nonce, content, digest.encode())

    def unseal(self, sealed: bytes, digest: str) -> bytes:
        """The content of a seal; raises Sealed."""
        try:
            return self._seals.decrypt(sealed[:_NONCE], sealed[_NONCE:], digest.encode())
        except InvalidTag:
            raise Sealed(
                "what only identities may see of this delivery cannot be opened: it was sealed with another "
                "privacy.key"
            ) from None
