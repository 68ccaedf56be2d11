"""Choosing one entry of a language map by Accept-Language (RFC 9110 §12.5.4, xAPI Communication §2.1.3).

Performs no I/O and never fails: what cannot be read in a header counts as not sent, and a map with entries
always gives one.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

_RANGE: Final = re.compile(
    r"(?P<tag>\*|[A-Za-z]{1,8}(?:-[0-9A-Za-z]{1,8})*)"
    r"(?:[\t ]*;[\t ]*[Qq][\t ]*=[\t ]*(?P<quality>0(?:\.[0-9]{0,9})?|1(?:\.0{0,9})?))?"
)
# Browsers send fewer than twenty; every range is compared with every tag of every map.
_MAX_RANGES: Final = 100


@dataclass(frozen=True, slots=True)
class Languages:
    """What a reader asked for: lower-case ranges, best first, and those refused with `q=0`."""

    wanted: tuple[str, ...] = ()
    refused: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, header: str | None) -> Languages:
        """Reads an Accept-Language header. Ranges of equal weight keep their order."""
        weighted: list[tuple[float, str]] = []
        refused: set[str] = set()
        for piece in (header or "").split(",")[:_MAX_RANGES]:
            match = _RANGE.fullmatch(piece.strip(" \t"))
            if match is None:
                continue
            tag, quality = match["tag"].lower(), float(match["quality"] or 1)
            if quality:
                weighted.append((quality, tag))
            else:
                refused.add(tag)
        weighted.sort(key=lambda pair: -pair[0])
        return cls(tuple(dict.fromkeys(tag for _, tag in weighted)), frozenset(refused))

    def choose(self, tags: Collection[str]) -> str | None:
        """The best of the tags, spelled as it is there; None only when there are none.

        In the order of the ranges: the tag itself, a more specific one (`en` finds `en-GB`), a less specific
        one (`en-GB` finds `en`). Failing all ranges, another variety of a wanted language (`en-US` finds
        `en-GB`), then the first tag that was not refused, then the first.
        """
        if not tags:
            return None
        if len(tags) == 1:
            return next(iter(tags))
        candidates: dict[str, str] = {}
        for tag in tags:
            if not self.refused or not self._refuses(tag.lower()):
                candidates.setdefault(tag.lower(), tag)
        for wanted in self.wanted:
            if wanted == "*":
                found = next((tag for tag in candidates if not self._names(tag)), None)
            else:
                found = _lookup(wanted, candidates)
            if found is not None:
                return candidates[found]
        for wanted in self.wanted:
            language = wanted.partition("-")[0]
            for tag, spelled in candidates.items():
                if tag.partition("-")[0] == language:
                    return spelled
        return next(iter(candidates.values()), next(iter(tags)))

    def reduce(self, language_map: Mapping[str, Any]) -> dict[str, Any]:
        """The map with only its best entry; an empty one stays empty."""
        chosen = self.choose(language_map.keys())
        return {} if chosen is None else {chosen: language_map[chosen]}

    def _names(self, tag: str) -> bool:
        """Is the tag covered by a range other than `*`? Then `*` does not speak for it (RFC 4647 §3.3.1)."""
        return any(_covers(wanted, tag) for wanted in self.wanted)

    def _refuses(self, tag: str) -> bool:
        """Does the longest range that covers the tag refuse it (`en;q=0` does, unless `en-GB` is wanted)?"""
        refusing = max((len(range_) for range_ in self.refused if _covers(range_, tag)), default=0)
        wanting = max((len(range_) for range_ in self.wanted if _covers(range_, tag)), default=0)
        if refusing == wanting == 0:
            return "*" in self.refused
        return refusing > wanting


def _covers(range_: str, tag: str) -> bool:
    return tag == range_ or tag.startswith(f"{range_}-")


def _lookup(wanted: str, candidates: Mapping[str, str]) -> str | None:
    if wanted in candidates:
        return wanted
    for tag in candidates:
        if tag.startswith(f"{wanted}-"):
            return tag
    while "-" in wanted:
        wanted = wanted.rpartition("-")[0]
        if wanted in candidates:
            return wanted
    return None
