"""Where the files are that come with the program: the default configuration, its schema and the mappings.

An installed wheel carries them inside the package (`gateway/shipped`); a checkout has them at its top level.
"""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def config_file() -> Path:
    """The shipped `gateway.yaml`: every option with its default."""
    return _root() / "config" / "gateway.yaml"


def mappings_dir() -> Path:
    """The folder of the shipped vendor mappings, with their tests and samples."""
    return _root() / "mappings"


def settings_schema_file() -> Path:
    """The JSON Schema of the configuration file."""
    return _PACKAGE / "settings.schema.json"


def _root() -> Path:
    shipped = _PACKAGE / "shipped"
    return shipped if shipped.is_dir() else _PACKAGE.parent
