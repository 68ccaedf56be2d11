"""Findings as SARIF 2.1.0, the format that code hosts show beside the lines of a change. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adapters.linting.codes import CODES
from adapters.linting.findings import Lint

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def sarif(found: Sequence[tuple[str, Lint]]) -> dict[str, Any]:
    """One run with every finding; each comes with the path of its file, relative to where it is shown."""
    codes = sorted({one.code for _, one in found})
    return {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "xapi-gateway mappings lint",
                        "rules": [_rule(code) for code in codes],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "results": [_result(path, one, codes.index(one.code)) for path, one in found],
            }
        ],
    }


def _rule(code: str) -> dict[str, Any]:
    known = CODES.get(code)
    return {"id": code, "shortDescription": {"text": known.title if known is not None else code}}


def _result(path: str, one: Lint, index: int) -> dict[str, Any]:
    return {
        "ruleId": one.code,
        "ruleIndex": index,
        "level": one.level,
        "message": {"text": one.message + (f" ({one.help})" if one.help else "")},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": path.replace("\\", "/")},
                    "region": {
                        "startLine": one.line,
                        "startColumn": one.column,
                        "endColumn": one.column + max(one.length, 1),
                    },
                }
            }
        ],
    }
