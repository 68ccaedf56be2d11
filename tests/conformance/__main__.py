"""`python -m tests.conformance SUITE [RUNS]`: one gateway with two workers, both versions, several runs in a
row.

SUITE is the folder of an installed checkout of adlnet/lrs-conformance-test-suite. The suite's exit status
says little, so its logs decide: every planned test has to be in them as passed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.process import KEY, SECRET, GatewayProcess, gateway_process

PLANNED = {"1.0.3": 1365, "2.0.0": 1442}
MOUNTS = {"1.0.3": "/v1/xapi", "2.0.0": "/xapi"}


def main(suite: Path, runs: int) -> int:
    if not (suite / "bin" / "console_runner.js").exists():
        print(f"{suite} holds no bin/console_runner.js: it is not the suite", file=sys.stderr)
        return 2
    failed = 0
    with (
        tempfile.TemporaryDirectory() as directory,
        gateway_process(Path(directory) / "data", workers=2) as gateway,
    ):
        for number in range(1, runs + 1):
            for version in MOUNTS:
                failed += run(suite, gateway, version, number)
    return 1 if failed else 0


def run(suite: Path, gateway: GatewayProcess, version: str, number: int) -> int:
    """One run of one version; how many planned tests did not pass."""
    logs = suite / "logs"
    before = set(logs.glob("*.log"))
    command = ["node", "bin/console_runner.js", "-e", gateway.url + MOUNTS[version]]
    command += ["-a", "-u", KEY, "-p", SECRET, "-x", version]
    subprocess.run(command, cwd=suite, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    [log] = set(logs.glob("*.log")) - before
    report = json.loads(log.read_text())
    passed = int(report["summary"].get("passed") or 0)
    planned = PLANNED[version]
    print(f"run {number}, version {version}: {passed} of {planned} passed", flush=True)
    if passed < planned:
        for title in failures(report["log"], []):
            print(f"  failed: {title}")
    return planned - passed


def failures(node: dict[str, object], path: list[str]) -> list[str]:
    """The full titles of all tests below `node` that did not pass."""
    children = [child for child in node.get("tests") or [] if isinstance(child, dict)]  # type: ignore[attr-defined]
    if not children:
        return [] if node.get("status") == "passed" else [" > ".join(path)]
    return [title for child in children for title in failures(child, [*path, str(child.get("title") or "")])]


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 3))
