"""The test cases that stand beside a mapping: run as a library, with differences that say where. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from adapters.expressions.values import EvaluationError
from adapters.functions.times import instant
from adapters.linting.findings import Lint, MappingError
from adapters.loading.model import Block, check
from adapters.loading.yaml_source import ListNode, MapNode, Place, ScalarNode, plain, read_yaml
from adapters.mapping import Mapping
from adapters.outcomes import Accepted, Adapted, Event, Lookups, Outcome, Received
from adapters.testing.bodies import CannotSign, encoded, tampered
from adapters.testing.cases import CASE
from adapters.testing.coverage import Observed
from adapters.testing.payloads import CaseError, fetched_of, payload_of
from adapters.testing.signing import sample_known, sample_secret, sign, unsigned
from adapters.testing.verdict import check_outcomes, check_received

RECEIVED_AT = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
URL = "https://gateway.example.org/hooks/"
PSEUDONYM_KEY = b"key of the test runner"


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseResult:
    """One case: it passed when `problems` is empty. `rules` are those that applied.

    `outcomes` are those of its events, `status` that of its request; `node` is the case in the file.
    """

    name: str
    file: str
    line: int
    problems: tuple[str, ...]
    rules: tuple[str, ...] = ()
    payload: Any = None
    node: MapNode
    outcomes: tuple[Outcome, ...] = ()
    status: int | None = None

    @property
    def passed(self) -> bool:
        return not self.problems


def run_tests(
    mapping: Mapping,
    text: str,
    name: str,
    read: Callable[[str], str | None],
    *,
    observed: Observed | None = None,
) -> list[CaseResult]:
    """Run the cases of a test file; `read` gives the text of a payload file beside it, or None.

    With `observed` every event is mapped twice, and what it reaches in the mapping is noted there.

    Raises `MappingError` when the test file itself is not understood.
    """
    root = read_yaml(text, name)
    if not isinstance(root, ListNode):
        raise MappingError([root.place.lint("E111", "a test file is a list of cases")])
    lints: list[Lint] = [lint for node in root.items for lint in check(node, CASE, "a case")]
    if lints:
        raise MappingError(lints)
    return [_Case(mapping, node, read, observed).run() for node in root.items if isinstance(node, MapNode)]


class _Case:
    """One case on its way from payload to verdict."""

    def __init__(
        self,
        mapping: Mapping,
        node: MapNode,
        read: Callable[[str], str | None],
        observed: Observed | None,
    ) -> None:
        self.mapping = mapping
        self.observed = observed
        self.node = node
        self.block = Block(node)
        self.read = read
        self.expect = self.block.block("expect")
        self.rules: list[str] = []
        self.payload: Any = None
        self.found: list[Outcome] = []
        self.status: int | None = None

    def run(self) -> CaseResult:
        try:
            self.payload = payload_of(self.block, self.read)
            problems = self.problems(self.payload)
        except (CaseError, CannotSign, EvaluationError) as error:
            problems = [str(error)]
        place: Place = self.block.place()
        return CaseResult(
            name=self.block.text("name"),
            file=place.source.name,
            line=place.line,
            problems=tuple(problems),
            rules=tuple(self.rules),
            payload=self.payload,
            node=self.node,
            outcomes=tuple(self.found),
            status=self.status,
        )

    def problems(self, payload: Any) -> list[str]:
        if "request" in self.block:
            received = self.request(payload)
            self.status = received.ack_status if isinstance(received, Accepted) else received.status
            found = check_received(self.expect, received, self.status)
            if not isinstance(received, Accepted) or found:
                return found
            payload = received.payload
        self.found = outcomes = self.outcomes(payload)
        found = check_outcomes(self.expect, outcomes, self.rules, self.mapping.shorthand)
        if self.block.flag("twice", default=False):
            again = self.outcomes(payload)
            first, second = _ids(outcomes), _ids(again)
            if first != second or not first:
                found.append(f"a second delivery makes other statements: {first} and {second}")
        return found

    # -- requests

    def request(self, payload: Any) -> Received:
        settings = self.block.block("request")
        now = self.received_at()
        body = encoded(self.mapping, payload)
        request = unsigned(self.mapping, body, URL + self.mapping.name, now)
        extra = tuple((key, str(value)) for key, value in self.plain("headers").items())
        query = tuple((key, str(value)) for key, value in self.plain("query").items())
        request = replace(request, headers=request.headers + extra, query=query)
        signs = settings.get("sign")
        known = sample_known(self.mapping)
        if isinstance(signs, ScalarNode) and signs.value is False:
            # Neither a signature nor a bearer token of ours.
            known = replace(known, client=None)
        else:
            request = sign(request, self.mapping, sample_secret, now, samples=True)
        if settings.flag("tamper", default=False):
            request = tampered(request, self.mapping)
        later = datetime.fromtimestamp(now.timestamp() + settings.integer("late", 0), UTC)
        return self.mapping.receive(request, sample_secret, later, known)

    # -- outcomes

    def received_at(self) -> datetime:
        written = self.block.text("received_at")
        return instant(written) if written else RECEIVED_AT

    def plain(self, key: str) -> dict[str, Any]:
        node = self.block.get(key)
        found = plain(node) if node is not None else {}
        return found if isinstance(found, dict) else {}

    def lookups(self) -> Lookups:
        accounts: dict[tuple[str, str], str] = {}
        sets: dict[str, dict[str, Any]] = {}
        for name, entries in self.plain("directory").items():
            if not isinstance(entries, dict):
                raise CaseError(f"directory.{name} is a mapping of keys to entries")
            if name != "learners":
                sets[name] = entries
                continue
            for key, account in entries.items():
                kind, colon, value = key.partition(":")
                if not colon:
                    raise CaseError(f"directory.learners: {key!r} is not kind:value")
                accounts[kind, value] = str(account)
        return Lookups(
            pseudonym_key=PSEUDONYM_KEY,
            accounts=accounts,
            directories=sets,
            remembered=self.plain("remembered"),
        )

    def outcomes(self, payload: Any) -> list[Outcome]:
        headers = tuple((key, str(value)) for key, value in self.plain("headers").items())
        query = tuple((key, str(value)) for key, value in self.plain("query").items())
        lookups, fetched = self.lookups(), fetched_of(self.block, self.read)
        found: list[Outcome] = []
        taken = self.mapping.events(payload, headers, query, self.received_at(), key=PSEUDONYM_KEY)
        for event in (one for each in taken for one in self.mapping.answered(each, fetched, PSEUDONYM_KEY)):
            outcome = self.mapping.adapt(event, lookups) if isinstance(event, Event) else event
            if isinstance(event, Event) and self.observed is not None:
                self.observed.watch(self.mapping, event, lookups)
            found.append(outcome)
            rule = getattr(outcome, "rule", None)
            if rule:
                self.rules.extend(rule.split("+"))
        return found


def _ids(outcomes: list[Outcome]) -> list[str]:
    return [one["id"] for outcome in outcomes if isinstance(outcome, Adapted) for one in outcome.statements]
