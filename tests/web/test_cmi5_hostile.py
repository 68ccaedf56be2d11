"""Packages that were made to do harm, or by tools that make them wrong: refused with findings, and nothing of
them is left behind in any collection."""

from __future__ import annotations

import io
import stat
import struct
import warnings
import zipfile
from collections.abc import Callable
from typing import Final

from tests.cmi5.samples import au_xml, structure_xml, zipped
from tests.gateway import Gateway
from tests.web.au import XML, ZIP, api

GOOD: Final = {"cmi5.xml": structure_xml(au_xml(1, url="index.html")), "index.html": b"<!doctype html>"}
MIB: Final = 1024 * 1024


def _info(name: str, mode: int = stat.S_IFREG | 0o644) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


def _with(*entries: tuple[zipfile.ZipInfo | str, bytes]) -> bytes:
    packed = zipped(GOOD)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile warns of a name it already has
        with zipfile.ZipFile(packed, "a", zipfile.ZIP_DEFLATED) as archive:
            for info, content in entries:
                archive.writestr(info, content)
    return packed.getvalue()


def _patched(change: Callable[[bytearray, int, int], None], **files: bytes) -> bytes:
    """A package with its last entry changed, given where its central and its local record are."""
    data = bytearray(zipped({**GOOD, "last.bin": bytes(range(256)) * 40, **files}).getvalue())
    change(data, data.rindex(b"PK\x01\x02"), data.rindex(b"PK\x03\x04"))
    return bytes(data)


def _encrypted(data: bytearray, central: int, local: int) -> None:
    data[central + 8] |= 1
    data[local + 6] |= 1


def _overlapping(data: bytearray, central: int, _local: int) -> None:
    first = data.index(b"PK\x01\x02")
    data[central + 42 : central + 46] = data[first + 42 : first + 46]


def _understated(data: bytearray, central: int, local: int) -> None:
    struct.pack_into("<L", data, central + 24, 10)
    struct.pack_into("<L", data, local + 22, 10)


def _overstated(data: bytearray, central: int, _local: int) -> None:
    struct.pack_into("<L", data, central + 24, 2**30)


def _longer_than_the_zip(data: bytearray, central: int, _local: int) -> None:
    struct.pack_into("<LL", data, central + 20, 900 * MIB, 900 * MIB)


def _no_utf8(data: bytearray, central: int, local: int) -> None:
    for record, flags, name in ((central, 8, 46), (local, 6, 30)):
        data[record + flags + 1] |= 8  # says that the name is UTF-8
        data[record + name] = 0xFF


def _elsewhere(data: bytearray, central: int, _local: int) -> None:
    struct.pack_into("<L", data, central + 42, 0xFFFFFFF0)


def _zip64_lies(data: bytearray, _central: int, _local: int) -> None:
    end = data.rindex(b"PK\x05\x06")
    struct.pack_into("<HHLL", data, end + 8, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF)
    count, size = 2**40, 2**50
    end64 = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, size, 0)
    data[end:end] = end64 + struct.pack("<4sLQL", b"PK\x06\x07", 0, end, 1)


def _xml(before: str = "", after: str = "", encoding: str = "utf-8") -> bytes:
    return (before + structure_xml(au_xml(1)).decode() + after).encode(encoding)


def _laughs() -> bytes:
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    return _xml(f'<!DOCTYPE courseStructure [<!ENTITY l0 "lol">{entities}]>').replace(b"AU 1", b"&l9;", 1)


def _file_entity() -> bytes:
    doctype = '<!DOCTYPE courseStructure [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    return _xml(doctype).replace(b"AU 1", b"&x;", 1)


HOSTILE: Final[dict[str, tuple[Callable[[], bytes], str]]] = {
    "a path out of the package": (lambda: _with(("../../evil.html", b"x")), "zip safety"),
    "a path out of the package in the middle": (lambda: _with(("media/../../evil.html", b"x")), "zip safety"),
    "an absolute path": (lambda: _with(("/etc/cron.d/evil", b"x")), "zip safety"),
    "a drive letter": (lambda: _with(("C:/evil.html", b"x")), "zip safety"),
    "backslashes": (lambda: _with(("..\\..\\evil.html", b"x")), "zip safety"),
    "a symbolic link": (lambda: _with((_info("link", stat.S_IFLNK | 0o777), b"/etc/passwd")), "zip safety"),
    "a device": (lambda: _with((_info("device", stat.S_IFCHR | 0o644), b"")), "zip safety"),
    "a name twice": (lambda: _with(("index.html", b"other")), "zip safety"),
    "a name twice in two spellings": (lambda: _with(("./index.html", b"other")), "zip safety"),
    "two course structures": (lambda: _with(("cmi5.xml", b"<other/>")), "zip safety"),
    "a control character in a name": (lambda: _with(("evil\x1b[2J.html", b"x")), "zip safety"),
    "a name of NULs": (lambda: _with(("zz.html", b"x")).replace(b"zz.html", b"\0z.html"), "zip safety"),
    "a very long name": (lambda: _with(("n" * 5000, b"x")), "zip safety"),
    "a bomb": (lambda: _with(("bomb.bin", bytes(80 * MIB))), "zip safety"),
    "many entries": (lambda: _with(*((_info(f"{n}"), b"") for n in range(20_001))), "zip safety"),
    "an encrypted entry": (lambda: _patched(_encrypted), "cmi5 14.1.0.0-1"),
    "entries that overlap": (lambda: _patched(_overlapping), "zip safety"),
    "a size that is stated too small": (lambda: _patched(_understated), "cmi5 14.1.0.0-1"),
    "a size of a gigabyte that is a lie": (lambda: _patched(_overstated), "zip safety"),
    "entries longer than the zip": (lambda: _patched(_longer_than_the_zip), "zip safety"),
    "a name that is no UTF-8": (lambda: _patched(_no_utf8), "cmi5 14.1.0.0-1"),
    "an entry that is elsewhere": (lambda: _patched(_elsewhere), "cmi5 14.1.0.0-1"),
    "zip64 records that lie": (lambda: _patched(_zip64_lies), "cmi5 14.1.0.0-1"),
    "a folder named cmi5.xml": (
        lambda: zipped({"cmi5.xml/": b"", "index.html": b"x"}).getvalue(),
        "cmi5 14.1.0.0-2",
    ),
    "the structure in a folder": (
        lambda: zipped({f"course/{name}": content for name, content in GOOD.items()}).getvalue(),
        "cmi5 14.1.0.0-2",
    ),
    "the structure in capitals": (
        lambda: zipped({name.upper(): content for name, content in GOOD.items()}).getvalue(),
        "cmi5 14.1.0.0-2",
    ),
    "a file spelt otherwise": (
        lambda: zipped({"cmi5.xml": GOOD["cmi5.xml"], "Index.HTML": b"x"}).getvalue(),
        "cmi5 14.1.0.0-4",
    ),
    "a tar": (lambda: b"cmi5.xml".ljust(257, b"\0") + b"ustar\x0000" + bytes(1000), "cmi5 14.0.0.0-1"),
    "a zip behind a program": (lambda: b"MZ" + bytes(500) + zipped(GOOD).getvalue(), "cmi5 14.0.0.0-1"),
    "an external entity": (lambda: _file_entity(), "xml safety"),
    "a billion laughs": (lambda: _laughs(), "xml safety"),
    "an external DTD": (
        lambda: _xml('<!DOCTYPE courseStructure SYSTEM "http://127.0.0.1:9/x.dtd">'),
        "xml safety",
    ),
    "an entity without a DTD": (lambda: _xml().replace(b"AU 1", b"&nbsp;", 1), "cmi5 13.2.0.0-1"),
    "elements nested without end": (lambda: b"<a>" * 100_000, "xml safety"),
    "a structure of 17 MiB": (lambda: _xml(after="<!--" + "x" * (17 * MIB) + "-->"), "xml safety"),
    "text of 11 MiB": (lambda: _xml().replace(b"AU 1", b"x" * (11 * MIB), 1), "cmi5 13.2.0.0-1"),
    "a structure of 17 MiB in a zip": (
        lambda: zipped({**GOOD, "cmi5.xml": GOOD["cmi5.xml"] + b" " * (17 * MIB)}).getvalue(),
        "zip safety",
    ),
    "an encoding that is a lie": (lambda: _xml('<?xml version="1.0" encoding="utf-16"?>'), "cmi5 13.2.0.0-1"),
    "an encoding that nobody knows": (
        lambda: _xml('<?xml version="1.0" encoding="x-ibm-1"?>'),
        "cmi5 13.2.0.0-1",
    ),
    "bytes that are no UTF-8": (lambda: _xml().replace(b"AU 1", b"AU \xff", 1), "cmi5 13.2.0.0-1"),
    "UTF-16 that is cut off": (lambda: _xml(encoding="utf-16")[:-1], "cmi5 13.2.0.0-1"),
    "two roots": (lambda: _xml(after="<courseStructure/>"), "cmi5 13.2.0.0-1"),
    "another document": (lambda: b"<html><body>Not found</body></html>", "cmi5 13.2.0.0-1"),
}


# What a gateway that has just started says of itself, some moments later.
_OF_THE_GATEWAY = {"revisions", "mapping_status", "writers"}


async def _contents(gateway: Gateway) -> dict[str, int]:
    """How many documents there are in each collection that is not empty."""
    database = gateway.store.client[gateway.store.name]
    names = [
        name
        for name in await database.list_collection_names()
        if not name.startswith("system.") and name not in _OF_THE_GATEWAY
    ]
    counts = {name: await database[name].count_documents({}) for name in sorted(names)}
    return {name: count for name, count in counts.items() if count}


async def test_each_is_refused_with_findings_and_leaves_nothing_behind(gateway: Gateway) -> None:
    # One gateway for all of them: to start it takes longer than to refuse a package.
    before = await _contents(gateway)
    for name, (made, requirement) in HOSTILE.items():
        content = made()
        headers = ZIP if content.startswith(b"PK") else XML
        reply = await api(gateway).post("/courses", data=io.BytesIO(content), headers=headers)
        assert reply.status == 400, (name, reply.body)
        problems = reply.error["problems"]
        assert requirement in {problem["requirement"] for problem in problems}, (name, problems)
        assert all(problem["message"] for problem in problems), (name, problems)
        assert await _contents(gateway) == before, name
