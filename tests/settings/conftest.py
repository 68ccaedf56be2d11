from __future__ import annotations

from pathlib import Path

import pytest

from tests.settings.files import Write


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes a file into the working directory, which is a temporary one."""
    monkeypatch.chdir(tmp_path)

    def to(name: str, content: str | bytes) -> Path:
        Path(name).write_bytes(content.encode() if isinstance(content, str) else content)
        return Path(name)

    return to
