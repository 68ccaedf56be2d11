"""The Experience API over HTTP: one sub-application, mounted once per default version."""

from __future__ import annotations

from gateway.web.xapi.mount import subapp

__all__ = ["subapp"]
