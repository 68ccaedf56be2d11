"""Courses, registrations and sessions as the CATAPULT player answers them. Pure.

The shapes are those of its database rows: booleans of columns are 0 or 1, languages are lists, ids numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.cmi5.launch import json_number
from gateway.cmi5.progress import Progress
from gateway.cmi5.sessions import SessionState
from gateway.cmi5.structure import AU, Block, Course, LanguageMap, Node
from gateway.cmi5.vocabulary import word
from gateway.services.texts import time_text
from gateway.store.courses import StoredCourse
from gateway.store.registrations import Registration
from gateway.store.sessions import Session
from gateway.xapi import strict_json
from gateway.xapi.datatypes import format_timestamp

_BY_A_LAUNCH = "relaunched"


def course_row(stored: StoredCourse, course: Course, *, number: int, tenant: int | None) -> dict[str, Any]:
    """A course with its structure, and its AUs once more as a list."""
    aus = [
        _au(au, parents) | {"auIndex": index}
        for index, (parents, au) in enumerate(
            (parents, node) for parents, node in course.walk() if isinstance(node, AU)
        )
    ]
    by_id = {au["id"]: au for au in aus}
    objectives = {
        each.id: {"title": _texts(each.title), "description": _texts(each.description)}
        for each in course.objectives
    }
    return {
        "id": number,
        "createdAt": time_text(stored.created),
        "updatedAt": time_text(stored.updated),
        "tenantId": tenant,
        "lmsId": course.lms_id,
        "metadata": {"version": 1, "aus": aus},
        "structure": {
            "version": "1.0.0",
            "course": {
                "type": "course",
                "lmsId": course.lms_id,
                "children": [_node(child, by_id) for child in course.children],
                "objectives": objectives or None,
                "id": course.id,
                "title": _texts(course.title),
                "description": _texts(course.description),
            },
        },
    }


def registration_row(
    registration: Registration, tree: Progress, *, number: int, course: int, tenant: int | None
) -> dict[str, Any]:
    """A registration with what is satisfied as a tree, and its AUs as a list in the order of the course."""
    return {
        "id": number,
        "createdAt": time_text(registration.created),
        "updatedAt": time_text(registration.updated),
        "tenantId": tenant,
        "code": str(registration.id),
        "courseId": course,
        "actor": dict(registration.actor),
        "isSatisfied": int(tree.satisfied),
        "metadata": {"version": 1, "moveOn": _satisfaction(tree)},
        "aus": [
            {
                "hasBeenAttempted": int(au.attempted),
                "durationNormal": au.time // 1_000_000 if au.sessions else None,
                "durationBrowse": None,
                "durationReview": None,
                "isPassed": int(au.passed),
                "isCompleted": int(au.completed),
                "isWaived": int(au.waived),
                "waivedReason": au.waive_reason,
                "isSatisfied": int(au.satisfied),
                "metadata": {"version": 1, "moveOn": au.move_on},
            }
            for au in _aus(tree)
        ],
    }


def session_row(session: Session, *, number: int, au: int, tenant: int | None) -> dict[str, Any]:
    """A session with what happened in it; `au` is the number of the AU in the registration."""
    data = strict_json.parse(session.launch_data).value
    verbs = {word(verb) for verb in session.used}
    fetched = session.authorized is not None
    abandoned = session.state == SessionState.ABANDONED
    by_launch = session.reason == _BY_A_LAUNCH
    return {
        "id": number,
        "createdAt": time_text(session.launched),
        "updatedAt": time_text(session.ended or session.last_seen),
        "tenantId": tenant,
        "registrationsCoursesAusId": au,
        "code": str(session.id),
        "lastRequestTime": time_text(session.last_seen) if fetched else None,
        "launchMode": session.mode,
        "masteryScore": data.get("masteryScore"),
        "contextTemplate": data["contextTemplate"],
        "launchTokenId": str(session.id),
        "launchTokenFetched": int(fetched),
        "launchDataFetched": int("initialized" in verbs),
        "learnerPrefsFetched": int(session.preferences_requested),
        "isLaunched": 1,
        "isInitialized": int("initialized" in verbs),
        "initializedAt": _micros_text(session.initialized_at),
        "isCompleted": int("completed" in verbs),
        "isPassed": int("passed" in verbs),
        "isFailed": int("failed" in verbs),
        "isTerminated": int(session.state == SessionState.TERMINATED),
        "isAbandoned": int(abandoned),
        "abandonedBy": ("new-launch" if by_launch else "api") if abandoned else None,
        "durationNormal": None,
        "durationBrowse": None,
        "durationReview": None,
    }


def _node(node: Node, aus: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    if isinstance(node, AU):
        return aus[node.id]
    return {
        "type": "block",
        "id": node.id,
        "lmsId": node.lms_id,
        "children": [_node(child, aus) for child in node.children],
        "objectives": list(node.objectives) or None,
        "title": _texts(node.title),
        "description": _texts(node.description),
    }


def _au(au: AU, parents: Sequence[Block]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "type": "au",
        "id": au.id,
        "lmsId": au.lms_id,
        "objectives": list(au.objectives) or None,
        "parents": [{"id": block.id, "title": _texts(block.title)} for block in parents],
        "title": _texts(au.title),
        "description": _texts(au.description),
        "url": au.url,
        "launchMethod": au.launch_method,
        "moveOn": au.move_on,
        "masteryScore": None if au.mastery_score is None else json_number(au.mastery_score),
        "activityType": au.activity_type,
    }
    if au.launch_parameters is not None:
        row["launchParameters"] = au.launch_parameters
    if au.entitlement_key is not None:
        row["entitlementKey"] = au.entitlement_key
    return row


def _satisfaction(node: Progress) -> dict[str, Any]:
    found: dict[str, Any] = {
        "lmsId": node.lms_id,
        "pubId": node.id,
        "type": node.kind,
        "satisfied": node.satisfied,
    }
    if node.kind != "au":
        found["children"] = [_satisfaction(child) for child in node.children]
    return found


def _aus(node: Progress) -> list[Progress]:
    return [node] if node.kind == "au" else [au for child in node.children for au in _aus(child)]


def _texts(texts: LanguageMap) -> list[dict[str, str]]:
    return [{"lang": language, "text": text} for language, text in texts.items()]


def _micros_text(micros: int | None) -> str | None:
    return None if micros is None else format_timestamp(micros)
