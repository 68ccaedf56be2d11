"""`privacy:`: what nobody, or only identities, may see of a payload, and how long the rest is kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from adapters.expressions.environment import Read
from adapters.linting.findings import Lint
from adapters.loading.batch_paths import Items, Keys, places_of
from adapters.loading.model import Block
from adapters.loading.shared import Loading, span
from adapters.loading.yaml_source import MapNode, ScalarNode
from adapters.privacy import ACTIONS, Hidden, Privacy, hidden_path
from adapters.receive.body_path import BodyPath
from adapters.splitting import EventPlan

_LEAST_KEPT, _MOST_KEPT = 5 * 86400, 36_500 * 86400  # seconds


class PrivacyLoader:
    """Compiles the block; `items` are where the items of a batch are found."""

    def __init__(self, loading: Loading, items: Items | None) -> None:
        self.loading = loading
        self.items = items
        self.block = loading.block
        self.env = loading.env

    def privacy(self, secret_paths: Iterable[BodyPath]) -> Privacy:
        """The block, and that nobody sees the tokens and signatures of bodies."""
        block = self.block.block("privacy")
        store_raw = block.text("store_raw", "redacted")
        hidden = self.hidden()
        if store_raw == "keep" and hidden and "store_raw" in block:
            message = "store_raw: keep stores what is hidden below; only rules do not see it"
            self.loading.report(block.place("store_raw").lint("W317", message))
        body = [one for one in hidden if one.root == "body"]
        body += [Hidden(path.keys, "drop", kind=path.keys[-1]) for path in secret_paths]
        return Privacy(
            hidden=tuple(dict.fromkeys(body)),
            fetched=tuple(one for one in hidden if one.root == "fetched"),
            store_raw=store_raw,  # type: ignore[arg-type]
            raw_for=span(block, "raw_for"),
            keep_for=self.keep_for(block),
        )

    def keep_for(self, block: Block) -> int | None:
        found, node = span(block, "keep_for"), block.scalar("keep_for")
        if node is not None and not _LEAST_KEPT <= (found or 0) <= _MOST_KEPT:
            message = f"keep_for is 5d to 36500d, got {node.text}: vendors repeat deliveries for days"
            help = "store_raw: hash-only keeps nothing of a body once its delivery is resolved"
            self.loading.report(node.place.lint("E111", message, help=help))
        return found

    def hidden(self) -> tuple[Hidden, ...]:
        block = self.block.block("privacy")
        found: list[Hidden] = []
        for action in ACTIONS:
            for node in block.listed(action):
                only, kind = False, ""
                path = node
                if isinstance(node, MapNode):
                    inner = Block(node)
                    path = inner.get("path") or node
                    only = inner.flag("for_identity_only", default=False)
                    kind = inner.text("kind")
                if not isinstance(path, ScalarNode):
                    self.loading.report(
                        node.place.lint("E111", "a path, or { path, for_identity_only: true }, is wanted")
                    )
                    continue
                read = hidden_path(path)
                if isinstance(read, Lint):
                    self.loading.report(read)
                    continue
                root, keys = read
                kind = kind or keys[-1]
                if root not in self.env.names:
                    needs = "receive.batch" if root == "item" else "fetch_back:"
                    self.loading.report(path.place.lint("E111", f"`{root}` needs `{needs}`"))
                elif root == "item":
                    found += [Hidden(one, action, only, kind) for one in self.in_items(keys, path)]
                else:
                    found.append(Hidden(keys, action, only, kind, root))
        return tuple(found)

    def in_items(self, keys: Keys, path: ScalarNode) -> tuple[Keys, ...]:
        """Where in the body the items' field is: there it has to be hidden before anything is stored."""
        found = self.items.at(keys) if self.items is not None else ()
        if not found:
            help = "write where it is in the payload, such as body.people[*].email"
            message = f"{path.text} cannot be found in the payload by what `receive.batch` says"
            self.loading.report(path.place.lint("E111", message, help=help))
        return found


def hidden_reads(privacy: Privacy, plan: EventPlan, reads: Iterable[Read]) -> Iterator[Lint]:
    """W316 where an expression reads what nobody sees, E318 where a batch reads what only identities see."""
    gone = [one for one in privacy.all if one.action == "drop" and not one.for_identity_only]
    for read in reads:
        if (one := _covering(gone, plan, read)) is not None:
            message = f"{one.shown} is dropped by `privacy:`, so this is always absent"
            yield read.place.lint("W316", message)
    sealed = [one for one in privacy.hidden if one.for_identity_only]
    for read in plan.batch_reads:
        if (one := _covering(sealed, plan, read)) is not None:
            message = f"{one.shown} is hidden from rules, so `batch` cannot depend on it"
            help = "make every element an item, and ignore those that are none by a rule"
            yield read.place.lint("E318", message, help=help)


def _covering(hidden: list[Hidden], plan: EventPlan, read: Read) -> Hidden | None:
    """What hides the thing that an expression reads."""
    places = places_of(plan.items, read.root, read.keys)
    found = (one for one in hidden for root, keys in places if one.root == root and one.covers(keys))
    return next(found, None)
