"""Connections with OAuth 2.0: a token endpoint gives tokens or none, and is asked as little as possible."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

from adapters.testing.keys import sample_key
from gateway.resources import mappings_dir
from gateway.services.grants import ClientCredentials
from gateway.settings import SettingsError
from gateway.settings.model import ConnectionSettings
from gateway.store.delivery_records import Delivery, State
from gateway.web.outgoing import HttpFetcher
from tests.adapters.test_receive_keys import token
from tests.gateway import Gateway, Reply
from tests.vendor_server import VendorServer, vendor_server
from tests.vendors import all_mapped, mappings_folder, states_of, vendor_secrets
from tests.web.test_fetch_back import THIN, THING, notify, replayed, waits
from tests.web.test_hooks import all_statements, finished
from tests.web.test_hooks_keys import Issuer, issuer
from tests.web.test_privacy import everything

__all__ = ["issuer", "mappings_folder", "vendor_secrets"]

Serve = Callable[..., AbstractAsyncContextManager[Gateway]]


@pytest.fixture
async def vendor(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[VendorServer]:
    monkeypatch.setenv("VENDOR_ID", "our client")
    monkeypatch.setenv("VENDOR_SECRET", "canary:secret+%")
    async with vendor_server(dict(THING)) as running:
        running.tokens_count = True
        yield running


@pytest.fixture
def connected(
    serve: Serve, mappings_folder: Callable[..., Path], vendor: VendorServer
) -> Callable[..., AbstractAsyncContextManager[Gateway]]:
    """A gateway with the thin mapping, whose connection has this `auth`."""

    def start(auth: dict[str, Any], **more: Any) -> AbstractAsyncContextManager[Gateway]:
        folder = str(mappings_folder(THIN, name="thin.yaml"))
        connection = vendor.connection(auth=auth, timeout="20s", **more)
        return serve(hooks__mappings=folder, hooks__connections={"vendor": connection})

    return start


async def mapped(gateway: Gateway, identity: str) -> Delivery:
    return await finished(gateway, await notify(gateway, identity))


async def test_one_token_is_fetched_for_all_who_want_one_and_kept_in_memory_only(
    connected: Callable[..., Any], vendor: VendorServer, mongo_client: Any
) -> None:
    async with connected(vendor.oauth2(scope="read write", audience="https://api.example")) as gateway:
        vendor.open.clear()
        replies = [await notify(gateway, f"e{number}") for number in range(8)]
        vendor.open.set()
        assert {(await finished(gateway, reply)).state for reply in replies} == {State.DONE}
        assert vendor.token_requests == [
            {
                "grant_type": "client_credentials",
                "scope": "read write",
                "audience": "https://api.example",
            }
        ]
        pair = base64.b64encode(b"our+client:canary%3Asecret%2B%25").decode()
        assert vendor.token_credentials == [f"Basic {pair}"]
        assert set(vendor.credentials) == {"Bearer canary-access-token-1"}
        stored = await everything(mongo_client[gateway.store.name])
        assert b"canary-access-token" not in stored
        assert b"canary:secret" not in stored


async def test_client_and_secret_may_go_into_the_form(
    connected: Callable[..., Any], vendor: VendorServer
) -> None:
    async with connected(vendor.oauth2(client_auth="client_secret_post")) as gateway:
        assert (await mapped(gateway, "e1")).state is State.DONE
    (form,) = vendor.token_requests
    assert (form["client_id"], form["client_secret"]) == ("our client", "canary:secret+%")
    assert vendor.token_credentials == [None]


async def test_a_token_that_is_refused_is_replaced_once(
    connected: Callable[..., Any], vendor: VendorServer
) -> None:
    async with connected(vendor.oauth2()) as gateway:
        assert (await mapped(gateway, "e1")).state is State.DONE
        vendor.revoked.add(vendor.issued[-1])
        assert (await mapped(gateway, "e2")).state is State.DONE
        assert (len(vendor.issued), len(vendor.asked)) == (2, 3)
        vendor.answers += [lambda: web.Response(status=401)] * 2
        failed = await mapped(gateway, "e3")
        assert (failed.state, len(vendor.issued), len(vendor.asked)) == (State.FAILED, 3, 5)
        assert failed.outcomes[0].reason == (
            "connection vendor: the answer was 401; look at its secrets and rights"
        )
        assert (await replayed(gateway, failed)).state is State.DONE


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (
            lambda: web.json_response({"error": "invalid_client", "error_description": "canary"}, status=401),
            "no access token: the answer was 401 (invalid_client); look at the client's id and secret",
        ),
        (
            lambda: web.json_response({"error": "invalid_scope"}, status=400),
            "no access token: the answer was 400 (invalid_scope); look at `scope`",
        ),
        (
            lambda: web.json_response({"error": "ca\nnary"}, status=400),
            "no access token: the answer was 400; look at its settings and secrets",
        ),
        (
            lambda: web.Response(status=302, headers={"Location": "/token"}),
            "no access token: the answer was 302; look at its settings and secrets",
        ),
        (lambda: web.Response(text="<html>"), "no access token: the answer is not JSON"),
        (lambda: web.Response(text="[" * 60_000), "no access token: the answer is not JSON"),
        (lambda: web.json_response({"token": "canary"}), "no access token: the answer has no access_token"),
        (
            lambda: web.json_response({"access_token": "canary\r\nX-Evil: 1"}),
            "no access token: the answer has no access_token",
        ),
        (
            lambda: web.json_response({"access_token": "canary", "token_type": "mac"}),
            "no access token: the answer has a token_type that is not Bearer",
        ),
        (lambda: web.Response(body=b" " * 70_000), "no access token: the answer has more than 65536 bytes"),
    ],
)
async def test_a_token_that_is_not_given_is_a_dead_letter_that_says_why(
    connected: Callable[..., Any], vendor: VendorServer, answer: Callable[[], web.Response], reason: str
) -> None:
    vendor.token_answers.append(answer)
    async with connected(vendor.oauth2()) as gateway:
        failed = await mapped(gateway, "e1")
        assert (failed.state, failed.outcomes[0].code) == (State.FAILED, "fetch_failed")
        assert failed.outcomes[0].reason == f"connection vendor: {reason}"
        assert vendor.asked == []
        assert (await replayed(gateway, failed)).state is State.DONE


@pytest.mark.parametrize("status", [429, 503])
async def test_a_token_endpoint_that_is_away_is_asked_again(
    connected: Callable[..., Any], vendor: VendorServer, status: int
) -> None:
    vendor.token_answers.append(lambda: web.Response(status=status, headers={"Retry-After": "1"}))
    async with connected(vendor.oauth2()) as gateway:
        reply = await notify(gateway, "e1")
        waiting = await waits(gateway, reply)
        assert waiting["reason"] == f"connection vendor: no access token: the answer was {status}"
        assert (await finished(gateway, reply)).state is State.DONE


async def test_teams_notices_become_statements_of_everybody_who_was_there_with_the_shipped_mapping(
    serve: Serve, vendor: VendorServer, monkeypatch: pytest.MonkeyPatch, mongo_client: Any
) -> None:
    samples = mappings_dir() / "samples" / "teams"
    monkeypatch.setenv("TEAMS_CLIENT_STATE", "canary-client-state")
    notice = json.loads((samples / "notice.json").read_text())
    notice["value"][0]["clientState"] = "canary-client-state"
    record = json.loads((samples / "fetched-call-record.json").read_text())
    record["sessions"][1]["caller"]["identity"] = {"user": {"id": "u2", "displayName": "Canary Name"}}
    vendor.thing = record
    graph = vendor.connection(auth=vendor.oauth2(client_auth="client_secret_post"))
    async with serve(hooks__connections={"graph": graph}) as gateway:
        http, sent = gateway.http(), {"Content-Type": "application/json"}
        echoed = await http.post("/hooks/teams", params=[("validationToken", "Validation: é <b>")], data=b"")
        assert (echoed.status, echoed.headers["Content-Type"].partition(";")[0]) == (200, "text/plain")
        assert echoed.body.decode() == "Validation: é <b>"
        forged = json.dumps({"value": [*notice["value"], {**notice["value"][0], "clientState": "x"}]})
        assert (await http.post("/hooks/teams", data=forged.encode(), headers=sent)).status == 401
        reply = await http.post("/hooks/teams", data=json.dumps(notice).encode(), headers=sent)
        assert reply.status == 202
        delivery = await finished(gateway, reply)
        assert [one.rule for one in delivery.outcomes] == ["took-part-in-call"] * 2
        assert vendor.asked == [
            "/base/communications/callRecords/e523d2ed-2966-4b6b-925b-754a88034cc5?$expand=sessions"
        ]
        statements = await all_statements(gateway)
        assert len({one["actor"]["account"]["name"] for one in statements}) == 2
        assert (await replayed(gateway, delivery)).state is State.DONE
        assert len(await all_statements(gateway)) == 2
        # The same record posted by somebody else is the same statements.
        posted = {"value": [{**notice["value"][0], "resourceData": record}]}
        reply = await http.post("/hooks/teams", data=json.dumps(posted).encode(), headers=sent)
        assert (await finished(gateway, reply)).state is State.DONE
        assert len(await all_statements(gateway)) == 2
        stored = await everything(mongo_client[gateway.store.name])
        for canary in (b"canary-client-state", b"Canary Name", b"canary-access-token"):
            assert canary not in stored


async def test_classrooms_pushes_become_statements_with_the_shipped_mapping(
    serve: Serve,
    mappings_folder: Callable[..., Path],
    vendor: VendorServer,
    issuer: Issuer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    samples = mappings_dir() / "samples" / "classroom"
    monkeypatch.setenv("CLASSROOM_AUDIENCE", "https://gateway.example.edu/hooks/classroom")
    monkeypatch.setenv("CLASSROOM_PUSH_ACCOUNT", "push@project.iam.gserviceaccount.com")
    monkeypatch.setenv("CLASSROOM_KEY", service_key())
    shipped = (mappings_dir() / "classroom.yaml").read_text()
    folder = mappings_folder(
        shipped.replace("google_pubsub:\n", f"google_pubsub:\n        jwks_url: {issuer.url}/jwks\n"),
        name="classroom.yaml",
    )
    account = {"key": "CLASSROOM_KEY", "scope": "read", "token_url": f"{vendor.url}/token"}
    classroom = vendor.connection(auth={"service_account": account})
    claims: dict[str, Any] = {
        "iss": "https://accounts.google.com",
        "aud": "https://gateway.example.edu/hooks/classroom",
        "email": "push@project.iam.gserviceaccount.com",
        "email_verified": True,
        "exp": int(time.time()) + 3600,
    }
    async with serve(hooks__mappings=str(folder), hooks__connections={"classroom": classroom}) as gateway:

        async def push(sample: str, message: str, **changes: Any) -> Reply:
            payload = json.loads((samples / f"{sample}.json").read_text())
            payload["message"] |= {"messageId": message}
            data = json.dumps(payload["message"]["data"]).encode()
            payload["message"]["data"] = base64.b64encode(data).decode()
            headers = {
                "Authorization": f"Bearer {token(claims | changes)}",
                "Content-Type": "application/json",
            }
            body = json.dumps(payload).encode()
            return await gateway.http().post("/hooks/classroom", data=body, headers=headers)

        assert (await push("student-joined", "1", email="other@x.iam.gserviceaccount.com")).status == 401
        assert (await push("student-joined", "1", aud="https://elsewhere.example")).status == 401
        joined = await push("student-joined", "1")
        assert joined.status == 204
        await all_mapped(gateway.store)
        assert vendor.asked == []
        for message, answer in (("2", "turned-in"), ("3", "turned-in"), ("4", "returned")):
            vendor.thing = json.loads((samples / f"submission-{answer}.json").read_text())
            assert (await push("submission-changed", message)).status == 204
            await all_mapped(gateway.store)
        assert vendor.asked[0] == (
            "/base/courses/104950182954/courseWork/178153010124/studentSubmissions/Cg4I1-yJ3xQ"
        )
        assert len(vendor.token_requests) == 1
        assert set(await states_of(gateway.store)) == {State.DONE}
        # Two notices of one state are one statement.
        verbs = [one["verb"]["id"].rpartition("/")[2] for one in await all_statements(gateway)]
        assert sorted(verbs) == ["registered", "scored", "submit"]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("lives", "used", "late"), [(3600, 3539, 3541), (100, 79, 81), (None, 239, 241), (0, 239, 241)]
)
async def test_a_token_is_used_until_shortly_before_it_expires(
    vendor: VendorServer, lives: int | None, used: float, late: float
) -> None:
    written = vendor.oauth2()["oauth2"]
    settings = ConnectionSettings(base_url=vendor.url, auth={"oauth2": written}, allow_private=True)
    clock, fetcher = Clock(), HttpFetcher()
    vendor.token_lives = lives
    grant = ClientCredentials(written, settings, lambda name: name, clock)
    try:
        first = await grant.token(fetcher)
        clock.now = used
        assert await grant.token(fetcher) == first
        clock.now = late
        assert await grant.token(fetcher) != first
    finally:
        await fetcher.close()


def service_key() -> str:
    pem = sample_key("RS256").private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return json.dumps(
        {
            "type": "service_account",
            "private_key_id": "k1",
            "private_key": pem.decode(),
            "client_email": "gateway@project.iam.gserviceaccount.com",
            "token_uri": "https://evil.example/token",
        }
    )


async def test_a_service_account_signs_for_its_token_on_behalf_of_its_subject(
    connected: Callable[..., Any], vendor: VendorServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_KEY", service_key())
    account = {"key": "GOOGLE_KEY", "scope": "a b", "subject": "admin@example.edu"}
    async with connected({"service_account": account | {"token_url": f"{vendor.url}/token"}}) as gateway:
        assert (await mapped(gateway, "e1")).state is State.DONE
        assert len(await all_statements(gateway)) == 1
    (form,) = vendor.token_requests
    assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    head, claims, signature = form["assertion"].split(".")
    decoded = [json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))) for part in (head, claims)]
    assert decoded[0] == {"alg": "RS256", "typ": "JWT", "kid": "k1"}
    assert decoded[1].pop("exp") - decoded[1].pop("iat") == 3600
    assert decoded[1] == {
        "iss": "gateway@project.iam.gserviceaccount.com",
        "scope": "a b",
        "aud": f"{vendor.url}/token",
        "sub": "admin@example.edu",
    }
    octets = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))
    public: Any = sample_key("RS256").public_key()
    public.verify(octets, f"{head}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256())


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("canary", "is not the JSON key file of a service account"),
        (
            '{"client_email": "canary"}',
            "is not the JSON key file of a service account: it has no private_key",
        ),
        ('{"client_email": "c", "private_key": "canary"}', "has a private_key that is not PEM"),
    ],
)
async def test_a_key_that_is_none_says_so_and_shows_nothing_of_itself(
    connected: Callable[..., Any],
    vendor: VendorServer,
    monkeypatch: pytest.MonkeyPatch,
    key: str,
    reason: str,
) -> None:
    monkeypatch.setenv("GOOGLE_KEY", key)
    async with connected({"service_account": {"key": "GOOGLE_KEY", "scope": "a"}}) as gateway:
        failed = await mapped(gateway, "e1")
        assert failed.outcomes[0].reason == f"connection vendor: no access token: GOOGLE_KEY {reason}"
        assert vendor.token_requests == []


async def test_an_adapter_without_its_clients_secret_is_not_ready_and_says_why(
    connected: Callable[..., Any], vendor: VendorServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VENDOR_SECRET")
    async with connected(vendor.oauth2()) as gateway:
        assert (await notify(gateway, "e1")).status == 503
        adapter = gateway.services.hooks.mappings.get("thin")
        assert adapter is not None
        assert adapter.problem is not None
        assert adapter.problem.startswith("set VENDOR_SECRET in the environment")


async def test_tokens_are_fetched_from_public_addresses_only_like_everything_else(
    connected: Callable[..., Any], vendor: VendorServer
) -> None:
    port = vendor.url.rpartition(":")[2]
    auth = vendor.oauth2(token_url=f"https://127.0.0.1:{port}/token")
    async with connected(auth, allow_private=False, base_url="https://vendor.example") as gateway:
        waiting = await waits(gateway, await notify(gateway, "e1"))
        assert "is not a public address" in waiting["reason"]
        assert vendor.token_requests == []


async def test_a_token_url_without_https_is_refused_when_settings_are_read(
    connected: Callable[..., Any], vendor: VendorServer
) -> None:
    with pytest.raises(SettingsError, match="expected https for the token_url of 'vendor'"):
        async with connected(vendor.oauth2(), allow_private=False, base_url="https://vendor.example"):
            pass
