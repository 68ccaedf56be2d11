"""For each rule of the gate, statements that it alone is there to refuse."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from gateway.cmi5 import gate_defined, gate_rules
from gateway.cmi5 import vocabulary as words
from gateway.cmi5.gate_view import SessionView
from gateway.cmi5.satisfaction import AUFacts
from gateway.cmi5.sessions import SessionState
from gateway.cmi5.vocabulary import LaunchMode
from tests.cmi5.samples import EXTRA, PUBLISHER, allowed, defined, fresh_view, spoilt, view

COMPLETED = defined(words.COMPLETED)
PASSED = defined(words.PASSED)
FAILED = defined(words.FAILED)
TERMINATED = defined(words.TERMINATED)
INITIALIZED = defined(words.INITIALIZED)
SESSION_PATH = f"context extensions {words.SESSION_ID}"
MASTERY_PATH = f"context extensions {words.MASTERY_SCORE}"
CATEGORY_PATH = "context contextActivities category"


@dataclass(frozen=True)
class Example:
    """A statement that one rule alone is there to refuse."""

    rule: Callable[..., Any]
    requirement: str
    statement: dict[str, Any]
    view: SessionView = field(default_factory=view)
    status: int = 403


EXAMPLES = [
    Example(gate_rules.has_id, "9.1.0.0-1", spoilt(allowed(), "id")),
    Example(gate_rules.is_no_voiding, "6.3.0.0-1", allowed(words.VOIDED)),
    Example(gate_rules.has_timestamp, "9.7.0.0-1", spoilt(allowed(), "timestamp")),
    Example(gate_rules.timestamp_is_utc, "9.7.0.0-2", allowed(timestamp="2024-03-01T10:00:00+01:00")),
    Example(gate_rules.timestamp_is_utc, "9.7.0.0-2", allowed(timestamp="2024-03-01T10:00:00")),
    Example(gate_rules.actor_is_agent, "9.2.0.0-2", spoilt(allowed(), "actor objectType", "Group")),
    Example(gate_rules.actor_is_the_learner, "9.2.0.0-3", allowed(actor={"mbox": "mailto:ada@example.org"})),
    Example(gate_rules.actor_is_the_learner, "8.1.3.0-3", spoilt(allowed(), "actor account name", "bob")),
    Example(
        gate_rules.actor_is_the_learner,
        "8.1.3.0-3",
        spoilt(allowed(), "actor account homePage", "https://other.example.org"),
    ),
    Example(gate_rules.has_the_registration, "9.6.0.0-1", spoilt(allowed(), "context")),
    Example(gate_rules.has_the_registration, "9.6.1.0-1", spoilt(allowed(), "context registration")),
    Example(
        gate_rules.has_the_registration,
        "9.6.1.0-1",
        spoilt(allowed(), "context registration", "00000000-0000-4000-8000-000000000000"),
    ),
    Example(gate_rules.has_the_session_id, "9.6.3.1-4", spoilt(allowed(), SESSION_PATH)),
    Example(gate_rules.has_the_session_id, "9.6.3.1-4", spoilt(allowed(), SESSION_PATH, "another")),
    Example(
        gate_rules.keeps_the_context_template,
        "9.6.2.0-1",
        spoilt(allowed(), "context contextActivities grouping", [{"id": "https://example.org/x"}]),
    ),
    Example(
        gate_rules.keeps_the_context_template, "10.2.1.0-6", spoilt(allowed(), f"context extensions {EXTRA}")
    ),
    Example(
        gate_rules.keeps_the_context_template,
        "10.2.1.0-7",
        spoilt(allowed(), f"context extensions {EXTRA}", "autumn"),
    ),
    Example(gate_rules.initialized_comes_first, "9.3.0.0-4", allowed(), fresh_view()),
    Example(gate_rules.initialized_comes_first, "9.3.0.0-4", allowed(words.INITIALIZED), fresh_view()),
    Example(gate_rules.initialized_comes_first, "9.3.0.0-4", TERMINATED, fresh_view()),
    Example(
        gate_rules.token_was_fetched,
        "8.1.2.0-2",
        INITIALIZED,
        fresh_view(state=SessionState.LAUNCHED),
        status=401,
    ),
    Example(
        gate_rules.nothing_follows_terminated, "9.3.0.0-5", allowed(), view(state=SessionState.TERMINATED)
    ),
    Example(gate_rules.nothing_follows_abandoned, "9.3.6.0-2", allowed(), view(state=SessionState.ABANDONED)),
    *(
        Example(gate_defined.verb_is_an_au_verb, "9.3.0.0-1", defined(verb))
        for verb in (*sorted(words.LMS_VERBS), "http://adlnet.gov/expapi/verbs/experienced")
    ),
    Example(
        gate_defined.object_is_the_au,
        "8.1.5.0-6",
        spoilt(COMPLETED, "object id", PUBLISHER),
    ),
    Example(
        gate_defined.preferences_come_before_initialized,
        "11.0.0.0-3",
        INITIALIZED,
        fresh_view(preferences_requested=False),
    ),
    Example(gate_defined.verb_is_new_in_the_session, "9.3.0.0-2", INITIALIZED),
    Example(
        gate_defined.verb_is_new_in_the_session,
        "9.3.0.0-2",
        FAILED,
        view(used=frozenset({words.INITIALIZED, words.FAILED})),
    ),
    Example(
        gate_defined.passed_or_failed_but_not_both,
        "9.3.0.0-3",
        PASSED,
        view(used=frozenset({words.INITIALIZED, words.FAILED})),
    ),
    Example(
        gate_defined.passed_or_failed_but_not_both,
        "9.3.0.0-3",
        FAILED,
        view(used=frozenset({words.INITIALIZED, words.PASSED})),
    ),
    Example(
        gate_defined.completed_once_per_registration,
        "9.3.0.0-6",
        COMPLETED,
        view(au=AUFacts(completed=True)),
    ),
    Example(gate_defined.passed_once_per_registration, "9.3.0.0-7", PASSED, view(au=AUFacts(passed=True))),
    Example(gate_defined.failed_never_follows_passed, "9.3.0.0-8", FAILED, view(au=AUFacts(passed=True))),
    *(
        Example(gate_defined.mode_lets_it_count, requirement, statement, view(launch_mode=mode))
        for mode, requirement in ((LaunchMode.BROWSE, "10.2.2.0-2"), (LaunchMode.REVIEW, "10.2.2.0-3"))
        for statement in (COMPLETED, PASSED, FAILED)
    ),
    Example(gate_defined.success_fits_the_verb, "9.5.2.0-1", spoilt(PASSED, "result success", False)),
    Example(gate_defined.success_fits_the_verb, "9.5.2.0-1", spoilt(PASSED, "result success")),
    Example(gate_defined.success_fits_the_verb, "9.5.2.0-2", spoilt(FAILED, "result success", True)),
    Example(gate_defined.success_fits_the_verb, "9.5.2.0-2", spoilt(FAILED, "result success", 0)),
    Example(gate_defined.success_fits_the_verb, "9.5.2.0-3", spoilt(COMPLETED, "result success", True)),
    Example(
        gate_defined.completion_fits_the_verb, "9.5.3.0-1", spoilt(COMPLETED, "result completion", False)
    ),
    Example(gate_defined.completion_fits_the_verb, "9.5.3.0-2", spoilt(PASSED, "result completion", True)),
    Example(gate_defined.has_duration, "9.5.4.1-1", spoilt(TERMINATED, "result duration")),
    Example(gate_defined.has_duration, "9.5.4.1-1", spoilt(TERMINATED, "result")),
    Example(gate_defined.has_duration, "9.5.4.1-2", spoilt(COMPLETED, "result duration")),
    Example(gate_defined.has_duration, "9.5.4.1-3", spoilt(PASSED, "result duration")),
    Example(gate_defined.has_duration, "9.5.4.1-4", spoilt(FAILED, "result duration")),
    *(
        Example(
            gate_defined.score_is_for_passed_and_failed,
            "9.5.1.0-2",
            spoilt(statement, "result score", {"scaled": 0.5}),
            where,
        )
        for statement, where in ((COMPLETED, view()), (TERMINATED, view()), (INITIALIZED, fresh_view()))
    ),
    *(
        Example(gate_defined.raw_comes_with_its_range, "9.5.1.0-3", spoilt(PASSED, "result score", score))
        for score in (
            {"scaled": 0.9, "raw": 0},
            {"scaled": 0.9, "raw": 9, "min": 0},
            {"scaled": 0.9, "raw": 9, "max": 10},
        )
    ),
    Example(
        gate_defined.scaled_is_no_less_than_nothing,
        "9.5.1",
        spoilt(FAILED, "result score scaled", -0.5),
    ),
    Example(
        gate_defined.scaled_agrees_with_mastery,
        "9.3.4.0-2",
        spoilt(PASSED, "result score scaled", 0.59),
    ),
    Example(gate_defined.scaled_agrees_with_mastery, "9.3.5.0-2", spoilt(FAILED, "result score scaled", 0.6)),
    Example(gate_defined.mastery_score_is_repeated, "9.6.3.2-2", spoilt(PASSED, MASTERY_PATH)),
    Example(gate_defined.mastery_score_is_repeated, "9.6.3.2-2", spoilt(FAILED, MASTERY_PATH, 0.7)),
    Example(gate_defined.mastery_score_is_repeated, "9.6.3.2-2", spoilt(FAILED, MASTERY_PATH, "0.6")),
    Example(
        gate_defined.move_on_category_fits_the_result,
        "9.6.2.2-1",
        spoilt(COMPLETED, CATEGORY_PATH, [{"id": words.CATEGORY_CMI5}]),
    ),
    Example(
        gate_defined.move_on_category_fits_the_result,
        "9.6.2.2-2",
        spoilt(TERMINATED, CATEGORY_PATH, [{"id": words.CATEGORY_CMI5}, {"id": words.CATEGORY_MOVE_ON}]),
    ),
    Example(
        gate_rules.allowed_has_no_move_on_category,
        "9.6.2.2-2",
        spoilt(allowed(), CATEGORY_PATH, {"id": words.CATEGORY_MOVE_ON}),
    ),
]
