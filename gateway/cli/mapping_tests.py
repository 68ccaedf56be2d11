"""`xapi-gateway mappings test`: the cases beside mappings, what they reach, expectations written anew."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from adapters import Mapping, MappingError
from adapters.loading.files import TEST_SUFFIX, load_file, read_text, reader
from adapters.testing.coverage import Coverage, Observed
from adapters.testing.coverage import coverage as measure
from adapters.testing.expectations import updated
from adapters.testing.running import CaseResult, run_tests
from gateway.cli.mapping_events import print_lints, shown_path
from gateway.cli.mapping_paths import mapping_files, paths_argument, tests_of
from gateway.cli.output import as_json_option, print_json
from gateway.resources import mappings_dir


@click.command("test")
@paths_argument
@click.option(
    "--coverage",
    is_flag=True,
    help="Also tell what no case reaches (rules, branches, table keys) and what of payloads nobody reads.",
)
@click.option(
    "--update", is_flag=True, help="Write what comes out into the cases that fail or expect nothing yet."
)
@as_json_option
def run_test_files(paths: tuple[Path, ...], coverage: bool, update: bool, as_json: bool) -> None:
    """Run the cases of the test file beside each mapping.

    Read what --update wrote before you trust it: it makes the cases agree with the mapping, right or wrong.
    """
    report = [_test(path, coverage=coverage, update=update, quiet=as_json) for path in mapping_files(paths)]
    failed = sum(not case["passed"] for one in report for case in one["cases"])
    broken = sum(bool(one["lints"]) for one in report)
    if as_json:
        print_json(report)
    else:
        total = sum(len(one["cases"]) for one in report)
        cases, files = _counted(total, "case"), _counted(len(report), "mapping")
        click.echo(f"{cases} in {files}, {failed} failed" + (f", {broken} not loaded" if broken else ""))
    if failed or broken:
        raise SystemExit(1)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' if count != 1 else ''}"


def _test(path: Path, *, coverage: bool, update: bool, quiet: bool) -> dict[str, Any]:
    made: dict[str, Any] = {"path": shown_path(path), "cases": [], "lints": []}
    texts: dict[str, str] = {}
    observed = Observed(paths=True) if coverage else None
    try:
        texts[path.name] = read_text(path)
        mapping = load_file(path, shipped=mappings_dir())
        tests = tests_of(path)
        if tests is not None:
            texts[tests[0]] = tests[1]
        results = _run(mapping, path, tests, observed)
        if tests is not None and update:
            made["updated"] = _update(path, tests[1], results)
            tests = tests_of(path)
            results = _run(mapping, path, tests, observed)
    except MappingError as error:
        if not quiet:
            print_lints(error.lints, texts, path)
        return {**made, "lints": [one.as_json() for one in error.lints]}
    if tests is None and not quiet:
        beside = f"{path.stem}{TEST_SUFFIX}"
        click.echo(f"{shown_path(path)}: no test file beside it; write {beside}, a list of cases such as")
        click.echo("  - name: what happens\n    payload: samples/it.json\n    expect: { rule: its-rule }")
    made["cases"] = [_case_json(one) for one in results]
    if not quiet:
        for name in made.get("updated", ()):
            click.echo(f"{shown_path(path.with_name(path.stem + TEST_SUFFIX))}: updated: {name}")
        _print_failures(results)
    if observed is not None:
        found = measure(mapping, observed)
        made["unreached"] = list(found.unreached_rules)
        made["coverage"] = found.as_json()
        if not quiet:
            _print_coverage(path, found)
    return made


def _run(
    mapping: Mapping, path: Path, tests: tuple[str, str] | None, observed: Observed | None
) -> list[CaseResult]:
    if tests is None:
        return []
    return run_tests(mapping, tests[1], tests[0], reader(path.parent), observed=observed)


def _update(path: Path, text: str, results: Sequence[CaseResult]) -> list[str]:
    written, changed = updated(text, results)
    if changed:
        path.with_name(path.stem + TEST_SUFFIX).write_text(written, "utf-8")
    return changed


def _print_coverage(path: Path, found: Coverage) -> None:
    counts = (
        (found.rules, len(found.unreached_rules), "rules"),
        (found.branches, len(found.unreached_branches), "branches"),
        (found.keys, len(found.unused_keys), "table keys"),
    )
    shown = [f"{total - missed} of {total} {name}" for total, missed, name in counts if total]
    click.echo(f"{shown_path(path)}: {', '.join(shown)} reached")
    for name in found.unreached_rules:
        click.echo(f"  not reached: rule {name}")
    for branch in found.unreached_branches:
        place = branch.place
        file = shown_path(path.parent / place.source.name)
        click.echo(f"  not reached: {branch.what} at {file}:{place.line}:{place.column}")
    for table, key in found.unused_keys:
        click.echo(f"  not looked up: {key!r} in table {table}")
    if found.unread:
        click.echo("  not read: " + ", ".join(found.unread))


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
