from __future__ import annotations

import json

import orjson
import pytest

from gateway.settings import Origin, Secret, load
from tests.settings.files import Write, problems_of


def test_a_secret_is_shown_only_on_request() -> None:
    secret = Secret("hunter2")
    assert [str(secret), repr(secret), f"{secret}"] == ["***", "Secret('***')", "***"]
    assert secret.reveal() == "hunter2"
    with pytest.raises(TypeError):
        orjson.dumps(secret)


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("mongodb://db1:27017,db2/?replicaSet=r", "mongodb://db1:27017,db2/?replicaSet=r"),
        ("mongodb+srv://me:pa@ss@db/lrs?tls=true", "mongodb+srv://***@db/lrs?tls=true"),
        (
            "mongodb://db/?tlsCertificateKeyFilePassword=p&authMechanismProperties=AWS_SESSION_TOKEN:t&w=1",
            "mongodb://db/?tlsCertificateKeyFilePassword=***&authMechanismProperties=***&w=1",
        ),
    ],
)
def test_a_connection_string_is_shown_without_its_secrets(uri: str, shown: str) -> None:
    settings = load(None, {}, {"mongo.uri": uri})
    assert settings.written["mongo.uri"] == shown
    assert settings.mongo.uri is not None
    assert settings.mongo.uri.reveal() == uri


def test_no_printed_form_of_the_settings_has_a_secret() -> None:
    environment = {
        "XAPI_GATEWAY__BOOTSTRAP__SECRET": "hunter2",
        "XAPI_GATEWAY__METRICS__TOKEN": "hunter2",
        "XAPI_GATEWAY__MONGO__URI": "mongodb://u:hunter2@h",
    }
    settings = load(None, environment, {})
    for printed in (repr(settings), str(settings), str(settings.written), json.dumps(settings.written)):
        assert "hunter2" not in printed


@pytest.mark.parametrize(
    "content",
    [
        "bootstrap: hunter2",
        "bootstrap: {secret: [hunter2]}",
        "bootstrap: {secret: {file: [hunter2]}}",
        'bootstrap: {secret: "hunter2\\n"}',
        "mongo: {uri: 'https://u:hunter2@h'}",
        "metrics: {token: 'hunter2 '}",
        "hunter2",
    ],
)
def test_no_message_has_a_secret(write: Write, content: str) -> None:
    (problem,) = problems_of(write("bad.yaml", content))
    assert "hunter2" not in problem


def test_a_secret_may_stand_in_a_file_named_by_its_variable(write: Write) -> None:
    path = write("secret", "s é\r\n")
    settings = load(None, {"XAPI_GATEWAY__BOOTSTRAP__SECRET_FILE": str(path)}, {})
    assert settings.bootstrap.secret == Secret("s é")
    assert settings.origins["bootstrap.secret"] == Origin(
        kind="environment", place="XAPI_GATEWAY__BOOTSTRAP__SECRET_FILE (secret)"
    )


def test_a_secret_may_stand_in_a_file_named_in_the_file(write: Write) -> None:
    write("uri", "mongodb://u:p@h")
    settings = load(write("gateway.yaml", "mongo:\n  uri: {file: ./uri}\n"), {}, {})
    assert settings.mongo.uri == Secret("mongodb://u:p@h")
    assert settings.origins["mongo.uri"] == Origin(kind="file", place="gateway.yaml:2:8 (./uri)")
    assert settings.written["mongo.uri"] == "mongodb://***@h"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "'secret' cannot be read: No such file or directory"),
        (b"\xff", "'secret' cannot be read: not UTF-8"),
        (b"x" * 65537, "'secret' cannot be read: larger than 65536 bytes"),
        (b"\n", "expected a text of up to 256 characters without control characters in 'secret'"),
    ],
)
def test_a_file_that_holds_no_secret_is_a_problem(write: Write, content: bytes | None, problem: str) -> None:
    if content is not None:
        write("secret", content)
    name = "XAPI_GATEWAY__BOOTSTRAP__SECRET_FILE"
    assert problems_of(None, {name: "secret"}) == [f"{name}: bootstrap.secret: {problem}"]


def test_a_secret_is_given_once_in_the_environment(write: Write) -> None:
    environment = {"XAPI_GATEWAY__METRICS__TOKEN": "t", "XAPI_GATEWAY__METRICS__TOKEN_FILE": "t"}
    assert problems_of(None, environment) == [
        "XAPI_GATEWAY__METRICS__TOKEN_FILE: XAPI_GATEWAY__METRICS__TOKEN is set too; remove one"
    ]


def test_an_unknown_key_beside_the_file_of_a_secret_is_named(write: Write) -> None:
    path = write("bad.yaml", "metrics: {token: {fil: x}}")
    assert problems_of(path) == ["bad.yaml:1:19: unknown option metrics.token.fil; did you mean file?"]
