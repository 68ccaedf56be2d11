"""Launch links: what a learner clicks to begin a session, as often as the link is valid."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from uuid import UUID, uuid4

from gateway.cmi5.overrides import Overrides
from gateway.cmi5.vocabulary import LaunchMethod
from gateway.errors import GatewayError, NotFound
from gateway.services.addresses import Addresses
from gateway.services.courses import Courses, stored_overrides
from gateway.services.launches import Launched, Launches, LaunchRequest
from gateway.services.lms import Lms
from gateway.services.registrations import Registrations, find_au
from gateway.services.session_keys import new_secret, secret_hash
from gateway.store.launch_links import LaunchLink
from gateway.store.store import Store
from gateway.xapi import strict_json

_USED = "This link works only once. Ask for a new one where you got it."


class LinkExpired(GatewayError):
    """A launch link that was good once: expired, revoked, or used where it works only once."""

    status, code = 410, "link_expired"


class NeedsOwnWindow(GatewayError):
    """A link to an AU that may not run in a frame was followed in one (cmi5 8.1.0.0-2); it is not used up."""

    status, code = 409, "needs_own_window"


@dataclass(frozen=True, slots=True)
class NewLink:
    """`token` is shown this once; what is opened is `<gateway>/launch/<token>`."""

    token: str
    link: LaunchLink


class LaunchLinks:
    """The launch links of one store."""

    def __init__(
        self,
        store: Store,
        courses: Courses,
        registrations: Registrations,
        launches: Launches,
        *,
        lms: Lms,
        lifetime: dt.timedelta,
    ) -> None:
        self._links = store.launch_links
        self._courses = courses
        self._registrations = registrations
        self._launches = launches
        self._lms = lms
        self._lifetime = lifetime

    async def create(
        self,
        registration_id: UUID,
        reference: int | str | None,
        overrides: Overrides,
        lifetime: dt.timedelta | None = None,
        *,
        once: bool = False,
    ) -> NewLink:
        """A link to an AU, or without `reference` to whichever is next; with `once` it works one time.

        Raises NotFound.
        """
        registration = await self._registrations.get(registration_id)
        au = None
        if reference is not None:
            au = find_au(await self._courses.structure(registration.version), reference).lms_id
        now = self._lms.now()
        link = LaunchLink(
            id=uuid4(),
            token=secret_hash(secret := new_secret()),
            registration=registration_id,
            au=au,
            overrides=strict_json.dumps(overrides.to_document()),
            created=now,
            expires=now + (lifetime or self._lifetime),
            once=once,
        )
        await self._links.insert(link)
        return NewLink(secret, link)

    async def list(self, registration_id: UUID) -> list[LaunchLink]:
        """The links of a registration, the newest first; raises NotFound."""
        await self._registrations.get(registration_id)
        return await self._links.of(registration_id)

    async def revoke(self, registration_id: UUID, link_id: UUID) -> None:
        """Let a link not work any more; again changes nothing. Raises NotFound."""
        if all(link.id != link_id for link in await self.list(registration_id)):
            raise NotFound(f"the registration {registration_id} has no link with the id {link_id}")
        await self._links.revoke(registration_id, link_id, self._lms.now())

    async def follow(self, token: str, addresses: Addresses, *, framed: bool = False) -> Launched | None:
        """Begin the session; None for a link that this store does not know, LinkExpired for an old one.

        Raises NeedsOwnWindow where the link was `framed`, clicked or shown within a frame of another page,
        and the AU wants a window of its own.
        """
        link = await self._links.get(secret_hash(token))
        if link is None:
            return None
        now = self._lms.now()
        if link.revoked is not None:
            raise LinkExpired("This link was withdrawn. Ask for a new one where you got it.")
        if link.expires <= now:
            raise LinkExpired("This link has expired. Ask for a new one where you got it.")
        if link.once and link.used is not None:
            raise LinkExpired(_USED)
        if framed and await self._launches.method(link.registration, link.au) is LaunchMethod.OWN_WINDOW:
            raise NeedsOwnWindow("This course needs a window of its own.")
        if not await self._links.use(link, now):
            raise LinkExpired(_USED)
        try:
            return await self._launches.launch(
                LaunchRequest(
                    registration=link.registration,
                    au=link.au,
                    overrides=stored_overrides(link.overrides),
                    addresses=addresses,
                )
            )
        except GatewayError:
            if link.once:
                await self._links.unuse(link)
            raise
