"""The `receive:` block to a `Receiver`: presets expanded, methods compiled, insecure settings refused."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

import re2

from adapters.expressions.environment import Closure, CompileError, Env
from adapters.expressions.syntax import Call, Expression, Name, Step, children, constant_path
from adapters.interpolation import Piece, bare, parse_piece, pieces
from adapters.lints import suggest
from adapters.model import Block, check, octets, seconds
from adapters.receive.checks import AnyOf, Basic, Check, Signed, Token, Unchecked
from adapters.receive.decode import Decoder
from adapters.receive.grammar import METHODS, UNDERSTOOD, UNSUPPORTED
from adapters.receive.handshakes import Handshake
from adapters.receive.signature import SignatureSpec, TimestampSpec
from adapters.templates import Templates
from adapters.yaml_source import ListNode, MapNode, Node, ScalarNode, read_yaml, walk

SECRET_FIELDS = ("secret", "password")
_OPTIONS = re2.Options()
_OPTIONS.log_errors = False


@cache
def presets() -> dict[str, MapNode]:
    """The ways of signing that are known by a vendor's name."""
    text = files("adapters.receive").joinpath("presets.yaml").read_text("utf-8")
    node = read_yaml(text, "presets.yaml")
    assert isinstance(node, MapNode)
    return {name: one for name, one in node.items.items() if isinstance(one, MapNode)}


@dataclass(slots=True)
class Receiving:
    """What loading the block gathers: the checks, and what is signed beside the body."""

    checks: tuple[Check, ...] = ()
    handshakes: tuple[Handshake, ...] = ()
    signs_headers: set[str] = field(default_factory=set)
    signed_only: bool = True
    reads_body: bool = False


class ReceiveLoader:
    """Loads one `receive:` block that has passed the model's check; findings go to the environment."""

    def __init__(self, block: Block, env: Env, templates: Templates) -> None:
        self.block = block
        self.env = env
        self.templates = templates
        self.found = Receiving()

    def load(self) -> Receiving:
        verify = self.block.get("verify")
        if verify is not None:
            entries = verify.items if isinstance(verify, ListNode) else (verify,)
            if not entries:
                message = "nothing is checked; write none: { i_understand: … } to switch checking off"
                self.env.report(verify.place.lint("E312", message))
            self.found.checks = tuple(self.checks(entries))
        self.found.handshakes = tuple(
            self.handshake(Block(node), number)
            for number, node in enumerate(self.block.listed("handshakes"))
            if isinstance(node, MapNode)
        )
        if any(not one.verify_first for one in self.found.handshakes):
            self.found.reads_body = True
        return self.found

    # -- verify

    def checks(self, entries: tuple[Node, ...], preset: str | None = None) -> list[Check]:
        found: list[Check] = []
        for entry in entries:
            if isinstance(entry, ScalarNode) and entry.text in presets():
                example = f"{entry.text}: {{ secret: \"${{ secret('NAME') }}\" }}"
                message = f"preset {entry.text} needs settings: {example}"
                self.env.report(entry.place.lint("E112", message))
            elif not isinstance(entry, MapNode) or len(entry.items) != 1:
                self.env.report(entry.place.lint("E111", "a check is one method or preset with its settings"))
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
            self.env.report(settings.place.lint("E111", "any_of is a list of checks"))
            return None
        if name in UNSUPPORTED:
            message = f"verify method {name!r} is not supported in this version"
            self.env.report(key.place.lint("E301", message, help="use hmac, digest, token or basic"))
            return None
        if name in presets():
            return self.preset(name, settings, key)
        if name not in METHODS:
            hint = suggest(name, [*METHODS, "any_of", *presets()])
            self.env.report(key.place.lint("E110", f"unknown verify method {name!r}{hint}"))
            return None
        problems = check(settings, METHODS[name], f"verify.{name}")
        for lint in problems:
            self.env.report(replace(lint, line=key.place.line, column=key.place.column) if preset else lint)
        if problems or not isinstance(settings, MapNode):
            return None
        self.refuse_literals(settings)
        block = Block(settings)
        if name in ("hmac", "digest"):
            return self.signed(name, block, preset)
        if name == "token":
            return self.token(block, preset)
        self.found.signed_only = False
        if name == "basic":
            return Basic(
                username=block.text("username"), passwords=self.secrets(block, "password"), preset=preset
            )
        if block.text("i_understand") != UNDERSTOOD:
            message = f'checking is switched off only by i_understand: "{UNDERSTOOD}"'
            self.env.report(settings.place.lint("E312", message))
        return Unchecked()

    def preset(self, name: str, settings: Node, key: ScalarNode) -> Check | None:
        template = presets()[name]
        method = next(iter(template.items))
        if method in UNSUPPORTED:
            message = f"preset {name!r} needs the method {method}, which is not supported in this version"
            self.env.report(key.place.lint("E301", message))
            return None
        if not isinstance(settings, MapNode):
            self.env.report(key.place.lint("E111", f"preset {name} is a mapping of settings such as secret"))
            return None
        body = template.items[method]
        if isinstance(body, ListNode):
            alternatives = []
            for one in body.items:
                assert isinstance(one, MapNode)
                inner, given = next(iter(one.items.items()))
                alternatives.append(self.check(inner, _over(given, settings), key, name))
            return AnyOf(tuple(one for one in alternatives if one is not None))
        return self.check(method, _over(body, settings), key, name)

    def refuse_literals(self, settings: MapNode) -> None:
        for name in SECRET_FIELDS:
            for node in Block(settings).listed(name):
                if isinstance(node, ScalarNode) and "${" not in node.text and len(node.text) > 8:
                    message = f"{name} is written out; secrets do not belong into files"
                    help = "write ${ secret('NAME') } and set NAME in the environment, or NAME_FILE"
                    self.env.report(node.place.lint("E308", message, help=help))

    def secrets(self, block: Block, name: str) -> tuple[Closure, ...]:
        return tuple(self.templates.template(node, self.env) for node in block.listed(name))

    def signed(self, method: str, block: Block, preset: str | None) -> Check | None:
        signature = self.signature(block.block("signature"))
        message = block.scalar("message")
        names = names_in(message) if message is not None else {"raw_body"}
        timestamp = self.timestamp(block.block("timestamp")) if "timestamp" in block else None
        if timestamp is not None and "timestamp" not in names:
            signed_with_body = timestamp.body is not None and "raw_body" in names
            if not signed_with_body:
                self.env.report(
                    block.place("timestamp").lint("E310", "timestamp is checked but not part of message")
                )
        if "timestamp" in names and timestamp is None:
            self.env.report(
                block.place().lint("E112", "message uses timestamp: say where it is under `timestamp`")
            )
        if method == "digest" and "secret" not in names and message is not None:
            self.env.report(message.place.lint("E311", "message of a digest must contain ${ secret }"))
        if "raw_body" not in names:
            self.env.report(
                block.place("message").lint("W314", "the body is not part of message, so it is not signed")
            )
        headers = headers_in(message) if message is not None else set()
        self.found.signs_headers |= headers
        algorithm = block.text("algorithm", "sha256")
        if algorithm == "sha1":
            self.env.report(block.place().lint("W315", "sha1 is weak; use sha256 where the vendor offers it"))
        if signature is None or (message is not None and not isinstance(message.value, str)):
            return None
        narrow = names | {"secret"} if method == "digest" else names - {"secret"}
        env = replace(
            self.env,
            names=frozenset({"headers", "query", "raw_body", "timestamp", "url"} | (narrow & {"secret"})),
        )
        return Signed(
            method=method,
            algorithm=algorithm,
            secrets=self.secrets(block, "secret"),
            secret_prefix=block.text("secret_prefix"),
            secret_encoding=block.text("secret_encoding", "utf8"),
            message=self.templates.template(message, env) if message is not None else None,
            message_headers=tuple(sorted(headers)),
            signature=signature,
            timestamp=timestamp,
            preset=preset,
        )

    def signature(self, block: Block) -> SignatureSpec | None:
        places = [key for key in ("header", "query", "body") if key in block]
        if len(places) != 1:
            self.env.report(block.place().lint("E111", "a signature is in one of header, query, body"))
            return None
        pairs = block.text("format", "plain") == "kv"
        if pairs and "key" not in block:
            self.env.report(block.place().lint("E112", "format kv needs `key`: which pairs are signatures"))
        pattern: Any = None
        if "pattern" in block:
            node = block.scalar("pattern")
            try:
                pattern = re2.compile(block.text("pattern").replace("(?<sig>", "(?P<sig>"), _OPTIONS)
                if "sig" not in pattern.groupindex:
                    raise re2.error("it has no group `sig`: (?<sig>…)")
            except re2.error as error:
                reason = error.args[0].decode() if isinstance(error.args[0], bytes) else str(error)
                assert node is not None
                self.env.report(node.place.lint("E108", f"not a usable pattern: {reason}"))
                return None
        if places == ["body"]:
            self.found.reads_body = True
        return SignatureSpec(
            headers=tuple(name.lower() for name in block.texts("header")),
            query=block.text("query") or None,
            body=block.text("body") or None,
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
            self.env.report(block.place().lint("E111", "a timestamp is in one of header, from, body"))
            return None
        tolerance = block.scalar("tolerance")
        if "body" in block:
            self.found.reads_body = True
        return TimestampSpec(
            headers=tuple(name.lower() for name in block.texts("header")),
            from_signature="from" in block,
            body=block.text("body") or None,
            unit=block.text("unit", "s"),
            tolerance=seconds(tolerance) if tolerance is not None else 0,
        )

    def token(self, block: Block, preset: str | None) -> Check | None:
        places = [key for key in ("header", "query", "body", "path") if key in block]
        self.found.signed_only = False
        if len(places) != 1:
            self.env.report(block.place().lint("E111", "a token is in one of header, query, body, path"))
            return None
        if places == ["body"]:
            self.found.reads_body = True
        return Token(
            secrets=self.secrets(block, "secret"),
            header=block.text("header").lower() or None,
            query=block.text("query") or None,
            body=block.text("body") or None,
            prefix=block.text("prefix"),
            preset=preset,
        )

    # -- handshakes

    def handshake(self, block: Block, number: int) -> Handshake:
        respond = block.block("respond")
        when, name = block.get("when"), block.text("name", f"handshake-{number + 1}")
        json_node, text_node = respond.get("json"), respond.get("text")
        if json_node is not None and text_node is not None:
            self.env.report(respond.place("text").lint("E111", "an answer is json or text, not both"))
        status = respond.integer("status", 200)
        if not 200 <= status <= 299:
            self.env.report(
                respond.place("status").lint("E111", f"the status of an answer is 200 to 299, got {status}")
            )
        verify_first = block.flag("verify_first", default=False)
        if not verify_first and when is not None and json_node is not None:
            self.warn_oracle(when, json_node)
        return Handshake(
            name=name,
            methods=tuple(method.upper() for method in block.texts("methods")) or ("POST",),
            when=self.templates.condition(when, self.env) if when is not None else _never,
            verify_first=verify_first,
            status=status,
            json=self.templates.template(json_node, self.env) if json_node is not None else None,
            text=self.templates.template(text_node, self.env) if text_node is not None else None,
        )

    def warn_oracle(self, when: Node, answer: Node) -> None:
        """Signing what anybody sends must not be able to produce a signature of a real message."""
        signs = any("hmac_sha256" in node.text for node in walk(answer))
        guarded = isinstance(when, ScalarNode) and "matches(" in when.text.replace("| matches", "matches")
        if signs and not guarded:
            message = "this answer signs any text that is sent; guard the challenge with matches(…) in `when`"
            self.env.report(answer.place.lint("W313", message))

    # -- the rest

    def networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        found = []
        for node in self.block.listed("ip_allow"):
            try:
                found.append(ip_network(getattr(node, "text", "")))
            except ValueError as error:
                self.env.report(node.place.lint("E111", f"not a network in CIDR notation: {error}"))
        return tuple(found)

    def decoder(self) -> Decoder:
        node = self.block.get("decode")
        if node is None:
            return Decoder("json")
        if isinstance(node, MapNode) and set(node.items) == {"form_json"}:
            return Decoder("form_json", Block(node).text("form_json"))
        if isinstance(node, ScalarNode) and node.text == "form":
            return Decoder("form")
        if isinstance(node, ScalarNode) and node.text == "json":
            return Decoder("json")
        self.env.report(node.place.lint("E111", "decode is json, form or { form_json: field }"))
        return Decoder("json")

    def status(self, key: str, default: int, allowed: tuple[int, ...]) -> int:
        block = self.block.block(key)
        found = block.integer("status", default)
        if found not in allowed:
            options = ", ".join(map(str, allowed))
            self.env.report(
                block.place("status").lint("E111", f"{key}.status is one of {options}, got {found}")
            )
        return found

    def max_body(self) -> int:
        node = self.block.scalar("max_body")
        return octets(node) if node is not None else 1024 * 1024


def _never(scope: Any) -> bool:
    return False


def _over(base: Node, settings: MapNode) -> Node:
    """A preset's settings with the mapping's own laid over them, one level deep at a time."""
    if not isinstance(base, MapNode):
        return settings
    items, keys = dict(base.items), dict(base.keys)
    for key, value in settings.items.items():
        below = items.get(key)
        nested = isinstance(below, MapNode) and isinstance(value, MapNode)
        items[key] = _over(below, value) if nested else value  # type: ignore[arg-type]
        keys[key] = settings.keys[key]
    return MapNode(place=settings.place, items=items, keys=keys)


def expressions_in(node: ScalarNode) -> list[Expression]:
    """The expressions of a text that parse; others are reported where they are compiled."""
    try:
        parts = pieces(node) if "${" in node.text else [bare(node)]
        return [parse_piece(node, part) for part in parts if isinstance(part, Piece)]
    except CompileError:
        return []


def _terms(expression: Expression) -> list[Expression]:
    return [expression, *(term for child in children(expression) for term in _terms(child))]


def names_in(node: ScalarNode) -> set[str]:
    """The names a text's expressions use."""
    terms = [term for expression in expressions_in(node) for term in _terms(expression)]
    return {term.name for term in terms if isinstance(term, Name)}


def headers_in(node: ScalarNode) -> set[str]:
    """The headers a text's expressions read, in lower case."""
    found: set[str] = set()
    for expression in expressions_in(node):
        for term in _terms(expression):
            path = constant_path(term) if isinstance(term, Step) else None
            if path is not None and path[0] == "headers":
                found.add(str(path[1][0]).lower())
    return found


def calls_in(node: ScalarNode) -> set[str]:
    """The functions a text's expressions call."""
    terms = [term for expression in expressions_in(node) for term in _terms(expression)]
    return {term.name for term in terms if isinstance(term, Call)}
