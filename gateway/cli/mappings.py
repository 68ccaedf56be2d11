"""`xapi-gateway mappings`: check, test, run and explain vendor mappings without a server or a database."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from adapters import Lint, MappingError
from adapters.files import TEST_SUFFIX, load_file, mapping_paths, read_text, reader
from adapters.linting import lint as lint_text
from adapters.schema import schema as mapping_schema
from adapters.testing import CaseResult, run_tests, sample_payloads
from gateway.cli.mapping_events import explain, print_lints, run, shown_path, sign
from gateway.cli.output import as_json_option, print_json
from gateway.resources import mappings_dir

paths_argument = click.argument(
    "paths", nargs=-1, metavar="[PATH]...", type=click.Path(exists=True, path_type=Path)
)


@click.group()
def mappings() -> None:
    """Check, test, run and explain vendor mappings.

    PATH is a mapping file or a folder of them; the shipped mappings when not given. MAPPING is a mapping
    file or the name of a shipped one. Exit status: 0 fine, 1 something was found, 2 wrong usage.
    """


def _files(paths: Sequence[Path]) -> list[Path]:
    found = [
        file
        for path in (paths or [mappings_dir()])
        for file in (mapping_paths(path) if path.is_dir() else [path])
    ]
    if not found:
        raise click.UsageError("there is no mapping file (*.yaml) here")
    return found


def _tests_of(path: Path) -> tuple[str, str] | None:
    """The name and text of the test file beside a mapping."""
    beside = path.with_name(path.stem + TEST_SUFFIX)
    return (shown_path(beside), read_text(beside)) if beside.is_file() else None


@mappings.command()
@paths_argument
@click.option(
    "--level",
    type=click.Choice(["warning", "error"]),
    default="warning",
    show_default=True,
    help="The least serious findings that count.",
)
@as_json_option
def lint(paths: tuple[Path, ...], level: str, as_json: bool) -> None:
    """Say everything that is wrong or doubtful about mappings."""
    everything: list[dict[str, Any]] = []
    files = _files(paths)
    for path in files:
        text, found = _lint(path)
        counted = [one for one in found if level == "warning" or one.level == "error"]
        everything.extend({**one.as_json(), "path": shown_path(path)} for one in counted)
        if not as_json:
            print_lints(counted, {path.name: text}, path)
    if as_json:
        print_json(everything)
    elif not everything:
        click.echo(f"{len(files)} mapping{'s' if len(files) != 1 else ''}, nothing found")
    if everything:
        raise SystemExit(1)


def _lint(path: Path) -> tuple[str, list[Lint]]:
    try:
        text = read_text(path)
        tests = _tests_of(path)
    except MappingError as error:
        return "", list(error.lints)
    read = reader(path.parent)
    samples = sample_payloads(tests[1], tests[0], read) if tests is not None else []
    return text, lint_text(text, path.name, files=read, samples=samples)


@mappings.command("test")
@paths_argument
@click.option("--coverage", is_flag=True, help="Also name the rules that no case reaches.")
@as_json_option
def run_test_files(paths: tuple[Path, ...], coverage: bool, as_json: bool) -> None:
    """Run the cases of the test file beside each mapping."""
    report = [_test(path, coverage=coverage, quiet=as_json) for path in _files(paths)]
    failed = sum(not case["passed"] for one in report for case in one["cases"])
    broken = sum(bool(one["lints"]) for one in report)
    if as_json:
        print_json(report)
    else:
        total = sum(len(one["cases"]) for one in report)
        click.echo(f"{total} cases in {len(report)} mappings, {failed} failed")
    if failed or broken:
        raise SystemExit(1)


def _test(path: Path, *, coverage: bool, quiet: bool) -> dict[str, Any]:
    made: dict[str, Any] = {"path": shown_path(path), "cases": [], "lints": []}
    try:
        mapping = load_file(path)
        tests = _tests_of(path)
        results = run_tests(mapping, tests[1], tests[0], reader(path.parent)) if tests is not None else []
    except MappingError as error:
        if not quiet:
            print_lints(error.lints, {})
        return {**made, "lints": [one.as_json() for one in error.lints]}
    if tests is None and not quiet:
        click.echo(f"{shown_path(path)}: no test file {path.stem}{TEST_SUFFIX} beside it")
    made["cases"] = [_case_json(one) for one in results]
    if not quiet:
        _print_failures(results)
    if coverage:
        reached = {rule for one in results for rule in one.rules}
        made["unreached"] = [rule.name for rule in mapping.rules if rule.name not in reached]
        if not quiet:
            done = len(mapping.rules) - len(made["unreached"])
            click.echo(f"{shown_path(path)}: {done} of {len(mapping.rules)} rules reached")
            for name in made["unreached"]:
                click.echo(f"  not reached: {name}")
    return made


def _case_json(result: CaseResult) -> dict[str, Any]:
    return {
        "name": result.name,
        "file": result.file,
        "line": result.line,
        "passed": result.passed,
        "problems": list(result.problems),
    }


def _print_failures(results: Sequence[CaseResult]) -> None:
    for result in results:
        if not result.passed:
            click.echo(f"{result.file}:{result.line}  failed: {result.name}")
            for problem in result.problems:
                click.echo(f"  {problem}")


@mappings.command()
@as_json_option
def schema(as_json: bool) -> None:
    """Print the JSON Schema of mapping files, for editors."""
    print_json(mapping_schema())


for command in (run, explain, sign):
    mappings.add_command(command)
