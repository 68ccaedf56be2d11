"""What an import found wrong or odd with a course, for whoever has to fix it. Performs no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from gateway.errors import Problem


class Level(StrEnum):
    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing found. An error keeps the course out, a warning does not.

    `path` names the element (`courseStructure/block[2]/au/@moveOn`) or the file in the package, `line` counts
    from 1 and is None where lines mean nothing, `requirement` is the rule (`cmi5 13.1.4.0-1`).
    """

    level: Level
    requirement: str
    path: str
    message: str
    line: int | None = None

    def problem(self) -> Problem:
        """The same for an API answer, the line being part of the path."""
        path = f"{self.path} (line {self.line})" if self.line else self.path
        return Problem(path, self.requirement, self.message)


def error(requirement: str, path: str, message: str, *, line: int | None = None) -> Finding:
    return Finding(level=Level.ERROR, requirement=requirement, path=path, message=message, line=line)


def warning(requirement: str, path: str, message: str, *, line: int | None = None) -> Finding:
    return Finding(level=Level.WARNING, requirement=requirement, path=path, message=message, line=line)


def has_errors(findings: tuple[Finding, ...] | list[Finding]) -> bool:
    return any(finding.level is Level.ERROR for finding in findings)
