"""Statements that were refused, for those who watch the live tail."""

from __future__ import annotations

from gateway.errors import GatewayError
from gateway.services.sessions import SessionOver
from gateway.web.xapi.call import GRANT, Call


def note(call: Call, error: GatewayError) -> None:
    """Show the refusal to whoever watches; an error of ours is none."""
    if error.status >= 500:
        return
    grant = call.request.get(GRANT)
    if isinstance(error, SessionOver):
        store, name = error.store, "courses"
    elif grant is None:
        store, name = call.lrs.settings.stores.default, "somebody without a credential"
    else:
        store = grant.store
        name = "courses" if grant.session is not None else f"credential {grant.key}"
    problems = [f"{one.path}: {one.message}" if one.path else one.message for one in error.problems]
    call.lrs.services[store].live.refuse(
        "statement", name, f"{call.method} of statements", error.status, error.message, problems
    )
