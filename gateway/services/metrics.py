"""What is counted. With several worker processes the numbers of all of them are added up."""

from __future__ import annotations

import functools
import os
from pathlib import Path

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

# Read by prometheus_client itself when it is imported, so set before a worker starts.
MULTIPROCESS_DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"

STATEMENTS = Counter("xapi_gateway_statements", "Statements stored.", ["store"])
GROUP_SIZE = Histogram(
    "xapi_gateway_commit_statements",
    "Statements written together.",
    ["store"],
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 10000),
)
COMMIT_SECONDS = Histogram(
    "xapi_gateway_commit_seconds",
    "From the start of a group commit to its durable end.",
    ["store"],
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10),
)
REQUESTS = Counter("xapi_gateway_requests", "Requests answered.", ["area", "method", "status"])
CLIENTS_GONE = Counter(
    "xapi_gateway_clients_gone", "Requests whose client hung up before they were read or answered."
)
DELIVERIES = Counter(
    "xapi_gateway_deliveries", "Webhook requests by what became of them.", ["adapter", "outcome"]
)
EVENTS = Counter(
    "xapi_gateway_delivery_events",
    "Events of deliveries by what mapping made of them.",
    ["adapter", "outcome"],
)
VERIFIED = Counter(
    "xapi_gateway_deliveries_verified",
    "Verified requests by method and position of the secret or key that matched: is an old one out of use?",
    ["adapter", "method", "key"],
)
SKEW = Histogram(
    "xapi_gateway_delivery_skew_seconds",
    "How far the time in a verified request was from this machine's clock.",
    ["adapter", "side"],
    buckets=(0.5, 1, 2, 5, 10, 30, 60, 120, 300, 3600),
)
EVENT_STATEMENTS = Counter("xapi_gateway_delivery_statements", "Statements made of deliveries.", ["adapter"])
QUEUE_DEPTH = Gauge(
    "xapi_gateway_deliveries_waiting", "Deliveries to be mapped.", ["store"], multiprocess_mode="mostrecent"
)
QUEUE_AGE = Gauge(
    "xapi_gateway_deliveries_overdue_seconds",
    "For how long the delivery has been due that waits longest.",
    ["store"],
    multiprocess_mode="mostrecent",
)
REFUSING = Gauge(
    "xapi_gateway_deliveries_refusing",
    "1 while deliveries are answered 503 because the queue is over its limits.",
    ["store"],
    multiprocess_mode="mostrecent",
)
QUIET_SECONDS = Gauge(
    "xapi_gateway_adapter_quiet_seconds",
    "Since when an adapter with `quiet_after` has received nothing.",
    ["adapter"],
    multiprocess_mode="mostrecent",
)
QUIET_ALARM = Gauge(
    "xapi_gateway_adapter_quiet",
    "1 while an adapter has been silent for longer than its `quiet_after`.",
    ["adapter"],
    multiprocess_mode="mostrecent",
)


FETCHES = Counter(
    "xapi_gateway_fetches", "Answers of vendors that fetch_back asked.", ["connection", "outcome"]
)
SHADOW_STATEMENTS = Counter(
    "xapi_gateway_shadow_statements",
    "Statements of shadow mappings beside those of the active one: same, different, missing, extra, failed.",
    ["adapter", "outcome"],
)
MAPPING_RELOADS = Counter(
    "xapi_gateway_mapping_reloads",
    "Changed mappings by what became of them: swapped, or kept because the new one cannot be used.",
    ["adapter", "outcome"],
)
MAPPINGS_KEPT = Gauge(
    "xapi_gateway_mappings_kept",
    "Adapters that run an older mapping because the file as it is now cannot be used.",
    multiprocess_mode="max",
)


@functools.lru_cache(maxsize=4096)
def labelled(counter: Counter, *labels: str) -> Counter:
    """A counter with its labels; remembered, because looking one up costs more than counting."""
    return counter.labels(*labels)


def exposition() -> tuple[bytes, str]:
    """All measurements as text, and its content type."""
    registry: CollectorRegistry = REGISTRY
    if MULTIPROCESS_DIRECTORY in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry), CONTENT_TYPE_LATEST


def prepare_directory(directory: Path) -> Path:
    """Make an empty directory for the numbers of worker processes; what earlier ones left is removed."""
    directory.mkdir(parents=True, exist_ok=True)
    for left in directory.glob("*.db"):
        left.unlink()
    return directory.resolve()


def forget_process(pid: int, directory: Path) -> None:
    """Drop the gauges of a worker that ended; its counters stay in the sum."""
    mark_process_dead(pid, str(directory))  # type: ignore[no-untyped-call]
