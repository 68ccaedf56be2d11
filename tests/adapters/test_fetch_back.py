"""`fetch_back:`: which paths a mapping may ask for, and what comes of their parts."""

from __future__ import annotations

from typing import Any

import pytest

from adapters import Event, Failed, MappingError, load_mapping
from adapters.fetch_back import Wish

MAPPING = """\
adapter: thin
fetch_back: { connection: vendor, path: "PATH", when: body.ask }
rules: [ { name: all, when: has(fetched), ignore: true } ]
"""


def wish(path: str, payload: Any, headers: tuple[tuple[str, str], ...] = ()) -> Wish | Failed | None:
    mapping = load_mapping(MAPPING.replace("PATH", path), "thin.yaml")
    (event,) = mapping.events(payload, headers)
    assert isinstance(event, Event)
    return mapping.wish(event)


@pytest.mark.parametrize(
    "path",
    [
        "events",
        "https://evil.example/x",
        "//evil.example/x",
        "${ body.url }",
        "/",
        "/a//${ body.id }",
        "/a/../b",
        "/a/%2e%2E/b",
        "/a/./b",
        "/a/.${ body.id }",
        "/a/${ body.id }.",
        "/a b",
        "/a\\\\\\\\b",
        "/a#b",
        "/a/%${ body.id }",
        "/ä",
    ],
)
def test_the_fixed_parts_of_a_path_stay_below_the_connection(path: str) -> None:
    with pytest.raises(MappingError, match=r"fetch_back\.path"):
        wish(path, {})


def test_what_is_inserted_is_encoded_in_the_path_and_in_the_query() -> None:
    found = wish("/a/${ body.id }.json?q=${ body.q }&n=1", {"ask": True, "id": "x/y?z", "q": "a&b=ü"})
    assert found == Wish("vendor", "/a/x%2Fy%3Fz.json?q=a%26b%3D%C3%BC&n=1")
    assert wish("/a/${ body.id }", {"ask": True, "id": 17}) == Wish("vendor", "/a/17")
    assert wish("/a/${ body.id }", {"id": 17}) is None


@pytest.mark.parametrize("value", [None, "", ".", "..", "../x", "x/..", "x\\..\\y", "x" * 3000, ["a"]])
def test_a_part_that_is_absent_or_leads_elsewhere_fails_the_event(value: Any) -> None:
    found = wish("/a/${ body.id }", {"ask": True, "id": value})
    assert isinstance(found, Failed)


def test_bytes_that_are_no_text_fail_the_event() -> None:
    found = wish("/a/${ headers['x-id'] }", {"ask": True}, (("X-Id", "\udcff"),))
    assert isinstance(found, Failed)
    assert "not UTF-8" in found.problems[0].message


def test_fetched_needs_fetch_back() -> None:
    for text in (
        "adapter: x\nrules: [ { name: r, when: has(fetched.a), ignore: true } ]\n",
        "adapter: x\nprivacy: { drop: [ fetched.a ] }\nrules: [ { name: r, ignore: true } ]\n",
    ):
        with pytest.raises(MappingError, match="`fetched` needs `fetch_back:`"):
            load_mapping(text, "x.yaml")


def test_commands_that_fetch_nothing_say_what_they_were_not_given() -> None:
    mapping = load_mapping(MAPPING.replace("PATH", "/a/${ body.id }"), "thin.yaml")
    (event,) = mapping.events({"ask": True, "id": 1})
    assert isinstance(event, Event)
    found = mapping.answered(event, None)
    assert isinstance(found, Failed)
    assert (
        found.problems[0].message == "`fetched` is not given; the event wants GET /a/1 of connection vendor"
    )
    given = mapping.answered(event, {"b": 1})
    assert isinstance(given, Event)
    assert given.fetched == {"b": 1}
