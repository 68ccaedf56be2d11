from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
from structlog.testing import capture_logs

from adapters import Adapted, Event, Lookups, load_mapping
from gateway import resources
from gateway.resources import mappings_dir
from gateway.services.mappings import Mappings
from gateway.settings import load

TWO = """\
adapter: two
receive:
  verify:
    - token: { query: key, secret: ["${ secret('NEW') }", "${ secret('OLD') }"] }
rules: [ { name: all, ignore: true } ]
"""


@pytest.fixture(autouse=True)
def _every_level() -> Iterator[None]:
    """Whatever level another test, or a command it ran, has left."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(0))
    yield
    structlog.configure(**before)


def reported(folder: Path, secrets: Callable[[str], str | None]) -> list[tuple[str, str]]:
    mappings = Mappings(folder, secrets)
    mappings.load()
    with capture_logs() as logs:
        mappings.report()
    return [(one["event"], one.get("adapter") or one["adapters"]) for one in logs]


def test_shipped_adapters_that_nobody_set_up_share_one_line_and_fetch_nothing() -> None:
    secrets = {"ZOOM_SECRET_TOKEN": "s"}
    lines = reported(mappings_dir(), secrets.get)
    waiting = [names for event, names in lines if event == "adapters not set up"]
    assert len(waiting) == 1
    assert {"canvas", "moodle", "typeform"} <= set(waiting[0].split(", "))
    assert ("adapter ready", "zoom") in lines
    assert [name for event, name in lines if event == "adapter not ready"] == []
    mappings = Mappings(mappings_dir(), secrets.get)
    mappings.load()
    assert mappings.key_urls() == set()


def test_nothing_is_read_before_somebody_asks(tmp_path: Path) -> None:
    mappings = Mappings(tmp_path, {"NEW": "s"}.get)
    (tmp_path / "two.yaml").write_text(TWO)
    assert [one.name for one in mappings.adapters] == ["two"]
    (tmp_path / "two.yaml").unlink()
    assert mappings.get("two") is not None


def test_of_two_folders_the_later_one_counts_and_nothing_else_is_lost(tmp_path: Path) -> None:
    (tmp_path / "two.yaml").write_text(TWO)
    (tmp_path / "mine.yaml").write_text(TWO.replace("adapter: two", "adapter: zoom"))
    settings = load(None, {}, {"hooks.mappings": ["shipped", str(tmp_path)]})
    mappings = Mappings.of(settings)
    names = {one.name for one in mappings.adapters}
    assert {"two", "zoom", "canvas", "moodle"} <= names
    zoom, canvas = mappings.get("zoom"), mappings.get("canvas")
    assert zoom is not None
    assert zoom.file == tmp_path / "mine.yaml"
    assert canvas is not None
    assert canvas.file == mappings_dir() / "canvas.yaml"
    assert {str(tmp_path / "mine.yaml"), str(mappings_dir() / "zoom.yaml")} <= {
        file for file, _, _ in mappings.seen()
    }
    with capture_logs() as logs:
        mappings.load()
    assert logs == []
    (tmp_path / "mine.yaml").unlink()
    mappings.load()
    zoom = mappings.get("zoom")
    assert zoom is not None
    assert zoom.file == mappings_dir() / "zoom.yaml"


OWN = """\
adapter: mine
include: shipped:_shared.yaml
rules:
  - name: all
    statement:
      actor: { account: { homePage: https://id.example.edu, name: mira } }
      verb: ${ lookup('words', body.action) }
      object: { $use: thing }
"""
SHARED = """\
include: more/_deep.yaml
tables: { words: { Viewed: viewed } }
"""
DEEP = "fragments: { thing: { id: https://x.org/thing } }\n"


def test_what_is_shipped_is_included_from_any_folder_and_followed_when_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped, own = tmp_path / "shipped", tmp_path / "own"
    (shipped / "more").mkdir(parents=True)
    own.mkdir()
    (shipped / "_shared.yaml").write_text(SHARED)
    (shipped / "more" / "_deep.yaml").write_text(DEEP)
    (own / "mine.yaml").write_text(OWN)
    (own / "_shared.yaml").write_text("tables: { words: { Viewed: joined } }\n")
    monkeypatch.setattr(resources, "mappings_dir", lambda: shipped)
    mappings = Mappings(own, lambda _: None)

    def made() -> tuple[str, str, dict[str, str]]:
        adapter = mappings.get("mine")
        assert adapter is not None
        assert adapter.mapping is not None, adapter.problem
        (event,) = adapter.mapping.events({"action": "Viewed"})
        assert isinstance(event, Event)
        outcome = adapter.mapping.adapt(event, Lookups(pseudonym_key=b""))
        assert isinstance(outcome, Adapted)
        (statement,) = outcome.statements
        assert statement["object"]["id"] == "https://x.org/thing"
        return statement["verb"]["id"], adapter.mapping.revision, dict(adapter.mapping.texts)

    verb, revision, _ = made()
    assert verb == "http://id.tincanapi.com/verb/viewed"
    before = mappings.seen()
    (shipped / "_shared.yaml").write_text(SHARED.replace("Viewed: viewed", "Viewed: experienced"))
    assert mappings.seen() != before
    mappings.load()
    verb, changed, texts = made()
    assert verb == "http://adlnet.gov/expapi/verbs/experienced"
    assert changed != revision
    assert set(texts) == {"mine.yaml", "shipped:_shared.yaml", "shipped:more/_deep.yaml"}
    # A revision that was kept is compiled of the texts that were kept with it.
    assert load_mapping(texts.pop("mine.yaml"), "mine.yaml", files=texts.get).revision == changed


def test_a_folder_alone_is_all_there_is(tmp_path: Path) -> None:
    (tmp_path / "two.yaml").write_text(TWO)
    for written in (str(tmp_path), [str(tmp_path)]):
        mappings = Mappings.of(load(None, {}, {"hooks.mappings": written}))
        assert [one.name for one in mappings.adapters] == ["two"]


def test_an_adapter_that_somebody_set_up_by_half_has_a_line_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "two.yaml").write_text(TWO)
    (tmp_path / "bad.yaml").write_text("adapter: [")
    assert reported(tmp_path, {"NEW": "s"}.get) == [
        ("adapter not ready", "bad"),
        ("adapter not ready", "two"),
    ]
    assert reported(tmp_path, lambda _: None) == [
        ("adapters not set up", "two"),
        ("adapter not ready", "bad"),
    ]
