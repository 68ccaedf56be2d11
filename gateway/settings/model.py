"""The settings as the program reads them: one frozen type per section, and where each value came from.

Sizes are integers of bytes, durations are floats of seconds. No defaults stand here: they are in the shipped
`gateway.yaml`, the allowed values in `settings.schema.json`, and the tests compare the three.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from gateway.settings.formats import Network

_SHIPPED = Path("shipped")


class Secret:
    """A text that is shown only by `reveal()`.

    Not a dataclass, because serialisers such as orjson would write its value.
    """

    __slots__ = ("_shown", "_value")

    def __init__(self, value: str) -> None:
        self._value = value
        self._shown = _without_passwords(value)

    def reveal(self) -> str:
        """The text itself."""
        return self._value

    def __str__(self) -> str:
        return self._shown

    def __repr__(self) -> str:
        return f"Secret({self._shown!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    host: str
    port: int
    content_port: int
    public_url: str | None
    content_url: str | None
    base_path: str
    workers: int
    trusted_proxies: tuple[Network, ...]
    shutdown_grace: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSettings:
    dir: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class MongoSettings:
    uri: Secret | None
    database: str
    connect_timeout: float
    operation_timeout: float
    embedded_cache: int
    embedded_oplog: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BootstrapSettings:
    key: str | None
    secret: Secret | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoresSettings:
    default: str
    others: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Every store, the default one first."""
        return (self.default, *self.others)


@dataclass(frozen=True, slots=True, kw_only=True)
class XapiSettings:
    max_body: int
    max_statements: int
    max_document: int
    page_size: int
    page_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsSettings:
    max_body: int
    idle_timeout: float
    head_timeout: float
    body_timeout: float
    body_rate: int
    answer_timeout: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupCommitSettings:
    max_statements: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterSettings:
    """One more adapter of a mapping; `secrets` and `connections` are its own names for the mapping's."""

    mapping: str
    secrets: Mapping[str, str] = field(default_factory=dict)
    source: Mapping[str, str] = field(default_factory=dict)
    connections: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionSettings:
    """Where `fetch_back` may fetch. `auth` names secrets: `basic` (`user`, `password`), `bearer`, `header`
    (`name`, `value`), `oauth2` or `service_account`. `timeout` in seconds and `max_body` in bytes are those
    of one answer.
    """

    base_url: str
    auth: Mapping[str, Any] = field(default_factory=dict)
    timeout: float = 10.0
    max_body: int = 256 * 1024
    allow_private: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivacySettings:
    key: Secret | None
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HooksSettings:
    mappings: Path | tuple[Path, ...] | None
    max_body: int
    watch: float
    adapters: Mapping[str, Mapping[str, Any]]
    connections: Mapping[str, Mapping[str, Any]]
    stores: Mapping[str, str]
    workers: int
    max_queue: int
    max_queue_age: float
    retention: float
    raw_retention: float

    @property
    def folders(self) -> tuple[Path | None, ...]:
        """The folders of mappings, the later ones over the earlier; None is the shipped one."""
        written = self.mappings if isinstance(self.mappings, tuple) else (self.mappings,)
        return tuple(None if folder == _SHIPPED else folder for folder in written)

    @property
    def instances(self) -> Mapping[str, AdapterSettings]:
        """The further adapters of mappings, by their names."""
        return {name: AdapterSettings(**written) for name, written in self.adapters.items()}

    @property
    def vendors(self) -> Mapping[str, ConnectionSettings]:
        """The connections, by their names."""
        return {name: ConnectionSettings(**written) for name, written in self.connections.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cmi5Settings:
    link_lifetime: float
    session_lifetime: float
    idle_timeout: float
    return_url: str | None
    max_package: int
    max_unpacked: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticesSettings:
    url: str | None
    secret: Secret | None
    events: tuple[str, ...]
    allow: tuple[Network, ...]
    timeout: float
    attempts: int
    pause: float
    retention: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CorsSettings:
    allow_origins: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleSettings:
    session_lifetime: float
    idle_timeout: float
    passwords: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcSettings:
    issuer: str | None
    client_id: str | None
    client_secret: Secret | None
    name: str
    scopes: tuple[str, ...]
    roles_claim: str
    roles: Mapping[str, str]
    default_role: str | None
    allowed_domains: tuple[str, ...]
    verified_email: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportsSettings:
    time_zone: str
    threshold: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditSettings:
    reads: bool
    retention: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    format: Literal["auto", "console", "json"]
    level: Literal["debug", "info", "warning", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsSettings:
    enabled: bool
    token: Secret | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a value came from: `place` is a file with line and column, a variable, or a flag."""

    kind: Literal["default", "file", "environment", "flag"]
    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that can be set. `origins` and `written` go by option, such as `server.port`."""

    server: ServerSettings
    data: DataSettings
    mongo: MongoSettings
    bootstrap: BootstrapSettings
    stores: StoresSettings
    xapi: XapiSettings
    limits: LimitsSettings
    group_commit: GroupCommitSettings
    hooks: HooksSettings
    privacy: PrivacySettings
    cmi5: Cmi5Settings
    notices: NoticesSettings
    cors: CorsSettings
    console: ConsoleSettings
    oidc: OidcSettings
    reports: ReportsSettings
    audit: AuditSettings
    log: LogSettings
    metrics: MetricsSettings
    origins: Mapping[str, Origin] = field(repr=False, compare=False)
    """Where each value came from."""
    written: Mapping[str, object] = field(repr=False, compare=False)
    """Each value as it was written (`20s`, not 20.0), secrets masked; it can be turned into JSON."""

    @property
    def databases(self) -> Mapping[str, str]:
        """The MongoDB database of each store."""
        base = self.mongo.database
        return {self.stores.default: base} | {name: f"{base}_{name}" for name in self.stores.others}


@dataclass(frozen=True, slots=True)
class SettingsProblem:
    """One mistake: the file with line and column, the variable or the flag, and what is wrong with it."""

    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


class SettingsError(Exception):
    """The settings cannot be used; `problems` has every mistake that was found, in the order of reading."""

    def __init__(self, problems: tuple[SettingsProblem, ...]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


_CONNECTION_STRING = re.compile(r"(mongodb(?:\+srv)?://)(?:.*@)?(.*)", re.DOTALL)
_SECRET_PARAMETER = re.compile(r"(?i)([^?&=]*(?:password|properties)[^&=]*=)[^&]*")


def _without_passwords(value: str) -> str:
    """`***`, except that a connection string keeps its hosts and harmless parameters."""
    match = _CONNECTION_STRING.fullmatch(value)
    if match is None:
        return "***"
    user = "***@" if "@" in value else ""
    return match[1] + user + _SECRET_PARAMETER.sub(r"\1***", match[2])
