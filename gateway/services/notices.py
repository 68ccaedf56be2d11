"""Notices on their way: each at least once, those of one registration in their order, until they are dead."""

from __future__ import annotations

import asyncio
import datetime as dt
import random
from collections.abc import Callable
from typing import Any

import structlog

from gateway.services import signing
from gateway.services.posting import Post, Poster, PostFailed
from gateway.services.texts import time_text
from gateway.settings.model import NoticesSettings
from gateway.store.notices import Lane, Notice, NoticeState
from gateway.store.store import Store
from gateway.store.subscriptions import Subscription
from gateway.xapi import strict_json

log = structlog.get_logger(__name__)

_IDLE = 0.5  # seconds between looks at an empty outbox
_LONGEST_PAUSE = 6 * 3600.0
_GONE = 410
_RENAMED = {"mode": "launchMode"}


class Notices:
    """Sends the notices of one store while `work` is running."""

    def __init__(
        self, store: Store, poster: Poster, settings: NoticesSettings, *, clock: Callable[[], dt.datetime]
    ) -> None:
        self._notices = store.notices
        self._subscriptions = store.subscriptions
        self._poster = poster
        self._settings = settings
        self._clock = clock
        # Longer than one attempt takes.
        self._lease = dt.timedelta(seconds=settings.timeout + 30)
        self._keep = dt.timedelta(seconds=settings.retention)
        self._looking = asyncio.Lock()

    async def work(self) -> None:
        """Send what is due, until cancelled. Several may work beside each other, here and elsewhere."""
        while True:
            # One looks at a time, so that an empty outbox costs as little as it can.
            async with self._looking:
                lane = await self._notices.claim(self._lease, self._clock())
                if lane is None:
                    await asyncio.sleep(_IDLE)
            if lane is not None:
                await self._empty(lane)

    async def _empty(self, lane: Lane) -> None:
        """Send the notices of a lane one after the other, as far as that goes."""
        while True:
            subscription = await self._subscriptions.get(lane.subscription)
            if subscription is None:
                await self._notices.delete_of(lane.subscription)
                return
            if subscription.disabled is not None:
                await self._notices.hold(lane.subscription)
                return
            notice = await self._notices.next(lane)
            if notice is None:
                if await self._notices.release(lane):
                    return
                fresh = await self._notices.refreshed(lane)
                if fresh is None:
                    return  # Another process has it.
                lane = fresh
                continue
            if not await self._notices.keep(lane, self._clock() + self._lease):
                return
            if not await self._send(lane, subscription, notice):
                return

    async def _send(self, lane: Lane, subscription: Subscription, notice: Notice) -> bool:
        """Send one notice; False if the lane has to wait."""
        problem, status = None, None
        try:
            status = await self._poster.post(self._post(subscription, notice))
            if not 200 <= status < 300:
                problem = f"the answer was {status}"
        except PostFailed as error:
            problem = str(error)
        now = self._clock()
        if problem is None:
            await self._note(notice, NoticeState.DELIVERED, None, now)
            await self._subscriptions.note(subscription.id, delivered=now)
            return True
        await self._subscriptions.note(subscription.id, delivered=None)
        if status == _GONE:
            await self._note(notice, NoticeState.PENDING, problem, now)
            await self._disable(subscription, "the receiver answered 410: it is gone for good")
            return False
        if notice.attempts + 1 < self._settings.attempts:
            await self._note(notice, NoticeState.PENDING, problem, now)
            await self._notices.release(lane, now + self._pause(notice.attempts))
            return False
        await self._note(notice, NoticeState.DEAD, problem, now)
        log.warning("notice dead", notice=str(notice.id), subscription=str(subscription.id), problem=problem)
        fresh = await self._subscriptions.get(subscription.id)
        if fresh is not None and (fresh.delivered is None or fresh.delivered < notice.created):
            # Nothing arrived for as long as this one was tried: it is not the notice.
            await self._disable(
                subscription, f"{notice.attempts + 1} attempts failed, and nothing was delivered: {problem}"
            )
            return False
        return True

    async def _disable(self, subscription: Subscription, reason: str) -> None:
        log.error("subscription disabled", subscription=str(subscription.id), reason=reason)
        await self._subscriptions.change(subscription.id, {"disabled": reason})
        await self._notices.hold(subscription.id)

    async def _note(self, notice: Notice, state: NoticeState, problem: str | None, now: dt.datetime) -> None:
        await self._notices.note(notice, state=state, problem=problem, now=now, keep=self._keep)

    def _pause(self, attempts: int) -> dt.timedelta:
        seconds = min(self._settings.pause * 2**attempts, _LONGEST_PAUSE)
        return dt.timedelta(seconds=seconds * random.uniform(0.8, 1.2))  # noqa: S311 - spreads retries

    def _post(self, subscription: Subscription, notice: Notice) -> Post:
        now, body = self._clock(), strict_json.dumps(payload(notice))
        timestamp = int(now.timestamp())
        secrets = [secret for secret, until in subscription.secrets if until is None or until > now]
        return Post(
            url=subscription.url,
            headers={
                "Content-Type": "application/json",
                "webhook-id": str(notice.id),
                "webhook-timestamp": str(timestamp),
                "webhook-signature": signing.signature(secrets, str(notice.id), timestamp, body),
            },
            body=body,
            timeout=self._settings.timeout,
        )


def payload(notice: Notice) -> dict[str, Any]:
    """What is sent: `type`, `timestamp` and `data`, as Standard Webhooks has it; the same each time."""
    about = dict(notice.about)
    data: dict[str, Any] = {
        "registration": str(notice.registration),
        "course": str(about.pop("course")),
        "actor": about.pop("actor"),
        "tags": about.pop("tags"),
        "sequence": notice.number,
    }
    for name, value in about.items():
        data[_RENAMED.get(name, name)] = str(value) if name == "session" else value
    return {"type": f"registration.{notice.kind}", "timestamp": time_text(notice.created), "data": data}
