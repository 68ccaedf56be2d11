"""Who may use the management API, and what is done in whose store."""

from __future__ import annotations

from aiohttp import web

from gateway.keys import ACCESS, SERVICES
from gateway.services.access import Grant, Scope
from gateway.services.hooks import Hooks
from gateway.services.services import Services
from gateway.web.auditing import GRANT


async def services_for(request: web.Request, *scopes: Scope) -> Services:
    """The services of the credential's store; raises Unauthorized, or Forbidden without one of `scopes`."""
    return request.config_dict[SERVICES][(await granted(request, *scopes)).store]


async def granted(request: web.Request, *scopes: Scope) -> Grant:
    """What the sender may do; raises Unauthorized, or Forbidden without one of `scopes`."""
    grant = await request.config_dict[ACCESS].authenticate(request.headers.get("Authorization"))
    request[GRANT] = grant  # who is refused is known, too
    grant.require(*scopes)
    return grant


async def granted_hooks(request: web.Request) -> tuple[Grant, Hooks]:
    """Who asks, and the webhooks of their store, for somebody who connects vendors."""
    grant = await granted(request, Scope.HOOKS, Scope.ADMIN)
    return grant, request.config_dict[SERVICES][grant.store].hooks


async def cmi5(request: web.Request) -> Services:
    """The services for somebody who runs courses."""
    return await services_for(request, Scope.CMI5, Scope.ADMIN)
