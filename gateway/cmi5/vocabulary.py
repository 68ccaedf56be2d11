"""The fixed words of cmi5 (Quartz, 1st edition): IRIs, document names, launch parameters, enumerations.

Their spelling is the standard's, including its two bases for verbs: `http` for those of AUs, `https` for
most of those of the LMS. Performs no I/O.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

NAMESPACE: Final = "https://w3id.org/xapi/profiles/cmi5/v1/CourseStructure.xsd"
SANDSTONE_NAMESPACE: Final = "http://www.adlnet.gov/cmi5/CourseStructure.xsd"
STRUCTURE_FILE: Final = "cmi5.xml"

CATEGORY_CMI5: Final = "https://w3id.org/xapi/cmi5/context/categories/cmi5"
CATEGORY_MOVE_ON: Final = "https://w3id.org/xapi/cmi5/context/categories/moveon"

_CONTEXT: Final = "https://w3id.org/xapi/cmi5/context/extensions/"
SESSION_ID: Final = _CONTEXT + "sessionid"
MASTERY_SCORE: Final = _CONTEXT + "masteryscore"
LAUNCH_MODE: Final = _CONTEXT + "launchmode"
LAUNCH_URL: Final = _CONTEXT + "launchurl"
MOVE_ON: Final = _CONTEXT + "moveon"
LAUNCH_PARAMETERS: Final = _CONTEXT + "launchparameters"

_RESULT: Final = "https://w3id.org/xapi/cmi5/result/extensions/"
PROGRESS: Final = _RESULT + "progress"
REASON: Final = _RESULT + "reason"

TYPE_BLOCK: Final = "https://w3id.org/xapi/cmi5/activitytype/block"
TYPE_COURSE: Final = "https://w3id.org/xapi/cmi5/activitytype/course"

_ADL: Final = "http://adlnet.gov/expapi/verbs/"
LAUNCHED: Final = _ADL + "launched"
INITIALIZED: Final = _ADL + "initialized"
COMPLETED: Final = _ADL + "completed"
PASSED: Final = _ADL + "passed"
FAILED: Final = _ADL + "failed"
TERMINATED: Final = _ADL + "terminated"
VOIDED: Final = _ADL + "voided"

_W3ID: Final = "https://w3id.org/xapi/adl/verbs/"
ABANDONED: Final = _W3ID + "abandoned"
WAIVED: Final = _W3ID + "waived"
SATISFIED: Final = _W3ID + "satisfied"

AU_VERBS: Final = frozenset({INITIALIZED, COMPLETED, PASSED, FAILED, TERMINATED})
"""Verbs an AU may use in a cmi5 defined statement."""

LMS_VERBS: Final = frozenset({LAUNCHED, ABANDONED, WAIVED, SATISFIED})

LAUNCH_DATA_ID: Final = "LMS.LaunchData"
PREFERENCES_ID: Final = "cmi5LearnerPreferences"

LAUNCH_URL_PARAMETERS: Final = ("endpoint", "fetch", "actor", "registration", "activityId")

WAIVE_REASONS: Final = ("Tested Out", "Equivalent AU", "Equivalent Outside Activity", "Administrative")
"""Suggested by the standard; any other text is legal."""


class MoveOn(StrEnum):
    """What a learner must reach before an AU counts as met."""

    NOT_APPLICABLE = "NotApplicable"
    PASSED = "Passed"
    COMPLETED = "Completed"
    COMPLETED_AND_PASSED = "CompletedAndPassed"
    COMPLETED_OR_PASSED = "CompletedOrPassed"


class LaunchMethod(StrEnum):
    ANY_WINDOW = "AnyWindow"
    OWN_WINDOW = "OwnWindow"


class LaunchMode(StrEnum):
    NORMAL = "Normal"
    BROWSE = "Browse"
    REVIEW = "Review"


def word(verb: str) -> str:
    """The last segment of a verb's IRI, which is how people name it: `passed`."""
    return verb.rpartition("/")[2]
