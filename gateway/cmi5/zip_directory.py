"""Counts the entries of a zip before anything is built from them (APPNOTE 4.3.12, 4.3.14–16).

`zipfile` turns every entry into an object first, and the sizes that a zip states about itself may lie; this
walks the central directory a record at a time and stops at the limit. Performs no I/O but on the given file.
"""

from __future__ import annotations

import struct
from typing import BinaryIO, Final

_END: Final = struct.Struct("<4s4H2LH")
_END64: Final = struct.Struct("<4sQ2H2L4Q")
_LOCATOR64: Final = struct.Struct("<4sLQL")
_RECORD: Final = struct.Struct("<4s24x3H12x")
_LONGEST_COMMENT: Final = 0xFFFF


def count_entries(file: BinaryIO, limit: int) -> int | None:
    """How many entries the central directory holds, counted no further than `limit` + 1.

    None if there is no central directory where the zip says it is.
    """
    length = file.seek(0, 2)
    tail_start = max(0, length - _END.size - _LONGEST_COMMENT)
    file.seek(tail_start)
    tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or at + _END.size > len(tail):
        return None
    *_, size, _offset, _comment = _END.unpack_from(tail, at)
    end = tail_start + at
    locator_at = end - _LOCATOR64.size
    if locator_at >= 0:
        file.seek(locator_at)
        signature, *_ = _LOCATOR64.unpack(file.read(_LOCATOR64.size))
        record_at = locator_at - _END64.size
        if signature == b"PK\x06\x07" and record_at >= 0:
            file.seek(record_at)
            signature, *_, size64, _offset64 = _END64.unpack(file.read(_END64.size))
            if signature == b"PK\x06\x06":
                size, end = size64, record_at
    if size > end:
        return None
    return _count(file, end - size, end, limit)


def _count(file: BinaryIO, start: int, end: int, limit: int) -> int | None:
    entries, at = 0, start
    while at < end and entries <= limit:
        file.seek(at)
        record = file.read(_RECORD.size)
        if len(record) < _RECORD.size:
            return None
        signature, *lengths = _RECORD.unpack(record)
        if signature != b"PK\x01\x02":
            return None
        entries += 1
        at += _RECORD.size + sum(lengths)
    return entries if at == end or entries > limit else None
