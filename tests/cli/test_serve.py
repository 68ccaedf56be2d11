from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from base64 import b64encode
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from tests.process import KEY, SECRET, GatewayProcess, gateway_process

STATEMENT = {
    "actor": {"account": {"homePage": "https://id.example.edu", "name": "ada"}},
    "verb": {"id": "http://adlnet.gov/expapi/verbs/completed"},
    "object": {"id": "https://lms.example.edu/courses/1"},
}


_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def headers_of(key: str, secret: str) -> dict[str, str]:
    pair = b64encode(f"{key}:{secret}".encode()).decode()
    return {
        "Authorization": f"Basic {pair}",
        "Content-Type": "application/json",
        "X-Experience-API-Version": "2.0.0",
    }


def call(gateway: GatewayProcess, path: str, body: Any = None, key: str = KEY, secret: str = SECRET) -> Any:
    request = urllib.request.Request(
        gateway.url + path,
        data=None if body is None else json.dumps(body).encode(),
        headers=headers_of(key, secret),
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())


def command(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gateway", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | environment,
    )


def test_it_serves_drains_on_sigterm_and_keeps_everything_for_the_next_start(tmp_path: Path) -> None:
    with gateway_process(tmp_path / "data") as gateway:
        assert gateway.process is not None
        [first] = call(gateway, "/xapi/statements", STATEMENT)
        banner = gateway.log.read_text()
        assert f"LRS      {gateway.url}/xapi" in banner
        assert f"Secret   {SECRET}   shown this once" in banner
        assert f"Console  {gateway.url}/admin/\n  Sign in  {gateway.url}/admin/welcome/" in banner
        listed = command("credentials", "list", "--json", "--data-dir", str(gateway.data_dir))
        assert [each["key"] for each in json.loads(listed.stdout)] == [KEY]
        [made] = call(gateway, "/api/v1/audit?action=credentials.create")["entries"]
        assert made["objects"] == {"key": KEY}
        assert made["detail"] == {"scopes": ["all"], "first": True}

        # What a command warns of never mixes with what it answers.
        exported = command(
            "statements", "export", "--data-dir", str(gateway.data_dir), ZOOM_SECRET_TOKEN_FILE="/nowhere"
        )
        assert [json.loads(line)["id"] for line in exported.stdout.splitlines()] == [first]
        warned = command(
            "doctor", "--json", "--data-dir", str(gateway.data_dir), ZOOM_SECRET_TOKEN_FILE="/nowhere"
        )
        assert "secret file unreadable" in warned.stderr
        assert json.loads(warned.stdout)["ok"] is True

        # A request that is under way when SIGTERM comes is answered before the process ends.
        body = json.dumps([dict(STATEMENT) for _ in range(2000)]).encode()
        with contextlib.closing(HTTPConnection("127.0.0.1", gateway.port, timeout=60)) as connection:
            connection.putrequest("POST", "/xapi/statements")
            for name, value in {**headers_of(KEY, SECRET), "Expect": "100-continue"}.items():
                connection.putheader(name, value)
            connection.putheader("Content-Length", str(len(body)))
            connection.endheaders()
            assert connection.sock.recv(len(_CONTINUE), socket.MSG_WAITALL) == _CONTINUE
            gateway.process.terminate()
            while gateway.ready():
                time.sleep(0.02)
            connection.send(body)
            answer = json.loads(connection.getresponse().read())
        assert len(answer) == 2000
        assert gateway.process.wait(60) == 0

        gateway.start()
        found = call(gateway, f"/xapi/statements?statementId={first}")
        assert found["actor"] == STATEMENT["actor"]
        assert len(call(gateway, f"/xapi/statements?statementId={answer[-1]}")["id"]) == 36
        assert "Secret   shown at the first start" in gateway.log.read_text()


def test_log_lines_of_a_request_carry_its_id(tmp_path: Path) -> None:
    with gateway_process(
        tmp_path / "data",
        environment={"XAPI_GATEWAY__LOG__LEVEL": "debug", "XAPI_GATEWAY__LOG__FORMAT": "json"},
    ) as gateway:
        request = urllib.request.Request(f"{gateway.url}/healthz", headers={"X-Request-ID": "trace-7"})
        with urllib.request.urlopen(request, timeout=20) as answer:
            assert answer.headers["X-Request-ID"] == "trace-7"
        assert gateway.stop() == 0
        lines = [json.loads(line) for line in gateway.log.read_text().splitlines() if line.startswith("{")]
        [line] = [line for line in lines if line.get("request") == "trace-7"]
        assert (line["event"], line["path"], line["status"]) == ("request", "/healthz", 200)


def test_a_supervisor_replaces_a_worker_that_dies(tmp_path: Path) -> None:
    with gateway_process(tmp_path / "data", workers=2) as gateway:
        before = gateway.worker_pids()
        assert len(before) == 2
        os.kill(before[0], signal.SIGKILL)
        deadline = time.monotonic() + 60
        while len(set(gateway.worker_pids()) - set(before)) != 1 and time.monotonic() < deadline:
            time.sleep(0.1)
        after = gateway.worker_pids()
        assert before[1] in after
        assert len(after) == 2
        # The one that was killed may have been the only one that listened already.
        while not gateway.ready() and time.monotonic() < deadline:
            time.sleep(0.1)
        [stored] = call(gateway, "/xapi/statements", STATEMENT)
        assert call(gateway, f"/xapi/statements?statementId={stored}")["id"] == stored
        assert gateway.stop() == 0
        assert '"event": "worker died"' in gateway.log.read_text()


def test_a_hangup_has_every_worker_read_its_mappings_again_and_keep_what_it_has_where_they_are_broken(
    tmp_path: Path,
) -> None:
    file = tmp_path / "mappings" / "acme.yaml"
    file.parent.mkdir()
    text = "adapter: acme\nversion: {}\nrules: [ {{ name: all, ignore: true }} ]\n"
    file.write_text(text.format(1))
    settings = {"XAPI_GATEWAY__HOOKS__MAPPINGS": str(file.parent), "XAPI_GATEWAY__HOOKS__WATCH": "0s"}

    with gateway_process(tmp_path / "data", workers=2, environment=settings) as gateway:

        def adapters_of(pids: list[int]) -> list[dict[str, Any]]:
            processes = call(gateway, "/api/v1/mappings/status")["processes"]
            return [one["mappings"][0] for one in processes if one["pid"] in pids]

        def hang_up_until(done: Callable[[dict[str, Any]], bool]) -> None:
            assert gateway.process is not None
            gateway.process.send_signal(signal.SIGHUP)
            deadline = time.monotonic() + 60
            while len(found := adapters_of(workers)) != 2 or not all(map(done, found)):
                assert time.monotonic() < deadline, found
                time.sleep(0.1)

        workers = gateway.worker_pids()
        assert len(workers) == 2
        file.write_text(text.format(2))
        hang_up_until(lambda one: one["version"] == 2 and one["kept"] is None)
        file.write_text("adapter: acme\nrules: nonsense\n")
        hang_up_until(lambda one: one["version"] == 2 and one["kept"] is not None)
        file.write_text(text.format(3))
        hang_up_until(lambda one: one["version"] == 3 and one["kept"] is None)
        assert gateway.worker_pids() == workers
        assert gateway.stop() == 0
        assert gateway.log.read_text().count('"event": "mappings are read again"') == 3


def test_workers_end_with_their_supervisor_however_it_ended(tmp_path: Path) -> None:
    with gateway_process(tmp_path / "data", workers=2) as gateway:
        workers = gateway.worker_pids()
        assert gateway.process is not None
        gateway.process.kill()
        gateway.process.wait(20)
        deadline = time.monotonic() + 60
        while any(Path(f"/proc/{pid}").exists() for pid in workers) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert [pid for pid in workers if Path(f"/proc/{pid}").exists()] == []


def test_a_port_that_is_taken_is_said_in_one_sentence(tmp_path: Path) -> None:
    with gateway_process(tmp_path / "data") as gateway:
        second = command(
            "serve", "--data-dir", str(gateway.data_dir), "--port", str(gateway.port), "--content-port", "0"
        )
        assert second.returncode == 1
        assert f"port {gateway.port}" in second.stderr
        assert "Traceback" not in second.stderr


def test_credentials_are_created_rotated_and_revoked_while_the_gateway_runs(tmp_path: Path) -> None:
    with gateway_process(tmp_path / "data") as gateway:
        place = ("--data-dir", str(gateway.data_dir))
        created = json.loads(
            command(
                "credentials", "create", "--name", "Reports", "--scope", "statements/read",
                "--owner", "IR office", "--purpose", "weekly report", *place,
            ).stdout
        )  # fmt: skip
        assert (created["scopes"], created["owner"]) == (["statements/read"], "IR office")
        key, secret = created["key"], created["secret"]
        assert call(gateway, "/xapi/statements", key=key, secret=secret)["statements"] == []

        rotated = json.loads(command("credentials", "rotate", key, *place).stdout)
        assert rotated["secret"] != secret
        assert call(gateway, "/xapi/statements", key=key, secret=rotated["secret"])["more"] == ""

        assert command("credentials", "revoke", key, *place).stdout == f"{key} is revoked\n"
        again = command("credentials", "rotate", key, *place)
        assert again.returncode == 1
        assert again.stderr == f"Error: there is no credential with the key {key} that is not revoked\n"
        chosen = command(
            "credentials", "create", "--name", "x", "--scope", "all", "--key", KEY, "--secret", "x", *place
        )
        assert chosen.returncode == 1
        assert chosen.stderr == f"Error: there is a credential with the key {KEY} already\n"
