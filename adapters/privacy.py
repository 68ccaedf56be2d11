"""What a payload loses before anybody keeps it: `drop` removes fields, `mask` overwrites them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from adapters.lints import Lint
from adapters.yaml_source import ScalarNode

MASKED = "***"
Keys: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Hidden:
    """One path below `body`; `*` stands for every element or key. Identities may still see it if so said."""

    keys: Keys
    action: Literal["drop", "mask"]
    for_identity_only: bool = False

    @property
    def shown(self) -> str:
        return "body." + ".".join(self.keys)


def hidden_path(node: ScalarNode) -> Keys | Lint:
    """Read `body.a.*.b` or `body.a[*].b`."""
    written = node.text.replace("[*]", ".*").replace("[", ".").replace("]", "")
    root, *keys = written.split(".")
    if root != "body" or not keys or not all(keys):
        message = f"a path below body is wanted, such as body.user.phone, got {node.text!r}"
        return node.place.lint("E111", message)
    return tuple(keys)


def redact(payload: Any, hidden: tuple[Hidden, ...]) -> Any:
    """The payload without what is hidden. Unaffected parts are shared, nothing is changed in place."""
    for one in hidden:
        payload = _without(payload, one.keys, mask=one.action == "mask")
    return payload


def _without(value: Any, keys: Keys, *, mask: bool) -> Any:
    key, rest = keys[0], keys[1:]
    if isinstance(value, list):
        chosen = range(len(value)) if key == "*" else _index(key, len(value))
        if not chosen:
            return value
        if not rest and not mask:
            return [item for index, item in enumerate(value) if index not in chosen]
        return [
            (_without(item, rest, mask=mask) if rest else MASKED) if index in chosen else item
            for index, item in enumerate(value)
        ]
    if not isinstance(value, dict) or (key != "*" and key not in value):
        return value
    names = set(value) if key == "*" else {key}
    if rest:
        return {name: _without(v, rest, mask=mask) if name in names else v for name, v in value.items()}
    if mask:
        return {name: MASKED if name in names and v is not None else v for name, v in value.items()}
    return {name: v for name, v in value.items() if name not in names}


def _index(key: str, size: int) -> range:
    index = int(key) if key.isdecimal() and len(key) < 9 else size
    return range(index, index + 1) if index < size else range(0)
