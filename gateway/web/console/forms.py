"""Forms that pages send: fields, and at most one file, which goes to disk before anything looks at it."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO
from urllib.parse import parse_qsl
from uuid import UUID

from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import BadHttpMessage

from gateway.errors import BadRequest, Invalid, Problem, TooLarge
from gateway.keys import SETTINGS
from gateway.web.bodies import Pace, read_body
from gateway.xapi import media_types
from gateway.xapi.datatypes import is_uuid
from gateway.xapi.findings import shown

_URLENCODED, _MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data"
_MOST_FIELDS, _LONGEST_FIELD = 2_000, 256 * 1024
_BLOCK = 256 * 1024


@dataclass(slots=True)
class Form:
    """What was sent. Texts have no blanks around them, except passwords."""

    fields: Mapping[str, Sequence[str]]
    file: BinaryIO | None = None
    problems: list[Problem] = field(default_factory=list)

    def text(self, name: str) -> str:
        """A field, empty if it was not sent."""
        return self.secret(name).strip()

    def secret(self, name: str) -> str:
        """A field as it is, blanks included."""
        values = self.fields.get(name, ())
        return values[0] if values else ""

    def all(self, name: str) -> list[str]:
        """Every value of a field that can be chosen several times."""
        return [value.strip() for value in self.fields.get(name, ()) if value.strip()]

    def uuids(self, name: str) -> list[UUID]:
        """Ids that were chosen; raises BadRequest for what is none."""
        values = self.all(name)
        for value in values:
            if not is_uuid(value):
                raise BadRequest(f"the field {name} holds {shown(value)}; expected a UUID")
        return [UUID(value) for value in values]

    def wrong(self, name: str, message: str) -> None:
        """Note that a field does not hold what it should."""
        self.problems.append(Problem(name, "Console", message))

    def finish(self) -> None:
        """Raise Invalid with everything that was noted."""
        if self.problems:
            first = self.problems[0]
            raise Invalid(f"{first.path} {first.message}", problems=self.problems)


@contextlib.asynccontextmanager
async def read_form(request: web.Request, *, file_limit: int) -> AsyncIterator[Form]:
    """The form of a request; its file is gone when this is left.

    Raises BadRequest for what is no form, TooLarge, TooSlow.
    """
    kind = media_types.media_type(request.headers.get("Content-Type"))
    if kind == _MULTIPART and file_limit:
        with contextlib.ExitStack() as files:
            yield await _multipart(request, file_limit, files)
    elif kind == _URLENCODED:
        body = await read_body(request, limit=request.config_dict[SETTINGS].limits.max_body)
        try:
            pairs = parse_qsl(
                body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict"
            )
        except ValueError as error:
            raise BadRequest(f"the form cannot be read: {error}") from None
        yield Form(_grouped(pairs))
    else:
        raise BadRequest(f"Content-Type holds {shown(kind)}; expected {_URLENCODED}")


async def _multipart(request: web.Request, limit: int, files: contextlib.ExitStack) -> Form:
    pace, pairs, size = Pace(request), list[tuple[str, str]](), 0
    file: BinaryIO | None = None
    try:
        reader = await request.multipart()
        while True:
            async with asyncio.timeout(pace.patience(size)):
                part = await reader.next()
            if part is None:
                return Form(_grouped(pairs), file)
            if not isinstance(part, BodyPartReader) or len(pairs) > _MOST_FIELDS:
                raise BadRequest("the form is none that a page of the console sends")
            is_file = part.filename is not None
            allowed, sink = (limit if is_file else _LONGEST_FIELD), bytearray()
            target: BinaryIO | None = None
            if is_file:
                target = files.enter_context(await asyncio.to_thread(tempfile.TemporaryFile))
            length = 0
            while True:
                async with asyncio.timeout(pace.patience(size)):
                    chunk = await part.read_chunk(_BLOCK)
                if not chunk:
                    break
                length, size = length + len(chunk), size + len(chunk)
                if length > allowed:
                    raise TooLarge(f"the field {part.name} has more than {allowed} bytes, which is too much")
                if target is None:
                    sink += chunk
                else:
                    await asyncio.to_thread(target.write, chunk)
            if target is None:
                pairs.append((part.name or "", sink.decode()))
            elif length:
                target.seek(0)
                file = target
    except TimeoutError:
        raise pace.error() from None
    except (BadHttpMessage, web.RequestPayloadError, ValueError, AssertionError) as error:
        raise BadRequest(f"the form cannot be read: {error}") from None


def _grouped(pairs: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    return fields
