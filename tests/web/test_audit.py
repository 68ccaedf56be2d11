"""Who did what is kept, for every change that there is, and by nobody to be changed."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any
from uuid import uuid4

import pytest

from gateway.services.access import Scope
from gateway.services.people import Role
from gateway.store.audit import Audit as StoredAudit
from gateway.web.auditing import LOOKS, PERSONAL, wanted
from gateway.web.console import ROUTES
from tests.gateway import Gateway, Http, Reply, basic, create_credential
from tests.web.au import LEARNER, api, course_zip
from tests.web.console import PASSWORD, browser, people, person, words

Serve = Callable[..., AbstractAsyncContextManager[Gateway]]


async def entries(gateway: Gateway, **which: str) -> list[dict[str, Any]]:
    """The newest first, as the API gives them; what tests themselves read is left out."""
    found: list[dict[str, Any]] = (await api(gateway).get("/audit", which)).json()["entries"]
    return found


def changing(gateway: Gateway) -> list[tuple[str, str, str]]:
    """Method, path with its base and path below it, of every route of console and API that is no GET."""
    found = []
    for route in gateway.app.router.routes():
        path = route.resource.canonical if route.resource is not None else ""
        for base in ("/admin", "/api/v1"):
            if path.startswith(f"{base}/") and route.method not in ("GET", "HEAD", "OPTIONS"):
                found += [(route.method, path, path.removeprefix(base))]
    return found


async def test_every_route_that_changes_something_is_noted_and_those_that_only_look_are_named(
    gateway: Gateway,
) -> None:
    routes = changing(gateway)
    assert len(routes) > 50
    for method, path, below in routes:
        assert (wanted(method, below, reads=False) is None) == (below in LOOKS), path
    assert {below for _, _, below in routes} >= LOOKS, "a route that only looks is gone"
    shown = {
        route.resource.canonical.removeprefix("/admin").removeprefix("/api/v1")
        for route in gateway.app.router.routes()
        if route.resource is not None
    }
    assert shown >= PERSONAL, "a route that shows records of learners is gone"


async def test_every_refused_change_of_the_console_is_noted_once_with_whose_it_was(gateway: Gateway) -> None:
    visitor = await person(gateway, Role.ANALYST, login="ada")
    before = len(await entries(gateway, limit="1000"))
    tried = 0
    for route in ROUTES:
        if route.method == "POST" and route.path not in LOOKS | {"/sign-out"}:
            path = re.sub(r"\{\w+\}", str(uuid4()), route.path)
            assert (await visitor.post(path, {})).status == 403
            tried += 1
    found = (await entries(gateway, limit="1000"))[:-before]
    assert len(found) == tried
    assert {(one["actor"], one["kind"], one["outcome"]) for one in found} == {("ada", "person", "refused")}
    assert len({one["request"] for one in found}) == tried


async def test_every_refused_change_by_the_api_is_noted_once_with_whose_it_was(gateway: Gateway) -> None:
    await create_credential(gateway.store, "reader", "secret", Scope.STATEMENTS_READ)
    http = gateway.http("", {"Authorization": basic("reader", "secret")})
    tried = 0
    for method, path, below in changing(gateway):
        if path.startswith("/api/v1") and below not in LOOKS:
            there = re.sub(r"\{\w+\}", str(uuid4()), path)
            assert (await http(method, there, body={})).status == 403, path
            tried += 1
    found = await entries(gateway, limit="1000")
    assert len(found) == tried > 20
    assert {(one["actor"], one["kind"], one["outcome"]) for one in found} == {
        ("reader", "credential", "refused")
    }
    assert (await gateway.http("/api/v1").post("/courses")).status == 401
    assert len(await entries(gateway, limit="1000")) == tried


async def walk(gateway: Gateway) -> list[tuple[Reply, str, dict[str, str]]]:
    """Change things by the API; each answer with the action and objects that its entry has to have."""
    http: Http = api(gateway)
    made: list[tuple[Reply, str, dict[str, str]]] = []

    async def do(method: str, path: str, action: str, objects: dict[str, str], **sent: Any) -> Any:
        reply = await http(method, path, **sent)
        assert reply.status < 300, (path, reply.body)
        made.append((reply, action, objects))
        return reply.json() if reply.body else None

    headers = {"Content-Type": "application/zip"}
    course = (await http.post("/courses", data=course_zip(), headers=headers)).json()["id"]
    at = f"/courses/{course}"
    await do("PATCH", at, "courses.change", {"course": course}, body={"name": "Safety", "tags": ["x"]})
    await do("PUT", f"{at}/overrides", "courses.overrides.change", {"course": course}, body={})
    registration = (await http.post("/registrations", body={"course": course, "actor": LEARNER})).json()["id"]
    here = {"registration": registration}
    link = await do(
        "POST", f"/registrations/{registration}/links", "registrations.links.create", here, body={}
    )
    assert link
    await do("POST", f"/registrations/{registration}/reset", "registrations.reset", here)
    hook = await do("POST", "/subscriptions", "subscriptions.create", {}, body={"url": "https://8.8.8.8/x"})
    told = {"subscription": hook["id"]}
    await do("POST", f"/subscriptions/{hook['id']}/secret", "subscriptions.secret", told)
    await do("DELETE", f"/subscriptions/{hook['id']}", "subscriptions.delete", told)
    await do("DELETE", f"/registrations/{registration}", "registrations.delete", here)
    await do("POST", "/mappings/reload", "mappings.reload", {})
    return made


async def test_a_change_by_the_api_leaves_one_entry_with_its_request_address_and_object(
    gateway: Gateway,
) -> None:
    made = await walk(gateway)
    found = {one["request"]: one for one in await entries(gateway, outcome="done", limit="1000")}
    for reply, action, objects in made:
        entry = found[reply.headers["X-Request-ID"]]
        assert entry["action"] == action
        assert (entry["actor"], entry["kind"], entry["store"]) == ("tests", "credential", "main")
        assert entry["address"] == "127.0.0.1"
        assert objects.items() <= entry["objects"].items()
    whole = json.dumps(list(found.values()))
    # As a word: ids hold the letters of this name.
    assert re.search(rf"\b{LEARNER['account']['name']}\b", whole) is None
    created = [one for one in found.values() if one["action"] == "registrations.create"]
    assert len(created) == 1
    assert created[0]["objects"]["registration"]
    assert created[0]["detail"] == {"fields": ["course", "actor"]}


async def test_what_only_looked_or_failed_left_nothing(gateway: Gateway) -> None:
    http = api(gateway)
    for reply in (
        await http.get("/courses"),
        await http.post("/courses", body={"no": "course"}),
        await http.post("/deliveries/replay", body={"filter": {}, "dryRun": True}),
        await http.delete(f"/courses/{uuid4()}"),
    ):
        assert reply.status in (200, 400, 404, 415), reply.body
    assert await entries(gateway) == []


async def test_people_and_credentials_are_changed_from_what_to_what(gateway: Gateway) -> None:
    boss = await person(gateway)
    await person(gateway, Role.ANALYST, login="mara")
    await boss.post("/people/roles", {"login": "mara", "role": ["auditor"]})
    await boss.post("/people/disable", {"login": "mara"})
    created = await boss.post("/credentials", {"name": "Portal", "scope": ["cmi5"], "owner": "Mara"})
    assert created.status == 200
    (portal,) = await entries(gateway, action="credentials.create")
    key = portal["objects"]["key"]
    assert portal["detail"] == {"name": "Portal", "scopes": ["cmi5"]}
    await boss.post("/credentials/rotate", {"key": key})
    await boss.post("/credentials/revoke", {"key": key})
    about = [one["action"] for one in await entries(gateway, about=key)]
    assert about == ["credentials.revoke", "credentials.rotate", "credentials.create"]
    (roles,) = await entries(gateway, action="people.roles")
    assert roles["actor"] == "ada"
    assert roles["objects"]["login"] == "mara"
    assert roles["detail"] == {"before": ["analyst"], "after": ["auditor"]}
    secrets = re.findall(r"(?<![\w-])[\w-]{43}(?![\w-])", words(created))
    assert secrets
    whole = str([row async for row in gateway.store.client[gateway.store.name]["audit"].find()])
    assert not [one for one in [*secrets, PASSWORD] if one in whole]


async def test_who_came_in_and_who_did_not_is_kept_without_what_they_typed(gateway: Gateway) -> None:
    visitor = await person(gateway)
    await visitor.post("/sign-out")
    await visitor.get("/sign-in")
    await visitor.post("/sign-in", {"login": "ada", "password": "wrong guess"})
    await visitor.post("/sign-in", {"login": "my secret password", "password": "x"})
    await visitor.post("/sign-in", {"login": "ADA", "password": PASSWORD})
    found = [(e["kind"], e["actor"], e["action"], e["outcome"], e["detail"]) for e in await entries(gateway)]
    assert found == [
        ("person", "ada", "sign-in", "done", {"how": "password"}),
        ("nobody", "", "sign-in", "refused", {"how": "password"}),
        ("nobody", "ada", "sign-in", "refused", {"how": "password"}),
        ("person", "ada", "sign-out", "done", {}),
        ("person", "ada", "sign-in", "done", {"how": "link"}),
    ]


@pytest.mark.parametrize("reads", [True, False])
async def test_looking_at_records_of_learners_is_noted_if_the_setting_says_so(
    serve: Serve, reads: bool
) -> None:
    async with serve(audit__reads=reads) as gateway:
        boss = await person(gateway)
        for path in ("/statements", "/courses", f"/statements/{uuid4()}", "/", "/live"):
            await boss.get(path)
        await api(gateway).get("/registrations")
        found = [(e["actor"], e["action"]) for e in await entries(gateway) if e["action"].endswith(".read")]
        noted = [("tests", "registrations.read"), ("ada", "live.read"), ("ada", "statements.read")]
        assert found == (noted if reads else [])


async def test_entries_go_when_they_are_old_enough_and_never_otherwise(serve: Serve) -> None:
    async with serve() as gateway:
        await person(gateway)
        rows = gateway.store.client[gateway.store.name]["audit"]
        row = await rows.find_one({})
        assert row is not None
        assert "expires" not in row
    async with serve(audit__retention="30d") as gateway:
        await person(gateway, login="eve")
        row = await rows.find_one({"actor": "eve"})
        assert row is not None
        assert (row["expires"] - row["time"]).days == 30
    writing = {name for name in vars(StoredAudit) if not name.startswith("_")}
    assert writing == {"add", "list", "each"}


async def test_the_log_is_read_in_pages_by_filter_and_only_of_the_own_store(serve: Serve) -> None:
    async with serve(stores__others=["sandbox"]) as gateway:
        boss = await person(gateway)
        for login in ("b", "c", "d"):
            await boss.post("/people", {"login": login, "name": login, "role": ["analyst"]})
        first = (await api(gateway).get("/audit", {"limit": "2", "action": "people.create"})).json()
        rest = (
            await api(gateway).get(
                "/audit", {"limit": "2", "action": "people.create", "cursor": first["more"]}
            )
        ).json()
        logins = [one["objects"]["login"] for one in [*first["entries"], *rest["entries"]]]
        assert (logins, rest["more"]) == (["d", "c", "b"], None)
        time = first["entries"][0]["time"]
        assert len(await entries(gateway, since=time)) == 1
        assert len(await entries(gateway, until=time, actor="ada")) == 3
        for name, value in (("outcome", "maybe"), ("since", "today"), ("cursor", "x"), ("actr", "a")):
            assert (await api(gateway).get("/audit", {name: value})).status == 400
        other = await people(gateway).create("sam", "Sam", [Role.AUDITOR], "sandbox")
        auditor = browser(gateway)
        link = f"/welcome/{await people(gateway).make_link(other)}"
        await auditor.get(link)
        await auditor.post(link, {"password": PASSWORD, "again": PASSWORD})
        page = words(await auditor.get("/audit"))
        assert "sam" in page
        assert "people.create" not in page
        client = await gateway.client("hooks", Scope.HOOKS)
        assert (await client.at(f"{gateway.url}/api/v1").get("/audit")).status == 403


async def test_the_page_has_filters_in_its_address_and_exports_of_the_same(gateway: Gateway) -> None:
    boss = await person(gateway)
    await boss.post("/people", {"login": "=cmd", "name": "x", "role": ["analyst"]})
    for number in range(55):
        await boss.post("/people", {"login": f"p{number}", "name": "<b>x</b>", "role": ["analyst"]})
    page = await boss.get("/audit", action="people.create")
    assert "p54" in words(page)
    assert "sign-in" not in words(page).partition("From")[2]
    assert b"action=people.create&amp;cursor=" in page.body
    sheet = await boss.get("/audit.csv", action="people.create", about="p7")
    rows = list(csv.DictReader(io.StringIO(sheet.body.decode())))
    assert [row["actor"] for row in rows] == ["ada"]
    assert sheet.headers["Content-Disposition"] == 'attachment; filename="audit.csv"'
    lines = (await boss.get("/audit.ndjson", action="people.create")).body.decode().splitlines()
    assert len(lines) == 55  # a login that is a formula is none
    assert json.loads(lines[0])["objects"]["login"] == "p54"
    assert (await boss.get("/audit", outcome="maybe")).status == 400
    assert (await boss.get("/audit.csv", since="yesterday")).status == 400
    assert "No entry was found" in words(await boss.get("/audit", about="<script>"))
