"""The way to MongoDB: a client that acknowledges nothing before it is durable, and errors that say "later".

Every write waits for `w: majority, j: true`; every read sees majority-committed data only, so nothing that
was read can be rolled back. What the driver reports when the database is away becomes `Unavailable` (503).

One trap: an insert can be refused as a duplicate of a document that a majority does not have yet, and that a
majority read hence does not find. Who compares with the duplicate reads it with read concern `linearizable`,
or in a transaction committed with `w: majority`: both see it, and answer only when a majority has it.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, ParamSpec, TypeVar
from urllib.parse import parse_qsl, urlsplit

from pymongo import AsyncMongoClient
from pymongo.errors import (
    BulkWriteError,
    ClientBulkWriteException,
    ConfigurationError,
    ConnectionFailure,
    ExecutionTimeout,
    InvalidURI,
    OperationFailure,
    PyMongoError,
    WriteConcernError,
)

from gateway.errors import GatewayError, Unavailable
from gateway.store.pool import Pool

Document = dict[str, Any]
Client = AsyncMongoClient[Document]

_P = ParamSpec("_P")
_T = TypeVar("_T")

OLDEST = (6, 0)
ADVISED = (8, 0)

_HOW_TO_START = (
    "Start each mongod with `--replSet NAME` and run `rs.initiate()` once in mongosh (one node will do), "
    "then add `replicaSet=NAME` to mongo.uri."
)


class UnsuitableMongoError(GatewayError):
    """mongo.uri is no connection string, or the server it names lacks what the gateway rests on."""

    status, code = 503, "mongo_unsuitable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long to wait, in seconds, before a request is answered 503.

    `server` to find a reachable primary, `connect` for a new connection, `pool` for a free one (a class of
    500 that begins at once had rather be served late than refused), `write` for a majority to have a write
    durable, `socket` for any answer. Long work (building an index) is put into a
    `with pymongo.timeout(seconds)` block, which replaces `socket` and `write` there.
    """

    server: float = 2.5
    connect: float = 2.5
    pool: float = 20.0
    write: float = 10.0
    socket: float = 30.0


@dataclass(frozen=True, slots=True)
class Server:
    """What answered: `kind` is `replica set` or `sharded cluster`; `advice`, if any, is worth a warning."""

    kind: str
    version: str
    advice: str | None


def connect(uri: str, *, app_name: str, timeouts: Timeouts | None = None, max_pool_size: int = 100) -> Client:
    """A client for this event loop; connects on first use. UnsuitableMongoError if the string is unusable.

    Options in the string win for pool, timeouts, compression and the like, never for durability and types.
    """
    timeouts = timeouts or Timeouts()
    adjustable: dict[str, Any] = {
        "appName": app_name,
        "maxPoolSize": max_pool_size,
        "serverSelectionTimeoutMS": round(timeouts.server * 1000),
        "connectTimeoutMS": round(timeouts.connect * 1000),
        "socketTimeoutMS": round(timeouts.socket * 1000),
        "waitQueueTimeoutMS": round(timeouts.pool * 1000),
        "wTimeoutMS": round(timeouts.write * 1000),
    }
    try:
        if not uri.startswith(("mongodb://", "mongodb+srv://")):
            raise InvalidURI("it must begin with mongodb:// or mongodb+srv://")
        given = {name.lower() for name, _ in parse_qsl(urlsplit(uri).query)}
        with warnings.catch_warnings():
            # The driver only warns of options that it does not know, and goes on without them.
            warnings.simplefilter("error", UserWarning)
            return AsyncMongoClient(
                uri,
                w="majority",
                journal=True,
                readConcernLevel="majority",
                readPreference="primary",
                retryWrites=True,
                retryReads=True,
                uuidRepresentation="standard",
                tz_aware=True,
                _pool_class=Pool,
                **{name: value for name, value in adjustable.items() if name.lower() not in given},
            )
    except (InvalidURI, ConfigurationError, ValueError, TypeError, UserWarning) as error:
        # The driver's message can quote a part of the password; without credentials there is none to show.
        detail = f": {error}" if "@" not in uri else ""
        raise UnsuitableMongoError(
            f"mongo.uri is not a usable connection string{detail}. Expected mongodb://USER:PASSWORD@HOST:PORT/"
            "?replicaSet=NAME or mongodb+srv://…, with `:/?#[]@%` in user and password percent-encoded."
        ) from (error if "@" not in uri else None)


async def check_server(client: Client) -> Server:
    """Look at the server once, at start. UnsuitableMongoError: it cannot serve. Unavailable: it is away."""
    with translating():
        try:
            hello = await client.admin.command("hello")
            version = str((await client.server_info())["version"])
        except ConfigurationError as error:  # too old or too new for the driver
            raise UnsuitableMongoError(f"The MongoDB at mongo.uri cannot be used: {error}.") from error
        except OperationFailure as error:
            if is_unavailable(error):
                raise
            raise UnsuitableMongoError(
                f"The MongoDB at mongo.uri refuses the gateway: {error.details or error}. "
                "Check user, password and authSource in mongo.uri."
            ) from error
    return _judge(hello, version)


def _judge(hello: Mapping[str, Any], version: str) -> Server:
    if hello.get("msg") == "isdbgrid":
        kind = "sharded cluster"
    elif hello.get("setName"):
        kind = "replica set"
    elif hello.get("isreplicaset"):
        raise UnsuitableMongoError(
            "The MongoDB at mongo.uri was started as part of a replica set that has not been initiated. "
            "Run `rs.initiate()` once in mongosh."
        )
    else:
        raise UnsuitableMongoError(
            "The MongoDB at mongo.uri is a standalone server, which has neither transactions nor change "
            f"streams. {_HOW_TO_START}"
        )
    release = tuple(int(part) for part in version.split("-")[0].split(".")[:2])
    if release < OLDEST:
        raise UnsuitableMongoError(
            f"The MongoDB at mongo.uri is {version}; 6.0 is the oldest that can be used, 8.0 advised."
        )
    advice = None
    if release < ADVISED:
        advice = f"MongoDB {version} is served, but older than the advised 8.0; plan an upgrade."
    return Server(kind, version, advice)


# Errors

# Answers of a server that is going down, changing roles, overloaded or out of space: the same request can
# succeed later, or at another member. The names are those of MongoDB's error code table.
_UNAVAILABLE_CODES = frozenset(
    {
        6,  # HostUnreachable
        7,  # HostNotFound
        24,  # LockTimeout
        43,  # CursorNotFound: its server was restarted
        46,  # LockBusy
        50,  # MaxTimeMSExpired
        64,  # WriteConcernFailed: not confirmed by a majority in time
        89,  # NetworkTimeout
        91,  # ShutdownInProgress
        100,  # UnsatisfiableWriteConcern
        112,  # WriteConflict
        133,  # FailedToSatisfyReadPreference
        134,  # ReadConcernMajorityNotAvailableYet
        175,  # QueryPlanKilled
        189,  # PrimarySteppedDown
        202,  # NetworkInterfaceExceededTimeLimit
        237,  # CursorKilled
        251,  # NoSuchTransaction
        262,  # ExceededTimeLimit
        317,  # ConnectionPoolExpired
        365,  # TemporarilyUnavailable
        384,  # ConnectionError
        462,  # IngressRequestRateLimitExceeded
        9001,  # SocketException
        10107,  # NotWritablePrimary
        11600,  # InterruptedAtShutdown
        11602,  # InterruptedDueToReplStateChange
        13388,  # StaleConfig
        13435,  # NotPrimaryNoSecondaryOk
        13436,  # NotPrimaryOrSecondary
        14031,  # OutOfDiskSpace
    }
)
_UNAVAILABLE_LABELS = (
    "RetryableWriteError",
    "TransientTransactionError",
    "UnknownTransactionCommitResult",
    "RetryableError",
    "SystemOverloadedError",
)


def is_unavailable(error: BaseException) -> bool:
    """Whether asking again later can help: no server, no primary, no connection, no majority in time.

    A BulkWriteError counts when its write concern was not met, whatever its single writes met: the outcome
    of those that look fine is unknown. Ask this before looking at duplicates.
    """
    if not isinstance(error, PyMongoError):
        return False
    if isinstance(error, ConnectionFailure | ExecutionTimeout | WriteConcernError) or error.timeout:
        return True
    if any(error.has_error_label(label) for label in _UNAVAILABLE_LABELS):
        return True
    if isinstance(error, BulkWriteError):
        details = error.details or {}
        return bool(details.get("writeConcernErrors")) or _any_code(details.get("writeErrors", ()))
    if isinstance(error, ClientBulkWriteException):
        return (
            bool(error.write_concern_errors)
            or _any_code(error.details.get("writeErrors", ()))
            or (error.error is not None and is_unavailable(error.error))
        )
    return isinstance(error, OperationFailure) and error.code in _UNAVAILABLE_CODES


def _any_code(errors: Iterable[Mapping[str, Any]]) -> bool:
    return any(error.get("code") in _UNAVAILABLE_CODES for error in errors)


class translating:  # noqa: N801 - reads as a statement: `with translating():`
    """`with translating():` or `@translating()` on a coroutine function: driver errors become `Unavailable`.

    Only those for which asking again later can help; all others pass. The original is the `__cause__`.

    After a lost connection or an unmet write concern the outcome is unknown: the write may be stored, or may
    yet be. It is answered 503 like the rest, because the client's repetition is safe: statement ids, delivery
    keys and ETags decide that the second one is the same write, and then it is confirmed, not made twice.
    """

    __slots__ = ()

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and is_unavailable(error):
            raise Unavailable("The database is not available at the moment. Try again shortly.") from error

    def __call__(self, operation: Callable[_P, Awaitable[_T]]) -> Callable[_P, Awaitable[_T]]:
        @functools.wraps(operation)
        async def translated(*args: _P.args, **kwargs: _P.kwargs) -> _T:
            with self:
                return await operation(*args, **kwargs)

        return translated
