"""`/catapult/api/v1`: the API of the CATAPULT player, for tools that were written for it.

Everything beside the shapes is the gateway's own: what is imported here is there, and the other way round.
Errors look as that player's do, because its clients look for `statusCode`.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from gateway.cmi5.overrides import Overrides, read_overrides
from gateway.errors import GatewayError, Invalid, Problem
from gateway.keys import ACCESS, SERVICES, SETTINGS, TOKENS
from gateway.services.access import Grant, Scope
from gateway.services.catapult import Catapult, tenant_of
from gateway.services.registrations import check_learner
from gateway.services.services import Services
from gateway.store.connection import translating
from gateway.web.api.answers import answer
from gateway.web.api.bodies import Fields, read_fields
from gateway.web.api.uploads import uploaded_file
from gateway.web.origins import addresses
from gateway.xapi import strict_json
from gateway.xapi.datatypes import is_uuid

_LAUNCH = (
    "actor",
    "reg",
    "contextTemplateAdditions",
    "launchMode",
    "launchParameters",
    "masteryScore",
    "moveOn",
    "alternateEntitlementKey",
    "returnUrl",
)
_DESCRIPTION = "catapult-player-service"


@web.middleware
async def errors_of_the_player(request: web.Request, handler: Handler) -> web.StreamResponse:
    """`{"statusCode", "error", "message"}`, with `violatedReqId` where a rule of cmi5 was broken."""
    try:
        with translating():
            return await handler(request)
    except GatewayError as error:
        rules = [each.requirement for each in error.problems if each.requirement.startswith("cmi5 ")]
        told = {"violatedReqId": rules[0].removeprefix("cmi5 ")} if rules else {}
        return _error(error.status, error.message, told, error.headers)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        allow = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
        return _error(error.status, f"{request.method} {request.path}: {error.reason}", {}, allow)


def _error(status: int, message: str, told: Mapping[str, str], headers: Mapping[str, str]) -> web.Response:
    body = {
        "statusCode": status,
        "error": HTTPStatus(status).phrase,
        "message": message.encode("utf-8", "backslashreplace").decode(),
        **told,
    }
    return web.Response(
        status=status, body=strict_json.dumps(body), content_type="application/json", headers=headers
    )


async def ping(request: web.Request) -> web.Response:
    await _granted(request)
    return answer({"ok": True})


async def about(request: web.Request) -> web.Response:
    await _granted(request)
    tenant = tenant_of(request.headers.get(hdrs.AUTHORIZATION))
    return answer({"tenantId": tenant, "description": _DESCRIPTION})


async def create_tenant(request: web.Request) -> web.Response:
    player = await _player(request)
    fields = await read_fields(request, ("code",))
    code = fields.get("code")
    if not isinstance(code, str) or not 0 < len(code) <= 255:
        fields.wrong("code", "a text of 1 to 255 characters")
    fields.finish()
    return answer(await player.create_tenant(str(code)))


async def delete_tenant(request: web.Request) -> web.Response:
    player = await _player(request)
    number = request.match_info["tenant"]
    if number.isascii() and number.isdigit():
        await player.delete_tenant(int(number[:9]))
    return _nothing()


async def authorize(request: web.Request) -> web.Response:
    grant, player = await _granted(request), await _player(request)
    fields = await read_fields(request, ("tenantId", "audience"))
    tenant, audience = _number(fields, "tenantId"), fields.get("audience")
    if not isinstance(audience, str) or not audience:
        fields.wrong("audience", "a text")
    fields.finish()
    return answer({"token": await player.token(request.config_dict[TOKENS], grant, tenant or 0)})


async def import_course(request: web.Request) -> web.Response:
    services, player = await _services(request), await _player(request)
    settings = request.config_dict[SETTINGS]
    async with uploaded_file(request, limit=settings.cmi5.max_package) as file:
        made = await services.courses.create(file, base=addresses(request).gateway)
    return answer(await player.imported(made))


async def show_course(request: web.Request) -> web.Response:
    player = await _player(request)
    return answer(await player.course(request.match_info["course"]))


async def delete_course(request: web.Request) -> web.Response:
    player = await _player(request)
    await player.delete_course(request.match_info["course"])
    return _nothing()


async def launch_url(request: web.Request) -> web.Response:
    player = await _player(request)
    fields = await read_fields(request, _LAUNCH)
    actor, registration = fields.get("actor"), fields.get("reg")
    fields.problems += check_learner(actor)
    if registration is not None and not is_uuid(registration):
        fields.wrong("reg", "a UUID: the `code` of a registration, or one of your own")
    overrides = _overrides(fields)
    code = None if registration is None else fields.uuid("reg", required=False)
    fields.finish()
    return answer(
        await player.launch(
            request.match_info["course"], _au(request), actor, code, overrides, addresses(request)
        )
    )


async def register(request: web.Request) -> web.Response:
    player = await _player(request)
    fields = await read_fields(request, ("courseId", "actor"))
    course, actor = fields.get("courseId"), fields.get("actor")
    if isinstance(course, bool) or not isinstance(course, int | str):
        fields.wrong("courseId", "the id of a course")
    fields.problems += check_learner(actor)
    fields.finish()
    return answer(await player.register(str(course), actor))


async def show_registration(request: web.Request) -> web.Response:
    player = await _player(request)
    return answer(await player.registration(request.match_info["registration"]))


async def delete_registration(request: web.Request) -> web.Response:
    player = await _player(request)
    await player.delete_registration(request.match_info["registration"])
    return _nothing()


async def waive(request: web.Request) -> web.Response:
    player = await _player(request)
    fields = await read_fields(request, ("reason",))
    reason = fields.text("reason")
    fields.finish()
    await player.waive(request.match_info["registration"], _au(request), reason)
    return _nothing()


async def show_preferences(request: web.Request) -> web.Response:
    services, player = await _services(request), await _player(request)
    registration = await player.find_registration(request.match_info["registration"])
    document = await services.preferences.get(registration)
    return web.Response(
        body=document.content,
        content_type="application/json",
        headers={hdrs.ETAG: f'"{document.etag}"', hdrs.CACHE_CONTROL: "no-store"},
    )


async def save_preferences(request: web.Request) -> web.Response:
    services, player = await _services(request), await _player(request)
    fields = await read_fields(request, ("languagePreference", "audioPreference"))
    fields.finish()
    registration = await player.find_registration(request.match_info["registration"])
    values = {name: fields.get(name) for name in ("languagePreference", "audioPreference")}
    await services.preferences.set(registration, values)
    return _nothing()


async def clear_preferences(request: web.Request) -> web.Response:
    services, player = await _services(request), await _player(request)
    await services.preferences.clear(await player.find_registration(request.match_info["registration"]))
    return _nothing()


async def show_session(request: web.Request) -> web.Response:
    player = await _player(request)
    return answer(await player.session(request.match_info["session"]))


async def abandon(request: web.Request) -> web.Response:
    player = await _player(request)
    await player.abandon(request.match_info["session"])
    return _nothing()


def subapp() -> web.Application:
    """The player, below the path at which it is mounted."""
    app = web.Application(middlewares=[errors_of_the_player])
    one = "/api/v1/registration/{registration}"
    app.router.add_routes(
        [
            web.get("/api/v1/ping", ping),
            web.get("/api/v1/about", about),
            web.post("/api/v1/tenant", create_tenant),
            web.delete("/api/v1/tenant/{tenant}", delete_tenant),
            web.post("/api/v1/auth", authorize),
            web.post("/api/v1/course", import_course),
            web.get("/api/v1/course/{course}", show_course),
            web.delete("/api/v1/course/{course}", delete_course),
            web.post("/api/v1/course/{course}/launch-url/{au}", launch_url),
            web.post("/api/v1/registration", register),
            web.get(one, show_registration),
            web.delete(one, delete_registration),
            web.post(f"{one}/waive-au/{{au}}", waive),
            web.get(f"{one}/learner-prefs", show_preferences),
            web.post(f"{one}/learner-prefs", save_preferences),
            web.delete(f"{one}/learner-prefs", clear_preferences),
            web.get("/api/v1/session/{session}", show_session),
            web.post("/api/v1/session/{session}/abandon", abandon),
        ]
    )
    return app


async def _granted(request: web.Request) -> Grant:
    grant = await request.config_dict[ACCESS].authenticate(request.headers.get(hdrs.AUTHORIZATION))
    grant.require(Scope.CMI5, Scope.ADMIN)
    return grant


async def _services(request: web.Request) -> Services:
    return request.config_dict[SERVICES][(await _granted(request)).store]


async def _player(request: web.Request) -> Catapult:
    return Catapult(await _services(request), tenant_of(request.headers.get(hdrs.AUTHORIZATION)))


def _au(request: web.Request) -> int:
    text = request.match_info["au"]
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        problem = Problem("auIndex", "API", f"holds {text!r}; expected the index of an AU, counted from 0")
        raise Invalid(f"{problem.path} {problem.message}", problems=[problem])
    return int(text)


def _number(fields: Fields, name: str) -> int | None:
    value = fields.get(name)
    text = str(value) if type(value) in (int, str) else ""
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        fields.wrong(name, "a number")
        return None
    return int(text)


def _overrides(fields: Fields) -> Overrides:
    given = {name: fields.get(name) for name in _LAUNCH}
    given |= {
        "contextTemplate": given.pop("contextTemplateAdditions"),
        "returnURL": given.pop("returnUrl"),
    }
    overrides, problems = read_overrides(given)
    fields.problems += problems
    return overrides


def _nothing() -> web.Response:
    return web.Response(status=204)
