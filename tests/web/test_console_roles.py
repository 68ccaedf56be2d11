from __future__ import annotations

from uuid import uuid4

from gateway.services.people import Right, Role
from gateway.web.console import ROUTES
from tests.gateway import Gateway
from tests.web.console import browser, person, words

R = Right
READS = {
    R.HOME,
    R.READ_STATEMENTS,
    R.READ_SOURCES,
    R.READ_REPORTS,
    R.READ_DELIVERIES,
    R.READ_MAPPINGS,
    R.READ_COURSES,
    R.READ_CREDENTIALS,
    R.READ_SYSTEM,
    R.READ_AUDIT,
}
# Who may do what, written a second time: a change of either has to be meant.
MATRIX = {
    Role.ADMINISTRATOR: set(Right),
    Role.LMS_ADMINISTRATOR: {R.HOME, R.READ_REPORTS, R.READ_COURSES, R.RUN_COURSES},
    Role.INTEGRATION_ENGINEER: {
        R.HOME,
        R.READ_STATEMENTS,
        R.READ_SOURCES,
        R.MANAGE_SOURCES,
        R.READ_DELIVERIES,
        R.REPLAY,
        R.READ_MAPPINGS,
        R.TRY_MAPPINGS,
        R.READ_SYSTEM,
    },
    Role.ANALYST: {R.HOME, R.READ_STATEMENTS, R.READ_REPORTS},
    Role.AUDITOR: READS,
}


def path_of(template: str) -> str:
    """The route with ids of things that are not there."""
    parts = [str(uuid4()) if part.startswith("{") else part for part in template.split("/")]
    return "/".join(parts)


async def test_every_route_is_open_to_those_roles_and_closed_to_all_others(gateway: Gateway) -> None:
    assert set(MATRIX) == set(Role)
    for role in Role:
        visitor = await person(gateway, role, login=role)
        for route in ROUTES:
            if route.path == "/sign-out":
                continue
            path = path_of(route.path)
            if route.method == "GET":
                # A stream would go on for ever, unless there is something wrong with what is asked for.
                reply = await visitor.get(path, **({"kind": "?"} if path == "/live/events" else {}))
            else:
                reply = await visitor.post(path, {})
            told = (role, route.method, route.path, reply.status)
            if route.right in MATRIX[role]:
                assert reply.status in (200, 303, 400, 404), told
            else:
                assert reply.status == 403, told
                assert "your role does not let you" in words(reply), told


async def test_what_changes_something_is_a_post_and_needs_more_than_a_right_to_read(gateway: Gateway) -> None:
    for route in ROUTES:
        assert route.method in ("GET", "POST")
        if route.method == "POST" and route.path != "/sign-out":
            assert route.right not in READS, route.path
    visitor = await person(gateway)
    for method in ("PUT", "DELETE", "PATCH"):
        cookie = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
        assert (await visitor.http(method, "/", headers={"Cookie": cookie})).status == 405


async def test_nobody_who_is_not_signed_in_sees_or_changes_anything(gateway: Gateway) -> None:
    visitor = browser(gateway)
    for route in ROUTES:
        path = path_of(route.path)
        if route.method == "GET":
            assert (await visitor.get(path)).status == 303, path
        else:
            assert (await visitor.post(path, {})).status == 403, path


async def test_menus_hold_only_what_a_role_may_open(gateway: Gateway) -> None:
    for role in Role:
        visitor = await person(gateway, role, login=role)
        page = (await visitor.get("/")).body.decode()
        for route in ROUTES:
            if route.method == "GET" and f'href="/admin{route.path}"' in page:
                assert route.right in MATRIX[role], (role, route.path)


async def test_a_role_that_is_taken_away_counts_no_more_at_once(gateway: Gateway) -> None:
    visitor = await person(gateway, Role.ADMINISTRATOR)
    rows = gateway.store.client[gateway.store.name]["people"]
    await rows.update_one({"login": "ada"}, {"$set": {"roles": ["a-role-of-the-past"]}})
    assert (await visitor.get("/")).status == 403
