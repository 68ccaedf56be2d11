from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from adapters import load_mapping, reference
from adapters.functions.examples import EXAMPLES
from adapters.functions.registry import FUNCTIONS
from adapters.linting.codes import page
from adapters.linting.linting import lint
from adapters.loading.files import reader
from adapters.testing.running import run_tests
from adapters.vocabulary import docs as vocabulary_docs
from gateway.cli import main as cli

DOCS = Path(__file__).parent.parent / "docs" / "mappings"
TUTORIAL = (DOCS / "tutorial.md").read_text("utf-8")
COOKBOOK = (DOCS / "cookbook.md").read_text("utf-8")
RECIPES = re.findall(
    r"^## ([^\n]+)\n.*?^```yaml\n(.*?)^```\n\n```yaml\n(.*?)^```", COOKBOOK, re.DOTALL | re.MULTILINE
)


def test_the_page_of_findings_is_made_from_the_code() -> None:
    assert (DOCS / "lints.md").read_text("utf-8") == page()


def test_the_reference_is_made_from_the_code() -> None:
    assert (DOCS / "reference.md").read_text("utf-8") == reference.page()


def test_the_vocabulary_is_made_from_the_data() -> None:
    assert (DOCS / "vocabulary.md").read_text("utf-8") == vocabulary_docs.page()


def test_the_example_of_the_vocabulary_is_clean() -> None:
    (written,) = re.findall(r"^```yaml\n(.*?)^```", vocabulary_docs.page(), re.DOTALL | re.MULTILINE)
    actor = "  actor: { account: { homePage: https://id.example.edu, name: mira } }\n"
    rule = "".join(f"    {line}\n" for line in (written + actor).splitlines())
    text = f"adapter: quizly\nsource: {{ language: en }}\nrules:\n  - name: only\n{rule}"
    assert [str(one) for one in lint(text, "quizly.yaml")] == []


def test_every_function_has_an_example_unless_a_key_decides_its_result() -> None:
    keyed = {"hmac_pseudonym", "hmac_sha256_base64", "hmac_sha256_hex", "secret"}
    usable = {name for name, one in FUNCTIONS.items() if one.where != "receive"}
    assert usable - keyed == set(EXAMPLES) - keyed
    for name, written in EXAMPLES.items():
        reference.evaluate(written)
        assert f"{name}(" in written


@pytest.mark.parametrize("recipe", RECIPES, ids=[title for title, _, _ in RECIPES])
def test_a_recipe_is_clean_and_does_what_its_cases_say(recipe: tuple[str, str, str]) -> None:
    _, text, tests = recipe
    assert [str(one) for one in lint(text, "recipe.yaml", tests=("recipe.test.yaml", tests))] == []
    results = run_tests(load_mapping(text, "recipe.yaml"), tests, "recipe.test.yaml", reader(DOCS))
    assert [(one.name, one.problems) for one in results if one.problems] == []


def test_every_block_of_the_cookbook_belongs_to_a_recipe() -> None:
    assert len(re.findall(r"^```yaml\n", COOKBOOK, re.MULTILINE)) == 2 * len(RECIPES) > 0


def test_the_tutorial_can_be_followed_word_by_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    steps = re.findall(r"^```(\S+)(?: ([^\n]+))?\n(.*?)^```", TUTORIAL, re.DOTALL | re.MULTILINE)
    commands = 0
    for kind, info, text in steps:
        *how, name = info.split() or [""]
        path = tmp_path / name
        if kind == "console":
            commands += follow(text, tmp_path)
        elif how == ["add"]:
            path.write_text(path.read_text() + text)
        elif how:
            before = how[0].partition(":")[2]
            path.write_text(path.read_text().replace(f"{before}\n", f"{text}{before}\n", 1))
        elif name:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
    assert commands == 12
    assert "serve --mappings" in TUTORIAL


def follow(text: str, folder: Path) -> int:
    """Run the commands of a block; what they print is what stands below them, `…` stands for more lines."""
    parts = re.findall(r"^\$ ([^\n]+)\n((?:(?!\$ )[^\n]*\n)*)", text, re.MULTILINE)
    for command, expected in parts:
        program, *arguments = shlex.split(command)
        if program == "xapi-gateway":
            printed = CliRunner().invoke(cli, arguments).output
        else:
            printed = subprocess.run(
                [program, *arguments], cwd=folder, check=True, stdout=-1, text=True
            ).stdout
        pattern = ".*".join(re.escape(piece) for piece in expected.split("…\n"))
        assert re.fullmatch(pattern, printed, re.DOTALL), f"{command}\n{printed}"
    return len(parts)
