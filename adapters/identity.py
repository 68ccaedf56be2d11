"""Who an event is about: ordered candidates, the directory's account, what to do without one. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from adapters.expressions.environment import Closure
from adapters.expressions.scope import Scope
from adapters.expressions.values import EvaluationError, text
from adapters.functions.ids import pseudonym
from adapters.loading.yaml_source import Place

if TYPE_CHECKING:
    from adapters.outcomes import Account, Lookups

Unresolved = Literal["keep", "pseudonym", "hold", "drop", "reject"]
# The directory's set of people.
PEOPLE = "learners"
UNRESOLVED: tuple[Unresolved, ...] = ("keep", "pseudonym", "hold", "drop", "reject")


class Undecided(Exception):
    """Mapping stops here for a reason that is no error: the person is unknown."""

    def __init__(
        self,
        action: Literal["hold", "drop"],
        name: str,
        candidates: tuple[tuple[str, str], ...],
        *,
        set: str = PEOPLE,
        hold_for: int | None = None,
    ) -> None:
        super().__init__(name)
        self.action, self.name, self.candidates = action, name, candidates
        self.set, self.hold_for = set, hold_for


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """One entry of `identity:`. `home_page` belongs to known accounts, `own_home_page` to the vendor's.

    `hold_for` is in seconds. With `learn`, what else a known person is called is news for the directory.
    """

    name: str
    by: tuple[tuple[str, Closure], ...]
    home_page: str
    own_home_page: str
    unresolved: Unresolved
    place: Place
    slot: int
    hold_for: int | None = None
    learn: bool = False

    def candidates(self, scope: Scope) -> tuple[tuple[str, str], ...]:
        """(kind, value) of every candidate that has a value, best first; addresses in lower case."""
        found: list[tuple[str, str]] = []
        private = scope.private
        for kind, closure in self.by:
            value = closure(private)
            if value is None:
                continue
            written = (value if value.__class__ is str else text(value)).strip()
            if kind == "email":
                written = written.lower()
            if written:
                found.append((kind, written))
        return tuple(found)

    def news(self, scope: Scope, lookups: Lookups) -> dict[tuple[str, str], Account]:
        """Candidates the directory does not know of a person whom it knows by another one."""
        if not self.learn:
            return {}
        known = {one: lookups.identity(*one) for one in self.candidates(scope)}
        account = next((found for found in known.values() if found is not None), None)
        return {one: account for one, found in known.items() if found is None and account is not None}

    def agent(self, scope: Scope) -> Any:
        """The agent, kept for the rest of the event; absent when no candidate has a value."""
        if self.slot not in scope.kept:
            try:
                scope.kept[self.slot] = self._agent(scope)
            except EvaluationError as error:
                error.place = error.place or self.place
                raise
        return scope.kept[self.slot]

    def _agent(self, scope: Scope) -> Any:
        candidates = self.candidates(scope)
        if not candidates:
            return None
        lookups = scope.lookups
        assert lookups is not None
        for kind, value in candidates:
            account = lookups.identity(kind, value)
            if account is not None:
                return _account(account.home_page or self.home_page, account.name)
        if self.unresolved in ("hold", "drop"):
            action: Literal["hold", "drop"] = "hold" if self.unresolved == "hold" else "drop"
            raise Undecided(action, self.name, candidates, hold_for=self.hold_for)
        if self.unresolved == "reject":
            kinds = ", ".join(kind for kind, _ in candidates)
            raise EvaluationError(f"identity {self.name}: the directory knows none of {kinds}", code="R301")
        if self.unresolved == "keep":
            # An e-mail address is never kept as it is: it would become statement data nobody asked for.
            kept = next((value for kind, value in candidates if kind != "email"), None)
            if kept is not None:
                return _account(self.own_home_page, kept)
        kind, value = candidates[0]
        return _account(self.own_home_page, pseudonym(lookups.pseudonym_key, kind, value))


def _account(home_page: str, name: str) -> dict[str, Any]:
    return {"objectType": "Agent", "account": {"homePage": home_page, "name": name}}
