from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cmi5.launch import launch_url
from gateway.cmi5.urls import PackageFiles, absolute_url, package_path, url_problems
from gateway.cmi5.vocabulary import LAUNCH_URL_PARAMETERS

FILES = PackageFiles(["index.html", "a/b c.html", "Über/Seite.html", "media/x.mp4"])
BASE = "https://content.example.org/c/1"


def _requirements(url: str, *, packaged: bool = True) -> list[str]:
    return [requirement for requirement, _ in url_problems(url, packaged=packaged, files=FILES)]


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org",
        "http://example.org:8080/a?b=c&d#e",
        "HTTPS://EXAMPLE.ORG/",
        "https://user@example.org/",
        "https://[::1]/",
        "https://exämple.org/straße?q=ä",
        "myapp://start?level=2",
        "mailto:ada@example.org",
        "index.html",
        "./index.html",
        "index.html?x=1#y",
        "a/b%20c.html",
        "a//b%20c.html",
        "%C3%9Cber/Seite.html",
        "Über/Seite.html",
        "https://example.org/?Endpoint=1&actors=2",
        "https://example.org/?q=%26fetch%3D1",
    ],
)
def test_urls_that_can_be_launched_have_no_problem(url: str) -> None:
    assert url_problems(url, packaged=True, files=FILES) == []


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/a b",
        "https://example.org/\ta",
        "https://example.org/<a>",
        'https://example.org/"',
        "https://example.org\\a",
        "https://example.org/%zz",
        "https://example.org/100%",
        "https:///a",
        "https:example.org",
        "http:",
        "https://",
        "https://exam\u00a0ple.org",
        "https://example.org:port/",
        "https://example.org:99999/",
        "https://[::1",
        "https://ex..ämple.org/",
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "data:text/html,x",
        "vbscript:x",
        "file:///etc/passwd",
        "C:/course/index.html",
        "myapp:",
        "\ud800",
    ],
)
def test_urls_that_no_browser_should_get_break_rfc_1738(url: str) -> None:
    # cmi5 13.1.4.0-2
    assert _requirements(url) == ["cmi5 13.1.4.0-2"]


@pytest.mark.parametrize(
    "url",
    [
        "other.html",
        "INDEX.HTML",
        "/index.html",
        "//example.org/index.html",
        "../index.html",
        "a/../../index.html",
        "a/%2e%2e/index.html",
        "%2Findex.html",
        "a%5Cb.html",
        "a%00b.html",
        "%FF.html",
        "index.html/",
        "media",
        "media/",
        "?x=1",
        "#top",
        ".",
    ],
)
def test_relative_urls_must_lead_to_a_file_of_the_package(url: str) -> None:
    assert _requirements(url) == ["cmi5 14.1.0.0-4"]


def test_a_name_that_differs_in_case_is_pointed_out() -> None:
    ((_, message),) = url_problems("Index.HTML", packaged=True, files=FILES)
    assert message.endswith("which is not in the package; what is there is called 'index.html'")


@pytest.mark.parametrize("name", LAUNCH_URL_PARAMETERS)
def test_no_launch_parameter_may_be_in_the_query_already(name: str) -> None:
    # cmi5 8.1.0.0-6
    encoded = "".join(f"%{ord(letter):02x}" for letter in name)
    for query in (name, f"{name}=1", f"a=b&{name}=", f"{encoded}=1"):
        for url in (f"https://example.org/?{query}", f"index.html?{query}", f"myapp://x?{query}"):
            assert _requirements(url) == ["cmi5 8.1.0.0-6"]


def test_without_a_package_every_url_is_absolute() -> None:
    # cmi5 14.2.0.0-1
    for url in ("index.html", "/index.html", "//example.org/", "?a"):
        assert _requirements(url, packaged=False) == ["cmi5 14.2.0.0-1"]


@pytest.mark.parametrize(
    ("url", "absolute"),
    [
        ("index.html", f"{BASE}/index.html"),
        ("./index.html?a=b#c", f"{BASE}/index.html?a=b#c"),
        ("Über/Seite.html", f"{BASE}/%C3%9Cber/Seite.html"),
        ("a/b%20c.html", f"{BASE}/a/b%20c.html"),
        ("https://example.org/a?b=%2F", "https://example.org/a?b=%2F"),
        ("https://exämple.org:81/straße", "https://xn--exmple-cua.org:81/stra%C3%9Fe"),
        ("myapp://start", "myapp://start"),
    ],
)
def test_absolute_urls_are_ascii_and_otherwise_untouched(url: str, absolute: str) -> None:
    assert absolute_url(url, BASE) == absolute
    assert absolute_url(url, BASE + "/") == absolute


@pytest.mark.parametrize(
    ("url", "path"),
    [("a/b%20c.html?x#y", "a/b c.html"), ("./a.html", "a.html"), ("../a", None), ("/a", None), ("", None)],
)
def test_the_file_a_relative_url_means_is_found(url: str, path: str | None) -> None:
    assert package_path(url) == path


@given(st.text(max_size=40), st.booleans())
def test_any_text_is_judged_and_what_passes_can_be_launched(url: str, packaged: bool) -> None:
    if url and not url_problems(url.strip(), packaged=packaged, files=None):
        launched = absolute_url(url.strip(), BASE)
        assert launched.isascii()
        assert urlsplit(launched).scheme


agents = st.fixed_dictionaries(
    {
        "objectType": st.just("Agent"),
        "name": st.text(max_size=12),
        "account": st.fixed_dictionaries(
            {"homePage": st.just("https://people.example.org/?a=b&c#d"), "name": st.text(max_size=12)}
        ),
    }
)
own_queries = st.lists(
    st.tuples(st.sampled_from(["a", "b", "x y"]), st.text(max_size=5, alphabet="az&=+ %ä")), max_size=3
)


@given(agents, own_queries, st.sampled_from(["", "#part", "#a?b=c"]), st.sampled_from(["", "?", "?k", "?k&"]))
def test_a_launch_url_gives_back_what_was_put_in(
    actor: dict[str, Any], own: list[tuple[str, str]], fragment: str, start: str
) -> None:
    joint = "&" if start not in ("", "?", "?k&") else ("" if start else "?")
    query = "&".join(f"{_escaped(name)}={_escaped(value)}" for name, value in own)
    address = f"https://content.example.org/index.html{start}{joint if own else ''}{query}"
    values = {
        "endpoint": "https://lms.example.org/v1/xapi/",
        "fetch": "https://lms.example.org/cmi5/fetch/a+b%20c?d=e&f",
        "registration": "b22893ae-a13e-406f-abb6-fd463ed7c645",
        "activity_id": "https://lms.example.org/cmi5/courses/1/aus/ä",
    }
    url = launch_url(address + fragment, actor=actor, **values)
    before, _, after = url.partition("#")
    assert f"#{after}" == fragment or not fragment
    assert before.startswith(address)
    pairs = before[len(address) :].lstrip("?&").split("&")
    # As an AU reads them: split at the first '=', decodeURIComponent, which leaves a plus alone.
    read = {
        name: unquote(value, errors="strict") for name, _, value in (pair.partition("=") for pair in pairs)
    }
    assert json.loads(read.pop("actor")) == actor
    assert read == {name.replace("activity_id", "activityId"): value for name, value in values.items()}
    assert [name for name, _ in parse_qsl(urlsplit(url).query, keep_blank_values=True)][-5:] == [
        *LAUNCH_URL_PARAMETERS
    ]
    assert "+" not in before[len(address) :]


def _escaped(text: str) -> str:
    return "".join(letter if letter.isalnum() and letter.isascii() else _percent(letter) for letter in text)


def _percent(letter: str) -> str:
    return "".join(f"%{byte:02X}" for byte in letter.encode())
