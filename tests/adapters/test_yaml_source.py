from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters import MappingError, render
from adapters.loading.yaml_source import MAX_ALIASES, MAX_NODES, MapNode, plain, read_yaml, walk


def messages(text: str) -> list[str]:
    with pytest.raises(MappingError) as error:
        read_yaml(text, "m.yaml")
    return [str(lint) for lint in error.value.lints]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("NO", "NO"),
        ("on", "on"),
        ("yes", "yes"),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("'null'", "null"),
        ("12", 12),
        ("-0x1F", "-0x1F"),
        ("0x1F", 31),
        ("0o17", 15),
        ("0123", 123),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("1.5e3", 1500.0),
        ("'1.10'", "1.10"),
        ("2024-01-01", "2024-01-01"),
        ("<", "<"),
    ],
)
def test_scalars_follow_the_core_schema_of_yaml_1_2(text: str, value: object) -> None:
    found = plain(read_yaml(f"a: {text}", "m.yaml"))["a"]
    assert found == value
    assert type(found) is type(value)


def test_duplicate_keys_are_refused_with_both_places() -> None:
    text = "a: 1\nb:\n  result: 1\n  result: 2\na: 3\n"
    assert messages(text) == [
        "m.yaml:4:3  error E120  duplicate key 'result' (first at 3:3)",
        "m.yaml:5:1  error E120  duplicate key 'a' (first at 1:1)",
    ]


def test_tags_and_merge_keys_are_refused() -> None:
    assert messages("a: !has(x) 1\nb: !!python/object:os.system {}\n<<: {c: 1}\n") == [
        "m.yaml:1:4  error E003  YAML tags are not allowed, found '!has(x)'",
        "m.yaml:2:4  error E003  YAML tags are not allowed, found 'python/object:os.system'",
        "m.yaml:3:1  error E004  merge keys (<<) are not supported",
    ]


def test_an_expression_inside_braces_gets_the_hint_to_quote_it() -> None:
    text = "a:\n  b: { name: ${ f(a, b) } }\n"
    assert messages(text) == ['m.yaml:2:14  error E002  quote expressions inside { }:  name: "${ f(a, b) }"']


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "m.yaml:1:1  error E008  the file is empty"),
        ("a: b: c", "m.yaml:1:5  error E001  mapping values are not allowed in this context"),
        ("a: @x", "m.yaml:1:4  error E001  found character that cannot start any token while scanning"),
        ("a: [", "m.yaml:2:1  error E001  did not find expected node content"),
        ("a: 1\n---\nb: 2", "m.yaml:2:1  error E001  one file holds one YAML document"),
        ("[" * 100_000, "m.yaml:1:65  error E005  nested deeper than 64 levels"),
        ("&a [*a]", "m.yaml:1:5  error E005  alias *a refers to nothing that is complete before it"),
        ("a: *b", "m.yaml:1:4  error E005  alias *b refers to nothing"),
        ("? [a]\n: b", "m.yaml:1:3  error E007  a key must be text"),
        ("a: .inf", "m.yaml:1:4  error E009  .inf is a number that JSON cannot hold"),
        ("a: 1e999", "m.yaml:1:4  error E009  1e999 is a number that JSON cannot hold"),
        ("a: \x00", "m.yaml:1:1  error E001  the file is not YAML text"),
        ("a: " + "x" * 1_100_000, "m.yaml:1:1  error E006  the file is larger than 1 MiB"),
    ],
)
def test_what_cannot_be_read_is_refused_at_its_place(text: str, message: str) -> None:
    assert messages(text)[0].startswith(message)


def test_aliases_cannot_be_used_to_exhaust_memory() -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)
    )
    assert f"aliases expand to more than {MAX_NODES} values" in messages(bomb)[0]
    many = "a: &a x\nb: [" + ", ".join(["*a"] * (MAX_ALIASES + 1)) + "]"
    assert f"more than {MAX_ALIASES} aliases" in messages(many)[0]


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("a: x ${ y }", 1, 6),
        ('a: "x ${ y }"', 1, 7),
        ("é: 'ü ${ y }'", 1, 7),
        ("a: |\n  one\n  two ${ y }\n", 3, 7),
        ("a: >-\n  one\n  ${ y }\n", 3, 3),
        ("a:\n  - b\n  - ${ y }\n", 3, 5),
    ],
)
def test_a_part_of_a_text_is_found_again_in_the_file(text: str, line: int, column: int) -> None:
    scalar = next(node for node in walk(read_yaml(text, "m.yaml")) if "${" in node.text)
    place = scalar.within(scalar.text.index("${"), 2)
    assert (place.line, place.column) == (line, column)


def test_a_finding_is_shown_with_its_line_and_a_caret() -> None:
    text = "a: 1\na: 2\n"
    with pytest.raises(MappingError) as error:
        read_yaml(text, "m.yaml")
    assert render(error.value.lints[0], text) == (
        "m.yaml:2:1  error E120  duplicate key 'a' (first at 1:1)\n    2 | a: 2\n      | ^"
    )


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(MappingError):
        read_yaml(text, "m.yaml")


@given(
    st.lists(
        st.sampled_from(
            [
                "a",
                ": ",
                "- ",
                "\n",
                "  ",
                "[",
                "]",
                "{",
                "}",
                "&x ",
                "*x",
                "'",
                '"',
                "|",
                "#",
                "!",
                "? ",
                "<<",
            ]
        ),
        max_size=25,
    )
)
def test_any_sequence_of_yaml_marks_is_read_or_refused(parts: list[str]) -> None:
    try:
        node = read_yaml("".join(parts), "m.yaml")
    except MappingError:
        return
    if isinstance(node, MapNode):
        assert node.items.keys() == node.keys.keys()
