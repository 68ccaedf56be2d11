from __future__ import annotations

from pathlib import Path

import pytest

from gateway.settings import formats


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0s", 0),
        ("250ms", 0.25),
        ("1ms", 0.001),
        ("20 s", 20),
        ("1.5m", 90),
        ("12h", 43200),
        ("90d", 7_776_000),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert formats.duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "count"), [("512B", 512), ("1.5KiB", 1536), ("64 MiB", 67_108_864), ("1TiB", 1 << 40)]
)
def test_sizes(text: str, count: int) -> None:
    assert formats.size(text) == count


@pytest.mark.parametrize(
    "text", ["", "5", "s", "-5s", "5 seconds", "5S", "1h30m", "٣s", "1e3s", "1234567s", "5s\n"]
)
def test_other_texts_are_no_durations(text: str) -> None:
    with pytest.raises(ValueError, match=r"^not a number with a unit$"):
        formats.duration(text)


@pytest.mark.parametrize(
    "text",
    ["http://a:65536", "ftp://a", "//a", "http://a/", "http://a b", "http://u@a", "HTTP://a", "http://"],
)
def test_other_texts_are_no_origins(text: str) -> None:
    with pytest.raises(ValueError, match=r"^not a web address$"):
        formats.origin(text)


@pytest.mark.parametrize("text", ["http://a", "https://lms.example.org:8443/done?x=1#y", "http://[::1]/"])
def test_web_addresses(text: str) -> None:
    assert formats.url(text) == text


def test_a_path_may_start_at_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert formats.path("~/data") == Path("/home/me/data")


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "^not a path$"), ("a\0", "^not a path$"), ("~no body/x", "^no such home folder$")],
)
def test_other_texts_are_no_paths(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        formats.path(text)
