"""The JSON Schema of mapping files, for editors: made from the model that files are checked against."""

from __future__ import annotations

from typing import Any

from adapters.case_model import CASE
from adapters.functions import FUNCTIONS
from adapters.grammar import MAPPING
from adapters.model import Key, Model
from adapters.receive.grammar import METHODS
from adapters.receive.presets import presets
from adapters.shapes import INTERACTIONS
from adapters.template_docs import DIRECTIVES, TEMPLATES
from adapters.vocabulary import SHIPPED

_TEXT: dict[str, Any] = {"type": ["string", "number", "boolean"]}


def schema() -> dict[str, Any]:
    """A schema of draft 7, which editors understand best."""
    made = _object(MAPPING)
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "xapi-gateway mapping, format 1",
        "description": f"Functions in ${{ }}: {', '.join(sorted(FUNCTIONS))}.",
        **made,
        "definitions": {
            "verb": _word("A word of the vocabulary, an IRI or an expression.", list(SHIPPED.verbs)),
            "checks": {"anyOf": [{"$ref": "#/definitions/check"}, _array({"$ref": "#/definitions/check"})]},
            "check": _checks(),
            "type": _word("A word of the vocabulary, an IRI or an expression.", list(SHIPPED.types)),
            "interaction": _word("A kind of question.", list(INTERACTIONS)),
            **{name: _template(name, docs) for name, docs in TEMPLATES.items()},
        },
    }


def schema_of_tests() -> dict[str, Any]:
    """The schema of the test files beside mappings."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "xapi-gateway mapping tests, format 1",
        **_array(_object(CASE)),
    }


def _word(description: str, words: list[str]) -> dict[str, Any]:
    # Words of the mapping's own `vocabulary:` are right too; the linter knows them, a schema cannot.
    options = [{"enum": sorted(words)}, {"type": "string"}, {"type": "object"}]
    return {"description": description, "anyOf": options}


def _template(name: str, docs: dict[str, str]) -> dict[str, Any]:
    """What an editor offers inside a part of a statement; expressions and lists are fine as well."""
    words = {"type", "interaction"}
    properties = {
        key: {"description": doc, "allOf": [{"$ref": f"#/definitions/{key}"}]}
        if key in words and name == "object"
        else {"description": doc}
        for key, doc in {**docs, **DIRECTIVES}.items()
    }
    return {"anyOf": [{"type": "object", "properties": properties}, {"type": ["string", "array"]}]}


def _checks() -> dict[str, Any]:
    settings = {name: _object(model) for name, model in METHODS.items()}
    for name in presets():
        settings[name] = {"type": "object", "description": f"Preset: {name}."}
    settings["any_of"] = {"type": "array", "items": {"$ref": "#/definitions/check"}, "minItems": 1}
    return {
        "type": "object",
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
        "properties": settings,
    }


def _object(model: Model) -> dict[str, Any]:
    made: dict[str, Any] = {
        "type": "object",
        "additionalProperties": False,
        "properties": {name: _property(name, key) for name, key in model.items()},
    }
    required = [name for name, key in model.items() if key.required]
    return {**made, "required": required} if required else made


def _property(name: str, key: Key) -> dict[str, Any]:
    if name == "verify":
        return {"description": key.doc, "allOf": [{"$ref": "#/definitions/checks"}]}
    if key.kind == "value" and (name == "verb" or name in TEMPLATES):
        return {"description": key.doc, "allOf": [{"$ref": f"#/definitions/{name}"}]}
    if key.kind == "expression":
        return {"description": key.doc, "type": ["string", "boolean", "array"]}
    return {"description": key.doc, **_value(key)}


def _value(key: Key) -> dict[str, Any]:
    if key.model is not None:
        inner = _object(key.model)
        if key.kind == "blocks":
            return _array(inner)
        return inner if key.kind == "block" else {"type": "object", "additionalProperties": inner}
    simple: dict[str, dict[str, Any]] = {
        "text": _TEXT,
        "name": {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$"},
        "integer": {"type": "integer"},
        "boolean": {"type": "boolean"},
        "map": {"type": "object"},
        "texts": {"anyOf": [_TEXT, _array(_TEXT)]},
        "choice": {"enum": [int(one) if one.isdecimal() else one for one in key.choices]},
        "duration": {"type": ["string", "integer"], "pattern": "^[0-9]{1,6} *(s|m|h|d)$"},
        "size": {"type": ["string", "integer"], "pattern": "^[0-9]{1,9} *(B|KiB|MiB)?$"},
    }
    return simple.get(key.kind, {})


def _array(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}
