"""What a test case starts from: payload and fetched answer, with `set:` and `remove:` applied. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

from adapters.linting.findings import MappingError
from adapters.loading.model import Block
from adapters.loading.yaml_source import ListNode, MapNode, Node, ScalarNode, plain, read_yaml


def sample_cases(text: str, name: str, read: Callable[[str], str | None]) -> list[tuple[Any, Any]]:
    """What a test file's cases start from, for lints that compare paths with samples: payloads, and what is
    fetched for their events (None where nothing is).
    """
    try:
        root = read_yaml(text, name)
    except MappingError:
        return []
    found = []
    for node in root.items if isinstance(root, ListNode) else ():
        case = Block(node)
        try:
            found.append((payload_of(case, read), fetched_of(case, read)))
        except CaseError:
            continue
    return found


class CaseError(Exception):
    """A case that cannot be run; the text says why."""


def payload_of(case: Block, read: Callable[[str], str | None]) -> Any:
    """The payload of a case with its changes applied."""
    node = case.get("payload")
    if node is None:
        raise CaseError("the case has no payload")
    return _changed(case, _given(node, read), node, "body")


def fetched_of(case: Block, read: Callable[[str], str | None]) -> Any:
    """What a case has fetched, with its changes applied; None where it is not given."""
    node = case.get("fetched")
    return None if node is None else _changed(case, _given(node, read), node, "fetched")


def _given(node: Node, read: Callable[[str], str | None]) -> Any:
    """JSON of a file beside the tests, or as it is written."""
    if isinstance(node, ScalarNode) and isinstance(node.value, str):
        found = read(node.text)
        if found is None:
            raise CaseError(f"there is no payload file {node.text!r}")
        try:
            return json.loads(found)
        except ValueError as error:
            raise CaseError(f"{node.text} is not JSON: {error}") from None
    return plain(node)


def _changed(case: Block, value: Any, node: Node, root: str) -> Any:
    """What a case starts from with its `set:` and `remove:` applied, as far as they are about this root."""
    changes = plain(case.get("set") or MapNode(place=node.place, items={}, keys={}))
    for path, new in changes.items():
        if _root(path) == root:
            value = changed(value, _keys(path), new, remove=False)
    for path in case.texts("remove"):
        if _root(path) == root:
            value = changed(value, _keys(path), None, remove=True)
    return value


def _root(path: str) -> str:
    return "fetched" if path.startswith(("fetched.", "fetched[")) else "body"


def _keys(path: str) -> list[str]:
    steps = path.replace("[", ".").replace("]", "")
    return steps.removeprefix(_root(path)).strip(".").split(".")


def changed(value: Any, keys: list[str], new: Any, *, remove: bool) -> Any:
    """A copy of a payload with one path set or taken out."""
    copy = deepcopy(value)
    at = copy
    for number, key in enumerate(keys):
        last = number == len(keys) - 1
        index: Any = int(key) if isinstance(at, list) and key.isdecimal() else key
        if isinstance(at, list) and (not isinstance(index, int) or index >= len(at)):
            raise CaseError(f"the payload has no element {key!r} to change")
        if not isinstance(at, (dict, list)):
            raise CaseError(f"the payload has nothing to change at {key!r}")
        if last and remove:
            at.pop(index, None) if isinstance(at, dict) else at.pop(index)
        elif last:
            at[index] = new
        elif isinstance(at, dict):
            at = at.setdefault(index, {})
        else:
            at = at[index]
    return copy
