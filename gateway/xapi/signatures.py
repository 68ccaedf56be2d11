"""Signed statements: the JSON Web Signature that travels as an attachment (xAPI Data §2.6, RFC 7515).

Performs no I/O. A certificate in the signature proves that its owner signed these bytes; who that is, who
vouches for it and whether it has expired is for the reader of the statement to ask.
"""

from __future__ import annotations

import re
from base64 import b64decode, urlsafe_b64decode
from collections.abc import Mapping
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from gateway.errors import BadRequest, Problem
from gateway.xapi import media_types, strict_json
from gateway.xapi.attachments import Attached, declared
from gateway.xapi.comparison import same_statement
from gateway.xapi.findings import at, shown
from gateway.xapi.validation import check
from gateway.xapi.versions import Version

USAGE_TYPE: Final = "http://adlnet.gov/expapi/attachments/signature"

_SIGNED: Final = "xAPI 2.6"
_COMPACT: Final = re.compile(rb"([0-9A-Za-z_-]+)\.([0-9A-Za-z_-]+)\.([0-9A-Za-z_-]+)")
_ALGORITHMS: Final[Mapping[str, hashes.HashAlgorithm]] = {
    "RS256": hashes.SHA256(),
    "RS384": hashes.SHA384(),
    "RS512": hashes.SHA512(),
}


class _RefusedError(Exception):
    """Why a signature is not accepted."""


def check_signatures(
    statement: Mapping[str, Any], parts: Mapping[str, Attached], path: str = ""
) -> list[Problem]:
    """Everything wrong with the signatures of a valid statement, nothing when it has none.

    `parts` holds the request's attachments by hash in lower case (`attachments.match`), none for a request in
    plain JSON; `path` is where the statement stands in a batch. A signature with a certificate (`x5c`) must
    verify with its key; one without cannot be verified and is accepted.
    """
    problems: list[Problem] = []
    for where, attachment in declared(statement, path):
        if attachment["usageType"] != USAGE_TYPE:
            continue
        # What an attachment of a SubStatement signs is the SubStatement.
        inner = where.startswith(at(path, "object"))
        try:
            _check(statement["object"] if inner else statement, attachment, parts)
        except _RefusedError as refused:
            problems.append(Problem(where, _SIGNED, str(refused)))
    return problems


def _check(signed: Mapping[str, Any], attachment: Mapping[str, Any], parts: Mapping[str, Attached]) -> None:
    if media_types.media_type(attachment["contentType"]) != media_types.OCTETS:
        raise _RefusedError(
            f"has contentType {shown(attachment['contentType'])}; a signature is application/octet-stream"
        )
    part = parts.get(attachment["sha2"].lower())
    if part is None:
        raise _RefusedError("is a signature whose data was not sent; it needs a part with its sha2 as hash")
    pieces = _COMPACT.fullmatch(part.body)
    if pieces is None:
        raise _RefusedError(
            "holds no signature in the compact serialization of JWS, three pieces of base64url between dots"
        )
    header = _object(pieces[1], "header")
    payload = _object(pieces[2], "payload")
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in _ALGORITHMS:
        raise _RefusedError(f"the signature's alg is {shown(algorithm)}; expected RS256, RS384 or RS512")
    if "crit" in header:
        raise _RefusedError("the signature's header has crit, and none of its extensions are understood here")
    if "x5c" in header:
        signature = _decode(pieces[3], "signature")
        _verify(header["x5c"], _ALGORITHMS[algorithm], signature, pieces[1] + b"." + pieces[2])
    _compare(signed, payload)


def _decode(piece: bytes, name: str) -> bytes:
    if len(piece) % 4 == 1:
        raise _RefusedError(f"the signature's {name} is not base64url: it has an impossible length")
    return urlsafe_b64decode(piece + b"=" * (-len(piece) % 4))


def _object(piece: bytes, name: str) -> dict[str, Any]:
    try:
        value = strict_json.parse(_decode(piece, name)).value
    except BadRequest as error:
        raise _RefusedError(f"the signature's {name} is not JSON: {error.message}") from None
    if not isinstance(value, dict):
        raise _RefusedError(f"the signature's {name} holds {shown(value)}; expected a JSON object")
    return value


def _verify(chain: object, algorithm: hashes.HashAlgorithm, signature: bytes, signing_input: bytes) -> None:
    if not isinstance(chain, list) or not chain or not isinstance(chain[0], str):
        raise _RefusedError(f"the signature's x5c holds {shown(chain)}; expected an array of certificates")
    try:
        # Standard base64 here, unlike everywhere else in JWS (RFC 7515 §4.1.6).
        key = x509.load_der_x509_certificate(b64decode(chain[0], validate=True)).public_key()
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
        raise _RefusedError(f"the first certificate in the signature's x5c cannot be read: {error}") from None
    if not isinstance(key, RSAPublicKey):
        raise _RefusedError("the first certificate in the signature's x5c does not hold an RSA key")
    try:
        key.verify(signature, signing_input, PKCS1v15(), algorithm)
    except (InvalidSignature, ValueError):  # a key too short for its digest is the latter
        raise _RefusedError("the signature was not made with the key of its first certificate") from None


def _compare(signed: Mapping[str, Any], payload: Mapping[str, Any]) -> None:
    signed, payload = _bare(signed), _bare(payload)
    # 2.0 knows everything that 1.0.3 does; whether this statement may hold it has been checked elsewhere.
    problems = check(payload, Version.V2)
    if problems:
        first = problems[0]
        raise _RefusedError(f"what was signed is no valid statement: {first.path} {first.message}")
    ids = [claimed["id"] for claimed in (signed, payload) if "id" in claimed]
    if len(ids) == 2 and ids[0].lower() != ids[1].lower():
        raise _RefusedError(f"the signed statement has the id {shown(ids[1])}, this one {shown(ids[0])}")
    if not same_statement(signed, payload):
        raise _RefusedError("what was signed is another statement than the one it is attached to")


def _bare(signed: Mapping[str, Any]) -> dict[str, Any]:
    """Without what only makes a statement a SubStatement; its signer may have signed it as either."""
    return {key: value for key, value in signed.items() if (key, value) != ("objectType", "SubStatement")}
