"""`verify:` to checks: presets expanded, methods compiled, insecure settings refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import re2

from adapters.expressions.environment import Closure, Env
from adapters.expressions.values import EvaluationError
from adapters.functions.times import instant
from adapters.linting.findings import Lint, suggest
from adapters.loading.model import Block, check, seconds
from adapters.loading.yaml_source import ListNode, MapNode, Node, ScalarNode
from adapters.receive.body_path import WANTED, BodyPath, body_path
from adapters.receive.checks import AnyOf, Basic, Check, OAuth2Client, Parts, Signed, Token, Unchecked
from adapters.receive.grammar import METHODS, ROTATED, UNDERSTOOD
from adapters.receive.presets import method_of, missing, over, presets
from adapters.receive.references import body_parts_in, headers_in, names_in
from adapters.receive.secrets import SharedSecret
from adapters.receive.signature import SignatureSpec, TimestampSpec
from adapters.templates.compiler import Templates

SECRET_FIELDS = ("secret", "password")
Files = Callable[[str], str | None]
_OPTIONS = re2.Options()
_OPTIONS.log_errors = False


@dataclass(slots=True)
class Found:
    """What loading checks gathers beside them: what is signed besides the body, whether the body is read,
    and what there is to say where only parts of it are signed.
    """

    signs_headers: set[str] = field(default_factory=set)
    signed_only: bool = True
    reads_body: bool = False
    claims_are_body: bool = False
    signed_in_part: list[Lint] = field(default_factory=list)


class CheckLoader:
    """Loads the entries of `verify:`; findings go to the environment."""

    def __init__(self, env: Env, templates: Templates, files: Files) -> None:
        self.env = env
        self.templates = templates
        self.files = files
        self.found = Found()

    def report(self, node: Any, code: str, message: str, *, help: str | None = None) -> None:
        """A finding at a node, or at the start of a block."""
        place = node.place() if isinstance(node, Block) else node.place
        self.env.report(place.lint(code, message, help=help))

    def checks(self, entries: tuple[Node, ...], preset: str | None = None) -> list[Check]:
        """The checks of a list, those that could be loaded."""
        found: list[Check] = []
        for entry in entries:
            if isinstance(entry, ScalarNode) and entry.text in presets():
                example = f"{entry.text}: {{ secret: \"${{ secret('NAME') }}\" }}"
                self.report(entry, "E112", f"preset {entry.text} needs settings: {example}")
            elif not isinstance(entry, MapNode) or len(entry.items) != 1:
                self.report(entry, "E111", "a check is one method or preset with its settings")
            else:
                ((name, settings),) = entry.items.items()
                one = self.check(name, settings, entry.keys[name], preset)
                if one is not None:
                    found.append(one)
        return found

    def check(self, name: str, settings: Node, key: ScalarNode, preset: str | None) -> Check | None:
        if name == "any_of":
            if isinstance(settings, ListNode) and settings.items:
                return AnyOf(tuple(self.checks(settings.items, preset)))
            self.report(settings, "E111", "any_of is a list of checks")
            return None
        if name in presets():
            return self.preset(name, settings, key)
        if name not in METHODS:
            hint = suggest(name, [*METHODS, "any_of", *presets()])
            self.report(key, "E110", f"unknown verify method {name!r}{hint}")
            return None
        problems = check(settings, METHODS[name], f"verify.{name}")
        for lint in problems:
            self.env.report(replace(lint, line=key.place.line, column=key.place.column) if preset else lint)
        if problems or not isinstance(settings, MapNode):
            return None
        self.refuse_literals(settings)
        return self.method(name, Block(settings), preset)

    def method(self, name: str, block: Block, preset: str | None) -> Check | None:
        from adapters.receive import key_loader

        if name in ("hmac", "digest"):
            return self.signed(name, block, preset)
        if name == "token":
            return self.token(block, preset)
        if name == "jwt":
            return key_loader.jwt(self, block, preset)
        if name == "public_key":
            return key_loader.public_key(self, block, preset)
        self.found.signed_only = False
        if name == "basic":
            return Basic(
                username=block.text("username"), passwords=self.secrets(block, "password"), preset=preset
            )
        if name == "oauth2_client":
            return OAuth2Client(clients=block.texts("clients"), scope=block.text("scope", "xapi:write"))
        if block.text("i_understand") != UNDERSTOOD:
            self.report(block, "E312", f'checking is switched off only by i_understand: "{UNDERSTOOD}"')
        return Unchecked()

    def preset(self, name: str, settings: Node, key: ScalarNode) -> Check | None:
        template = presets()[name]
        method = method_of(name)
        if not isinstance(settings, MapNode):
            self.report(key, "E111", f"preset {name} is a mapping of settings such as secret")
            return None
        lacking = list(missing(name, settings))
        for path in lacking:
            self.report(key, "E112", f"preset {name} needs {path}: without it anybody's tokens are accepted")
        if lacking:
            return None
        body = template.items[method]
        if isinstance(body, ListNode):
            alternatives = []
            for one in body.items:
                assert isinstance(one, MapNode)
                inner, given = next(iter(one.items.items()))
                alternatives.append(self.check(inner, over(given, settings), key, name))
            return AnyOf(tuple(one for one in alternatives if one is not None))
        return self.check(method, over(body, settings), key, name)

    # -- secrets

    def refuse_literals(self, settings: MapNode) -> None:
        for name in SECRET_FIELDS:
            for node in Block(settings).listed(name):
                written = Block(node).get("value") if isinstance(node, MapNode) else node
                if isinstance(written, ScalarNode) and "${" not in written.text and len(written.text) > 8:
                    message = f"{name} is written out; secrets do not belong into files"
                    help = "write ${ secret('NAME') } and set NAME in the environment, or NAME_FILE"
                    self.report(written, "E308", message, help=help)

    def secrets(self, block: Block, name: str) -> tuple[SharedSecret, ...]:
        found: list[SharedSecret] = []
        for node in block.listed(name):
            until: datetime | None = None
            value: Node | None = node
            if isinstance(node, MapNode):
                for lint in check(node, ROTATED, name):
                    self.env.report(lint)
                until, value = self.moment(Block(node)), Block(node).get("value")
            if not isinstance(value, ScalarNode) or value.value is None:
                self.report(node, "E111", f"{name} is ${{ secret('NAME') }}, or {{ value, not_after }}")
                continue
            found.append(SharedSecret(self.templates.template(value, self.env), until))
        return tuple(found)

    def moment(self, block: Block) -> datetime | None:
        """The time under `not_after`."""
        node = block.scalar("not_after")
        if node is None:
            return None
        try:
            return instant(node.text, "UTC")
        except EvaluationError:
            self.report(node, "E111", f"not_after is a time such as 2026-12-31T00:00:00Z, got {node.text!r}")
            return None

    # -- signatures

    def signed(self, method: str, block: Block, preset: str | None) -> Check | None:
        signature = self.signature(block.block("signature"))
        message, names, timestamp = self.signed_parts(block, signature)
        if method == "digest" and "secret" not in names and message is not None:
            self.report(message, "E311", "message of a digest must contain ${ secret }")
        algorithm = block.text("algorithm", "sha256")
        if algorithm == "sha1":
            self.report(block, "W315", "sha1 is weak; use sha256 where the vendor offers it")
        if signature is None or (message is not None and not isinstance(message.value, str)):
            return None
        return Signed(
            method=method,
            algorithm=algorithm,
            secrets=self.secrets(block, "secret"),
            secret_prefix=block.text("secret_prefix"),
            secret_encoding=block.text("secret_encoding", "utf8"),
            message=self.message(message, with_secret=method == "digest" or "secret" in names),
            message_headers=tuple(sorted(headers_in(message))) if message is not None else (),
            message_parts=self.parts_of(message),
            signature=signature,
            timestamp=timestamp,
            preset=preset,
        )

    def parts_of(self, message: ScalarNode | None) -> Parts:
        """The parts of the body in a message that has not all of it."""
        if message is None or "raw_body" in names_in(message):
            return ()
        return body_parts_in(message)

    def signed_parts(
        self, block: Block, signature: SignatureSpec | None
    ) -> tuple[ScalarNode | None, set[str], TimestampSpec | None]:
        """The message, the names it uses, and the timestamp; told off where one is not covered."""
        message = block.scalar("message")
        names = names_in(message) if message is not None else {"raw_body"}
        timestamp = self.timestamp(block.block("timestamp")) if "timestamp" in block else None
        parts = self.parts_of(message)
        if parts:
            self.found.reads_body = True
        if timestamp is not None and "timestamp" not in names:
            path = timestamp.body.steps if timestamp.body is not None else None
            signed_with_body = "raw_body" in names or any(path[: len(part)] == part for part in parts if path)
            if path is None or not signed_with_body:
                lint = block.place("timestamp").lint("E310", "timestamp is checked but not part of message")
                self.env.report(lint)
        if "timestamp" in names and timestamp is None:
            self.report(block, "E112", "message uses timestamp: say where it is under `timestamp`")
        if "raw_body" not in names:
            what = "the body is not part of message, so it is not signed"
            if parts and () not in parts:
                what = "the rest of the body is not part of message, so it is not signed"
            lint = block.place("message").lint("W314", what)
            if not parts:
                self.env.report(lint)
            elif () not in parts:
                self.found.signed_in_part.append(lint)
        if ("raw_body" in names or () in parts) and signature is not None and signature.body is not None:
            message_text = "a signature in the body cannot cover all of it; `message` says what it covers"
            help = "such as message: ${ body.MSG }"
            self.report(block.get("signature"), "E315", message_text, help=help)
        self.found.signs_headers |= headers_in(message) if message is not None else set()
        return message, names, timestamp

    def message(self, node: ScalarNode | None, *, with_secret: bool) -> Closure | None:
        if node is None:
            return None
        names = {"body", "headers", "query", "raw_body", "timestamp", "url"}
        names |= {"secret"} if with_secret else set()
        return self.templates.template(node, replace(self.env, names=frozenset(names)))

    def signature(self, block: Block) -> SignatureSpec | None:
        places = [key for key in ("header", "query", "body") if key in block]
        if len(places) != 1:
            self.report(block, "E111", "a signature is in one of header, query, body")
            return None
        pairs = block.text("format", "plain") == "kv"
        if pairs and "key" not in block:
            self.report(block, "E112", "format kv needs `key`: which pairs are signatures")
        pattern: Any = None
        if "pattern" in block:
            node = block.scalar("pattern")
            try:
                pattern = re2.compile(block.text("pattern").replace("(?<sig>", "(?P<sig>"), _OPTIONS)
                if "sig" not in pattern.groupindex:
                    raise re2.error("it has no group `sig`: (?<sig>…)")
            except re2.error as error:
                reason = error.args[0].decode() if isinstance(error.args[0], bytes) else str(error)
                self.report(node, "E108", f"not a usable pattern: {reason}")
                return None
        path = self.one_place(block) if places == ["body"] else None
        if places == ["body"] and path is None:
            return None
        return SignatureSpec(
            headers=tuple(name.lower() for name in block.texts("header")),
            query=block.text("query") or None,
            body=path,
            prefix=block.text("prefix"),
            pattern=pattern,
            split=block.text("split") or None,
            pairs=pairs,
            separator=block.text("separator") or ",",
            keys=block.texts("key"),
            timestamp_key=block.text("timestamp_key", "t"),
            encoding=block.text("encoding", "hex"),
        )

    def timestamp(self, block: Block) -> TimestampSpec | None:
        if sum(key in block for key in ("header", "from", "body")) != 1:
            self.report(block, "E111", "a timestamp is in one of header, from, body")
            return None
        tolerance = block.scalar("tolerance")
        path = self.one_place(block) if "body" in block else None
        if "body" in block and path is None:
            return None
        return TimestampSpec(
            headers=tuple(name.lower() for name in block.texts("header")),
            from_signature="from" in block,
            body=path,
            unit=block.text("unit", "s"),
            tolerance=seconds(tolerance) if tolerance is not None else 0,
        )

    def token(self, block: Block, preset: str | None) -> Check | None:
        places = [key for key in ("header", "query", "body", "path") if key in block]
        self.found.signed_only = False
        if len(places) != 1:
            self.report(block, "E111", "a token is in one of header, query, body, path")
            return None
        path = self.body_path(block.text("body"), block.get("body")) if places == ["body"] else None
        if places == ["body"] and path is None:
            return None
        return Token(
            secrets=self.secrets(block, "secret"),
            header=block.text("header").lower() or None,
            query=block.text("query") or None,
            body=path,
            prefix=block.text("prefix"),
            preset=preset,
        )

    # -- places in the body

    def body_path(self, written: str, node: Node | None) -> BodyPath | None:
        """A path in the body, which has to be decoded before it is verified then."""
        self.found.reads_body = True
        path = body_path(written)
        if path is None:
            self.report(node, "E111", f"{WANTED} is wanted, got {written[:80]!r}")
        return path

    def one_place(self, block: Block) -> BodyPath | None:
        """The path under `body` of what is sent once."""
        node = block.get("body")
        path = self.body_path(block.text("body"), node)
        if path is not None and path.many:
            self.report(node, "E111", f"[*] is for tokens; one place is wanted, got {path.written!r}")
            return None
        return path
