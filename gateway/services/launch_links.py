"""Launch links: what a learner clicks to begin a session, as often as the link is valid."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from uuid import UUID

from gateway.cmi5.overrides import Overrides
from gateway.errors import GatewayError
from gateway.services.addresses import Addresses
from gateway.services.courses import Courses, stored_overrides
from gateway.services.launches import Launched, Launches, LaunchRequest
from gateway.services.lms import Lms
from gateway.services.registrations import Registrations, find_au
from gateway.services.session_keys import new_secret, secret_hash
from gateway.store.launch_links import LaunchLink
from gateway.store.store import Store
from gateway.xapi import strict_json


class LinkExpired(GatewayError):
    """A launch link that was good once."""

    status, code = 410, "link_expired"


@dataclass(frozen=True, slots=True)
class NewLink:
    """`token` is shown this once; the link is `<gateway>/launch/<token>`."""

    token: str
    expires: dt.datetime


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
    ) -> NewLink:
        """A link to an AU, or without `reference` to whichever is next; raises NotFound."""
        registration = await self._registrations.get(registration_id)
        au = None
        if reference is not None:
            au = find_au(await self._courses.structure(registration.version), reference).lms_id
        now = self._lms.now()
        link = LaunchLink(
            token=secret_hash(secret := new_secret()),
            registration=registration_id,
            au=au,
            overrides=strict_json.dumps(overrides.to_document()),
            created=now,
            expires=now + (lifetime or self._lifetime),
        )
        await self._links.insert(link)
        return NewLink(secret, link.expires)

    async def follow(self, token: str, addresses: Addresses) -> Launched | None:
        """Begin the session; None for a link that this store does not know, LinkExpired for an old one."""
        link = await self._links.get(secret_hash(token))
        if link is None:
            return None
        if link.expires <= self._lms.now():
            raise LinkExpired("This link has expired. Ask for a new one where you got it.")
        return await self._launches.launch(
            LaunchRequest(
                registration=link.registration,
                au=link.au,
                overrides=stored_overrides(link.overrides),
                addresses=addresses,
            )
        )
