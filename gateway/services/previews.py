"""Looking at a course without being a learner of it: a session in Browse mode, for nobody in particular.

The actor of a preview exists for that preview alone, and its registration stands in no list and no report.
"""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID, uuid4

from gateway.cmi5.overrides import Overrides
from gateway.cmi5.vocabulary import LaunchMode
from gateway.services.addresses import Addresses
from gateway.services.launches import Launched, Launches, LaunchRequest
from gateway.services.registrations import Enrolment, Registrations


class Previews:
    """Previews of the courses of one store; `gateway` is the URL that their actors' accounts are of."""

    def __init__(self, registrations: Registrations, launches: Launches, *, gateway: str) -> None:
        self._registrations = registrations
        self._launches = launches
        self._home_page = f"{gateway}/cmi5/preview"

    async def launch(
        self,
        course: UUID,
        au: int | str,
        overrides: Overrides,
        addresses: Addresses,
        *,
        version: int | None = None,
    ) -> Launched:
        """Begin a preview of an AU, by default of the current version; raises NotFound."""
        identity = uuid4()
        actor = {
            "objectType": "Agent",
            "name": "Preview",
            "account": {"homePage": self._home_page, "name": f"preview-{identity}"},
        }
        enrolment = Enrolment(
            course=course, actor=actor, id=identity, overrides=Overrides(), version=version, preview=True
        )
        await self._registrations.check_au(enrolment, au)
        await self._registrations.create(enrolment)
        browse = replace(overrides, launch_mode=LaunchMode.BROWSE)
        return await self._launches.launch(
            LaunchRequest(registration=identity, au=au, overrides=browse, addresses=addresses)
        )
