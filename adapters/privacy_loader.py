"""`privacy:`: what nobody, or only identities, may see of a payload, and how long the rest is kept."""

from __future__ import annotations

from collections.abc import Iterable

from adapters.lints import Lint
from adapters.loading import Loading, span
from adapters.model import Block
from adapters.privacy import ACTIONS, Hidden, Privacy, hidden_path
from adapters.receive.body_path import BodyPath
from adapters.yaml_source import MapNode, ScalarNode

_LEAST_KEPT, _MOST_KEPT = 5 * 86400, 36_500 * 86400  # seconds


class PrivacyLoader:
    """Compiles the block, and says where an expression reads what is dropped."""

    def __init__(self, loading: Loading) -> None:
        self.loading = loading
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
                if root not in self.env.names:
                    self.loading.report(path.place.lint("E111", "`fetched` needs `fetch_back:`"))
                found.append(Hidden(keys, action, only, kind or keys[-1], root))
        return tuple(found)

    def hidden_reads(self) -> list[Lint]:
        """Warn where an expression reads what `privacy.drop` removes; it will always be absent."""
        dropped = [one for one in self.hidden() if one.action == "drop" and not one.for_identity_only]
        lints: list[Lint] = []
        for read in self.loading.collected.reads:
            for one in dropped:
                keys = tuple(map(str, read.keys))
                if read.root == one.root and keys[: len(one.keys)] == one.keys:
                    message = f"{one.shown} is dropped by `privacy:`, so this is always absent"
                    lints.append(read.place.lint("W316", message))
        return lints
