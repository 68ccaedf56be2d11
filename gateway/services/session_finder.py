"""Which store a fetch key, launch link or AU token belongs to: they are shown without naming it."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from gateway.cmi5.sessions import FetchAnswer, FetchError, fetch_refused
from gateway.errors import NotFound
from gateway.services.access import SessionGrant
from gateway.services.addresses import Addresses
from gateway.services.launches import Launched
from gateway.services.services import Services
from gateway.store.sessions import Session
from gateway.xapi.agents import agent_key

_REMEMBERED = 100_000


class SessionFinder:
    """Asks each store, and remembers where a session was found."""

    def __init__(self, services: Mapping[str, Services]) -> None:
        self._services = services
        self._stores: dict[UUID, str] = {}

    async def find(self, key: str, secret: str) -> SessionGrant | None:
        """The session that a token opens; None for a wrong token, SessionOver for one that has ended."""
        try:
            session_id = UUID(key)
        except ValueError:
            return None
        known = self._stores.get(session_id)
        for store in (known,) if known else self._services:
            session = await self._services[store].sessions.authenticate(session_id, secret, store)
            if session is not None:
                self._remember(session_id, store)
                return _grant(session, store)
        return None

    async def fetch(self, fetch_key: str) -> FetchAnswer:
        """The answer to a POST of a fetch URL."""
        for services in self._services.values():
            if (answer := await services.sessions.fetch(fetch_key)) is not None:
                return answer
        return fetch_refused(FetchError.UNKNOWN)

    async def follow(self, token: str, addresses: Addresses, *, framed: bool) -> Launched:
        """Begin the session of a launch link; raises NotFound, LinkExpired, NeedsOwnWindow."""
        for services in self._services.values():
            launched = await services.launch_links.follow(token, addresses, framed=framed)
            if launched is not None:
                return launched
        raise NotFound("There is nothing behind this link. Check that you copied all of it.")

    def _remember(self, session: UUID, store: str) -> None:
        if len(self._stores) >= _REMEMBERED:
            self._stores.clear()
        self._stores[session] = store


def _grant(session: Session, store: str) -> SessionGrant:
    learner = agent_key(session.actor)
    assert learner is not None, "a learner has an account"
    return SessionGrant(session=session.id, store=store, registration=session.registration, learner=learner)
