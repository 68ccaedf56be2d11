import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.xapi.languages import Languages


@pytest.mark.parametrize(
    ("header", "tags", "chosen"),
    [
        # the tag itself, in any letter case
        ("de", ["en", "de"], "de"),
        ("EN-us", ["de", "en-US"], "en-US"),
        # a more specific, then a less specific tag
        ("en", ["de", "en-GB"], "en-GB"),
        ("en-US", ["de", "en"], "en"),
        ("zh-Hant-TW", ["de", "zh-Hant"], "zh-Hant"),
        ("en", ["en-GB", "en"], "en"),
        # order and weights
        ("en;q=0.5, de", ["en", "de"], "de"),
        ("en;q=0.5, de;q=0.8, fr;q=0.3", ["fr", "en", "de"], "de"),
        ("en, de", ["de", "en"], "en"),
        ("en;q=0.1,de;q=0.1", ["de", "en"], "en"),
        ("en ; q=0.1 , de ; Q=0.2", ["en", "de"], "de"),
        # another variety of a wanted language, but only when nothing else fits
        ("en-US", ["de", "en-GB"], "en-GB"),
        ("en-US, fr;q=0.1", ["en-GB", "fr"], "fr"),
        # the asterisk speaks for what no other range names
        ("*", ["fr", "en"], "fr"),
        ("*, en;q=0.5", ["en", "fr"], "fr"),
        ("de, *;q=0.5", ["fr", "en"], "fr"),
        ("*, en;q=0.5", ["en-GB"], "en-GB"),
        # refused languages
        ("en;q=0", ["en", "fr"], "fr"),
        ("en;q=0, *", ["en-GB", "fr"], "fr"),
        ("en;q=0, en-GB", ["en", "en-GB"], "en-GB"),
        ("*;q=0", ["en", "fr"], "en"),
        ("*;q=0, fr", ["en", "fr"], "fr"),
        ("en;q=0", ["en"], "en"),
        # nothing fits, nothing sent, nothing readable: the first
        ("ja", ["en", "fr"], "en"),
        (None, ["en", "fr"], "en"),
        ("", ["en", "fr"], "en"),
        ("$%&, ;;;, q=1, en;q=nonsense, en;q=2", ["fr", "en"], "fr"),
        # what can be read beside garbage still counts
        ("$%&, en", ["fr", "en"], "en"),
        ("e", ["en", "fr"], "en"),
    ],
)
def test_accept_language_chooses_one_tag(header: str | None, tags: list[str], chosen: str) -> None:
    assert Languages.parse(header).choose(tags) == chosen


def test_a_language_is_no_prefix_of_a_longer_subtag() -> None:
    assert Languages.parse("en").choose(["fr", "enm"]) == "fr"


def test_reducing_keeps_the_spelling_and_the_value() -> None:
    languages = Languages.parse("en-us")
    assert languages.reduce({"de": "Hallo", "en-US": "Hello"}) == {"en-US": "Hello"}


def test_an_empty_map_stays_empty() -> None:
    assert Languages.parse("en").reduce({}) == {}


def test_choices_are_made_for_each_map_by_itself() -> None:
    languages = Languages.parse("de, en;q=0.5")
    assert languages.reduce({"en": "a", "de": "b"}) == {"de": "b"}
    assert languages.reduce({"en": "a", "fr": "b"}) == {"en": "a"}


TAGS = st.lists(
    st.sampled_from(["en", "en-GB", "EN", "de", "zh-Hant", "x-y", "*", ""]), max_size=5, unique=True
)
HEADER = (
    st.text()
    | st.text("en-GBd*;q=01., \t")
    | st.lists(st.sampled_from(["en", "*;q=0", "de;q=0.5"])).map(",".join)
)


@given(HEADER, TAGS)
def test_no_header_fails_and_every_map_with_entries_gives_one(header: str, tags: list[str]) -> None:
    chosen = Languages.parse(header).choose(tags)
    assert chosen in tags if tags else chosen is None


@given(HEADER)
def test_ranges_come_out_in_lower_case_and_once(header: str) -> None:
    wanted = Languages.parse(header).wanted
    assert list(wanted) == [tag.lower() for tag in dict.fromkeys(wanted)]
