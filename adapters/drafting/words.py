"""What the keys and values of vendors' payloads usually say, from `words.yaml`."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import Any

from adapters.loading.yaml_source import plain, read_yaml
from adapters.vocabulary.terms import choices
from adapters.vocabulary.words import SHIPPED


def _read() -> dict[str, Any]:
    text = files("adapters.drafting").joinpath("words.yaml").read_text("utf-8")
    found = plain(read_yaml(text, "words.yaml"))
    assert isinstance(found, dict)
    return found


_WRITTEN = _read()
NOUNS = {noun: type for type, nouns in _WRITTEN["types"].items() for noun in nouns.split()}
_SAID = {said: verb for verb, all_said in _WRITTEN["verbs"].items() for said in all_said.split()}


@cache
def listed(name: str) -> tuple[str, ...]:
    """The words of one entry of the table, the likeliest first."""
    return tuple(_WRITTEN[name].split())


def parts_of(key: str) -> list[str]:
    """The words of a key, in lower case: `userId`, `user-id` and `user_id` are the same."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", key)
    return [part for part in re.split(r"[^A-Za-z0-9]+", apart.lower()) if part]


def snake(key: str) -> str:
    return "_".join(parts_of(key))


def kebab(text: str) -> str:
    """A name for a rule or file."""
    return "-".join(parts_of(text))[:60].strip("-") or "event"


def verb_of(kind: str) -> tuple[str, str] | None:
    """The verb that a kind of event such as `quiz.finished` stands for, and the part that said so.

    Of `enrollment.created` that is the enrolment: `created` counts where nothing else says what happened.
    """
    usual: dict[str, str] = choices()["usual"]["verbs"]
    parts = parts_of(kind)
    tried = [*reversed(parts), "".join(parts[-2:])]
    for part in sorted(tried, key=lambda one: one in listed("records")):
        for word in (_SAID.get(part), usual.get(part), part, f"{part}ed", f"{part}d"):
            if word is not None and word in SHIPPED.verbs and part not in NOUNS:
                return word, part
    return None


def noun_of(parts: list[str]) -> str | None:
    """What a kind of event or a key is about: the most particular of the nouns in it, also in the plural."""
    joined = ["_".join(parts[i : i + 2]) for i in range(len(parts) - 1)]
    endings = ("", "s", "es", "zes")
    found = {part.removesuffix(ending) for part in [*joined, *parts] for ending in endings}
    return next((noun for noun in NOUNS if noun in found), None)


def plural(noun: str) -> str:
    word = noun.replace("_", "-")
    if word.endswith("quiz"):
        return f"{word}zes"
    if word.endswith("y"):
        return f"{word[:-1]}ies"
    return f"{word}es" if word.endswith(("s", "x", "ch")) else f"{word}s"
