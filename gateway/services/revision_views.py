"""How revisions, processes and shadow reports look as JSON, for the API and for commands. Pure."""

from __future__ import annotations

import json
from typing import Any

from gateway.services.texts import time_text
from gateway.store.mapping_status import ProcessStatus
from gateway.store.revisions import Revision
from gateway.store.shadows import ShadowReport


def revision_view(revision: Revision) -> dict[str, Any]:
    """A revision without its texts."""
    return {
        "revision": revision.revision,
        "adapter": revision.adapter,
        "version": revision.version,
        "file": revision.file,
        "first": time_text(revision.first),
        "used": time_text(revision.used),
    }


def process_view(process: ProcessStatus) -> dict[str, Any]:
    """One process and what it runs."""
    return {
        "host": process.host,
        "pid": process.pid,
        "generation": process.generation,
        "seen": time_text(process.seen),
        "mappings": [dict(one) for one in process.adapters],
    }


def report_view(report: ShadowReport) -> dict[str, Any]:
    """What a shadow did differently; `samples` are the first statements that differ."""
    names = ("same", "different", "missing", "extra", "failed")
    return {
        "active": report.active,
        "shadow": report.shadow,
        "since": time_text(report.since),
        "last": time_text(report.last),
        "counts": {name: report.counts.get(name, 0) for name in names},
        "samples": [_sample(one) for one in report.samples],
    }


def _sample(sample: Any) -> dict[str, Any]:
    changes = [
        {"path": one["path"], "stored": json.loads(one["stored"]), "made": json.loads(one["made"])}
        for one in sample.get("differences", ())
    ]
    return {
        "delivery": sample["delivery"],
        "statement": sample.get("statement"),
        "kind": sample["kind"],
        "reason": sample.get("reason"),
        "differences": changes,
    }
