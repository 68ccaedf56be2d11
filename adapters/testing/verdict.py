"""What came out of a test case against what it expects, with differences that say where. Pure."""

from __future__ import annotations

import json
from typing import Any

from adapters.loading.model import Block
from adapters.loading.yaml_source import plain
from adapters.outcomes import Accepted, Adapted, Answered, Failed, Held, Outcome, Received, Skipped, Unmatched
from adapters.templates.shorthand import Shorthand
from adapters.testing.comparing import differences
from adapters.testing.expected import written_out


def check_received(expect: Block, received: Received, status: int) -> list[str]:
    """How the answer to a request differs from what a case expects."""
    found = []
    wanted = expect.integer("status", 0)
    if "status" in expect and status != wanted:
        reason = f" ({received.reason})" if not isinstance(received, (Accepted, Answered)) else ""
        found.append(f"status: expected {wanted}, got {status}{reason}")
    answer = expect.get("answer")
    if answer is not None:
        if not isinstance(received, Answered):
            found.append("answer: the request was not answered by a handshake")
        else:
            body = received.body.decode("utf-8", "replace")
            shown = json.loads(body) if received.content_type == "application/json" else body
            found.extend(differences(plain(answer), shown, "answer", exact=False))
    return found


def check_outcomes(
    expect: Block, outcomes: list[Outcome], rules: list[str], shorthand: Shorthand
) -> list[str]:
    """How outcomes differ from what a case expects; `rules` are those that applied.

    Raises EvaluationError for an expected word that the mapping's vocabulary does not have.
    """
    problems: list[str] = []
    statements = [one for outcome in outcomes if isinstance(outcome, Adapted) for one in outcome.statements]
    expected = expect.get("statements")
    if expected is not None:
        exact = expect.text("match", "subset") == "exact"
        wanted = written_out(plain(expected), shorthand, exact=exact)
        found = differences(wanted, statements, "statements", exact=exact)
        problems.extend(found)
        if found:
            problems.extend(_failures(outcomes))
    rule = expect.text("rule")
    if rule and rule not in rules:
        problems.append(f"rule: expected {rule}, got {', '.join(rules) or 'none'}")
        problems.extend(_failures(outcomes))
    for key, kind in (("skipped", Skipped), ("unmatched", Unmatched), ("failed", Failed), ("held", Held)):
        node = expect.get(key)
        if node is not None:
            problems.extend(_check_kind(key, kind, plain(node), outcomes))
    shown = " ".join(w.message for one in outcomes if isinstance(one, Adapted) for w in one.warnings)
    problems.extend(
        f"warnings: none contains {wanted!r}" for wanted in expect.texts("warnings") if wanted not in shown
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
