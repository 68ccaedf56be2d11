"""The document that says which versions an LRS speaks (xAPI Communication §2.8). Performs no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.xapi.datatypes import is_iri
from gateway.xapi.versions import Version


def about(extensions: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The answer of GET /about. Raises ValueError for an extension whose key is not an IRI."""
    document: dict[str, Any] = {"version": [version.answer for version in Version]}
    if extensions:
        for key in extensions:
            if not is_iri(key):
                raise ValueError(f"about: the extension key {key!r} is not an IRI")
        document["extensions"] = dict(extensions)
    return document
