"""`xapi-gateway mappings new`: a mapping to start from, guessed from samples of what a vendor sends."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click
import orjson

from adapters.drafting.drafting import Draft, draft
from adapters.drafting.facts import facts_of, items_of
from adapters.drafting.model import Sample
from adapters.drafting.words import kebab
from adapters.linting.findings import MappingError, suggest
from adapters.loading.files import TEST_SUFFIX, read_text
from adapters.receive.decode import Decoder, Undecodable
from adapters.receive.presets import presets
from gateway.cli.mapping_events import shown_path
from gateway.cli.output import as_json_option, print_json
from gateway.resources import mappings_dir

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_ADDRESS = re.compile(r"https?://[A-Za-z0-9.-]+(:\d+)?(/[\w.~/-]*[\w~-])?")
# What a vendor may send, for those who have no sample yet.
_EXAMPLE: dict[str, Any] = {
    "id": "evt-1",
    "type": "course.completed",
    "occurred_at": "2026-03-02T09:00:00Z",
    "user": {"id": "u-1", "email": "mira@example.edu"},
    "course": {"id": "c-1", "title": "Fire safety"},
    "result": {"score": 17, "max_score": 20, "passed": True},
}


@click.command("new")
@click.argument("name")
@click.argument("samples", nargs=-1, metavar="[SAMPLE.json]...", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--into",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help="The folder of your mappings; this one when not given.",
)
@click.option("--preset", help="How the vendor signs, where it is a known way: github, standard_webhooks …")
@click.option("--home-page", help="The vendor's address, below which activities are named.")
@as_json_option
def new(
    name: str,
    samples: tuple[Path, ...],
    folder: Path,
    preset: str | None,
    home_page: str | None,
    as_json: bool,
) -> None:
    """Write NAME.yaml, its test file and samples to start from. Nothing is overwritten.

    A SAMPLE is the body of one delivery as JSON, from the vendor's documentation or its log; each kind of
    event in them becomes a rule. Where kind, id, time, people, object and result are is guessed and said;
    what cannot be guessed is left for you, and `mappings lint` asks for it.
    """
    if not _NAME.fullmatch(name):
        raise click.UsageError(
            f"{name!r} is no name for a mapping: letters, digits, hyphens; it is part of a URL"
        )
    if preset is not None and preset not in presets():
        raise click.UsageError(f"there is no preset {preset!r}{suggest(preset, presets())}")
    if home_page is not None and not _ADDRESS.fullmatch(home_page):
        message = f"--home-page is an address such as https://www.example.com, got {home_page!r}"
        raise click.UsageError(message)
    given, copies = _samples(name, samples, folder)
    try:
        made = draft(name, given, preset, home_page)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    files = {folder / f"{name}.yaml": made.mapping, folder / f"{name}{TEST_SUFFIX}": made.tests, **copies}
    taken = [shown_path(path) for path in files if path.exists()]
    if taken:
        raise click.UsageError(f"{', '.join(taken)} exists already; nothing was written")
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    _tell(name, list(files), made, example=not samples, as_json=as_json)


def _samples(name: str, paths: tuple[Path, ...], folder: Path) -> tuple[list[Sample], dict[Path, str]]:
    """The samples as the test file names them, and those that have to be copied beside the mapping."""
    root = folder.resolve()
    read = [(path, _text(path)) for path in paths]
    if not read:
        read = [(Path("course-completed.json"), orjson.dumps(_EXAMPLE, option=orjson.OPT_INDENT_2).decode())]
    samples: list[Sample] = []
    copies: dict[Path, str] = {}
    for path, text in read:
        payload = _parsed(text, path)
        if paths and path.resolve().is_relative_to(root):
            file = path.resolve().relative_to(root).as_posix()
        else:
            file = f"samples/{name}/{_file_name(payload, path)}"
            copies[folder / file] = text if text.endswith("\n") else f"{text}\n"
        samples.append(Sample(file, payload))
    return samples, copies


def _file_name(payload: Any, path: Path) -> str:
    found, items = items_of(payload)
    kind = facts_of(items[0], "item" if found else "body").kind if items else ""
    return f"{kebab(kind) if kind and path.stem in ('sample', 'payload', 'body') else kebab(path.stem)}.json"


def _text(path: Path) -> str:
    try:
        return read_text(path)
    except MappingError as error:
        raise click.UsageError(f"{path}: {error.lints[0].message}") from None


def _parsed(text: str, path: Path) -> Any:
    try:
        return Decoder("json").decode(text.encode())
    except Undecodable as error:
        raise click.UsageError(f"{path} is not one JSON value: {error}") from None


def _tell(name: str, files: list[Path], made: Draft, *, example: bool, as_json: bool) -> None:
    if as_json:
        guesses = [{"what": what, "guess": guess} for what, guess in made.guesses]
        print_json(
            {"files": [shown_path(path) for path in files], "guesses": guesses, "open": list(made.open)}
        )
        return
    click.echo("wrote " + ", ".join(shown_path(path) for path in files))
    if example:
        click.echo(
            "no sample was given; this is about a payload as many send it: put the vendor's in its place"
        )
    click.echo("\nguessed; look at each of them:")
    width = max((len(what) for what, _ in made.guesses), default=0)
    for what, guess in made.guesses:
        click.echo(f"  {what:{width}}  {guess}")
    if made.open:
        click.echo("\nleft for you:")
        for line in made.open:
            click.echo(f"  {line}")
    if (mappings_dir() / f"{name}.yaml").is_file():
        click.echo(
            f"\na mapping {name!r} is shipped with the gateway; serve both, and this one takes its place"
        )
    click.echo(f"\nnext: xapi-gateway mappings lint {shown_path(files[0])}")
    click.echo(f"      xapi-gateway mappings test {shown_path(files[0])}")
