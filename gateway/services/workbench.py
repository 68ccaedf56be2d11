"""Mapping texts for people: read with their findings, tested, compared, tried before they are in use.

All of it is pure work of the processor, so it runs in a thread, one piece at a time, and nobody waits for it
longer than `LONGEST` seconds. Nothing is stored, and a text that is tried knows nobody: it sees neither the
directory nor the key of pseudonyms.
"""

from __future__ import annotations

import asyncio
import contextlib
import difflib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from adapters import Lint, Lookups, MappingError
from adapters import Mapping as AdapterMapping
from adapters.linting.linting import lint
from adapters.loading.files import TEST_SUFFIX, load_file, read_text, reader
from adapters.loading.loader import load_mapping
from adapters.testing.coverage import Coverage, Observed
from adapters.testing.coverage import coverage as measure
from adapters.testing.running import CaseResult, run_tests
from gateway import resources
from gateway.errors import Conflict, Invalid, NotFound, Problem, Unavailable
from gateway.services.deliveries import Sample
from gateway.services.explaining import explained
from gateway.services.mappings import Adapter, Mappings
from gateway.services.samples import SavedSample, saved_sample

LONGEST = 20.0  # seconds
MOST_TEXT = 512 * 1024  # characters of a text that is tried
_MOST_CASES = 2_000
_MOST_DIFFERENCES = 5_000  # lines
_KNOWN_FOR, _MOST_KNOWN = 60.0, 100  # seconds, adapters
_KEY = b"a key that everybody has"
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """The file of an adapter as it is now: its text by file name, its own first, and what is wrong with it.

    `texts` is empty where the file cannot be read at all.
    """

    texts: Mapping[str, str]
    lints: Sequence[Lint]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """The cases beside a mapping: what became of each, and what none of them reaches."""

    results: Sequence[CaseResult]
    coverage: Coverage | None
    lints: Sequence[Lint] = ()
    file: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What a text made of a payload, or what is wrong with the text."""

    events: Sequence[dict[str, Any]]
    lints: Sequence[Lint]
    usable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    texts: Mapping[str, str]
    written: Written
    at: float


class Workbench:
    """Works on the mappings of one process."""

    def __init__(self, mappings: Mappings) -> None:
        self._mappings = mappings
        self._turn = asyncio.Semaphore(1)
        self._known: dict[str, _Known] = {}

    async def written(self, name: str) -> Written:
        """The file of an adapter with all findings of the linter. Raises NotFound, Unavailable.

        Findings take a while, so those of the same text are used again for a minute.
        """
        adapter = self._adapter(name)
        return await self._in_thread(lambda: self._linted(adapter))

    def _linted(self, adapter: Adapter) -> Written:
        texts = {**(adapter.mapping.texts if adapter.mapping is not None else {}), **_own(adapter)}
        known = self._known.get(adapter.name)
        now = time.monotonic()
        if known is not None and known.texts == texts and now - known.at < _KNOWN_FOR:
            return known.written
        written = _written(adapter)
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[adapter.name] = _Known(texts=texts, written=written, at=now)
        return written

    async def tested(self, name: str) -> Tested:
        """Run the tests beside the mapping that is in use. Raises NotFound, Conflict, Unavailable."""
        return await self._in_thread(lambda: _tested(self._adapter(name)))

    async def tried(self, name: str, text: str, sample: Sample) -> Tried:
        """Map a payload with a text in place of the adapter's. Raises NotFound, Invalid, Unavailable."""
        _check_length(text)
        return await self._in_thread(lambda: _tried(self._adapter(name), text, sample))

    async def saved(
        self, name: str, text: str, sample: Sample, called: str, *, as_it_is: bool
    ) -> SavedSample:
        """A payload as a test sample, expecting what the adapter's mapping (or `text`) makes of it.

        Raises NotFound, Conflict, Invalid, Unavailable.
        """
        _check_length(text)
        adapter = self._adapter(name)
        return await self._in_thread(
            lambda: saved_sample(
                _mapping_of(adapter, text), called, sample.payload, sample.headers, as_it_is=as_it_is
            )
        )

    async def difference(self, before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
        """The lines that differ, with some around them, file by file. Raises Unavailable."""
        return await self._in_thread(lambda: _difference(before, after))

    def _adapter(self, name: str) -> Adapter:
        adapter = self._mappings.get(name)
        if adapter is None:
            raise NotFound(f"there is no adapter {name[:100]!r}")
        return adapter

    async def _in_thread(self, work: Callable[[], Result]) -> Result:
        """Do it in a thread. One that takes too long is not waited for, and nothing begins before it ends."""

        async def do() -> Result:
            async with self._turn:
                return await asyncio.to_thread(work)

        doing = asyncio.ensure_future(do())
        done, _ = await asyncio.wait({doing}, timeout=LONGEST)
        if not done:
            doing.add_done_callback(lambda one: one.cancelled() or one.exception())
            raise Unavailable(f"that takes longer than {LONGEST:.0f} seconds; try less of it", retry_after=20)
        return doing.result()


def _check_length(text: str) -> None:
    if len(text) > MOST_TEXT:
        message = f"has {len(text):,} characters; expected at most {MOST_TEXT:,}"
        raise Invalid(f"mapping {message}", problems=[Problem("mapping", "Console", message)])


def _mapping_of(adapter: Adapter, text: str) -> AdapterMapping:
    """The mapping that a text is, or the adapter's own where there is none."""
    if text:
        try:
            return load_mapping(text, adapter.file.name, files=reading(adapter))
        except MappingError as error:
            raise Conflict(f"the mapping cannot be used: {error.lints[0]}") from None
    if adapter.mapping is None:
        raise Conflict(f"the mapping of {adapter.name!r} cannot be used: {adapter.problem}")
    return adapter.mapping


def tests_beside(adapter: Adapter) -> tuple[str, str] | None:
    """The name and text of the test file beside a mapping; raises MappingError if it is no text."""
    beside = adapter.file.with_name(adapter.file.stem + TEST_SUFFIX)
    return (beside.name, read_text(beside)) if beside.is_file() else None


def reading(adapter: Adapter) -> Callable[[str], str | None]:
    """Reads what a mapping includes and its tests name."""
    return reader(adapter.file.parent, resources.mappings_dir())


def _own(adapter: Adapter) -> dict[str, str]:
    """The texts that findings are about, as they are now: of the mapping and of its tests."""
    found: dict[str, str] = {}
    with contextlib.suppress(MappingError):
        found[adapter.file.name] = read_text(adapter.file)
        if (tests := tests_beside(adapter)) is not None:
            found[tests[0]] = tests[1]
    return found


def _written(adapter: Adapter) -> Written:
    name = adapter.file.name
    try:
        text = read_text(adapter.file)
        tests = tests_beside(adapter)
        found = lint(text, name, files=reading(adapter), tests=tests)
    except MappingError as error:
        return Written(texts={}, lints=error.lints)
    texts = {name: text}
    with contextlib.suppress(MappingError):  # its findings are among those of the linter
        texts |= load_file(adapter.file, shipped=resources.mappings_dir()).texts
    return Written(texts=texts, lints=found)


def _tested(adapter: Adapter) -> Tested:
    if adapter.mapping is None:
        raise Conflict(f"the mapping of {adapter.name!r} cannot be used: {adapter.problem}")
    observed = Observed()
    try:
        tests = tests_beside(adapter)
        if tests is None:
            return Tested(results=(), coverage=None)
        if tests[1].count("\n- ") > _MOST_CASES:
            raise Conflict(f"there are more than {_MOST_CASES} cases; run `xapi-gateway mappings test`")
        results = run_tests(adapter.mapping, tests[1], tests[0], reading(adapter), observed=observed)
    except MappingError as error:
        return Tested(results=(), coverage=None, lints=error.lints)
    return Tested(results=results, coverage=measure(adapter.mapping, observed), file=tests[0])


def _tried(adapter: Adapter, text: str, sample: Sample) -> Tried:
    try:
        mapping = load_mapping(text, adapter.file.name, files=reading(adapter))
    except MappingError as error:
        return Tried(events=(), lints=error.lints, usable=False)
    return Tried(events=_explained(mapping, sample), lints=mapping.lints, usable=True)


def _explained(mapping: AdapterMapping, sample: Sample) -> list[dict[str, Any]]:
    lookups = Lookups(pseudonym_key=_KEY)
    events = mapping.events(sample.payload, sample.headers, sample.query, sample.received, key=_KEY)
    answered = [one for taken in events for one in mapping.answered(taken, sample.fetched, _KEY)]
    return [explained(mapping, one, lookups, None) for one in answered]


def _difference(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    found: list[str] = []
    for name in dict.fromkeys((*before, *after)):
        lines = difflib.unified_diff(
            before.get(name, "").splitlines(), after.get(name, "").splitlines(), name, name, lineterm=""
        )
        for line in lines:
            if len(found) == _MOST_DIFFERENCES:
                return [*found, "@@ and more @@"]
            found.append(line)
    return found
