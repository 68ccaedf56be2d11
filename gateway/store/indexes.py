"""Every index of a store, as data; `indexing` creates them.

A list of statements is ordered by (`stored`, `_id`), and each filter has its own compound index that ends in
that order, so a page is read from the index and never sorted in memory. Unique indexes decide conflicts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pymongo import ASCENDING, DESCENDING, IndexModel

# Match keys of a statement (xAPI 1.0.3 Communication 2.1.3), in the order of how few statements one value
# usually selects: the first one present in a query leads its index.
STATEMENT_KEYS = (
    "registrations",
    "agents",
    "activities",
    "related_activities",
    "related_agents",
    "verbs",
)
# Fields that row filters of credentials look at beside the match keys.
ROW_FIELDS = ("source.adapter", "source.credential", "statement.context.platform")
# Of several fields with a value, the first one leads the index.
LEADING = (*STATEMENT_KEYS[:-1], *ROW_FIELDS, STATEMENT_KEYS[-1])
STORED_ORDER = [("stored", ASCENDING), ("_id", ASCENDING)]


def statement_index(key: str | None) -> str:
    """Name of the index that serves a list filtered by this field, or an unfiltered one."""
    return f"by_{(key or 'stored').rpartition('.')[2]}"


def _index(name: str, *keys: str, **options: Any) -> IndexModel:
    return IndexModel([(key, ASCENDING) for key in keys], name=name, **options)


def _ids_of(kind: str, *context: str, beside: Sequence[str] = ()) -> IndexModel:
    # Holds all that a list of ids asks for, so that no document is read for its id.
    keys = ("kind", *context, "modified", "_id", "document", *beside)
    return _index(kind, *keys, partialFilterExpression={"kind": kind})


_AUDITED: Mapping[str, Sequence[str]] = {
    "store": (),
    "actor": ("actor",),
    "action": ("action",),
    "about": ("about",),
    "outcome": ("outcome",),
}
INDEXES: Mapping[str, list[IndexModel]] = {
    "statements": [
        IndexModel(STORED_ORDER, name=statement_index(None)),
        *(
            IndexModel(
                [(key, ASCENDING), *STORED_ORDER],
                name=statement_index(key),
                # An absent key is an absent entry: most statements have no registration.
                partialFilterExpression={key: {"$exists": True}},
            )
            for key in (*STATEMENT_KEYS, *ROW_FIELDS)
        ),
        # Who refers to a statement: followed when the target arrives after the reference.
        _index("by_ref", "ref", partialFilterExpression={"ref": {"$exists": True}}),
    ],
    "documents": [
        _ids_of("state", "activity", "agent", beside=["registration"]),
        _ids_of("activity_profile", "activity"),
        _ids_of("agent_profile", "agent"),
    ],
    "deliveries": [
        # The work queue: only what is still to be mapped has a time at which it is due.
        _index("due", "due", partialFilterExpression={"due": {"$exists": True}}),
        # The lists that people look at, newest first.
        _index("by_received", "received", "_id"),
        _index("by_adapter", "adapter", "received", "_id"),
        _index("by_state", "state", "received", "_id"),
        _index("expiry", "expires", expireAfterSeconds=0),
        # Few have these: what waits for somebody, bodies to be forgotten, and what people look for.
        *(
            _index(f"by_{name}", key, "received", "_id", partialFilterExpression={key: {"$exists": True}})
            for name, key in (("waits", "waits"), ("replay", "replay.id"), ("code", "outcomes.code"))
        ),
        _index("forget", "forget", partialFilterExpression={"forget": {"$exists": True}}),
        _index("by_conflict", "conflict", "received", "_id", partialFilterExpression={"conflict": True}),
    ],
    "directory": [
        _index("by_set", "set", "kind", "value"),
        _index("by_account", "account", partialFilterExpression={"account": {"$exists": True}}),
    ],
    "revisions": [
        IndexModel([("adapter", ASCENDING), ("used", DESCENDING), ("_id", ASCENDING)], name="by_adapter")
    ],
    "shadows": [IndexModel([("adapter", ASCENDING), ("last", DESCENDING)], name="by_adapter")],
    "mapping_status": [_index("expiry", "seen", expireAfterSeconds=300)],
    "replays": [
        IndexModel([("started", DESCENDING), ("_id", ASCENDING)], name="by_started"),
        _index("expiry", "expires", expireAfterSeconds=0),
    ],
    "facts": [
        IndexModel([("of", ASCENDING), ("at", DESCENDING)], name="by_of"),
        _index("expiry", "expires", expireAfterSeconds=0),
    ],
    "delivery_hours": [
        _index("by_hour", "_id.hour", "_id.adapter"),
        _index("by_adapter", "_id.adapter", "_id.hour"),
    ],
    "courses": [
        _index("by_created", "created", "_id"),
        _index("by_tag", "tags", "created", "_id"),
        _index("deleting", "deleting", partialFilterExpression={"deleting": {"$exists": True}}),
    ],
    "course_imports": [_index("expiry", "expires", expireAfterSeconds=0)],
    # As GridFS itself names it, so that its drivers find it.
    "course_files.chunks": [_index("files_id_1_n_1", "files_id", "n", unique=True)],
    "course_versions": [_index("by_course", "course", "number", unique=True)],
    "registrations": [
        _index("by_created", "created", "_id"),
        _index("by_course", "course", "created", "_id"),
        _index("by_actor", "actor_key", "created", "_id"),
        _index("by_state", "state", "created", "_id"),
        _index("by_course_state", "course", "state", "created", "_id"),
        _index("by_actor_updated", "actor_key", "updated", "_id"),
        _index("by_tag", "tags", "created", "_id"),
        _index("by_updated", "updated", "_id"),
        _index("by_course_updated", "course", "updated", "_id"),
    ],
    "sessions": [
        # At most one open session per registration (cmi5 9.3.6.0).
        _index("open", "registration", unique=True, partialFilterExpression={"open": True}),
        _index("by_fetch_key", "fetch_key", unique=True),
        _index("by_registration", "registration", "launched", "_id"),
        _index("by_launched", "launched", "_id"),
        _index("by_course", "course", "launched", "_id"),
        # What may have to be abandoned, and the list of open sessions.
        _index("silent", "last_seen", partialFilterExpression={"open": True}),
        _index("open_by_launched", "launched", "_id", partialFilterExpression={"open": True}),
        _index("open_by_course", "course", "launched", "_id", partialFilterExpression={"open": True}),
    ],
    "launch_links": [
        _index("expiry", "forget", expireAfterSeconds=0),
        _index("by_registration", "registration", "created"),
        # Links of earlier versions have no id until `LaunchLinks.prepare` gives them one.
        _index("by_link", "link", unique=True, partialFilterExpression={"link": {"$exists": True}}),
    ],
    "subscriptions": [_index("by_created", "created", "_id")],
    "numbers": [_index("by_number", "kind", "number", unique=True)],
    "notices": [
        _index("by_subscription", "subscription", "created", "_id"),
        _index("by_state", "subscription", "state", "created", "_id"),
        _index("lane", "subscription", "registration", "state", "number"),
        _index("expiry", "expires", expireAfterSeconds=0),
    ],
    "notice_lanes": [
        _index("due", "due", partialFilterExpression={"due": {"$exists": True}}),
        _index("by_subscription", "_id.subscription"),
    ],
    "refusals": [
        _index("by_session", "session", "time", "_id"),
        _index("expiry", "expires", expireAfterSeconds=0),
    ],
    "refused_requests": [_index("by_time", "time"), _index("expiry", "expires", expireAfterSeconds=0)],
    "report_cells": [
        _index("by_kind", "g", "s", "c", "k", "p"),
        _index("by_source", "g", "c", "k", "p", "s"),
        _index("by_course", "g", "s", "k", "p", "c"),
    ],
    "credentials": [_index("by_created", "created", "_id")],
    "audit": [
        _index("by_time", "time", "_id"),
        *(_index(f"by_{key}", "store", *keys, "time", "_id") for key, keys in _AUDITED.items()),
        _index("expiry", "expires", expireAfterSeconds=0),
    ],
    "tokens": [_index("expiry", "expires", expireAfterSeconds=0)],
    "observations": [_index("by_source", "_id.source", "_id.kind", "_id.value")],
    "people": [
        _index("by_login", "login", unique=True),
        # At most one person for each of an identity provider.
        _index(
            "by_subject",
            "subject.issuer",
            "subject.id",
            unique=True,
            partialFilterExpression={"subject": {"$exists": True}},
        ),
    ],
    "console_flows": [_index("expiry", "expires", expireAfterSeconds=0)],
    "console_sessions": [
        _index("by_person", "person"),
        _index("expiry", "expires", expireAfterSeconds=0),
    ],
    "console_links": [_index("by_person", "person"), _index("expiry", "expires", expireAfterSeconds=0)],
    "sign_in_attempts": [_index("expiry", "expires", expireAfterSeconds=0)],
}

# What earlier versions created and nothing uses any more; each of them would still cost every write.
FORMER: Mapping[str, frozenset[str]] = {
    "documents": frozenset({"by_activity", "by_agent", "identity"}),
    "deliveries": frozenset({"identity"}),
    "sessions": frozenset({"by_fetch", "idle", "old"}),
    "credentials": frozenset({"by_store"}),
}
