from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.cmi5 import vocabulary as words
from gateway.cmi5.gate import RULES, Effects, Refused, examine
from gateway.cmi5.gate_view import SessionView
from gateway.cmi5.satisfaction import AUFacts
from gateway.cmi5.sessions import SessionState
from gateway.cmi5.vocabulary import LaunchMode
from tests.cmi5.gate_examples import (
    COMPLETED,
    EXAMPLES,
    FAILED,
    INITIALIZED,
    MASTERY_PATH,
    PASSED,
    TERMINATED,
    Example,
)
from tests.cmi5.samples import (
    ACTIVITY,
    DATA,
    PUBLISHER,
    allowed,
    defined,
    fresh_view,
    spoilt,
    view,
)


def _name(example: Example) -> str:
    return f"{example.rule.__name__}-{example.requirement}"


def _requirements(verdict: Effects | Refused) -> set[str]:
    return {refusal.requirement for refusal in verdict.refusals} if isinstance(verdict, Refused) else set()


@pytest.mark.parametrize("example", EXAMPLES, ids=_name)
def test_each_rule_refuses_its_example_by_its_requirement(example: Example) -> None:
    verdict = examine([example.statement], example.view)
    assert isinstance(verdict, Refused)
    assert verdict.status == example.status
    mine = [each for each in verdict.refusals if each.requirement == f"cmi5 {example.requirement}"]
    assert mine
    assert all(each.status == example.status and each.message for each in mine)


@pytest.mark.parametrize("example", EXAMPLES, ids=_name)
def test_without_its_rule_an_example_is_no_longer_refused_for_it(example: Example) -> None:
    others = [rule for rule in RULES if rule.check is not example.rule]
    assert len(others) == len(RULES) - 1
    assert f"cmi5 {example.requirement}" not in _requirements(
        examine([example.statement], example.view, rules=others)
    )


def test_every_rule_has_an_example() -> None:
    assert {rule.check for rule in RULES} == {example.rule for example in EXAMPLES}


def test_every_row_of_the_reference_has_a_rule() -> None:
    assert sorted({rule.number for rule in RULES}) == list(range(2, 31))


def test_every_cited_requirement_is_one_of_the_standard() -> None:
    known = (DATA / "requirement_ids.txt").read_text().split()
    for example in EXAMPLES:
        section = f"{example.requirement}."
        assert any(each == example.requirement or each.startswith(section) for each in known)


@pytest.mark.parametrize("verb", sorted(words.AU_VERBS))
def test_a_proper_defined_statement_passes(verb: str) -> None:
    where = fresh_view() if verb == words.INITIALIZED else view()
    verdict = examine([defined(verb)], where)
    assert isinstance(verdict, Effects)
    assert verdict.verbs == {verb}
    assert verdict.view.used == where.used | {verb}
    assert verdict.view.au == AUFacts(completed=verb == words.COMPLETED, passed=verb == words.PASSED)


@pytest.mark.parametrize("verb", [*sorted(words.AU_VERBS), words.SATISFIED, "https://example.org/verbs/x"])
def test_an_allowed_statement_may_use_any_verb_and_changes_nothing(verb: str) -> None:
    before = view()
    verdict = examine([allowed(verb, object={"id": "https://example.org/question"})], before)
    assert isinstance(verdict, Effects)
    assert verdict.steps == ()
    assert not verdict.moves_on
    assert (verdict.view.state, verdict.view.used, verdict.view.au) == (before.state, before.used, before.au)


@pytest.mark.parametrize("zone", ["Z", "z", "+00:00", "+0000", "+00", "-00:00"])
def test_every_way_to_write_utc_passes_the_gate(zone: str) -> None:
    assert isinstance(examine([allowed(timestamp=f"2024-03-01T10:00:00{zone}")], view()), Effects)


def test_the_actor_is_known_by_its_account_alone() -> None:
    account = {"name": "ada", "homePage": "https://people.example.org"}
    assert isinstance(examine([allowed(actor={"name": "A. L.", "account": account})], view()), Effects)


def test_template_activities_may_stand_anywhere_in_the_list_or_alone() -> None:
    others = [{"id": "https://example.org/more"}, {"id": PUBLISHER}]
    for grouping in (others, {"id": PUBLISHER}):
        statement = spoilt(allowed(), "context contextActivities grouping", grouping)
        assert isinstance(examine([statement], view()), Effects)


def test_a_registration_in_capitals_is_the_same() -> None:
    statement = spoilt(allowed(), "context registration", view().registration.upper())
    assert isinstance(examine([statement], view()), Effects)


def test_passed_without_a_score_needs_no_mastery_extension() -> None:
    statement = spoilt(spoilt(PASSED, "result score"), MASTERY_PATH)
    assert isinstance(examine([statement], view()), Effects)


def test_a_mastery_score_of_zero_need_not_be_repeated() -> None:
    nothing = view(mastery=Decimal(0))
    assert isinstance(examine([spoilt(PASSED, MASTERY_PATH)], nothing), Effects)
    assert isinstance(examine([spoilt(PASSED, MASTERY_PATH, 0)], nothing), Effects)
    assert _requirements(examine([spoilt(PASSED, MASTERY_PATH, 0.1)], nothing)) == {"cmi5 9.6.3.2-2"}


@pytest.mark.parametrize(("scaled", "mastery"), [(0.7, "0.7"), (0.1 + 0.2, "0.3"), (1, "1"), (0, "0")])
def test_scores_are_compared_as_the_decimals_they_are_written_as(scaled: float, mastery: str) -> None:
    statement = spoilt(PASSED, "result score scaled", scaled)
    statement = spoilt(statement, MASTERY_PATH, float(mastery))
    assert isinstance(examine([statement], view(mastery=Decimal(mastery))), Effects)


def test_without_a_mastery_score_any_score_may_fail() -> None:
    statement = spoilt(spoilt(FAILED, MASTERY_PATH), "result score scaled", 1)
    assert isinstance(examine([statement], view(mastery=None)), Effects)


def test_failed_may_come_again_in_a_later_session_and_passed_after_it() -> None:
    later = view(au=AUFacts())
    assert isinstance(examine([FAILED], later), Effects)
    assert isinstance(examine([PASSED], later), Effects)


@pytest.mark.parametrize("mode", [LaunchMode.BROWSE, LaunchMode.REVIEW])
def test_other_modes_take_initialized_terminated_and_allowed_statements(mode: LaunchMode) -> None:
    batch = [INITIALIZED, allowed(words.PASSED), TERMINATED]
    assert isinstance(examine(batch, fresh_view(launch_mode=mode)), Effects)


@pytest.mark.parametrize(
    ("statement", "path"),
    [
        (None, ""),
        ([], ""),
        ("launched", ""),
        ({}, "actor"),
        (spoilt(allowed(), "actor"), "actor"),
        (spoilt(allowed(), "verb"), "verb"),
        (spoilt(allowed(), "verb id"), "verb.id"),
        (spoilt(allowed(), "object"), "object"),
        (spoilt(allowed(), "verb", "experienced"), "verb"),
    ],
)
def test_what_is_no_statement_is_answered_400_with_the_place(statement: object, path: str) -> None:
    verdict = examine([statement], view())
    assert isinstance(verdict, Refused)
    assert verdict.status == 400
    assert path in {refusal.path for refusal in verdict.refusals}


def test_a_statement_hears_of_all_its_faults_at_once() -> None:
    statement = spoilt(spoilt(COMPLETED, "result"), "object id", "https://example.org/x")
    assert _requirements(examine([spoilt(statement, "id")], view())) >= {
        "cmi5 9.1.0.0-1",
        "cmi5 8.1.5.0-6",
        "cmi5 9.5.3.0-1",
        "cmi5 9.5.4.1-2",
    }


def test_a_whole_session_can_come_in_one_batch() -> None:
    batch = [INITIALIZED, allowed(), COMPLETED, PASSED, TERMINATED]
    verdict = examine(batch, fresh_view())
    assert isinstance(verdict, Effects)
    assert [words.word(step.verb) for step in verdict.steps] == [
        "initialized",
        "completed",
        "passed",
        "terminated",
    ]
    assert [step.index for step in verdict.steps] == [0, 2, 3, 4]
    assert verdict.steps[2].scaled == Decimal("0.9")
    assert verdict.view.state is SessionState.TERMINATED
    assert verdict.view.au == AUFacts(completed=True, passed=True)


@pytest.mark.parametrize(
    ("batch", "requirement", "path"),
    [
        ([INITIALIZED, TERMINATED, allowed()], "9.3.0.0-5", "[2]"),
        ([allowed(), INITIALIZED], "9.3.0.0-4", "[0].verb.id"),
        ([INITIALIZED, COMPLETED, COMPLETED], "9.3.0.0-6", "[2].verb.id"),
        ([INITIALIZED, FAILED, PASSED], "9.3.0.0-3", "[2].verb.id"),
        ([INITIALIZED, spoilt(allowed(), "id")], "9.1.0.0-1", "[1].id"),
    ],
)
def test_in_a_batch_each_statement_sees_what_came_before(
    batch: list[dict[str, Any]], requirement: str, path: str
) -> None:
    verdict = examine(batch, fresh_view())
    assert isinstance(verdict, Refused)
    assert (f"cmi5 {requirement}", path) in {(each.requirement, each.path) for each in verdict.refusals}


def test_a_batch_is_taken_in_the_order_of_its_timestamps() -> None:
    late = TERMINATED | {"timestamp": "2024-03-01T10:05:00Z"}
    early = COMPLETED | {"timestamp": "2024-03-01T10:04:00Z"}
    verdict = examine([late, early], view())
    assert isinstance(verdict, Effects)
    assert [step.index for step in verdict.steps] == [1, 0]


def test_a_refused_statement_does_not_drag_down_those_after_it() -> None:
    verdict = examine([spoilt(INITIALIZED, "id"), COMPLETED], fresh_view())
    assert _requirements(verdict) == {"cmi5 9.1.0.0-1"}


def test_timestamps_that_contradict_the_order_are_flagged_not_refused() -> None:
    first = examine([INITIALIZED], fresh_view())
    assert isinstance(first, Effects)
    early = allowed(timestamp="2024-03-01T09:00:00Z")
    verdict = examine([early], first.view)
    assert isinstance(verdict, Effects)
    assert [(each.path, each.requirement) for each in verdict.disorder] == [("timestamp", "cmi5 9.3.0.0-4")]
    late = examine([allowed(timestamp="2024-03-01T11:00:00Z")], first.view)
    assert isinstance(late, Effects)
    last = examine([TERMINATED], late.view)
    assert isinstance(last, Effects)
    assert [each.requirement for each in last.disorder] == ["cmi5 9.3.0.0-5"]


def test_an_empty_batch_changes_nothing() -> None:
    assert examine([], view()) == Effects(view=view(), steps=())


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)


@st.composite
def damaged(draw: st.DrawFn) -> Any:
    """A defined statement with some parts replaced by any JSON."""
    statement: Any = json.loads(json.dumps(draw(st.sampled_from([COMPLETED, PASSED, TERMINATED, allowed()]))))
    for _ in range(draw(st.integers(1, 4))):
        inner = statement
        while True:
            key = draw(st.sampled_from(sorted(inner))) if isinstance(inner, dict) and inner else None
            if key is None:
                break
            if draw(st.booleans()) and isinstance(inner[key], dict):
                inner = inner[key]
                continue
            inner[key] = draw(json_values)
            break
    return statement


@given(st.lists(damaged() | json_values, max_size=3), st.sampled_from([view(), fresh_view()]))
@settings(max_examples=200)
def test_any_json_gets_a_verdict(batch: list[Any], where: SessionView) -> None:
    verdict = examine(batch, where)
    if isinstance(verdict, Refused):
        assert verdict.refusals
        assert verdict.status in (400, 401, 403)
        assert all(refusal.message for refusal in verdict.refusals)
    else:
        assert all(isinstance(statement, dict) for statement in batch)


def test_the_activity_id_is_checked_for_defined_statements_only() -> None:
    assert view().activity_id == ACTIVITY
    elsewhere = {"id": "https://example.org/elsewhere"}
    assert isinstance(examine([allowed(object=elsewhere)], view()), Effects)
    assert isinstance(examine([COMPLETED | {"object": elsewhere}], view()), Refused)
