"""Small mappings and requests for tests."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from adapters import Adapted, Event, Lookups, Mapping, Outcome, Request, load_mapping

EXAMPLES = Path(__file__).parent / "examples"
MEETING = "      verb: joined\n      object: { id: https://x.org/m }\n"
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
LOOKUPS = Lookups(pseudonym_key=b"test key")
ACTOR = "      actor: { account: { homePage: https://id.example.edu, name: mira } }\n"


def mapping_text(statement: str, *, before: str = "", rule: str = "") -> str:
    """A mapping of one rule with this body (indented by six) and these blocks before it."""
    return f"adapter: sample\n{before}rules:\n  - name: only\n{rule}    statement:\n{ACTOR}{statement}"


def simple(object_and_more: str, *, before: str = "", rule: str = "") -> Mapping:
    return load_mapping(mapping_text(object_and_more, before=before, rule=rule), "sample.yaml")


def adapt(mapping: Mapping, payload: Any, lookups: Lookups = LOOKUPS) -> Outcome:
    """The outcome of a payload that is one event."""
    (event,) = mapping.events(payload, (), (), NOW)
    assert isinstance(event, Event), event
    return mapping.adapt(event, lookups)


def statements(mapping: Mapping, payload: Any, lookups: Lookups = LOOKUPS) -> tuple[dict[str, Any], ...]:
    outcome = adapt(mapping, payload, lookups)
    assert isinstance(outcome, Adapted), outcome
    return outcome.statements


def request(body: bytes | Any, *headers: tuple[str, str], **changes: Any) -> Request:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    settings: dict[str, Any] = {
        "method": "POST",
        "url": "https://gateway.example.org/hooks/sample",
        "headers": (("Content-Type", "application/json"), *headers),
        "query": (),
        "body": raw,
        "received_at": NOW,
    }
    return Request(**(settings | changes))


def receiving(verify: str, *, more: str = "") -> Mapping:
    """A mapping that only receives: `verify` and `more` are lines of its `receive:` block."""
    text = f"adapter: sample\nreceive:\n{verify}{more}rules:\n  - name: all\n    ignore: true\n"
    return load_mapping(text, "sample.yaml")


def made(body: str, payload: Any, **parts: str) -> dict[str, Any]:
    """The one statement that a mapping of one rule makes."""
    (statement,) = statements(simple(body, **parts), payload)
    return statement


def example(name: str) -> Mapping:
    """One of the examples of the design."""
    return load_mapping((EXAMPLES / f"{name}.yaml").read_text("utf-8"), f"{name}.yaml")


def signed_by(preset: str, more: str = "") -> Mapping:
    """A mapping that only receives, with one preset and the secret S."""
    return receiving(f"  verify:\n    - {preset}: {{ secret: \"${{ secret('S') }}\" }}\n", more=more)
