from __future__ import annotations

import io
import re
from decimal import Decimal
from html.parser import HTMLParser

from gateway.cmi5.imports import read_course
from gateway.cmi5.vocabulary import MoveOn
from gateway.demo import build_course


def _files() -> dict[str, str]:
    imported = read_course(io.BytesIO(build_course()))
    assert imported.package is not None
    return {name: b"".join(imported.package.open(name)).decode() for name in imported.package.names}


class _Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.sources: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.ids.append(value)
            if value and (name == "src" or (tag == "link" and name == "href")):
                self.sources.append(value)


def test_the_sample_course_passes_our_own_checks_without_a_finding() -> None:
    imported = read_course(io.BytesIO(build_course()))
    assert imported.findings == ()
    assert imported.course is not None
    (au,) = imported.course.aus()
    assert (au.move_on, au.mastery_score) == (MoveOn.COMPLETED_AND_PASSED, Decimal("0.6"))
    assert len(list(imported.course.blocks())) == 1


def test_it_is_packed_the_same_every_time() -> None:
    assert build_course() == build_course()
    assert _files().keys() == {"cmi5.xml", "index.html", "au.js", "style.css"}


def test_its_page_needs_no_file_that_is_not_in_it() -> None:
    files = _files()
    sources = {each for each in _Page(files["index.html"]).sources if not each.startswith("data:")}
    assert sources == {"style.css", "au.js"}


def test_its_ids_are_unique_and_those_a_script_needs_exist() -> None:
    files = _files()
    ids = _Page(files["index.html"]).ids
    assert len(ids) == len(set(ids))
    used = set(re.findall(r'byId\("([^"]+)"\)', files["au.js"]))
    answers = {f"q{number}-{letter}" for number in (1, 2, 3) for letter in "abc"}
    assert used | answers | {"next", "back", "check", "exit", "problem"} <= set(ids)
