"""`fetch_back:`: what a thin notice leaves out and its vendor tells who asks. Pure: nothing is fetched here.

A mapping decides on a path below a connection that the gateway's settings name. Nothing of a payload can lead
elsewhere: what is inserted is percent-encoded, and steps out of the path are refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import quote

from adapters.expressions.compiler import compile_parsed
from adapters.expressions.environment import Closure, CompileError, Env, Origin
from adapters.expressions.scope import Scope
from adapters.expressions.values import EvaluationError, text
from adapters.loading.model import Block
from adapters.loading.yaml_source import Place, ScalarNode
from adapters.templates.closures import named
from adapters.templates.compiler import Templates
from adapters.templates.interpolation import Piece, parse_piece, pieces

LONGEST_PATH = 2_000  # characters, encoded
_LITERAL = re.compile(r"[A-Za-z0-9\-._~!$&'()*+,;=:@%/?]*")
_HALF_ENCODED = re.compile(r"%(?![0-9A-Fa-f]{2})")
_INSERTED = "\0"


@dataclass(frozen=True, slots=True)
class Wish:
    """A GET of `path` (with its query, encoded) below the base URL of a connection."""

    connection: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchBack:
    """The `fetch_back:` block: `parts` are fixed text and expressions. An `optional` one does without a
    connection. `batch` finds the items of what was fetched that are events themselves, `event_id` tells
    events apart by what was fetched.
    """

    connection: str
    parts: tuple[str | Closure, ...]
    when: Callable[[Scope], bool] | None
    batch: Closure | None
    event_id: Closure | None
    optional: bool
    place: Place

    def wish(self, scope: Scope) -> Wish | None:
        """What has to be fetched for an event, None for nothing; raises EvaluationError."""
        try:
            if self.when is not None and not self.when(scope):
                return None
            path = "".join(part if isinstance(part, str) else _encoded(part(scope)) for part in self.parts)
            if len(path) > LONGEST_PATH:
                raise EvaluationError(f"fetch_back.path: longer than {LONGEST_PATH} characters", code="R303")
        except EvaluationError as error:
            error.place = error.place or self.place
            raise
        return Wish(self.connection, path)


def _encoded(value: object) -> str:
    """A value as part of a path or query: whatever it holds, it stays within its segment."""
    written = "" if value is None else text(value)
    if not written:
        raise EvaluationError("fetch_back.path: a part of it is absent or empty", code="R303")
    if any(step in (".", "..") for step in re.split(r"[/\\]", written)):
        raise EvaluationError(f"fetch_back.path: {written[:40]!r} would lead elsewhere", code="R303")
    try:
        return quote(written, safe="")
    except UnicodeEncodeError:
        raise EvaluationError("fetch_back.path: a part of it is not UTF-8", code="R303") from None


def load(block: Block, templates: Templates, env: Env) -> FetchBack | None:
    """Compile the block; findings are reported. None where it is not given or wrong."""
    node, connection = block.scalar("path"), block.scalar("connection")
    if node is None or connection is None:
        return None
    try:
        parts = _parts(node, env)
    except CompileError as error:
        env.report(error.lint)
        return None
    when, batch_node, event_id = block.get("when"), block.get("batch"), block.get("event_id")
    fetched = replace(env, names=env.names | {"fetched", "item"})
    batch = templates.parsed(batch_node, fetched)[0] if batch_node is not None else None
    return FetchBack(
        connection=connection.text,
        parts=parts,
        when=templates.condition(when, env) if when is not None else None,
        batch=batch,
        event_id=named("fetch_back.event_id", templates.template(event_id, fetched), fetched)
        if event_id is not None
        else None,
        optional=block.flag("optional", default=False),
        place=node.place,
    )


def _parts(node: ScalarNode, env: Env) -> tuple[str | Closure, ...]:
    found = pieces(node)
    shape = "".join(part if isinstance(part, str) else _INSERTED for part in found)
    problem = _problem(shape)
    if problem is not None:
        raise CompileError(node.place.lint("E111", f"fetch_back.path {problem}"))
    return tuple(
        compile_parsed(parse_piece(node, part), Origin(node, part.offset), env)
        if isinstance(part, Piece)
        else part
        for part in found
    )


def _problem(shape: str) -> str | None:
    """What is wrong with the fixed parts of a path."""
    path = shape.partition("?")[0]
    segments = path.split("/")
    if not path.startswith("/") or path == "/":
        return f"begins with one / and goes on below the connection's base_url, got {_shown(shape)}"
    if "" in segments[1:-1] or any(_is_dots(segment) for segment in segments):
        return f"has neither // nor . nor .. in it, got {_shown(shape)}"
    # A dot beside what is inserted could make `..` of another one.
    if any(set(segment) == {".", _INSERTED} for segment in segments):
        return f"needs more than dots beside what is inserted, got {_shown(shape)}"
    if not _LITERAL.fullmatch(shape.replace(_INSERTED, "")) or _HALF_ENCODED.search(shape):
        return "is written with the characters of URLs; others are percent-encoded, and # has no place in it"
    return None


def _is_dots(segment: str) -> bool:
    return re.sub(r"%2e", ".", segment, flags=re.IGNORECASE) in (".", "..")


def _shown(shape: str) -> str:
    return repr(shape.replace(_INSERTED, "${…}"))
