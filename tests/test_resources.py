from __future__ import annotations

import importlib.util
from pathlib import Path

from gateway import resources


def test_a_checkout_has_them_at_its_top_level() -> None:
    root = Path(__file__).parent.parent
    assert resources.config_file() == root / "config" / "gateway.yaml"
    assert resources.mappings_dir() == root / "mappings"


def test_an_installed_package_has_them_inside(tmp_path: Path) -> None:
    package = tmp_path / "gateway"
    (package / "shipped").mkdir(parents=True)
    module_file = package / "resources.py"
    module_file.write_bytes(Path(resources.__file__).read_bytes())
    spec = importlib.util.spec_from_file_location("installed_resources", module_file)
    assert spec is not None
    assert spec.loader is not None
    installed = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(installed)
    assert installed.config_file() == package / "shipped" / "config" / "gateway.yaml"
    assert installed.mappings_dir() == package / "shipped" / "mappings"
    assert installed.settings_schema_file() == package / "settings.schema.json"
