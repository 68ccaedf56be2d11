from __future__ import annotations

import json
from typing import Any

from gateway.xapi.versions import Version
from tests.gateway import Gateway
from tests.xapi.examples import EXAMPLES, found, maximal, places, sub_statement

AGENT = json.dumps({"mbox": "mailto:a@example.org"})
ACTIVITY = "https://example.org/1"
ID = "6690e6c9-3ef0-4ed3-8b37-7f3964730bee"
IRIS = ["", "www.example.org", "/x", "abc", "ab=c://x", "//x", " x:y", "x:", "x:a b", "x:<a>", "1x:a"]
UUIDS = ["", "x", ID[:-1], ID + "0", f"{{{ID}}}", f"urn:uuid:{ID}", ID.replace("-", ""), "null", "1", "{}"]
TIMES = ["", "x", "2024-01-31", "2024-13-01T00:00:00Z", "2024-02-30T00:00:00Z", "2024-01-01T25:00:00Z", "1"]
TIMES += ["2024-01-01T00:00:00-00:00", "2024-01-01T00:00:00 01:00", "01/011/2015"]
AGENTS = ["", "x", "{}", "[]", "null", "1", '"mailto:a@example.org"', '{"mbox":"a@example.org"}', AGENT + "x"]
AGENTS += [
    '{"mbox":"mailto:a@example.org","openid":"x:y"}',
    '{"mbox":1}',
    '{"objectType":"Agent"}',
    "{'a':1}",
]
AGENTS += ['{"mbox":"mailto:a@example.org","mbox":"mailto:a@example.org"}', '{"account":{"name":"x"}}']
BOOLEANS = ["", "True", "1", "yes", "null", "TRUE", "tru"]
WRONG = {
    "statementId": UUIDS,
    "voidedStatementId": UUIDS,
    "registration": UUIDS,
    "verb": IRIS,
    "activity": IRIS,
    "activityId": IRIS,
    "agent": AGENTS,
    "since": TIMES,
    "until": TIMES,
    "limit": ["", "x", "-1", "1.0", "1e3", "null", "٣", " 1"],
    "format": ["", "Exact", "all", "null"],
    **dict.fromkeys(("related_activities", "related_agents", "attachments", "ascending"), BOOLEANS),
    "stateId": [""],
    "profileId": [""],
}
LIST: tuple[str, ...] = ("verb", "activity", "agent", "registration", "since", "until", "limit", "format")
LIST += ("related_activities", "related_agents", "attachments", "ascending")
STATE = {"activityId": ACTIVITY, "agent": AGENT, "stateId": "s", "registration": ID}
REQUESTS: list[tuple[str, str, dict[str, str], tuple[str, ...]]] = [
    ("GET", "/statements", {}, LIST),
    ("GET", "/statements", {"statementId": ID}, ("format", "attachments")),
    ("GET", "/statements", {}, ("statementId", "voidedStatementId")),
    ("PUT", "/statements", {"statementId": ID}, ()),
    ("POST", "/statements", {}, ()),
    *((method, "/activities/state", STATE, ()) for method in ("GET", "PUT", "POST", "DELETE")),
    ("GET", "/activities/state", {"activityId": ACTIVITY, "agent": AGENT}, ("since", "registration")),
    *(
        (method, "/activities/profile", {"activityId": ACTIVITY, "profileId": "p"}, ())
        for method in ("GET", "PUT", "POST", "DELETE")
    ),
    ("GET", "/activities/profile", {"activityId": ACTIVITY}, ("since",)),
    *(
        (method, "/agents/profile", {"agent": AGENT, "profileId": "p"}, ())
        for method in ("GET", "PUT", "POST", "DELETE")
    ),
    ("GET", "/agents/profile", {"agent": AGENT}, ("since",)),
    ("GET", "/agents", {"agent": AGENT}, ()),
    ("GET", "/activities", {"activityId": ACTIVITY}, ()),
]


def body(path: str, method: str) -> Any:
    return None if method in ("GET", "DELETE") else {} if path == "/statements" else {"a": 1}


async def test_every_parameter_with_a_wrong_value_is_refused_by_name(gateway: Gateway) -> None:
    for method, path, required, optional in REQUESTS:
        for name in (*required, *optional):
            for value in WRONG[name]:
                params = required | {name: value}
                reply = await gateway.lrs(method, path, params, body=body(path, method))
                assert reply.status == 400, (method, path, params)
                paths = {problem["path"].split(".")[0] for problem in reply.error["problems"]}
                assert name in paths, (method, path, params, reply.error)


async def test_unknown_misspelt_and_repeated_parameters_are_refused(gateway: Gateway) -> None:
    for method, path, required, optional in REQUESTS:
        extra = [("unknown", "x"), ("", "x"), ("more ", "x"), ("__proto__", "x")]
        for name in (*required, *optional):
            extra += [(name.upper(), required.get(name, "x")), (f"{name}[]", "x")]
        extra += list(required.items())
        for pair in extra:
            reply = await gateway.lrs(method, path, [*required.items(), pair], body=body(path, method))
            assert reply.status == 400, (method, path, pair)


async def test_what_a_resource_needs_is_named_when_it_is_missing(gateway: Gateway) -> None:
    for method, path, required, _ in REQUESTS:
        needed = [name for name in required if name != "registration"]
        for name in needed:
            if (method in ("GET", "DELETE") and name in ("statementId", "stateId")) or (
                name == "profileId" and method == "GET"
            ):
                continue
            params = {key: value for key, value in required.items() if key != name}
            reply = await gateway.lrs(method, path, params, body=body(path, method))
            assert reply.status == 400, (method, path, name)
            assert name in {problem["path"] for problem in reply.error["problems"]}


async def test_one_statement_cannot_be_combined_with_filters(gateway: Gateway) -> None:
    values = {
        "verb": "x:v",
        "activity": "x:a",
        "agent": AGENT,
        "registration": ID,
        "since": "2024-01-01T00:00:00Z",
    }
    values |= {"until": "2024-01-01T00:00:00Z", "limit": "1", "ascending": "true"}
    values |= {
        "related_activities": "false",
        "related_agents": "true",
        "statementId": ID,
        "voidedStatementId": ID,
    }
    for single in ("statementId", "voidedStatementId"):
        for name, value in values.items():
            if name != single:
                assert (await gateway.lrs.get("/statements", {single: ID, name: value})).status == 400, name


def with_changed(statement: dict[str, Any], place: tuple[str | int, ...], value: object) -> dict[str, Any]:
    changed: dict[str, Any] = json.loads(json.dumps(statement))
    found(changed, place[:-1])[place[-1]] = value
    return changed


async def test_iris_without_a_scheme_are_refused_in_every_field(gateway: Gateway) -> None:
    keys = {"homePage", "openid", "type", "moreInfo", "usageType", "fileUrl"}
    tested = set()
    for whole in (maximal(Version.V2), sub_statement(Version.V2)):
        for place in places(whole):
            value = found(whole, place)
            iri = place[-1] in keys or (len(place) > 1 and place[-2] == "relevantTypes")
            iri = iri or (place[-1] == "id" and isinstance(value, str) and ":" in value)
            if not iri:
                continue
            tested.add(place[-1] if isinstance(place[-1], str) else "relevantTypes")
            for wrong in ("www.example.org/x", "", "no scheme", 1, None, ["x:y"]):
                reply = await gateway.lrs.post("/statements", body=with_changed(whole, place, wrong))
                assert reply.status == 400, (place, wrong)
        for place in [place for place in places(whole) if place[-1] == "extensions"]:
            reply = await gateway.lrs.post("/statements", body=with_changed(whole, place, {"no-scheme": 1}))
            assert reply.status == 400, place
    assert tested == keys | {"id", "relevantTypes"}


async def test_wrong_types_anywhere_in_a_statement_are_refused(gateway: Gateway) -> None:
    batches: list[dict[str, Any]] = []
    for name in ("maximal", "SubStatement"):
        whole = EXAMPLES[name](Version.V2)
        for place in places(whole):
            if "extensions" in place:
                continue
            value = found(whole, place)
            others: tuple[Any, ...] = (None, [], 7.5, {"x": 1})
            for wrong in others:
                legal = wrong == [] and place[-2:-1] == ("contextActivities",)
                legal = legal or (wrong == 7.5 and place[-1] in ("raw", "min", "max", "scaled"))
                if not legal and not isinstance(wrong, type(value)):
                    batches.append(with_changed(whole, place, wrong))
    kept = await gateway.lrs.get("/statements")
    for number, wrong in enumerate(batches[::3]):
        reply = await gateway.lrs.post("/statements", body=wrong)
        assert reply.status == 400, (number, wrong)
    assert (await gateway.lrs.get("/statements")).json() == kept.json()
