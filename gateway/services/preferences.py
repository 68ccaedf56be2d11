"""The preferences of learners, as an administrator sees and sets them (cmi5 11)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

from gateway.cmi5.preferences import check_preferences
from gateway.cmi5.vocabulary import PREFERENCES_ID
from gateway.errors import Invalid, NotFound
from gateway.services.documents import context_of
from gateway.services.registrations import learner_key
from gateway.store.documents import Context, Document
from gateway.store.registrations import Registration
from gateway.store.store import Store
from gateway.xapi import documents as rules
from gateway.xapi import strict_json
from gateway.xapi.document_queries import AgentProfileQuery


class Preferences:
    """The agent profile documents that AUs read, written in the name of the LMS."""

    def __init__(self, store: Store, *, clock: Callable[[], dt.datetime]) -> None:
        self._documents = store.documents
        self._clock = clock

    async def get(self, registration: Registration) -> Document:
        """The learner's preferences, for all courses; raises NotFound where there are none."""
        document = await self._documents.get(_context(registration), PREFERENCES_ID)
        if document is None:
            raise NotFound("the learner has no preferences; courses then choose for themselves")
        return document

    async def set(self, registration: Registration, preferences: Mapping[str, Any]) -> Document:
        """Replace the learner's preferences, whoever wrote the present ones; raises Invalid."""
        if problems := check_preferences(preferences):
            first = problems[0]
            raise Invalid(f"{first.path} {first.message}".strip(), problems=problems)
        content = strict_json.dumps(preferences)
        new = Document(
            content=content,
            content_type="application/json",
            etag=rules.etag(content),
            modified=self._clock(),
        )
        context = _context(registration)
        while True:
            present = await self._documents.get(context, PREFERENCES_ID)
            if present is None:
                if await self._documents.create(context, PREFERENCES_ID, new):
                    return new
            elif await self._documents.replace(context, PREFERENCES_ID, new, present.etag):
                return new

    async def clear(self, registration: Registration) -> None:
        """Remove the learner's preferences; where there are none, nothing happens."""
        context = _context(registration)
        while (present := await self._documents.get(context, PREFERENCES_ID)) is not None:
            if await self._documents.delete(context, PREFERENCES_ID, present.etag):
                return


def _context(registration: Registration) -> Context:
    actor = dict(registration.actor)
    return context_of(
        AgentProfileQuery(agent=actor, agent_key=learner_key(actor), document_id=PREFERENCES_ID)
    )
