"""Challenges that a vendor sends to see whether a URL is ours: answered, never stored."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from adapters.expressions.environment import Closure
from adapters.expressions.scope import Scope
from adapters.expressions.values import EvaluationError, text
from adapters.outcomes import Answered, Refused

MAX_ECHO = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Handshake:
    """One entry of `handshakes:`. Texts in an answer are at most 512 characters, for they may be echoes."""

    name: str
    methods: tuple[str, ...]
    when: Callable[[Scope], bool]
    verify_first: bool
    status: int
    json: Closure | None
    text: Closure | None

    def answer(self, method: str, scope: Scope) -> Answered | Refused | None:
        """The answer, if this handshake is what the request asks for."""
        if method not in self.methods:
            return None
        try:
            if not self.when(scope):
                return None
            if self.json is not None:
                value = self.json(scope)
                if value is None or _too_long(value):
                    return Refused(400, f"handshake {self.name}: the challenge is missing or too long")
                return self._answered("application/json", json.dumps(value, separators=(",", ":")).encode())
            if self.text is not None:
                echoed = self.text(scope)
                if echoed is None or len(text(echoed)) > MAX_ECHO:
                    return Refused(400, f"handshake {self.name}: the challenge is missing or too long")
                body = text(echoed).encode("utf-8", "replace")
                return self._answered("text/plain; charset=utf-8", body)
        except EvaluationError as error:
            return Refused(400, f"handshake {self.name}: {error.message}")
        return self._answered("text/plain; charset=utf-8", b"")

    def _answered(self, content_type: str, body: bytes) -> Answered:
        return Answered(self.status, content_type, body, self.name)


def _too_long(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_too_long(inner) for inner in value.values())
    if isinstance(value, list):
        return any(_too_long(inner) for inner in value)
    return isinstance(value, str) and len(value) > MAX_ECHO
