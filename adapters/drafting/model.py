"""What `mappings new` works on: samples, and the kinds of events in them. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from adapters.drafting.facts import Facts

_PLAIN = re.compile(r"[A-Za-z][\w./-]*(?: [\w./-]+)*")
_NOT_TEXT = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


@dataclass(frozen=True, slots=True)
class Sample:
    """One payload: the name its file has beside the mapping, and what it holds."""

    file: str
    payload: Any


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of event: the first sample of it, and what was guessed."""

    name: str
    facts: Facts
    sample: Sample


def scalar(value: str) -> str:
    """Text as YAML writes it, on one line."""
    plain = _PLAIN.fullmatch(value) and value.lower() not in _NOT_TEXT
    return value if plain else json.dumps(value, ensure_ascii=False)
