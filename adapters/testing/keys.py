"""Keys for tests and for trying out a mapping: everybody has them, so nothing real may trust them. Pure."""

from __future__ import annotations

import hashlib
from functools import cache

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from adapters.receive.keys import KeySet, NamedKey

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | Ed25519PrivateKey
KEY_ID = "sample"
_CURVES: dict[str, ec.EllipticCurve] = {
    "ES256": ec.SECP256R1(),
    "ES384": ec.SECP384R1(),
    "ES512": ec.SECP521R1(),
}
# Two primes: there is no way to derive an RSA key from a word that is as short as writing them down.
_P = int(
    "c3ddbdc8a49e9c4a16ca237ed0eff89b93d9a0721f6ac21e9e9b5c107a0353f4f635307366a3191990af51dcdc411a7b"
    "a964585d50f896ddeb19d29a55411810b243720e263fda05fc2f1927129b44912dd118c4d516c36cbb754bcbe1c69be2"
    "278a0b05092fe17f705600ccb649d3f860cb6811baaaef8351b749fdba2592b3",
    16,
)
_Q = int(
    "c845da04b14597658480558b3a19704b1cc4d8539ddd12f8f0eea4226e78f0756bfde62c347be5500be5e4b2ff142c55"
    "52cf69aaac2a0c0a3d1a4fefeb5f44ce7f8cfbe728b711dfe40e7c285cd1d8c9eca5bc584adf2eb77c8652316cbb6d5a"
    "36f6f4e5752f61fe4e90da1cd8833582b94a7d5c49fb908d8fb6d6db00689383",
    16,
)


def sample_secret(name: str) -> str:
    """A made-up secret; it is well-formed as text, hex and base64."""
    return hashlib.sha256(name.encode()).hexdigest()


@cache
def sample_key(algorithm: str) -> PrivateKey:
    """The private key that signs samples by a JSON Web Algorithm."""
    seed = hashlib.sha256(b"a key that everybody has").digest()
    if algorithm == "EdDSA":
        return Ed25519PrivateKey.from_private_bytes(seed)
    if algorithm in _CURVES:
        return ec.derive_private_key(int.from_bytes(seed), _CURVES[algorithm])
    exponent = 65537
    private = pow(exponent, -1, (_P - 1) * (_Q - 1))
    numbers = rsa.RSAPrivateNumbers(
        p=_P,
        q=_Q,
        d=private,
        dmp1=private % (_P - 1),
        dmq1=private % (_Q - 1),
        iqmp=pow(_Q, -1, _P),
        public_numbers=rsa.RSAPublicNumbers(exponent, _P * _Q),
    )
    return numbers.private_key()


def sample_key_set(algorithms: tuple[str, ...]) -> KeySet:
    """The key set that a vendor of samples would publish."""
    return KeySet(tuple(NamedKey(id=KEY_ID, key=sample_key(one).public_key()) for one in algorithms))
