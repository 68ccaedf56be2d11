"""Lists in pages: a `cursor` leads to the entries after one that was shown."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
from collections.abc import Sequence
from typing import TypeVar
from uuid import UUID

from gateway.errors import BadRequest
from gateway.web.api.bodies import Fields
from gateway.xapi.findings import shown

Place = tuple[dt.datetime, UUID]
Row = TypeVar("Row")


def place_of(fields: Fields) -> Place | None:
    """Behind which entry the page begins; raises BadRequest for a cursor that no list gave."""
    cursor = fields.get("cursor")
    if cursor is None:
        return None
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        time, _, identity = base64.b64decode(padded, altchars=b"-_", validate=True).decode().partition(" ")
        moment = dt.datetime.fromisoformat(time)
        if moment.tzinfo is None:
            raise ValueError("no zone")
        return moment.astimezone(dt.UTC), UUID(identity)
    except (ValueError, OverflowError, binascii.Error):
        raise BadRequest(f"the cursor {shown(cursor)} is not one that a list gave") from None


def cursor_at(time: dt.datetime, identity: UUID) -> str:
    """The cursor behind an entry."""
    return base64.urlsafe_b64encode(f"{time.isoformat()} {identity}".encode()).decode().rstrip("=")


def page_of(found: Sequence[Row], limit: int) -> tuple[Sequence[Row], bool]:
    """The page in what was found with one row more than `limit`, and whether others follow."""
    return found[:limit], len(found) > limit
