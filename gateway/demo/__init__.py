"""The sample course that ships with the gateway: a real lesson, packed the same way every time."""

from __future__ import annotations

import io
import zipfile
from importlib.resources import files
from typing import Final

_EPOCH: Final = (1980, 1, 1, 0, 0, 0)


def build_course() -> bytes:
    """The course as a cmi5 package. Equal bytes on every machine: no times, no compression, sorted names."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for file in sorted(files(__package__).joinpath("course").iterdir(), key=lambda each: each.name):
            info = zipfile.ZipInfo(file.name, _EPOCH)
            info.create_system = 3  # Unix, wherever it is packed
            info.external_attr = 0o100644 << 16
            archive.writestr(info, file.read_bytes())
    return packed.getvalue()
