"""The gateway as a process of its own: started, watched, stopped, killed."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

KEY, SECRET = "process", "secret-of-the-process"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class GatewayProcess:
    """`xapi-gateway serve` with the embedded database of a data directory."""

    def __init__(
        self, data_dir: Path, *, workers: int = 1, environment: dict[str, str] | None = None
    ) -> None:
        self.data_dir = data_dir
        self.port, self.content_port = free_port(), free_port()
        self.workers = workers
        self._environment = environment or {}
        self.process: subprocess.Popen[bytes] | None = None
        self.log = data_dir.parent / f"{data_dir.name}.log"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start and wait until it is ready."""
        environment = {
            **os.environ,
            "XAPI_GATEWAY__BOOTSTRAP__KEY": KEY,
            "XAPI_GATEWAY__BOOTSTRAP__SECRET": SECRET,
            **self._environment,
        }
        command = [sys.executable, "-m", "gateway", "serve", "--data-dir", str(self.data_dir)]
        command += ["--port", str(self.port), "--content-port", str(self.content_port)]
        command += ["--workers", str(self.workers)]
        with self.log.open("ab") as log:
            # On a terminal a hangup means that it closes, and the one who runs tests may sit at one.
            self.process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        deadline = time.monotonic() + 60
        while not self.ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the gateway did not start:\n{self.log.read_text()}")
            time.sleep(0.05)

    def ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def kill(self) -> None:
        """`kill -9`, with all worker processes."""
        assert self.process is not None
        workers = self.worker_pids()
        self.process.kill()
        self.process.wait(60)
        for pid in workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def worker_pids(self) -> list[int]:
        """The worker processes of a supervisor."""
        assert self.process is not None
        found = subprocess.run(
            ["pgrep", "-P", str(self.process.pid), "-f", "gateway serve"],
            capture_output=True,
            text=True,
            check=False,
        )
        return [int(line) for line in found.stdout.split()]


@contextlib.contextmanager
def gateway_process(data_dir: Path, **options: Any) -> Iterator[GatewayProcess]:
    """A started gateway, ended at the end whatever happened."""
    gateway = GatewayProcess(data_dir, **options)
    gateway.start()
    try:
        yield gateway
    finally:
        if gateway.process is not None and gateway.process.poll() is None:
            gateway.stop()
