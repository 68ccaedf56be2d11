"""The ids that the LMS makes for a course, its blocks and its AUs (cmi5 8.1.5, 9.3.9; reference 2.4).

They follow from the course's UUID and the publisher's ids alone: the same on every launch, in every
registration and in every later version of the course, and never a publisher's own. Performs no I/O.
"""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID, uuid5

from gateway.cmi5.structure import AU, Block, Course, Node


def assign(course: Course, *, base: str, course_id: UUID, previous: Course | None = None) -> Course:
    """The course with every `lms_id` set, as IRIs below `base` such as `https://lms.example.org`.

    `previous` is the version before this one: what kept its publisher id keeps its LMS id, even when `base`
    has changed since.
    """
    root = f"{base.rstrip('/')}/cmi5/courses/{course_id}"
    taken = {course.id, *(node.id for _, node in course.walk())}
    kept = {} if previous is None else {_key(node): node.lms_id for _, node in previous.walk()}

    def made(node: Node) -> str:
        kind, publisher_id = _key(node)
        if (known := kept.get((kind, publisher_id))) and known not in taken:
            return known
        seed = f"{kind} {publisher_id}"
        while (lms_id := f"{root}/{kind}s/{uuid5(course_id, seed)}") in taken:
            seed += "'"  # A publisher took this very IRI, say from an export of ours.
        return lms_id

    def assigned(node: Node) -> Node:
        if isinstance(node, AU):
            return replace(node, lms_id=made(node))
        return replace(node, lms_id=made(node), children=tuple(assigned(child) for child in node.children))

    course_lms_id = root if previous is None else previous.lms_id
    while course_lms_id in taken:
        course_lms_id += "/course"
    children = tuple(assigned(child) for child in course.children)
    return replace(course, lms_id=course_lms_id, children=children)


def _key(node: Node) -> tuple[str, str]:
    return ("block" if isinstance(node, Block) else "au"), node.id
