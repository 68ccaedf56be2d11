"""`xapi-gateway mappings words`: what a mapping may write for a verb, an activity type or an extension."""

from __future__ import annotations

import click

from adapters.linting.findings import suggest
from adapters.vocabulary.terms import Term, choices
from adapters.vocabulary.words import SHIPPED
from gateway.cli.output import as_json_option, print_json, print_table


@click.command("words")
@click.argument("texts", nargs=-1, metavar="[TEXT]...")
@click.option("--kind", type=click.Choice(["verb", "type", "extension"]), help="Only these.")
@as_json_option
def words(texts: tuple[str, ...], kind: str | None, as_json: bool) -> None:
    """Find words of the vocabulary; all of them when no TEXT is given.

    Each TEXT has to be in the word, in what it says, or in its IRI; `finished` finds `completed`, too.
    """
    found = [
        term
        for term in SHIPPED.terms.values()
        if (kind is None or term.kind == f"{kind}s") and all(_fits(term, text.lower()) for text in texts)
    ]
    if not found:
        known = [term.word for term in SHIPPED.terms.values()]
        raise click.ClickException(f"no word fits {' '.join(texts)!r}{suggest(' '.join(texts), known)}")
    found.sort(key=lambda term: (not _means(term, texts), "." in written(term), term.kind, written(term)))
    if as_json:
        print_json([_json(term) for term in found])
        return
    rows = [(written(term), _use(term), term.means, term.profile.name, term.iri) for term in found]
    print_table(("word", "for", "says", "profile", "IRI"), rows)


def written(term: Term) -> str:
    """The shortest word that means a term wherever it may stand."""
    if term.kind == "extensions":
        known = [SHIPPED.extensions[where] for where in term.where]
    else:
        known = [SHIPPED.verbs if term.kind == "verbs" else SHIPPED.types]
    for word in [term.word, *(word for word, iri in known[0].items() if iri == term.iri)]:
        if all(one.get(word) == term.iri for one in known):
            return word
    return term.qualified


def _said(term: Term) -> list[str]:
    """The word itself, and what vendors say for it."""
    usual = choices()["usual"].get(term.kind, {})
    word = written(term)
    return [word, *(said for said, meant in usual.items() if meant == word)]


def _means(term: Term, texts: tuple[str, ...]) -> bool:
    """Whether one of the texts is exactly a word for the term."""
    return not set(_said(term)).isdisjoint(texts)


def _fits(term: Term, text: str) -> bool:
    told = (term.qualified, term.means, term.iri, *_said(term))
    return any(text in one.lower() for one in told)


def _use(term: Term) -> str:
    return ", ".join(term.where) or term.kind.removesuffix("s")


def _json(term: Term) -> dict[str, object]:
    return {
        "word": written(term),
        "kind": term.kind.removesuffix("s"),
        "where": list(term.where),
        "iri": term.iri,
        "name": term.name,
        "means": term.means,
        "profile": {"name": term.profile.name, "iri": term.profile.iri, "version": term.profile.version},
    }
