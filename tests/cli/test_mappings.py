from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from adapters.files import mapping_paths
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
"""
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
    assert "warning W201  body.meting appears in none of 1 samples" in result.output
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


def test_test_counts_cases_and_names_rules_that_no_case_reaches(folder: Path) -> None:
    result = run("test", "--coverage", "sample.yaml")
    assert result.exit_code == 0
    assert result.output == (
        "sample.yaml: 1 of 2 rules reached\n  not reached: dull\n1 cases in 1 mappings, 0 failed\n"
    )
    (folder / "sample.test.yaml").write_text(TESTS.replace("/join }", "/leave }"))
    failing = run("test", "sample.yaml")
    assert failing.exit_code == 1
    assert "sample.test.yaml:1  failed: somebody joins" in failing.output
    (report,) = json.loads(run("test", "--json", "sample.yaml").output)
    assert report["cases"][0]["passed"] is False


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
