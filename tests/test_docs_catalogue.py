"""The catalogue of mappings says what the mappings' headers say, and what they make is valid xAPI."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adapters import Adapted, Event, Lookups
from adapters.catalogue import HeaderError, catalogue, entry
from adapters.loading.files import load_file, mapping_paths, reader
from adapters.loading.model import Block
from adapters.loading.yaml_source import ListNode, plain, read_yaml
from adapters.outcomes import Pairs
from adapters.testing.payloads import payload_of
from gateway.xapi.validation import check
from gateway.xapi.versions import Version
from tests.adapters.support import NOW

ROOT = Path(__file__).parents[1]
MAPPINGS = mapping_paths(ROOT / "mappings")
LOOKUPS = Lookups(pseudonym_key=b"key of the catalogue")
HEADER = """\
# Acme: who did
#   what.
#
# Events: one, two
#   and three
# Verification: none | a token
# Verified against: the sample (2026-11)
# Not verified: nothing
#
# Prose: with a colon.
adapter: acme
"""


def cases(tests: Path) -> list[tuple[Any, Pairs]]:
    """The payload and headers of every case of a test file."""
    root = read_yaml(tests.read_text("utf-8"), tests.name)
    assert isinstance(root, ListNode)
    found: list[tuple[Any, Pairs]] = []
    for case in map(Block, root.items):
        headers = case.get("headers")
        sent = plain(headers) if headers is not None else {}
        found.append((payload_of(case, reader(tests.parent)), tuple(sent.items())))
    return found


def test_the_page_is_what_the_headers_say() -> None:
    page = (ROOT / "docs" / "mappings" / "catalogue.md").read_text("utf-8")
    hint = "run: python -m adapters.catalogue mappings > docs/mappings/catalogue.md"
    assert page == catalogue(ROOT / "mappings"), hint


@pytest.mark.parametrize("path", MAPPINGS, ids=lambda path: path.stem)
def test_every_header_says_when_the_vendor_was_last_looked_up(path: Path) -> None:
    assert "2026-" in entry(path.stem, path.read_text("utf-8")).fields[2]


@pytest.mark.parametrize("path", MAPPINGS, ids=lambda path: path.stem)
def test_every_statement_of_every_sample_is_valid_in_both_versions(path: Path) -> None:
    mapping = load_file(path)
    tests = path.with_name(f"{path.stem}.test.yaml")
    made: list[dict[str, Any]] = []
    for payload, headers in cases(tests):
        for event in mapping.events(payload, headers, (), NOW):
            outcome = mapping.adapt(event, LOOKUPS) if isinstance(event, Event) else None
            made.extend(outcome.statements if isinstance(outcome, Adapted) else ())
    assert made
    problems = [(one, found) for one in made for version in Version if (found := check(one, version))]
    assert problems == []


def test_a_header_is_read_field_by_field() -> None:
    found = entry("acme", HEADER)
    assert (found.vendor, found.purpose) == ("Acme", "who did what.")
    assert found.fields == ("one, two and three", "none | a token", "the sample (2026-11)", "nothing")


@pytest.mark.parametrize(
    ("line", "instead", "message"),
    [
        ("# Not verified: nothing\n", "", "wants the fields Events, Verification"),
        ("# Acme: who did\n#   what.\n", "# Acme\n", "the first line is"),
        ("#\n# Events", "#\n# Once upon a time\n# Events", "'Once upon a time' stands before the fields"),
    ],
)
def test_a_header_of_another_shape_is_refused(line: str, instead: str, message: str) -> None:
    with pytest.raises(HeaderError, match=message):
        entry("acme", HEADER.replace(line, instead, 1))
