"""The JSON Schema of mapping files, for editors: made from the model that files are checked against."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.functions import FUNCTIONS
from adapters.loading.grammar import MAPPING
from adapters.loading.model import Key, Model
from adapters.receive.grammar import METHODS
from adapters.receive.presets import presets
from adapters.templates.docs import DIRECTIVES, RESULT, TEMPLATES
from adapters.templates.shapes import INTERACTIONS
from adapters.testing.cases import CASE
from adapters.vocabulary.words import SHIPPED

_PREFIXES = frozenset(profile.key for profile in SHIPPED.profiles)
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
            "verb": _words("A word of the vocabulary, an IRI or an expression.", SHIPPED.verbs),
            "checks": {"anyOf": [{"$ref": "#/definitions/check"}, _array({"$ref": "#/definitions/check"})]},
            "check": _checks(),
            "type": _words("A word of the vocabulary, an IRI or an expression.", SHIPPED.types),
            "interaction": _word("A kind of question.", list(INTERACTIONS)),
            **{f"{where} extensions": _extensions(known) for where, known in SHIPPED.extensions.items()},
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
    return {"description": description, "anyOf": [{"enum": words}, {"type": "string"}, {"type": "object"}]}


def _words(description: str, known: Mapping[str, str]) -> dict[str, Any]:
    """Words that editors offer, with what they say."""
    # Words of the mapping's own `vocabulary:` are right too; the linter knows them, a schema cannot.
    offered = sorted(word for word in known if word.partition(".")[0] not in _PREFIXES)
    made = _word(description, offered)
    made["anyOf"][0]["enumDescriptions"] = [SHIPPED.terms[known[word]].means for word in offered]
    return made


def _extensions(known: Mapping[str, str]) -> dict[str, Any]:
    offered = {word: iri for word, iri in sorted(known.items()) if word.partition(".")[0] not in _PREFIXES}
    properties = {word: {"description": SHIPPED.terms[iri].means} for word, iri in offered.items()}
    return {"description": RESULT["extensions"], "type": ["object", "string"], "properties": properties}


def _template(name: str, docs: dict[str, str]) -> dict[str, Any]:
    """What an editor offers inside a part of a statement; expressions and lists are fine as well."""
    where = {"object": "activity"}.get(name, name)
    words = {"extensions": f"{where} extensions"}
    if name == "object":
        words |= {"type": "type", "interaction": "interaction"}
    properties = {
        key: {"description": doc, "allOf": [{"$ref": f"#/definitions/{words[key]}"}]}
        if key in words
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
