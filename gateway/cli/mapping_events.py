"""`xapi-gateway mappings run`, `explain`, `sign`: what one mapping makes of payloads."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import orjson
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from adapters import (
    Adapted,
    Event,
    Failed,
    Held,
    Lint,
    Lookups,
    Mapping,
    MappingError,
    Skipped,
    Taken,
    render,
)
from adapters.explain import Explanation, describe
from adapters.loading.files import load_file, mapping_paths, read_text
from adapters.outcomes import Outcome, Pairs
from adapters.receive.decode import Decoder, Undecodable
from adapters.testing.bodies import CannotSign, encoded
from adapters.testing.keys import PrivateKey
from adapters.testing.signing import sign as sign_request
from adapters.testing.signing import unsigned
from gateway.cli.output import as_json_option, print_json
from gateway.resources import mappings_dir
from gateway.xapi.validation import check
from gateway.xapi.versions import Version

mapping_argument = click.argument("mapping", metavar="MAPPING")
pseudonym_key_option = click.option(
    "--pseudonym-key",
    default="xapi-gateway mappings",
    show_default=True,
    metavar="TEXT",
    help="Key of pseudonyms; a server's own key gives other names.",
)
request_option = click.option(
    "--request", "as_request", is_flag=True, help='Payloads are {"headers": {}, "query": {}, "body": …}.'
)

fetched_option = click.option(
    "--fetched",
    type=click.File("rb"),
    help="JSON that `fetch_back` brings for every event; nothing is fetched here.",
)


def shown_path(path: Path) -> str:
    """A path as short as it can be written from here."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def print_lints(lints: Sequence[Lint], texts: dict[str, str], path: Path | None = None) -> None:
    """Findings with the lines they are about; `path` is how the mapping is reached from here."""
    for found in lints:
        rendered = render(found, texts.get(found.file))
        if path is not None and found.file == path.name:
            rendered = rendered.replace(found.file, shown_path(path), 1)
        click.echo(rendered)


def _load(name: str) -> tuple[Mapping, Path]:
    """A mapping by path or by the name of a shipped one; ends the command with its findings."""
    path = Path(name)
    if not path.is_file():
        path = mappings_dir() / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(one.stem for one in mapping_paths(mappings_dir()))
        raise click.UsageError(f"there is no mapping {name!r}: give a file or one of {known}")
    try:
        return load_file(path, shipped=mappings_dir()), path
    except MappingError as error:
        try:
            texts = {path.name: read_text(path)}
        except MappingError:
            texts = {}
        for found in error.lints:
            click.echo(render(found, texts.get(found.file)), err=True)
        raise SystemExit(1) from None


def _lookups(key: str) -> Lookups:
    return Lookups(pseudonym_key=key.encode())


def _parse(written: bytes, where: str) -> Any:
    try:
        return Decoder("json").decode(written)
    except Undecodable as error:
        raise click.ClickException(f"{where}: {error}") from None


def _events(
    mapping: Mapping, payload: Any, key: bytes, *, as_request: bool, where: str, fetched: Any = None
) -> list[Taken]:
    headers: Pairs = ()
    query: Pairs = ()
    if as_request:
        if not isinstance(payload, dict) or "body" not in payload:
            raise click.ClickException(
                f'{where}: --request wants {{"headers": {{}}, "query": {{}}, "body": …}}'
            )
        headers, query = _pairs(payload, "headers", where), _pairs(payload, "query", where)
        payload = payload["body"]
    found = mapping.events(payload, headers, query, datetime.now(UTC), key=key)
    return [one for taken in found for one in mapping.answered(taken, fetched, key)]


def _answer(fetched: Any) -> Any:
    """The content of `--fetched`; None where it is not given."""
    return None if fetched is None else _parse(fetched.read(), getattr(fetched, "name", "standard input"))


def _pairs(payload: dict[str, Any], key: str, where: str) -> Pairs:
    found = payload.get(key, {})
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise click.ClickException(f"{where}: {key} is an object of texts")
    return tuple(found.items())


def _adapt(mapping: Mapping, event: Taken, lookups: Lookups) -> Outcome:
    """The outcome; statements that xAPI refuses make it a failure."""
    if not isinstance(event, Event):
        return event
    outcome = mapping.adapt(event, lookups)
    if not isinstance(outcome, Adapted):
        return outcome
    place = next((rule.node.place for rule in mapping.rules if rule.name == outcome.rule), mapping.node.place)
    problems = [
        place.lint("R200", f"{problem.path}: {problem.message} ({problem.requirement})")
        for statement in outcome.statements
        for problem in check(statement, Version.V2)
    ]
    return Failed(problems=tuple(problems), rule=outcome.rule) if problems else outcome


@click.command()
@mapping_argument
@request_option
@fetched_option
@pseudonym_key_option
@as_json_option
def run(mapping: str, as_request: bool, fetched: Any, pseudonym_key: str, as_json: bool) -> None:
    """Turn payloads into statements: JSON values, one a line, from standard input to standard output.

    Events that make no statement are told on standard error, with --json as JSON lines.
    """
    compiled, _ = _load(mapping)
    lookups, answer = _lookups(pseudonym_key), _answer(fetched)
    counts = dict.fromkeys(("events", "statements", "skipped", "unmatched", "held", "failed"), 0)
    for number, line in _lines():
        where = f"line {number}"
        events: list[Taken] = []
        try:
            payload = _parse(line, where)
            events = _events(
                compiled,
                payload,
                lookups.pseudonym_key,
                as_request=as_request,
                where=where,
                fetched=answer,
            )
        except click.ClickException as error:
            counts["events"] += 1
            counts["failed"] += 1
            told = {"line": number, "outcome": "failed", "problems": [{"message": error.message}]}
            click.echo(orjson.dumps(told).decode() if as_json else error.message, err=True)
        for event in events:
            counts["events"] += 1
            outcome = _adapt(compiled, event, lookups)
            if isinstance(outcome, Adapted):
                counts["statements"] += len(outcome.statements)
                for statement in outcome.statements:
                    click.echo(_ndjson(statement))
            else:
                counts[_kind(outcome)] += 1
                _tell(number, outcome, as_json=as_json)
    summary = ", ".join(f"{count} {name}" for name, count in counts.items())
    click.echo(orjson.dumps(counts).decode() if as_json else summary, err=True)
    if counts["failed"]:
        raise SystemExit(1)


def _lines() -> Iterator[tuple[int, bytes]]:
    for number, line in enumerate(sys.stdin.buffer, 1):
        if line.strip():
            yield number, line


def _kind(outcome: Outcome) -> str:
    return type(outcome).__name__.lower()


def _ndjson(statement: dict[str, Any]) -> str:
    try:
        return orjson.dumps(statement).decode()
    except TypeError:
        # Integers beyond 64 bits, which orjson refuses.
        return json.dumps(statement, ensure_ascii=False, separators=(",", ":"))


def _tell(number: int, outcome: Outcome, *, as_json: bool) -> None:
    if not as_json:
        if not isinstance(outcome, Skipped):
            click.echo(f"line {number}: {describe(outcome)}", err=True)
        return
    told: dict[str, Any] = {"line": number, "outcome": _kind(outcome)}
    if isinstance(outcome, Failed):
        told |= {"rule": outcome.rule, "problems": [one.as_json() for one in outcome.problems]}
    elif isinstance(outcome, (Skipped, Held)):
        told |= {"rule": outcome.rule}
    click.echo(orjson.dumps(told).decode(), err=True)


@click.command()
@mapping_argument
@click.argument("payload", type=click.File("rb"))
@request_option
@fetched_option
@pseudonym_key_option
@as_json_option
def explain(
    mapping: str, payload: Any, as_request: bool, fetched: Any, pseudonym_key: str, as_json: bool
) -> None:
    """Show how a PAYLOAD (a file, or - for standard input) is mapped: rules, fields, what nobody reads."""
    compiled, _ = _load(mapping)
    lookups = _lookups(pseudonym_key)
    where = getattr(payload, "name", "standard input")
    parsed = _parse(payload.read(), where)
    found = _events(
        compiled,
        parsed,
        lookups.pseudonym_key,
        as_request=as_request,
        where=where,
        fetched=_answer(fetched),
    )
    told: list[dict[str, Any]] = []
    failed = False
    for event in found:
        outcome = _adapt(compiled, event, lookups)
        failed = failed or isinstance(outcome, Failed)
        if isinstance(event, Failed):
            told.append(
                {"outcome": {"kind": "failed", "problems": [one.as_json() for one in event.problems]}}
            )
            explained = None
        elif isinstance(event, Skipped):
            told.append({"outcome": {"kind": "skipped", "rule": event.rule, "reason": event.reason}})
            explained = None
        else:
            explained = compiled.explain(event, lookups)
            told.append(explained.as_json())
        if not as_json:
            _print_explanation(compiled, explained, outcome)
    if as_json:
        print_json(told)
    if failed:
        raise SystemExit(1)


def _print_explanation(mapping: Mapping, explained: Explanation | None, outcome: Outcome) -> None:
    if explained is None:
        click.echo(describe(outcome))
        return
    click.echo(f"event {explained.event_id}")
    if explained.wish is not None:
        click.echo(f"  fetched: GET {explained.wish.path} of connection {explained.wish.connection}")
    for rule in explained.rules:
        click.echo(f"  {'→' if rule.applies else ' '} {rule.rule}: {rule.reason}")
    click.echo(f"  {describe(outcome)}")
    for field in explained.fields:
        value = "(absent)" if field.value is None else _ndjson_value(field.value)
        click.echo(f"    {field.path}  =  {value}")
        if "${" in field.expression:
            written = " ".join(field.expression.split())
            click.echo(f"        {field.file}:{field.line}:{field.column}  {written}")
    if isinstance(outcome, Failed):
        print_lints(outcome.problems, dict(mapping.texts))
    if isinstance(outcome, Adapted):
        print_lints(outcome.warnings, dict(mapping.texts))
        for statement in outcome.statements:
            print_json(statement)
    if explained.unread:
        click.echo("  not read: " + ", ".join(explained.unread))


def _ndjson_value(value: Any) -> str:
    written = orjson.dumps(value, default=str).decode()
    return written if len(written) <= 100 else written[:100] + "…"


@click.command()
@mapping_argument
@click.argument("payload", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--url", required=True, help="Where the request goes: https://…/hooks/NAME.")
@click.option(
    "--private-key",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="PEM file, for vendors that sign with a key instead of a secret.",
)
@click.option("--key-id", help="How that key is named in the vendor's key set.")
@as_json_option
def sign(
    mapping: str, payload: Path, url: str, private_key: Path | None, key_id: str | None, as_json: bool
) -> None:
    """Print a curl command that sends PAYLOAD as the vendor would, signed.

    Secrets are read from the environment: NAME, or the file named by NAME_FILE.
    """
    compiled, _ = _load(mapping)
    now, body = datetime.now(UTC), payload.read_bytes()
    key = _private_key(private_key) if private_key is not None else None
    try:
        plain = unsigned(compiled, _as_sent(compiled, body), url, now)
        request = sign_request(plain, compiled, secret, now, key=key, key_id=key_id)
    except CannotSign as error:
        raise click.ClickException(str(error)) from None
    headers = [part for name, value in request.headers for part in ("-H", f"{name}: {value}")]
    # Where the payload became a form or a token, the file does not hold what is sent.
    data = f"@{payload}" if request.body == body else request.body.decode()
    command = ["curl", "-i", "-X", request.method, *headers, "--data-binary", data, request.url]
    if as_json:
        told = {"method": request.method, "url": request.url, "headers": dict(request.headers)}
        print_json({**told, "body": request.body.decode("utf-8", "replace")})
    else:
        click.echo(shlex.join(command))


def _as_sent(mapping: Mapping, body: bytes) -> bytes:
    """A payload of JSON as the vendor sends it: a form or a push of Pub/Sub where the mapping decodes one."""
    if mapping.receiver is None or mapping.receiver.decoder.kind in ("json", "jwt"):
        return body
    try:
        return encoded(mapping, json.loads(body))
    except ValueError:
        return body


def _private_key(path: Path) -> PrivateKey:
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise click.ClickException(
            f"{path} is not a private key in PEM without a password: {error}"
        ) from None
    if not isinstance(key, PrivateKey):
        raise click.ClickException(f"{path} holds a key that is none of RSA, ECDSA and Ed25519")
    return key


def secret(name: str) -> str | None:
    """A mapping's secret: the environment variable of that name, or the file that NAME_FILE names."""
    found = os.environ.get(name)
    if found:
        return found
    path = os.environ.get(f"{name}_FILE")
    if not path:
        return None
    try:
        return Path(path).read_text("utf-8").rstrip("\r\n") or None
    except (OSError, UnicodeDecodeError) as error:
        raise click.ClickException(f"{name}_FILE: {path} cannot be read: {error}") from None
