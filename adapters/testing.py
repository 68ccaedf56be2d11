"""The test cases that stand beside a mapping: run as a library, with differences that say where. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from adapters.comparing import differences
from adapters.coverage import Observed
from adapters.expressions.values import EvaluationError
from adapters.functions.times import instant
from adapters.lints import Lint, MappingError
from adapters.mapping import Mapping
from adapters.model import Block, Key, Model, check
from adapters.outcomes import (
    Accepted,
    Adapted,
    Answered,
    Event,
    Failed,
    Held,
    Lookups,
    Outcome,
    Received,
    Skipped,
    Unmatched,
)
from adapters.signing import CannotSign, encoded, sample_known, sample_secret, sign, unsigned
from adapters.yaml_source import ListNode, MapNode, Node, Place, ScalarNode, plain, read_yaml

RECEIVED_AT = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
URL = "https://gateway.example.org/hooks/"
PSEUDONYM_KEY = b"key of the test runner"

EXPECT: Model = {
    "rule": Key("text", "The rule that applies."),
    "statements": Key("value", "The statements, in order."),
    "match": Key("choice", "subset when not given.", choices=("subset", "exact")),
    "skipped": Key("value", "true, or a part of the reason."),
    "unmatched": Key("value", "true, or the kind of event."),
    "failed": Key("value", "true, or a part of a problem's message."),
    "held": Key("boolean", "The event waits for the directory."),
    "warnings": Key("value", "A part of a warning's message, or a list of them."),
    "status": Key("integer", "The status the request is answered with."),
    "answer": Key("value", "The handshake's answer."),
}
CASE: Model = {
    "name": Key("text", "A sentence.", required=True),
    "payload": Key("value", "A file beside this one, or the payload itself.", required=True),
    "set": Key("map", "Paths and the values they get."),
    "remove": Key("texts", "Paths that are taken out."),
    "directory": Key("map", "learners: { 'kind:value': account }, and entries of other sets by key."),
    "remembered": Key("map", "Facts of earlier events: sets of keys with their facts."),
    "fetched": Key("value", "What `fetch_back:` brings for every event; a file, or the JSON itself."),
    "headers": Key("map", "Request headers."),
    "query": Key("map", "Query parameters."),
    "received_at": Key("text", "When the request arrived."),
    "twice": Key("boolean", "A second delivery makes the same statements."),
    "request": Key(
        "block",
        "Sends the payload as a request.",
        model={
            "sign": Key("value", "true or the name of a preset; false for no signature."),
            "tamper": Key("boolean", "Changes the body after signing."),
            "late": Key("integer", "Seconds between signing and arrival."),
        },
    ),
    "expect": Key("block", "What comes out.", model=EXPECT),
}


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


def sample_payloads(text: str, name: str, read: Callable[[str], str | None]) -> list[Any]:
    """The payloads that a test file's cases use, for lints that compare paths with samples."""
    try:
        root = read_yaml(text, name)
    except MappingError:
        return []
    found = []
    for node in root.items if isinstance(root, ListNode) else ():
        try:
            found.append(payload_of(Block(node), read))
        except _CaseError:
            continue
    return found


class _CaseError(Exception):
    """A case that cannot be run; the text says why."""


def payload_of(case: Block, read: Callable[[str], str | None]) -> Any:
    """The payload of a case with its changes applied."""
    node = case.get("payload")
    if node is None:
        raise _CaseError("the case has no payload")
    return _changed(case, _given(node, read), node, "body")


def fetched_of(case: Block, read: Callable[[str], str | None]) -> Any:
    """What a case has fetched, with its changes applied; None where it is not given."""
    node = case.get("fetched")
    return None if node is None else _changed(case, _given(node, read), node, "fetched")


def _given(node: Node, read: Callable[[str], str | None]) -> Any:
    """JSON of a file beside the tests, or as it is written."""
    if isinstance(node, ScalarNode) and isinstance(node.value, str):
        found = read(node.text)
        if found is None:
            raise _CaseError(f"there is no payload file {node.text!r}")
        try:
            return json.loads(found)
        except ValueError as error:
            raise _CaseError(f"{node.text} is not JSON: {error}") from None
    return plain(node)


def _changed(case: Block, value: Any, node: Node, root: str) -> Any:
    """What a case starts from with its `set:` and `remove:` applied, as far as they are about this root."""
    changes = plain(case.get("set") or MapNode(place=node.place, items={}, keys={}))
    for path, new in changes.items():
        if _root(path) == root:
            value = changed(value, _keys(path), new, remove=False)
    for path in case.texts("remove"):
        if _root(path) == root:
            value = changed(value, _keys(path), None, remove=True)
    return value


def _root(path: str) -> str:
    return "fetched" if path.startswith(("fetched.", "fetched[")) else "body"


def _keys(path: str) -> list[str]:
    steps = path.replace("[", ".").replace("]", "")
    return steps.removeprefix(_root(path)).strip(".").split(".")


def changed(value: Any, keys: list[str], new: Any, *, remove: bool) -> Any:
    """A copy of a payload with one path set or taken out."""
    copy = deepcopy(value)
    at = copy
    for number, key in enumerate(keys):
        last = number == len(keys) - 1
        index: Any = int(key) if isinstance(at, list) and key.isdecimal() else key
        if isinstance(at, list) and (not isinstance(index, int) or index >= len(at)):
            raise _CaseError(f"the payload has no element {key!r} to change")
        if not isinstance(at, (dict, list)):
            raise _CaseError(f"the payload has nothing to change at {key!r}")
        if last and remove:
            at.pop(index, None) if isinstance(at, dict) else at.pop(index)
        elif last:
            at[index] = new
        elif isinstance(at, dict):
            at = at.setdefault(index, {})
        else:
            at = at[index]
    return copy


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
        except (_CaseError, CannotSign, EvaluationError) as error:
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
            found = self.check_received(received)
            if not isinstance(received, Accepted) or found:
                return found
            payload = received.payload
        self.found = outcomes = self.outcomes(payload)
        found = self.check(outcomes)
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
            request = replace(request, body=request.body + b" ")
        later = datetime.fromtimestamp(now.timestamp() + settings.integer("late", 0), UTC)
        return self.mapping.receive(request, sample_secret, later, known)

    def check_received(self, received: Received) -> list[str]:
        self.status = received.ack_status if isinstance(received, Accepted) else received.status
        status = self.status
        found = []
        wanted = self.expect.integer("status", 0)
        if "status" in self.expect and status != wanted:
            reason = f" ({received.reason})" if not isinstance(received, (Accepted, Answered)) else ""
            found.append(f"status: expected {wanted}, got {status}{reason}")
        answer = self.expect.get("answer")
        if answer is not None:
            if not isinstance(received, Answered):
                found.append("answer: the request was not answered by a handshake")
            else:
                body = received.body.decode("utf-8", "replace")
                shown = json.loads(body) if received.content_type == "application/json" else body
                found.extend(differences(plain(answer), shown, "answer", exact=False))
        return found

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
                raise _CaseError(f"directory.{name} is a mapping of keys to entries")
            if name != "learners":
                sets[name] = entries
                continue
            for key, account in entries.items():
                kind, colon, value = key.partition(":")
                if not colon:
                    raise _CaseError(f"directory.learners: {key!r} is not kind:value")
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
        for event in self.mapping.events(payload, headers, query, self.received_at(), key=PSEUDONYM_KEY):
            if isinstance(event, Event):
                event = self.mapping.answered(event, fetched, PSEUDONYM_KEY)
            outcome = self.mapping.adapt(event, lookups) if isinstance(event, Event) else event
            if isinstance(event, Event) and self.observed is not None:
                self.observed.watch(self.mapping, event, lookups)
            found.append(outcome)
            rule = getattr(outcome, "rule", None)
            if rule:
                self.rules.extend(rule.split("+"))
        return found

    def check(self, outcomes: list[Outcome]) -> list[str]:
        expect = self.expect
        problems: list[str] = []
        statements = [
            one for outcome in outcomes if isinstance(outcome, Adapted) for one in outcome.statements
        ]
        expected = expect.get("statements")
        if expected is not None:
            exact = expect.text("match", "subset") == "exact"
            found = differences(plain(expected), statements, "statements", exact=exact)
            problems.extend(found)
            if found:
                problems.extend(_failures(outcomes))
        rule = expect.text("rule")
        if rule and rule not in self.rules:
            problems.append(f"rule: expected {rule}, got {', '.join(self.rules) or 'none'}")
            problems.extend(_failures(outcomes))
        for key, kind in (("skipped", Skipped), ("unmatched", Unmatched), ("failed", Failed), ("held", Held)):
            node = expect.get(key)
            if node is not None:
                problems.extend(_check_kind(key, kind, plain(node), outcomes))
        shown = " ".join(w.message for one in outcomes if isinstance(one, Adapted) for w in one.warnings)
        problems.extend(
            f"warnings: none contains {wanted!r}"
            for wanted in expect.texts("warnings")
            if wanted not in shown
        )
        if not problems and "failed" not in expect and any(isinstance(one, Failed) for one in outcomes):
            problems.extend(_failures(outcomes))
        return list(dict.fromkeys(problems))


def _check_kind(key: str, kind: type, wanted: Any, outcomes: list[Outcome]) -> list[str]:
    matching = [one for one in outcomes if isinstance(one, kind)]
    if wanted is False:
        return [f"{key}: {matching[0]}"] if matching else []
    if not matching:
        names = ", ".join(type(one).__name__.lower() for one in outcomes) or "no event"
        return [f"{key}: expected, got {names}", *_failures(outcomes)]
    if wanted is True:
        return []
    texts = [_text(one) for one in matching]
    return (
        [] if any(str(wanted) in one for one in texts) else [f"{key}: expected {wanted!r}, got {texts[0]!r}"]
    )


def _text(outcome: Any) -> str:
    if isinstance(outcome, Failed):
        return "; ".join(lint.message for lint in outcome.problems)
    if isinstance(outcome, Skipped):
        return outcome.reason
    return outcome.kind if isinstance(outcome, Unmatched) else ""


def _failures(outcomes: list[Outcome]) -> list[str]:
    return [f"failed: {lint}" for one in outcomes if isinstance(one, Failed) for lint in one.problems]


def _ids(outcomes: list[Outcome]) -> list[str]:
    return [one["id"] for outcome in outcomes if isinstance(outcome, Adapted) for one in outcome.statements]
