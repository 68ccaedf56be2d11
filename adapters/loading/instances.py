"""Several adapters of one mapping: tenants of a vendor, each with a name and a source of its own. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from adapters.loading.yaml_source import MapNode, Node, ScalarNode

# Under this name an instance is part of its mapping's texts, so that it is part of the revision.
INSTANCE = "(instance)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """The name of an adapter, and what its `source:` says instead of the mapping's."""

    adapter: str
    source: Mapping[str, str] = field(default_factory=dict)

    def text(self) -> str:
        """As it is part of the mapping's texts."""
        return json.dumps({"adapter": self.adapter, "source": dict(self.source)}, sort_keys=True)

    @classmethod
    def from_text(cls, text: str) -> Instance:
        """The instance that `text` was written for."""
        found = json.loads(text)
        return cls(adapter=found["adapter"], source=found["source"])

    def applied(self, node: Node) -> Node:
        """The mapping with this name and source; places stay those of the file."""
        if not isinstance(node, MapNode):
            return node
        items, keys = dict(node.items), dict(node.keys)
        name = items.get("adapter")
        like = name if isinstance(name, ScalarNode) else None
        if like is None:
            return node
        items["adapter"] = _named(like, self.adapter)
        if self.source:
            source = items.get("source")
            inner = dict(source.items) if isinstance(source, MapNode) else {}
            inner_keys = dict(source.keys) if isinstance(source, MapNode) else {}
            for key, value in self.source.items():
                inner[key] = _named(like, value)
                inner_keys.setdefault(key, _named(like, key))
            items["source"] = MapNode(place=node.place, items=inner, keys=inner_keys)
            keys.setdefault("source", _named(like, "source"))
        return replace(node, items=items, keys=keys)


def _named(like: ScalarNode, text: str) -> ScalarNode:
    return replace(like, value=text, text=text)
