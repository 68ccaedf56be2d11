"""The gateway as an LMS: under which authority it records statements, and by which clock."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any
from uuid import UUID

from gateway.cmi5.statements import Occasion
from gateway.services.entries import Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Lms:
    """`namespace` is the store's, for the ids of statements; `origin` whose they are; `now` the clock."""

    namespace: UUID
    origin: Origin
    clock: Callable[[], dt.datetime]

    @classmethod
    def of(cls, store: str, *, key: bytes, home_page: str, clock: Callable[[], dt.datetime]) -> Lms:
        """The LMS of a store; `key` is the installation's, so that no other one makes the same ids."""
        authority = {
            "objectType": "Agent",
            "name": "xapi-gateway",
            "account": {"homePage": home_page, "name": "cmi5"},
        }
        digest = blake2b(store.encode(), key=key, digest_size=16, person=b"cmi5-namespace")
        return cls(
            namespace=UUID(bytes=digest.digest()),
            origin=Origin(authority=authority, source={"cmi5": "lms"}, define=True),
            clock=clock,
        )

    def now(self) -> dt.datetime:
        """The time, to the millisecond that MongoDB keeps."""
        time = self.clock()
        return time.replace(microsecond=time.microsecond // 1000 * 1000)

    def occasion(
        self, actor: Mapping[str, Any], registration: UUID, session: UUID | str, time: dt.datetime
    ) -> Occasion:
        """What the statements of one moment have in common."""
        return Occasion(
            namespace=self.namespace,
            actor=actor,
            registration=str(registration),
            session=str(session),
            timestamp=micros(time),
        )


def micros(time: dt.datetime) -> int:
    """Microseconds since the epoch, exactly."""
    return (time - _EPOCH) // dt.timedelta(microseconds=1)


_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
