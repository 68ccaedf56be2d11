from __future__ import annotations

import io
import stat
import struct
import warnings
import zipfile
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.cmi5.imports import read_course
from gateway.cmi5.packages import Kind, Package, PackageLimits, open_package, sniff
from gateway.cmi5.zip_directory import count_entries
from gateway.errors import Invalid
from tests.cmi5.samples import au_xml, structure_xml, zipped

STRUCTURE = structure_xml(au_xml(url="index.html"))
GOOD = {"cmi5.xml": STRUCTURE, "index.html": b"<p>Hello", "media/a.bin": bytes(range(256)) * 40}


def _refused(file: io.BytesIO, limits: PackageLimits | None = None) -> tuple[list[str], str]:
    result = open_package(file, limits)
    assert isinstance(result, tuple)
    assert all(finding.message for finding in result)
    return [finding.requirement for finding in result], " / ".join(finding.message for finding in result)


def _with_entry(info: zipfile.ZipInfo | str, content: bytes = b"x") -> io.BytesIO:
    packed = zipped(GOOD)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile warns of a name it already has
        with zipfile.ZipFile(packed, "a") as archive:
            archive.writestr(info, content)
    return packed


def _info(name: str, mode: int = stat.S_IFREG | 0o644) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


def _patched(change: Callable[[bytearray, int], None]) -> io.BytesIO:
    """A good package with the central record of its last entry changed, given its position."""
    data = bytearray(zipped(GOOD).getvalue())
    change(data, data.rindex(b"PK\x01\x02"))
    return io.BytesIO(bytes(data))


def test_a_good_package_is_opened_and_its_files_are_read() -> None:
    package = open_package(zipped(GOOD))
    assert isinstance(package, Package)
    assert package.structure == STRUCTURE
    assert {entry.name: entry.size for entry in package.entries} == {
        name: len(content) for name, content in GOOD.items()
    }
    assert {name: b"".join(package.open(name)) for name in package.names} == GOOD


def test_names_that_are_not_in_the_package_are_key_errors() -> None:
    package = open_package(zipped(GOOD))
    assert isinstance(package, Package)
    with pytest.raises(KeyError):
        package.open("../secret")


def test_a_large_file_comes_in_chunks() -> None:
    package = open_package(zipped({**GOOD, "film.mp4": bytes(2_000_000)}))
    assert isinstance(package, Package)
    chunks = list(package.open("film.mp4"))
    assert len(chunks) > 1
    assert sum(map(len, chunks)) == 2_000_000


def test_a_zip64_package_of_tiny_files_is_opened() -> None:
    # cmi5 14.0.0.0-1
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in GOOD.items():
            with archive.open(name, "w", force_zip64=True) as entry:
                entry.write(content)
    data = packed.getvalue()
    at = data.rindex(b"PK\x05\x06")
    *_, entries, size, offset, _ = struct.unpack("<4s4H2LH", data[at:])
    end64 = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, entries, entries, size, offset)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, at, 1)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    package = open_package(io.BytesIO(data[:at] + end64 + locator + end))
    assert isinstance(package, Package)
    assert {name: b"".join(package.open(name)) for name in package.names} == GOOD


def test_folders_litter_and_dot_segments_do_not_count_as_files() -> None:
    packed = _with_entry("./docs//read.me")
    with zipfile.ZipFile(packed, "a") as archive:
        archive.mkdir("empty")
        for name in ("__MACOSX/._index.html", ".DS_Store", "media/.DS_Store", "media/Thumbs.db"):
            archive.writestr(name, b"x")
    package = open_package(packed)
    assert isinstance(package, Package)
    assert package.names == {*GOOD, "docs/read.me"}


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("../evil.html", "leaves the package"),
        ("media/../../evil.html", "leaves the package"),
        ("/etc/passwd", "absolute path"),
        ("C:/evil.html", "absolute path"),
        ("c:evil.html", "absolute path"),
        ("..\\evil.html", "backslash"),
        ("media\\evil.html", "backslash"),
        ("\\\\host\\share", "backslash"),
        ("a\nb.html", "control character"),
        ("a\x7f.html", "control character"),
        ("n" * 1025, "more than 1024 characters"),
        ("../evil/", "leaves the package"),
        (_info("link", stat.S_IFLNK | 0o777), "symbolic link"),
        (_info("pipe", stat.S_IFIFO | 0o644), "special file"),
        (_info("device", stat.S_IFCHR | 0o644), "special file"),
        (_info("index.html"), "twice"),
        (_info("./media//a.bin"), "twice"),
        (_info("."), "no name"),
    ],
)
def test_entries_that_could_do_harm_are_refused(entry: zipfile.ZipInfo | str, message: str) -> None:
    requirements, found = _refused(_with_entry(entry))
    assert requirements == ["zip safety"]
    assert message in found


def test_a_nul_in_a_name_is_refused() -> None:
    packed = _with_entry("index.html?.png")
    data = packed.getvalue().replace(b"index.html?.png", b"index.html\0.png")
    requirements, found = _refused(io.BytesIO(data))
    assert requirements == ["zip safety"]
    assert "control character" in found


def test_encrypted_entries_are_refused() -> None:
    def encrypt(data: bytearray, at: int) -> None:
        data[at + 8] |= 1

    requirements, found = _refused(_patched(encrypt))
    assert requirements == ["cmi5 14.1.0.0-1"]
    assert "encrypted" in found


@pytest.mark.parametrize("method", [1, 9, 12, 14, 93, 99])
def test_methods_other_than_stored_and_deflate_are_refused(method: int) -> None:
    def use(data: bytearray, at: int) -> None:
        struct.pack_into("<H", data, at + 10, method)

    requirements, found = _refused(_patched(use))
    assert requirements == ["cmi5 14.1.0.0-1"]
    assert f"method {method}" in found


def test_a_zip_for_newer_programs_is_refused() -> None:
    def demand(data: bytearray, at: int) -> None:
        struct.pack_into("<H", data, at + 6, 99)

    assert _refused(_patched(demand))[0] == ["cmi5 14.1.0.0-1"]


def test_a_bomb_is_refused_by_its_ratio() -> None:
    limits = PackageLimits(ratio_from=1_000_000)
    requirements, found = _refused(zipped({**GOOD, "bomb": bytes(5_000_000)}), limits)
    assert requirements == ["zip safety"]
    assert "bomb" in found


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (PackageLimits(entries=2), "more than 2 files"),
        (PackageLimits(entry_size=1000), "at most 1000"),
        (PackageLimits(total_size=10_000), "at most 10000"),
        (PackageLimits(structure_size=100), "at most 100"),
    ],
)
def test_every_size_has_a_limit(limits: PackageLimits, message: str) -> None:
    requirements, found = _refused(zipped(GOOD), limits)
    assert "zip safety" in requirements
    assert message in found


def test_sizes_that_lie_are_found_while_unpacking() -> None:
    def understate(data: bytearray, at: int) -> None:
        struct.pack_into("<L", data, at + 24, 10)

    package = open_package(_patched(understate))
    assert isinstance(package, Package)
    with pytest.raises(Invalid) as raised:
        b"".join(package.open("media/a.bin"))
    assert [each.requirement for each in raised.value.problems] == ["cmi5 14.1.0.0-1"]


def test_less_content_than_stated_is_found_while_unpacking() -> None:
    def overstate(data: bytearray, at: int) -> None:
        struct.pack_into("<L", data, at + 24, 20_000)

    package = open_package(_patched(overstate))
    assert isinstance(package, Package)
    with pytest.raises(Invalid) as raised:
        b"".join(package.open("media/a.bin"))
    assert "unpacks to 10240 bytes, but states 20000" in raised.value.problems[0].message


def test_content_that_was_changed_is_found_while_unpacking() -> None:
    data = bytearray(zipped({**GOOD, "x": b"unchanged" * 100}).getvalue())
    at = data.index(b"x", data.rindex(b"PK\x03\x04") + 30) + 1
    data[at + 3] ^= 0xFF
    package = open_package(io.BytesIO(bytes(data)))
    assert isinstance(package, Package)
    with pytest.raises(Invalid):
        b"".join(package.open("x"))


def test_a_damaged_structure_file_is_a_finding() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("cmi5.xml", STRUCTURE)
    requirements, _ = _refused(io.BytesIO(packed.getvalue().replace(b"Geology", b"Zoology", 1)))
    assert requirements == ["cmi5 14.1.0.0-1"]


def test_overlapping_entries_are_refused() -> None:
    def overstate(data: bytearray, at: int) -> None:
        struct.pack_into("<L", data, at + 20, 10_000_000)

    assert "overlap" in _refused(_patched(overstate))[1]


@pytest.mark.parametrize(
    ("files", "hint"),
    [
        ({"geology/cmi5.xml": STRUCTURE, "geology/index.html": b""}, "it lies in the folder 'geology'"),
        ({"CMI5.XML": STRUCTURE}, "must be lower case"),
        ({"imsmanifest.xml": b""}, "SCORM"),
        ({"tincan.xml": b""}, "Tin Can"),
        ({"index.html": b""}, "every cmi5 package has one"),
        ({}, "every cmi5 package has one"),
    ],
)
def test_a_package_without_its_structure_at_the_root_is_refused_with_a_hint(
    files: dict[str, bytes], hint: str
) -> None:
    requirements, found = _refused(zipped(files))
    assert requirements == ["cmi5 14.1.0.0-2"]
    assert hint in found


@pytest.mark.parametrize("cut", [10, 40])
def test_a_directory_that_ends_in_the_middle_of_a_record_is_refused(cut: int) -> None:
    data = bytearray(zipped(GOOD).getvalue())
    at = data.rindex(b"PK\x05\x06")
    size, offset = struct.unpack_from("<LL", data, at + 12)
    shorter = data[: offset + size - cut] + data[at:]
    struct.pack_into("<L", shorter, len(shorter) - 10, size - cut)
    assert _refused(io.BytesIO(bytes(shorter)))[0] == ["cmi5 14.1.0.0-1"]


@pytest.mark.parametrize(
    "data", [b"PK\x03\x04", b"PK\x05\x06", b"PK\x03\x04" + bytes(100), zipped(GOOD).getvalue()[:-30]]
)
def test_a_cut_off_zip_is_refused(data: bytes) -> None:
    assert _refused(io.BytesIO(data))[0] == ["cmi5 14.1.0.0-1"]


def test_all_bad_entries_are_named_at_once() -> None:
    packed = _with_entry("../a")
    with zipfile.ZipFile(packed, "a") as archive:
        archive.writestr("/b", b"")
    requirements, found = _refused(packed)
    assert len(requirements) == 2
    assert "'../a'" in found
    assert "'/b'" in found


def test_entries_are_counted_no_further_than_the_limit() -> None:
    many = zipped({str(number): b"" for number in range(50)})
    assert count_entries(many, 100) == 50
    assert count_entries(many, 10) == 11


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"PK\x03\x04....", Kind.ZIP),
        (b"PK\x05\x06....", Kind.ZIP),
        (b"<?xml", Kind.XML),
        (b"\n <courseStructure", Kind.XML),
        (b"\xef\xbb\xbf<a/>", Kind.XML),
        ("<a/>".encode("utf-16"), Kind.XML),
        ("\ufeff<a/>".encode("utf-16-be"), Kind.XML),
        ("<a/>".encode("utf-16-le"), Kind.XML),
        (b"# A course", None),
        (b"MZ...PK\x03\x04", None),
        (b"", None),
    ],
)
def test_what_a_file_is_shows_in_its_first_bytes(head: bytes, kind: Kind | None) -> None:
    assert sniff(head) is kind


def test_a_package_is_imported_with_its_course() -> None:
    imported = read_course(zipped(GOOD))
    assert imported.course is not None
    assert imported.findings == ()
    assert imported.structure == STRUCTURE
    assert imported.package is not None


def test_bare_xml_is_imported_without_a_package() -> None:
    xml = structure_xml(au_xml())
    imported = read_course(io.BytesIO(xml))
    assert imported.course is not None
    assert (imported.structure, imported.package) == (xml, None)


@pytest.mark.parametrize("content", [b"", b"# Markdown", b"%PDF-1.7", bytes(100)])
def test_other_files_are_not_imported(content: bytes) -> None:
    # cmi5 14.0.0.0-1 (d)
    imported = read_course(io.BytesIO(content))
    assert imported.course is None
    assert [finding.requirement for finding in imported.findings] == ["cmi5 14.0.0.0-1"]


def test_a_course_whose_file_is_not_in_the_package_is_not_imported() -> None:
    imported = read_course(zipped({"cmi5.xml": STRUCTURE}))
    assert imported.course is None
    assert [finding.requirement for finding in imported.findings] == ["cmi5 14.1.0.0-4"]


def test_bare_xml_beyond_the_limit_is_not_imported() -> None:
    imported = read_course(io.BytesIO(structure_xml(au_xml())), PackageLimits(structure_size=50))
    assert [finding.requirement for finding in imported.findings] == ["xml safety"]


def test_an_entry_whose_name_begins_with_nul_is_a_finding() -> None:
    data = zipped(GOOD | {"zzz.txt": b"z"}).getvalue().replace(b"zzz.txt", b"\0zz.txt")
    imported = read_course(io.BytesIO(data))
    assert imported.course is None
    [finding] = imported.findings
    assert finding.message.endswith("has a control character in its name")


WHOLE = zipped(GOOD).getvalue()


@given(st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), min_size=1, max_size=8))
@settings(max_examples=300)
def test_a_damaged_zip_never_raises_anything_but_invalid(damage: list[tuple[int, int]]) -> None:
    data = bytearray(WHOLE)
    for position, byte in damage:
        data[position] = byte
    imported = read_course(io.BytesIO(bytes(data)))
    assert imported.course is not None or imported.findings
    if imported.package is not None:
        for name in imported.package.names:
            with suppress(Invalid):
                assert len(b"".join(imported.package.open(name))) <= PackageLimits().entry_size
