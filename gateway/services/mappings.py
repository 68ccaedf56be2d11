"""The mappings of a running gateway: what is loaded, what is not ready, and why.

One bad file stops its own adapter and nothing else. `load` may be called again at any time: what has become
unusable, or fails its own tests, leaves the mapping that was loaded before in place, and says so.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

import structlog

from adapters import Mapping as AdapterMapping
from adapters import MappingError
from adapters.loading.files import TEST_SUFFIX, load_file, mapping_paths, read_text, reader
from adapters.loading.instances import Instance
from adapters.testing.running import run_tests
from gateway import resources
from gateway.services.grants import Secrets
from gateway.services.metrics import MAPPING_RELOADS
from gateway.services.vendors import Connection, Vendors
from gateway.settings import Settings
from gateway.settings.model import AdapterSettings, ConnectionSettings

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """One adapter. `mapping` is None if its file cannot be used; with a `problem` it receives nothing.

    `kept` says why the file as it is now is not used, where an older mapping goes on instead.
    """

    name: str
    file: Path
    mapping: AdapterMapping | None
    problem: str | None
    secrets: Secrets
    kept: str | None = None


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loaded:
    """All adapters at once: replacing this is how they change."""

    adapters: Mapping[str, Adapter] = field(default_factory=dict)
    shadows: Mapping[str, AdapterMapping] = field(default_factory=dict)


Seen: TypeAlias = frozenset[tuple[str, int, int]]
"""What folders look like: each file with its time of change (ns) and its size."""


class Mappings:
    """Adapters by name, read when the first is wanted; where two folders have one, that of the later counts.

    After that, reading one is a dictionary look-up; only `load` reads files. It may run in a thread.
    """

    def __init__(
        self,
        folders: Path | Sequence[Path],
        secrets: Secrets = secret_of_environment,
        instances: Mapping[str, AdapterSettings] | None = None,
        connections: Mapping[str, ConnectionSettings] | None = None,
    ) -> None:
        self.folders = (folders,) if isinstance(folders, Path) else tuple(folders)
        self._secrets = secrets
        self._vendors = Vendors(connections or {}, secrets)
        self._instances = instances or {}
        self._loaded: _Loaded | None = None
        self._read: Seen = frozenset()
        self._loading = threading.RLock()

    @classmethod
    def of(cls, settings: Settings) -> Mappings:
        """The adapters of the configured folders, or the shipped ones."""
        shipped = resources.mappings_dir()
        folders = [shipped if folder is None else folder for folder in settings.hooks.folders]
        return cls(folders, instances=settings.hooks.instances, connections=settings.hooks.vendors)

    @property
    def _now(self) -> _Loaded:
        """What is loaded; the first who asks loads it. Most commands never do."""
        if self._loaded is None:
            with self._loading:
                if self._loaded is None:
                    self.load()
        assert self._loaded is not None
        return self._loaded

    @property
    def adapters(self) -> tuple[Adapter, ...]:
        """All of them by name, those that are not ready too."""
        loaded = self._now.adapters
        return tuple(loaded[name] for name in sorted(loaded))

    def get(self, name: str) -> Adapter | None:
        return self._now.adapters.get(name)

    def key_urls(self) -> set[str]:
        """The key sets that ready adapters verify with."""
        ready = (one for one in self.adapters if one.problem is None)
        receivers = (one.mapping.receiver for one in ready if one.mapping is not None)
        return {url for receiver in receivers if receiver is not None for url in receiver.key_urls}

    def connection(self, adapter: str, name: str) -> Connection | None:
        """The connection that an adapter's mapping calls by this name."""
        if adapter in self._instances:
            name = self._instances[adapter].connections.get(name, name)
        return self._vendors.get(name)

    def shadow(self, name: str) -> AdapterMapping | None:
        """The mapping that runs beside an adapter's own, if there is one."""
        return self._now.shadows.get(name)

    @property
    def read(self) -> Seen:
        """What the folders looked like before they were read last."""
        assert self._now is not None, "asking reads them"
        return self._read

    def seen(self) -> Seen:
        """What the folders look like: it changes when a file does."""
        found: set[tuple[str, int, int]] = set()
        pending = [str(folder) for folder in self.folders]
        for shared in resources.mappings_dir().glob("_*"):  # what mappings of any folder may include
            with contextlib.suppress(OSError):
                known = shared.stat()
                found.add((str(shared), known.st_mtime_ns, known.st_size))
        while pending:
            # A file or folder may go while it is looked at: then the next look tells.
            with contextlib.suppress(OSError), os.scandir(pending.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
                    elif entry.is_file():
                        known = entry.stat()
                        found.add((entry.path, known.st_mtime_ns, known.st_size))
        return frozenset(found)

    def load(self, *, tested: bool = False) -> None:
        """Read folders and secrets, then replace all adapters at once. Never raises for what a file holds.

        With `tested`, a mapping that is not the one in use has to pass its own tests first.
        """
        with self._loading:
            self._read = self.seen()
            self._load_all(tested=tested)

    def _load_all(self, *, tested: bool) -> None:
        adapters: dict[str, Adapter] = {}
        shadows: dict[str, AdapterMapping] = {}
        used = {one.mapping for one in self._instances.values()}
        for folder in self.folders:
            found: dict[str, Adapter] = {}
            for path in mapping_paths(folder):
                adapter = self._load(path, None, tested=tested)
                if adapter.mapping is not None and adapter.mapping.shadow:
                    shadows[adapter.name] = adapter.mapping
                elif adapter.name in found:
                    first = str(found[adapter.name].file)
                    log.error("adapter defined twice", adapter=adapter.name, used=first)
                else:
                    found[adapter.name] = adapter
            adapters |= found
        files = {one.name: one.file for one in adapters.values()}
        for name, chosen in self._instances.items():
            if (file := files.get(chosen.mapping)) is not None and name not in files:
                adapters[name] = self._load(file, Instance(adapter=name, source=chosen.source), tested=tested)
            else:
                reason = "that name is taken" if name in files else f"there is no mapping {chosen.mapping!r}"
                log.error("adapter of the settings unusable", adapter=name, reason=reason)
        for name in used & set(adapters):
            # The mapping itself only receives if somebody gave it its secrets.
            if name not in self._instances and adapters[name].problem is not None:
                adapters[name] = replace(
                    adapters[name], problem=f"used by adapters of the settings; {adapters[name].problem}"
                )
        self._loaded = _Loaded(adapters=adapters, shadows=shadows)

    def restore(self, name: str, mapping: AdapterMapping) -> None:
        """Use an older revision for an adapter whose file cannot be used since the gateway started."""
        before = self._now.adapters[name]
        adapter = self._adapter(mapping, before.file)
        restored = replace(adapter, kept=before.problem)
        rest = {key: one for key, one in self._now.adapters.items() if key != name}
        self._loaded = replace(self._now, adapters=rest | {mapping.name: restored})
        log.error("mapping unusable, its last revision is used", adapter=mapping.name, problem=before.problem)

    def report(self) -> None:
        """Log what is ready and what is not; those that nobody gave any secret share one line."""
        for folder in self.folders:
            if not folder.is_dir():
                log.warning("no mappings folder", folder=str(folder))
        unused = [adapter.name for adapter in self.adapters if nobody_set_up(adapter)]
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

    def _load(self, path: Path, instance: Instance | None, *, tested: bool) -> Adapter:
        before = self._before(path, instance)
        try:
            mapping = load_file(path, shipped=resources.mappings_dir(), instance=instance)
        except MappingError as error:
            first, *others = error.lints
            more = f" (and {len(others)} more; run `xapi-gateway mappings lint`)" if others else ""
            return self._unusable(path, instance, before, f"{first}{more}")
        if before is not None and before.mapping is not None and before.mapping.revision != mapping.revision:
            failures = _failures(path, mapping) if tested and instance is None else []
            if failures:
                return self._unusable(path, instance, before, _summary(failures))
            MAPPING_RELOADS.labels(mapping.name, "swapped").inc()
            log.info("mapping swapped", adapter=mapping.name, revision=mapping.revision[:12])
        return self._adapter(mapping, path)

    def _before(self, path: Path, instance: Instance | None) -> Adapter | None:
        """The adapter as it was loaded before."""
        loaded = self._loaded.adapters if self._loaded is not None else {}
        if instance is not None:
            return loaded.get(instance.adapter)
        return next(
            (one for one in loaded.values() if one.file == path and one.name not in self._instances), None
        )

    def _adapter(self, mapping: AdapterMapping, path: Path) -> Adapter:
        names = self._instances[mapping.name].secrets if mapping.name in self._instances else {}
        wanted = {name: names.get(name, name) for name in mapping.secrets}
        values = {name: self._secrets(other) for name, other in wanted.items()}
        missing = [wanted[name] for name in mapping.missing_secrets(values.get)]
        problem = None
        connection, unknown = self._connected(mapping)
        missing += connection.missing if connection is not None else ()
        if missing and not mapping.shadow:
            shown = ", ".join(missing)
            problem = f"set {shown} in the environment, or name a file by {missing[0]}_FILE, and start again"
        elif unknown and not mapping.shadow:
            problem = unknown
        return Adapter(name=mapping.name, file=path, mapping=mapping, problem=problem, secrets=values.get)

    def _connected(self, mapping: AdapterMapping) -> tuple[Connection | None, str | None]:
        """The connection of a mapping's `fetch_back`, or what is wrong if it needs one that is not there."""
        if mapping.fetch_back is None:
            return None, None
        wanted = mapping.fetch_back.connection
        connection = self.connection(mapping.name, wanted)
        if connection is not None or mapping.fetch_back.optional:
            return connection, None
        known = ", ".join(self._vendors.names) or "none"
        return (
            None,
            f"fetch_back: hooks.connections has no {wanted!r} (there is {known}); set it and start again",
        )

    def _unusable(
        self, path: Path, instance: Instance | None, before: Adapter | None, problem: str
    ) -> Adapter:
        """The adapter as it was loaded before; else one that only tells why it is not there."""
        if before is not None and before.mapping is not None:
            if before.kept != problem:
                MAPPING_RELOADS.labels(before.name, "kept").inc()
                log.error("mapping unusable, the one before stays", adapter=before.name, problem=problem)
            return replace(before, kept=problem)
        name = instance.adapter if instance is not None else path.stem
        return Adapter(name=name, file=path, mapping=None, problem=problem, secrets=lambda _: None)


def _failures(path: Path, mapping: AdapterMapping) -> list[str]:
    """What the tests beside a mapping say against it."""
    beside = path.with_name(path.stem + TEST_SUFFIX)
    if not beside.is_file():
        return []
    try:
        results = run_tests(mapping, read_text(beside), beside.name, reader(path.parent))
    except MappingError as error:
        return [str(error.lints[0])]
    return [f"{one.file}:{one.line}: {one.name}: {one.problems[0]}" for one in results if not one.passed]


def _summary(failures: list[str]) -> str:
    more = f" (and {len(failures) - 1} more; run `xapi-gateway mappings test`)" if len(failures) > 1 else ""
    return f"its tests fail: {failures[0]}{more}"


def nobody_set_up(adapter: Adapter) -> bool:
    """Whether an adapter lacks all of its secrets: shipped, but not used here."""
    if adapter.mapping is None or adapter.problem is None:
        return False
    return not any(adapter.secrets(name) for name in adapter.mapping.secrets)
