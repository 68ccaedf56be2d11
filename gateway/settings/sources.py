"""The three places that settings come from beside the defaults: a file, the environment, flags.

Each reader answers what was given and every problem with it. Secrets that stand in files of their own are
read here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from gateway import yaml_source
from gateway.settings import formats, schema
from gateway.settings.model import Origin, SettingsProblem
from gateway.settings.schema import FILE_SUFFIX, VARIABLE_PREFIX, Option

MAX_SECRET = 64 << 10
"""Bytes beyond which the file of a secret is refused, because the wrong file was named."""


@dataclass(frozen=True, slots=True)
class Given:
    """A checked value of one option, still as it was written."""

    option: Option
    value: Any
    origin: Origin


@dataclass(frozen=True, slots=True)
class Layer:
    """What one source gives."""

    given: list[Given] = field(default_factory=list)
    problems: list[SettingsProblem] = field(default_factory=list)


def from_file(path: Path, kind: Literal["default", "file"] = "file") -> Layer:
    """A YAML file of sections; places are `file:line:column`."""
    layer = Layer()
    try:
        source = yaml_source.parse(path.read_bytes())
    except OSError as error:
        layer.problems.append(SettingsProblem(str(path), f"cannot be read: {error.strerror}"))
        return layer
    found = {problem.mark: problem.message for problem in source.problems}
    bad: set[str] = set()
    for finding in schema.findings(source.value):
        mark = (source.keys if finding.in_key else source.marks)[finding.path]
        found.setdefault(mark, finding.message)
        bad.add(".".join(map(str, finding.path[:2])))
    for mark, message in sorted(found.items()):
        layer.problems.append(SettingsProblem(f"{path}:{mark.line}:{mark.column}", message))
    sections = source.value if isinstance(source.value, dict) else {}
    for name, option in schema.options().items():
        section = sections.get(option.section)
        if not isinstance(section, dict) or option.key not in section or name in bad:
            continue
        mark = source.marks[option.section, option.key]
        place = f"{path}:{mark.line}:{mark.column}"
        _give(layer, option, section[option.key], Origin(kind=kind, place=place))
    return layer


def from_environment(environment: Mapping[str, str]) -> Layer:
    """The variables that begin with `XAPI_GATEWAY__`; places are their names."""
    layer = Layer()
    variables = {option.variable: option for option in schema.options().values()}
    files = {name + FILE_SUFFIX: option for name, option in variables.items() if option.secret}
    for name, text in sorted(environment.items()):
        if not name.startswith(VARIABLE_PREFIX):
            continue
        origin = Origin(kind="environment", place=name)
        if name in variables:
            _give_text(layer, variables[name], text, origin)
        elif name not in files:
            layer.problems.append(SettingsProblem(name, schema.unknown(name, _meant_variable(name))))
        elif files[name].variable in environment:
            layer.problems.append(SettingsProblem(name, f"{files[name].variable} is set too; remove one"))
        else:
            _give_checked(layer, files[name], {"file": text}, origin)
    return layer


def from_flags(flags: Mapping[str, object]) -> Layer:
    """Values by option name, None for a flag that was not given; places are the flags' names."""
    layer = Layer()
    for name, value in flags.items():
        if value is None:
            continue
        option = schema.options().get(name)
        if option is None:
            meant = schema.suggestion(tuple(name.split(".", 1)))
            layer.problems.append(SettingsProblem(name, schema.unknown(name, meant)))
            continue
        origin = Origin(kind="flag", place=option.flag or name)
        if isinstance(value, str | Path):
            _give_text(layer, option, str(value), origin)
        else:
            _give_checked(layer, option, value, origin)
    return layer


def _give_text(layer: Layer, option: Option, text: str, origin: Origin) -> None:
    """A text from outside of YAML: it is taken as it is where a text may be meant, else read as YAML."""
    if option.accepts("string") and not (option.accepts("array") and text.startswith("[")):
        value = None if option.accepts("null") and text in {"", "null"} else text
        _give_checked(layer, option, value, origin)
        return
    source = yaml_source.parse(text)
    if source.problems:
        message = f"{option.name}: {source.problems[0].message}"
        layer.problems.append(SettingsProblem(origin.place, message))
    else:
        _give_checked(layer, option, source.value, origin)


def _give_checked(layer: Layer, option: Option, value: Any, origin: Origin) -> None:
    found = list(_findings(option, value))
    layer.problems.extend(SettingsProblem(origin.place, message) for message in found)
    if not found:
        _give(layer, option, value, origin)


def _give(layer: Layer, option: Option, value: Any, origin: Origin) -> None:
    if not option.secret or not isinstance(value, dict):
        layer.given.append(Given(option, value, origin))
        return
    path = value["file"]
    try:
        value = _read_secret(formats.path(path))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        message = f"{option.name}: {path!r} cannot be read: {reason}"
        layer.problems.append(SettingsProblem(origin.place, message))
        return
    if list(_findings(option, value)):
        message = f"{option.name}: expected {schema.expected(option.schema, value_only=True)} in {path!r}"
        layer.problems.append(SettingsProblem(origin.place, message))
    else:
        layer.given.append(Given(option, value, Origin(kind=origin.kind, place=f"{origin.place} ({path})")))


def _findings(option: Option, value: Any) -> Iterator[str]:
    for finding in schema.findings({option.section: {option.key: value}}):
        yield finding.message


def _read_secret(path: Path) -> str:
    with path.open("rb") as file:
        content = file.read(MAX_SECRET + 1)
    if len(content) > MAX_SECRET:
        raise ValueError(f"larger than {MAX_SECRET} bytes")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
    return text.removesuffix("\n").removesuffix("\r")


def _meant_variable(name: str) -> str | None:
    path = name.removeprefix(VARIABLE_PREFIX).removesuffix(FILE_SUFFIX).lower().split("__", 1)
    option = schema.options().get(schema.suggestion(tuple(path)) or "")
    return option.variable if option else None
