from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from aiohttp.web import PrefixedSubAppResource
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from gateway import __version__
from gateway.cmi5 import vocabulary as verbs
from gateway.services.access import Scope
from gateway.services.audit import Kind, Outcome
from gateway.services.subscriptions import EVENTS
from gateway.store.delivery_records import State
from gateway.store.notices import NoticeState
from gateway.store.registrations import RegistrationState
from gateway.web.api.openapi import description
from gateway.web.api.uploads import ACCEPTED
from gateway.web.auditing import LOOKS
from tests.cmi5.samples import au_xml
from tests.gateway import KEY, Gateway, Http, Reply
from tests.services.test_observing import observed, send, statement
from tests.vendors import acme_headers, acme_item, mappings_folder, post_acme, vendor_secrets
from tests.web.au import AU, LEARNER, XML, api, course_xml, course_zip
from tests.web.test_console_home import settled

__all__ = ["mappings_folder", "vendor_secrets"]

Serve = Callable[..., AbstractAsyncContextManager[Gateway]]
DOCUMENT = description()
METHODS = {"get", "put", "post", "delete", "options", "head", "patch"}


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in DOCUMENT["paths"].items():
        for method in METHODS & item.keys():
            yield path, method, item[method]


def at(pointer: str) -> Any:
    assert pointer.startswith("#/")
    found: Any = DOCUMENT
    for part in pointer[2:].split("/"):
        found = found[part.replace("~1", "/").replace("~0", "~")]
    return found


def resolved(value: dict[str, Any]) -> dict[str, Any]:
    return resolved(at(value["$ref"])) if set(value) == {"$ref"} else value


def every(value: Any, path: str = "#") -> Iterator[tuple[str, dict[str, Any]]]:
    """Each object in the document with its place."""
    if isinstance(value, dict):
        yield path, value
        for key, inner in value.items():
            yield from every(inner, f"{path}/{key}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from every(inner, f"{path}/{index}")


def strict() -> dict[str, Any]:
    """The component schemas, so that a field which none of them describes is an error."""
    schemas = copy.deepcopy(DOCUMENT["components"]["schemas"])
    for _, schema in every(schemas):
        if schema.get("type") == "object" and "properties" in schema:
            schema.setdefault("additionalProperties", False)
    for name, schema in schemas.items():
        if "allOf" in schema:
            parts = [
                schemas[part["$ref"].rpartition("/")[2]] if "$ref" in part else part
                for part in schema["allOf"]
            ]
            schemas[name] = {
                "type": "object",
                "required": [field for part in parts for field in part["required"]],
                "properties": {field: value for part in parts for field, value in part["properties"].items()},
                "additionalProperties": False,
            }
    return {"components": {"schemas": schemas}}


REGISTRY: Registry[Any] = Registry().with_resource("doc:strict", DRAFT202012.create_resource(strict()))


def faults(schema: dict[str, Any], value: Any) -> list[str]:
    """What a value breaks of a schema; references in it lead to the strict components."""
    schema = copy.deepcopy(schema)
    for _, inner in every(schema):
        if isinstance(inner.get("$ref"), str):
            inner["$ref"] = f"doc:strict{inner['$ref']}"
    validator = Draft202012Validator(schema, registry=REGISTRY, format_checker=FormatChecker(["uuid"]))
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]


def conforms(template: str, method: str, reply: Reply, status: int) -> Any:
    """The answer, which has this status and is what the description says of it."""
    assert reply.status == status, reply.body
    responses = DOCUMENT["paths"][template][method]["responses"]
    assert str(status) in responses, f"{method} {template} does not describe {status}"
    response = resolved(responses[str(status)])
    for header in response.get("headers", {}):
        assert header in reply.headers
    if "content" not in response:
        assert reply.body == b""
        return None
    kind = reply.headers["Content-Type"].partition(";")[0]
    assert kind in response["content"], kind
    if kind != "application/json":
        return reply.body
    assert faults(response["content"][kind]["schema"], reply.json()) == []
    return reply.json()


class Walk:
    """Calls the management API by the templates of the description; bodies and answers have to match it."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def __call__(
        self, method: str, template: str, status: int, body: Any = None, **options: Any
    ) -> Any:
        names = {name: options.pop(name) for name in re.findall(r"{(\w+)}", template)}
        if body is not None:
            operation = DOCUMENT["paths"][template][method]
            content = resolved(operation["requestBody"])["content"]
            broken = faults(content["application/json"]["schema"], body)
            assert (broken == []) is (status != 400), broken
        path = template.format(**names)
        reply = await self._http(method.upper(), path, body=body, **options)
        answered = conforms(template, method, reply, status)
        if status < 300 and method != "get" and template.startswith("/api/v1/"):
            await self._noted(template, reply, looked="dryRun" in str([body, options]))
        return answered

    async def _noted(self, template: str, reply: Reply, *, looked: bool) -> None:
        """What changed something has left one entry in the audit log."""
        log = (await self._http.get("/api/v1/audit", {"limit": "1000"})).json()["entries"]
        mine = [one for one in log if one["request"] == reply.headers["X-Request-ID"]]
        assert looked or len(mine) == (template.removeprefix("/api/v1") not in LOOKS), (template, mine)


def walk(gateway: Gateway) -> Walk:
    return Walk(api(gateway).at(gateway.url))


# -- the document ----------------------------------------------------------------------------------------


def test_it_is_an_openapi_document_with_the_parts_that_one_needs() -> None:
    assert DOCUMENT["openapi"] == "3.1.0"
    assert DOCUMENT["info"]["version"] == __version__
    allowed = {"openapi", "info", "servers", "security", "tags", "paths", "components"}
    assert set(DOCUMENT) <= allowed
    assert all(path.startswith("/") for path in DOCUMENT["paths"])
    ids = [operation["operationId"] for _, _, operation in operations()]
    assert len(ids) == len(set(ids))


def test_every_operation_says_what_it_does_and_how_it_ends() -> None:
    tags = {tag["name"] for tag in DOCUMENT["tags"]}
    fields = {
        "tags",
        "summary",
        "description",
        "operationId",
        "parameters",
        "requestBody",
        "responses",
        "security",
    }
    used = set()
    for path, method, operation in operations():
        assert set(operation) <= fields, (path, method)
        assert operation["summary"].endswith((".", "?")), (path, method)
        assert set(operation["tags"]) <= tags
        used |= set(operation["tags"])
        statuses = set(operation["responses"])
        assert all(re.fullmatch(r"[2-5]\d\d", status) for status in statuses)
        assert any(status < "400" for status in statuses), (path, method)
        assert all(resolved(response)["description"] for response in operation["responses"].values())
    assert used == tags


def test_operations_with_credentials_say_what_happens_without_them() -> None:
    schemes = set(DOCUMENT["components"]["securitySchemes"])
    for path, method, operation in operations():
        asked = operation.get("security", DOCUMENT["security"])
        assert {name for one in asked for name in one} <= schemes
        if asked and path.startswith("/api"):
            assert {"401", "403", "503"} <= set(operation["responses"]), (path, method)
        if "requestBody" in operation and path.startswith("/api"):
            assert {"400", "413"} <= set(operation["responses"]), (path, method)


def test_parameters_of_paths_are_declared_once_and_nothing_else_is() -> None:
    for path, method, operation in operations():
        listed = [*DOCUMENT["paths"][path].get("parameters", ()), *operation.get("parameters", ())]
        found = [resolved(one) for one in listed]
        named = [(one["name"], one["in"]) for one in found]
        assert len(named) == len(set(named)), (path, method)
        assert {name for name, where in named if where == "path"} == set(re.findall(r"{(\w+)}", path))
        assert all(one["required"] for one in found if one["in"] == "path")
        assert all("schema" in one for one in found)


def test_every_reference_leads_somewhere_and_every_component_is_used() -> None:
    used = {value["$ref"] for _, value in every(DOCUMENT) if isinstance(value.get("$ref"), str)}
    for pointer in used:
        assert isinstance(at(pointer), dict)
    kinds = DOCUMENT["components"]
    components = {
        f"#/components/{kind}/{name}" for kind in kinds if kind != "securitySchemes" for name in kinds[kind]
    }
    assert components - used == set()


def test_every_schema_is_one_of_json_schema_2020_12() -> None:
    Draft202012Validator.check_schema({"$defs": DOCUMENT["components"]["schemas"]})
    schemas = [
        value["schema"] for _, value in every(DOCUMENT["paths"]) if isinstance(value.get("schema"), dict)
    ]
    assert len(schemas) > 50
    for schema in schemas:
        Draft202012Validator.check_schema(schema)


def test_required_fields_are_described() -> None:
    for place, schema in every(DOCUMENT["components"]["schemas"]):
        if "properties" in schema and isinstance(schema.get("required"), list):
            assert set(schema["required"]) <= set(schema["properties"]), place


def _examples() -> list[Any]:
    found = []
    for place, value in every(DOCUMENT):
        if "schema" not in value or "/schemas/" in place:
            continue
        examples = [value["example"]] if "example" in value else []
        examples += [one["value"] for one in value.get("examples", {}).values()]
        found += [
            pytest.param(value["schema"], example, id=f"{place}:{n}") for n, example in enumerate(examples)
        ]
    return found


@pytest.mark.parametrize(("schema", "example"), _examples())
def test_an_example_is_what_its_schema_says(schema: dict[str, Any], example: Any) -> None:
    assert faults(schema, example) == []


def test_errors_of_the_examples_have_codes_of_the_gateway() -> None:
    from gateway import errors

    codes = {kind.code for kind in vars(errors).values() if isinstance(kind, type) and hasattr(kind, "code")}
    found = {
        value["error"]["code"]
        for _, value in every(DOCUMENT)
        if isinstance(value.get("error"), dict) and isinstance(value["error"].get("code"), str)
    }
    assert found <= codes
    assert len(found) > 8


def test_lists_of_words_are_those_of_the_code() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    assert schemas["DeliveryState"]["enum"] == list(State)
    assert schemas["Event"]["enum"] == list(EVENTS)
    assert schemas["AuditEntry"]["properties"]["kind"]["enum"] == list(Kind)
    assert schemas["AuditEntry"]["properties"]["outcome"]["enum"] == list(Outcome)
    assert schemas["NoticeState"]["enum"] == list(NoticeState)
    assert schemas["RegistrationState"]["enum"] == list(RegistrationState)
    assert schemas["MoveOn"]["enum"] == list(verbs.MoveOn)
    assert schemas["LaunchMode"]["enum"] == list(verbs.LaunchMode)
    assert schemas["LaunchMethod"]["enum"] == list(verbs.LaunchMethod)
    assert schemas["WaiveRequest"]["properties"]["reason"]["examples"] == list(verbs.WAIVE_REASONS)
    package = DOCUMENT["components"]["requestBodies"]["Package"]["content"]
    assert set(package) - {"multipart/form-data"} <= set(ACCEPTED)
    scopes = re.findall(r"`([a-z/]+)`", DOCUMENT["components"]["responses"]["Forbidden"]["description"])
    assert set(scopes) <= set(Scope)


# -- the document and the gateway --------------------------------------------------------------------------


async def test_every_route_is_described_and_everything_described_is_a_route(gateway: Gateway) -> None:
    routes: dict[str, set[str]] = {}
    for resource in gateway.app.router.resources():
        # The LRS is described by its standards, CATAPULT by itself, the console is for people.
        others = ("/admin", "/xapi/", "/v1/xapi/")
        if not isinstance(resource, PrefixedSubAppResource) and not resource.canonical.startswith(others):
            routes.setdefault(resource.canonical, set()).update(route.method for route in resource)
    described: dict[str, set[str]] = {}
    for path, method, _ in operations():
        described.setdefault(path, set()).add(method.upper())
    assert set(routes) == set(described)
    for path, methods in routes.items():
        assert methods - {"*", "HEAD"} <= described[path], path
        assert described[path] <= methods or "*" in methods, path


@pytest.mark.parametrize("base_path", ["", "/lrs"])
async def test_everybody_gets_it_with_the_url_of_the_gateway(serve: Serve, base_path: str) -> None:
    async with serve(server__base_path=base_path) as gateway:
        reply = await gateway.http(base_path).get("/api/v1/openapi.json")
        served = conforms("/api/v1/openapi.json", "get", reply, 200)
        assert served["servers"][0]["url"] == f"{gateway.url}{base_path}"
        assert reply.headers["Access-Control-Allow-Origin"] == "*"
        assert served["paths"] == DOCUMENT["paths"]
        assert (
            await gateway.http().get(urlsplit(served["servers"][0]["url"]).path + "/readyz")
        ).status == 200


async def test_courses_are_answered_as_described(gateway: Gateway) -> None:
    call = walk(gateway)
    path = "/api/v1/courses"
    course = await call("post", path, 201, data=course_zip(), headers={"Content-Type": "application/zip"})
    await call("post", path, 400, data=b"<courseStructure/>", headers=XML)
    assert [one["id"] for one in (await call("get", path, 200))["courses"]] == [course["id"]]
    await call("get", path, 400, params={"limit": "0"})
    one = {"course": course["id"]}
    overrides = {"masteryScore": 0.5, "returnURL": "https://portal.example.org/", "moveOn": None}
    await call("put", f"{path}/{{course}}/overrides", 200, overrides, **one)
    await call("put", f"{path}/{{course}}/overrides", 400, {"masteryscore": 0.5}, **one)
    await call("put", f"{path}/{{course}}/overrides", 404, {}, course=uuid4())
    shown = await call("get", f"{path}/{{course}}", 200, **one)
    assert shown["overrides"] == {"masteryScore": 0.5, "returnURL": "https://portal.example.org/"}
    await call("get", f"{path}/{{course}}", 404, course=uuid4())
    await call("post", f"{path}/{{course}}/versions", 201, data=course_zip(), headers={}, **one)
    await call("post", f"{path}/{{course}}/versions", 400, data=b"?", headers={}, **one)
    await call("patch", f"{path}/{{course}}", 200, {"name": "Engines", "tags": ["a"]}, **one)
    await call("patch", f"{path}/{{course}}", 400, {"tags": "a"}, **one)
    found = await call("get", path, 200, params={"limit": "1", "tag": "a", "search": "engines"})
    assert (len(found["courses"]), found["more"]) == (1, None)
    assert await call("get", f"{path}/{{course}}/overrides", 200, **one) == shown["overrides"]
    versions = (await call("get", f"{path}/{{course}}/versions", 200, **one))["versions"]
    assert [each["version"] for each in versions] == [2, 1]
    await call("put", f"{path}/{{course}}/version", 200, {"version": 1}, **one)
    await call("put", f"{path}/{{course}}/version", 404, {"version": 3}, **one)
    await call("put", f"{path}/{{course}}/version", 400, {"version": "1"}, **one)
    assert len((await call("get", f"{path}/{{course}}/files", 200, **one))["files"]) == 2
    await call("get", f"{path}/{{course}}/files", 400, params={"version": "0"}, **one)
    assert await call("get", f"{path}/{{course}}/structure", 200, params={"version": "2"}, **one)
    again = await call("get", f"{path}/{{course}}/package", 200, **one)
    job = await call("post", path, 202, data=again, headers={"Prefer": "respond-async"})
    await call("get", "/api/v1/imports/{import}", 200, **{"import": job["id"]})
    await call("get", "/api/v1/imports/{import}", 404, **{"import": uuid4()})
    await call("post", f"{path}/{{course}}/preview", 200, {"au": 0}, **one)
    await call("post", f"{path}/{{course}}/preview", 404, {"au": 9}, **one)
    await call("post", f"{path}/{{course}}/preview", 400, {"actor": LEARNER}, **one)
    table, headers = b"account,homePage\nada,https://id.example.edu\n", {"Content-Type": "text/csv"}
    await call("post", f"{path}/{{course}}/enrolments", 200, data=table, headers=headers, **one)
    await call("post", f"{path}/{{course}}/enrolments", 400, data=b"ada", headers=headers, **one)
    assert b"ada" in await call("get", f"{path}/{{course}}/progress.csv", 200, **one)
    await call("delete", f"{path}/{{course}}", 409, **one)
    await call("delete", f"{path}/{{course}}", 204, params={"force": "true"}, **one)
    await call("delete", f"{path}/{{course}}", 404, **one)


async def test_registrations_and_sessions_are_answered_as_described(gateway: Gateway) -> None:
    call = walk(gateway)
    course = await call("post", "/api/v1/courses", 201, data=course_xml(), headers=XML)
    body = {"course": course["id"], "actor": LEARNER, "id": str(uuid4())}
    path = "/api/v1/registrations"
    registration = await call("post", path, 201, body)
    await call("post", path, 200, body)
    await call("post", path, 404, {**body, "id": str(uuid4()), "course": str(uuid4())})
    await call("post", path, 400, {"course": course["id"], "actor": {"mbox": "mailto:ada@example.org"}})
    other = {**LEARNER, "account": {**LEARNER["account"], "name": "eve"}}
    await call("post", path, 409, {**body, "actor": other})
    await call("get", path, 200, params={"course": course["id"]})
    one = {"registration": registration["id"]}
    link = await call("post", f"{path}/{{registration}}/links", 201, {"lifetime": 60, "once": False}, **one)
    assert len((await call("get", f"{path}/{{registration}}/links", 200, **one))["links"]) == 1
    spare = await call("post", f"{path}/{{registration}}/links", 201, {"once": True}, **one)
    await call("delete", f"{path}/{{registration}}/links/{{link}}", 204, link=spare["id"], **one)
    await call("delete", f"{path}/{{registration}}/links/{{link}}", 404, link=uuid4(), **one)
    await call("patch", f"{path}/{{registration}}", 200, {"tags": ["a"]}, **one)
    await call("patch", f"{path}/{{registration}}", 400, {"tag": "a"}, **one)
    await call("put", f"{path}/{{registration}}/overrides", 200, {"moveOn": "Passed"}, **one)
    await call("put", f"{path}/{{registration}}/overrides", 400, {"moveOn": "passed"}, **one)
    assert await call("get", f"{path}/{{registration}}/overrides", 200, **one) == {"moveOn": "Passed"}
    await call("put", f"{path}/{{registration}}/overrides", 200, {}, **one)
    await call("get", f"{path}/{{registration}}/preferences", 404, **one)
    wanted = {"languagePreference": "en", "audioPreference": "on"}
    await call("put", f"{path}/{{registration}}/preferences", 200, wanted, **one)
    await call("put", f"{path}/{{registration}}/preferences", 400, {"languagePreference": "en"}, **one)
    await call("get", f"{path}/{{registration}}/preferences", 200, **one)
    await call("delete", f"{path}/{{registration}}/preferences", 204, **one)
    await call("post", f"{path}/{{registration}}/links", 400, {"lifetime": 0}, **one)
    token = link["url"].rpartition("/")[2]
    click = await gateway.http().get(f"/launch/{token}")
    conforms("/launch/{token}", "get", click, 303)
    conforms("/launch/{token}", "get", await gateway.http().get("/launch/nonsense"), 404)
    preview = await gateway.http().get(f"/launch/{token}", headers={"Sec-Purpose": "prefetch"})
    conforms("/launch/{token}", "get", preview, 204)
    au = AU.of(gateway, click.headers["Location"])
    fetched = await au.fetch()
    assert "auth-token" in conforms("/cmi5/fetch/{key}", "post", fetched, 200)
    assert "error-code" in conforms("/cmi5/fetch/{key}", "post", await au.fetch(), 200)
    conforms("/cmi5/fetch/{key}", "post", await au.lrs.at(au.launch["fetch"]).get(""), 405)
    au.data = (await au.state("GET", "LMS.LaunchData")).json()
    assert (await au.send(au.statement(verbs.PASSED))).status == 403
    session = (await call("get", "/api/v1/sessions", 200, params={"open": "true"}))["sessions"][0]
    shown = await call("get", "/api/v1/sessions/{session}", 200, session=session["id"])
    assert len(shown["refusals"]) == 1
    await call("get", "/api/v1/sessions/{session}", 404, session=uuid4())
    await call("post", "/api/v1/sessions/{session}/abandon", 200, session=session["id"])
    waive = f"{path}/{{registration}}/waive"
    progress = await call("post", waive, 200, {"au": 0, "reason": "Tested Out"}, **one)
    assert progress["progress"]["satisfied"] is True
    await call("post", waive, 409, {"au": 0, "reason": "Administrative"}, **one)
    await call("post", waive, 400, {"au": 0}, **one)
    await call("get", f"{path}/{{registration}}", 200, **one)
    assert (await call("get", f"{path}/{{registration}}/statements", 200, params={"limit": "1"}, **one))[
        "more"
    ]
    await call("post", f"{path}/{{registration}}/reset", 201, **one)
    await call("delete", f"{path}/{{registration}}", 204, **one)
    await call("delete", f"{path}/{{registration}}", 404, **one)
    launch = {"au": course["aus"][0]["id"], "actor": LEARNER, "launchMode": "Review"}
    assert (await call("post", "/api/v1/courses/{course}/launch", 200, launch, course=course["id"]))[
        "launchMode"
    ] == "Review"
    await call("post", "/api/v1/courses/{course}/launch", 404, {**launch, "au": 7}, course=course["id"])
    await call("post", "/api/v1/courses/{course}/launch", 400, {"au": 0}, course=course["id"])
    windowed = course_xml(au_xml(1).replace("<au ", '<au launchMethod="OwnWindow" '))
    windowed = await call("post", "/api/v1/courses", 201, data=windowed, headers=XML)
    another = await call("post", path, 201, {"course": windowed["id"], "actor": LEARNER})
    link = await call(
        "post", f"{path}/{{registration}}/links", 201, {"once": True}, registration=another["id"]
    )
    token = link["url"].rpartition("/")[2]
    for kind, status in (("iframe", 200), ("document", 303), ("document", 410)):
        followed = await gateway.http().get(f"/launch/{token}", headers={"Sec-Fetch-Dest": kind})
        conforms("/launch/{token}", "get", followed, status)


async def test_subscriptions_are_answered_as_described(gateway: Gateway) -> None:
    call = walk(gateway)
    path = "/api/v1/subscriptions"
    body = {"url": "https://portal.example.edu/hook", "events": ["passed"], "name": "portal"}
    made = await call("post", path, 201, body)
    await call("post", path, 400, {"url": body["url"], "event": "passed"})
    assert len((await call("get", path, 200))["subscriptions"]) == 1
    await call("get", path, 400, params={"limit": "1"})
    one = {"subscription": made["id"]}
    await call("patch", f"{path}/{{subscription}}", 200, {"enabled": False}, **one)
    await call("patch", f"{path}/{{subscription}}", 400, {"events": ["won"]}, **one)
    await call("post", f"{path}/{{subscription}}/secret", 200, **one)
    course = await call("post", "/api/v1/courses", 201, data=course_xml(), headers=XML)
    launch = {"au": 0, "actor": LEARNER}
    session = await call("post", "/api/v1/courses/{course}/launch", 200, launch, course=course["id"])
    waive, named = "/api/v1/registrations/{registration}/waive", {"registration": session["registration"]}
    await call("patch", f"{path}/{{subscription}}", 200, {"events": ["waived", "satisfied"]}, **one)
    await call("post", waive, 200, {"au": 0, "reason": "Administrative"}, **named)
    shown = await call("get", f"{path}/{{subscription}}", 200, **one)
    assert shown["notices"]["pending"] == 2
    page = await call("get", f"{path}/{{subscription}}/notices", 200, params={"limit": "1"}, **one)
    assert page["more"]
    await call("get", f"{path}/{{subscription}}/notices", 400, params={"state": "lost"}, **one)
    await call("post", f"{path}/{{subscription}}/retry", 202, {"notice": page["notices"][0]["id"]}, **one)
    await call("post", f"{path}/{{subscription}}/retry", 404, {"notice": str(uuid4())}, **one)
    await call("delete", f"{path}/{{subscription}}", 204, **one)
    await call("get", f"{path}/{{subscription}}", 404, **one)


async def test_deliveries_and_mappings_are_answered_as_described(
    serve: Serve, mappings_folder: Callable[..., Path]
) -> None:
    async with serve(hooks__mappings=str(mappings_folder())) as gateway:
        call = walk(gateway)
        items = (
            acme_item("1"),
            acme_item("2", type="new"),
            acme_item("3", at="?"),
            acme_item("4", type="ping"),
        )
        acknowledged = conforms("/hooks/{adapter}", "post", await post_acme(gateway.http(), *items), 200)
        again = conforms("/hooks/{adapter}", "post", await post_acme(gateway.http(), *items), 200)
        assert again == {**acknowledged, "duplicate": True}
        forged = await gateway.http().post("/hooks/acme", data=b"{}", headers=acme_headers(b"!"))
        conforms("/hooks/{adapter}", "post", forged, 401)
        conforms("/hooks/{adapter}", "post", await gateway.http().get("/hooks/acme"), 405)
        conforms("/hooks/{adapter}", "post", await gateway.http().post("/hooks/nobody"), 404)
        await post_acme(gateway.http(), acme_item("5"))
        await settled(gateway, 2)
        path = "/api/v1/deliveries"
        page = await call("get", path, 200, params={"limit": "1"})
        rest = await call("get", path, 200, params={"limit": "1", "cursor": page["more"]})
        assert rest["more"] is None
        await call("get", path, 400, params={"state": "lost"})
        one = {"delivery": acknowledged["delivery"]}
        shown = await call("get", f"{path}/{{delivery}}", 200, **one)
        assert [outcome["state"] for outcome in shown["outcomes"]] == [
            "done",
            "unmatched",
            "failed",
            "ignored",
        ]
        await call("get", f"{path}/{{delivery}}", 404, delivery=uuid4())
        rehearsed = await call("post", f"{path}/replay", 200, {"filter": {"adapter": "acme"}, "dryRun": True})
        assert len(rehearsed["deliveries"]) == 2
        how = {"mapping": "original", "lookups": "current", "replace": True}
        replay = await call("post", f"{path}/replay", 202, {"ids": [one["delivery"]], **how})
        assert {name: replay[name] for name in ("replayed", *how)} == {"replayed": 1, **how}
        await call("post", f"{path}/replay", 400, {"mapping": "newest"})
        assert len((await call("get", f"{path}/replays", 200))["replays"]) == 1
        await call("get", f"{path}/replays/{{replay}}", 200, replay=replay["replay"])
        await call("get", f"{path}/replays/{{replay}}", 404, replay=uuid4())
        assert (await call("get", "/api/v1/mappings", 200))["mappings"][0]["adapter"] == "acme"
        assert len((await call("get", "/api/v1/mappings/status", 200))["processes"]) == 1
        assert (await call("post", "/api/v1/mappings/reload", 200))["generation"] == 1
        revisions = "/api/v1/mappings/{adapter}/revisions"
        (revision,) = (await call("get", revisions, 200, adapter="acme"))["revisions"]
        chosen = {"adapter": "acme", "revision": revision["revision"]}
        assert list((await call("get", f"{revisions}/{{revision}}", 200, **chosen))["texts"]) == ["acme.yaml"]
        await call("get", f"{revisions}/{{revision}}", 404, adapter="acme", revision="?")
        shadow = "/api/v1/mappings/{adapter}/shadow"
        assert (await call("get", shadow, 200, adapter="acme")) == {"reports": []}
        unmatched = await call("get", "/api/v1/mappings/{adapter}/unmatched", 200, adapter="acme")
        assert [one["events"] for one in unmatched["unmatched"]] == [1]
        explain = "/api/v1/mappings/{adapter}/explain"
        payload = {"items": list(items)}
        found = await call("post", explain, 200, {"payload": payload}, adapter="acme")
        kinds = [event["outcome"]["kind"] for event in found["events"]]
        assert kinds == ["adapted", "unmatched", "failed", "skipped"]
        await call("post", explain, 200, one, adapter="acme")
        await call("post", explain, 400, {**one, "payload": payload}, adapter="acme")
        await call("post", explain, 404, {"payload": {}}, adapter="nobody")


async def test_the_directory_is_answered_as_described(gateway: Gateway) -> None:
    call, path = walk(gateway), "/api/v1/directory"
    entries: list[dict[str, Any]] = [
        {"kind": "email", "value": " Ana@Example.org", "account": "S-1", "homePage": "https://id.example"},
        {"set": "courses", "value": "c1", "fields": {"title": "Chemistry", "big": 2**70}},
    ]
    assert await call("post", path, 200, {"entries": entries}) == {"entries": 2, "new": 2, "released": 0}
    await call("post", path, 400, {"entries": []})
    await call("post", path, 400, {"entries": [{"value": "x", "colour": 1}]})
    http = api(gateway)
    for unusable in ({"kind": "email", "value": "x"}, {"set": "courses", "value": "c", "account": "a"}):
        assert (await http.post("/directory", body={"entries": [unusable]})).status == 400
    first = await call("get", path, 200, params={"limit": "1"})
    second = await call("get", path, 200, params={"limit": "1", "cursor": first["more"]})
    shown = [*first["entries"], *second["entries"]]
    assert [(one["set"], one["value"]) for one in shown] == [
        ("courses", "c1"),
        ("learners", "ana@example.org"),
    ]
    assert shown[0]["fields"] == entries[1]["fields"]
    await call("get", path, 400, params={"cursor": "?"})
    await call("delete", path, 400)
    found = await call("delete", path, 200, params={"kind": "email", "value": "ana@example.org "})
    assert found == {"forgotten": 1}
    table = b"account,email,login\nS-1,ana@example.org,ana\nS-2,,tom\n"
    reply = await http.post("/directory", data=table, headers={"Content-Type": "text/csv"})
    assert conforms(path, "post", reply, 200)["entries"] == 3
    reply = await http.post("/directory", data=b"name\nx\n", headers={"Content-Type": "text/csv"})
    assert "the columns are name; expected account" in conforms(path, "post", reply, 400)["error"]["message"]


async def test_sources_are_answered_as_described(gateway: Gateway) -> None:
    call, path = walk(gateway), "/api/v1/sources"
    found = await call("get", path, 200)
    assert f"credential:{KEY}" in [one["source"] for one in found["sources"]]
    one, nothing = {"source": f"credential:{KEY}"}, {"source": "adapter:nothing"}
    verbs = {"verbs": [statement()["verb"]["id"]], "types": [], "extensions": []}
    record = {"owner": "Registrar", "contract": {"reference": None, "ends": "2030-01-31"}, "declared": verbs}
    await call("put", f"{path}/{{source}}", 200, record, **one)
    await call("put", f"{path}/{{source}}", 400, {"dataClass": "?"}, **one)
    await call("put", f"{path}/{{source}}", 404, {}, **nothing)
    await call("put", f"{path}/{{source}}", 412, {}, headers={"If-Match": "0"}, **one)
    await send(gateway, statement(result={"extensions": {"https://tool.example/x": 1}}))
    await observed(gateway)
    decision = {"kind": "extensions", "value": "https://tool.example/x", "decision": "stop"}
    await call("post", f"{path}/{{source}}/decisions", 200, decision, **one)
    await call("post", f"{path}/{{source}}/decisions", 404, {**decision, "value": "?"}, **one)
    await call("post", f"{path}/{{source}}/decisions", 400, {**decision, "kind": "?"}, **one)
    assert len((await call("get", f"{path}/{{source}}", 200, **one))["observed"]) == 2
    await call("get", f"{path}/{{source}}", 404, **nothing)


async def test_the_audit_log_is_answered_as_described(gateway: Gateway) -> None:
    call, path = walk(gateway), "/api/v1/audit"
    await call("post", "/api/v1/mappings/reload", 200)
    found = await call("get", path, 200, params={"action": "mappings.reload", "outcome": "done"})
    assert [one["actor"] for one in found["entries"]] == ["tests"]
    await call("get", path, 400, params={"outcome": "maybe"})


async def test_an_adapter_that_is_not_ready_is_answered_as_described(gateway: Gateway) -> None:
    reply = await gateway.http().post("/hooks/zoom", data=b"{}")
    assert conforms("/hooks/{adapter}", "post", reply, 503)["error"]["code"] == "adapter_not_ready"


@pytest.mark.parametrize(
    ("path", "method"),
    [
        (path, method)
        for path, method, one in operations()
        if path.startswith("/api") and "security" not in one
    ],
)
async def test_without_credentials_or_scope_every_call_is_refused_as_described(
    gateway: Gateway, path: str, method: str
) -> None:
    asked = re.sub(r"{\w+}", str(uuid4()), path)
    conforms(path, method, await gateway.http()(method.upper(), asked), 401)
    poor = await gateway.client("poor", "statements/read")
    conforms(path, method, await poor.at(gateway.url)(method.upper(), asked), 403)


async def test_tokens_are_answered_as_described(gateway: Gateway) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    client = await gateway.client("pusher", "statements/write")
    post = client.at(gateway.url).post
    path = "/oauth2/token"
    granted = await post(path, data=b"grant_type=client_credentials&scope=xapi:write", headers=form)
    assert conforms(path, "post", granted, 200)["scope"] == "xapi:write"
    for body in (b"grant_type=password", b"grant_type=client_credentials&scope=all", b""):
        conforms(path, "post", await post(path, data=body, headers=form), 400)
    unknown = b"grant_type=client_credentials&client_id=x&client_secret=y"
    conforms(path, "post", await gateway.http().post(path, data=unknown, headers=form), 401)


async def test_operations_are_answered_as_described(serve: Serve) -> None:
    async with serve(metrics__token="abc") as gateway:
        http = gateway.http()
        conforms("/healthz", "get", await http.get("/healthz"), 200)
        conforms("/readyz", "get", await http.get("/readyz"), 200)
        conforms("/metrics", "get", await http.get("/metrics"), 401)
        conforms("/metrics", "get", await http.get("/metrics", headers={"Authorization": "Bearer abc"}), 200)
        conforms("/cmi5/done", "get", await http.get("/cmi5/done"), 200)
        schema = "/api/v1/schemas/statement"
        conforms(schema, "get", await http.get(schema, {"version": "1.0.3"}), 200)
        conforms(schema, "get", await http.get(schema, {"version": "x"}), 400)


async def test_a_body_beyond_the_limit_is_answered_as_described(serve: Serve) -> None:
    async with serve(limits__max_body="1KiB") as gateway:
        reply = await api(gateway).post("/registrations", data=b" " * 2000)
        conforms("/api/v1/registrations", "post", reply, 413)
