"""Every key under `receive:`, with a sentence about it."""

from __future__ import annotations

from adapters.loading.model import Key, Model
from adapters.receive.keys import SIGNING_ALGORITHMS

UNDERSTOOD = "anyone who knows the URL can post"
ALGORITHMS = ("sha1", "sha256", "sha384", "sha512")
ENCODINGS = ("hex", "base64", "base64url")

SIGNATURE: Model = {
    "header": Key("texts", "Header that carries the signature; the first of several names that is sent."),
    "query": Key("text", "Query parameter that carries the signature."),
    "body": Key("text", "Path in the body that carries the signature, such as HMAC or meta.signature."),
    "prefix": Key("text", "Text before the signature; values without it are passed over."),
    "pattern": Key("text", "RE2 pattern whose group `sig` is the signature."),
    "split": Key("text", "Separates several signatures in one value."),
    "format": Key("choice", "kv: the value is a list of key=value.", choices=("plain", "kv")),
    "separator": Key("text", "Separates the pairs of format kv; a comma when not given."),
    "key": Key("texts", "Keys of format kv that hold signatures."),
    "timestamp_key": Key("text", "Key of format kv that holds the timestamp; t when not given."),
    "encoding": Key("choice", "How the signature is written; hex when not given.", choices=ENCODINGS),
}
TIMESTAMP: Model = {
    "header": Key("texts", "Header that carries the time; the first of several names that is sent."),
    "from": Key("choice", "Where else the time is: in the signature (format kv).", choices=("signature",)),
    "body": Key("text", "Path in the body that carries the time."),
    "unit": Key("choice", "s, ms or iso8601; s when not given.", choices=("s", "ms", "iso8601")),
    "tolerance": Key("duration", "How far the time may be from now, either way.", required=True),
}
_SECRET: Model = {
    "secret": Key(
        "list",
        "${ secret('NAME') }, or a list of them while secrets are rotated, each with { value, not_after }.",
        required=True,
    ),
    "secret_prefix": Key("text", "Removed from the start of the secret where present."),
    "secret_encoding": Key("choice", "How the secret is written.", choices=("utf8", "base64", "hex")),
}
HMAC: Model = {
    **_SECRET,
    "algorithm": Key("choice", "sha256 when not given.", choices=ALGORITHMS),
    "message": Key("text", "What is signed, such as ${ body.MSG } of a form; ${ raw_body } when not given."),
    "signature": Key(
        "block", "Where the signature is and how it is written.", required=True, model=SIGNATURE
    ),
    "timestamp": Key("block", "Where the signed time is.", model=TIMESTAMP),
}
DIGEST: Model = {**HMAC, "message": Key("text", "What is hashed, with ${ secret } in it.", required=True)}
TOKEN: Model = {
    "secret": _SECRET["secret"],
    "header": Key("text", "Header that carries the token."),
    "query": Key("text", "Query parameter that carries the token."),
    "body": Key("text", "Path in the body that carries the token; with [*] every item must have it."),
    "path": Key("text", "The token is the last segment of the URL's path."),
    "prefix": Key("text", "Text before the token."),
}
BASIC: Model = {
    "username": Key("text", "The user name.", required=True),
    "password": Key(
        "list", "${ secret('NAME') }, or a list of them, each with { value, not_after }.", required=True
    ),
}
NONE: Model = {"i_understand": Key("text", f"Exactly: {UNDERSTOOD}", required=True)}
ROTATED: Model = {
    "value": Key("text", "${ secret('NAME') }.", required=True),
    "not_after": Key("text", "When it stops to count, such as 2026-12-31T00:00:00Z.", required=True),
}
JWT: Model = {
    "from": Key("value", "Where the token is: bearer, body, { header: name } or { body_path: a.b[*] }."),
    "prefix": Key("text", "Text before a token in a header."),
    "algorithms": Key("texts", "The algorithms that are accepted, such as RS256.", required=True),
    "jwks_url": Key(
        "text", "https URL of the issuer's key set; fetched by the gateway and kept for a while."
    ),
    "jwks": Key("text", "File with the issuer's key set, beside the mapping."),
    "secret": Key("list", "For HS256, HS384 and HS512: as in hmac."),
    "secret_encoding": _SECRET["secret_encoding"],
    "issuer": Key("texts", "Who must have issued the token (iss)."),
    "audience": Key("texts", "Whom the token must be meant for (aud)."),
    "claims": Key("map", "Further claims and the value, or list of values, that they may have."),
    "body_digest_claim": Key("text", "Claim that holds the SHA-256 of the body."),
    "claims_become": Key("choice", "body: the claims are the payload.", choices=("body",)),
    "tolerance": Key("duration", "How far exp and nbf may be off; 60s when not given."),
}
PUBLIC_KEY: Model = {
    "algorithm": Key("choice", "How the vendor signs.", required=True, choices=tuple(SIGNING_ALGORITHMS)),
    "keys": Key(
        "list", "The vendor's keys, each { id, pem, not_after }; pem is a file or its text.", required=True
    ),
    "key_id": Key("texts", "Header that names the key; every key is tried when not given."),
    "message": HMAC["message"],
    "signature": HMAC["signature"],
    "timestamp": HMAC["timestamp"],
}
PUBLIC_KEY_ENTRY: Model = {
    "id": Key("text", "How the vendor names this key."),
    "pem": Key("text", "The key, or the file beside the mapping that holds it.", required=True),
    "not_after": Key("text", "When it stops to count, such as 2026-12-31T00:00:00Z."),
}
OAUTH2_CLIENT: Model = {
    "clients": Key("texts", "Keys of the credentials whose tokens are accepted.", required=True),
    "scope": Key("text", "Scope that the token must have; xapi:write when not given."),
}
RESPOND: Model = {
    "json": Key("value", "The JSON to answer."),
    "text": Key("value", "The text to answer."),
    "status": Key("integer", "200 when not given."),
}
HANDSHAKE: Model = {
    "name": Key("name", "Name for the log."),
    "methods": Key("texts", "POST when not given."),
    "when": Key("expression", "Which request this handshake answers.", required=True),
    "verify_first": Key("boolean", "Answers only after `verify` has passed."),
    "respond": Key("block", "The answer.", required=True, model=RESPOND),
}
RECEIVE: Model = {
    "methods": Key("texts", "POST when not given."),
    "content_types": Key("texts", "Types that are accepted; by default those of `decode`."),
    "max_body": Key("size", "Largest body; 1MiB when not given."),
    "ip_allow": Key("texts", "Networks that may call, in CIDR notation."),
    "verify": Key("list", "Checks that must all pass; any_of for alternatives.", required=True),
    "handshakes": Key("blocks", "Challenges answered without storing anything.", model=HANDSHAKE),
    "decode": Key("value", "json, form, { form_json: field }, jwt or pubsub; json when not given."),
    "on_bad_payload": Key("choice", "store: acknowledge and keep it as failed.", choices=("store", "reject")),
    "batch": Key("expression", "List in the body that makes one event of each item."),
    "event_id": Key("value", "What identifies an event on a retry; the body's hash when not given."),
    "ack": Key(
        "block", "The answer to what was accepted.", model={"status": Key("integer", "200, 202 or 204.")}
    ),
    "refuse": Key(
        "block", "The answer to what did not verify.", model={"status": Key("integer", "401 or 403.")}
    ),
    "rate": Key(
        "text", "Most requests of one address to each process, such as 600/m; then the answer is 429."
    ),
    "quiet_after": Key("duration", "Silence of the vendor that is reported as an alarm."),
    "retired": Key("boolean", "true: the adapter is gone for good; the answer is 410."),
}
METHODS: dict[str, Model] = {
    "hmac": HMAC,
    "digest": DIGEST,
    "public_key": PUBLIC_KEY,
    "jwt": JWT,
    "token": TOKEN,
    "basic": BASIC,
    "oauth2_client": OAUTH2_CLIENT,
    "none": NONE,
}
