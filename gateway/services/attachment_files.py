"""Attachment data as files in a folder, named by their hash in lower case: how it travels beside NDJSON."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import AsyncIterable, Iterator
from pathlib import Path
from typing import BinaryIO

_ALGORITHMS = {56: "sha224", 64: "sha256", 96: "sha384", 128: "sha512"}


class AttachmentFiles:
    """A folder of attachment data; it is created by the first file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def holds(self, sha2: str) -> bool:
        """Whether there is a file for this hash."""
        return (self.folder / sha2).is_file()

    def read(self, sha2: str) -> bytes | None:
        """The data of this hash, None if there is no file. Raises ValueError if it is other data."""
        try:
            body = (self.folder / sha2).read_bytes()
        except FileNotFoundError:
            return None
        actual = hashlib.new(_ALGORITHMS[len(sha2)], body).hexdigest()
        if actual != sha2:
            raise ValueError(f"{self.folder / sha2} holds data with the hash {actual}")
        return body

    async def write(self, sha2: str, chunks: AsyncIterable[bytes]) -> int:
        """Write a file; how many bytes. It appears whole or not at all."""
        size = 0
        self.folder.mkdir(parents=True, exist_ok=True)
        with replacing(self.folder / sha2) as file:
            async for chunk in chunks:
                size += file.write(chunk)
        return size


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A new file that takes the place of `path` when all is written and on disk; before, nothing changes."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o600)
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()
        raise
