"""What a connection of the load client asks for: one request after the other, as bytes.

Requests are rendered ahead but for what has to differ (ids), so that making one costs some microseconds.
Performs no I/O.
"""

from __future__ import annotations

import functools
import hmac
import json
import random
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol
from urllib.parse import quote
from uuid import uuid4

from benchmarks.documents import document, key_of
from benchmarks.samples import Population, stored_id
from gateway.resources import mappings_dir

HOOK_SECRET = "benchmark-hook-secret"
_TEMPLATES = 2000
_MARK = "@@@"
_FIRST = 10_000_000  # statements sent during a run differ from those that a store was filled with
# Every stored statement has exactly one of these, at its top level.
_STORED = re.compile(rb'"stored": ?"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A kind of request to `path`, in the form that the server takes it.

    `gateway` is xAPI; `ceiling` sends documents ready to be inserted and asks by match key. `statements` is
    the number of statements in the store (reads) or in one request (`post`); `parameter` what `list` filters
    by; `limit` is the size of a page, or of a batch of `fill`.
    """

    kind: Literal["post", "hook", "fill", "list", "one", "follow"]
    path: str
    form: Literal["gateway", "ceiling"] = "gateway"
    statements: int = 1
    population: int = 2000
    parameter: str = ""
    limit: int = 50


class Source(Protocol):
    """The requests of one connection."""

    def next(self, answer: bytes) -> bytes | None:
        """The next request, given the last answer (empty before the first); None ends the connection."""

    def count(self, body: bytes) -> int:
        """How many statements a 2xx answer stands for; raises ValueError if that is wrong."""


def source(work: Work, headers: Mapping[str, str], connection: int) -> Source:
    """The requests of the given connection of a load."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    kinds: dict[str, Callable[[Work, str, int], Source]] = {
        "post": _Posts,
        "hook": _Hooks,
        "fill": _Fill,
        "list": _Lists,
        "one": _Ones,
        "follow": _Follows,
    }
    return kinds[work.kind](work, lines, connection)


class _Posts:
    """Batches of `statements`, or single ones; all ids are new."""

    def __init__(self, work: Work, headers: str, connection: int) -> None:
        self._size = work.statements
        self._head = f"POST {work.path} HTTP/1.1\r\n{headers}Content-Type: application/json\r\n".encode()
        self._next = connection * 101
        self._templates = _templates(work.population, work.form)

    def next(self, answer: bytes) -> bytes:
        if self._size == 1:
            body = self._statement()
        else:
            body = b"[" + b",".join([self._statement() for _ in range(self._size)]) + b"]"
        return b"%sContent-Length: %d\r\n\r\n%s" % (self._head, len(body), body)

    def count(self, body: bytes) -> int:
        return self._size

    def _statement(self) -> bytes:
        self._next += 1
        return str(uuid4()).encode().join(self._templates[self._next % len(self._templates)])


class _Hooks:
    """Deliveries as Zoom sends them, each about another moment, signed."""

    def __init__(self, work: Work, headers: str, connection: int) -> None:
        sample = mappings_dir() / "samples" / "zoom" / "participant-joined.json"
        event = json.loads(sample.read_text("utf-8"))
        event["payload"]["object"]["participant"]["participant_uuid"] = _MARK
        self._before, self._after = json.dumps(event).encode().split(_MARK.encode())
        self._head = f"POST {work.path} HTTP/1.1\r\n{headers}Content-Type: application/json\r\n".encode()

    def next(self, answer: bytes) -> bytes:
        body = b"%s%s%s" % (self._before, uuid4().hex.encode(), self._after)
        moment = b"%d" % time.time()
        signature = hmac.digest(HOOK_SECRET.encode(), b"v0:%s:%s" % (moment, body), "sha256").hex().encode()
        return b"%sx-zm-request-timestamp: %s\r\nx-zm-signature: v0=%s\r\nContent-Length: %d\r\n\r\n%s" % (
            self._head,
            moment,
            signature,
            len(body),
            body,
        )

    def count(self, body: bytes) -> int:
        return 1


@functools.cache
def _templates(population: int, form: str) -> list[list[bytes]]:
    """The JSON of statements, or of their documents, cut where the id belongs."""
    people = Population(population)
    templates = []
    for index in range(_FIRST, _FIRST + _TEMPLATES):
        statement = people.statement(index)
        given = statement["id"].encode()
        value = statement if form == "gateway" else document(statement)
        templates.append(json.dumps(value, separators=(",", ":"), default=str).encode().split(given))
    return templates


class _Fill:
    """The statements of a filled store, in their order, in batches: meant for one connection."""

    def __init__(self, work: Work, headers: str, connection: int) -> None:
        self._head = f"POST {work.path} HTTP/1.1\r\n{headers}Content-Type: application/json\r\n".encode()
        self._people = Population(work.population)
        self._batches = iter(
            range(start, min(start + work.limit, work.statements))
            for start in range(0, work.statements, work.limit)
        )
        self._sent = 0

    def next(self, answer: bytes) -> bytes | None:
        batch = next(self._batches, None)
        if batch is None:
            return None
        self._sent = len(batch)
        body = json.dumps([self._people.statement(index) for index in batch]).encode()
        return b"%sContent-Length: %d\r\n\r\n%s" % (self._head, len(body), body)

    def count(self, body: bytes) -> int:
        return self._sent


class _Lists:
    """Lists filtered by one parameter, whose value changes with every request."""

    def __init__(self, work: Work, headers: str, connection: int) -> None:
        people = Population(work.population)
        self._limit = work.limit
        self._chance = random.Random(connection)
        self._requests = [
            _get(f"{work.path}?{_filter(work, people, index)}&limit={work.limit}", headers)
            for index in self._chance.sample(range(people.size), min(people.size, 200))
        ]

    def next(self, answer: bytes) -> bytes:
        return self._chance.choice(self._requests)

    def count(self, body: bytes) -> int:
        return _expect(body, self._limit)


def _filter(work: Work, people: Population, index: int) -> str:
    text, value = people.filters(work.parameter, index)
    if work.form == "gateway":
        return f"{work.parameter}={quote(text, safe='')}"
    key, wanted = key_of(work.parameter, value)
    return f"key={key}&value={quote(wanted, safe='')}"


class _Ones:
    """Single statements by their ids."""

    def __init__(self, work: Work, headers: str, connection: int) -> None:
        chance = random.Random(connection)
        indexes = [chance.randrange(work.statements) for _ in range(_TEMPLATES)]
        self._requests = [_get(f"{work.path}?statementId={stored_id(index)}", headers) for index in indexes]
        self._next = 0

    def next(self, answer: bytes) -> bytes:
        self._next += 1
        return self._requests[self._next % len(self._requests)]

    def count(self, body: bytes) -> int:
        return _expect(body, 1)


class _Follows:
    """Every page from the first to the last, by the `more` of each answer."""

    def __init__(self, work: Work, headers: str, connection: int) -> None:
        self._headers = headers
        self._path = f"{work.path}?limit={work.limit}"
        self._left = work.statements

    def next(self, answer: bytes) -> bytes | None:
        if answer:
            more = answer[-2000:].rpartition(b'"more":"')[2].partition(b'"')[0].decode()
            if not more:
                if self._left > 0:
                    raise ValueError(f"the last page came {self._left} statements too early")
                return None
            self._path = more
        return _get(self._path, self._headers)

    def count(self, body: bytes) -> int:
        found = len(_STORED.findall(body))
        self._left -= found
        return found


def _get(path: str, headers: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\n{headers}\r\n".encode()


def _expect(body: bytes, statements: int) -> int:
    found = len(_STORED.findall(body))
    if found != statements:
        raise ValueError(f"an answer holds {found} statements instead of {statements}")
    return found
