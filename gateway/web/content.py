"""Course content, on an origin of its own: files of packages and nothing else.

Content is foreign code. It runs where it can reach neither the console nor the API with anybody's rights: no
cookies are set or read here, and the gateway answers it only what an AU's token allows.
"""

from __future__ import annotations

import mimetypes
import posixpath
import re
from email.utils import formatdate
from uuid import UUID

from aiohttp import hdrs, web

from gateway.errors import MethodNotAllowed, NotFound
from gateway.keys import SERVICES
from gateway.services.courses import Courses
from gateway.store.course_files import CourseFile

_OCTETS = "application/octet-stream"
# What courses hold. The machine's own list may lack some of these, or have its own opinion.
_TYPES = {
    ".css": "text/css",
    ".csv": "text/csv",
    ".eot": "application/vnd.ms-fontobject",
    ".gif": "image/gif",
    ".htm": "text/html",
    ".html": "text/html",
    ".ico": "image/x-icon",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".js": "text/javascript",
    ".json": "application/json",
    ".m4a": "audio/mp4",
    ".m4v": "video/mp4",
    ".map": "application/json",
    ".mjs": "text/javascript",
    ".mp3": "audio/mpeg",
    ".mp4": "video/mp4",
    ".oga": "audio/ogg",
    ".ogg": "audio/ogg",
    ".ogv": "video/ogg",
    ".otf": "font/otf",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".swf": "application/x-shockwave-flash",
    ".ttf": "font/ttf",
    ".txt": "text/plain",
    ".vtt": "text/vtt",
    ".wasm": "application/wasm",
    ".wav": "audio/wav",
    ".webm": "video/webm",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".xhtml": "application/xhtml+xml",
    ".xml": "application/xml",
    ".zip": "application/zip",
}
_RANGE = re.compile(r"bytes=(\d*)-(\d*)", re.IGNORECASE)
_LONGEST_NUMBER = 18


def content_type(path: str) -> str:
    """The media type of a file by its name.

    Without charset: a page says its own, and a header would overrule it.
    """
    extension = posixpath.splitext(path)[1].lower()
    return _TYPES.get(extension) or mimetypes.guess_type(f"x{extension}")[0] or _OCTETS


def byte_range(header: str | None, size: int) -> range | None:
    """The bytes that a Range header asks for; None for all of them, an empty range if there are no such.

    Several ranges, and what cannot be read, count as no header at all (RFC 9110 §14.2).
    """
    match = _RANGE.fullmatch(header.strip()) if header else None
    if match is None or max(map(len, match.groups())) > _LONGEST_NUMBER:
        return None
    first, last = match.groups()
    if not first:
        return range(max(0, size - int(last)), size) if last else None
    if last and int(last) < int(first):
        return None
    return range(int(first), min(size, int(last) + 1) if last else size)


def add_routes(app: web.Application) -> None:
    """`GET /{version}/{path}`, and nothing beside it."""
    app.router.add_route("*", "/{path:.*}", serve)


async def serve(request: web.Request) -> web.StreamResponse:
    """A file of a course version, whole or one range of it."""
    if request.method not in ("GET", "HEAD"):
        raise MethodNotAllowed(f"{request.method} is not possible here", headers={"Allow": "GET, HEAD"})
    courses, file = await _find(request)
    etag = f'"{file.stored.timestamp():.0f}-{file.size}"'
    headers = {
        hdrs.CONTENT_TYPE: content_type(file.id),
        hdrs.ETAG: etag,
        hdrs.LAST_MODIFIED: formatdate(file.stored.timestamp(), usegmt=True),
        # A new version of a course has other URLs.
        hdrs.CACHE_CONTROL: "public, max-age=31536000, immutable",
        hdrs.ACCEPT_RANGES: "bytes",
        "X-Content-Type-Options": "nosniff",
    }
    if etag in request.headers.get(hdrs.IF_NONE_MATCH, ""):
        return web.Response(status=304, headers=headers)
    wanted, status = range(file.size), 200
    if request.headers.get(hdrs.IF_RANGE, etag) == etag:
        part = byte_range(request.headers.get(hdrs.RANGE), file.size)
        if part is not None and len(part) == 0:
            return web.Response(status=416, headers={**headers, hdrs.CONTENT_RANGE: f"bytes */{file.size}"})
        if part is not None:
            wanted, status = part, 206
            headers[hdrs.CONTENT_RANGE] = f"bytes {part.start}-{part.stop - 1}/{file.size}"
    response = web.StreamResponse(status=status, headers=headers)
    response.content_length = len(wanted)
    await response.prepare(request)
    if request.method == "GET":
        async for chunk in courses.read_file(file, wanted.start, wanted.stop):
            await response.write(chunk)
    await response.write_eof()
    return response


async def _find(request: web.Request) -> tuple[Courses, CourseFile]:
    version, _, path = request.match_info["path"].partition("/")
    try:
        identity = UUID(version)
    except ValueError:
        raise _nothing(request) from None
    if str(identity) == version and path:
        for services in request.config_dict[SERVICES].values():
            if (file := await services.courses.file(identity, path)) is not None:
                return services.courses, file
    raise _nothing(request)


def _nothing(request: web.Request) -> NotFound:
    return NotFound(f"there is no file of a course at {request.path}")
