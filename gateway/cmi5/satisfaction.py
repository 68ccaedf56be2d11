"""When an AU is met, and which blocks become satisfied by it, the course last (cmi5 9.3.9, 10.2.5).

A node once satisfied stays so, whatever changes later. Performs no I/O.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from gateway.cmi5.structure import AU, Block, Course, Node
from gateway.cmi5.vocabulary import MoveOn


@dataclass(frozen=True, slots=True, kw_only=True)
class AUFacts:
    """What is known of one AU in one registration, over all its sessions.

    `completed` and `passed` mean an accepted defined statement, `move_on` the value given in the launch data
    where an administrator changed it.
    """

    completed: bool = False
    passed: bool = False
    waived: bool = False
    move_on: MoveOn | None = None


NOTHING: Final = AUFacts()
Facts: TypeAlias = Mapping[str, AUFacts]
"""By the LMS id of the AU; an AU without facts was never run."""


def au_met(move_on: MoveOn, facts: AUFacts = NOTHING) -> bool:
    """Has the learner done what the AU asks for?"""
    if facts.waived:
        return True
    match facts.move_on or move_on:
        case MoveOn.NOT_APPLICABLE:
            return True
        case MoveOn.PASSED:
            return facts.passed
        case MoveOn.COMPLETED:
            return facts.completed
        case MoveOn.COMPLETED_AND_PASSED:
            return facts.completed and facts.passed
        case MoveOn.COMPLETED_OR_PASSED:
            return facts.completed or facts.passed


def newly_satisfied(course: Course, facts: Facts, already: Collection[str]) -> list[Block | Course]:
    """The blocks and then the course for which a satisfied statement is due, inner before outer.

    `already` holds the LMS ids that have one in this registration.
    """
    due: list[Block | Course] = []

    def met(node: Node) -> bool:
        if isinstance(node, AU):
            return au_met(node.move_on, facts.get(node.lms_id, NOTHING))
        return group_met(node)

    def group_met(group: Block | Course) -> bool:
        # Counted to the end: stopping at the first unmet child would skip the blocks after it.
        complete = sum(not met(child) for child in group.children) == 0
        if group.lms_id in already:
            return True
        if complete:
            due.append(group)
        return complete

    group_met(course)
    return due
