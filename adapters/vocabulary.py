"""Words for verbs and activity types, and the IRIs they stand for. Performs no I/O after import."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files

from adapters.lints import suggest
from adapters.yaml_source import MapNode, plain, read_yaml

# What vendors say, and the word of the profiles for it.
_USUAL = {
    "finished": "completed",
    "done": "completed",
    "began": "initialized",
    "graded": "scored",
    "marked": "scored",
    "enrolled": "registered",
    "unenrolled": "unregistered",
    "visited": "viewed",
    "entered": "joined",
    "quit": "left",
    "achieved": "earned",
    "awarded": "earned",
    "quiz": "assessment",
    "exam": "assessment",
    "test": "assessment",
    "unit": "module",
    "forum": "discussion",
    "thread": "discussion",
    "live-session": "meeting",
}


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """`verbs` and `types` map words to IRIs; `displays` maps a verb's IRI to its word.

    `aliases` maps an IRI that is in use to the one that the profiles define.
    """

    verbs: Mapping[str, str]
    types: Mapping[str, str]
    aliases: Mapping[str, str]
    displays: Mapping[str, str] = field(default_factory=dict)

    def extended(self, verbs: Mapping[str, str], types: Mapping[str, str]) -> Vocabulary:
        """This vocabulary with a mapping's own words."""
        return build({**self.verbs, **verbs}, {**self.types, **types}, self.aliases)


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


def nearest(word: str, known: Mapping[str, str]) -> str:
    """`; did you mean 'x'?` for a word people use for one of the vocabulary, or for one spelt like it."""
    usual = _USUAL.get(word.lower().replace("_", "-"))
    return f"; did you mean {usual!r}?" if usual in known else suggest(word, known)


def build(verbs: Mapping[str, str], types: Mapping[str, str], aliases: Mapping[str, str]) -> Vocabulary:
    """Make a vocabulary; a verb's display is its word with spaces for hyphens, the first one listed."""
    displays: dict[str, str] = {}
    for word, iri in verbs.items():
        displays.setdefault(iri, word.replace("-", " "))
    return Vocabulary(dict(verbs), dict(types), dict(aliases), displays)


def _shipped() -> Vocabulary:
    text = files("adapters").joinpath("vocabulary.yaml").read_text("utf-8")
    node = read_yaml(text, "vocabulary.yaml")
    assert isinstance(node, MapNode)
    parts = plain(node)
    return build(parts["verbs"], parts["types"], parts["aliases"])


SHIPPED = _shipped()
