"""Why a request of an AU is turned down. Performs no I/O."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.errors import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """`status` 400 for what is no statement at all, 401 for a dead token, else 403.

    `path` locates the fault in the request (`[1].result.score`), `requirement` names the rule.
    """

    status: int
    requirement: str
    path: str
    message: str

    def problem(self) -> Problem:
        return Problem(self.path, self.requirement, self.message)
