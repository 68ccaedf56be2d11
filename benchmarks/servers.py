"""The servers of a run as processes of their own, and what they cost: CPU time and memory."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import ceilings
from benchmarks.documents import KEY
from benchmarks.work import HOOK_SECRET
from gateway.store.mongod import free_port

SECRET = "benchmark-secret"
CEILING_DATABASE = "benchmark_ceiling"
_START_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Running:
    """A server on this machine."""

    port: int
    pid: int

    def cpu_seconds(self) -> float:
        """CPU time it has used; 0 where the system does not say."""
        return cpu_seconds(self.pid)

    def peak_memory(self) -> float | None:
        """The most memory it ever had resident, in MiB."""
        try:
            status = Path(f"/proc/{self.pid}/status").read_text()
        except OSError:
            return None
        return next((int(line.split()[1]) / 1024 for line in status.splitlines() if "VmHWM" in line), None)


def cpu_seconds(pid: int | None) -> float:
    """CPU time a process has used; 0 where the system does not say."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@asynccontextmanager
async def gateway(data_dir: Path, database: str, log: Path) -> AsyncIterator[Running]:
    """The gateway, one worker, on the embedded server of the data directory."""
    port = free_port()
    command = ["gateway", "serve", "--data-dir", str(data_dir), "--port", str(port), "--content-port", "0"]
    environment = {
        "XAPI_GATEWAY__BOOTSTRAP__KEY": KEY,
        "XAPI_GATEWAY__BOOTSTRAP__SECRET": SECRET,
        "XAPI_GATEWAY__MONGO__DATABASE": database,
        "ZOOM_SECRET_TOKEN": HOOK_SECRET,
    }
    async with _running(command, environment, port, log) as server:
        yield server


@asynccontextmanager
async def ceiling(uri: str, database: str, log: Path) -> AsyncIterator[Running]:
    """The ceilings, reading what the database of a gateway holds."""
    port = free_port()
    command = ["benchmarks.ceilings", str(port), CEILING_DATABASE, database]
    async with _running(command, {ceilings.URI: uri}, port, log) as server:
        yield server


@asynccontextmanager
async def _running(
    command: list[str], environment: Mapping[str, str], port: int, log: Path
) -> AsyncIterator[Running]:
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", *command, env=os.environ | environment, stdout=output, stderr=output
        )
    try:
        async with asyncio.timeout(_START_SECONDS):
            while not await _listens(port):
                if process.returncode is not None:
                    raise RuntimeError(f"{command[0]} ended: {log.read_text()[-2000:]}")
                await asyncio.sleep(0.1)
        yield Running(port, process.pid)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            await process.wait()


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True
