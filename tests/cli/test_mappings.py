from __future__ import annotations

import hmac
import json
import shlex
from pathlib import Path
from urllib.parse import parse_qs

import jsonschema
import pytest
from click.testing import CliRunner, Result

from adapters.loading.files import mapping_paths
from gateway.cli.mappings import mappings
from gateway.resources import mappings_dir

MAPPING = """\
adapter: sample
receive:
  verify: [ { github: { secret: "${ secret('SAMPLE_SECRET') }" } } ]
  event_id: ${ body.id }
rules:
  - name: joined
    match: { body.type: joined }
    statement:
      actor: { mbox: "${ mailto(body.who) }" }
      verb: ${ headers['x-verb'] ?? 'joined' }
      object: { id: "${ body.meeting }" }
      timestamp: ${ body.at }
  - name: dull
    match: { body.type: dull }
    ignore: true
"""
TESTS = """\
- name: somebody joins
  payload: { id: e-1, type: joined, who: mira@example.edu, meeting: x:m, at: 2026-03-02T09:00:00Z }
  expect: { rule: joined, statements: [ { verb: { id: http://activitystrea.ms/join } } ] }
- name: nothing worth a statement
  payload: { type: dull }
  expect: { rule: dull }
"""
# What SARIF 2.1.0 requires of the parts that are used here (§3.13, §3.14, §3.27, §3.49).
SARIF = {
    "type": "object",
    "required": ["version", "runs"],
    "properties": {
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["tool", "results"],
                "properties": {
                    "tool": {
                        "type": "object",
                        "required": ["driver"],
                        "properties": {"driver": {"type": "object", "required": ["name"]}},
                    },
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                    "results": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["message", "ruleId", "locations"],
                            "properties": {
                                "level": {"enum": ["none", "note", "warning", "error"]},
                                "ruleIndex": {"type": "integer", "minimum": 0},
                                "message": {"type": "object", "required": ["text"]},
                            },
                        },
                    },
                },
            },
        },
    },
}
JOINED = {
    "id": "e-1",
    "type": "joined",
    "who": "mira@example.edu",
    "meeting": "https://x.org/m",
    "at": "2026-03-02T09:00:00Z",
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "sample.yaml").write_text(MAPPING)
    (tmp_path / "sample.test.yaml").write_text(TESTS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str, given: str = "", **environment: str) -> Result:
    result = CliRunner().invoke(mappings, arguments, input=given, env=environment)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def test_lint_is_silent_about_a_good_mapping() -> None:
    result = run("lint", ".")
    assert (result.exit_code, result.output) == (0, "1 mapping, nothing found\n")
    assert json.loads(run("lint", "--json", "sample.yaml").output) == []


def test_lint_counts_warnings_unless_only_errors_are_asked_for(folder: Path) -> None:
    (folder / "sample.yaml").write_text(MAPPING.replace("body.meeting", "body.meting"))
    result = run("lint", "sample.yaml")
    assert result.exit_code == 1
    assert "warning W201  body.meting appears in none of 2 samples" in result.output
    assert run("lint", "--level", "error", "sample.yaml").exit_code == 0


def test_lint_shows_findings_with_their_lines(folder: Path) -> None:
    (folder / "sample.yaml").write_text(MAPPING.replace("body.meeting", "body.meting | lowr"))
    result = run("lint", "sample.yaml")
    assert result.exit_code == 1
    assert result.output == (
        "sample.yaml:11:39  error E104  unknown function 'lowr'; did you mean 'lower'?\n"
        '   11 |       object: { id: "${ body.meting | lowr }" }\n'
        "      |                                       ^^^^\n"
    )
    (found,) = json.loads(run("lint", "--json", "sample.yaml").output)
    assert (found["code"], found["line"], found["column"], found["path"]) == ("E104", 11, 39, "sample.yaml")


def test_lint_admits_warnings_that_a_comment_allows_but_never_errors(folder: Path) -> None:
    doubtful = MAPPING.replace('"${ body.meeting }" }', '"${ body.meting }" } # lint: allow W201')
    (folder / "sample.yaml").write_text(doubtful)
    assert run("lint", "sample.yaml").exit_code == 0
    (folder / "sample.yaml").write_text(MAPPING.replace("joined'", "joind'  # lint: allow E201"))
    assert run("lint", "sample.yaml").exit_code == 1


def test_lint_prints_sarif_for_code_hosts(folder: Path) -> None:
    (folder / "sample.yaml").write_text(MAPPING.replace("body.meeting", "body.meting | lowr"))
    found = json.loads(run("lint", "--format", "sarif", ".").output)
    jsonschema.validate(found, SARIF)
    (one,) = found["runs"][0]["results"]
    assert (one["ruleId"], one["level"]) == ("E104", "error")
    assert one["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "sample.yaml"},
        "region": {"startLine": 11, "startColumn": 39, "endColumn": 43},
    }
    assert found["runs"][0]["tool"]["driver"]["rules"][one["ruleIndex"]]["id"] == "E104"


def test_lint_finds_mistakes_in_included_and_test_files(folder: Path) -> None:
    (folder / "shared").mkdir()
    (folder / "shared" / "words.yaml").write_text("tables: { a: [] }\ncolours: {}\n")
    (folder / "sample.yaml").write_text("include: shared/words.yaml\n" + MAPPING)
    assert "shared/words.yaml:2:1  error E110  unknown key 'colours'" in run("lint", ".").output
    (folder / "sample.yaml").write_text(MAPPING)
    (folder / "sample.test.yaml").write_text("- name: a case\n  paylod: {}\n")
    assert "sample.test.yaml:1:3  error E112  a case needs 'payload'" in run("lint", ".").output


def test_a_shipped_file_is_included_from_an_own_folder_and_named_where_it_is_missed(folder: Path) -> None:
    path = folder / "own.yaml"
    path.write_text(
        "adapter: own\ninclude: _caliper.yaml\nsource: { language: en }\n"
        "rules:\n  - name: all\n    statement:\n"
        "      actor: { account: { homePage: https://id.example.edu, name: mira } }\n      verb: viewed\n"
        '      object: { $use: caliper-activity, with: { entity: "${ body.object }" } }\n'
    )
    missed = run("lint", str(path))
    assert missed.exit_code == 1
    assert "there is no file '_caliper.yaml'" in missed.output
    assert "help: the gateway brings one along: include: shipped:_caliper.yaml" in missed.output
    path.write_text(path.read_text().replace("include: _", "include: shipped:_"))
    (folder / "own.test.yaml").write_text(
        "- name: a page\n  payload: { object: { id: 'https://x.org/p', type: Page, name: P } }\n"
        "  expect: { rule: all }\n"
    )
    assert run("lint", str(path)).output == "1 mapping, nothing found\n"
    assert run("test", str(path)).exit_code == 0


def test_test_counts_cases_and_names_what_no_case_reaches(folder: Path) -> None:
    result = run("test", "--coverage", "sample.yaml")
    assert result.exit_code == 0
    assert result.output == (
        "sample.yaml: 2 of 2 rules, 1 of 1 branches reached\n2 cases in 1 mapping, 0 failed\n"
    )
    (folder / "sample.test.yaml").write_text(TESTS.split("- name: nothing", maxsplit=1)[0])
    result = run("test", "--coverage", "sample.yaml")
    assert "  not reached: rule dull\n" in result.output
    (folder / "sample.test.yaml").write_text(TESTS.replace("/join }", "/leave }"))
    failing = run("test", "sample.yaml")
    assert failing.exit_code == 1
    assert "sample.test.yaml:1  failed: somebody joins" in failing.output
    (report,) = json.loads(run("test", "--json", "sample.yaml").output)
    assert report["cases"][0]["passed"] is False


def test_update_writes_what_comes_out_and_leaves_the_rest_of_the_file_alone(folder: Path) -> None:
    text = """\
# What Zoom's people sent us.
- name: somebody joins   # on a Monday
  payload: { id: e-1, type: joined, who: mira@example.edu, meeting: "x:m", at: 2026-03-02T09:00:00Z }
  expect:
    rule: dull
    statements: []

- name: nothing worth a statement
  payload: { type: dull }

# the last one
- { name: written in one line, payload: { type: dull }, expect: { rule: joined } }
"""
    (folder / "sample.test.yaml").write_text(text)
    result = run("test", "--update", "sample.yaml")
    assert result.output == (
        "sample.test.yaml: updated: somebody joins\n"
        "sample.test.yaml: updated: nothing worth a statement\n"
        "sample.test.yaml:25  failed: written in one line\n"
        "  rule: expected joined, got dull\n"
        "3 cases in 1 mapping, 1 failed\n"
    )
    assert (
        (folder / "sample.test.yaml").read_text()
        == """\
# What Zoom's people sent us.
- name: somebody joins   # on a Monday
  payload: { id: e-1, type: joined, who: mira@example.edu, meeting: "x:m", at: 2026-03-02T09:00:00Z }
  expect:
    rule: joined
    statements:
    - actor:
        mbox: mailto:mira@example.edu
      verb:
        id: http://activitystrea.ms/join
        display:
          en: joined
      object:
        objectType: Activity
        id: x:m
      timestamp: '2026-03-02T09:00:00Z'

- name: nothing worth a statement
  payload: { type: dull }
  expect:
    rule: dull
    skipped: ignored by this rule

# the last one
- { name: written in one line, payload: { type: dull }, expect: { rule: joined } }
"""
    )
    assert "updated" not in run("test", "--update", "sample.yaml").output


def test_run_turns_lines_into_statements_and_tells_the_rest() -> None:
    lines = [
        json.dumps(JOINED),
        "",
        json.dumps(JOINED | {"id": "e-2", "meeting": "not an IRI"}),
        json.dumps({"type": "dull"}),
        json.dumps({"type": "new"}),
        "{",
    ]
    result = run("run", "sample.yaml", given="\n".join(lines))
    assert result.exit_code == 1
    (statement,) = [json.loads(line) for line in result.stdout.splitlines()]
    assert statement["actor"]["mbox"] == "mailto:mira@example.edu"
    told = result.stderr.splitlines()
    assert told[0].startswith("line 3: failed: object.id")
    assert told[1] == "line 5: no rule matches new"
    assert told[2].startswith("line 6: the body is not JSON")
    assert told[3] == "5 events, 1 statements, 1 skipped, 1 unmatched, 0 held, 2 failed"
    as_json = run("run", "--json", "sample.yaml", given="\n".join(lines))
    assert [json.loads(line).get("outcome") for line in as_json.stderr.splitlines()] == [
        "failed",
        "skipped",
        "unmatched",
        "failed",
        None,
    ]


def test_run_reads_whole_requests_when_asked_to() -> None:
    line = json.dumps({"headers": {"X-Verb": "left"}, "body": JOINED})
    result = run("run", "--request", "sample.yaml", given=line)
    assert result.exit_code == 0
    assert json.loads(result.stdout)["verb"]["id"] == "http://activitystrea.ms/leave"
    bare = run("run", "--request", "sample.yaml", given=json.dumps([1]))
    assert bare.exit_code == 1
    assert "line 1: --request wants" in bare.stderr


def test_what_fetch_back_brings_is_given_by_a_file_and_never_fetched(folder: Path) -> None:
    fetching = "fetch_back: { connection: vendor, path: '/events/${ body.id }' }\n"
    changed = MAPPING.replace("rules:\n", f"{fetching}rules:\n").replace(
        "mailto(body.who)", "mailto(fetched.mail)"
    )
    (folder / "sample.yaml").write_text(changed)
    (folder / "answer.json").write_text('{"mail": "ana@example.edu"}')
    (folder / "joined.json").write_text(json.dumps(JOINED))
    bare = run("run", "sample.yaml", given=json.dumps(JOINED))
    assert bare.exit_code == 1
    assert "`fetched` is not given; the event wants GET /events/e-1 of connection vendor" in bare.stderr
    given = run("run", "sample.yaml", "--fetched", "answer.json", given=json.dumps(JOINED))
    assert json.loads(given.stdout)["actor"]["mbox"] == "mailto:ana@example.edu"
    explained = run("explain", "sample.yaml", "joined.json", "--fetched", "answer.json", "--json")
    assert json.loads(explained.stdout)[0]["outcome"]["kind"] == "adapted"


def test_run_is_repeatable() -> None:
    one, other = (run("run", "sample.yaml", given=json.dumps(JOINED)).stdout for _ in range(2))
    assert one == other != ""


def test_explain_shows_rules_fields_and_statements(folder: Path) -> None:
    (folder / "p.json").write_text(json.dumps(JOINED | {"extra": 1}))
    result = run("explain", "sample.yaml", "p.json")
    assert result.exit_code == 0
    assert "→ joined: match body.type: joined ✓" in result.output
    assert "sample.yaml:11:21  ${ body.meeting }" in result.output
    assert "not read: body.extra" in result.output
    (told,) = json.loads(run("explain", "--json", "sample.yaml", "-", given=json.dumps(JOINED)).output)
    assert told["outcome"]["kind"] == "adapted"
    broken = run("explain", "sample.yaml", "-", given=json.dumps(JOINED | {"who": "nobody"}))
    assert broken.exit_code == 1
    assert (
        "missing required identifier of actor" in broken.output or "missing required actor" in broken.output
    )


def test_schema_is_json_schema() -> None:
    assert json.loads(run("schema").output)["required"] == ["adapter", "rules"]


def test_sign_prints_a_command_the_vendor_could_have_sent(folder: Path) -> None:
    (folder / "p.json").write_text("{}")
    (folder / "secret").write_text("s3cret\n")
    url = "https://gateway.example.org/hooks/sample"
    by_value = run("sign", "sample.yaml", "p.json", "--url", url, SAMPLE_SECRET="s3cret")
    by_file = run("sign", "sample.yaml", "p.json", "--url", url, SAMPLE_SECRET_FILE=str(folder / "secret"))
    assert by_value.output == by_file.output
    words = shlex.split(by_value.output)
    assert words[0] == "curl"
    assert words[-1] == url
    assert any(word.startswith("x-hub-signature-256: sha256=") for word in words)
    missing = run("sign", "sample.yaml", "p.json", "--url", url)
    assert (missing.exit_code, missing.output) == (1, "Error: secret SAMPLE_SECRET is not set\n")


def test_sign_puts_tokens_and_signatures_into_the_body(folder: Path) -> None:
    (folder / "p.json").write_text(json.dumps({"MSG": '{"a": "b c"}', "HMAC": "of the sample"}))
    url, secrets = (
        "https://g.example.org/hooks/qualtrics",
        {"QUALTRICS_TOKEN": "t", "QUALTRICS_SHARED_KEY": "k"},
    )
    words = shlex.split(run("sign", "qualtrics", "p.json", "--url", url, **secrets).output)
    body = words[words.index("--data-binary") + 1]
    signature = hmac.new(b"k", b'{"a": "b c"}', "sha512").hexdigest()
    assert parse_qs(body) == {"MSG": ['{"a": "b c"}'], "HMAC": [signature]}
    assert words[-1] == f"{url}?token=t"
    told = json.loads(run("sign", "qualtrics", "p.json", "--url", url, "--json", **secrets).output)
    assert told["body"] == body


def test_wrong_usage_has_its_own_status(folder: Path) -> None:
    assert run("lint", "nowhere.yaml").exit_code == 2
    assert run("run", "nowhere").exit_code == 2
    assert run("explain", "sample.yaml").exit_code == 2
    (folder / "empty").mkdir()
    assert run("lint", "empty").exit_code == 2


def test_a_broken_mapping_is_shown_wherever_it_is_used(folder: Path) -> None:
    (folder / "broken.yaml").write_text("adapter: x\nrules: [\n")
    for arguments in (["run", "broken.yaml"], ["test", "broken.yaml"], ["lint", "broken.yaml"]):
        result = run(*arguments)
        assert result.exit_code == 1
        assert "error E001" in result.output


def test_the_shipped_mappings_are_the_default_and_known_by_name() -> None:
    shipped = len(mapping_paths(mappings_dir()))
    assert run("lint").output == f"{shipped} mapping{'s' if shipped != 1 else ''}, nothing found\n"
    assert run("test").exit_code == 0
    sample = (mappings_dir() / "samples/zoom/participant-joined.json").read_text()
    result = run("run", "zoom", given=json.dumps(json.loads(sample)))
    assert json.loads(result.stdout)["verb"]["id"] == "http://activitystrea.ms/join"


def test_new_begins_a_mapping_that_lints_clean_and_whose_tests_run(folder: Path, tmp_path: Path) -> None:
    sample = folder / "delivery.json"
    sample.write_text(
        json.dumps({**JOINED, "type": "meeting.joined", "user": {"id": 5}, "meeting": {"id": 7}})
    )
    made = run(
        "new", "acme", str(sample), "--into", "own", "--preset", "github", "--home-page", "https://acme.com"
    )
    assert made.exit_code == 0, made.output
    assert made.output.startswith("wrote own/acme.yaml, own/acme.test.yaml, own/samples/acme/delivery.json\n")
    assert "  signature      preset github; the secret is ACME_SECRET\n" in made.output
    assert "left for you" not in made.output
    assert run("lint", "own").output == "1 mapping, nothing found\n"
    assert run("test", "own").output.endswith("3 cases in 1 mapping, 0 failed\n")
    again = run("new", "acme", "--into", "own", "--json")
    assert again.exit_code == 2
    assert "own/acme.yaml, own/acme.test.yaml exists already; nothing was written" in again.output
    assert not (folder / "own" / "samples" / "acme" / "course-completed.json").exists()


def test_new_needs_no_sample_and_takes_those_beside_the_mapping_as_they_are(folder: Path) -> None:
    made = run("new", "acme", "--json")
    written = json.loads(made.output)
    assert written["files"] == ["acme.yaml", "acme.test.yaml", "samples/acme/course-completed.json"]
    assert {"what": "verb", "guess": "completed, of 'completed'"} in written["guesses"]
    beside = run("new", "other", "samples/acme/course-completed.json", "--json")
    assert json.loads(beside.output)["files"] == ["other.yaml", "other.test.yaml"]
    assert "payload: samples/acme/course-completed.json" in (folder / "other.test.yaml").read_text()
    shipped = run("new", "zoom")
    assert "a mapping 'zoom' is shipped" in shipped.output


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["a b"], "'a b' is no name for a mapping"),
        (["../up"], "'../up' is no name for a mapping"),
        (["acme", "none.json"], "'none.json' does not exist"),
        (["acme", "bad.json"], "bad.json is not one JSON value"),
        (["acme", "list.json"], "holds no JSON object, nor a list of them"),
        (["acme", "--home-page", "acme.com"], "--home-page is an address such as https://www.example.com"),
        (["acme", "--preset", "githubb"], "there is no preset 'githubb'; did you mean 'github'?"),
    ],
)
def test_new_says_what_it_cannot_begin_with(folder: Path, arguments: list[str], problem: str) -> None:
    (folder / "bad.json").write_text("{")
    (folder / "list.json").write_text("[1]")
    result = run("new", *arguments)
    assert result.exit_code == 2
    assert problem in result.output
    assert not (folder / "acme.yaml").exists()


def test_words_finds_what_a_mapping_may_write() -> None:
    found = json.loads(run("words", "progress", "--kind", "extension", "--json").output)
    assert [one["word"] for one in found] == ["progress", "seriousgames.progress", "video.progress"]
    assert found[0]["where"] == ["result"]
    assert found[0]["profile"]["name"] == "cmi5 Profile"
    for said, word in (("enrolled", "registered"), ("finished", "completed"), ("completed", "completed")):
        line = run("words", said).output.splitlines()[1]
        assert line.split()[:2] == [word, "verb"]
    everything = json.loads(run("words", "--json").output)
    assert len(everything) == len({one["iri"] for one in everything}) > 890


def test_a_word_that_nothing_fits_is_said() -> None:
    result = run("words", "complted")
    assert result.exit_code == 1
    assert "no word fits 'complted'; did you mean 'completed'?" in result.output
