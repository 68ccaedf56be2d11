from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters import MappingError, load_mapping, render
from adapters.loading.files import load_file, load_folder, mapping_paths, reader
from adapters.loading.schema import schema, schema_of_tests
from adapters.loading.yaml_source import plain, read_yaml
from adapters.templates.docs import TEMPLATES
from adapters.templates.shapes import SHAPES
from tests.adapters.support import mapping_text

SHIPPED = Path(__file__).parents[2] / "mappings"


def findings(text: str, files: dict[str, str] | None = None) -> list[str]:
    """Everything found in a mapping, errors and warnings, without the file's name."""
    known = files or {}
    try:
        lints = load_mapping(text, "m.yaml", files=known.get).lints
    except MappingError as error:
        lints = error.lints
    return [str(lint).removeprefix("m.yaml:") for lint in lints]


def statement(body: str, **parts: str) -> list[str]:
    return findings(mapping_text(body, **parts))


def test_everything_wrong_with_a_file_is_told_at_once() -> None:
    text = """\
adaptor: x
version: one
source: { platform: P, timezone: Mars/Base, colour: red }
rules:
  - name: r
    match: { body.type: [a, { b: 1 }], 1+: x }
    when: body.x and
    ignore: true
    statement: { verb: joind }
  - name: r
    ignore: yes
"""
    assert findings(text) == [
        "1:1  error E110  unknown key 'adaptor' in the mapping; did you mean 'adapter'?",
        (
            "1:1  error E112  the mapping needs 'adapter': Stable name; part of every "
            "statement id and of the webhook URL."
        ),
        "2:10  error E111  the mapping.version is a whole number, got 'one'",
        "3:34  error E111  unknown time zone 'Mars/Base'; IANA names such as Europe/Vienna",
        "3:45  error E110  unknown key 'colour' in the mapping.source",
        "5:5  error E112  a rule has one of statement, statements, passthrough, ignore: true",
        "6:29  error E111  a match is a value, a list of values or a glob",
        "6:41  error E101  expected a value, but the expression ends",
        "7:20  error E101  expected a value, but the expression ends",
        "9:24  error E201  verb 'joind' is not in the vocabulary; did you mean 'joined'?",
        "10:5  error E112  a rule has one of statement, statements, passthrough, ignore: true",
        "10:11  error E114  rule name 'r' is used twice (first at 5:11)",
        "11:13  error E111  the mapping.rules[1].ignore is true or false, got 'yes'",
    ]


@pytest.mark.parametrize(
    ("body", "finding"),
    [
        (
            "      verb: ${ lowr(body.x) }\n",
            "6:16  error E104  unknown function 'lowr'; did you mean 'lower'?",
        ),
        ("      verb: ${ bodi.x }\n", "6:16  error E102  unknown name 'bodi'; did you mean 'body'?"),
        (
            "      verb: ${ 'joind' if body.x else 'left' }\n",
            "6:16  error E201  verb 'joind' is not in the vocabulary; did you mean 'joined'?",
        ),
        ("      verb: ${ body.x\n", "6:13  error E107  ${ without its closing }"),
        (
            "      object: { id: x:1, type: meating }\n",
            ("6:32  error E201  type 'meating' is not in the vocabulary; did you mean 'meeting'?"),
        ),
        ("      object: { id: x:1, titel: y }\n", "6:26  error E202  object has no property 'titel'"),
        (
            "      result: { succes: true }\n",
            "6:17  error E202  result has no property 'succes'; did you mean 'success'?",
        ),
        (
            "      verbs: joined\n",
            ("6:7  error E110  unknown key 'verbs' in the mapping.rules[0].statement; did you mean 'verb'?"),
        ),
        (
            "      context: { extensions: { leave: 1 } }\n",
            "6:32  error E203  context extension 'leave' is not in the vocabulary",
        ),
        (
            "      verb: http://activitystrea.ms/schema/1.0/submit\n",
            (
                "6:13  warning W203  http://activitystrea.ms/schema/1.0/submit is written "
                "http://activitystrea.ms/submit in the profiles"
            ),
        ),
        ("      $use: nothing\n", "6:13  error E113  unknown fragment 'nothing'"),
        ("      object: { $us: a }\n", "6:17  error E110  unknown directive '$us'; did you mean '$use'?"),
        (
            '      result: { duration: "${ body.m * 60 | seconds }" }\n',
            ("6:31  warning W120  the pipe takes everything to its left: write ( … ) | seconds"),
        ),
        ("      for_each: body.x\n", "6:7  error E112  for_each needs `as`: the name of its variable"),
        (
            "      for_each: body.x\n      as: body\n      key: body.k\n",
            ("7:11  error E102  'body' already has a meaning; choose another variable name"),
        ),
        (
            "      for_each: body.x\n      as: one\n",
            ("6:7  warning W122  for_each without `key`: ids follow the order of the list, which may change"),
        ),
        ("      as: one\n", "6:7  error E112  as belongs to for_each"),
        (
            '      object: { id: "${ parent.id }" }\n',
            (
                "6:25  error E102  `parent` is the first statement of a rule: only later "
                "statements of that rule can use it"
            ),
        ),
        (
            "      object: { $case: [] }\n",
            "6:24  error E111  $case is a list of { when, value } and { else }",
        ),
        (
            "      object: { $each: body.x }\n",
            "6:15  error E112  $each needs `as` (a variable name) and `value`",
        ),
        (
            "      timestamp: ${ directory.course.start }\n",
            (
                "6:21  warning W130  directory.course is not declared under `directory:`, "
                "so it is always absent"
            ),
        ),
    ],
)
def test_a_mistake_in_a_statement_is_found_at_its_place(body: str, finding: str) -> None:
    assert finding in statement(body)


@pytest.mark.parametrize(
    ("before", "finding"),
    [
        ("format: 2\n", "2:9  error E111  the mapping.format is one of 1, got '2'"),
        ('let: { a: "${ vars.b }", b: 1 }\n', "2:15  error E102  unknown variable 'vars.b'"),
        ("let: { a b: 1 }\n", "2:8  error E111  'a b' cannot be the name of a variable"),
        ("tables: { t: [1] }\n", "2:14  error E111  table t is a mapping of keys to values"),
        ("tables: { t: { file: t.csv } }\n", "2:22  error E115  there is no file 't.csv'"),
        ("include: other.yaml\n", "2:10  error E115  there is no file 'other.yaml'"),
        ("include: ../other.yaml\n", "2:10  error E115  '../other.yaml' is outside the mappings folder"),
        ("include: /etc/passwd\n", "2:10  error E115  '/etc/passwd' is outside the mappings folder"),
        (
            'identity: { who: { by: [ { email: "${ body.e }" } ] } }\n',
            "2:18  error E112  identity.who needs source.home_page, an IRI",
        ),
        (
            ("identity: { who: { by: [ x ] } }\nsource: { home_page: https://x.org }\n"),
            "2:26  error E111  a candidate is one `kind: value`",
        ),
        (
            "identity: { who: { by: [], unresolved: kep } }\n",
            (
                "2:40  error E111  the mapping.identity.who.unresolved is one of keep, pseudonym, "
                "hold, drop, reject, got 'kep'; did you mean 'keep'?"
            ),
        ),
        (
            "privacy: { drop: [ user.name ] }\n",
            (
                "2:20  error E111  a path below body, item or fetched is wanted, such as body.user.phone, "
                "got 'user.name'"
            ),
        ),
        ("colours: []\n", "2:1  error E110  unknown key 'colours' in the mapping"),
        (
            "vocabulary: { verbz: {} }\n",
            ("2:15  error E110  unknown key 'verbz' in the mapping.vocabulary; did you mean 'verbs'?"),
        ),
    ],
)
def test_a_mistake_in_a_block_is_found_at_its_place(before: str, finding: str) -> None:
    assert finding in statement("      verb: joined\n      object: { id: x:1 }\n", before=before)


def test_fragments_that_use_each_other_in_a_circle_are_refused() -> None:
    before = "fragments:\n  a: { $use: b }\n  b: { x: { $use: a } }\n"
    found = statement("      $use: a\n", before=before)
    assert any("fragments use each other in a circle: a → b → a" in one for one in found)


def test_fragments_cannot_be_used_to_exhaust_memory() -> None:
    doubling = "".join(
        f"  f{n}: {{ a: {{ $use: f{n - 1} }}, b: {{ $use: f{n - 1} }} }}\n" for n in range(1, 30)
    )
    found = statement("      result: { $use: f29 }\n", before=f"fragments:\n  f0: {{ x: 1 }}\n{doubling}")
    assert any("fragments are used more than 2000 times" in one for one in found)


def test_a_variable_may_not_be_defined_twice() -> None:
    rule = "    let: { a: 2 }\n"
    found = statement("      verb: joined\n", before="let: { a: 1 }\n", rule=rule)
    assert found == ["5:12  error E114  vars.a is already defined"]


def test_tables_and_fragments_are_shared_by_include() -> None:
    files = {
        "_shared/base.yaml": "include: more.yaml\ntables: { t: { a: joined }, u: { a: left } }\n",
        "_shared/more.yaml": "fragments: { meeting: { id: https://x.org/m, type: meeting } }\n",
        "words.csv": "a,1\nb,2\n",
    }
    before = "include: _shared/base.yaml\ntables: { u: { a: attended }, w: { file: words.csv } }\n"
    body = "      verb: ${ lookup('u', lookup('t', 'x', 'a')) }\n      object: { $use: meeting }\n"
    text = mapping_text(body, before=before)
    mapping = load_mapping(text, "m.yaml", files=files.get)
    assert set(mapping.texts) == {"m.yaml", "_shared/base.yaml", "_shared/more.yaml", "words.csv"}
    changed = files | {"_shared/more.yaml": files["_shared/more.yaml"] + "# changed\n"}
    assert load_mapping(text, "m.yaml", files=changed.get).revision != mapping.revision
    assert load_mapping(text, "m.yaml", files=files.get).revision == mapping.revision


def test_mistakes_in_an_included_file_name_that_file() -> None:
    with pytest.raises(MappingError) as error:
        load_mapping(
            mapping_text("      verb: joined\n", before="include: x.yaml\n"),
            "m.yaml",
            files={"x.yaml": "rules: []\n"}.get,
        )
    assert str(error.value.lints[0]) == "x.yaml:1:1  error E110  unknown key 'rules' in an included file"


def test_only_files_inside_the_folder_can_be_included(tmp_path: Path) -> None:
    (tmp_path / "secret.yaml").write_text("tables: {}")
    folder = tmp_path / "mappings"
    folder.mkdir()
    (folder / "inside.yaml").write_text("tables: {}")
    (folder / "link.yaml").symlink_to(tmp_path / "secret.yaml")
    read = reader(folder)
    assert read("inside.yaml") == "tables: {}"
    assert [read(path) for path in ("../secret.yaml", "link.yaml", "nothing.yaml", ".")] == [None] * 4


def test_a_file_is_compiled_again_when_it_or_what_it_includes_has_changed(tmp_path: Path) -> None:
    main, part = tmp_path / "sample.yaml", tmp_path / "_part.yaml"
    whole = "include: [_part.yaml]\n" + mapping_text("      verb: joined\n      object: { id: x:y }\n")
    main.write_text(whole)
    part.write_text("tables: { words: { a: b } }")
    first = load_file(main)
    assert load_file(main) is first
    part.write_text("tables: { words: { a: c } }")
    first.traced()
    second = load_file(main)
    assert second.revision != first.revision
    main.write_text(whole.replace("joined", "left"))
    third = load_file(main)
    assert third.revision not in (first.revision, second.revision)
    part.unlink()
    with pytest.raises(MappingError):
        load_file(main)
    part.write_text("tables: { words: { a: c } }")
    assert load_file(main) is third


def test_a_folder_is_loaded_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    good = mapping_text("      verb: joined\n      object: { id: x:y }\n")
    (tmp_path / "one.yaml").write_text(good)
    (tmp_path / "one.test.yaml").write_text("[]")
    (tmp_path / "_part.yaml").write_text("tables: {}")
    assert list(load_folder(tmp_path)) == ["sample"]
    (tmp_path / "two.yaml").write_text(good)
    (tmp_path / "three.yaml").write_bytes(b"\xff")
    with pytest.raises(MappingError) as error:
        load_folder(tmp_path)
    assert [str(lint) for lint in error.value.lints] == [
        "three.yaml:1:1  error E001  the file is not UTF-8 text",
        "two.yaml:1:1  error E114  adapter 'sample' is already defined by one.yaml",
    ]


def test_the_shipped_mappings_load_without_a_warning() -> None:
    for path in mapping_paths(SHIPPED):
        mapping = load_file(path)
        assert not mapping.lints, "\n".join(render(one, path.read_text()) for one in mapping.lints)


def test_the_shipped_mappings_satisfy_the_published_schema() -> None:
    validator = jsonschema.Draft7Validator(schema())
    validator.check_schema(schema())
    for path in [*mapping_paths(SHIPPED), *mapping_paths(Path(__file__).parent / "examples")]:
        assert not list(validator.iter_errors(plain(read_yaml(path.read_text("utf-8"), path.name))))
    assert list(validator.iter_errors({"adapter": "x", "ruls": []}))


def test_the_shipped_tests_satisfy_the_published_schema() -> None:
    validator = jsonschema.Draft7Validator(schema_of_tests())
    for path in SHIPPED.glob("*.test.yaml"):
        assert not list(validator.iter_errors(plain(read_yaml(path.read_text("utf-8"), path.name)))), path
    assert list(validator.iter_errors([{"name": "x", "paylod": 1}]))


def test_every_key_of_the_schema_has_a_description() -> None:
    def undescribed(made: Any, path: str) -> list[str]:
        found: list[str] = []
        for name, inner in made.get("properties", {}).items() if isinstance(made, dict) else ():
            if "description" not in inner and "definitions" not in path:
                found.append(f"{path}.{name}")
            found += undescribed(inner, f"{path}.{name}")
        return found

    made = schema()
    assert undescribed(made, "") == []
    assert {"joined", "completed"} <= set(made["definitions"]["verb"]["anyOf"][0]["enum"])
    for name in TEMPLATES:
        assert undescribed(made["definitions"][name]["anyOf"][0], name) == []


def test_the_schema_offers_exactly_what_the_shapes_allow() -> None:
    for name, docs in TEMPLATES.items():
        canonical = {"definition", "contextActivities", "contextAgents", "contextGroups"}
        assert set(SHAPES[name]) - canonical == set(docs), name


words = st.sampled_from(
    [
        "adapter",
        "version",
        "rules",
        "name",
        "match",
        "when",
        "statement",
        "statements",
        "verb",
        "object",
        "id",
        "actor",
        "let",
        "tables",
        "fragments",
        "$use",
        "$case",
        "$each",
        "as",
        "value",
        "receive",
        "verify",
        "hmac",
        "secret",
        "ignore",
        "true",
        "1",
        "x",
        "${body.x}",
        "${",
        "identity",
        "by",
        "privacy",
        "drop",
        "for_each",
        "key",
        "include",
        "handshakes",
        "respond",
        "json",
        "batch",
        "event_id",
        "fetch_back",
        "connection",
        "path",
        "/a/${ body.x }",
    ]
)
trees: st.SearchStrategy[Any] = st.recursive(
    words | st.none() | st.integers() | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=4),
    max_leaves=15,
)


@given(st.dictionaries(words, trees, max_size=6))
@settings(max_examples=400)
def test_any_tree_of_the_grammars_words_loads_or_is_refused(tree: dict[str, Any]) -> None:
    with suppress(MappingError):
        load_mapping(json.dumps({"adapter": "x", "rules": [{"name": "r", "ignore": True}], **tree}), "m.yaml")


@given(trees)
@settings(max_examples=400)
def test_any_statement_template_loads_or_is_refused(tree: Any) -> None:
    rule = {"name": "r", "statement": {"verb": "joined", "object": tree, "result": tree}}
    with suppress(MappingError):
        load_mapping(json.dumps({"adapter": "x", "rules": [rule]}), "m.yaml")
