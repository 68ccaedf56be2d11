"""What may be set: the options of `settings.schema.json`, and what is wrong with a value.

A finding says what was expected in words that are made from the schema, so that messages, documentation and
the check itself cannot disagree.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from itertools import groupby
from typing import Any, cast

from jsonschema import Draft202012Validator, FormatChecker, ValidationError
from jsonschema.validators import extend

from gateway.resources import settings_schema_file
from gateway.settings.formats import FORMATS
from gateway.settings.model import Secret

VARIABLE_PREFIX = "XAPI_GATEWAY__"
FILE_SUFFIX = "_FILE"

Schema = Mapping[str, Any]
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One thing that can be set. `flag` is the long flag of `serve` that sets it, if there is one."""

    section: str
    key: str
    schema: Schema

    @property
    def name(self) -> str:
        return f"{self.section}.{self.key}"

    @property
    def variable(self) -> str:
        return f"{VARIABLE_PREFIX}{self.section}__{self.key}".upper()

    @property
    def flag(self) -> str | None:
        return self.schema.get("x-flag")

    @property
    def secret(self) -> bool:
        return bool(self.schema.get("x-secret"))

    def accepts(self, kind: str) -> bool:
        """Whether a value of this JSON type may be right."""
        return kind in _types(self.schema)


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong at a path of a document; `in_key` when it is the key itself that is wrong."""

    path: Path
    message: str
    in_key: bool = False


@cache
def options() -> Mapping[str, Option]:
    """Every option by its name, in the order of the schema."""
    found = (
        Option(section=section, key=key, schema=_resolved(schema))
        for section, body in _document()["properties"].items()
        for key, schema in body["properties"].items()
    )
    return {option.name: option for option in found}


def findings(document: Any) -> Iterator[Finding]:
    """Everything that is wrong with a document of sections; options may be missing."""
    errors = _validator().iter_errors(document)
    ordered = sorted(errors, key=lambda error: [str(part) for part in error.absolute_path])
    for path, group in groupby(ordered, key=lambda error: tuple(error.absolute_path)):
        here = list(group)
        unknown_keys = next((error for error in here if error.validator == "additionalProperties"), None)
        if unknown_keys is not None:
            yield from _unknown_keys(path, unknown_keys)
        else:
            yield Finding(path, _expectation(path, here[0]))


def convert(schema: Schema, value: Any) -> Any:
    """The value that the program uses, of a value that the schema accepts."""
    schema = _resolved(schema)
    if isinstance(value, str) and schema.get("x-secret"):
        return Secret(value)
    if isinstance(value, str) and "format" in schema:
        return FORMATS[schema["format"]].parse(value)
    if isinstance(value, list):
        return tuple(convert(schema["items"], item) for item in value)
    if isinstance(value, dict) and "properties" in schema:
        return {key: convert(schema["properties"][key], item) for key, item in value.items()}
    if isinstance(value, dict):
        return {key: convert(schema["additionalProperties"], item) for key, item in value.items()}
    return value


def expected(schema: Schema, *, value_only: bool = False) -> str:
    """What a schema accepts, in words: `an integer from 1 to 64`; `value_only` leaves null and files out."""
    schema = _resolved(schema)
    types = _types(schema)
    words = [_expected_value(schema, next(kind for kind in types if kind != "null"))]
    if value_only:
        return words[0]
    words += ["{file: path}"] if schema.get("x-secret") else []
    words += ["null"] if "null" in types else []
    return ", or ".join(words)


def unknown(name: str, meant: str | None) -> str:
    """The message about an option that does not exist."""
    return f"unknown option {name}" + (f"; did you mean {meant}?" if meant else "")


def suggestion(path: tuple[str, ...]) -> str | None:
    """The section or option that was probably meant by an unknown one, by its name."""
    keys: dict[str, list[str]] = {}
    for option in options().values():
        keys.setdefault(option.section, []).append(option.key)
    section = next(iter(get_close_matches(path[0], keys, n=1)), None)
    if len(path) == 1:
        elsewhere = [name for name in options() if name.endswith(f".{path[0]}")]
        return next(iter(elsewhere), section)
    if section is None:
        return None
    key = next(iter(get_close_matches(path[1], keys[section], n=1)), None)
    if key is None:
        elsewhere = [name for name in options() if name.endswith(f".{path[1]}")]
        return next(iter(elsewhere), None)
    return f"{section}.{key}"


def _unknown_keys(path: Path, error: ValidationError) -> Iterator[Finding]:
    known: Schema = _schema_of(error)["properties"]
    for key in cast("Mapping[str, Any]", error.instance):
        full = (*path, key)
        if key not in known and len(full) <= 2:
            yield Finding(full, unknown(_dotted(full), suggestion(tuple(map(str, full)))), in_key=True)
        elif key not in known:
            meant = next(iter(get_close_matches(key, known, n=1)), None)
            yield Finding(full, unknown(_dotted(full), meant), in_key=True)


def _expectation(path: Path, error: ValidationError) -> str:
    option = options().get(".".join(map(str, path[:2])))
    schema = option.schema if option and len(path) == 2 else _schema_of(error)
    # A text in the place of a whole section may be a secret that lost its key; one in that of a name, too.
    hidden = option is None or option.secret or schema.get("x-private")
    got = _kind(error.instance) if hidden else _shown(error.instance)
    where = f"{_dotted(path)}: " if path else ""
    return f"{where}expected {expected(schema)}, got {got}"


def _schema_of(error: ValidationError) -> Schema:
    """The schema that the error is about; jsonschema types it wider, for schemas that are a boolean."""
    return cast("Schema", error.schema)


def _expected_value(schema: Schema, kind: str) -> str:
    if "x-expected" in schema:
        return str(schema["x-expected"])
    if "enum" in schema:
        return "one of " + ", ".join(schema["enum"])
    if "format" in schema:
        described = FORMATS[schema["format"]]
        bounds = _bounds(schema, "formatMinimum", "formatMaximum")
        return f"{described.noun}{bounds} {described.examples}" if not bounds else f"{described.noun}{bounds}"
    if kind == "integer":
        return "an integer" + _bounds(schema, "minimum", "maximum")
    if kind == "array":
        unique = " without repeats" if schema.get("uniqueItems") else ""
        return f"a list{unique}, each {expected(schema['items'])}"
    if kind == "object" and "properties" not in schema:
        return f"a mapping of names, each to {expected(schema['additionalProperties'])}"
    return {"object": "a mapping of options", "boolean": "true or false"}.get(kind, "a text")


def _bounds(schema: Schema, lowest: str, highest: str) -> str:
    return f" from {schema[lowest]} to {schema[highest]}" if lowest in schema else ""


def _shown(value: Any) -> str:
    text = repr(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _kind(value: Any) -> str:
    kinds = {
        str: "a text",
        bool: "a boolean",
        int: "a number",
        float: "a number",
        list: "a list",
        dict: "a mapping",
    }
    return kinds.get(type(value), "null")


def _dotted(path: Path) -> str:
    first, *rest = path
    return str(first) + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in rest)


def _types(schema: Schema) -> list[str]:
    types = schema.get("type", "string")
    return [types] if isinstance(types, str) else list(types)


def _resolved(schema: Schema) -> Schema:
    if "$ref" not in schema:
        return schema
    definition = _document()["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    return {**definition, **{key: value for key, value in schema.items() if key != "$ref"}}


@cache
def _document() -> Schema:
    document: Schema = json.loads(settings_schema_file().read_text(encoding="utf-8"))
    return document


@cache
def _validator() -> Draft202012Validator:
    formats = FormatChecker(formats=())
    for name, described in FORMATS.items():
        formats.checks(name, raises=ValueError)(_format_check(described.parse))
    types = Draft202012Validator.TYPE_CHECKER.redefine(
        "integer",
        # JSON Schema takes 2.0 for an integer; here it would stay a float.
        lambda _, value: isinstance(value, int) and not isinstance(value, bool),
    )
    keywords = {"formatMinimum": _bound(-1), "formatMaximum": _bound(1), "pattern": _whole_pattern}
    validator = extend(Draft202012Validator, keywords, type_checker=types)  # type: ignore[no-untyped-call]
    return cast("Draft202012Validator", validator(_document(), format_checker=formats))


def _format_check(parse: Callable[[str], Any]) -> Callable[[object], bool]:
    def check(value: object) -> bool:
        if isinstance(value, str):
            parse(value)
        return True

    return check


def _bound(sign: int) -> Callable[..., Iterator[ValidationError]]:
    """`formatMinimum` (sign -1) and `formatMaximum` (sign 1): bounds written like the value itself."""

    def check(_: object, limit: str, value: object, schema: Schema) -> Iterator[ValidationError]:
        parse = FORMATS[schema["format"]].parse
        try:
            beyond = isinstance(value, str) and (parse(value) - parse(limit)) * sign > 0
        except ValueError:
            return  # `format` reports it
        if beyond:
            yield ValidationError(f"beyond {limit}")

    return check


def _whole_pattern(_: object, pattern: str, value: object, __: Schema) -> Iterator[ValidationError]:
    """`pattern` for the whole text: `$` alone would let a final line feed pass."""
    if isinstance(value, str) and re.fullmatch(pattern, value) is None:
        yield ValidationError(f"does not match {pattern}")
