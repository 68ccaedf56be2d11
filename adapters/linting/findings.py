"""Findings about mapping files and how they are shown: a sentence, the source line, a caret. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

Level = Literal["error", "warning", "note"]

_ALLOW = re.compile(r"#\s*lint:\s*allow\s+([A-Z]\d{3}(?:[\s,]+[A-Z]\d{3})*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lint:
    """One finding. `line` and `column` count from 1; `file` is the name that was given to the loader.

    `code` starts with the class of the finding: E0 YAML, E1 expressions and keys, E2 xAPI, E3 security,
    R run time, W warnings, N notes. `length` is the number of characters the caret marks.
    """

    code: str
    file: str
    line: int
    column: int
    level: Level
    message: str
    help: str | None = None
    length: int = 1

    def as_json(self) -> dict[str, Any]:
        """The finding as a JSON object; absent help is left out."""
        return {key: value for key, value in asdict(self).items() if value is not None}

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}  {self.level} {self.code}  {self.message}"


class MappingError(Exception):
    """A mapping that cannot be used; `lints` says everything that is wrong with it."""

    def __init__(self, lints: Sequence[Lint]) -> None:
        super().__init__("\n".join(str(lint) for lint in lints))
        self.lints = tuple(lints)


def render(lint: Lint, text: str | None = None) -> str:
    """Show a finding for a terminal; with the file's `text`, the line it is about and a caret are added."""
    shown = [str(lint)]
    lines = text.splitlines() if text is not None else []
    if 1 <= lint.line <= len(lines):
        line = lines[lint.line - 1]
        number = f"{lint.line:5} | "
        marked = max(1, min(lint.length, len(line) - lint.column + 1))
        shown.append(number + line)
        shown.append(" " * (len(number) - 2) + "| " + " " * (lint.column - 1) + "^" * marked)
    if lint.help:
        shown.append(f"      help: {lint.help}")
    return "\n".join(shown)


def allowed(found: Lint, text: str) -> bool:
    """Whether a comment on the finding's line, or alone on the line above, admits it; errors never are."""
    lines = text.splitlines()
    if found.level == "error" or not 1 <= found.line <= len(lines):
        return False
    above = lines[found.line - 2].strip() if found.line > 1 else ""
    comments = [lines[found.line - 1], above if above.startswith("#") else ""]
    return any(found.code in match[1] for match in map(_ALLOW.search, comments) if match is not None)


def suggest(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` for the nearest known word, or an empty text when none is near."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""
