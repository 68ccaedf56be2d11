"""A course package as it was uploaded: a zip whose every entry is checked before one byte of it is used.

cmi5 14.1, and what an attacker would try: paths that leave the folder, links, bombs, doubles. Performs no I/O
but on the file object it is given, which must be binary and seekable.
"""

from __future__ import annotations

import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import BinaryIO, Final

from gateway.cmi5.findings import Finding, error
from gateway.cmi5.urls import shorten
from gateway.cmi5.vocabulary import STRUCTURE_FILE
from gateway.cmi5.zip_directory import count_entries
from gateway.errors import Invalid

_FORMAT: Final = "cmi5 14.1.0.0-1"
_STRUCTURE: Final = "cmi5 14.1.0.0-2"
_SAFETY: Final = "zip safety"
_CHUNK: Final = 256 * 1024
_LOCAL_HEADER: Final = 30  # bytes, and the name at least
_METHODS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
# Encrypted; strongly encrypted; patched data; masked local headers.
_UNREADABLE_FLAGS: Final = 0x1 | 0x20 | 0x40 | 0x2000
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_DRIVE: Final = re.compile(r"[A-Za-z]:")
_LITTER: Final = re.compile(r"(?:^|/)(?:__MACOSX/|\.DS_Store$|Thumbs\.db$)")
# What `zipfile` lets through from malformed files, apart from its own BadZipFile.
_BROKEN: Final = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, RuntimeError, ValueError)
# Packages of other standards, by the file that gives them away.
_OTHERS: Final = {"imsmanifest.xml": "a SCORM or Common Cartridge package", "tincan.xml": "a Tin Can package"}


class Kind(StrEnum):
    ZIP = "zip"
    XML = "xml"


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageLimits:
    """Sizes in bytes, unpacked. `ratio` is unpacked to packed for the whole package, once it is large."""

    entries: int = 20_000
    entry_size: int = 2 * 1024**3
    total_size: int = 8 * 1024**3
    structure_size: int = 16 * 1024**2
    ratio: int = 100
    ratio_from: int = 64 * 1024**2
    name_length: int = 1024


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in a package: its name relative to the root, with `/` between segments, and its stated size."""

    name: str
    size: int


class Package:
    """A zip that passed every check. Reads from the file it was opened on, which must stay open."""

    __slots__ = ("_archive", "_infos", "entries", "structure")

    def __init__(self, archive: zipfile.ZipFile, infos: Mapping[str, zipfile.ZipInfo]) -> None:
        self._archive = archive
        self._infos = infos
        self.entries = tuple(Entry(name, info.file_size) for name, info in infos.items())
        self.structure = b"".join(self.open(STRUCTURE_FILE))

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self._infos)

    def open(self, name: str) -> Iterator[bytes]:
        """The content of a file in chunks, counted while it is unpacked.

        Raises KeyError for a name that is not in `names`, Invalid when the content is not what the zip says
        it is: then nothing of the package may be kept.
        """
        return self._chunks(name, self._infos[name])

    def _chunks(self, name: str, info: zipfile.ZipInfo) -> Iterator[bytes]:
        unpacked = 0
        try:
            with self._archive.open(info) as content:
                while chunk := content.read(_CHUNK):
                    # `zipfile` stops at the stated size, but may give less.
                    unpacked += len(chunk)
                    yield chunk
        except _BROKEN as reason:
            raise _broken(name, f"cannot be unpacked: {reason}") from reason
        if unpacked < info.file_size:
            raise _broken(name, f"unpacks to {unpacked} bytes, but states {info.file_size}")


def sniff(head: bytes) -> Kind | None:
    """What a file is by its first bytes (16 suffice): a zip, XML in UTF-8 or UTF-16, or neither."""
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return Kind.ZIP
    text = head.removeprefix(b"\xef\xbb\xbf").removeprefix(b"\xff\xfe").removeprefix(b"\xfe\xff")
    return Kind.XML if text.replace(b"\0", b"").lstrip().startswith(b"<") else None


def open_package(file: BinaryIO, limits: PackageLimits | None = None) -> Package | tuple[Finding, ...]:
    """The package in `file`, or everything that speaks against it; nothing but cmi5.xml is unpacked yet."""
    limits = limits or PackageLimits()
    count = count_entries(file, limits.entries)
    if count is None:
        return (error(_FORMAT, "", "the zip is damaged or cut off: its list of files cannot be read"),)
    if count > limits.entries:
        return (error(_SAFETY, "", f"the zip has more than {limits.entries} files"),)
    length = file.seek(0, 2)
    try:
        file.seek(0)
        archive = zipfile.ZipFile(file)
    except (*_BROKEN, NotImplementedError) as reason:
        return (error(_FORMAT, "", f"the zip cannot be read: {reason}"),)
    infos: dict[str, zipfile.ZipInfo] = {}
    findings: list[Finding] = []
    for info in archive.infolist():
        # Not `is_dir()`, which looks at the last character of a name that may have none.
        if info.filename.endswith("/") and not _name_problem(info, limits):
            continue
        if (finding := _entry_finding(info, limits)) is not None:
            findings.append(finding)
            continue
        name = _sanitized(info.filename)
        if _LITTER.search(name):
            continue
        if name in infos:
            findings.append(error(_SAFETY, name, f"the zip holds {shorten(name)} twice"))
        infos[name] = info
    findings += _size_findings(list(infos.values()), length, limits)
    findings += _structure_findings(infos, limits)
    if findings:
        return tuple(findings)
    try:
        return Package(archive, infos)
    except Invalid as broken:
        return tuple(error(each.requirement, each.path, each.message) for each in broken.problems)


def _broken(name: str, message: str) -> Invalid:
    problem = error(_FORMAT, name, f"the file {shorten(name)} in the zip {message}").problem()
    return Invalid("The course package is damaged.", problems=[problem])


def _sanitized(name: str) -> str:
    return "/".join(part for part in name.split("/") if part not in ("", "."))


def _entry_finding(info: zipfile.ZipInfo, limits: PackageLimits) -> Finding | None:
    problem = _name_problem(info, limits) or _content_problem(info, limits)
    if problem is None:
        return None
    requirement, message = problem
    shown = _CONTROL.sub("\ufffd", info.orig_filename)
    return error(requirement, shown[:200], f"the entry {shorten(shown)} {message}")


def _name_problem(info: zipfile.ZipInfo, limits: PackageLimits) -> tuple[str, str] | None:
    # `filename` is what `zipfile` made of `orig_filename`: cut at a NUL, or taken from an extra field.
    for name in (info.orig_filename, info.filename):
        if _CONTROL.search(name):
            return _SAFETY, "has a control character in its name"
        if "\\" in name:
            return _SAFETY, "has a backslash in its name; folders in a zip are separated by '/'"
        if name.startswith("/") or _DRIVE.match(name):
            return _SAFETY, "has an absolute path; names must be relative to the package's root"
        if ".." in name.split("/"):
            return _SAFETY, "leaves the package by '..' in its path"
        if len(name) > limits.name_length:
            return _SAFETY, f"has a name of more than {limits.name_length} characters"
        if not _sanitized(name):
            return _SAFETY, "has no name"
    return None


def _content_problem(info: zipfile.ZipInfo, limits: PackageLimits) -> tuple[str, str] | None:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        what = "a symbolic link" if kind == stat.S_IFLNK else "a special file"
        return _SAFETY, f"is {what}; only plain files are accepted"
    if info.flag_bits & _UNREADABLE_FLAGS:
        return _FORMAT, "is encrypted or patched; pack the course again without a password"
    if info.compress_type not in _METHODS:
        return _FORMAT, f"is packed by method {info.compress_type}; only 'stored' and 'deflate' are accepted"
    if info.file_size > limits.entry_size:
        return _SAFETY, f"has {info.file_size} bytes unpacked; at most {limits.entry_size} are accepted"
    return None


def _size_findings(infos: list[zipfile.ZipInfo], length: int, limits: PackageLimits) -> Iterator[Finding]:
    packed = sum(info.compress_size for info in infos)
    unpacked = sum(info.file_size for info in infos)
    if packed > length:
        yield error(_SAFETY, "", "files in the zip overlap: together they are longer than the zip itself")
    elif (overlapping := _overlapping(infos)) is not None:
        yield error(_SAFETY, overlapping, f"the file {shorten(overlapping)} overlaps another one in the zip")
    if unpacked > limits.total_size:
        message = f"the package has {unpacked} bytes unpacked; at most {limits.total_size} are accepted"
        yield error(_SAFETY, "", message)
    elif unpacked > limits.ratio_from and unpacked > limits.ratio * packed:
        message = (
            f"the package unpacks to {unpacked} bytes, "
            f"more than {limits.ratio} times its packed size; it looks like a zip bomb"
        )
        yield error(_SAFETY, "", message)


def _overlapping(infos: list[zipfile.ZipInfo]) -> str | None:
    """The name of a file that begins before the one in front of it ends."""
    end = 0
    for info in sorted(infos, key=lambda info: info.header_offset):
        if info.header_offset < end:
            return info.filename
        end = info.header_offset + _LOCAL_HEADER + info.compress_size
    return None


def _structure_findings(infos: Mapping[str, zipfile.ZipInfo], limits: PackageLimits) -> Iterator[Finding]:
    if (structure := infos.get(STRUCTURE_FILE)) is not None:
        if structure.file_size > limits.structure_size:
            message = (
                f"{STRUCTURE_FILE} has {structure.file_size} bytes; "
                f"at most {limits.structure_size} are accepted"
            )
            yield error(_SAFETY, STRUCTURE_FILE, message)
        return
    deeper = [name for name in infos if name.endswith(f"/{STRUCTURE_FILE}")]
    otherwise = next((name for name in infos if name.lower() == STRUCTURE_FILE), None)
    other = next((_OTHERS[name] for name in infos if name in _OTHERS), None)
    if len(deeper) == 1:
        folder = deeper[0].removesuffix(f"/{STRUCTURE_FILE}")
        hint = (
            f"it lies in the folder {shorten(folder)}. Pack the content of that folder, not the folder itself"
        )
    elif otherwise is not None:
        hint = f"there is {shorten(otherwise)}, but the name must be lower case"
    elif other is not None:
        hint = f"this looks like {other}, not like a cmi5 course"
    else:
        hint = "every cmi5 package has one"
    yield error(_STRUCTURE, STRUCTURE_FILE, f"there is no {STRUCTURE_FILE} at the root of the zip: {hint}")
