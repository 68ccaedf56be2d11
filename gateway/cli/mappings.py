"""`xapi-gateway mappings`: check, test, run and explain vendor mappings without a server or a database."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import click

from adapters import Lint, MappingError, render
from adapters.linting.linting import lint as lint_text
from adapters.linting.sarif import sarif
from adapters.loading.files import read_text, reader
from adapters.loading.schema import schema as mapping_schema
from adapters.loading.schema import schema_of_tests
from adapters.loading.sharing import SHIPPED_PREFIX
from gateway.cli.config import Sources, settings_options
from gateway.cli.mapping_events import explain, run, shown_path, sign
from gateway.cli.mapping_new import new
from gateway.cli.mapping_paths import mapping_files, paths_argument, tests_of
from gateway.cli.mapping_status import reload, revisions, shadow, status
from gateway.cli.mapping_tests import run_test_files
from gateway.cli.mapping_unmatched import unmatched_findings
from gateway.cli.mapping_words import words
from gateway.cli.moments import Moment
from gateway.cli.output import as_json_option, print_json
from gateway.cli.stores import store_option
from gateway.resources import mappings_dir

_LEVELS = ["note", "warning", "error"]


@click.group()
def mappings() -> None:
    """Check, test, run and explain vendor mappings.

    PATH is a mapping file or a folder of them; the shipped mappings when not given. MAPPING is a mapping
    file or the name of a shipped one. Exit status: 0 fine, 1 something was found, 2 wrong usage.
    """


@mappings.command()
@paths_argument
@click.option(
    "--level",
    type=click.Choice(_LEVELS),
    default="warning",
    show_default=True,
    help="The least serious findings that count.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "sarif"]),
    default="text",
    show_default=True,
    help="sarif is what code hosts show beside changed lines.",
)
@click.option(
    "--deliveries",
    is_flag=True,
    help="Also tell which types of events in recent deliveries no rule was for; needs the database.",
)
@click.option(
    "--since",
    type=Moment(),
    default="7d",
    show_default=True,
    help="With --deliveries: those received from then on, a time or an age.",
)
@store_option
@settings_options("data.dir", "mongo.uri")
@as_json_option
def lint(
    sources: Sources,
    paths: tuple[Path, ...],
    level: str,
    form: str,
    deliveries: bool,
    since: dt.datetime,
    store: str | None,
    as_json: bool,
) -> None:
    """Say everything that is wrong or doubtful about mappings.

    The test file beside a mapping is used too: paths that no sample has, rules that no case reaches.
    A comment `# lint: allow CODE` on a line, or alone above it, admits a warning.
    """
    files = mapping_files(paths)
    of_deliveries: dict[Path, list[Lint]] = {}
    if deliveries:
        of_deliveries = unmatched_findings(sources.require(), store, files, since)
    least = _LEVELS.index(level)
    counted: list[tuple[str, Lint, str | None]] = []
    for path in files:
        counted.extend(
            (_file_of(path, found), found, _text_of(path, found))
            for found in [*_lint(path), *of_deliveries.get(path, ())]
            if _LEVELS.index(found.level) >= least
        )
    if form == "sarif":
        print_json(sarif([(file, found) for file, found, _ in counted]))
    elif as_json or form == "json":
        print_json([{**found.as_json(), "path": file} for file, found, _ in counted])
    elif not counted:
        click.echo(f"{len(files)} mapping{'s' if len(files) != 1 else ''}, nothing found")
    else:
        for file, found, text in counted:
            click.echo(render(found, text).replace(found.file, file, 1))
    if counted:
        raise SystemExit(1)


def _lint(path: Path) -> list[Lint]:
    try:
        files = reader(path.parent, mappings_dir())
        return lint_text(read_text(path), path.name, files=files, tests=tests_of(path))
    except MappingError as error:
        return list(error.lints)


def _beside(path: Path, found: Lint) -> Path | None:
    """The file a finding is about: the mapping, an include below its folder, or its test file."""
    tests = tests_of(path)
    if tests is not None and found.file == tests[0]:
        return None
    if found.file.startswith(SHIPPED_PREFIX):
        return mappings_dir() / found.file.removeprefix(SHIPPED_PREFIX)
    return path.parent / found.file


def _file_of(path: Path, found: Lint) -> str:
    beside = _beside(path, found)
    return shown_path(beside) if beside is not None else found.file


def _text_of(path: Path, found: Lint) -> str | None:
    beside = _beside(path, found) or Path(found.file)
    try:
        return read_text(beside)
    except MappingError:
        return None


@mappings.command()
@click.option("--tests", is_flag=True, help="The schema of test files instead.")
@as_json_option
def schema(tests: bool, as_json: bool) -> None:
    """Print the JSON Schema of mapping files, for editors."""
    print_json(schema_of_tests() if tests else mapping_schema())


for command in (new, words, run_test_files, run, explain, sign, status, reload, revisions, shadow):
    mappings.add_command(command)
