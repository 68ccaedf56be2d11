"""The document resources: State, Activity Profile, Agent Profile (xAPI 1.0.3 Communication 2.2, 2.3, 2.6,
2.7).

A change is decided on the document as it was read and applied only if it is still that one; otherwise it is
decided anew. So preconditions hold at the moment of the change, with any number of clients and processes.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

from gateway.errors import NotFound
from gateway.services.access import Grant, Scope
from gateway.store.documents import Context, Document
from gateway.store.store import Store
from gateway.xapi import documents as rules
from gateway.xapi.document_queries import ActivityProfileQuery, AgentProfileQuery, StateQuery
from gateway.xapi.documents import Kind, Outcome, Preconditions
from gateway.xapi.versions import Version

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)

DocumentQuery = StateQuery | ActivityProfileQuery | AgentProfileQuery

_SCOPES = {Kind.STATE: Scope.STATE, Kind.ACTIVITY_PROFILE: Scope.PROFILE, Kind.AGENT_PROFILE: Scope.PROFILE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A document as a request carries it."""

    body: bytes
    content_type: str


def context_of(query: DocumentQuery) -> Context:
    """Where the documents that a query addresses are kept."""
    registration = getattr(query, "registration", None)
    return Context(
        kind=query.kind.name.lower(),
        activity=getattr(query, "activity_id", None),
        agent=getattr(query, "agent_key", None),
        registration=str(registration) if registration else None,
    )


class Documents:
    """Documents of one store."""

    def __init__(self, store: Store, *, clock: Callable[[], dt.datetime]) -> None:
        self._documents = store.documents
        self._clock = clock

    async def get(self, grant: Grant, query: DocumentQuery) -> Document:
        """One document; raises NotFound."""
        grant.require(_SCOPES[query.kind], Scope.ALL_READ)
        document = await self._documents.get(context_of(query), _document_id(query))
        if document is None:
            raise NotFound(f"there is no {query.kind.value} document with the id {query.document_id!r} here")
        return document

    async def list(self, grant: Grant, query: DocumentQuery) -> tuple[list[str], dt.datetime | None]:
        """Ids of the documents that fit, and when the latest of them changed."""
        grant.require(_SCOPES[query.kind], Scope.ALL_READ)
        since = None
        if query.since is not None:
            since = _EPOCH + dt.timedelta(microseconds=query.since)  # exact, unlike a float
        return await self._documents.list(context_of(query), since)

    async def put(
        self,
        grant: Grant,
        query: DocumentQuery,
        content: Content,
        preconditions: Preconditions,
        version: Version,
    ) -> None:
        """Store or replace a document; raises PreconditionFailed or Conflict."""
        grant.require(_SCOPES[query.kind])
        rules.check_put(content.content_type, content.body)

        def decide(present: Document | None) -> Outcome:
            current = present.etag if present else None
            return rules.decide_put(
                preconditions, current=current, version=version, kind=query.kind, strict=True
            )

        await self._change(query, content, decide)

    async def post(
        self, grant: Grant, query: DocumentQuery, content: Content, preconditions: Preconditions
    ) -> None:
        """Store a document or merge it into the present one; raises PreconditionFailed or BadRequest."""
        grant.require(_SCOPES[query.kind])
        rules.check_post(content.content_type, content.body)

        def decide(present: Document | None) -> Outcome:
            return rules.decide_post(preconditions, current=present.etag if present else None)

        await self._change(query, content, decide)

    async def delete(self, grant: Grant, query: DocumentQuery, preconditions: Preconditions) -> None:
        """Delete one document, or all of a state context where the query names none."""
        grant.require(_SCOPES[query.kind])
        context = context_of(query)
        if query.document_id is None:
            await self._documents.delete_all(context)
            return
        while True:
            present = await self._documents.get(context, query.document_id)
            outcome = rules.decide_delete(preconditions, current=present.etag if present else None)
            if outcome is Outcome.NOTHING or present is None:
                return
            if await self._documents.delete(context, query.document_id, present.etag):
                return

    async def _change(
        self, query: DocumentQuery, content: Content, decide: Callable[[Document | None], Outcome]
    ) -> None:
        context, document_id = context_of(query), _document_id(query)
        while True:
            present = await self._documents.get(context, document_id)
            outcome = decide(present)
            if present is None:
                if await self._documents.create(context, document_id, self._document(content)):
                    return
                continue
            new = content
            if outcome is Outcome.MERGE:
                merged = rules.merge(
                    present.content_type, present.content, content.content_type, content.body
                )
                new = Content(body=merged, content_type=present.content_type)
            if await self._documents.replace(context, document_id, self._document(new), present.etag):
                return

    def _document(self, content: Content) -> Document:
        return Document(
            content=content.body,
            content_type=content.content_type,
            etag=rules.etag(content.body),
            modified=self._clock(),
        )


def _document_id(query: DocumentQuery) -> str:
    assert query.document_id is not None, "the query's reader made sure of it"
    return query.document_id
