"""What a payload loses before anybody keeps it: `drop` removes fields, `mask` overwrites them, `pseudonym`
puts a keyed hash in their place. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from adapters.expressions.values import text
from adapters.functions.ids import pseudonym
from adapters.linting.findings import Lint
from adapters.loading.batch_paths import ELEMENT
from adapters.loading.yaml_source import ScalarNode

MASKED = "***"
Keys: TypeAlias = tuple[str, ...]
Action: TypeAlias = Literal["drop", "mask", "pseudonym"]
ACTIONS: tuple[Action, ...] = ("drop", "mask", "pseudonym")
StoreRaw: TypeAlias = Literal["keep", "redacted", "hash-only", "none"]
STORE_RAW: tuple[StoreRaw, ...] = ("keep", "redacted", "hash-only", "none")


@dataclass(frozen=True, slots=True)
class Hidden:
    """One path below `body` or `fetched`; `*` stands for every element or key, `ELEMENT` for every element.
    Identities may still see it if so said. Paths below `item` are paths below `body` here.

    `kind` goes into a pseudonym: an identity's candidate of the same kind and value has the same one.
    """

    keys: Keys
    action: Action
    for_identity_only: bool = False
    kind: str = ""
    root: str = "body"

    @property
    def shown(self) -> str:
        return ".".join((self.root, *self.keys)).replace(f".{ELEMENT}", ELEMENT)

    def covers(self, keys: tuple[str | int, ...]) -> bool:
        """Whether a path below the same root is this one, or below it."""
        return len(keys) >= len(self.keys) and all(
            mine in ("*", ELEMENT) or mine == str(theirs)
            for mine, theirs in zip(self.keys, keys, strict=False)
        )


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
    # Whether identities may see what nobody else may.
    sealed: bool = field(init=False)
    # The paths where even identities see pseudonyms, so that what is kept holds them.
    pseudonyms: tuple[str, ...] = field(init=False)
    # Compiled: what rules do not see and what not even identities do, and the same of what is fetched, which
    # is kept without the latter.
    from_rules: Hiding = field(init=False, repr=False, compare=False)
    from_all: Hiding = field(init=False, repr=False, compare=False)
    fetched_from_rules: Hiding = field(init=False, repr=False, compare=False)
    fetched_from_all: Hiding = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        found = {
            "sealed": any(one.for_identity_only for one in self.hidden),
            "pseudonyms": tuple(
                one.shown for one in self.hidden if one.action == "pseudonym" and not one.for_identity_only
            ),
            "from_rules": Hiding(self.hidden),
            "from_all": Hiding(one for one in self.hidden if not one.for_identity_only),
            "fetched_from_rules": Hiding(one for one in self.fetched if one.for_identity_only),
            "fetched_from_all": Hiding(one for one in self.fetched if not one.for_identity_only),
        }
        for name, value in found.items():
            object.__setattr__(self, name, value)

    @property
    def all(self) -> tuple[Hidden, ...]:
        """What is hidden of payloads and of what is fetched."""
        return (*self.hidden, *self.fetched)


def hidden_path(node: ScalarNode) -> tuple[str, Keys] | Lint:
    """Read `body.a.*.b`, `item.a` or `fetched.a[*].b`: the root, and the keys below it."""
    written = node.text.replace("[*]", ".*").replace("[", ".").replace("]", "")
    root, *keys = written.split(".")
    if root not in ("body", "item", "fetched") or not keys or not all(keys):
        message = f"a path below body, item or fetched is wanted, such as body.user.phone, got {node.text!r}"
        return node.place.lint("E111", message)
    return root, tuple(keys)


@dataclass(frozen=True, slots=True)
class Sight:
    """A payload as identities see it, and as rules do."""

    private: Any
    visible: Any


# What happens to the value at the end of a path; None takes it out.
_Change: TypeAlias = Callable[[Any, bytes], Any] | None
# Branches by key; a tree with `*` or an index has no other key, and `ELEMENT` is for lists what names are for
# objects.
_Tree: TypeAlias = "dict[str, _Tree | _Change]"


class Hiding:
    """Paths that are hidden, compiled to trees so that paths with a common beginning are walked and copied
    once. Its call gives a payload without them: unaffected parts are shared, nothing is changed in place.

    `settled` says that its order does not matter and that doing it again changes nothing but pseudonyms.
    """

    __slots__ = ("_hidden", "_others", "_trees", "settled")

    def __init__(self, hidden: Iterable[Hidden]) -> None:
        self._hidden = tuple(hidden)
        self._trees: list[_Tree] = []
        self._others: dict[tuple[str, ...], Hiding] = {}  # without the pseudonyms that are there already
        for one in self._hidden:
            change = _CHANGES[one.action](one.kind)
            # One that cannot be told apart from another while both are walked gets its turn after it.
            if not self._trees or not _grown(self._trees[-1], one.keys, change):
                self._trees.append({})
                _grown(self._trees[-1], one.keys, change)
        indexed = any(key.isdecimal() for one in self._hidden for key in one.keys)
        self.settled = len(self._trees) <= 1 and not indexed

    def __call__(self, payload: Any, key: bytes = b"", already: Collection[str] = ()) -> Any:
        """`key` makes pseudonyms; paths in `already` hold pseudonyms and are left alone."""
        if already:
            return self._without(tuple(already))(payload, key)
        for tree in self._trees:
            payload = _changed(payload, tree, key)
        return payload

    def _without(self, already: tuple[str, ...]) -> Hiding:
        found = self._others.get(already)
        if found is None:
            left = [one for one in self._hidden if one.action != "pseudonym" or one.shown not in already]
            found = Hiding(left)
            if len(self._others) < _MOST_OTHERS:  # they come with deliveries, of any earlier revision
                self._others[already] = found
        return found


_MOST_OTHERS = 100


def _grown(tree: _Tree, keys: Keys, change: _Change) -> bool:
    """Whether a path could be added to a tree."""
    for depth, key in enumerate(keys):
        if tree and key not in tree and (_is_wide(key) or any(map(_is_wide, tree))):
            return False
        last = depth == len(keys) - 1
        if last and key in tree:
            return False
        branch = tree.setdefault(key, change if last else {})
        if not last:
            if not isinstance(branch, dict):
                return False
            tree = branch
    return True


def _is_wide(key: str) -> bool:
    return key == "*" or key.isdecimal()


def _changed(value: Any, tree: _Tree, key: bytes) -> Any:
    """A value with what a tree leads to changed or taken out; the same object where that is nothing."""
    if isinstance(value, list):
        return _changed_items(value, tree, key)
    if not isinstance(value, dict):
        return value
    if "*" in tree:
        branch = tree["*"]
        if branch is None:
            return {} if value else value
        return {name: _inner(item, branch, key) for name, item in value.items()}
    fields = value
    for name, branch in tree.items():
        if name in value and name != ELEMENT:
            if branch is None:
                fields = value.copy() if fields is value else fields
                del fields[name]
                continue
            found = value[name]
            changed = _inner(found, branch, key)
            if changed is not found:
                fields = value.copy() if fields is value else fields
                fields[name] = changed
    return fields


def _changed_items(value: list[Any], tree: _Tree, key: bytes) -> list[Any]:
    """Only `ELEMENT`, or the single key of a tree, knows elements of a list."""
    wanted = ELEMENT if ELEMENT in tree else next(iter(tree))
    if wanted in ("*", ELEMENT):
        chosen = range(len(value))
    else:
        chosen = range(0) if len(tree) > 1 else _index(wanted, len(value))
    branch = tree[wanted]
    if not chosen:
        return value
    if branch is None:
        return [item for index, item in enumerate(value) if index not in chosen]
    items = value.copy()
    for index in chosen:
        items[index] = _inner(value[index], branch, key)
    return items


def _inner(item: Any, branch: _Tree | Callable[[Any, bytes], Any], key: bytes) -> Any:
    return _changed(item, branch, key) if isinstance(branch, dict) else branch(item, key)


def _index(key: str, size: int) -> range:
    index = int(key) if key.isdecimal() and len(key) < 9 else size
    return range(index, index + 1) if index < size else range(0)


def _masked(value: Any, key: bytes) -> Any:
    return None if value is None else MASKED


def _pseudonymised(kind: str) -> _Change:
    def replaced(value: Any, key: bytes) -> Any:
        if value is None:
            return None
        if isinstance(value, (list, dict)):
            return MASKED  # there is no one person in it
        written = text(value).strip()
        return pseudonym(key, kind, written.lower() if kind == "email" else written)

    return replaced


_CHANGES: dict[Action, Callable[[str], _Change]] = {
    "drop": lambda kind: None,
    "mask": lambda kind: _masked,
    "pseudonym": _pseudonymised,
}
