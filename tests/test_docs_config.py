"""The configuration page says what the program does."""

from __future__ import annotations

import re
from pathlib import Path

from gateway import yaml_source
from gateway.resources import config_file
from gateway.settings import docs, schema

PAGE = Path(__file__).parent.parent / "docs" / "config.md"


def test_the_page_is_what_the_generator_writes() -> None:
    stale = "run: python -m gateway.settings.docs > docs/config.md"
    assert PAGE.read_text(encoding="utf-8") == docs.render(), stale


def test_the_page_has_a_row_for_every_option() -> None:
    rows = re.findall(r"^\| `([a-z0-9_.]+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert rows == list(schema.options())


def test_the_examples_on_the_page_are_valid() -> None:
    examples = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(examples) == 1
    for example in examples:
        document = yaml_source.parse(example)
        assert document.problems == ()
        assert list(schema.findings(document.value)) == []


def test_every_section_and_option_has_one_comment_line_above_it() -> None:
    lines = config_file().read_text(encoding="utf-8").splitlines()
    document = yaml_source.parse("\n".join(lines))
    for path, mark in document.keys.items():
        comment, before = lines[mark.line - 2].strip(), lines[mark.line - 3].strip()
        assert comment.startswith("# "), path
        assert comment.endswith("."), path
        assert not before.startswith("#"), path
