"""Documents of the State, Activity Profile and Agent Profile resources: tags, preconditions, merging.

xAPI Communication §2.2 (merging) and §3.1 (concurrency). Performs no I/O. A decision is taken on the ETag of
the document as it was read; whoever acts on it writes only if that is still the stored one, and otherwise
reads and decides again.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final

from gateway.errors import BadRequest, Conflict, PreconditionFailed
from gateway.xapi import media_types, strict_json
from gateway.xapi.versions import Version

DEFAULT_CONTENT_TYPE: Final = media_types.OCTETS

_TAG: Final = re.compile(
    r'[\t ]*+(?:W/)?(?:"(?P<quoted>[^"]*)"|(?P<bare>[^\s,"]+))[\t ]*+(?:,|\Z)|[\t ]*+(?:,|\Z)'
)


class Kind(Enum):
    """The three document resources."""

    STATE = "state"
    ACTIVITY_PROFILE = "activity profile"
    AGENT_PROFILE = "agent profile"


class Outcome(Enum):
    """What a request is to do with a document."""

    CREATE = auto()
    REPLACE = auto()
    MERGE = auto()
    DELETE = auto()
    NOTHING = auto()


def etag(body: bytes) -> str:
    """The entity tag of a document: the SHA-1 of its bytes in lower-case hex and quotes, as 1.0.3 wants."""
    return f'"{hashlib.sha1(body, usedforsecurity=False).hexdigest()}"'


class _Any(Enum):
    ANY = "*"


ANY: Final = _Any.ANY
"""The condition `*`: any document at all."""

_Condition = frozenset[str] | _Any


@dataclass(frozen=True, slots=True)
class Preconditions:
    """If-Match and If-None-Match: entity tags without quotes, `ANY` for `*`, None when not sent."""

    if_match: _Condition | None = None
    if_none_match: _Condition | None = None

    @classmethod
    def parse(cls, if_match: str | None, if_none_match: str | None) -> Preconditions:
        """Reads both headers. Tags without quotes and weak tags are understood; BadRequest for the rest."""
        return cls(_condition("If-Match", if_match), _condition("If-None-Match", if_none_match))

    @property
    def given(self) -> bool:
        """Did the request state any?"""
        return self.if_match is not None or self.if_none_match is not None

    def check(self, current: str | None) -> None:
        """Raises PreconditionFailed unless they hold for the document's ETag (None: there is no document)."""
        tag = None if current is None else current.strip('"')
        found = "there is no document" if current is None else f"the document's ETag is {current}"
        if self.if_match is not None:
            holds = tag is not None if self.if_match is ANY else tag in self.if_match
            if not holds:
                raise PreconditionFailed(f"If-Match does not hold: {found}; nothing was changed")
        if self.if_none_match is not None:
            holds = tag is None if self.if_none_match is ANY else tag not in self.if_none_match
            if not holds:
                raise PreconditionFailed(f"If-None-Match does not hold: {found}; nothing was changed")


def _condition(header: str, text: str | None) -> _Condition | None:
    if text is None:
        return None
    if text.strip() == "*":
        return ANY
    tags: set[str] = set()
    position = 0
    while position < len(text):
        match = _TAG.match(text, position)
        if match is None or match["bare"] == "*":
            raise _unreadable(header, text)
        tag = match["bare"] if match["quoted"] is None else match["quoted"]
        if tag is not None:
            tags.add(tag)
        position = match.end()
    if not tags:
        raise _unreadable(header, text)
    return frozenset(tags)


def _unreadable(header: str, text: str) -> BadRequest:
    return BadRequest(f'{header} holds {text[:80]!r}; expected * or entity tags such as "da39a3ee…"')


def decide_put(
    preconditions: Preconditions,
    *,
    current: str | None,
    version: Version,
    kind: Kind,
    strict: bool = False,
) -> Outcome:
    """CREATE or REPLACE, given the document's ETag (None if absent).

    Raises PreconditionFailed; or Conflict when a document exists and no precondition was stated, except for
    state under 1.0.3. With `strict`, a 1.0.3 profile must state one even when it is new (BadRequest).
    """
    preconditions.check(current)
    guarded = version is Version.V2 or kind is not Kind.STATE
    if guarded and not preconditions.given:
        if current is not None:
            raise Conflict(
                "a document is stored here already and the PUT says nothing about it; check the current "
                "state of the resource with GET, then set If-Match to its current ETag to replace it "
                f"(now {current})"
            )
        if strict and version is Version.V1:
            raise BadRequest(
                f"PUT of an {kind.value} document needs If-Match, or If-None-Match: * for a new document"
            )
    return Outcome.CREATE if current is None else Outcome.REPLACE


def decide_post(preconditions: Preconditions, *, current: str | None) -> Outcome:
    """CREATE or MERGE, given the document's ETag (None if absent); or PreconditionFailed."""
    preconditions.check(current)
    return Outcome.CREATE if current is None else Outcome.MERGE


def decide_delete(preconditions: Preconditions, *, current: str | None) -> Outcome:
    """DELETE, or NOTHING where nothing is; or PreconditionFailed."""
    preconditions.check(current)
    return Outcome.NOTHING if current is None else Outcome.DELETE


def is_json(content_type: str | None) -> bool:
    """Is it application/json, whatever its parameters?"""
    return media_types.media_type(content_type) == media_types.JSON


def check_put(content_type: str | None, body: bytes) -> None:
    """What is sent as JSON must be JSON, of any kind; BadRequest otherwise."""
    if is_json(content_type):
        strict_json.parse(body)


def check_post(content_type: str | None, body: bytes) -> None:
    """What is posted as JSON must be an object, even with nothing to merge it into yet; or BadRequest."""
    if is_json(content_type):
        _object(body, "the posted document")


def merge(existing_type: str | None, existing_body: bytes, new_type: str | None, new_body: bytes) -> bytes:
    """The stored JSON object with the top-level properties of the posted one laid over it.

    Values are replaced whole, null is a value, numbers keep their digits. Raises BadRequest unless both
    documents are application/json and hold objects.
    """
    for which, content_type in (("stored", existing_type), ("posted", new_type)):
        if not is_json(content_type):
            raise BadRequest(
                f"the {which} document is {content_type or DEFAULT_CONTENT_TYPE!r}; "
                "POST can merge only application/json into application/json, use PUT to replace it"
            )
    posted = _object(new_body, "the posted document")
    stored = _object(existing_body, "the stored document")
    return strict_json.dumps({**stored, **posted})


def _object(body: bytes, what: str) -> dict[str, Any]:
    try:
        value = strict_json.parse(body).value
    except BadRequest as error:
        raise BadRequest(f"{what} is not JSON: {error.message}") from None
    if not isinstance(value, dict):
        raise BadRequest(f"{what} is JSON but no object; only objects can be merged")
    return value
