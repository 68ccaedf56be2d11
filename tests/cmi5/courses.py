"""Courses of any shape for properties: ids are unique, LMS ids are set."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from itertools import count
from typing import Any

from hypothesis import strategies as st

from gateway.cmi5.structure import AU, Block, Course, Node
from gateway.cmi5.vocabulary import MoveOn

_aus: st.SearchStrategy[Node] = st.builds(
    AU,
    id=st.just(""),
    title=st.just({"en": "AU"}),
    description=st.just({}),
    url=st.just("index.html"),
    move_on=st.sampled_from(MoveOn),
    mastery_score=st.none() | st.decimals(0, 1, places=4),
)


def _blocks(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    children = st.lists(inner, min_size=1, max_size=4).map(tuple)
    return st.builds(
        Block, id=st.just(""), title=st.just({"en": "Block"}), description=st.just({}), children=children
    )


def _numbered(node: Node, numbers: Any) -> Node:
    number = next(numbers)
    publisher_id, lms_id = f"https://courses.example.org/{number}", f"https://lms.example.org/{number}"
    if isinstance(node, AU):
        score = node.mastery_score
        exact = None if score is None else Decimal(str(score))
        return replace(node, id=publisher_id, lms_id=lms_id, mastery_score=exact)
    children = tuple(_numbered(child, numbers) for child in node.children)
    return replace(node, id=publisher_id, lms_id=lms_id, children=children)


@st.composite
def courses(draw: st.DrawFn) -> Course:
    numbers = count()
    nodes = draw(st.lists(st.recursive(_aus, _blocks, max_leaves=12), min_size=1, max_size=4))
    return Course(
        id="https://courses.example.org/course",
        lms_id="https://lms.example.org/course",
        title={"en": "Course"},
        description={},
        children=tuple(_numbered(node, numbers) for node in nodes),
    )
