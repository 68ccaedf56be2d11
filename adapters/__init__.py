"""The mapping engine: YAML in, pure functions from vendor payloads to xAPI statements out.

Performs no I/O, except `adapters.loading.files`, which reads mapping files. Knows nothing of the gateway
around it.
"""

from adapters.linting.findings import Lint, MappingError, render
from adapters.loading.loader import load_mapping
from adapters.mapping import Mapping
from adapters.outcomes import (
    Accepted,
    Adapted,
    Answered,
    Event,
    Failed,
    Held,
    Lookups,
    Outcome,
    Received,
    Refused,
    Request,
    Skipped,
    Taken,
    Unmatched,
    Verified,
    Wanting,
)
from adapters.receive.known import Client, Known
from adapters.resolving import Wanted

__all__ = [
    "Accepted",
    "Adapted",
    "Answered",
    "Client",
    "Event",
    "Failed",
    "Held",
    "Known",
    "Lint",
    "Lookups",
    "Mapping",
    "MappingError",
    "Outcome",
    "Received",
    "Refused",
    "Request",
    "Skipped",
    "Taken",
    "Unmatched",
    "Verified",
    "Wanted",
    "Wanting",
    "load_mapping",
    "render",
]
