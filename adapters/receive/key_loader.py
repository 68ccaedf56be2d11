"""`jwt` and `public_key`: the checks whose keys are not secret. What would let anybody in is refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from adapters.linting.findings import suggest
from adapters.loading.model import Block, check, seconds
from adapters.loading.yaml_source import MapNode, ScalarNode
from adapters.receive.checks import Check
from adapters.receive.grammar import PUBLIC_KEY_ENTRY
from adapters.receive.jwt import HMAC_ALGORITHMS, Jwt
from adapters.receive.keys import JWS_ALGORITHMS, SIGNING_ALGORITHMS, KeySet, NamedKey, key_set, pem_key
from adapters.receive.public_key import PublicKeySigned, VendorKey
from adapters.receive.references import headers_in

if TYPE_CHECKING:
    from adapters.receive.check_loader import CheckLoader

_TOLERANCE = 60
_KEY_SOURCES = ("jwks_url", "jwks", "secret")


def jwt(loader: CheckLoader, block: Block, preset: str | None) -> Check | None:
    """A `jwt` entry; None when it cannot be used."""
    place, where = _token_place(loader, block)
    path = loader.body_path(where, block.get("from")) if place == "body_path" else None
    sources = [key for key in _KEY_SOURCES if key in block]
    if len(sources) != 1:
        loader.report(
            block, "E112", "jwt needs one of jwks_url, jwks and secret: what the token is signed with"
        )
    algorithms = _algorithms(loader, block, sources[:1])
    if block.text("claims_become") and place != "body":
        loader.report(block, "E111", "claims_become goes with from: body")
    if place == "body":
        loader.found.claims_are_body = True
        if not block.text("claims_become"):
            loader.report(
                block, "E112", "with from: body the claims are the payload; say claims_become: body"
            )
    elif place == "body_path":
        loader.found.reads_body = True
    if place != "body" and "body_digest_claim" not in block:
        loader.found.signed_only = False
    if (
        not any(key in block for key in ("issuer", "audience", "claims", "body_digest_claim"))
        and preset is None
    ):
        loader.report(block, "W317", "nothing says whose tokens are meant; give issuer, audience or claims")
    tolerance = block.scalar("tolerance")
    keys = _key_set(loader, block)
    url = _jwks_url(loader, block)
    if len(sources) != 1 or not algorithms or (keys is None and "jwks" in block):
        return None
    if place == "body_path" and path is None:
        return None
    templates, env = loader.templates, loader.env
    claims = block.get("claims")
    return Jwt(
        place=place,  # type: ignore[arg-type]
        where=where,
        path=path,
        prefix=block.text("prefix"),
        algorithms=algorithms,
        jwks_url=url,
        key_set=keys,
        secrets=loader.secrets(block, "secret"),
        secret_encoding=block.text("secret_encoding", "utf8"),
        issuers=tuple(templates.template(node, env) for node in block.listed("issuer")),
        audiences=tuple(templates.template(node, env) for node in block.listed("audience")),
        claims={
            name: tuple(templates.template(node, env) for node in Block(claims).listed(name))
            for name in (claims.items if isinstance(claims, MapNode) else ())
        },
        body_digest_claim=block.text("body_digest_claim") or None,
        needs_expiry=place in ("bearer", "body_path"),
        tolerance=seconds(tolerance) if tolerance is not None else _TOLERANCE,
        preset=preset,
    )


def _token_place(loader: CheckLoader, block: Block) -> tuple[str, str]:
    node = block.get("from")
    if node is None:
        return "bearer", ""
    if isinstance(node, ScalarNode) and node.text in ("bearer", "body"):
        return node.text, ""
    if isinstance(node, MapNode) and len(node.items) == 1:
        inside = Block(node)
        if "header" in inside:
            return "header", inside.text("header").lower()
        if "body_path" in inside:
            return "body_path", inside.text("body_path")
    loader.report(node, "E111", "from is bearer, body, { header: name } or { body_path: a.b[*] }")
    return "bearer", ""


def _algorithms(loader: CheckLoader, block: Block, source: list[str]) -> tuple[str, ...]:
    found: list[str] = []
    with_secret = source == ["secret"]
    known = HMAC_ALGORITHMS if with_secret else JWS_ALGORITHMS
    for node in block.listed("algorithms"):
        name = node.text if isinstance(node, ScalarNode) else ""
        if name.lower() == "none":
            loader.report(node, "E313", "the algorithm none is no signature: anybody could make such a token")
        elif not with_secret and name in HMAC_ALGORITHMS:
            message = (
                f"{name} with a key set would make its public keys secrets; use an algorithm such as RS256"
            )
            loader.report(node, "E313", message)
        elif name not in known:
            hint = suggest(name, known)
            loader.report(node, "E111", f"algorithm {name!r} is none of {', '.join(known)}{hint}")
        else:
            found.append(name)
    if not block.listed("algorithms"):
        loader.report(block, "E112", "algorithms is a list of what is accepted, such as [RS256]")
    return tuple(found)


def _jwks_url(loader: CheckLoader, block: Block) -> str | None:
    node = block.scalar("jwks_url")
    if node is None:
        return None
    parts = urlsplit(node.text)
    if parts.scheme != "https" or not parts.hostname or parts.username or "${" in node.text:
        loader.report(node, "E314", f"jwks_url is a fixed https URL, got {node.text[:100]!r}")
        return None
    return node.text


def _key_set(loader: CheckLoader, block: Block) -> KeySet | None:
    node = block.scalar("jwks")
    if node is None:
        return None
    text = loader.files(node.text)
    if text is None:
        loader.report(node, "E115", f"there is no file {node.text!r}")
        return None
    try:
        found = key_set(json.loads(text))
        if not found.keys:
            raise ValueError("it holds no key that can be used")
    except ValueError as error:
        loader.report(node, "E111", f"{node.text} is not a key set: {error}")
        return None
    return found


def public_key(loader: CheckLoader, block: Block, preset: str | None) -> Check | None:
    """A `public_key` entry; None when it cannot be used."""
    signature = loader.signature(block.block("signature"))
    message, _, timestamp = loader.signed_parts(block, signature)
    algorithm = SIGNING_ALGORITHMS[block.text("algorithm")]
    keys: list[VendorKey] = []
    for node in block.listed("keys"):
        problems = check(node, PUBLIC_KEY_ENTRY, "a key")
        for lint in problems:
            loader.env.report(lint)
        if problems:
            continue
        entry = Block(node)
        written = entry.text("pem")
        text = written if "BEGIN" in written else loader.files(written)
        if text is None:
            loader.report(entry.get("pem"), "E115", f"there is no file {written!r}")
            continue
        try:
            key = pem_key(text)
        except ValueError as error:
            loader.report(entry.get("pem"), "E111", str(error))
            continue
        if not algorithm.fits(key):
            loader.report(entry.get("pem"), "E111", f"the key does not fit {block.text('algorithm')}")
            continue
        named = NamedKey(id=entry.text("id") or None, key=key)
        keys.append(VendorKey(key=named, not_after=loader.moment(entry)))
    if not block.listed("keys"):
        loader.report(block, "E112", "keys is a list of at least one key")
    if signature is None or not keys:
        return None
    return PublicKeySigned(
        algorithm=block.text("algorithm"),
        keys=tuple(keys),
        key_id_headers=tuple(name.lower() for name in block.texts("key_id")),
        message=loader.message(message, with_secret=False),
        message_headers=tuple(sorted(headers_in(message))) if message is not None else (),
        message_parts=loader.parts_of(message),
        signature=signature,
        timestamp=timestamp,
        preset=preset,
    )
