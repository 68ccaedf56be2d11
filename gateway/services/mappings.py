"""The mappings of a running gateway: what is loaded, what is not ready, and why.

One bad file stops its own adapter and nothing else. `load` may be called again at any time: a file that has
become unusable leaves the mapping that was loaded before in place.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import structlog

from adapters import Mapping, MappingError
from adapters.files import load_file, mapping_paths
from gateway import resources
from gateway.settings import Settings

log = structlog.get_logger(__name__)

Secrets = Callable[[str], str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """One adapter. `mapping` is None if its file cannot be used; with a `problem` it receives nothing."""

    name: str
    file: Path
    mapping: Mapping | None
    problem: str | None
    secrets: Secrets


def secret_of_environment(name: str) -> str | None:
    """The secret of that name: the variable `NAME`, else the content of the file that `NAME_FILE` names."""
    if given := os.environ.get(name):
        return given
    if path := os.environ.get(f"{name}_FILE"):
        try:
            return Path(path).read_text("utf-8").rstrip("\r\n") or None
        except (OSError, ValueError) as error:
            log.warning("secret file unreadable", secret=name, file=path, error=str(error))
    return None


class Mappings:
    """Adapters by name, read from a folder. Reading one is a dictionary look-up; only `load` reads files."""

    def __init__(self, folder: Path, secrets: Secrets = secret_of_environment) -> None:
        self.folder = folder
        self._secrets = secrets
        self._adapters: dict[str, Adapter] = {}

    @classmethod
    def of(cls, settings: Settings) -> Mappings:
        """The adapters of the configured folder, or the shipped ones; loaded."""
        mappings = cls(settings.hooks.mappings or resources.mappings_dir())
        mappings.load()
        return mappings

    @property
    def adapters(self) -> tuple[Adapter, ...]:
        """All of them by name, those that are not ready too."""
        return tuple(self._adapters[name] for name in sorted(self._adapters))

    def get(self, name: str) -> Adapter | None:
        return self._adapters.get(name)

    def key_urls(self) -> set[str]:
        """The key sets that ready adapters verify with."""
        ready = (one for one in self._adapters.values() if one.problem is None)
        receivers = (one.mapping.receiver for one in ready if one.mapping is not None)
        return {url for receiver in receivers if receiver is not None for url in receiver.key_urls}

    def load(self) -> None:
        """Read folder and secrets, then replace all adapters at once. Never raises for what a file holds."""
        loaded: dict[str, Adapter] = {}
        for path in mapping_paths(self.folder):
            adapter = self._load(path)
            if adapter.name in loaded:
                log.error("adapter defined twice", adapter=adapter.name, used=str(loaded[adapter.name].file))
            else:
                loaded[adapter.name] = adapter
        self._adapters = loaded

    def report(self) -> None:
        """Log what is ready and what is not; those that nobody gave any secret share one line."""
        if not self.folder.is_dir():
            log.warning("no mappings folder", folder=str(self.folder))
        unused = [adapter.name for adapter in self.adapters if _nobody_set_up(adapter)]
        if unused:
            hint = "GET /api/v1/mappings says which secrets each of them needs"
            log.info("adapters not set up", adapters=", ".join(unused), hint=hint)
        for adapter in self.adapters:
            if adapter.name in unused:
                continue
            if adapter.problem is not None:
                log.error("adapter not ready", adapter=adapter.name, problem=adapter.problem)
            elif adapter.mapping is not None:
                log.info("adapter ready", adapter=adapter.name, revision=adapter.mapping.revision[:12])

    def _load(self, path: Path) -> Adapter:
        try:
            mapping = load_file(path)
        except MappingError as error:
            return self._unusable(path, error)
        values = {name: self._secrets(name) for name in mapping.secrets}
        missing = mapping.missing_secrets(values.get)
        problem = None
        if missing:
            names = ", ".join(missing)
            problem = f"set {names} in the environment, or name a file by {missing[0]}_FILE, and start again"
        return Adapter(name=mapping.name, file=path, mapping=mapping, problem=problem, secrets=values.get)

    def _unusable(self, path: Path, error: MappingError) -> Adapter:
        """The adapter as it was loaded before; else one that only tells why it is not there."""
        before = next((one for one in self._adapters.values() if one.file == path), None)
        if before is not None and before.mapping is not None:
            log.error("mapping unusable, the one before stays", adapter=before.name, problem=str(error))
            return before
        first, *others = error.lints
        more = f" (and {len(others)} more; run `xapi-gateway mappings lint`)" if others else ""
        return Adapter(
            name=path.stem, file=path, mapping=None, problem=f"{first}{more}", secrets=lambda _: None
        )


def _nobody_set_up(adapter: Adapter) -> bool:
    """Whether an adapter lacks all of its secrets: shipped, but not used here."""
    if adapter.mapping is None or adapter.problem is None:
        return False
    return not any(adapter.secrets(name) for name in adapter.mapping.secrets)
