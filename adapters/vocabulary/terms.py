"""What the published profiles define: verbs, activity types and extensions, with where each comes from.

The facts stand in `adapters/vocabulary/profiles/`, one file a profile, in our own words. Performs no I/O
after import.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from adapters.loading.yaml_source import plain, read_yaml

Kind = Literal["verbs", "types", "extensions"]
Where = Literal["activity", "context", "result"]

KINDS: tuple[Kind, ...] = ("verbs", "types", "extensions")
WHERE: tuple[Where, ...] = ("activity", "context", "result")


@dataclass(frozen=True, slots=True)
class Profile:
    """A published set of terms. `key` is what its words are qualified with, `see` a page about it."""

    key: str
    name: str
    iri: str
    version: str
    by: str
    see: str | None


@dataclass(frozen=True, slots=True)
class Term:
    """One verb, activity type or extension.

    `name` is what people read, in English; `means` is a sentence. `where` says which `extensions` the term
    belongs into, and is empty for verbs and types.
    """

    profile: Profile
    kind: Kind
    word: str
    iri: str
    name: str
    means: str
    where: tuple[Where, ...] = ()

    @property
    def qualified(self) -> str:
        """The word that only this term has, such as `video.played`."""
        return f"{self.profile.key}.{self.word}"


@cache
def shipped(key: str) -> tuple[Profile, tuple[Term, ...]]:
    """A profile that is shipped, with its terms in the order of its file."""
    written = _data(f"profiles/{key}.yaml")
    profile = Profile(
        key=key,
        name=written["name"],
        iri=written["iri"],
        version=written["version"],
        by=written["by"],
        see=written.get("see"),
    )
    return profile, tuple(term for kind in KINDS for term in _terms(profile, kind, written.get(kind) or {}))


def _terms(profile: Profile, kind: Kind, written: dict[str, Any]) -> Iterator[Term]:
    for word, facts in written.items():
        places = facts.get("in") or ()
        yield Term(
            profile=profile,
            kind=kind,
            word=word,
            iri=facts["iri"],
            name=facts.get("name") or word.replace("-", " "),
            means=facts["means"],
            where=tuple(one for one in WHERE if one == places or one in places),
        )


@cache
def choices() -> dict[str, Any]:
    """Which term a bare word stands for, what people say instead, and IRIs that are in use by mistake."""
    return _data("words.yaml")


def _data(path: str) -> dict[str, Any]:
    found = plain(read_yaml(files("adapters.vocabulary").joinpath(path).read_text("utf-8"), path))
    assert isinstance(found, dict)
    return found
