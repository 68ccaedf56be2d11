"""How courses, registrations and sessions look as JSON: for the management API and for commands, so that both
say the same. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.cmi5.launch import json_number
from gateway.cmi5.overrides import Overrides
from gateway.cmi5.progress import Progress
from gateway.cmi5.structure import AU, Course
from gateway.cmi5.vocabulary import word
from gateway.services.courses import ImportedCourse, stored_overrides
from gateway.services.enrolments import Enrolled
from gateway.services.launches import Launched
from gateway.services.texts import time_text, title_text
from gateway.store.courses import CourseVersion, StoredCourse
from gateway.store.launch_links import LaunchLink
from gateway.store.refusals import StoredRefusal
from gateway.store.registrations import Registration
from gateway.store.sessions import Session
from gateway.xapi import strict_json


def imported_course(imported: ImportedCourse) -> dict[str, Any]:
    """A course that was just imported, with what is odd about it."""
    problems = [finding.problem() for finding in imported.warnings]
    return {
        **course_summary(imported.stored),
        "aus": [_au(au) for au in imported.course.aus()],
        "warnings": [
            {"path": problem.path, "requirement": problem.requirement, "message": problem.message}
            for problem in problems
        ],
    }


def course_summary(course: StoredCourse) -> dict[str, Any]:
    """A course as lists show it."""
    return {
        "id": str(course.id),
        "title": course.name or title_text(course.title),
        "publisherId": course.publisher_id,
        "version": course.number,
        "tags": list(course.tags),
        "created": time_text(course.created),
        "updated": time_text(course.updated),
    }


def whole_course(stored: StoredCourse, version: CourseVersion, course: Course) -> dict[str, Any]:
    """A course with its AUs and what an administrator changed about it."""
    return {
        **course_summary(stored),
        "lmsId": course.lms_id,
        "publisherTitle": dict(course.title),
        "packaged": version.packaged,
        "files": version.files,
        "size": version.size,
        "warnings": list(version.warnings),
        "overrides": overrides_document(stored_overrides(stored.overrides)),
        "aus": [_whole_au(au) for au in course.aus()],
    }


def version_summary(version: CourseVersion, current: int) -> dict[str, Any]:
    """A version as the list of a course's versions shows it."""
    return {
        "version": version.number,
        "current": version.number == current,
        "packaged": version.packaged,
        "files": version.files,
        "size": version.size,
        "warnings": list(version.warnings),
        "created": time_text(version.created),
    }


def overrides_document(overrides: Overrides) -> dict[str, Any]:
    """Overrides as the API takes them."""
    document = overrides.to_document()
    if overrides.mastery_score is not None:
        document["masteryScore"] = json_number(overrides.mastery_score)
    return document


def launched_session(launched: Launched) -> dict[str, Any]:
    """A session that has begun."""
    return {
        "url": launched.url,
        "registration": str(launched.registration),
        "session": str(launched.session),
        "launchMode": launched.mode,
        "launchMethod": launched.method,
    }


def registration_summary(registration: Registration) -> dict[str, Any]:
    """A registration as lists show it."""
    return {
        "id": str(registration.id),
        "course": str(registration.course),
        "actor": dict(registration.actor),
        "state": registration.state,
        "tags": list(registration.tags),
        "resets": None if registration.resets is None else str(registration.resets),
        "created": time_text(registration.created),
        "updated": time_text(registration.updated),
    }


def link_summary(link: LaunchLink) -> dict[str, Any]:
    """A launch link without what opens it."""
    return {
        "id": str(link.id),
        "registration": str(link.registration),
        "au": link.au,
        "once": link.once,
        "created": time_text(link.created),
        "expires": time_text(link.expires),
        "used": time_text(link.used),
        "revoked": time_text(link.revoked),
    }


def whole_registration(
    registration: Registration, progress: Progress, sessions: Sequence[Session]
) -> dict[str, Any]:
    """A registration with the progress tree of its course and its sessions."""
    return {
        **registration_summary(registration),
        "overrides": overrides_document(stored_overrides(registration.overrides)),
        "progress": progress.to_document(),
        "sessions": [session_summary(session) for session in sessions],
    }


def enrolled(done: Sequence[Enrolled], *, dry_run: bool) -> dict[str, Any]:
    """What became of the lines of an enrolment table."""
    new = sum(one.new for one in done)
    return {
        "dryRun": dry_run,
        "enrolled": new,
        "present": len(done) - new,
        "registrations": [
            {"line": one.line, "account": one.account, "registration": str(one.registration), "new": one.new}
            for one in done
        ],
    }


def session_summary(session: Session) -> dict[str, Any]:
    """A session as lists show it."""
    return {
        "id": str(session.id),
        "registration": str(session.registration),
        "course": str(session.course),
        "au": session.au,
        "state": session.state,
        "launchMode": session.mode,
        "launched": time_text(session.launched),
        "authorized": time_text(session.authorized),
        "lastSeen": time_text(session.last_seen),
        "ended": time_text(session.ended),
        "reason": session.reason,
        "statements": session.statements,
        "verbs": sorted(word(verb) for verb in session.used),
    }


def whole_session(session: Session, refusals: Sequence[StoredRefusal]) -> dict[str, Any]:
    """A session with its launch data and every request of its AU that was refused."""
    return {
        **session_summary(session),
        "actor": dict(session.actor),
        "launchData": strict_json.parse(session.launch_data).value,
        "refusals": [
            {
                "time": time_text(refusal.time),
                "request": refusal.request,
                "status": refusal.status,
                "message": refusal.message,
                "problems": [dict(problem) for problem in refusal.problems],
            }
            for refusal in refusals
        ],
    }


def _au(au: AU) -> dict[str, Any]:
    return {"id": au.lms_id, "title": title_text(au.title), "publisherId": au.id}


def _whole_au(au: AU) -> dict[str, Any]:
    return {
        **_au(au),
        "url": au.url,
        "moveOn": au.move_on,
        "masteryScore": None if au.mastery_score is None else json_number(au.mastery_score),
        "launchMethod": au.launch_method,
        "activityType": au.activity_type,
        "launchParameters": au.launch_parameters,
    }
