from __future__ import annotations

from pathlib import Path

from adapters.lint_codes import page

DOCS = Path(__file__).parent.parent / "docs" / "mappings"


def test_the_page_of_findings_is_made_from_the_code() -> None:
    assert (DOCS / "lints.md").read_text("utf-8") == page()
