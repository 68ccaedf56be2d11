"""What is measured against what, and how much of the ceiling must be reached: data, no behaviour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.samples import Population
from benchmarks.work import Work

BATCH = 500
PAGE = 500
LISTED = 50
_XAPI = "/xapi/statements"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """The same work done by a handler that does only the unavoidable part; `bar` is the ratio to reach."""

    name: str
    work: Work
    bar: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """One row of the table."""

    name: str
    title: str
    unit: str
    connections: int
    gateway: Work
    ceilings: Sequence[Ceiling]
    to_the_end: bool = False
    prime: Work | None = None  # done once by the gateway, uncounted: what a store that is in use knows


def writes() -> list[Contest]:
    """Contests that fill the store."""
    known = Work(kind="post", path=_XAPI, statements=BATCH)
    return [
        Contest(
            name="post-one",
            title="POST one statement, 64 connections",
            unit="requests",
            connections=64,
            gateway=Work(kind="post", path=_XAPI),
            prime=known,
            ceilings=[
                Ceiling(
                    name="insert each",
                    work=Work(kind="post", path="/insert-each", form="ceiling"),
                    bar=1.7,
                ),
                Ceiling(name="bare handler", work=Work(kind="post", path="/bare"), bar=None),
            ],
        ),
        Contest(
            name="post-batch",
            title=f"POST batches of {BATCH}, 4 connections",
            unit="statements",
            connections=4,
            gateway=known,
            prime=known,
            ceilings=[
                Ceiling(
                    name="insert_many",
                    work=Work(kind="post", path="/insert-many", form="ceiling", statements=BATCH),
                    bar=0.6,
                )
            ],
        ),
    ]


def reads(statements: int) -> list[Contest]:
    """Contests on a store of so many statements."""
    size = Population.of(statements).size
    lists = [
        Contest(
            name=f"get-{parameter}",
            title=f"GET {LISTED} by {parameter}, 16 connections",
            unit="requests",
            connections=16,
            gateway=Work(kind="list", path=_XAPI, population=size, parameter=parameter, limit=LISTED),
            ceilings=[
                Ceiling(
                    name="find by index",
                    work=Work(
                        kind="list",
                        path="/find",
                        form="ceiling",
                        population=size,
                        parameter=parameter,
                        limit=LISTED,
                    ),
                    bar=0.7,
                )
            ],
        )
        for parameter in ("agent", "verb", "activity", "registration")
    ]
    one = Contest(
        name="get-one",
        title="GET one by id, 16 connections",
        unit="requests",
        connections=16,
        gateway=Work(kind="one", path=_XAPI, statements=statements),
        ceilings=[
            Ceiling(
                name="find one",
                work=Work(kind="one", path="/one", form="ceiling", statements=statements),
                bar=None,
            )
        ],
    )
    follow = Contest(
        name="follow",
        title="read everything by following more",
        unit="statements",
        connections=1,
        gateway=Work(kind="follow", path=_XAPI, statements=statements, limit=PAGE),
        ceilings=[
            Ceiling(
                name="page by index",
                work=Work(kind="follow", path="/follow", form="ceiling", statements=statements, limit=PAGE),
                bar=0.75,
            )
        ],
        to_the_end=True,
    )
    return [*lists, one, follow]
