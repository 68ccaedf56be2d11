"""What can go wrong, as types: each error carries the HTTP status and the stable code it is answered with.

Pure code collects every `Problem`; services raise a `GatewayError`; one middleware renders it. A message
says which field, what it held and what was expected, because its reader cannot look into the server.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with data that somebody sent.

    `path` locates it (`actor.mbox`, `[3].result.score.raw`), `requirement` names the rule it breaks
    (`xAPI 4.1.2.1`, `cmi5 9.5.1.0-3`), `message` says what was found and what was expected.
    """

    path: str
    requirement: str
    message: str


_BASIC = 'Basic realm="xapi-gateway", charset="UTF-8"'


class GatewayError(Exception):
    """Base of all errors that are answered to a client. `code` is stable and safe to script against."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"

    def __init__(
        self,
        message: str,
        *,
        problems: Sequence[Problem] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.problems = tuple(problems)
        self.headers = dict(headers or {})


class BadRequest(GatewayError):
    """Malformed or contradictory request: syntax, parameters, headers."""

    status, code = 400, "bad_request"


class Invalid(BadRequest):
    """Well-formed data that breaks rules; `problems` lists every one."""

    code = "invalid"


class Unauthorized(GatewayError):
    """Missing, wrong, expired or revoked credentials."""

    status, code = 401, "unauthorized"

    def __init__(self, message: str, *, challenge: str = _BASIC) -> None:
        super().__init__(message, headers={"WWW-Authenticate": challenge})


class Forbidden(GatewayError):
    """Known credentials that may not do this."""

    status, code = 403, "forbidden"


class NotFound(GatewayError):
    status, code = 404, "not_found"


class MethodNotAllowed(GatewayError):
    """The resource is there but does not do this; the Allow header says what it does."""

    status, code = 405, "method_not_allowed"


class Conflict(GatewayError):
    """The request contradicts what is stored."""

    status, code = 409, "conflict"


class TooSlow(GatewayError):
    """The request did not come in the time it is given."""

    status, code = 408, "too_slow"


class PreconditionFailed(GatewayError):
    """If-Match or If-None-Match did not hold."""

    status, code = 412, "precondition_failed"


class TooLarge(GatewayError):
    """A body, part or document beyond its configured limit."""

    status, code = 413, "too_large"


class AddressTooLong(GatewayError):
    """A request line that is longer than is read."""

    status, code = 414, "too_large"


class HeadTooLarge(GatewayError):
    """A header that is longer than is read."""

    status, code = 431, "too_large"


class UnsupportedMediaType(GatewayError):
    status, code = 415, "unsupported_media_type"


class TooManyRequests(GatewayError):
    status, code = 429, "too_many_requests"


class Unavailable(GatewayError):
    """MongoDB is away or the queue is full: nothing was stored, asking again later will help."""

    status, code = 503, "unavailable"

    def __init__(self, message: str, *, retry_after: int = 2) -> None:
        super().__init__(message, headers={"Retry-After": str(retry_after)})
