from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from adapters.linting.codes import CLASSES, CODES
from adapters.linting.findings import render
from adapters.linting.linting import lint
from adapters.loading.yaml_source import plain, read_yaml

HERE = Path(__file__).parent
TABLE = HERE / "lints.yaml"
CASES: list[dict[str, Any]] = plain(read_yaml(TABLE.read_text("utf-8"), TABLE.name))
SOURCES = [path for top in ("adapters", "gateway") for path in (HERE.parents[1] / top).rglob("*.py")]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["code"])
def test_a_finding_reads_as_the_table_says(case: dict[str, Any]) -> None:
    tests = ("sample.test.yaml", case["tests"]) if "tests" in case else None
    found = lint(case["mapping"], "sample.yaml", tests=tests)
    assert case["code"] in {one.code for one in found}
    assert "\n".join(render(one, case["mapping"]) for one in found) + "\n" == case["shown"]


def test_every_code_of_mapping_files_is_in_the_table() -> None:
    # E3 and W31 are compared in test_receive_settings.py; R and W4 are about payloads, W220 and N202 about
    # deliveries; E006 is below.
    elsewhere = re.compile(r"E3|W31|R|W4|E006|W131|W220|N202")
    assert {code for code in CODES if not elsewhere.match(code)} == {case["code"] for case in CASES}


def test_every_code_in_the_source_is_described_and_no_other() -> None:
    written = "".join(path.read_text("utf-8") for path in SOURCES if path.name != "lint_codes.py")
    assert set(re.findall(r'"([EWNR]\d{3})"', written)) == set(CODES)
    assert all(code[:2] in CLASSES for code in CODES)


def test_a_file_that_is_too_large_is_not_read() -> None:
    (found,) = lint("# " + "x" * 2**20, "sample.yaml")
    assert render(found) == "sample.yaml:1:1  error E006  the file is larger than 1 MiB"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
            f"{chr(98 + n)}: &{chr(98 + n)} [{','.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(9)
        ), "aliases expand to more than 100000 values"),
        ("a: " + "{a: " * 500 + "}" * 500, "nested deeper than 64 levels"),
        ("x: &x 1\ny: [" + "*x," * 1001 + "]", "more than 1000 aliases"),
        ("adapter: s\nrules:\n  - name: a\n    when: \"matches(body.a, '" + "(a+)+" * 100_000 + "')\"\n",
         "an expression of more than 2048 bytes"),
        ("adapter: s\nrules:\n  - name: a\n    when: \"matches(body.a, '" + "(a{1000}){1000}" + "')\"\n",
         "not a regular expression"),
        ("adapter: s\nlet: {" + ",".join(f"v{n}: ${{'x'}}" for n in range(3)) + "}\n", "quote expressions"),
    ],
)  # fmt: skip
def test_a_hostile_file_is_refused_with_a_reason(text: str, reason: str) -> None:
    assert any(reason in one.message for one in lint(text, "sample.yaml"))
