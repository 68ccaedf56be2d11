"""Subscriptions to what happens in registrations, and the notices that were sent for them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4, uuid5

from gateway.errors import Conflict, Invalid, NotFound, Problem
from gateway.services import signing
from gateway.services.posting import url_problem
from gateway.settings.formats import Network
from gateway.settings.model import NoticesSettings
from gateway.store.notices import Notice, NoticeState
from gateway.store.store import Store
from gateway.store.subscriptions import Subscription
from gateway.xapi.findings import shown

EVENTS = (
    "launched",
    "initialized",
    "completed",
    "passed",
    "failed",
    "terminated",
    "abandoned",
    "waived",
    "satisfied",
)
# What is not more than interesting is left out unless it is asked for.
USUAL_EVENTS = ("launched", "completed", "passed", "failed", "satisfied", "waived", "abandoned")
_OLD_SECRET_LASTS = dt.timedelta(days=1)
_LONGEST_NAME = 200
_LONGEST_URL = 2000


@dataclass(frozen=True, slots=True)
class NewSecret:
    """A subscription, and the secret that is shown this once."""

    subscription: Subscription
    secret: str


class Subscriptions:
    """The subscriptions of one store."""

    def __init__(
        self, store: Store, settings: NoticesSettings, *, namespace: UUID, clock: Callable[[], dt.datetime]
    ) -> None:
        self._subscriptions = store.subscriptions
        self._notices = store.notices
        self._settings = settings
        self._clock = clock
        self._configured = uuid5(namespace, "subscription of the configuration")

    async def configure(self) -> None:
        """Have the subscription that the configuration names, or no more have one."""
        settings = self._settings
        if settings.url is None or settings.secret is None:
            if await self._subscriptions.delete(self._configured):
                await self._notices.delete_of(self._configured)
            return
        await self._subscriptions.put(
            Subscription(
                id=self._configured,
                url=settings.url,
                name="configuration",
                events=settings.events or USUAL_EVENTS,
                secrets=((settings.secret.reveal(), None),),
                created=self._clock(),
            )
        )

    async def create(
        self, *, url: object, events: object = None, name: object = None, secret: object = None
    ) -> NewSecret:
        """A new subscription; raises Invalid. The secret is made unless one is given."""
        checked = _checked({"url": url, "events": events, "name": name}, self._settings.allow)
        text = secret if secret is not None else signing.new_secret()
        problem = signing.secret_problem(text) if isinstance(text, str) else "expected a text"
        if problem is not None:
            raise Invalid(f"secret {problem}", problems=[Problem("secret", "Standard Webhooks", problem)])
        subscription = Subscription(
            id=uuid4(),
            url=checked["url"],
            events=checked["events"] or USUAL_EVENTS,
            name=checked["name"],
            secrets=((str(text), None),),
            created=self._clock(),
        )
        await self._subscriptions.put(subscription)
        return NewSecret(subscription, str(text))

    async def change(self, identity: UUID, fields: Mapping[str, Any]) -> Subscription:
        """Set `url`, `events` or `name`, and with `enabled` whether notices are sent; raises Invalid,
        NotFound.

        What was not sent while it was disabled is sent when it is enabled again.
        """
        if fields.keys() - {"enabled"}:
            self._check_own(identity)
        changes = _checked(fields, self._settings.allow)
        if "events" in changes:
            changes["events"] = list(changes["events"] or USUAL_EVENTS)
        enabled = fields.get("enabled")
        if enabled is not None:
            changes["disabled"] = None if enabled else "by an administrator"
            changes["failures"] = 0
        subscription = await self._subscriptions.change(identity, changes) if changes else None
        if subscription is None:
            return await self.get(identity)
        if enabled is True:
            await self._notices.resume(identity, self._clock())
        elif enabled is False:
            await self._notices.hold(identity)
        return subscription

    async def rotate(self, identity: UUID) -> NewSecret:
        """A new secret. The one before signs beside it for a day, so that the receiver can follow."""
        self._check_own(identity)
        subscription, now = await self.get(identity), self._clock()
        secret = signing.new_secret()
        secrets = ((secret, None), (subscription.secrets[0][0], now + _OLD_SECRET_LASTS))
        changed = await self._subscriptions.change(identity, {"secrets": secrets})
        if changed is None:
            raise _unknown(identity)
        return NewSecret(changed, secret)

    async def delete(self, identity: UUID) -> None:
        """Forget a subscription with its notices; raises NotFound."""
        self._check_own(identity)
        if not await self._subscriptions.delete(identity):
            raise _unknown(identity)
        await self._notices.delete_of(identity)

    async def get(self, identity: UUID) -> Subscription:
        """A subscription; raises NotFound."""
        subscription = await self._subscriptions.get(identity)
        if subscription is None:
            raise _unknown(identity)
        return subscription

    async def list(self) -> list[Subscription]:
        """All subscriptions, the oldest first."""
        return await self._subscriptions.list()

    async def counts(self, identity: UUID) -> dict[str, int]:
        """How many notices are pending, delivered and dead."""
        return await self._notices.counts(identity)

    async def notices(
        self,
        identity: UUID,
        *,
        state: NoticeState | None = None,
        after: tuple[dt.datetime, UUID] | None = None,
        limit: int = 100,
    ) -> Sequence[Notice]:
        """The notices of a subscription, the newest first; raises NotFound."""
        await self.get(identity)
        return await self._notices.list(identity, state=state, after=after, limit=limit)

    async def retry(self, identity: UUID, notice: UUID | None) -> int:
        """Send a notice again, delivered or not, or without `notice` all dead ones; how many.

        Raises NotFound.
        """
        await self.get(identity)
        count = await self._notices.retry(identity, notice, self._clock())
        if notice is not None and count == 0:
            raise NotFound(f"the subscription {identity} has no notice with the id {notice}")
        return count

    def _check_own(self, identity: UUID) -> None:
        if identity == self._configured and self._settings.url is not None:
            raise Conflict("this subscription is the configuration's; change it there (notices.url)")


def _checked(fields: Mapping[str, Any], allowed: Sequence[Network]) -> dict[str, Any]:
    problems: list[Problem] = []
    checked: dict[str, Any] = {}
    if "url" in fields:
        url = fields["url"]
        problem = url_problem(url, allowed)
        if problem is None and len(url) > _LONGEST_URL:
            problem = f"expected at most {_LONGEST_URL} characters"
        if problem is not None:
            problems.append(Problem("url", "API", f"holds {shown(url)}; {problem}"))
        checked["url"] = url
    if "events" in fields:
        events = fields["events"]
        if events is not None and not (
            isinstance(events, list | tuple) and events and all(each in EVENTS for each in events)
        ):
            message = f"holds {shown(events)}; expected some of {', '.join(EVENTS)}"
            problems.append(Problem("events", "API", message))
        else:
            checked["events"] = tuple(dict.fromkeys(events or ()))
    if "name" in fields:
        name = fields["name"]
        if name is not None and not (isinstance(name, str) and 0 < len(name) <= _LONGEST_NAME):
            message = f"holds {shown(name)}; expected a text of 1 to {_LONGEST_NAME} characters, or null"
            problems.append(Problem("name", "API", message))
        checked["name"] = name
    if problems:
        raise Invalid(f"{problems[0].path} {problems[0].message}", problems=problems)
    return checked


def _unknown(identity: UUID) -> NotFound:
    return NotFound(f"there is no subscription with the id {identity}")
