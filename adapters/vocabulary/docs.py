"""The page of all words, made from the data.

python -m adapters.vocabulary.docs > docs/mappings/vocabulary.md
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from adapters.vocabulary.terms import KINDS, Kind, Profile, Term, choices, shipped
from adapters.vocabulary.words import SHIPPED

_TITLES: dict[Kind, str] = {"verbs": "Verbs", "types": "Activity types", "extensions": "Extensions"}


def page() -> str:
    """The page of all words."""
    lines = [
        "# Vocabulary",
        "",
        "The words a mapping may write instead of IRIs: what the published xAPI profiles define, said in a "
        "sentence. Made from",
        "the data in `adapters/vocabulary/profiles/` by `python -m adapters.vocabulary.docs`; do not edit.",
        "",
        "```yaml",
        "statement:",
        "  verb: answered                     # a verb",
        "  object:",
        "    id: https://quizly.example.com/questions/7",
        "    type: question                   # an activity type",
        "    extensions: { total-items: 12 }  # an extension of activities",
        "  result:",
        "    extensions: { progress: 40 }     # an extension of results",
        "```",
        "",
        "* A word means the same everywhere; for extensions that is what the profiles define for that place. "
        "Where several",
        "  profiles have a word, the one without a prefix is the first of the order below.",
        "* Every term also has a word that only it has, with its profile in front: `video.progress`, "
        "`activitystreams.completed`.",
        "* Words of profiles for one purpose are always written so: `dod-isd.briefed`.",
        "* A mapping's own words stand under `vocabulary:`; any IRI may be written out instead of a word.",
        "",
        "Statements get the IRI, and for verbs the display in English, `logged in` for `logged-in`.",
        "",
        "## Profiles",
        "",
        "| prefix | profile | version | by | terms |",
        "|---|---|---|---|---|",
        *(
            f"| `{one.key}` | {_link(one)} | {one.version} | {one.by} | {len(shipped(one.key)[1])} |"
            for one in SHIPPED.profiles
        ),
    ]
    for kind in KINDS:
        lines += ["", f"## {_TITLES[kind]}", "", *_table(_bare(kind), lambda term: term.word)]
    lines += ["", "## Words written with their profile in front"]
    for profile in SHIPPED.profiles:
        terms = [term for term in shipped(profile.key)[1] if term not in set(_bare(term.kind))]
        if terms:
            lines += ["", f"### {profile.name}", "", *_table(terms, lambda term: term.qualified)]
    return "\n".join(lines) + "\n"


def _link(profile: Profile) -> str:
    return f"[{profile.name}]({profile.see or profile.iri})"


def _bare(kind: Kind) -> list[Term]:
    """The terms that a word without a prefix means, in the order of the words."""
    order = [term for key in choices()["general"] for term in shipped(key)[1] if term.kind == kind]
    chosen = [term for key in choices()["special"] for term in shipped(key)[1] if term.kind == kind]
    found = [term for term in (*order, *chosen) if any(_means(term))]
    return sorted(found, key=lambda term: (term.word, term.where))


def _means(term: Term) -> Iterator[str]:
    words = (
        [SHIPPED.extensions[where] for where in term.where]
        if term.kind == "extensions"
        else [SHIPPED.verbs if term.kind == "verbs" else SHIPPED.types]
    )
    for known in words:
        yield from (word for word, iri in known.items() if iri == term.iri and word != term.qualified)


def _table(terms: Iterable[Term], word: Callable[[Term], str]) -> list[str]:
    lines = ["| word | for | what it says | profile | IRI |", "|---|---|---|---|---|"]
    for term in terms:
        written = sorted(set(_means(term))) or [word(term)]
        use = ", ".join(term.where) or ("verb" if term.kind == "verbs" else "type")
        words = ", ".join(f"`{one}`" for one in written)
        lines.append(f"| {words} | {use} | {term.means} | {term.profile.key} | {term.iri} |")
    return lines


if __name__ == "__main__":
    print(page(), end="")  # noqa: T201
