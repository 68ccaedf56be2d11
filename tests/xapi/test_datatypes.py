from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.xapi import datatypes
from gateway.xapi.datatypes import (
    PATTERNS,
    comparable_duration,
    format_timestamp,
    is_duration,
    is_iri,
    is_language_tag,
    is_mailto,
    is_mime_type,
    is_sha1,
    is_sha2,
    is_timestamp,
    is_uuid,
    parse_timestamp,
    utc_timestamp,
)

ACCEPTED = {
    "is_uuid": [
        "fd41c918-b88b-4b20-a0a5-a4c32391aaa0", "FD41C918-B88B-4B20-A0A5-A4C32391AAA0",
        f"{0:08}-0000-0000-0000-{0:012}",
    ],
    "is_iri": [
        "http://example.org", "x:y", "mailto:a@b", "https://例え.jp/päth?q=ü#f", "urn:uuid:x", "a+b-c.d:e",
        "tag:x,2024:y",
    ],
    "is_mailto": [
        "mailto:a@b", "mailto:first.last+tag@Example.ORG", "mailto:ü@bücher.example",
        "mailto:a@[127.0.0.1]", "mailto:o'neil@x.org",
    ],
    "is_sha1": [
        "ebd31e95054c018b10727ccffd2ef2ec3a016ee9", "EBD31E95054C018B10727CCFFD2EF2EC3A016EE9",
    ],
    "is_sha2": [
        "a" * 56, "A" * 64, "0" * 96, "f" * 128,
    ],
    "is_duration": [
        "P1Y", "P1M", "P1D", "PT1H", "PT1M", "PT1S", "P3Y6M4DT12H30M5S", "P4W", "PT0.5S", "PT12.3456789S",
        "PT0S", "P0.5D", "PT1,5M", "P1YT1S", "P2.5W", "PT36H", "P1Y1D",
    ],
    "is_mime_type": [
        "text/plain", "application/json; charset=utf-8", 'multipart/mixed; boundary="a b;c"',
        "application/vnd.x+json", "image/svg+xml;a=b;c=d", "application/octet-stream",
    ],
    "is_language_tag": [
        "de", "cmn", "ase", "de-DE", "es-MX", "fr-CA", "zh-Hant", "sr-Cyrl", "sr-Latn-RS", "zh-Hans-CN",
        "es-419", "en-x-foo", "x-whatever", "i-klingon", "en-GB-oed", "EN-us", "zh-cmn-Hans-CN",
        "de-CH-1901", "sl-rozaj-biske", "de-u-co-phonebk", "en-a-bbb-x-a-ccc", "art-lojban", "zh-min-nan",
        "sgn-BE-FR", "en-a-aaa-b-bbb", "abcd", "abcdefgh",
    ],
    "is_timestamp": [
        "2024-01-31T10:15:00Z", "2024-01-31T10:15:00.1Z", "2024-01-31T10:15:00.123456789Z",
        "2024-01-31T10:15Z", "2024-01-31T10:15:00", "2024-01-31T10:15:00+01:00", "2024-01-31T10:15:00-0130",
        "2024-01-31T10:15:00+01", "2024-01-31T10:15:00+00:00", "2024-01-31T10:15:00+00",
        "2024-02-29T00:00:00Z", "2016-12-31T23:59:60Z", "9999-12-31T23:59:59.999999Z",
        "0001-01-01T00:00:00Z", "20240131T101500Z", "20240131T1015", "20240131T101500,5+0100",
        "2024-01-31T10:15:00,25Z",
    ],
}  # fmt: skip
REFUSED = {
    "is_uuid": [
        "", "fd41c918b88b4b20a0a5a4c32391aaa0", "{fd41c918-b88b-4b20-a0a5-a4c32391aaa0}",
        "urn:uuid:fd41c918-b88b-4b20-a0a5-a4c32391aaa0", "fd41c918-b88b-4b20-a0a5-a4c32391aaa00",
        "fd41c918-b88b-4b20-a0a5-a4c32391aaag", "fd41c918-b88b-4b20-a0a5-a4c32391aaa0\n",
        "fd41c918-b88b-4b20-a0a5-a4c32391aaa٠",
    ],
    "is_iri": [
        "", "www.example.com", "/x", "abc", "ab=c://should.fail.com", "http:", ":x", "1a:b", "http://a b",
        "http://a\n", "http://a<b", "http://a|b", "http://a\\b", "http://a^b", "http://a`b", 'http://a"b',
        "http://{a}", "x:\x7f", "x:\x85", " http://a",
    ],
    "is_mailto": [
        "", "a@b", "mailto:", "mailto:should.fail.com", "mailto:@b", "mailto:a@", "mailto:mailto:a@b",
        "mailto:a b@c", "mailto:a@b@c", "mailto:a@b c", "mailto:a@b\n", "http://a@b", "mailto:a@b,c@d",
        "mailto:<a@b>",
    ],
    "is_sha1": [
        "", "a" * 39, "a" * 41, "g" * 40, "a" * 64,
    ],
    "is_sha2": [
        "", "should fail", "a" * 40, "a" * 63, "a" * 65, "g" * 64, "a" * 512,
    ],
    "is_duration": [
        "", "P", "PT", "P1YT", "1Y", "P1S", "PT1D", "P4W1D", "P1Y4W", "-P1D", "P-1D", "+P1D", "p1d", "PT1s",
        "P0003-06-04T12:30:05", "P1D1Y", "PT1S1H", "PT.5S", "PT1.S", "PT1S\n", "P1Y2", "PT٣S",
    ],
    "is_mime_type": [
        "", "text", "text/", "/plain", "text plain", "text/plain; charset", "text/pl ain", "text/plain\n",
        "text/plain, text/html", "a/b/c",
    ],
    "is_language_tag": [
        "", "something", "a12345678", "s-something", "zh-something-ccc", "en-something-AU",
        "zh-z-aaa-z-bbb-c-ccc", "en-A-aaa-a-bbb", "en_US", "e", "12", "en-", "-en", "en--US", "en-US\n",
        "x", "x-", "x-toolongsubtag", "i-unknown", "en-a", "ü",
    ],
    "is_timestamp": [
        "", "now", "01/011/2015", "2024-01-31", "2024-13-01T00:00:00Z", "2024-02-30T00:00:00Z",
        "2023-02-29T00:00:00Z", "2024-01-31T24:00:00Z", "2024-01-31T10:60:00Z", "2024-01-31T10:15:61Z",
        "2024-01-31T10:15:00-00:00", "2024-01-31T10:15:00-0000", "2024-01-31T10:15:00-00",
        "2024-01-31T10:15:00+24:00", "2024-01-31T10:15:00+01:60", "2024-01-31 10:15:00Z",
        "2024-01-31t10:15:00z", "2024-W05-3T10:15:00Z", "2024-031T10:15:00Z", "2024-01-31T10Z",
        "2024-01-31T10:15:00+", "2024-01-31T10:15:00+01:", "2024-01-31T10:15:00+1", "2024-01-31T10:15:00.Z",
        "0000-01-01T00:00:00Z", "20240131T101500+01:00", "20240131T10:15:00Z", "2024-01-31T101500Z",
        "2024-01-31T10:15:00Z\n", "2024-01-31T10:15:00Zx", "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00", "9999-12-31T23:59:60Z", "٢٠٢٤-01-31T10:15:00Z", "2024-1-31T10:15:00Z",
        "2024-00-10T00:00:00Z", "2024-01-00T00:00:00Z", "20241301T101500Z", "2024-01-31T10:15.5Z",
        "12024-01-31T10:15:00Z",
    ],
}  # fmt: skip
CHECKS = {
    check.__name__: check
    for check in (is_timestamp, is_language_tag)
} | {
    "is_uuid": is_uuid,
    "is_iri": is_iri,
    "is_mailto": is_mailto,
    "is_sha1": is_sha1,
    "is_sha2": is_sha2,
    "is_duration": is_duration,
    "is_mime_type": is_mime_type,
}  # fmt: skip
MICROS = st.integers(parse_timestamp("0001-01-01T00:00:00Z"), parse_timestamp("9999-12-31T23:59:59.999999Z"))


def cases(table: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [(name, text) for name, texts in table.items() for text in texts]


@pytest.mark.parametrize(("name", "text"), cases(ACCEPTED))
def test_what_the_standard_allows_is_accepted(name: str, text: str) -> None:
    assert CHECKS[name](text)


@pytest.mark.parametrize(("name", "text"), cases(REFUSED))
def test_what_the_standard_forbids_is_refused(name: str, text: str) -> None:
    assert not CHECKS[name](text)


@pytest.mark.parametrize("name", CHECKS)
@pytest.mark.parametrize("value", [None, True, 0, 1.5, [], {}, ["x:y"], b"x:y"])
def test_only_strings_are_of_any_data_type(name: str, value: object) -> None:
    assert CHECKS[name](value) is False


@given(st.text())
def test_no_text_makes_a_check_raise(text: str) -> None:
    assert {type(check(text)) for check in CHECKS.values()} == {bool}


@pytest.mark.parametrize("name", PATTERNS)
def test_the_schema_has_the_same_pattern(name: str) -> None:
    schema: Any = json.loads(files("gateway.xapi").joinpath("statement.schema.json").read_text("utf-8"))
    assert schema["$defs"][name] == {"type": "string", "pattern": f"^(?:{PATTERNS[name]})$"}


@given(st.from_regex(PATTERNS["plainTimestamp"], fullmatch=True))
def test_a_plain_timestamp_needs_no_second_look(text: str) -> None:
    assert is_timestamp(text)


@given(st.from_regex(PATTERNS["plainLanguageTag"], fullmatch=True))
def test_a_plain_language_tag_needs_no_second_look(text: str) -> None:
    assert is_language_tag(text)


@given(MICROS)
def test_a_written_timestamp_reads_as_the_same_instant(micros: int) -> None:
    text = format_timestamp(micros)
    assert len(text) == 27
    assert parse_timestamp(text) == micros
    assert utc_timestamp(text) == text


@given(MICROS, MICROS)
def test_written_timestamps_sort_like_instants(one: int, other: int) -> None:
    assert (format_timestamp(one) < format_timestamp(other)) == (one < other)


@given(
    st.datetimes(min_value=datetime(2, 1, 1), max_value=datetime(9998, 1, 1)),  # noqa: DTZ001
    st.integers(-23 * 60 - 59, 23 * 60 + 59),
)
def test_zones_are_what_python_takes_them_for(naive: datetime, minutes: int) -> None:
    moment = naive.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    expected = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    assert parse_timestamp(moment.isoformat()) == expected
    assert parse_timestamp(utc_timestamp(moment.isoformat())) == expected


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2024-01-31T10:15:00.1Z", "2024-01-31T10:15:00.1Z"),
        ("2024-01-31T10:15:00+00:00", "2024-01-31T10:15:00Z"),
        ("2024-01-31T10:15:00", "2024-01-31T10:15:00Z"),
        ("2024-01-31T10:15Z", "2024-01-31T10:15:00Z"),
        ("2024-01-01T00:30:00.123456789+01:00", "2023-12-31T23:30:00.123456789Z"),
        ("2016-12-31T23:59:60.5Z", "2017-01-01T00:00:00.5Z"),
        ("20240131T101500,50-0130", "2024-01-31T11:45:00.50Z"),
        ("2024-01-31T10:15:00+05", "2024-01-31T05:15:00Z"),
    ],
)
def test_a_timestamp_moves_to_utc_and_keeps_its_digits(text: str, utc: str) -> None:
    assert utc_timestamp(text) == utc
    assert datatypes.is_timestamp(utc)
    assert parse_timestamp(utc) == parse_timestamp(text)


def test_digits_beyond_the_microsecond_are_cut_off() -> None:
    assert parse_timestamp("1970-01-01T00:00:00.1234569Z") == 123456
    assert parse_timestamp("1969-12-31T23:59:59.9999999Z") == -1
    assert parse_timestamp("1970-01-01T01:00:00,5+01:00") == 500_000


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("yesterday", "not an ISO 8601 date and time such as 2024-01-31T10:15:00.000Z"),
        ("2024-02-30T00:00:00Z", "day is out of range for month"),
        ("2024-01-31T24:00:00Z", "there is no time of day 24:00:00"),
        ("2024-01-31T10:15:00-00:00", "the zone -00:00 means that the zone is unknown; UTC is Z or +00:00"),
        ("2024-01-31T10:15:00+99:00", "there is no time zone +99:00"),
        ("20240131T101500+01:00", "it mixes the basic form of ISO 8601 with an extended zone"),
        ("0001-01-01T00:00:00+01:00", "in UTC it lies outside the years 0001 to 9999"),
    ],
)
def test_a_refused_timestamp_says_why(text: str, reason: str) -> None:
    with pytest.raises(ValueError) as refused:
        parse_timestamp(text)
    assert str(refused.value) == reason


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("PT1.234S", "PT1.239S", True),
        ("PT1.23S", "PT1.24S", False),
        ("PT1.5S", "PT1.50S", True),
        ("PT1.001S", "PT1S", True),
        ("PT60S", "PT1M", False),
        ("P1DT1,234S", "P1DT1.23S", True),
        ("PT1.5M", "PT1.51M", False),
    ],
)
def test_durations_are_compared_to_a_hundredth_of_a_second(one: str, other: str, same: bool) -> None:
    assert (comparable_duration(one) == comparable_duration(other)) is same
