"""The `receive:` block to the parts of a `Receiver`: handshakes, decoding, limits and answers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from adapters.expressions.environment import Env
from adapters.loading.model import Block, octets, seconds
from adapters.loading.yaml_source import ListNode, MapNode, Node, ScalarNode, walk
from adapters.receive.check_loader import CheckLoader, Files, Found
from adapters.receive.checks import Basic, Check, OAuth2Client, Token
from adapters.receive.decode import Decoder
from adapters.receive.handshakes import Handshake
from adapters.receive.jwt import Jwt
from adapters.receive.policy import Policy, Rate
from adapters.templates.compiler import Templates

_RATE = re.compile(r"(\d{1,6})\s*/\s*(s|m|h)")
# The longest that a vendor tries again, and a reserve: until then a repeated delivery must be recognised.
_PERIODS = {"s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiving:
    """What loading the block gathers: the checks, the handshakes, and what was found on the way."""

    checks: tuple[Check, ...]
    handshakes: tuple[Handshake, ...]
    found: Found


class ReceiveLoader:
    """Loads one `receive:` block that has passed the model's check; findings go to the environment."""

    def __init__(self, block: Block, env: Env, templates: Templates, files: Files) -> None:
        self.block = block
        self.env = env
        self.templates = templates
        self.verifying = CheckLoader(env, templates, files)

    def load(self) -> Receiving:
        verify = self.block.get("verify")
        checks: tuple[Check, ...] = ()
        if verify is not None:
            entries = verify.items if isinstance(verify, ListNode) else (verify,)
            if not entries:
                message = "nothing is checked; write none: { i_understand: … } to switch checking off"
                self.env.report(verify.place.lint("E312", message))
            checks = tuple(self.verifying.checks(entries))
        handshakes = tuple(
            self.handshake(Block(node), number)
            for number, node in enumerate(self.block.listed("handshakes"))
            if isinstance(node, MapNode)
        )
        found = self.verifying.found
        if not any(isinstance(one, (Basic, Jwt, OAuth2Client, Token)) for one in checks):
            # Whoever has to know a secret besides is not somebody who changed what is not signed.
            for lint in found.signed_in_part:
                self.env.report(lint)
        if any(not one.verify_first for one in handshakes):
            found.reads_body = True
        return Receiving(checks=checks, handshakes=handshakes, found=found)

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
        claims = self.verifying.found.claims_are_body
        if node is None:
            return Decoder("jwt" if claims else "json")
        if isinstance(node, MapNode) and set(node.items) == {"form_json"}:
            return Decoder("form_json", Block(node).text("form_json"))
        for kind in ("json", "form", "jwt", "pubsub"):
            if isinstance(node, ScalarNode) and node.text == kind:
                if (kind == "jwt") is not claims:
                    message = "decode: jwt goes with a check jwt that has from: body and claims_become: body"
                    self.env.report(node.place.lint("E111", message))
                return Decoder(kind)
        message = "decode is json, form, { form_json: field }, jwt or pubsub"
        self.env.report(node.place.lint("E111", message))
        return Decoder("json")

    def policy(self) -> Policy:
        """What the gateway does around receiving: rate and alarm."""
        quiet = self.block.scalar("quiet_after")
        return Policy(
            rate=self.rate(),
            quiet_after=seconds(quiet) if quiet is not None else None,
            retired=self.block.flag("retired", default=False),
        )

    def rate(self) -> Rate | None:
        node = self.block.scalar("rate")
        if node is None:
            return None
        match = _RATE.fullmatch(node.text)
        if match is None or int(match[1]) == 0:
            message = f"rate is a number of requests per s, m or h, such as 600/m, got {node.text!r}"
            self.env.report(node.place.lint("E111", message))
            return None
        return Rate(int(match[1]), _PERIODS[match[2]])

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
