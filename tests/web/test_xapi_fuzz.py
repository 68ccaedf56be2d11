from __future__ import annotations

import random
from typing import Any

from gateway.xapi.versions import Version
from tests.gateway import VERSION_HEADER, Gateway
from tests.xapi.examples import minimal

REQUESTS = 5000
PATHS = [
    "statements",
    "activities/state",
    "activities/profile",
    "agents/profile",
    "agents",
    "activities",
    "about",
]
PATHS += [
    "",
    "statements/",
    "statements/more",
    "extensions/x",
    "%00",
    "..",
    "%2e%2e/x",
    "statements;x=1",
]
METHODS = ["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "PATCH"]
NAMES = ["statementId", "voidedStatementId", "agent", "verb", "activity", "registration", "since", "until"]
NAMES += [
    "limit",
    "format",
    "attachments",
    "ascending",
    "more",
    "activityId",
    "stateId",
    "profileId",
    "method",
]
VALUES = [
    "",
    "x",
    "x:y",
    "true",
    "0",
    "-1",
    "9" * 30,
    "exact",
    "canonical",
    "GET",
    "POST",
    "null",
    "\x00",
    "é",
    "{}",
]
VALUES += ['{"mbox":"mailto:a@example.org"}', "6690e6c9-3ef0-4ed3-8b37-7f3964730bee", "2024-01-01T00:00:00Z"]
VALUES += [
    "9999-12-31T23:59:59.999999Z",
    "0001-01-01T00:00:00Z",
    '{"account":{"homePage":"x:y","name":"\\u0000"}}',
]
TYPES = [
    "application/json",
    "multipart/mixed; boundary=x",
    "multipart/mixed",
    "text/plain",
    "",
    "application/json;;",
]
TYPES += [
    "application/x-www-form-urlencoded",
    'multipart/mixed; boundary="',
    "application/json; charset=utf-16",
]
BODIES = [
    b"",
    b"{}",
    b"[]",
    b"null",
    b"[null]",
    b"\x00",
    b"a=b&content=%7B%7D",
    b"--x\r\n\r\n{}\r\n--x--",
    b"\xff",
]
BODIES += [
    b'{"id":{"$oid":1}}',
    b'{"a":{"b":[1e999]}}',
    b"content=x&Authorization=y&statementId=",
    b"--x--",
    b"1e999",
]
HEADERS = {
    "If-Match": ["*", '"x"', "W/", ",", '"', "\\"],
    "If-None-Match": ["*", '""', "*, *", "x" * 3000],
    "Accept-Language": ["*", "en;q=x", ";;", "en-" * 900, "de;q=1e9"],
    VERSION_HEADER: ["1.0.3", "2.0.0", "2", "", "1.0." + "9" * 50],
    "Authorization": ["Basic x", "Bearer x", ""],
    "Accept-Encoding": ["gzip", "br;q=0", "\\"],
    "Range": ["bytes=0-0"],
    "Expect": ["100-continue", "x"],
    "If-Modified-Since": ["x", "Thu, 01 Jan 1970 00:00:00 GMT"],
}


def mutated(chance: random.Random) -> Any:
    """A statement in which one thing is something else."""
    values: list[Any] = [None, 1, "x", [], {}, True, 1e308, "\x00", {"$ref": 1}, [[]], "x:y", -(2**70)]
    statement = minimal(Version.V2) | {"result": {"score": {"raw": 1}}, "context": {"registration": "x"}}
    place: Any = statement
    while isinstance(place, dict) and place:
        key = chance.choice(list(place))
        if not isinstance(place[key], dict) or chance.random() < 0.4:
            place[key] = chance.choice(values)
            break
        place = place[key]
    return chance.choice([statement, [statement], [statement, statement]])


async def test_no_request_is_answered_with_an_error_of_the_server(gateway: Gateway) -> None:
    chance = random.Random(20240229)
    for _ in range(REQUESTS):
        lrs = chance.choice([gateway.lrs, gateway.lrs1])
        params = [
            (chance.choice(NAMES), chance.choice(VALUES)) for _ in range(chance.choice([0, 1, 1, 2, 3, 4]))
        ]
        headers = {"Content-Type": chance.choice(TYPES)}
        for name in chance.sample(list(HEADERS), chance.choice([0, 0, 1, 2])):
            headers[name] = chance.choice(HEADERS[name])
        method, path = chance.choice(METHODS), chance.choice(PATHS)
        request: dict[str, Any] = {"data": chance.choice(BODIES)}
        if chance.random() < 0.3:
            request = {"body": mutated(chance)}
            headers["Content-Type"] = "application/json"
        if headers.get("Expect") == "x":
            del headers["Expect"]
        reply = await lrs(method, f"/{path}", params, headers=headers, **request)
        assert reply.status < 500, (method, path, params, headers, request)
