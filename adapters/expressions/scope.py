"""What an expression can see while one event is mapped, and the budget it may spend."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from adapters.expressions.values import EvaluationError

if TYPE_CHECKING:
    from adapters.linting.findings import Lint
    from adapters.loading.yaml_source import Place
    from adapters.outcomes import Lookups
    from adapters.tracing import Trace

MAX_STEPS = 100_000
MAX_OUTPUT = 1024 * 1024
_TOO_LARGE = "the statements of this event are larger than 1 MiB"


class Scope:
    """Names, computed variables, warnings and the step budget of one event. Lives for one call of `adapt`."""

    __slots__ = (
        "body",
        "event_id",
        "fetched",
        "headers",
        "index",
        "item",
        "kept",
        "key",
        "locals",
        "lookups",
        "parent",
        "pending",
        "private",
        "provenance",
        "query",
        "raw_body",
        "received_at",
        "room",
        "rule",
        "secret",
        "secrets",
        "source",
        "steps",
        "timestamp",
        "trace",
        "url",
        "warnings",
    )

    def __init__(self) -> None:
        self.body: Any = None
        self.item: Any = None
        self.fetched: Any = None
        self.private: Scope = self
        self.index: int | None = None
        self.headers: dict[str, str] = {}
        self.query: dict[str, str] = {}
        self.source: dict[str, Any] = {}
        self.event_id: str | None = None
        self.received_at: str | None = None
        self.rule: str | None = None
        self.key = ""
        self.provenance: dict[str, Any] = {}
        self.parent: Any = None
        self.lookups: Lookups | None = None
        self.locals: dict[int, Any] = {}
        self.kept: dict[int, Any] = {}
        self.warnings: list[Lint] = []
        self.pending: list[str] = []
        self.steps = MAX_STEPS
        self.room = 4 * MAX_OUTPUT
        self.trace: Trace | None = None
        self.raw_body: str | None = None
        self.url: str | None = None
        self.timestamp: str | None = None
        self.secret: str | None = None
        self.secrets: dict[str, str | None] = {}

    def warn(self, message: str) -> None:
        """Note something that was repaired; the caller that knows the place turns it into a finding."""
        self.pending.append(message)

    def place_pending(self, place: Place, subject: str) -> None:
        """Make findings of the notes taken since the last call."""
        self.warnings.extend(place.lint("W401", f"{subject}: {message}") for message in self.pending)
        self.pending.clear()

    def spend(self, steps: int) -> None:
        """Pay for work that grows with the payload; raises when the event's budget is used up."""
        self.steps -= steps
        if self.steps < 0:
            raise EvaluationError(f"more than {MAX_STEPS} list steps in one event", code="R202")

    def emit(self, length: int) -> None:
        """Count long output roughly, so that it is never built beyond a few times the limit."""
        self.room -= length
        if self.room < 0:
            raise EvaluationError(_TOO_LARGE, code="R201")

    def emit_whole(self, value: Any) -> None:
        """Count a list or object of the payload that goes into a statement as it is."""
        self.emit(measure(value, self.room))

    def check_output(self, statements: list[Any], leaves: int) -> None:
        """Hold the statements of an event to the limit; nothing is measured where they cannot reach it.

        A leaf that was not counted by `emit` takes less than 256 bytes with its key.
        """
        if leaves * 256 + 4 * MAX_OUTPUT - self.room <= MAX_OUTPUT:
            return
        if measure(statements, MAX_OUTPUT) > MAX_OUTPUT:
            raise EvaluationError(_TOO_LARGE, code="R201")

    def charge(self, value: Any) -> None:
        """Pay for going through a long text, list or object once."""
        if value.__class__ is str:
            if len(value) > 1024:
                self.spend(len(value) >> 8)
        elif (value.__class__ is list or value.__class__ is dict) and len(value) > 16:
            self.spend(len(value))

    def charge_whole(self, value: Any) -> None:
        """Pay for going through everything inside a list or object."""
        pending = [value]
        while pending:
            found = pending.pop()
            if isinstance(found, (list, dict)):
                self.spend(len(found))
                pending.extend(found.values() if isinstance(found, dict) else found)


def measure(value: Any, limit: int) -> int:
    """Roughly how long a value is as JSON; stops counting beyond the limit."""
    total = 0
    pending = [value]
    while pending and total <= limit:
        found = pending.pop()
        kind = found.__class__
        if kind is str:
            total += len(found) + 3
        elif kind is dict:
            for key, inner in found.items():
                total += len(key) + 4
                if inner.__class__ is str:
                    total += len(inner) + 3
                else:
                    pending.append(inner)
        elif kind is list:
            total += len(found)
            pending.extend(found)
        else:
            total += 8
    return total
