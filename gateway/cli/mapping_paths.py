"""The mapping files that a command works on, and the test files beside them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from adapters.loading.files import TEST_SUFFIX, mapping_paths, read_text
from gateway.cli.mapping_events import shown_path
from gateway.resources import mappings_dir

paths_argument = click.argument(
    "paths", nargs=-1, metavar="[PATH]...", type=click.Path(exists=True, path_type=Path)
)


def mapping_files(paths: Sequence[Path]) -> list[Path]:
    """Files as given, folders as the mappings in them; the shipped mappings for none."""
    found = [
        file
        for path in (paths or [mappings_dir()])
        for file in (mapping_paths(path) if path.is_dir() else [_mapping_of(path)])
    ]
    if not found:
        raise click.UsageError("there is no mapping file (*.yaml) here")
    return list(dict.fromkeys(found))


def _mapping_of(path: Path) -> Path:
    """A mapping, also when its test file was named."""
    if path.name.endswith(TEST_SUFFIX):
        mapping = path.with_name(path.name.removesuffix(TEST_SUFFIX) + ".yaml")
        return mapping if mapping.is_file() else path
    return path


def tests_of(path: Path) -> tuple[str, str] | None:
    """The name, as it is reached from here, and the text of the test file beside a mapping."""
    beside = path.with_name(path.stem + TEST_SUFFIX)
    return (shown_path(beside), read_text(beside)) if beside.is_file() else None
