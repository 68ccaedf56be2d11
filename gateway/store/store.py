"""A store is a database: every noun's collection in one place, and the writer that keeps them consistent."""

from __future__ import annotations

from typing import Any

from pymongo import AsyncMongoClient

from gateway.store.attachments import Attachments
from gateway.store.audit import Audit
from gateway.store.course_files import CourseFiles
from gateway.store.course_imports import CourseImports
from gateway.store.courses import Courses
from gateway.store.credentials import Credentials
from gateway.store.deliveries import Deliveries
from gateway.store.delivery_hours import DeliveryHours
from gateway.store.directory import Directory
from gateway.store.documents import Documents
from gateway.store.facts import Facts
from gateway.store.indexing import IndexChange, create_indexes, index_changes
from gateway.store.knowledge import Activities, Persons
from gateway.store.launch_links import LaunchLinks
from gateway.store.links import Links
from gateway.store.live import Live
from gateway.store.mapping_status import MappingStatus
from gateway.store.notices import Notices
from gateway.store.numbers import Numbers
from gateway.store.observations import Observations
from gateway.store.people import People
from gateway.store.refusals import Refusals
from gateway.store.registrations import Registrations
from gateway.store.replacements import Replacements
from gateway.store.replays import Replays
from gateway.store.reports import Reports
from gateway.store.revisions import Revisions
from gateway.store.sessions import Sessions
from gateway.store.shadows import Shadows
from gateway.store.sign_ins import SignIns
from gateway.store.sources import Sources
from gateway.store.statements import Statements
from gateway.store.subscriptions import Subscriptions
from gateway.store.tokens import Tokens
from gateway.store.unmatched import Unmatched
from gateway.store.writers import Writer

# What was stored shortly before a dead writer's floor may have been waiting for its links, too.
_RELINK_MARGIN = 60_000_000


class Store:
    """All collections of one store. Call `prepare` once per process before use."""

    def __init__(self, client: AsyncMongoClient[dict[str, Any]], database: str) -> None:
        self.name = database
        self.client = client
        self._database = client[database]
        self.statements = Statements(self._database)
        self.links = Links(self._database)
        self.live = Live(self._database)
        self.writer = Writer(self._database)
        self.attachments = Attachments(self._database)
        self.documents = Documents(self._database)
        self.activities = Activities(self._database)
        self.persons = Persons(self._database)
        self.deliveries = Deliveries(self._database)
        self.delivery_hours = DeliveryHours(self._database)
        self.unmatched = Unmatched(self._database)
        self.directory = Directory(self._database)
        self.facts = Facts(self._database)
        self.replacements = Replacements(self._database)
        self.revisions = Revisions(self._database)
        self.shadows = Shadows(self._database)
        self.mapping_status = MappingStatus(self._database)
        self.replays = Replays(self._database)
        self.reports = Reports(self._database)
        self.credentials = Credentials(self._database)
        self.tokens = Tokens(self._database)
        self.audit = Audit(self._database)
        self.people = People(self._database)
        self.sources = Sources(self._database)
        self.observations = Observations(self._database)
        self.sign_ins = SignIns(self._database)
        self.courses = Courses(self._database)
        self.course_files = CourseFiles(self._database)
        self.course_imports = CourseImports(self._database)
        self.numbers = Numbers(self._database)
        self.subscriptions = Subscriptions(self._database)
        self.notices = Notices(self._database)
        self.registrations = Registrations(self._database, self.notices)
        self.sessions = Sessions(self._database, self.notices)
        self.launch_links = LaunchLinks(self._database)
        self.refusals = Refusals(self._database)

    async def prepare(self) -> None:
        """Create indexes and fixed documents. Idempotent, and safe from many processes at once."""
        await create_indexes(self._database)
        await self.launch_links.prepare()
        await self.writer.prepare()

    async def ping(self) -> None:
        """Raise unless a primary answers."""
        await self._database.command("ping")

    async def index_changes(self) -> list[IndexChange]:
        """Where the indexes differ from those that `prepare` creates."""
        return await index_changes(self._database)

    async def recover(self) -> int:
        """Finish what writers that died left unlinked; how many writers there were."""
        floors = await self.writer.reap()
        if floors:
            async for ids in self.statements.ids_since(min(floors) - _RELINK_MARGIN):
                await self.links.link(ids, referring=True)
        return len(floors)
