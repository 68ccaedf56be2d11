"""Mapping files on disk: the one module of this package that reads anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from adapters.linting.findings import Lint, MappingError
from adapters.loading.instances import Instance
from adapters.loading.loader import load_mapping
from adapters.loading.sharing import SHIPPED_PREFIX
from adapters.loading.yaml_source import MAX_BYTES
from adapters.mapping import Mapping

TEST_SUFFIX = ".test.yaml"
_MOST_KEPT = 500


@dataclass(frozen=True, slots=True)
class _Compiled:
    """A mapping and everything that was read for it: as long as that is the same, so is the mapping."""

    text: str
    included: dict[str, str | None]
    mapping: Mapping

    def is_of(self, text: str, read: Callable[[str], str | None]) -> bool:
        return self.text == text and all(read(file) == was for file, was in self.included.items())


# Compiling takes some thirty milliseconds a file, reading next to nothing.
_compiled: dict[tuple[Path, str, Path | None, str], _Compiled] = {}


def reader(folder: Path, shipped: Path | None = None) -> Callable[[str], str | None]:
    """Give the text of files inside a folder by relative path; anything outside does not exist.

    `shipped:PATH` is a file of the `shipped` folder.
    """
    own, theirs = folder.resolve(), shipped.resolve() if shipped is not None else None

    def read(path: str) -> str | None:
        root = theirs if path.startswith(SHIPPED_PREFIX) else own
        if root is None:
            return None
        found = (root / path.removeprefix(SHIPPED_PREFIX)).resolve()
        if not found.is_relative_to(root) or not found.is_file() or found.stat().st_size > MAX_BYTES:
            return None
        try:
            return found.read_text("utf-8")
        except UnicodeDecodeError:
            return None

    return read


def mapping_paths(folder: Path) -> list[Path]:
    """The mapping files of a folder: `*.yaml`, but no test files and nothing that starts with `_`."""
    found = (path for pattern in ("*.yaml", "*.yml") for path in folder.glob(pattern))
    return sorted(
        path for path in found if not path.name.endswith(TEST_SUFFIX) and not path.name.startswith("_")
    )


def load_file(
    path: Path, *, root: Path | None = None, shipped: Path | None = None, instance: Instance | None = None
) -> Mapping:
    """Load one mapping; includes are looked up below `root`, which is the file's folder when not given.

    Those that start with `shipped:` are looked up below `shipped`.
    What was loaded before is compiled again only if one of its files holds something else now.
    """
    folder = (root if root is not None else path.parent).resolve()
    text, name, read = read_text(path), _shown(path, folder), reader(folder, shipped)
    key = (folder, name, shipped, instance.text() if instance is not None else "")
    known = _compiled.get(key)
    if known is not None and known.is_of(text, read):
        return known.mapping
    included: dict[str, str | None] = {}

    def noted(file: str) -> str | None:
        included[file] = found = read(file)
        return found

    mapping = load_mapping(text, name, files=noted, instance=instance)
    if len(_compiled) >= _MOST_KEPT:
        _compiled.clear()
    _compiled[key] = _Compiled(text, dict(included), mapping)  # explaining it may read its files again
    return mapping


def read_text(path: Path) -> str:
    """A mapping's text; raises `MappingError` for what is no text file."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise MappingError([_lint(path, "E006", "the file is larger than 1 MiB")])
        return path.read_text("utf-8")
    except UnicodeDecodeError:
        raise MappingError([_lint(path, "E001", "the file is not UTF-8 text")]) from None
    except OSError as error:
        raise MappingError([_lint(path, "E001", f"cannot be read: {error.strerror}")]) from None


def load_folder(path: Path) -> dict[str, Mapping]:
    """Load every mapping of a folder by adapter name; raises `MappingError` with all findings."""
    found: dict[str, Mapping] = {}
    lints: list[Lint] = []
    for file in mapping_paths(path):
        try:
            mapping = load_file(file)
        except MappingError as error:
            lints.extend(error.lints)
            continue
        if mapping.name in found:
            message = f"adapter {mapping.name!r} is already defined by {found[mapping.name].file}"
            lints.append(_lint(file, "E114", message))
        found[mapping.name] = mapping
    if lints:
        raise MappingError(lints)
    return found


def _shown(path: Path, folder: Path) -> str:
    resolved, root = path.resolve(), folder.resolve()
    return resolved.relative_to(root).as_posix() if resolved.is_relative_to(root) else path.name


def _lint(path: Path, code: str, message: str) -> Lint:
    return Lint(code=code, file=path.name, line=1, column=1, level="error", message=message)
