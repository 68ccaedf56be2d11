"""How subscriptions and notices look as JSON. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.services.notices import payload
from gateway.services.texts import time_text
from gateway.store.notices import Notice
from gateway.store.subscriptions import Subscription


def subscription_summary(subscription: Subscription) -> dict[str, Any]:
    """A subscription without its secret."""
    return {
        "id": str(subscription.id),
        "name": subscription.name,
        "url": subscription.url,
        "events": list(subscription.events),
        "enabled": subscription.disabled is None,
        "disabled": subscription.disabled,
        "delivered": time_text(subscription.delivered),
        "failures": subscription.failures,
        "created": time_text(subscription.created),
    }


def whole_subscription(subscription: Subscription, counts: Mapping[str, int]) -> dict[str, Any]:
    """A subscription with how many notices it has in each state."""
    return {**subscription_summary(subscription), "notices": dict(counts)}


def notice_view(notice: Notice) -> dict[str, Any]:
    """A notice with what is sent."""
    return {
        "id": str(notice.id),
        "registration": str(notice.registration),
        "state": notice.state,
        "attempts": notice.attempts,
        "attempted": time_text(notice.attempted),
        "problem": notice.problem,
        "created": time_text(notice.created),
        "payload": payload(notice),
    }
