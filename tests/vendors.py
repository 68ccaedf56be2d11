"""Vendors as tests need them: requests signed by hand, so that nothing of ours decides what is right."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.resources import mappings_dir
from gateway.store.deliveries import DeliveryFilter
from gateway.store.delivery_records import State
from gateway.store.store import Store
from tests.gateway import Http, Reply
from tests.waiting import until

ZOOM_SECRET = "zoom-secret-of-the-tests"
ACME_SECRET = "acme-secret-of-the-tests"
SAMPLES = mappings_dir() / "samples" / "zoom"

# A vendor of batches; `score` may be wrong in ways that only show when statements are made or checked.
ACME = """\
adapter: acme
version: 1
source: { platform: Acme, home_page: https://acme.example, language: en }
receive:
  verify:
    - hmac: { secret: "${ secret('ACME_SECRET') }", signature: { header: x-acme-signature } }
  max_body: 64KiB
  batch: body.items
  event_id: ${ item.id }
rules:
  - name: completed
    match: { item.type: completed }
    required: [result.score.raw]
    statement:
      actor: { account: { homePage: https://acme.example, name: "${ item.who }" } }
      verb: completed
      object: { id: "https://acme.example/courses/${ item.course }", type: course }
      result: { score: { raw: "${ item.score }" } }
      timestamp: ${ item.at }
  - name: noise
    match: { item.type: ping }
    ignore: true
"""


def zoom_sample(name: str = "participant-joined", **changes: Any) -> bytes:
    """The body of a shipped sample, with other top-level fields."""
    return json.dumps(json.loads((SAMPLES / f"{name}.json").read_text()) | changes).encode()


def zoom_headers(body: bytes, *, secret: str = ZOOM_SECRET, at: float | None = None) -> dict[str, str]:
    """What Zoom sends beside a body."""
    timestamp = str(int(time.time() if at is None else at))
    message = b"v0:" + timestamp.encode() + b":" + body
    signature = hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()
    return {
        "Content-Type": "application/json",
        "x-zm-request-timestamp": timestamp,
        "x-zm-signature": f"v0={signature}",
    }


async def post_zoom(http: Http, body: bytes) -> Reply:
    return await http.post("/hooks/zoom", data=body, headers=zoom_headers(body))


def acme_item(identity: str, **changes: Any) -> dict[str, Any]:
    return {
        "id": identity,
        "type": "completed",
        "who": "ana",
        "course": "c1",
        "score": 5,
        "at": "2026-03-02T09:00:00Z",
        **changes,
    }


def acme_headers(body: bytes) -> dict[str, str]:
    signature = hmac.new(ACME_SECRET.encode(), body, hashlib.sha256).hexdigest()
    return {"Content-Type": "application/json", "X-Acme-Signature": signature}


async def post_acme(http: Http, *items: dict[str, Any]) -> Reply:
    body = json.dumps({"items": items}).encode()
    return await http.post("/hooks/acme", data=body, headers=acme_headers(body))


@pytest.fixture
def vendor_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOOM_SECRET_TOKEN", ZOOM_SECRET)
    monkeypatch.setenv("ACME_SECRET", ACME_SECRET)


@pytest.fixture
def mappings_folder(tmp_path: Path, vendor_secrets: None) -> Callable[..., Path]:
    """Writes mappings into a folder: Acme's as it stands here, changed by replacements, or other text."""
    folder = tmp_path / "mappings"
    folder.mkdir(exist_ok=True)

    def write(text: str = ACME, *, name: str = "acme.yaml", **replacements: str) -> Path:
        for old, new in replacements.items():
            assert old in text
            text = text.replace(old, new)
        (folder / name).write_text(text)
        return folder

    return write


async def states_of(store: Store) -> list[State]:
    """The states of all deliveries, the newest first."""
    return [one.state for one in await store.deliveries.list(DeliveryFilter(), limit=10_000)]


async def all_mapped(store: Store) -> None:
    """Wait until no delivery waits to be mapped."""

    async def none_waits() -> bool:
        return State.RECEIVED not in await states_of(store)

    await until(none_waits)
