"""What `xapi-gateway mappings lint --deliveries` finds: types of events that no rule is for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path

from adapters import Lint, Mapping, MappingError
from adapters.loading.files import load_file
from gateway.cli.stores import with_store
from gateway.services.services import Services
from gateway.services.unmatched import Report, findings
from gateway.settings import Settings


def unmatched_findings(
    settings: Settings, store: str | None, files: Sequence[Path], since: dt.datetime
) -> dict[Path, list[Lint]]:
    """The findings by mapping file; adapters that the settings make of a mapping count as its own."""
    mappings = {path: mapping for path in files if (mapping := _loaded(path)) is not None}
    adapters = {path: _adapters(mapping, settings) for path, mapping in mappings.items()}
    every = [name for names in adapters.values() for name in names]

    async def recent(services: Services) -> Report:
        return await services.hooks.unmatched.recent(since, adapters=every)

    report = with_store(settings, store, recent)
    return {path: findings(mapping, report.of(adapters[path])) for path, mapping in mappings.items()}


def _loaded(path: Path) -> Mapping | None:
    try:
        return load_file(path)
    except MappingError:
        return None  # its own findings say why


def _adapters(mapping: Mapping, settings: Settings) -> list[str]:
    further = (name for name, one in settings.hooks.instances.items() if one.mapping == mapping.name)
    return list(dict.fromkeys([mapping.name, *further]))
