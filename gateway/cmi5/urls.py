"""The URL of an AU: is it one that can be launched, and which file of the package does it mean?

cmi5 13.1.4.0-2 (RFC 1738 whatever the scheme), 8.1.0.0-6 (no clash with launch parameters), 14.1.0.0-4 and
14.2.0.0-1 (what may be relative). Performs no I/O.
"""

from __future__ import annotations

import posixpath
import re
import unicodedata
from collections.abc import Collection
from typing import Final
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from gateway.cmi5.vocabulary import LAUNCH_URL_PARAMETERS

_SHAPE: Final = "cmi5 13.1.4.0-2"
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):")
_FORBIDDEN: Final = re.compile(r"[\x00-\x20\x7f-\xa0\"<>\\\u2028\u2029\ud800-\udfff]")
_BROKEN_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
# They would run or read in the learner's browser instead of loading content.
_UNSAFE_SCHEMES: Final = frozenset({"javascript", "data", "vbscript", "file"})
# Everything that may stand in a URL unescaped, and `%` because what is escaped stays so.
_KEEP: Final = "%:/?#[]@!$&'()*+,;=-._~"


class PackageFiles:
    """The names of the files in a package, also to be found by a name that is spelt a little otherwise."""

    __slots__ = ("_alike", "_names")

    def __init__(self, names: Collection[str]) -> None:
        self._names = frozenset(names)
        self._alike = {_fold(name): name for name in names}

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def alike(self, name: str) -> str | None:
        """A file whose name differs in case or Unicode normalisation only."""
        return self._alike.get(_fold(name))


def url_problems(url: str, *, packaged: bool, files: PackageFiles | None) -> list[tuple[str, str]]:
    """What is wrong with a trimmed AU URL, as (requirement, message) pairs.

    `packaged` says that the structure came in a zip; `files` is what is in it, None when unknown.
    """
    if (match := _FORBIDDEN.search(url)) is not None:
        found = match[0]
        shown = "a blank" if found == " " else f"the character U+{ord(found):04X}"
        return [(_SHAPE, f"the URL {shorten(url)} holds {shown}; write it percent-encoded")]
    if _BROKEN_ESCAPE.search(url) is not None:
        return [(_SHAPE, f"the URL {shorten(url)} holds a '%' without two hexadecimal digits after it")]
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as reason:
        return [(_SHAPE, f"the URL {shorten(url)} cannot be read: {reason}")]
    problems = [
        (
            "cmi5 8.1.0.0-6",
            f"the URL {shorten(url)} has its own query parameter '{name}', "
            "which the launch needs for itself; rename it",
        )
        for name in _reserved(parts.query)
    ]
    scheme = _SCHEME.match(url)
    if scheme is not None:
        problems += _absolute_problems(url, scheme[1].lower(), parts)
    elif not packaged:
        problems.append(
            (
                "cmi5 14.2.0.0-1",
                f"the URL {shorten(url)} is relative; without a package every URL needs scheme and host",
            )
        )
    else:
        problems += [("cmi5 14.1.0.0-4", message) for message in _relative_problems(url, parts, files)]
    return problems


def is_relative(url: str) -> bool:
    return _SCHEME.match(url) is None


def package_path(url: str) -> str | None:
    """The name of the file in the package that a relative URL means, None if it can mean none."""
    try:
        path = unquote(urlsplit(url).path, errors="strict")
    except ValueError:
        return None
    if not path or path.startswith("/") or "\\" in path or "\0" in path or ".." in path.split("/"):
        return None
    return posixpath.normpath(path)


def absolute_url(url: str, content_base: str) -> str:
    """The URL an AU is launched at, in ASCII. `content_base` is where the package's root is served.

    Own query and fragment stay as they are; nothing that is escaped already is escaped again.
    """
    if is_relative(url):
        return content_base.rstrip("/") + "/" + quote(url.removeprefix("./"), safe=_KEEP)
    if url.isascii():
        return url
    parts = urlsplit(url)
    ascii_host = "".join(
        part if part.isascii() else part.encode("idna").decode() for part in re.split(r"([@:])", parts.netloc)
    )
    return quote(parts._replace(netloc=ascii_host).geturl(), safe=_KEEP)


def shorten(text: str, limit: int = 120) -> str:
    """The text in quotes for a message, its end cut off where it is long."""
    return f"'{text}'" if len(text) <= limit else f"'{text[:limit]}…'"


def _reserved(query: str) -> list[str]:
    names = {name for name, _ in parse_qsl(query, keep_blank_values=True)}
    return [name for name in LAUNCH_URL_PARAMETERS if name in names]


def _absolute_problems(url: str, scheme: str, parts: SplitResult) -> list[tuple[str, str]]:
    if scheme in _UNSAFE_SCHEMES or len(scheme) == 1:
        return [
            (_SHAPE, f"the URL {shorten(url)} has the scheme '{scheme}', which no content is launched by")
        ]
    if scheme in ("http", "https"):
        if not url[len(scheme) :].startswith("://") or not parts.hostname:
            return [(_SHAPE, f"the URL {shorten(url)} names no host; expected {scheme}://host/…")]
    elif len(url) == len(scheme) + 1:
        return [(_SHAPE, f"the URL {shorten(url)} ends after its scheme")]
    try:
        absolute_url(url, "")
    except UnicodeError:
        return [(_SHAPE, f"the URL {shorten(url)} names a host that is no domain name")]
    return []


def _relative_problems(url: str, parts: SplitResult, files: PackageFiles | None) -> list[str]:
    if url.startswith("/"):
        return [
            f"the URL {shorten(url)} starts with '/'; "
            "write it relative to the package's root, without the slash, or with scheme and host"
        ]
    path = package_path(url)
    if path is None:
        return [f"the URL {shorten(url)} does not lead to a file inside the package"]
    if files is None or (path in files and not parts.path.endswith("/")):
        return []
    alike = files.alike(path)
    if alike is None:
        hint = "add it to the package, or give the URL scheme and host"
    else:
        hint = f"what is there is called {shorten(alike)}"
    return [f"the URL {shorten(url)} means the file {shorten(path)}, which is not in the package; {hint}"]


def _fold(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
