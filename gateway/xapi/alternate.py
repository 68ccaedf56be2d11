"""The alternate request syntax: a whole request folded into a form POST (xAPI 1.0.3 Communication §1.3).

For clients that can send nothing but forms. Performs no I/O. The form has to be unfolded before credentials
and version are looked at, because both may come from it. Version 2.0 has no such syntax.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

from gateway.errors import BadRequest
from gateway.xapi import media_types, versions
from gateway.xapi.findings import shown

METHODS: Final = frozenset(("GET", "PUT", "POST", "DELETE", "HEAD"))

# Form fields that stand for headers, in lower case.
_HEADERS: Final = frozenset(
    (
        "authorization",
        "x-experience-api-version",
        "content-type",
        "content-length",
        "if-match",
        "if-none-match",
    )
)
# These describe the form, not the request inside it.
_OUTER_HEADERS: Final = frozenset(("content-type", "content-length", "content-encoding", "transfer-encoding"))
_MAX_FIELDS: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectiveRequest:
    """What the form asks for, to be handled as if it had come that way. Header names are in lower case."""

    method: str
    headers: Mapping[str, str]
    parameters: Sequence[tuple[str, str]]
    body: bytes


def is_alternate(method: str, parameters: Sequence[tuple[str, str]]) -> bool:
    """Is it a POST that names a `method`? Any other form is a document like all others."""
    return method == "POST" and any(name == "method" for name, _ in parameters)


def form_fields(body: bytes) -> list[tuple[str, str]]:
    """The fields of an application/x-www-form-urlencoded body, in order; BadRequest when it is none."""
    if not body:
        return []
    try:
        return parse_qsl(
            body.decode("utf-8"),
            keep_blank_values=True,
            strict_parsing=True,
            encoding="utf-8",
            errors="strict",
            max_num_fields=_MAX_FIELDS,
        )
    except ValueError as error:
        raise BadRequest(
            f"the body is not application/x-www-form-urlencoded, which the parameter method asks for: {error}"
        ) from None


def unwrap(
    *,
    parameters: Sequence[tuple[str, str]],
    fields: Sequence[tuple[str, str]],
    headers: Mapping[str, str],
) -> EffectiveRequest:
    """The request inside a form POST.

    `parameters` is the query of the POST, `fields` its form (`form_fields`), `headers` its real headers.
    Raises BadRequest when the query holds more than one known `method`, when the real or the effective
    version is 2.0, or when the form is at odds with itself.
    """
    method = _method(parameters)
    effective = {name.lower(): value for name, value in headers.items()}
    _check_outer_type(effective.get("content-type"), fields)
    # A client that speaks 2.0 does not know this syntax: to it `method` is a parameter like any other.
    _refuse_version_2(effective.get(versions.HEADER.lower()))

    for name in _OUTER_HEADERS:
        effective.pop(name, None)
    seen: set[str] = set()
    inner: list[tuple[str, str]] = []
    content: str | None = None
    for name, value in fields:
        key = name.lower()
        if key in _HEADERS or name == "content":
            if key in seen:
                raise BadRequest(f"the form field {name} is given twice")
            seen.add(key)
        if key in _HEADERS:
            if not value.isprintable():
                raise BadRequest(f"the form field {name} holds {value[:80]!r}, which no header can hold")
            effective[key] = value
        elif name == "content":
            content = value
        else:
            inner.append((name, value))
    _refuse_version_2(effective.get(versions.HEADER.lower()))
    # Lengths are counted from the content itself.
    effective.pop("content-length", None)

    if content is None:
        if method in ("PUT", "POST"):
            raise BadRequest(f"the form field content is missing; {method} needs it for its body")
        return EffectiveRequest(method=method, headers=effective, parameters=inner, body=b"")
    effective.setdefault("content-type", media_types.JSON)
    if media_types.media_type(effective["content-type"]).startswith("multipart/"):
        raise BadRequest("a form cannot carry attachments; send the request as multipart/mixed itself")
    return EffectiveRequest(method=method, headers=effective, parameters=inner, body=content.encode("utf-8"))


def _method(parameters: Sequence[tuple[str, str]]) -> str:
    others = sorted({name for name, _ in parameters if name != "method"})
    if others:
        raise BadRequest(
            f"the query holds {', '.join(map(shown, others))} beside method; "
            "in a form request all parameters are form fields"
        )
    if len(parameters) != 1:
        raise BadRequest("the parameter method is needed exactly once")
    method = parameters[0][1]
    if method not in METHODS:
        raise BadRequest(
            f"the parameter method holds {method[:40]!r}; expected one of {', '.join(sorted(METHODS))}"
        )
    return method


def _check_outer_type(content_type: str | None, fields: Sequence[tuple[str, str]]) -> None:
    kind = media_types.media_type(content_type)
    if fields and kind != media_types.FORM:
        raise BadRequest(
            f"the parameter method asks for a form, but Content-Type is {kind or 'missing'}; "
            f"expected {media_types.FORM}"
        )


def _refuse_version_2(header: str | None) -> None:
    if header is not None and header.strip().startswith("2."):
        raise BadRequest(
            "the parameter method is unknown: the alternate request syntax exists only in xAPI 1.0.3, "
            f"and the request speaks {header.strip()[:20]}"
        )
