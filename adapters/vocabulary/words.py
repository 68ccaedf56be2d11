"""Words for verbs, types and extensions, and the IRIs they stand for. Performs no I/O after import."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache

from adapters.linting.findings import suggest
from adapters.vocabulary.terms import WHERE, Kind, Profile, Term, Where, choices, shipped

_SHARED_HOSTS = {"w3id.org": 2}  # how many parts of the path belong to whoever defines terms there
_ALIKE = 0.9
_SINGULAR: dict[Kind, str] = {"verbs": "a verb", "types": "an activity type", "extensions": "an extension"}


@dataclass(frozen=True, slots=True)
class Doubt:
    """A sentence about an IRI, and the IRI that is probably meant."""

    message: str
    meant: str | None = None

    @property
    def help(self) -> str | None:
        return f"did you mean {self.meant} ?" if self.meant else None


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """`verbs` and `types` map words to IRIs, `extensions` does for each place where extensions stand.

    Each term also has a word that is qualified with its profile. `displays` maps a verb's IRI to what people
    read, `aliases` an IRI that is in use to the one that the profiles define, `terms` each IRI to its term.
    """

    verbs: Mapping[str, str]
    types: Mapping[str, str]
    extensions: Mapping[Where, Mapping[str, str]]
    aliases: Mapping[str, str]
    displays: Mapping[str, str]
    terms: Mapping[str, Term]
    profiles: tuple[Profile, ...]

    def extended(
        self, verbs: Mapping[str, str], types: Mapping[str, str], extensions: Mapping[str, str]
    ) -> Vocabulary:
        """This vocabulary with a mapping's own words; its extensions may stand everywhere."""
        own = {iri: word.replace("-", " ") for word, iri in reversed(list(verbs.items()))}
        return replace(
            self,
            verbs={**self.verbs, **verbs},
            types={**self.types, **types},
            extensions={where: {**known, **extensions} for where, known in self.extensions.items()},
            displays={**own, **self.displays},
        )

    def elsewhere(self, word: str) -> Term | None:
        """The extension that a word stands for in another place."""
        found = (known[word] for known in self.extensions.values() if word in known)
        return self.terms.get(next(found, ""))

    def doubt(self, iri: str, kind: Kind) -> Doubt | None:
        """What is odd about an IRI that somebody wrote out.

        None where a profile or the mapping itself defines it, or where nobody we know does so.
        """
        term = self.terms.get(iri)
        if term is not None:
            wrong = f"{iri} is {_SINGULAR[term.kind]} of the {term.profile.name}, not {_SINGULAR[kind]}"
            return Doubt(wrong) if term.kind != kind else None
        known = (self.verbs, self.types, *self.extensions.values())
        if iri in self.aliases or any(iri in words.values() for words in known):
            return None
        owned = _owned(kind)
        owner = _owner(iri)
        if owner not in owned:
            near = difflib.get_close_matches("/".join(owner), ["/".join(one) for one in owned], 1, _ALIKE)
            owner = tuple(near[0].split("/")) if near else ()
            close = _closest(iri, owned.get(owner, ()))
            return Doubt(f"no profile we know defines {iri}", close) if close else None
        return Doubt(f"no profile we know defines {iri}", _closest(iri, owned[owner]))


def _closest(iri: str, known: Iterable[str]) -> str | None:
    """The IRI that is the same but for scheme and case, or whose last part is spelt alike."""
    same = next((one for one in known if _bare(one) == _bare(iri)), None)
    ends = {_bare(one).rpartition("/")[2]: one for one in known}
    near = difflib.get_close_matches(_bare(iri).rpartition("/")[2], list(ends), 1, 0.7)
    return same or (ends[near[0]] if near else None)


def _bare(iri: str) -> str:
    return iri.lower().partition("://")[2].removeprefix("www.").rstrip("/#")


def _owner(iri: str) -> tuple[str, ...]:
    """The part of an IRI that belongs to whoever defines terms there."""
    host, *path = _bare(iri).split("/")
    return (host, *path[: _SHARED_HOSTS.get(host, 0)])


@cache
def _owned(kind: Kind) -> Mapping[tuple[str, ...], tuple[str, ...]]:
    """The IRIs of one kind by who defines them; owners that define none of this kind are there, too."""
    found: dict[tuple[str, ...], tuple[str, ...]] = {}
    for term in SHIPPED.terms.values():
        owner = _owner(term.iri)
        found[owner] = (*found.get(owner, ()), *((term.iri,) if term.kind == kind else ()))
    return found


def is_iri(word: str) -> bool:
    """Whether a word is an absolute IRI rather than a word of the vocabulary."""
    scheme, colon, rest = word.partition(":")
    return bool(
        colon
        and rest
        and scheme[:1].isalpha()
        and scheme.isascii()
        and scheme.replace("+", "").replace("-", "").replace(".", "").isalnum()
        and not any(character.isspace() for character in word)
    )


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` for a word people use for one of the vocabulary, or for one spelt like it."""
    known = list(known)
    wanted = word.lower().replace("_", "-").replace(" ", "-")
    usual = {**choices()["usual"]["verbs"], **choices()["usual"]["types"]}.get(wanted)
    if usual in known:
        return f"; did you mean {usual!r}?"
    if wanted in known:
        return f"; did you mean {wanted!r}?"
    qualified = next((one for one in known if one.endswith(f".{wanted}")), None)
    if qualified is not None:
        return f"; did you mean {qualified!r}?"
    return suggest(word, known if "." in word else [one for one in known if "." not in one])


def _first(terms: Iterable[Term], bare: Mapping[str, str]) -> dict[str, str]:
    """Words to IRIs: chosen ones, then those of the first profile that has them, then qualified ones."""
    terms = list(terms)
    qualified = {term.qualified: term.iri for term in terms}
    general = frozenset(choices()["general"])
    words = {word: qualified[one] for word, one in bare.items()}
    for term in terms:
        if term.profile.key in general:
            words.setdefault(term.word, term.iri)
    return {**dict(sorted(words.items())), **qualified}


def _shipped() -> Vocabulary:
    read = [shipped(key) for key in (*choices()["general"], *choices()["special"])]
    terms = [term for _, found in read for term in found]
    of = {kind: [term for term in terms if term.kind == kind] for kind in ("verbs", "types", "extensions")}
    displays: dict[str, str] = {}
    by_iri: dict[str, Term] = {}
    for term in terms:
        by_iri.setdefault(term.iri, term)
        if term.kind == "verbs":
            displays.setdefault(term.iri, term.name)
    return Vocabulary(
        verbs=_first(of["verbs"], choices()["bare"]["verbs"]),
        types=_first(of["types"], choices()["bare"]["types"]),
        extensions={
            where: _first((term for term in of["extensions"] if where in term.where), {}) for where in WHERE
        },
        aliases=choices()["aliases"],
        displays=displays,
        terms=by_iri,
        profiles=tuple(profile for profile, _ in read),
    )


SHIPPED = _shipped()
