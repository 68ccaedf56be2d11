"""A course as its publisher described it: a tree of blocks and AUs (cmi5 13.1).

The types are immutable. `id` is the publisher's id, `lms_id` the one the LMS made (`ids.assign`; before
that empty). Publisher ids are unique among the blocks and AUs of a course. `to_document` gives flat plain
data that a database can hold however deep the blocks nest; `from_document` gives back an equal course.
Performs no I/O.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeAlias

from gateway.cmi5.vocabulary import LaunchMethod, MoveOn

LanguageMap: TypeAlias = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Objective:
    """A learning objective that AUs and blocks refer to by id."""

    id: str
    title: LanguageMap
    description: LanguageMap


@dataclass(frozen=True, slots=True, kw_only=True)
class AU:
    """An assignable unit: the content that is launched. `mastery_score` is within 0..1."""

    id: str
    title: LanguageMap
    description: LanguageMap
    url: str
    lms_id: str = ""
    move_on: MoveOn = MoveOn.NOT_APPLICABLE
    mastery_score: Decimal | None = None
    launch_method: LaunchMethod = LaunchMethod.ANY_WINDOW
    activity_type: str | None = None
    launch_parameters: str | None = None
    entitlement_key: str | None = None
    objectives: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A group of AUs and blocks that is satisfied as a whole."""

    id: str
    title: LanguageMap
    description: LanguageMap
    children: tuple[Block | AU, ...]
    lms_id: str = ""
    objectives: tuple[str, ...] = ()


Node: TypeAlias = Block | AU


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """The whole structure; `children` are its top-level blocks and AUs in the publisher's order."""

    id: str
    title: LanguageMap
    description: LanguageMap
    children: tuple[Node, ...]
    lms_id: str = ""
    objectives: tuple[Objective, ...] = ()

    def walk(self) -> Iterator[tuple[tuple[Block, ...], Node]]:
        """Every block and AU in document order, each with the blocks it lies in, outermost first."""
        return _walk(self.children, ())

    def aus(self) -> Iterator[AU]:
        """All AUs in document order; their position here is the AU's index in the API."""
        return (node for _, node in self.walk() if isinstance(node, AU))

    def blocks(self) -> Iterator[Block]:
        """All blocks in document order, outer before inner."""
        return (node for _, node in self.walk() if isinstance(node, Block))

    def find_au(self, reference: int | str) -> AU | None:
        """The AU with this index, LMS id or publisher id, None if there is none."""
        for index, au in enumerate(self.aus()):
            if reference == index if isinstance(reference, int) else reference in (au.lms_id, au.id):
                return au
        return None


def _walk(children: tuple[Node, ...], path: tuple[Block, ...]) -> Iterator[tuple[tuple[Block, ...], Node]]:
    for node in children:
        yield path, node
        if isinstance(node, Block):
            yield from _walk(node.children, (*path, node))


def to_document(course: Course) -> dict[str, Any]:
    """Plain data: strings, lists and objects only. `nodes` is in document order, `parent` an index in it."""
    nodes: list[dict[str, Any]] = []
    _flatten(course.children, None, nodes)
    return {
        **_common(course),
        "objectives": [
            {"id": each.id, "title": dict(each.title), "description": dict(each.description)}
            for each in course.objectives
        ],
        "nodes": nodes,
    }


def from_document(document: Mapping[str, Any]) -> Course:
    """The course that `to_document` wrote."""
    nodes = document["nodes"]
    children: dict[int | None, list[Node]] = {}
    # Backwards, so that a block finds its children complete; they come in reverse.
    for position in range(len(nodes) - 1, -1, -1):
        node = _node(nodes[position], tuple(reversed(children.pop(position, []))))
        children.setdefault(nodes[position]["parent"], []).append(node)
    return Course(
        id=document["id"],
        lms_id=document["lmsId"],
        title=document["title"],
        description=document["description"],
        objectives=tuple(
            Objective(each["id"], each["title"], each["description"]) for each in document["objectives"]
        ),
        children=tuple(reversed(children.get(None, []))),
    )


def _flatten(children: tuple[Node, ...], parent: int | None, nodes: list[dict[str, Any]]) -> None:
    for node in children:
        position = len(nodes)
        nodes.append(_node_document(node, parent))
        if isinstance(node, Block):
            _flatten(node.children, position, nodes)


def _common(node: Course | Node) -> dict[str, Any]:
    return {
        "id": node.id,
        "lmsId": node.lms_id,
        "title": dict(node.title),
        "description": dict(node.description),
    }


def _node_document(node: Node, parent: int | None) -> dict[str, Any]:
    document = {"parent": parent, **_common(node), "objectives": list(node.objectives)}
    if isinstance(node, Block):
        return {"kind": "block", **document}
    return {
        "kind": "au",
        **document,
        "url": node.url,
        "moveOn": node.move_on.value,
        # As text: a binary double would lose what the publisher wrote.
        "masteryScore": None if node.mastery_score is None else str(node.mastery_score),
        "launchMethod": node.launch_method.value,
        "activityType": node.activity_type,
        "launchParameters": node.launch_parameters,
        "entitlementKey": node.entitlement_key,
    }


def _node(document: Mapping[str, Any], children: tuple[Node, ...]) -> Node:
    if document["kind"] == "block":
        return Block(
            id=document["id"],
            lms_id=document["lmsId"],
            title=document["title"],
            description=document["description"],
            objectives=tuple(document["objectives"]),
            children=children,
        )
    mastery = document["masteryScore"]
    return AU(
        id=document["id"],
        lms_id=document["lmsId"],
        title=document["title"],
        description=document["description"],
        objectives=tuple(document["objectives"]),
        url=document["url"],
        move_on=MoveOn(document["moveOn"]),
        mastery_score=None if mastery is None else Decimal(mastery),
        launch_method=LaunchMethod(document["launchMethod"]),
        activity_type=document["activityType"],
        launch_parameters=document["launchParameters"],
        entitlement_key=document["entitlementKey"],
    )
