"""Payloads as the bodies that a vendor would send, and what a vendor puts into them. Pure."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from adapters.mapping import Mapping
from adapters.outcomes import Request
from adapters.receive.body_path import BodyPath, NoPlace
from adapters.receive.checks import Signed, each_check
from adapters.receive.decode import Decoder, Undecodable
from adapters.receive.public_key import PublicKeySigned


class CannotSign(Exception):
    """The mapping's checks cannot be satisfied from here; the text says why."""


def encoded(mapping: Mapping, payload: Any) -> bytes:
    """A payload as the body that the mapping's `decode:` reads: a form where it wants one, a push of Pub/Sub
    with its data in base64, else JSON.
    """
    decoder = mapping.receiver.decoder if mapping.receiver is not None else None
    if decoder is not None and decoder.kind == "pubsub":
        payload = _pushed(payload, decoder)
    if decoder is None or decoder.kind not in ("form", "form_json") or not isinstance(payload, dict):
        return json.dumps(payload, ensure_ascii=False).encode()
    fields = dict(payload)
    if decoder.kind == "form_json" and decoder.field in fields:
        fields[decoder.field] = json.dumps(fields[decoder.field], ensure_ascii=False)
    return urlencode(fields, doseq=True).encode()


def _pushed(payload: Any, decoder: Decoder) -> Any:
    """A push whose data is base64; it stays as it is where that decodes to JSON already."""
    message = payload.get("message") if isinstance(payload, dict) else None
    if not isinstance(message, dict) or "data" not in message:
        return payload
    data = message["data"]
    if isinstance(data, str):
        try:
            known = decoder.decode(json.dumps(payload).encode())["message"]["data"]
        except Undecodable:
            known = data
        if not isinstance(known, str):
            return payload
    octets = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    return {**payload, "message": {**message, "data": base64.b64encode(octets.encode()).decode()}}


def decoded(request: Request, mapping: Mapping) -> Any:
    """The payload of a request, which something is put into."""
    receiver = mapping.receiver
    if receiver is None or receiver.decoder.kind == "jwt":
        raise CannotSign("the body is a token, so nothing can be put into it")
    try:
        return receiver.decoder.decode(request.body)
    except Undecodable as error:
        raise CannotSign(f"the payload takes something in, so it must be readable: {error}") from None


def with_value(request: Request, path: BodyPath, value: Any, mapping: Mapping) -> Request:
    """The request with a value in its body."""
    try:
        body = path.put(decoded(request, mapping), value)
    except NoPlace as error:
        raise CannotSign(str(error)) from None
    return replace(request, body=encoded(mapping, body))


def tampered(request: Request, mapping: Mapping) -> Request:
    """The request with another body: a blank more, or other text where only parts of the body are signed."""
    checks = list(each_check(mapping.receiver.checks)) if mapping.receiver is not None else []
    signed = [one for one in checks if isinstance(one, (Signed, PublicKeySigned))]
    parts = [part for one in signed for part in one.message_parts if part]
    if not parts or any(not one.message_parts for one in signed):
        return replace(request, body=request.body + b" ")
    path = BodyPath(".".join(map(str, parts[0])), parts[0])
    body = decoded(request, mapping)
    (found,) = path.values(body)
    return replace(request, body=encoded(mapping, path.put(body, f"{'' if found is None else found} ")))
