"""Changes to several documents that happen together or not at all."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from pymongo import AsyncMongoClient
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.errors import PyMongoError

# Handed through by services that compose changes of several nouns; only the store looks inside.
Transaction: TypeAlias = AsyncClientSession
Also: TypeAlias = Callable[[Transaction], Awaitable[None]]


class Contended(Exception):
    """Somebody else changed what this change was decided on: read it again and decide anew."""


_ATTEMPTS = 8
_TRANSIENT = "TransientTransactionError"
# The commit may or may not have happened. Repeating the whole transaction is safe here because every one
# either inserts under a unique id or compares a revision, and so finds its own first attempt.
_UNKNOWN = "UnknownTransactionCommitResult"


async def transact(client: AsyncMongoClient[dict[str, Any]], write: Also) -> None:
    """Run `write` in a transaction, again from the start when another one was in its way."""
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            async with client.start_session() as transaction, await transaction.start_transaction():
                await write(transaction)
        except PyMongoError as error:
            again = error.has_error_label(_TRANSIENT) or error.has_error_label(_UNKNOWN)
            if attempt == _ATTEMPTS or not again:
                raise
        else:
            return
        await asyncio.sleep(random.uniform(0, 0.004 * 2**attempt))  # noqa: S311 - spreads retries, hides nothing
