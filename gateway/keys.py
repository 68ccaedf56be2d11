"""What handlers find in the application, as typed keys."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from gateway.services.access import Access
from gateway.services.audit import Audit
from gateway.services.identity_provider import IdentityProvider
from gateway.services.people import People
from gateway.services.reloading import Reloading
from gateway.services.services import Services
from gateway.services.session_finder import SessionFinder
from gateway.services.tokens import TokenIssuer
from gateway.settings import Settings

SETTINGS = web.AppKey("settings", Settings)
ACCESS = web.AppKey("access", Access)
RELOADING = web.AppKey("reloading", Reloading)
AUDIT = web.AppKey("audit", Audit)
PEOPLE = web.AppKey("people", People)
PROVIDER: web.AppKey[IdentityProvider | None] = web.AppKey("provider")
TOKENS = web.AppKey("tokens", TokenIssuer)
SESSIONS = web.AppKey("sessions", SessionFinder)
SERVICES: web.AppKey[Mapping[str, Services]] = web.AppKey("services", Mapping)
