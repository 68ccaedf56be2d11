"""One request as the checks see it: headers and query by name, the body as a value where it can be read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from adapters.expressions.scope import Scope
from adapters.outcomes import Pairs, Request
from adapters.receive.known import Known


@dataclass(frozen=True, slots=True)
class Incoming:
    """A request, the names that templates of `receive:` may use, and the clock.

    `skews` gathers how many seconds its timestamps are behind the clock.
    """

    request: Request
    scope: Scope
    now: datetime
    headers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    query: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    known: Known = field(default_factory=Known)
    skews: list[float] = field(default_factory=list)

    def header(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """All values of the first of some headers that was sent."""
        return next((self.headers[name] for name in names if name in self.headers), ())


def incoming(
    request: Request,
    body: Any,
    secrets: Callable[[str], str | None],
    names: frozenset[str],
    now: datetime,
    known: Known | None = None,
    headers: Mapping[str, tuple[str, ...]] | None = None,
) -> Incoming:
    """Prepare a request; `names` are the secrets that the mapping uses, `headers` its own if they are grouped
    already.
    """
    if headers is None:
        headers = grouped(request.headers, lower=True)
    query = grouped(request.query) if request.query else {}
    scope = Scope()
    scope.body = body
    scope.headers = _joined(headers)
    scope.query = {name: values[0] for name, values in query.items()}
    scope.raw_body = request.body.decode("utf-8", "surrogateescape")
    scope.url = request.url
    scope.secrets = {name: secrets(name) or None for name in names}
    return Incoming(request, scope, now, headers, query, known or Known())


def grouped(pairs: Pairs, *, lower: bool = False) -> dict[str, tuple[str, ...]]:
    """Values by name, in order; header names are compared in lower case."""
    found: dict[str, tuple[str, ...]] = {}
    for name, value in pairs:
        key = name.lower() if lower else name
        found[key] = (*found[key], value) if key in found else (value,)
    return found


def joined(headers: Pairs) -> dict[str, str]:
    """Headers by lower-case name; repeated ones are joined by a comma, as HTTP has it."""
    return _joined(grouped(headers, lower=True))


def _joined(headers: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    return {name: values[0] if len(values) == 1 else ", ".join(values) for name, values in headers.items()}
