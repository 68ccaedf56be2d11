"""The learner's preferences, an agent profile document that LMS and AU share (cmi5 11). Performs no I/O."""

from __future__ import annotations

from typing import Final

from gateway.errors import Problem
from gateway.xapi.datatypes import is_language_tag
from gateway.xapi.findings import shown

_REQUIREMENT: Final = "cmi5 11.0.0.0-5"
_AUDIO: Final = ("on", "off")


def check_preferences(document: object) -> list[Problem]:
    """Everything wrong with a `cmi5LearnerPreferences` document; other keys than the two are left alone."""
    if not isinstance(document, dict):
        message = f"holds {shown(document)}; expected an object with languagePreference and audioPreference"
        return [Problem("", _REQUIREMENT, message)]
    problems = []
    languages = document.get("languagePreference")
    if not isinstance(languages, str) or not all(map(is_language_tag, languages.split(","))):
        message = f"holds {shown(languages)}; expected language tags with commas between, no blanks"
        problems.append(Problem("languagePreference", _REQUIREMENT, message))
    audio = document.get("audioPreference")
    if audio not in _AUDIO:
        problems.append(Problem("audioPreference", _REQUIREMENT, f"holds {shown(audio)}; expected on or off"))
    return problems
