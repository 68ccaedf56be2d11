from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cmi5.refusals import Refusal
from gateway.cmi5.sessions import (
    OPEN,
    TRANSITIONS,
    FetchError,
    SessionEvent,
    SessionLimits,
    SessionState,
    advance,
    fetch_problem,
    fetch_refused,
    fetched,
    lapsed,
    token_refusal,
)

FINAL = {SessionState.TERMINATED, SessionState.ABANDONED}
MINUTE = 60_000_000


def test_a_proper_session_is_launched_authorized_active_and_terminated() -> None:
    state: SessionState | Refusal = SessionState.LAUNCHED
    seen = []
    for event in (SessionEvent.FETCH, SessionEvent.INITIALIZE, SessionEvent.TERMINATE):
        assert isinstance(state, SessionState)
        state = advance(state, event)
        seen.append(state)
    assert seen == [SessionState.AUTHORIZED, SessionState.ACTIVE, SessionState.TERMINATED]


@pytest.mark.parametrize("state", sorted(OPEN))
def test_every_open_session_can_be_abandoned(state: SessionState) -> None:
    assert advance(state, SessionEvent.ABANDON) is SessionState.ABANDONED


@given(st.lists(st.sampled_from(SessionEvent), max_size=10))
def test_nothing_leads_out_of_a_final_state(events: list[SessionEvent]) -> None:
    # cmi5 9.3.0.0-5, 9.3.0.0-10, 9.3.6.0-2
    state = SessionState.LAUNCHED
    ended = False
    for event in events:
        after = advance(state, event)
        if isinstance(after, Refusal):
            assert after.status == 403
            assert after.requirement.startswith("cmi5 ")
        else:
            assert not ended
            state = after
        ended = state in FINAL
    assert ended == (state not in OPEN)


def test_the_table_names_every_possible_step() -> None:
    possible = {(state, event) for state in SessionState for event in SessionEvent}
    refused = {pair for pair in possible if isinstance(advance(*pair), Refusal)}
    assert refused == possible - TRANSITIONS.keys()
    assert len(TRANSITIONS) == 6


@pytest.mark.parametrize("state", SessionState)
def test_a_token_is_good_from_its_fetch_to_the_end_of_the_session(state: SessionState) -> None:
    # cmi5 8.1.2.0-2 (d)
    refusal = token_refusal(state)
    if state in (SessionState.AUTHORIZED, SessionState.ACTIVE):
        assert refusal is None
    else:
        assert refusal is not None
        assert (refusal.status, refusal.requirement) == (401, "cmi5 8.1.2.0-2")


def test_the_first_fetch_gets_the_token_with_status_200() -> None:
    assert fetch_problem(SessionState.LAUNCHED) is None
    answer = fetched("c2Vzc2lvbjpzZWNyZXQ")
    assert (answer.status, answer.body) == (200, {"auth-token": "c2Vzc2lvbjpzZWNyZXQ"})


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (SessionState.AUTHORIZED, "1"),
        (SessionState.ACTIVE, "1"),
        (SessionState.TERMINATED, "1"),
        (SessionState.ABANDONED, "1"),
        (None, "2"),
    ],
)
def test_any_other_fetch_gets_an_error_code_as_text_with_status_200(
    state: SessionState | None, code: str
) -> None:
    # cmi5 8.2.2.0-3, 8.2.3.0-1, 8.2.3.2-1
    problem = fetch_problem(state)
    assert problem is not None
    answer = fetch_refused(problem)
    assert answer.status == 200
    assert answer.body["error-code"] == code
    assert type(answer.body["error-code"]) is str
    assert answer.body["error-text"]
    assert "auth-token" not in answer.body


def test_every_fetch_error_has_a_text() -> None:
    assert {fetch_refused(code).body["error-code"] for code in FetchError} == {"1", "2", "3"}


@pytest.mark.parametrize(
    ("now", "last_seen", "expected"),
    [(59, 0, False), (60, 0, True), (100, 50, False), (110, 50, True), (719, 700, False), (720, 719, True)],
)
def test_a_session_lapses_by_silence_or_by_age(now: int, last_seen: int, expected: bool) -> None:
    limits = SessionLimits(idle=60 * MINUTE, total=720 * MINUTE)
    assert lapsed(now * MINUTE, launched=0, last_seen=last_seen * MINUTE, limits=limits) is expected
