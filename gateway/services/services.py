"""Everything that can be done with one store, and the loops that keep it going."""

from __future__ import annotations

import asyncio
import datetime as dt

import structlog

from gateway.cmi5.packages import PackageLimits
from gateway.services.addresses import public_url
from gateway.services.au_requests import AURequests
from gateway.services.clock import utc_now
from gateway.services.commit import Committer
from gateway.services.conflicts import Conflicts
from gateway.services.course_imports import CourseImports
from gateway.services.courses import Courses
from gateway.services.documents import Documents
from gateway.services.enrolments import Enrolments
from gateway.services.fetching import Fetcher, FetchesNothing
from gateway.services.hooks import Hooks
from gateway.services.knowledge import Knowledge
from gateway.services.launch_links import LaunchLinks
from gateway.services.launches import Launches
from gateway.services.live import Live
from gateway.services.lms import Lms
from gateway.services.mappings import Mappings
from gateway.services.notices import Notices
from gateway.services.observing import Observing
from gateway.services.posting import Poster, PostsNothing
from gateway.services.preferences import Preferences
from gateway.services.previews import Previews
from gateway.services.registrations import Registrations
from gateway.services.removals import Removals
from gateway.services.reports import Reports
from gateway.services.sessions import Sessions
from gateway.services.sources import Sources
from gateway.services.statements import Statements
from gateway.services.subscriptions import Subscriptions
from gateway.services.turns import Turns
from gateway.services.working import enduring
from gateway.settings import Settings
from gateway.store.store import Store

log = structlog.get_logger(__name__)

# Two groups at a time: one waits for the disk while the server works on the other.
_GROUPS_IN_FLIGHT = 2
_TELLING = 4  # receivers at a time
_RECOVER_EVERY = 2.0  # seconds
_NOTE_USE_EVERY = 20.0
_ABANDON_EVERY = 15.0
_SWEEP_EVERY = 3600.0


class Services:
    """The uses of one store. `run` must be running for anything to be written."""

    def __init__(
        self,
        store: Store,
        settings: Settings,
        *,
        more_key: bytes,
        mappings: Mappings | None = None,
        fetcher: Fetcher | None = None,
        poster: Poster | None = None,
    ) -> None:
        self.store = store
        self.more_key = more_key
        self.committer = Committer(
            store,
            max_statements=settings.group_commit.max_statements,
            in_flight=_GROUPS_IN_FLIGHT,
        )
        self.knowledge = Knowledge(store)
        cmi5, turns = settings.cmi5, Turns()
        lms = Lms.of(store.name, key=more_key, home_page=public_url(settings), clock=utc_now)
        self.courses = Courses(store, limits=PackageLimits(total_size=cmi5.max_unpacked), clock=lms.now)
        self.course_imports = CourseImports(store, self.courses, clock=lms.now)
        self.au_requests = AURequests(store, self.courses, lms=lms, turns=turns)
        self.statements = Statements(
            store,
            self.committer,
            self.knowledge,
            self.au_requests,
            Conflicts(store, lms=lms),
            page_size=settings.xapi.page_size,
            page_bytes=settings.xapi.page_bytes,
            max_statements=settings.xapi.max_statements,
        )
        self.documents = Documents(store, clock=utc_now)
        self.live = Live(store, clock=utc_now)
        self.hooks = Hooks(
            store,
            self.statements,
            settings,
            mappings=mappings or Mappings.of(settings),
            key=more_key,
            fetcher=fetcher or FetchesNothing(),
            refused=self._delivery_refused,
            clock=utc_now,
        )
        self.registrations = Registrations(store, self.statements, self.courses, lms=lms, turns=turns)
        self.sessions = Sessions(store, self.statements, self.courses, lms=lms, turns=turns)
        self.launches = Launches(
            store,
            self.statements,
            self.courses,
            self.registrations,
            self.sessions,
            lms=lms,
            turns=turns,
            return_url=cmi5.return_url,
        )
        self.launch_links = LaunchLinks(
            store,
            self.courses,
            self.registrations,
            self.launches,
            lms=lms,
            lifetime=dt.timedelta(seconds=cmi5.link_lifetime),
        )
        self.subscriptions = Subscriptions(store, settings.notices, namespace=lms.namespace, clock=lms.now)
        self._poster = poster or PostsNothing()
        self.notices = Notices(store, self._poster, settings.notices, clock=lms.now)
        self.enrolments = Enrolments(store, self.courses, self.registrations, namespace=lms.namespace)
        self.previews = Previews(self.registrations, self.launches, gateway=public_url(settings))
        self.preferences = Preferences(store, clock=lms.now)
        self.reports = Reports(store, settings.reports, key=more_key)
        self.removals = Removals(store, self.courses, self.registrations, self.sessions, lms=lms)
        self.sources = Sources.of(store, lambda: self.hooks.receivers, settings, clock=utc_now)
        self.observing = Observing(
            store.observations,
            store.statements,
            store.writer,
            self.sources,
            self.hooks.revisions,
            clock=utc_now,
        )
        self._idle = dt.timedelta(seconds=cmi5.idle_timeout)
        self._lifetime = dt.timedelta(seconds=cmi5.session_lifetime)

    def _delivery_refused(self, adapter: str, reason: str) -> None:
        self.live.refuse("delivery", f"adapter {adapter}", "a delivery was refused", None, reason)

    async def write(self) -> None:
        """What must be running for anything to be stored, until cancelled: all that a command needs."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.committer.run())
            tasks.create_task(self.knowledge.run())
            tasks.create_task(enduring("floors", self.store.writer.keep))

    async def run(self) -> None:
        """All background work, until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self.write())
                tasks.create_task(self.hooks.run())
                tasks.create_task(enduring("recovery", self._recover))
                tasks.create_task(enduring("session use", self._note_session_use))
                tasks.create_task(enduring("lapsed sessions", self._abandon_lapsed))
                tasks.create_task(enduring("subscriptions", self.subscriptions.configure))
                for _ in range(_TELLING):
                    tasks.create_task(enduring("notices", self.notices.work))
                tasks.create_task(enduring("observing", self.observing.run))
                tasks.create_task(enduring("reports", self.reports.run))
                tasks.create_task(enduring("live tail", self.live.run))
                tasks.create_task(enduring("refusals", self.live.keep_refusals))
                tasks.create_task(enduring("imports", self.course_imports.run))
                tasks.create_task(enduring("unfinished imports", self._sweep_courses))
                tasks.create_task(enduring("deleted courses", self.removals.run))
        finally:
            await self._poster.close()

    async def _recover(self) -> None:
        while True:
            if writers := await self.store.recover():
                log.warning("dead writers recovered", store=self.store.name, writers=writers)
            await asyncio.sleep(_RECOVER_EVERY)

    async def _note_session_use(self) -> None:
        while True:
            await asyncio.sleep(_NOTE_USE_EVERY)
            await self.au_requests.note_use()

    async def _abandon_lapsed(self) -> None:
        while True:
            # Some silence is only known to other processes after they have noted use, so their pause counts.
            if abandoned := await self.sessions.abandon_lapsed(idle=self._idle, lifetime=self._lifetime):
                log.info("lapsed sessions abandoned", store=self.store.name, sessions=abandoned)
            await asyncio.sleep(_ABANDON_EVERY)

    async def _sweep_courses(self) -> None:
        while True:
            if swept := await self.courses.sweep():
                log.warning("unfinished imports removed", store=self.store.name, imports=swept)
            await asyncio.sleep(_SWEEP_EVERY)
