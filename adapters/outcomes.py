"""The types that go into a mapping and come out of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from adapters.linting.findings import Lint

if TYPE_CHECKING:
    from adapters.fetch_back import Wish

Pairs: TypeAlias = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One inbound request as it arrived: `url` is the public URL the vendor called, with its query.

    Header names may have any case and may repeat. `remote` is the caller's IP address, once proxies that are
    trusted have been looked through; only `receive.ip_allow` needs it.
    """

    method: str
    url: str
    headers: Pairs
    query: Pairs
    body: bytes
    received_at: datetime
    remote: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """How a request proved itself: the method, which of its secrets or keys matched (by position, and by id
    where it has one), and the preset it came from.
    """

    method: str
    key_index: int = 0
    preset: str | None = None
    key_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A request that proved itself. Store it, then answer `ack_status`.

    `key` is the delivery's idempotency key, `digest` the SHA-256 of the raw body (the same key with another
    digest is a conflict). `problem` says why the body could not be decoded; `payload` is then None. `skew` is
    how many seconds the request's own time is behind the clock, where it carries one.
    """

    payload: Any
    key: str
    digest: str
    verified: tuple[Verified, ...]
    ack_status: int = 200
    problem: str | None = None
    skew: float | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """A request that is turned away. `reason` is for the gateway's own log, never for the sender."""

    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class Wanting:
    """Nothing can be decided until the key set of `url` is fetched (again); else refuse by `status`."""

    url: str
    reason: str
    status: int


@dataclass(frozen=True, slots=True)
class Answered:
    """A handshake: answer exactly this (with `X-Content-Type-Options: nosniff`) and store nothing."""

    status: int
    content_type: str
    body: bytes
    handshake: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened: a whole delivery, or the item of a batch that has this `index`.

    `body`, `item` and `fetched` are without what `privacy:` hides; `whole_body`, `whole_item` and
    `whole_fetched` are what identities see. `wish` is what was fetched.
    """

    event_id: str
    index: int
    body: Any
    item: Any
    whole_body: Any
    whole_item: Any
    fetched: Any = None
    whole_fetched: Any = None
    wish: Wish | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    received_at: str


@dataclass(frozen=True, slots=True)
class Account:
    """An account of the directory. Without a home page it is that of the mapping's identity."""

    name: str
    home_page: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookups:
    """What was resolved before mapping; mapping itself asks nobody.

    `accounts` maps (kind, value) of an identity candidate to an account, `directories` maps a set and a key
    to an entry, `remembered` maps a set and a key to a fact. `pseudonym_key` makes pseudonyms stable.
    """

    pseudonym_key: bytes
    accounts: Mapping[tuple[str, str], str | Account] = field(default_factory=dict)
    directories: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    remembered: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def identity(self, kind: str, value: str) -> Account | None:
        """The account the directory knows for a candidate, or None."""
        found = self.accounts.get((kind, value))
        return Account(found) if isinstance(found, str) else found

    def entry(self, name: str, key: str) -> Any:
        """An entry of a directory set, or None."""
        return self.directories.get(name, {}).get(key)

    def fact(self, name: str, key: str) -> Any:
        """What was remembered, or None."""
        return self.remembered.get(name, {}).get(key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapted:
    """Statements in canonical form, not yet validated; `rule` names the rule, or the rules joined by `+`."""

    statements: tuple[dict[str, Any], ...]
    rule: str
    warnings: tuple[Lint, ...] = ()


@dataclass(frozen=True, slots=True)
class Skipped:
    """The mapping says that this event makes no statement, and why. No rule says it of an empty batch."""

    rule: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Unmatched:
    """No rule matches; `kind` is the value that rules are told apart by, such as the event type."""

    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The event waits until the directory knows somebody: `missing` are the candidates, best first.

    `set` is the directory's set; of people it is `learners`, of others each candidate is ("key", its key).
    `hold_for` is how many seconds it may wait.
    """

    rule: str
    missing: tuple[tuple[str, str], ...]
    set: str = "learners"
    hold_for: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The event cannot be mapped; `problems` have a code, the place in the mapping and the reason."""

    problems: tuple[Lint, ...]
    rule: str | None = None
    index: int | None = None


# What a delivery is taken apart into: an event, or at once what became of it.
Taken: TypeAlias = Event | Failed | Skipped
Outcome: TypeAlias = Adapted | Skipped | Unmatched | Held | Failed
Received: TypeAlias = Accepted | Refused | Answered | Wanting
