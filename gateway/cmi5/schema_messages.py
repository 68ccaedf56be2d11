"""What a schema validator says of a course structure, in the words of whoever has to mend it. Pure.

The place is told beside the message, so it is not repeated: `moveOn holds 'Pased'; expected one of …`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

_ELEMENT: Final = re.compile(r"Element '[^']*'(?:, attribute '(?P<attribute>[^']*)')?: ", re.DOTALL)
_FACET: Final = re.compile(r"\[facet '\w+'\] ")
_LISTED: Final = re.compile(r"[^\s,(){}']+")


def _list(names: str) -> str:
    return ", ".join(_LISTED.findall(names))


_SENTENCES: Final[tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...]] = tuple(
    (re.compile(pattern, re.DOTALL), sentence)
    for pattern, sentence in (
        (
            r"The value '(.*)' is not an element of the set \{(.*)\}\.",
            lambda found: f"holds '{found[1]}'; expected one of {_list(found[2])}",
        ),
        (
            r"The value '(.*)' is greater than the maximum value allowed \('(.*)'\)\.",
            lambda found: f"holds '{found[1]}'; expected at most {found[2]}",
        ),
        (
            r"The value '(.*)' is less than the minimum value allowed \('(.*)'\)\.",
            lambda found: f"holds '{found[1]}'; expected at least {found[2]}",
        ),
        (
            r"The attribute '(.*)' is not allowed\.",
            lambda found: f"has an attribute {found[1]}, which is not allowed here; is it spelt as in cmi5?",
        ),
        (
            r"The attribute '(.*)' is required but missing\.",
            lambda found: f"has no attribute {found[1]}, which is required",
        ),
        (
            r"This element is not expected\. Expected is (?:one of )?\((.*)\)\.",
            lambda found: f"is not expected here; expected: {_list(found[1])}",
        ),
        (
            r"Missing child element\(s\)\. Expected is (?:one of )?\((.*)\)\.",
            lambda found: f"has too little in it; expected: {_list(found[1])}",
        ),
    )
)


def sentence(message: str) -> str:
    """The validator's message, without element and facet, and as a sentence where it is a usual one."""
    message = message.strip()
    place = _ELEMENT.match(message)
    said = message[place.end() :] if place else message
    said = _FACET.sub("", said, count=1)
    for pattern, words in _SENTENCES:
        if found := pattern.fullmatch(said):
            said = words(found)
            break
    attribute = place["attribute"] if place else None
    return said if attribute is None or said.startswith("has ") else f"{attribute} {_joined(said)}"


def _joined(said: str) -> str:
    return said if said.startswith("holds ") else f"is wrong: {said}"
