"""The ways of signing that are known by a vendor's name, and how a mapping's settings are laid over them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.resources import files

from adapters.loading.model import Block
from adapters.loading.yaml_source import MapNode, Node, read_yaml

NEEDS = "needs"
EVENT_ID = "event_id"


@cache
def presets() -> dict[str, MapNode]:
    """Each preset's method with its settings.

    Under `needs` stands what a mapping must add, under `event_id` what the vendor documents as the same for
    every attempt to deliver one event.
    """
    text = files("adapters.receive").joinpath("presets.yaml").read_text("utf-8")
    node = read_yaml(text, "presets.yaml")
    assert isinstance(node, MapNode)
    return {name: one for name, one in node.items.items() if isinstance(one, MapNode)}


def method_of(preset: str) -> str:
    """The method that a preset gives the settings of."""
    return next(one for one in presets()[preset].items if one not in (NEEDS, EVENT_ID))


def event_id_of(preset: str) -> str | None:
    """The expression for the id of an event that a preset's vendor documents."""
    return Block(presets()[preset]).text(EVENT_ID) or None if preset in presets() else None


def missing(preset: str, settings: MapNode) -> Iterator[str]:
    """What a mapping has to say to a preset and does not: dotted paths of settings."""
    for path in Block(presets()[preset]).texts(NEEDS):
        block, _, key = path.rpartition(".")
        inside = Block(settings).block(block) if block else Block(settings)
        if key not in inside:
            yield path


def over(base: Node, settings: MapNode) -> Node:
    """A preset's settings with the mapping's own laid over them, one level deep at a time."""
    if not isinstance(base, MapNode):
        return settings
    items, keys = dict(base.items), dict(base.keys)
    for key, value in settings.items.items():
        below = items.get(key)
        nested = isinstance(below, MapNode) and isinstance(value, MapNode)
        items[key] = over(below, value) if nested else value  # type: ignore[arg-type]
        keys[key] = settings.keys[key]
    return MapNode(place=settings.place, items=items, keys=keys)
