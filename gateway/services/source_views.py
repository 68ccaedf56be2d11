"""How sources look as JSON, for the management API and for commands. Pure."""

from __future__ import annotations

from typing import Any

from gateway.services.source_fields import written
from gateway.services.sources import Standing
from gateway.services.texts import time_text
from gateway.store.observations import Observation
from gateway.xapi.contents import KINDS


def source_summary(standing: Standing) -> dict[str, Any]:
    """A source as lists show it: who answers for it, what nobody wrote down, how much nobody declared."""
    source = standing.source
    return {
        "source": source.id,
        "name": source.name,
        "kind": source.kind,
        "inUse": source.in_use,
        "problem": source.adapter.problem if source.adapter is not None else None,
        "owner": source.owner,
        "vendor": source.record.vendor,
        "purpose": source.purpose,
        "contractEnds": source.record.ends.isoformat() if source.record.ends else None,
        "gaps": ["dataClass" if gap == "data_class" else gap for gap in source.gaps],
        "undeclared": len(standing.pressing),
    }


def source_view(standing: Standing) -> dict[str, Any]:
    """All of a source: its `record` as it can be put, what the mapping says, and what was observed.

    `expected` is what it may send by kind, null where nothing was said that could be held against it.
    """
    source, undeclared = standing.source, {one.seen for one in standing.undeclared}
    expected = {kind: source.expected(kind) for kind in KINDS}
    return {
        **source_summary(standing),
        "record": written(source.record),
        "number": source.record.number,
        "updated": time_text(source.record.updated),
        "by": source.record.by,
        "expected": {kind: None if iris is None else sorted(iris) for kind, iris in expected.items()},
        "observed": [_observed(one, declared=one.seen not in undeclared) for one in standing.observed],
    }


def _observed(one: Observation, *, declared: bool) -> dict[str, Any]:
    return {
        "kind": one.seen.kind,
        "value": one.seen.value,
        "count": one.count,
        "first": time_text(one.first),
        "last": time_text(one.last),
        "example": str(one.example),
        "undeclared": not declared,
        "stopped": time_text(one.stopped),
        "by": one.by,
    }
