"""What a payload loses before anybody keeps it: `drop` removes fields, `mask` overwrites them, `pseudonym`
puts a keyed hash in their place. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from adapters.expressions.values import text
from adapters.functions.ids import pseudonym
from adapters.lints import Lint
from adapters.yaml_source import ScalarNode

MASKED = "***"
Keys: TypeAlias = tuple[str, ...]
Action: TypeAlias = Literal["drop", "mask", "pseudonym"]
ACTIONS: tuple[Action, ...] = ("drop", "mask", "pseudonym")
StoreRaw: TypeAlias = Literal["keep", "redacted", "hash-only", "none"]
STORE_RAW: tuple[StoreRaw, ...] = ("keep", "redacted", "hash-only", "none")


@dataclass(frozen=True, slots=True)
class Hidden:
    """One path below `body` or `fetched`; `*` stands for every element or key. Identities may still see it if
    so said.

    `kind` goes into a pseudonym: an identity's candidate of the same kind and value has the same one.
    """

    keys: Keys
    action: Action
    for_identity_only: bool = False
    kind: str = ""
    root: str = "body"

    @property
    def shown(self) -> str:
        return ".".join((self.root, *self.keys))


@dataclass(frozen=True, slots=True, kw_only=True)
class Privacy:
    """The `privacy:` block: what is hidden of payloads, and of what is `fetched` for them. `keep_for`
    (the delivery) and `raw_for` (its body) are in seconds, None leaves them to the gateway's settings.

    `keep` stores requests as they came, `redacted` without what is hidden; `hash-only` forgets the body once
    the delivery is resolved, `none` the headers and the query as well.
    """

    hidden: tuple[Hidden, ...] = ()
    fetched: tuple[Hidden, ...] = ()
    store_raw: StoreRaw = "redacted"
    raw_for: int | None = None
    keep_for: int | None = None

    @property
    def sealed(self) -> bool:
        """Whether identities may see what nobody else may."""
        return any(one.for_identity_only for one in self.hidden)


def hidden_path(node: ScalarNode) -> tuple[str, Keys] | Lint:
    """Read `body.a.*.b` or `fetched.a[*].b`: the root, and the keys below it."""
    written = node.text.replace("[*]", ".*").replace("[", ".").replace("]", "")
    root, *keys = written.split(".")
    if root not in ("body", "fetched") or not keys or not all(keys):
        message = f"a path below body or fetched is wanted, such as body.user.phone, got {node.text!r}"
        return node.place.lint("E111", message)
    return root, tuple(keys)


def redact(
    payload: Any, hidden: Collection[Hidden], key: bytes = b"", *, already: Collection[str] = ()
) -> Any:
    """The payload without what is hidden. Unaffected parts are shared, nothing is changed in place.

    `key` makes pseudonyms; paths in `already` hold pseudonyms and are left alone.
    """
    for one in hidden:
        if one.action == "pseudonym":
            if one.shown not in already:
                payload = _without(payload, one.keys, _pseudonymised(key, one.kind))
        else:
            payload = _without(payload, one.keys, _masked if one.action == "mask" else None)
    return payload


def _masked(value: Any) -> Any:
    return None if value is None else MASKED


def _pseudonymised(key: bytes, kind: str) -> Callable[[Any], Any]:
    def replaced(value: Any) -> Any:
        if value is None:
            return None
        if isinstance(value, (list, dict)):
            return MASKED  # there is no one person in it
        written = text(value).strip()
        return pseudonym(key, kind, written.lower() if kind == "email" else written)

    return replaced


def _without(value: Any, keys: Keys, change: Callable[[Any], Any] | None) -> Any:
    """A copy with what the keys lead to changed, or taken out where there is no `change`."""
    key, rest = keys[0], keys[1:]
    if isinstance(value, list):
        chosen = range(len(value)) if key == "*" else _index(key, len(value))
        if not chosen:
            return value
        if not rest and change is None:
            return [item for index, item in enumerate(value) if index not in chosen]
        items = value.copy()
        for index in chosen:
            items[index] = _inner(value[index], rest, change)
        return items
    if not isinstance(value, dict) or (key != "*" and key not in value):
        return value
    if not rest and change is None:
        if key == "*":
            return {}
        fields = value.copy()
        del fields[key]
        return fields
    if key == "*":
        return {name: _inner(item, rest, change) for name, item in value.items()}
    found = value[key]
    changed = _inner(found, rest, change)
    if changed is found:
        return value  # the path ends further down
    fields = value.copy()
    fields[key] = changed
    return fields


def _inner(item: Any, rest: Keys, change: Callable[[Any], Any] | None) -> Any:
    if rest:
        return _without(item, rest, change)
    assert change is not None, "what is taken out has no inside"
    return change(item)


def _index(key: str, size: int) -> range:
    index = int(key) if key.isdecimal() and len(key) < 9 else size
    return range(index, index + 1) if index < size else range(0)
