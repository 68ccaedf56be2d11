"""Public keys and what they verify: PEM, JSON Web Key Sets (RFC 7517), signatures by `cryptography`. Pure."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_pem_public_key

MAX_KEYS = 100
LEAST_RSA_BITS = 2048
PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | Ed25519PublicKey
Family = Literal["rsa", "rsa-pss", "ecdsa", "ed25519"]


@dataclass(frozen=True, slots=True)
class Algorithm:
    """How a key signs. `size` is the length of one number of a raw ECDSA signature, None where it is DER."""

    family: Family
    hash: hashes.HashAlgorithm | None = None
    size: int | None = None

    def fits(self, key: PublicKey) -> bool:
        """Whether a key is of the kind that this algorithm needs."""
        if self.family == "ed25519":
            return isinstance(key, Ed25519PublicKey)
        if self.family == "ecdsa":
            of_size = self.size is None or (
                isinstance(key, ec.EllipticCurvePublicKey) and (key.curve.key_size + 7) // 8 == self.size
            )
            return isinstance(key, ec.EllipticCurvePublicKey) and of_size
        return isinstance(key, rsa.RSAPublicKey)

    def verifies(self, key: PublicKey, signature: bytes, message: bytes) -> bool:
        """Whether the signature was made with the private half of this key. Never raises."""
        try:
            if isinstance(key, Ed25519PublicKey):
                key.verify(signature, message)
            elif isinstance(key, rsa.RSAPublicKey):
                assert self.hash is not None
                how: padding.AsymmetricPadding = padding.PKCS1v15()
                if self.family == "rsa-pss":
                    how = padding.PSS(mgf=padding.MGF1(self.hash), salt_length=padding.PSS.AUTO)
                key.verify(signature, message, how, self.hash)
            else:
                assert self.hash is not None
                key.verify(self._der(signature), message, ec.ECDSA(self.hash))
        except (InvalidSignature, ValueError, TypeError, UnsupportedAlgorithm):
            return False
        return True

    def _der(self, signature: bytes) -> bytes:
        if self.size is None:
            return signature
        if len(signature) != 2 * self.size:
            raise ValueError("the signature has another length")
        numbers = (int.from_bytes(half) for half in (signature[: self.size], signature[self.size :]))
        return encode_dss_signature(*numbers)


_HASHES: Final = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}

# Names of JSON Web Algorithms (RFC 7518 §3.1, RFC 8037 §3.1).
JWS_ALGORITHMS: Final[Mapping[str, Algorithm]] = {
    **{f"RS{size}": Algorithm("rsa", one) for size, one in _HASHES.items()},
    **{f"PS{size}": Algorithm("rsa-pss", one) for size, one in _HASHES.items()},
    "ES256": Algorithm("ecdsa", _HASHES["256"], 32),
    "ES384": Algorithm("ecdsa", _HASHES["384"], 48),
    "ES512": Algorithm("ecdsa", _HASHES["512"], 66),
    "EdDSA": Algorithm("ed25519"),
}
# Names that `public_key` goes by; ECDSA signatures are DER there, as webhooks carry them.
SIGNING_ALGORITHMS: Final[Mapping[str, Algorithm]] = {
    "ed25519": Algorithm("ed25519"),
    **{f"rsa-sha{size}": Algorithm("rsa", one) for size, one in _HASHES.items()},
    **{f"rsa-pss-sha{size}": Algorithm("rsa-pss", one) for size, one in _HASHES.items()},
    **{f"ecdsa-sha{size}": Algorithm("ecdsa", one) for size, one in _HASHES.items()},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedKey:
    """A public key with its id, and the one algorithm it is meant for, where its owner says so."""

    id: str | None
    key: PublicKey
    algorithm: str | None = None


@dataclass(frozen=True, slots=True)
class KeySet:
    """The public keys that somebody signs with."""

    keys: tuple[NamedKey, ...] = field(default=())

    def candidates(self, kid: str | None, algorithm: str) -> tuple[NamedKey, ...]:
        """The keys that may have signed: the one of that id; all that fit where the token names none."""
        fits = JWS_ALGORITHMS[algorithm].fits
        return tuple(
            one
            for one in self.keys
            if fits(one.key) and one.algorithm in (None, algorithm) and (kid is None or one.id == kid)
        )


def key_set(value: Any) -> KeySet:
    """The usable keys of a JWKS; raises ValueError if it is none. Keys of unknown kinds are left out."""
    keys = value.get("keys") if isinstance(value, dict) else None
    if not isinstance(keys, list):
        raise ValueError("a key set is an object with a list of `keys`")
    found = [_jwk(one) for one in keys[:MAX_KEYS] if isinstance(one, dict)]
    return KeySet(tuple(one for one in found if one is not None))


def _jwk(jwk: Mapping[str, Any]) -> NamedKey | None:
    if jwk.get("use", "sig") != "sig":
        return None
    try:
        key = _key_of(jwk)
    except (ValueError, TypeError, KeyError, UnsupportedAlgorithm):
        return None
    if key is None:
        return None
    kid, algorithm = jwk.get("kid"), jwk.get("alg")
    return NamedKey(
        id=kid if isinstance(kid, str) else None,
        key=key,
        algorithm=algorithm if isinstance(algorithm, str) else None,
    )


def _key_of(jwk: Mapping[str, Any]) -> PublicKey | None:
    kind, curve = jwk.get("kty"), jwk.get("crv")
    if kind == "RSA":
        key = rsa.RSAPublicNumbers(e=_number(jwk["e"]), n=_number(jwk["n"])).public_key()
        return key if key.key_size >= LEAST_RSA_BITS else None
    if kind == "OKP" and curve == "Ed25519":
        return Ed25519PublicKey.from_public_bytes(_octets(jwk["x"]))
    curves: dict[str, ec.EllipticCurve] = {
        "P-256": ec.SECP256R1(),
        "P-384": ec.SECP384R1(),
        "P-521": ec.SECP521R1(),
    }
    if kind == "EC" and curve in curves:
        return ec.EllipticCurvePublicNumbers(
            x=_number(jwk["x"]), y=_number(jwk["y"]), curve=curves[curve]
        ).public_key()
    return None


def _octets(written: str) -> bytes:
    try:
        return base64.b64decode(
            (written + "=" * (-len(written) % 4)).encode("ascii"), altchars=b"-_", validate=True
        )
    except binascii.Error as error:
        raise ValueError(str(error)) from None


def _number(written: str) -> int:
    return int.from_bytes(_octets(written))


def pem_key(text: str) -> PublicKey:
    """The key of a PEM text; raises ValueError with the reason."""
    try:
        key = load_pem_public_key(text.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValueError(f"not a public key in PEM: {str(error).splitlines()[0][:200]}") from None
    if not isinstance(key, (rsa.RSAPublicKey, ec.EllipticCurvePublicKey, Ed25519PublicKey)):
        raise ValueError("the key is none of RSA, ECDSA and Ed25519")
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < LEAST_RSA_BITS:
        raise ValueError(f"an RSA key needs at least {LEAST_RSA_BITS} bits, this one has {key.key_size}")
    return key


def any_verifies(
    algorithm: Algorithm, keys: Sequence[NamedKey], signature: bytes, message: bytes
) -> int | None:
    """The position of the first key that verifies a signature."""
    for index, one in enumerate(keys):
        if algorithm.fits(one.key) and algorithm.verifies(one.key, signature, message):
            return index
    return None
