"""What cmi5 demands of defined statements, those with the cmi5 category (9.3–9.6, 10.2.2, 11).

A rule yields what is wrong as (requirement, path, message). Scores are compared as decimals. Performs no I/O.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from gateway.cmi5 import vocabulary as words
from gateway.cmi5.gate_view import Fault, Reading, SessionView, mapping
from gateway.cmi5.numbers import as_decimal
from gateway.cmi5.vocabulary import LaunchMode, word
from gateway.xapi.findings import at, shown

_JUDGING: Final = frozenset({words.PASSED, words.FAILED})
_MOVING: Final = frozenset({words.COMPLETED, words.PASSED, words.FAILED})
_DURATION_REQUIREMENTS: Final = {
    words.TERMINATED: "9.5.4.1-1",
    words.COMPLETED: "9.5.4.1-2",
    words.PASSED: "9.5.4.1-3",
    words.FAILED: "9.5.4.1-4",
}


def verb_is_an_au_verb(reading: Reading, _view: SessionView) -> Iterator[Fault]:
    if reading.verb not in words.AU_VERBS:
        expected = ", ".join(sorted(map(word, words.AU_VERBS)))
        message = f"holds {shown(reading.verb)}; an AU's statements with the cmi5 category use {expected}"
        yield "9.3.0.0-1", "verb.id", message


def object_is_the_au(reading: Reading, view: SessionView) -> Iterator[Fault]:
    found = mapping(reading.statement.get("object")).get("id")
    if found != view.activity_id:
        message = f"holds {shown(found)}; the activityId of the launch is {shown(view.activity_id)}"
        yield "8.1.5.0-6", "object.id", message


def preferences_come_before_initialized(reading: Reading, view: SessionView) -> Iterator[Fault]:
    if reading.verb == words.INITIALIZED and not view.preferences_requested:
        message = f"comes before the agent profile document {words.PREFERENCES_ID} was asked for"
        yield "11.0.0.0-3", "verb.id", message


def verb_is_new_in_the_session(reading: Reading, view: SessionView) -> Iterator[Fault]:
    if reading.verb in view.used:
        yield "9.3.0.0-2", "verb.id", f"is {word(reading.verb)}, which this session already has"


def passed_or_failed_but_not_both(reading: Reading, view: SessionView) -> Iterator[Fault]:
    other = (_JUDGING - {reading.verb}) & view.used
    if reading.verb in _JUDGING and other:
        message = f"is {word(reading.verb)}, but this session already has {word(*other)}"
        yield "9.3.0.0-3", "verb.id", message


def completed_once_per_registration(reading: Reading, view: SessionView) -> Iterator[Fault]:
    if reading.verb == words.COMPLETED and view.au.completed:
        yield "9.3.0.0-6", "verb.id", "is completed, which this AU already has in the registration"


def passed_once_per_registration(reading: Reading, view: SessionView) -> Iterator[Fault]:
    if reading.verb == words.PASSED and view.au.passed:
        yield "9.3.0.0-7", "verb.id", "is passed, which this AU already has in the registration"


def failed_never_follows_passed(reading: Reading, view: SessionView) -> Iterator[Fault]:
    if reading.verb == words.FAILED and view.au.passed:
        yield "9.3.0.0-8", "verb.id", "is failed, but this AU was already passed in the registration"


def mode_lets_it_count(reading: Reading, view: SessionView) -> Iterator[Fault]:
    if view.launch_mode is not LaunchMode.NORMAL and reading.verb in _MOVING:
        requirement = "10.2.2.0-2" if view.launch_mode is LaunchMode.BROWSE else "10.2.2.0-3"
        message = f"is {word(reading.verb)}, which the launch mode {view.launch_mode} excludes"
        yield requirement, "verb.id", message


def success_fits_the_verb(reading: Reading, _view: SessionView) -> Iterator[Fault]:
    success = reading.result.get("success")
    if reading.verb in _JUDGING:
        expected = reading.verb == words.PASSED
        if success is not expected:
            message = f"holds {shown(success)}; {word(reading.verb)} needs {shown(expected)}"
            yield "9.5.2.0-1" if expected else "9.5.2.0-2", "result.success", message
    elif "success" in reading.result:
        yield "9.5.2.0-3", "result.success", f"must be absent from {word(reading.verb)}"


def completion_fits_the_verb(reading: Reading, _view: SessionView) -> Iterator[Fault]:
    completion = reading.result.get("completion")
    if reading.verb == words.COMPLETED:
        if completion is not True:
            yield "9.5.3.0-1", "result.completion", f"holds {shown(completion)}; completed needs true"
    elif "completion" in reading.result:
        yield "9.5.3.0-2", "result.completion", f"must be absent from {word(reading.verb)}"


def has_duration(reading: Reading, _view: SessionView) -> Iterator[Fault]:
    requirement = _DURATION_REQUIREMENTS.get(reading.verb)
    if requirement is not None and reading.result.get("duration") is None:
        yield requirement, "result.duration", f"is missing; {word(reading.verb)} needs it"


def score_is_for_passed_and_failed(reading: Reading, _view: SessionView) -> Iterator[Fault]:
    if reading.verb not in _JUDGING and "score" in reading.result:
        yield "9.5.1.0-2", "result.score", f"must be absent from {word(reading.verb)}"


def raw_comes_with_its_range(reading: Reading, _view: SessionView) -> Iterator[Fault]:
    if reading.score.get("raw") is None:
        return
    for key in ("min", "max"):
        if reading.score.get(key) is None:
            yield "9.5.1.0-3", f"result.score.{key}", "is missing; a raw score needs min and max"


def scaled_is_no_less_than_nothing(reading: Reading, _view: SessionView) -> Iterator[Fault]:
    if reading.scaled is not None and not 0 <= reading.scaled <= 1:
        yield "9.5.1", "result.score.scaled", f"holds {shown(reading.score['scaled'])}; expected 0 to 1"


def scaled_agrees_with_mastery(reading: Reading, view: SessionView) -> Iterator[Fault]:
    if view.mastery is None or reading.scaled is None or reading.verb not in _JUDGING:
        return
    reached = reading.scaled >= view.mastery
    if reached is not (reading.verb == words.PASSED):
        passed = reading.verb == words.PASSED
        message = f"is {reading.scaled}; {word(reading.verb)} needs " + (
            f"at least the mastery score {view.mastery}"
            if passed
            else f"less than the mastery score {view.mastery}"
        )
        yield "9.3.4.0-2" if passed else "9.3.5.0-2", "result.score.scaled", message


def mastery_score_is_repeated(reading: Reading, view: SessionView) -> Iterator[Fault]:
    if view.mastery is None or reading.scaled is None or reading.verb not in _JUDGING:
        return
    found = reading.extensions.get(words.MASTERY_SCORE)
    if found is None and view.mastery == 0:
        return  # A widespread client takes a mastery score of 0 for none.
    if as_decimal(found) != view.mastery:
        path = at("context.extensions", words.MASTERY_SCORE)
        yield "9.6.3.2-2", path, f"holds {shown(found)}; the mastery score of the launch is {view.mastery}"


def move_on_category_fits_the_result(reading: Reading, _view: SessionView) -> Iterator[Fault]:
    moving = "success" in reading.result or "completion" in reading.result
    path = "context.contextActivities.category"
    if moving and words.CATEGORY_MOVE_ON not in reading.categories:
        yield "9.6.2.2-1", path, "lacks the moveon category, which goes with success and completion"
    elif not moving and words.CATEGORY_MOVE_ON in reading.categories:
        yield "9.6.2.2-2", path, "has the moveon category, but the result has neither success nor completion"
