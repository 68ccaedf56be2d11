"""Background work that follows the statements leaves the database to those who store and read."""

from __future__ import annotations

import asyncio
import time

from gateway.store.statements import Statements

_BESIDE_WRITERS = 15  # times as long a pause as the work before it
_JUST_NOW = 2.0  # seconds


async def give_way(statements: Statements, began: float) -> None:
    """Pause as long as was worked since `began` (of the monotonic clock), and many times as long while
    somebody, in whichever process, stores statements: others come first, and after a rush there is time.
    """
    just_now = time.time() - await statements.latest() / 1_000_000 < _JUST_NOW
    await asyncio.sleep((time.monotonic() - began) * (_BESIDE_WRITERS if just_now else 1))
