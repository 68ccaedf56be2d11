"""Payloads of deliveries that this process received itself: to map one at once it need not be read back.

Nothing depends on them. A delivery whose payload is not at hand, or whose mapping changed meanwhile, is read
from what was stored, with the same result.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from adapters.privacy import Sight

# Bytes of the bodies whose payloads are kept; as objects they take several times as much.
_MOST_BYTES = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class AtHand:
    """What reading a stored delivery would give: its payload, and what the mapping of that revision shows of
    it.
    """

    revision: str
    payload: Any
    sight: Sight


class Payloads:
    """As many of them as fit, by delivery."""

    def __init__(self) -> None:
        self._kept: dict[UUID, tuple[AtHand, int]] = {}
        self._bytes = 0

    def keep(self, delivery: UUID, payload: AtHand, size: int) -> None:
        """Have a payload at hand, if there is room; `size` is that of its body."""
        if delivery not in self._kept and self._bytes + size <= _MOST_BYTES:
            self._kept[delivery] = payload, size
            self._bytes += size

    def get(self, delivery: UUID) -> AtHand | None:
        return self._kept[delivery][0] if delivery in self._kept else None

    def forget(self, delivery: UUID) -> None:
        """Its mapping is over."""
        _, size = self._kept.pop(delivery, (None, 0))
        self._bytes -= size
