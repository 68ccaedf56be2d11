"""Bytes to payload: JSON, forms, JSON inside a form. Duplicate keys and great depth are refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import parse_qsl

import jiter

from adapters.functions.values import deeper_than

MAX_DEPTH = 64
MAX_FIELDS = 1_000


class Undecodable(Exception):
    """The body is not what the mapping says it is; the text says why."""


@dataclass(frozen=True, slots=True)
class Decoder:
    """`decode:`; `field` is the form field that holds JSON."""

    kind: Literal["json", "form", "form_json"]
    field: str = ""

    @property
    def content_types(self) -> tuple[str, ...]:
        """The types accepted when the mapping names none."""
        return ("application/json",) if self.kind == "json" else ("application/x-www-form-urlencoded",)

    def decode(self, body: bytes) -> Any:
        """The payload; raises `Undecodable`."""
        if self.kind == "json":
            return _json(body)
        fields = _form(body)
        if self.kind == "form":
            return fields
        written = fields.get(self.field)
        if not isinstance(written, str):
            raise Undecodable(f"the form has no single field {self.field!r}")
        return {**fields, self.field: _json(written.encode("utf-8", "replace"))}


def _json(body: bytes) -> Any:
    try:
        value = jiter.from_json(body, allow_inf_nan=False, catch_duplicate_keys=True, cache_mode="keys")
    except ValueError as error:
        raise Undecodable(f"the body is not JSON: {error}") from None
    if deeper_than(value, MAX_DEPTH):
        raise Undecodable(f"the body is nested deeper than {MAX_DEPTH} levels")
    return value


def _form(body: bytes) -> dict[str, Any]:
    try:
        pairs = parse_qsl(
            body.decode("utf-8"), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict"
        )
    except ValueError as error:
        raise Undecodable(f"the body is not a form: {error}") from None
    fields: dict[str, Any] = {}
    for name, value in pairs:
        if name not in fields:
            fields[name] = value
        elif isinstance(fields[name], list):
            fields[name].append(value)
        else:
            fields[name] = [fields[name], value]
    return fields
