"""The nginx of docs/production.md is run: the page's text with other ports and a certificate made here."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import re
import shutil
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from aiohttp import ClientSession, DummyCookieJar, TCPConnector, web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.app import build_content_app
from tests.gateway import Gateway, Http
from tests.process import free_port
from tests.waiting import until
from tests.web.au import LEARNER, course_zip, imported

PAGE = (Path(__file__).parent.parent / "docs" / "production.md").read_text()
WHOLE, BELOW_A_PATH = re.findall(r"^```nginx\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
LRS, CONTENT = "lrs.example.org", "content.example.net"

Serve = Callable[..., AbstractAsyncContextManager[Gateway]]


def _certificate(folder: Path) -> None:
    """`folder`/tls.pem and tls.key for the hosts of the page, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, LRS)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(LRS), x509.DNSName(CONTENT)]), False)
        .sign(key, hashes.SHA256())
    )
    (folder / "tls.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "tls.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )


@asynccontextmanager
async def nginx(folder: Path, servers: str, port: int) -> AsyncIterator[None]:
    """nginx in front of a gateway, until left; all its files are in `folder`."""
    program = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/local/bin:/usr/bin")
    assert program, "the tests run the nginx of docs/production.md: install the system's package nginx"
    temporary = " ".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root; " if os.geteuid() == 0 else ""  # else its workers may not enter the folder
    (folder / "nginx.conf").write_text(
        f"{user}daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;\n"
        f"events {{}}\nhttp {{ access_log off; {temporary}\n{servers}\n}}\n"
    )
    process = await asyncio.create_subprocess_exec(
        program, "-e", f"{folder}/error.log", "-p", str(folder), "-c", f"{folder}/nginx.conf"
    )

    async def listening() -> bool:
        assert process.returncode is None, (folder / "error.log").read_text()
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            return False
        writer.close()
        return True

    try:
        await until(listening)
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


@pytest.fixture
async def proxied(tmp_path: Path, serve: Serve) -> AsyncIterator[tuple[Gateway, Http, Http]]:
    """The gateway and its course content behind the page's nginx, and requests to both through it.

    The page's settings are left to the request here, so that what nginx says of it counts.
    """
    _certificate(tmp_path)
    port = free_port()
    async with serve(server__trusted_proxies=["127.0.0.1"]) as gateway:
        runner = web.AppRunner(build_content_app({"main": gateway.services}), access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        changes = {
            "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
            "127.0.0.1:8080": f"127.0.0.1:{gateway.port}",
            "127.0.0.1:8081": f"127.0.0.1:{runner.addresses[0][1]}",
        }
        servers = re.sub(r"/etc/ssl/\S+\.(pem|key);", rf"{tmp_path}/tls.\1;", WHOLE)
        for old, new in changes.items():
            assert old in servers
            servers = servers.replace(old, new)
        trust = ssl.create_default_context(cafile=tmp_path / "tls.pem")
        trust.check_hostname = False  # the connection goes to an address, the host is in the header
        try:
            async with (
                nginx(tmp_path, servers, port),
                ClientSession(connector=TCPConnector(ssl=trust), cookie_jar=DummyCookieJar()) as session,
            ):
                base = f"https://127.0.0.1:{port}"
                yield (
                    gateway,
                    Http(session=session, base=base, headers={**gateway.lrs.headers, "Host": LRS}),
                    Http(session=session, base=base, headers={"Host": CONTENT}),
                )
        finally:
            await runner.cleanup()


async def test_paths_and_large_bodies_come_through_as_they_were_sent(
    proxied: tuple[Gateway, Http, Http],
) -> None:
    gateway, http, _ = proxied
    lrs = http.at(f"{http.base}/xapi")
    body = b"\0\xff" * (6 << 20)  # longer than what nginx keeps in memory
    at = {
        "activityId": "http://example.org/a%2Fb//c",
        "stateId": "a/b%2F",
        "agent": '{"mbox":"mailto:ä@x.org"}',
    }
    assert (await lrs.put("/activities/state", at, data=body)).status == 204
    stored = await gateway.lrs.get("/activities/state", at)
    assert (stored.status, stored.body == body) == (200, True)
    back = await lrs.get("/activities/state", at)
    assert (back.body == body, back.headers["ETag"]) == (True, stored.headers["ETag"])


async def test_links_of_the_gateway_are_those_of_the_proxy_whatever_a_client_claims(
    proxied: tuple[Gateway, Http, Http],
) -> None:
    gateway, http, _ = proxied
    course = await imported(gateway)
    api = http.at(f"{http.base}/api/v1").with_headers(
        {"X-Forwarded-Host": "evil.example.org", "X-Forwarded-Proto": "http"}
    )
    registration = (await api.post("/registrations", body={"course": course["id"], "actor": LEARNER})).json()
    link = await api.post(f"/registrations/{registration['id']}/links")
    assert link.json()["url"].startswith(f"https://{LRS}/launch/")
    assert len(link.headers["X-Request-ID"]) == 32  # nginx's own, which its log has too


async def test_course_content_has_its_own_host(proxied: tuple[Gateway, Http, Http]) -> None:
    gateway, http, content = proxied
    course = await gateway.store.courses.get(UUID((await imported(gateway, course_zip()))["id"]))
    assert course is not None
    path = f"/{course.version}/index.html"
    assert (await content.get(path)).body == b"<!doctype html><title>AU</title>"
    assert (await http.get(path)).status == 404
    assert (await content.get("/xapi/about")).status == 404


@pytest.mark.parametrize(
    ("path", "mebibytes", "answer"),
    [
        ("/api/v1/courses", 519, "100 Continue"),
        ("/admin/courses", 519, "100 Continue"),
        ("/api/v1/courses", 521, "413 Request Entity Too Large"),
        ("/xapi/statements", 64, "100 Continue"),
        ("/xapi/statements", 65, "413 Request Entity Too Large"),
    ],
)
async def test_bodies_of_the_sizes_that_the_gateway_takes_are_let_through(
    tmp_path: Path, proxied: tuple[Gateway, Http, Http], path: str, mebibytes: int, answer: str
) -> None:
    """Only the head is sent: nginx says whether it wants the rest."""
    _, http, _ = proxied
    port = int(http.base.rpartition(":")[2])
    trust = ssl.create_default_context(cafile=tmp_path / "tls.pem")
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trust, server_hostname=LRS)
    head = f"POST {path} HTTP/1.1\r\nHost: {LRS}\r\nExpect: 100-continue\r\n"
    writer.write(f"{head}Content-Length: {mebibytes << 20}\r\n\r\n".encode())
    try:
        assert (await reader.readline()).decode().strip() == f"HTTP/1.1 {answer}"
    finally:
        writer.transport.abort()


async def test_measurements_are_not_for_the_world(proxied: tuple[Gateway, Http, Http]) -> None:
    gateway, http, _ = proxied
    assert (await http.get("/metrics")).status == 403
    assert (await gateway.http().get("/metrics")).status == 200


async def test_below_a_path_every_link_has_the_path(tmp_path: Path, serve: Serve) -> None:
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    async with serve(server__base_path="/lrs", server__public_url=origin) as gateway:
        location = BELOW_A_PATH.replace("127.0.0.1:8080", f"127.0.0.1:{gateway.port}")
        server = f"server {{ listen 127.0.0.1:{port}; {location} }}"
        async with nginx(tmp_path, server, port):
            http = gateway.http().at(f"{origin}/lrs")
            assert (await http.get("/admin/")).headers[
                "Location"
            ] == "/lrs/admin/sign-in?next=%2Flrs%2Fadmin%2F"
            page = (await http.get("/admin/sign-in")).body.decode()
            linked = re.findall(r'(?:href|src|action)="(/[^"]*)"', page)
            assert linked
            for link in linked:
                assert link.startswith("/lrs/"), link
                assert (await http.at(origin).get(link)).status == 200, link
            lrs = gateway.lrs.at(f"{origin}/lrs/xapi")
            actor, verb = (
                {"mbox": "mailto:a@example.org"},
                {"id": "http://adlnet.gov/expapi/verbs/experienced"},
            )
            one = {"actor": actor, "verb": verb, "object": {"id": "http://example.org/a"}}
            sent = [one | {"id": str(uuid4())} for _ in range(3)]
            assert (await lrs.post("/statements", body=sent)).status == 200
            seen, more = 0, "/lrs/xapi/statements?limit=2"
            while more:
                answer = (await lrs.at(origin).get(more)).json()
                seen, more = seen + len(answer["statements"]), answer["more"]
                assert more == "" or more.startswith("/lrs/xapi/")
            assert seen == len(sent)
