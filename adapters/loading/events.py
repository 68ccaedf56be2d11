"""`receive:`: how a request is accepted, and how its payload falls into events with ids."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from adapters.expressions.environment import REQUEST_NAMES, Env
from adapters.expressions.scope import Scope
from adapters.expressions.values import EvaluationError, text
from adapters.loading.batch_paths import items_of
from adapters.loading.model import Block
from adapters.loading.shared import EVENT_NAMES, Loading
from adapters.loading.yaml_source import ScalarNode
from adapters.receive.incoming import Incoming
from adapters.receive.loader import ReceiveLoader
from adapters.receive.receiver import Receiver
from adapters.receive.references import headers_in, names_in
from adapters.splitting import EventPlan, content_hash
from adapters.templates.closures import named


class EventLoader:
    """Compiles the receiver and the plan that takes a payload apart."""

    def __init__(self, loading: Loading) -> None:
        self.loading = loading
        self.block = loading.block
        self.env = loading.env
        self.templates = loading.templates

    def receive(self) -> tuple[Receiver | None, EventPlan]:
        block = self.block.block("receive")
        plan = self.event_plan(block)
        if block.node is None:
            return None, plan[0]
        env = Env(collected=self.loading.collected, names=REQUEST_NAMES - {"timestamp"}, receiving=True)
        loader = ReceiveLoader(block, env, self.templates, self.loading.file_beside)
        loaded = loader.load()
        found = loaded.found
        event_plan = self.backed_by_body(plan, found.signs_headers, signed_only=found.signed_only)
        decoder = loader.decoder()
        receiver = Receiver(
            methods=tuple(method.upper() for method in block.texts("methods")) or ("POST",),
            content_types=tuple(one.lower() for one in block.texts("content_types")) or decoder.content_types,
            max_body=loader.max_body(),
            ip_allow=loader.networks(),
            checks=loaded.checks,
            handshakes=loaded.handshakes,
            decoder=decoder,
            reject_bad_payload=block.text("on_bad_payload", "store") == "reject",
            ack_status=loader.status("ack", 200, (200, 202, 204)),
            refuse_status=loader.status("refuse", 401, (401, 403)),
            secrets=frozenset(self.loading.collected.secrets),
            reads_body_first=found.reads_body,
            key=_delivery_key(event_plan),
            policy=loader.policy(),
        )
        return receiver, event_plan

    def event_plan(self, block: Block) -> tuple[EventPlan, ScalarNode | None]:
        env = replace(self.env, names=EVENT_NAMES - ({"item"} if "batch" not in block else set()))
        batch, event_id = block.get("batch"), block.get("event_id")
        without_items = replace(env, names=frozenset({"body", "headers", "query"}))
        already = len(self.loading.collected.reads)
        items = self.templates.expression(batch, without_items) if batch is not None else None
        plan = EventPlan(
            batch=items,
            items=items_of(batch) if batch is not None else None,
            batch_reads=tuple(self.loading.collected.reads[already:]),
            event_id=named("event_id", self.templates.template(event_id, env), env)
            if event_id is not None
            else None,
            mix_in_body=False,
            place=batch.place if batch is not None else self.loading.node.place,
        )
        return plan, event_id if isinstance(event_id, ScalarNode) else None

    def backed_by_body(
        self, plan: tuple[EventPlan, ScalarNode | None], signed: set[str], *, signed_only: bool
    ) -> EventPlan:
        """Where only the body is signed, an id from a header or the query can be forged on a replay."""
        event_plan, node = plan
        if node is None or not signed_only:
            return event_plan
        unsigned = headers_in(node) - signed
        if "headers" in names_in(node) and not headers_in(node):
            unsigned.add("…")
        if "query" in names_in(node) or unsigned:
            message = "event_id comes from an unsigned header or the query; the body's hash is added to it"
            self.loading.report(node.place.lint("W311", message))
            return replace(event_plan, mix_in_body=True)
        return event_plan


def _delivery_key(plan: EventPlan) -> Callable[[Any, Incoming, str], str]:
    """The delivery's key: its event's id; for batches and events without one, the hash of the raw body."""

    def key(payload: Any, sent: Incoming, digest: str) -> str:
        if plan.batch is not None or plan.event_id is None:
            return digest
        scope = Scope()
        scope.body, scope.index = payload, 0
        scope.headers, scope.query = sent.scope.headers, sent.scope.query
        try:
            found = plan.event_id(scope)
            if found is None:
                return digest
            return text(found) + (f":{content_hash(payload)[:16]}" if plan.mix_in_body else "")
        except EvaluationError:
            return digest

    return key
