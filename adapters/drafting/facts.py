"""What a sample of a vendor's payloads probably says: the guesses behind `mappings new`. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from adapters.drafting import words
from adapters.drafting.leaves import Leaf, leaves, objects, path
from adapters.drafting.results import results_of, time_of
from adapters.drafting.words import parts_of, snake
from adapters.templates.personal import is_personal

_KIND = re.compile(r"[A-Za-z][\w.:/-]{0,79}")


@dataclass(frozen=True, slots=True)
class Thing:
    """What an event is about: a noun, where its id and name are, and what the id looks like."""

    noun: str | None
    id: str
    name: str | None
    is_iri: bool


@dataclass(frozen=True, slots=True)
class Facts:
    """The guesses about one event; paths are expressions below `root`, which is `body` or `item`."""

    root: str
    kinds: tuple[tuple[str, str], ...]
    event_id: str | None
    time: str | None
    zoneless: bool
    people: tuple[tuple[str, str], ...]
    thing: Thing | None
    within: Thing | None
    results: tuple[tuple[str, str], ...]
    private: tuple[str, ...]

    @property
    def kind(self) -> str:
        """All parts of the event's kind, such as `enrollment.created`."""
        return ".".join(value for _, value in self.kinds)


def items_of(payload: Any) -> tuple[str | None, list[dict[str, Any]]]:
    """The path of a batch's list, or None, and the events."""
    if isinstance(payload, list):
        return "body", [one for one in payload if isinstance(one, dict)]
    if not isinstance(payload, dict):
        return None, []
    if not _kinds(list(leaves(payload))):
        for key in payload:
            found = payload[key]
            if (
                snake(key) in words.listed("lists")
                and isinstance(found, list)
                and found
                and isinstance(found[0], dict)
            ):
                return path("body", (key,)), [one for one in found if isinstance(one, dict)]
    return None, [payload]


def facts_of(event: dict[str, Any], root: str) -> Facts:
    """Everything that can be guessed of one event."""
    found = list(leaves(event))
    kinds = _kinds(found)
    emails, people, person = _people(event, found)
    thing, within = _things(event, root, [value for _, value in kinds], person)
    verb = words.verb_of(".".join(value for _, value in kinds))
    time, zoneless = time_of(found, root, verb[0] if verb is not None else None)
    known = {leaf.keys for leaf in emails}
    private = tuple(
        path(root, leaf.keys)
        for leaf in found
        if leaf.keys in known or is_personal(leaf.keys[-1]) or leaf.has("private") or _is_name(leaf, person)
        if all(re.fullmatch(r"\w+", key) for key in leaf.keys)
    )
    return Facts(
        root=root,
        kinds=tuple((path(root, leaf.keys), value) for leaf, value in kinds),
        event_id=next((path(root, leaf.keys) for leaf in _ranked(found, words.listed("ids"), 2)), None),
        time=time,
        zoneless=zoneless,
        people=tuple((kind, path(root, leaf.keys)) for kind, leaf in people),
        thing=thing,
        within=within,
        results=tuple(results_of(found, root)),
        private=private,
    )


def _ranked(found: list[Leaf], names: tuple[str, ...], deepest: int) -> list[Leaf]:
    """The values whose key is one of the names: near the top first, then in the order of the names."""
    fitting = [leaf for leaf in found if leaf.last in names and len(leaf.keys) <= deepest]
    fitting = [
        leaf
        for leaf in fitting
        if len(leaf.keys) == 1 or leaf.last not in ("id", "uuid", "guid") or _envelope(leaf.keys[0])
    ]
    return sorted(fitting, key=lambda leaf: (names.index(leaf.last), len(leaf.keys)))


def _envelope(key: str) -> bool:
    return snake(key) in words.listed("envelopes")


def _kinds(found: list[Leaf]) -> list[tuple[Leaf, str]]:
    """What tells kinds of events apart: one value, or what happened beside what it happened to."""
    fitting: list[tuple[tuple[int, int, int], Leaf]] = []
    for leaf in found:
        if leaf.last not in words.listed("kinds") or len(leaf.keys) > 2 or not isinstance(leaf.value, str):
            continue
        if len(leaf.keys) == 2 and not _envelope(leaf.keys[0]):
            continue
        if _KIND.fullmatch(leaf.value):
            composed = 0 if re.search(r"[._:/-]", leaf.value) or words.verb_of(leaf.value) else 1
            fitting.append(((composed, len(leaf.keys), words.listed("kinds").index(leaf.last)), leaf))
    if not fitting:
        return []
    best = min(fitting, key=lambda one: one[0])[1]
    if best.last == "action":
        beside = [
            leaf
            for leaf in found
            if leaf.keys[:-1] == best.keys[:-1]
            and leaf.last in words.listed("subjects")
            and isinstance(leaf.value, str)
        ]
        return [(leaf, leaf.value) for leaf in [*beside[:1], best]]
    return [(best, best.value)]


def _people(
    event: dict[str, Any], found: list[Leaf]
) -> tuple[list[Leaf], list[tuple[str, Leaf]], tuple[str, ...] | None]:
    """The e-mail addresses, the candidates for an identity, and where the person is an object of its own."""
    inside = [
        (words.listed("people").index(snake(keys[-1])), len(keys), keys)
        for keys, _ in objects(event)
        if snake(keys[-1]) in words.listed("people")
    ]
    emails: list[Leaf] = []
    ids: list[tuple[str, Leaf]] = []
    person: tuple[str, ...] | None = None
    for _, _, keys in sorted(inside):
        own = [leaf for leaf in found if leaf.keys[:-1] == keys]
        emails = [leaf for leaf in own if _is_email(leaf)]
        ids = [("id", leaf) for name in words.listed("person_ids") for leaf in own if leaf.last == name]
        if emails or ids:
            person = keys
            break
    if person is None:
        emails = [leaf for leaf in found if _is_email(leaf)]
        whose = [f"{one}_{suffix}" for one in words.listed("people") for suffix in ("id", "uuid", "username")]
        ids = [("id", leaf) for name in whose for leaf in found if leaf.last == name][:1]
    candidates = [("email", leaf) for leaf in emails[:1]]
    for _, leaf in ids:
        external = leaf.last in ("external_id", "employee_id", "employee_number")
        named = "username" if leaf.last in ("username", "login", "user_name") else "id"
        kind = leaf.last if external else named
        if kind not in {known for known, _ in candidates}:
            candidates.append((kind, leaf))
    return emails, candidates, person


def _is_email(leaf: Leaf) -> bool:
    return (
        isinstance(leaf.value, str)
        and "@" in leaf.value
        and {"email", "mail"} & set(parts_of(leaf.keys[-1])) != set()
    )


def _is_name(leaf: Leaf, person: tuple[str, ...] | None) -> bool:
    return person is not None and leaf.keys[:-1] == person and "name" in parts_of(leaf.keys[-1])


def _things(
    event: dict[str, Any], root: str, kinds: list[str], person: tuple[str, ...] | None
) -> tuple[Thing | None, Thing | None]:
    """What the event is about, and what that is part of."""
    wanted = words.noun_of(parts_of(".".join(kinds)))
    order = list(words.NOUNS)
    found: list[tuple[int, int, Thing]] = []
    for keys, inner in [((), event), *objects(event)]:
        if person is not None and keys[: len(person)] == person:
            continue
        if keys and snake(keys[-1]) in words.listed("people"):
            continue
        noun = words.noun_of(parts_of(keys[-1])) if keys else None
        thing = _thing(inner, root, keys, noun)
        if thing is not None and keys and (noun or thing.name):
            noun = noun or wanted
            rank = -1 if noun == wanted and noun else order.index(noun) if noun else len(order)
            found.append((rank, len(keys), Thing(noun, thing.id, thing.name, thing.is_iri)))
        for noun, flat in _flat(inner, root, keys):
            rank = -1 if noun == wanted else order.index(noun)
            found.append((rank, len(keys), flat))
    found.sort(key=lambda one: one[:2])
    if not found:
        return None, None
    best = found[0][2]
    rest = [
        one for _, _, one in found[1:] if one.noun in words.listed("containers") and one.noun != best.noun
    ]
    return best, rest[0] if rest and best.noun != "course" else None


def _thing(inner: dict[str, Any], root: str, keys: tuple[str, ...], noun: str | None) -> Thing | None:
    by = {snake(key): key for key in inner if isinstance(inner[key], (str, int)) and inner[key] != ""}
    ids = (f"{noun}_id", *words.listed("thing_ids"))
    id_key = next((by[name] for name in ids if name in by), None)
    name_key = next(
        (by[name] for name in (*words.listed("names"), f"{noun}_title", f"{noun}_name") if name in by), None
    )
    if id_key is None:
        return None
    name = path(root, (*keys, name_key)) if name_key is not None else None
    is_iri = isinstance(inner[id_key], str) and inner[id_key].startswith(("http://", "https://"))
    return Thing(noun, path(root, (*keys, id_key)), name, is_iri)


def _flat(inner: dict[str, Any], root: str, keys: tuple[str, ...]) -> Iterator[tuple[str, Thing]]:
    """Things that are spread over keys such as `course_id` and `course_title`."""
    by = {snake(key): key for key in inner if isinstance(inner[key], (str, int))}
    for noun in words.NOUNS:
        id_key = by.get(f"{noun}_id", by.get(f"{noun}_code"))
        if id_key is not None and (not keys or words.noun_of(parts_of(keys[-1])) != noun):
            name = next((by[f"{noun}_{one}"] for one in words.listed("names") if f"{noun}_{one}" in by), None)
            shown = path(root, (*keys, name)) if name is not None else None
            yield noun, Thing(noun, path(root, (*keys, id_key)), shown, is_iri=False)
