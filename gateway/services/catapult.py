"""The gateway in the place of a CATAPULT player: its ids, which are numbers, and its tenants.

A tenant there keeps data apart; here a store does, and a credential belongs to one. So a tenant is no more
than a name that a client asks for, and its token is one of the credential that it was asked with.
"""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import UUID, uuid4

from gateway.cmi5.overrides import Overrides
from gateway.errors import Conflict, NotFound
from gateway.services.access import Grant, Scope
from gateway.services.addresses import Addresses
from gateway.services.catapult_views import course_row, registration_row, session_row
from gateway.services.courses import ImportedCourse
from gateway.services.launches import LaunchRequest
from gateway.services.registrations import Enrolment
from gateway.services.services import Services
from gateway.services.tokens import TokenIssuer
from gateway.store.registrations import Registration
from gateway.store.sessions import Session
from gateway.xapi.datatypes import is_uuid

# Tokens of a CATAPULT player do not end, and its clients ask for one only when they are set up. Revoking the
# credential ends them.
_TOKEN_LASTS = dt.timedelta(days=3650)
_DIGITS = 9


class Catapult:
    """What the API of a CATAPULT player does in one store; `tenant` is that of the token, if there is one."""

    def __init__(self, services: Services, tenant: int | None) -> None:
        self._services = services
        self._numbers = services.store.numbers
        self._tenant = tenant

    # -- tenants -----------------------------------------------------------------------------------------

    async def create_tenant(self, code: str) -> dict[str, Any]:
        """A name and its number; again the same for the same name."""
        return {"code": code, "id": await self._numbers.of("tenant", code)}

    async def delete_tenant(self, number: int) -> None:
        """Forget a name. Its tokens end with the credential that they belong to."""
        await self._numbers.forget("tenant", number)

    async def token(self, issuer: TokenIssuer, grant: Grant, tenant: int) -> str:
        """A token for a tenant, which may do what runs courses; raises NotFound."""
        if await self._numbers.name("tenant", tenant) is None:
            raise NotFound(f"Unknown tenant: {tenant}")
        scopes = tuple(scope for scope in (Scope.CMI5, Scope.ADMIN) if scope in grant.scopes)
        return await issuer.lasting(grant.key, scopes, _TOKEN_LASTS, prefix=f"{tenant}.")

    # -- courses -----------------------------------------------------------------------------------------

    async def imported(self, made: ImportedCourse) -> dict[str, Any]:
        """A course that was just imported."""
        return await self._course(made.stored.id)

    async def course(self, reference: str) -> dict[str, Any]:
        """A course by its number or id; raises NotFound."""
        return await self._course(await self._id("course", reference))

    async def delete_course(self, reference: str) -> None:
        """Delete a course with its registrations, as this API means it; none, and nothing happens."""
        try:
            identity = await self._id("course", reference)
            await self._services.removals.delete_course(identity, force=True, at_once=500)
        except NotFound:
            return

    async def launch(
        self,
        reference: str,
        au: int,
        actor: dict[str, Any],
        registration: UUID | None,
        overrides: Overrides,
        addresses: Addresses,
    ) -> dict[str, Any]:
        """Register the learner if need be, and begin a session; raises NotFound, Invalid, Conflict."""
        course = await self._id("course", reference)
        enrolment = Enrolment(course=course, actor=actor, id=registration or uuid4(), overrides=Overrides())
        await self._services.registrations.check_au(enrolment, au)
        registered, _ = await self._services.registrations.create(enrolment)
        launched = await self._services.launches.launch(
            LaunchRequest(registration=registered.id, au=au, overrides=overrides, addresses=addresses)
        )
        number = await self._numbers.of("session", str(launched.session))
        return {"id": number, "launchMethod": launched.method, "url": launched.url}

    # -- registrations -----------------------------------------------------------------------------------

    async def register(self, course: str, actor: dict[str, Any]) -> dict[str, Any]:
        """A new registration; raises NotFound, Invalid."""
        enrolment = Enrolment(
            course=await self._id("course", course), actor=actor, id=uuid4(), overrides=Overrides()
        )
        registration, _ = await self._services.registrations.create(enrolment)
        return await self._registration(registration)

    async def registration(self, reference: str) -> dict[str, Any]:
        """A registration by its number or code; raises NotFound."""
        return await self._registration(await self.find_registration(reference))

    async def find_registration(self, reference: str) -> Registration:
        """A registration by its number or code; raises NotFound."""
        return await self._services.registrations.get(await self._id("registration", reference))

    async def delete_registration(self, reference: str) -> None:
        """Forget a registration; none, and nothing happens."""
        try:
            identity = await self._id("registration", reference)
            await self._services.removals.delete_registration(identity)
        except NotFound:
            return

    async def waive(self, reference: str, au: int, reason: str) -> None:
        """Waive an AU; raises NotFound, Conflict, Invalid."""
        identity = await self._id("registration", reference)
        await self._services.registrations.waive(identity, au, reason)

    # -- sessions ----------------------------------------------------------------------------------------

    async def session(self, reference: str) -> dict[str, Any]:
        """A session by its number or code; raises NotFound."""
        session = await self._services.sessions.get(await self._id("session", reference))
        return await self._session(session)

    async def abandon(self, reference: str) -> None:
        """Abandon a session; one that is terminated stays so. Raises NotFound."""
        try:
            await self._services.sessions.abandon(await self._id("session", reference), "administrator")
        except Conflict:
            return

    # -- ids ---------------------------------------------------------------------------------------------

    async def _id(self, kind: str, reference: str) -> UUID:
        if is_uuid(reference):
            return UUID(reference)
        found = None
        if reference.isascii() and reference.isdigit() and len(reference) <= _DIGITS:
            found = await self._numbers.name(kind, int(reference))
        if found is None:
            raise NotFound(f"Unrecognized {kind}: {reference}")
        return UUID(found)

    async def _course(self, identity: UUID) -> dict[str, Any]:
        stored = await self._services.courses.get(identity)
        course = await self._services.courses.structure(stored.version)
        number = await self._numbers.of("course", str(identity))
        return course_row(stored, course, number=number, tenant=self._tenant)

    async def _registration(self, registration: Registration) -> dict[str, Any]:
        return registration_row(
            registration,
            await self._services.registrations.progress(registration),
            number=await self._numbers.of("registration", str(registration.id)),
            course=await self._numbers.of("course", str(registration.course)),
            tenant=self._tenant,
        )

    async def _session(self, session: Session) -> dict[str, Any]:
        return session_row(
            session,
            number=await self._numbers.of("session", str(session.id)),
            au=await self._numbers.of("au", f"{session.registration} {session.au}"),
            tenant=self._tenant,
        )


def tenant_of(authorization: str | None) -> int | None:
    """The tenant that a token was made for; None for another kind of credential."""
    scheme, _, text = (authorization or "").strip().partition(" ")
    number, dot, _ = text.strip().partition(".")
    if scheme.lower() != "bearer" or not dot or not number.isascii() or not number.isdigit():
        return None
    return int(number[:_DIGITS])
