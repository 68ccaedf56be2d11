from __future__ import annotations

import re
from pathlib import Path

from gateway.settings import load
from gateway.store.indexes import INDEXES

PAGE = (Path(__file__).parent.parent / "docs" / "scaling.md").read_text()
SHARDED = re.findall(r'^sh\.shardCollection\("([a-z_]+)\.(\w+)", \{ _id: "hashed" \}\)$', PAGE, re.MULTILINE)


def test_what_is_sharded_are_collections_of_the_default_database() -> None:
    assert {database for database, _ in SHARDED} == {load(None, {}, {}).mongo.database}
    assert {name for _, name in SHARDED} == {"statements", "deliveries", "documents"} <= INDEXES.keys()


def test_no_sharded_collection_has_a_unique_index_that_sharding_by_id_forbids() -> None:
    unique = {
        name: [index.document["name"] for index in INDEXES[name] if index.document.get("unique")]
        for _, name in SHARDED
    }
    assert unique == {"statements": [], "deliveries": [], "documents": []}
