from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from tests.gateway import Gateway
from tests.xapi import examples

PATH = "/api/v1/schemas/statement"


async def schema(gateway: Gateway, **query: str) -> dict[str, Any]:
    reply = await gateway.http().get(PATH, query)
    assert reply.status == 200
    assert reply.headers["Content-Type"].startswith("application/schema+json")
    assert reply.headers["Access-Control-Allow-Origin"] == "*"
    found: dict[str, Any] = reply.json()
    return found


def accepts(found: dict[str, Any], statement: dict[str, Any]) -> bool:
    return jsonschema.Draft202012Validator(found).is_valid(statement)


@pytest.mark.parametrize("query", [{}, {"version": "2.0.0"}, {"version": "1.0.3"}, {"version": "1.0.2"}])
async def test_anybody_may_have_the_schema_and_any_validator_can_use_it(
    gateway: Gateway, query: dict[str, str]
) -> None:
    found = await schema(gateway, **query)
    jsonschema.Draft202012Validator.check_schema(found)
    statement = {
        "actor": {"mbox": "mailto:a@example.org"},
        "verb": {"id": "https://example.org/v"},
        "object": {"id": "https://example.org/o"},
    }
    assert accepts(found, statement)
    assert not accepts(found, {**statement, "actor": {}})
    assert not accepts(found, {**statement, "surplus": 1})


async def test_each_version_has_the_schema_of_its_statements(gateway: Gateway) -> None:
    agent = {"objectType": "contextAgent", "agent": examples.agent()}
    statement = {
        "actor": examples.agent(),
        "verb": {"id": "https://example.org/v"},
        "object": {"id": "https://example.org/o"},
        "context": {"contextAgents": [agent]},
    }
    assert accepts(await schema(gateway, version="2.0.0"), statement)
    assert not accepts(await schema(gateway, version="1.0.3"), statement)


async def test_another_version_or_parameter_is_named_in_the_error(gateway: Gateway) -> None:
    reply = await gateway.http().get(PATH, {"version": "0.9"})
    assert (reply.status, reply.error["message"]) == (
        400,
        'version holds "0.9"; there are schemas for 1.0.3 and 2.0.0',
    )
    assert (await gateway.http().get(PATH, {"versoin": "2.0.0"})).status == 400


async def test_the_schema_cannot_be_changed(gateway: Gateway) -> None:
    assert (await gateway.http().post(PATH, body={})).status == 405
