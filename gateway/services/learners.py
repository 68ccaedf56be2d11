"""How many different learners: exact up to `KEPT`, estimated beyond.

Of the keyed hashes of all learners the `KEPT` smallest are kept, so that the learners of several cells can be
joined, in any order and as often as one likes, and a cell stays small. Beyond `KEPT` the number follows from
how dense the kept ones lie; the standard error is about 3 %. A hash does not lead back to anybody without the
installation's key.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from hashlib import blake2b

KEPT = 1024
_WIDTH = 2**64


def hashed(agent: str, key: bytes) -> int:
    """A learner as 64 bits."""
    digest = blake2b(agent.encode("utf-8", "surrogatepass"), key=key[:64], digest_size=8, person=b"reports")
    return int.from_bytes(digest.digest(), "big")


def packed(learners: Iterable[int]) -> bytes:
    """As a cell keeps them: the smallest ones in order, 8 bytes each."""
    return array("Q", sorted(set(learners))[:KEPT]).tobytes()


def unpacked(learners: bytes) -> array[int]:
    """The hashes in a cell."""
    found = array("Q")
    found.frombytes(learners)
    return found


def merged(before: bytes, further: Iterable[int]) -> bytes:
    """A cell with further learners."""
    new = set(further).difference(unpacked(before))
    return packed(new.union(unpacked(before))) if new else bytes(before)


def number(learners: bytes) -> int:
    """How many learners these are."""
    count = len(learners) // 8
    return count if count < KEPT else round((KEPT - 1) * _WIDTH / unpacked(learners)[-1])


def together(cells: Iterable[bytes]) -> bytes:
    """The learners of several cells."""
    joined: set[int] = set()
    for cell in cells:
        joined.update(unpacked(cell))
    return packed(joined)
