"""The Experience API over HTTP: one set of resources, mounted once per default version."""

from __future__ import annotations

from gateway.web.xapi.call import Lrs
from gateway.web.xapi.mount import add_routes

__all__ = ["Lrs", "add_routes"]
