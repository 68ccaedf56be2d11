"""A mapping and its test file to start from, guessed from samples of a vendor's payloads. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from adapters.drafting import words
from adapters.drafting.cases import tests_of
from adapters.drafting.facts import Facts, Thing, facts_of, items_of
from adapters.drafting.model import Rule, Sample, scalar
from adapters.receive.presets import event_id_of

_URL = re.compile(r"https?://([a-z0-9.-]+\.[a-z]{2,})(?=[/:?#]|$)", re.I)


@dataclass(frozen=True, slots=True)
class Draft:
    """The two texts, what was guessed as (what, guess), and what somebody has to decide."""

    mapping: str
    tests: str
    guesses: tuple[tuple[str, str], ...]
    open: tuple[str, ...]


def draft(
    name: str, samples: Sequence[Sample], preset: str | None = None, home_page: str | None = None
) -> Draft:
    """Guess a mapping from at least one sample; each kind of event becomes a rule.

    `preset` is a known way of signing, `home_page` the vendor's address. Raises ValueError where a sample
    holds no JSON object.
    """
    rules: list[Rule] = []
    batch: str | None = None
    for sample in samples:
        found, items = items_of(sample.payload)
        if not items:
            raise ValueError(f"{sample.file} holds no JSON object, nor a list of them")
        batch = found or batch
        for item in items:
            facts = facts_of(item, "item" if found else "body")
            if facts.kind not in {one.facts.kind for one in rules}:
                taken = {one.name for one in rules}
                rules.append(Rule(_free(words.kebab(facts.kind or "all-events"), taken), facts, sample))
    writing = _Writing(name, rules, batch, preset, home_page or _home(name, [one.payload for one in samples]))
    mapping = "\n".join(writing.mapping()) + "\n"
    return Draft(
        mapping, tests_of(name, mapping, rules, samples), tuple(writing.guesses), tuple(writing.open)
    )


def _free(name: str, taken: set[str]) -> str:
    number = 2
    while name in taken:
        name, number = f"{name.rsplit('-', 1)[0] if number > 2 else name}-{number}", number + 1
    return name


def _home(name: str, payloads: list[Any]) -> str | None:
    """The vendor's address, where a sample holds a URL of a host that is called like the vendor."""
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    for match in _URL.finditer(json.dumps(payloads)):
        if plain in re.sub(r"[^a-z0-9]", "", match[1].lower()):
            return f"https://{match[1].lower()}"
    return None


class _Writing:
    """The lines of one mapping, with what was guessed on the way."""

    def __init__(
        self, name: str, rules: list[Rule], batch: str | None, preset: str | None, home: str | None
    ) -> None:
        self.name, self.rules, self.batch, self.preset = name, rules, batch, preset
        self.vendor = name.replace("-", " ").replace("_", " ").title()
        self.home = home or f"https://{words.kebab(name)}.example.com"
        self.guesses: list[tuple[str, str]] = []
        self.open: list[str] = []
        if home is None:
            self.open.append(f"source.home_page: {self.home} is made up; activities are named below it")
        self.people = _people(rules, name)

    def mapping(self) -> Iterator[str]:
        kinds = _count(len(self.rules), "kind")
        yield f"# {self.vendor}: guessed from {kinds} of event by `xapi-gateway mappings new`."
        yield "# Look at every line that says so, then delete the remark."
        yield f"adapter: {self.name}"
        yield ""
        yield "source:"
        yield f"  platform: {self.vendor}"
        made_up = "" if f"{self.name}.example.com" not in self.home else "  # made up: the vendor's address"
        yield f"  home_page: {self.home}{made_up}"
        yield "  language: en  # of the names in the payloads"
        if any(rule.facts.zoneless for rule in self.rules):
            yield "  timezone: UTC  # guessed: times in the sample have no zone"
            self.guesses.append(("time zone", "UTC: times in the sample have none"))
        yield ""
        yield from self.receive()
        yield ""
        if self.people:
            yield from self.identity()
            yield ""
        private = self.private()
        if private:
            yield "privacy:"
            yield "  drop:  # rules do not see these, and they are not stored"
            yield from (f"    - {one}" for one in private)
            yield ""
        yield "rules:"
        for number, rule in enumerate(self.rules):
            if number:
                yield ""
            yield from self.rule(rule)

    def receive(self) -> Iterator[str]:
        secret = re.sub(r"[^A-Z0-9]+", "_", self.name.upper()).strip("_") + "_SECRET"
        yield "receive:"
        yield "  verify:"
        if self.preset is not None:
            yield f"    - {self.preset}: {{ secret: \"${{ secret('{secret}') }}\" }}"
            self.guesses.append(("signature", f"preset {self.preset}; the secret is {secret}"))
        else:
            header = f"x-{words.kebab(self.name)}-signature"
            yield "    # Guessed, for the sample does not tell: HMAC-SHA256 of the body in a header. Others:"
            yield "    # docs/webhooks.md; `mappings new --preset NAME` knows some vendors."
            yield "    - hmac:"
            yield f"        secret: ${{ secret('{secret}') }}"
            yield f"        signature: {{ header: {header}, encoding: hex }}"
            self.open.append(
                f"receive.verify: how {self.vendor} signs; HMAC in {header} is a guess ({secret})"
            )
        if self.batch is not None:
            yield f"  batch: {self.batch}"
            self.guesses.append(("batch", f"one event for each of {self.batch}"))
        event_id = _union([rule.facts.event_id for rule in self.rules])
        known = event_id_of(self.preset) if self.preset is not None else None
        if known is not None:
            yield f"  event_id: {known}"
        elif event_id is not None:
            yield f"  event_id: ${{ {event_id} }}  # guessed: the same whenever one event is sent again"
            self.guesses.append(("event id", event_id))
        else:
            yield "  # event_id: none found; a retry is recognised by the content of its whole body"
            self.open.append("receive.event_id: nothing in the sample is an id of the event")

    def identity(self) -> Iterator[str]:
        yield "identity:"
        yield "  learner:"
        yield "    by:  # guessed, the best first: what your directory may know people by"
        for kind, expression in self.people:
            yield f"      - {kind}: ${{ {expression} }}"
        self.guesses.append(("people", ", ".join(f"{kind} {written}" for kind, written in self.people)))

    def private(self) -> list[str]:
        found = dict.fromkeys(path for rule in self.rules for path in rule.facts.private)
        used = " ".join(expression for _, expression in self.people)
        things = {one.name for rule in self.rules for one in (rule.facts.thing, rule.facts.within) if one}
        return [
            f"{{ path: {path}, for_identity_only: true }}" if path in used else path
            for path in found
            if path not in things
        ]

    def rule(self, rule: Rule) -> Iterator[str]:
        facts = rule.facts
        yield f"  - name: {rule.name}"
        if facts.kinds:
            pairs = ", ".join(f"{_key(path)}: {scalar(value)}" for path, value in facts.kinds)
            yield f"    match: {{ {pairs} }}"
            self.guesses.append(("kind of event", pairs))
        else:
            self.open.append(
                "match: nothing in the sample tells kinds of events apart, so the rule takes all"
            )
        known = (self.people, facts.thing, facts.time, words.verb_of(facts.kind), facts.results)
        yield "    statement:" if any(known) else "    statement: {}"
        if self.people:
            yield "      actor: ${ identity.learner }"
        else:
            yield "      # actor: nobody was found; name who learns under `identity:`"
            self.open.append(f"{rule.name}: actor, for the sample shows nobody")
        verb = words.verb_of(facts.kind)
        if verb is not None:
            said = "" if verb[0] == verb[1] else f"  # guessed of {_remark(verb[1])}"
            yield f"      verb: {verb[0]}{said}"
            self.guesses.append(("verb", f"{verb[0]}, of {verb[1]!r}"))
        else:
            yield "      # verb: a word of docs/mappings/vocabulary.md such as completed"
            self.open.append(f"{rule.name}: verb, for {_said(facts)} names none")
        yield from self.object(rule)
        results = [one for one in _once(facts.results) if one[0] != "progress"]
        progress = [one for one in facts.results if one[0] == "progress"]
        if results or progress:
            yield "      result:"
            yield from (f"        {key}: ${{ {expression} }}" for key, expression in results)
            self.guesses.extend(("result", f"{key} = {expression}") for key, expression in results)
        if progress:
            yield f'        extensions: {{ progress: "${{ {progress[0][1]} }}" }}  # a percentage, 0 to 100'
            self.guesses.append(("result", f"progress = {progress[0][1]}"))
        if facts.within is not None:
            yield "      context:"
            yield "        parent:"
            yield from self.activity(facts.within, "          ")
        if facts.time is not None:
            yield f"      timestamp: ${{ {facts.time} }}"
            self.guesses.append(("time", facts.time))
        else:
            yield "      # timestamp: none found; the time of receipt is used"
            self.open.append(f"{rule.name}: timestamp, or statements get the time of receipt")

    def object(self, rule: Rule) -> Iterator[str]:
        thing = rule.facts.thing
        if thing is None:
            yield "      # object: { id: https://…, type: … }  what it is about; nothing has an id"
            self.open.append(f"{rule.name}: object, for nothing in the sample has an id of its own")
            return
        yield "      object:"
        yield from self.activity(thing, "        ")
        self.guesses.append(
            ("object", f"{thing.id}, {words.NOUNS.get(thing.noun or '', 'of no known type')}")
        )

    def activity(self, thing: Thing, indent: str) -> Iterator[str]:
        if thing.is_iri:
            yield f"{indent}id: ${{ {thing.id} }}"
        else:
            yield f"{indent}id: {self.home}/{words.plural(thing.noun or 'item')}/${{ {thing.id} }}"
        if thing.noun is not None:
            yield f"{indent}type: {words.NOUNS[thing.noun]}"
        if thing.name is not None:
            yield f"{indent}name: ${{ {thing.name} }}"


def _said(facts: Facts) -> str:
    return repr(facts.kind) if facts.kind else "the sample"


def _people(rules: list[Rule], name: str) -> list[tuple[str, str]]:
    """The candidates of all rules: one expression a kind of identifier."""
    found: dict[str, list[str]] = {}
    own = words.kebab(name).replace("-", "_")
    for rule in rules:
        for kind, path in rule.facts.people:
            expression = f"{path} | lower" if kind == "email" else path
            found.setdefault(f"{own}_{kind}" if kind in ("id", "username") else kind, []).append(expression)
    return [(kind, one) for kind, listed in found.items() if (one := _joined(kind, listed)) is not None]


def _joined(kind: str, listed: list[str]) -> str | None:
    union = _union([one.removesuffix(" | lower") for one in listed])
    if union is None or kind != "email":
        return union
    return f"({union}) | lower" if " ?? " in union else f"{union} | lower"


def _union(paths: Sequence[str | None]) -> str | None:
    return " ?? ".join(dict.fromkeys(path for path in paths if path is not None)) or None


def _once(pairs: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    seen: dict[str, str] = {}
    for key, expression in pairs:
        seen.setdefault(key, expression)
    return list(seen.items())


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' if number != 1 else ''}"


def _key(path: str) -> str:
    return path if re.fullmatch(r"[\w.]+", path) else json.dumps(path)


def _remark(text: str) -> str:
    return json.dumps(text[:60], ensure_ascii=False)
