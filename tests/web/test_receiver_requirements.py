"""What a trusted receiver guarantees: R1 to R20, one test each or a few, named by their ids."""

from __future__ import annotations

import asyncio
import datetime as dt
import gzip
import json
import random
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from pymongo.read_concern import ReadConcern

from adapters import MappingError, load_mapping
from adapters.loading.files import load_file
from adapters.testing.signing import sign, unsigned
from gateway.services.clock import utc_now
from gateway.services.metrics import exposition
from gateway.services.pressure import Pressure, Rates, come_again
from gateway.services.receiving import Acknowledged
from gateway.settings import SettingsError
from gateway.store.delivery_records import Delivery, State, delivery_id
from tests.adapters.support import signed_by
from tests.gateway import Gateway, Http, Reply, settings_for
from tests.vendor_server import vendor_server
from tests.vendors import (
    ACME,
    ACME_SECRET,
    acme_headers,
    acme_item,
    all_mapped,
    mappings_folder,
    post_acme,
    post_zoom,
    states_of,
    vendor_secrets,
    zoom_headers,
    zoom_sample,
)
from tests.waiting import until
from tests.web.test_fetch_back import THIN, THING, notify
from tests.web.test_hooks import all_statements, finished

__all__ = ["mappings_folder", "vendor_secrets"]

Serve = Callable[..., AbstractAsyncContextManager[Gateway]]
Folder = Callable[..., Path]


def acme(*lines: str, **replacements: str) -> str:
    """Acme's mapping with more lines in its `receive:` block."""
    text = ACME.replace(
        "  max_body: 64KiB\n", "  max_body: 64KiB\n" + "".join(f"  {line}\n" for line in lines)
    )
    for old, new in replacements.items():
        assert old in text
        text = text.replace(old, new)
    return text


def counted(name: str, **labels: str) -> float:
    """The value of a metric, 0 where nothing was counted."""
    for line in exposition()[0].decode().splitlines():
        if line.startswith(f"xapi_gateway_{name}") and all(f'{k}="{v}"' in line for k, v in labels.items()):
            return float(line.rpartition(" ")[2])
    return 0.0


async def api(gateway: Gateway, path: str) -> Any:
    return (await gateway.lrs.at(gateway.url).get(f"/api/v1{path}")).json()


async def raw(http: Http, body: bytes, **headers: str) -> Reply:
    return await http.post("/hooks/acme", data=body, headers=acme_headers(body) | headers)


# -- before the answer -----------------------------------------------------------------------------------


async def test_r1_r2_the_answer_needs_a_durable_delivery_and_no_mapping(
    serve: Serve, mappings_folder: Folder, mongo_client: Any
) -> None:
    # A mapping that cannot end, because the vendor it asks back does not answer.
    async with vendor_server(THING) as vendor:
        vendor.open.clear()
        settings = {
            "hooks__mappings": str(mappings_folder(THIN, name="thin.yaml")),
            "hooks__connections": {"vendor": vendor.connection()},
        }
        async with serve(**settings) as gateway:
            reply = await notify(gateway, "e1")
            assert reply.status == 200

            async def begun() -> bool:
                return vendor.asked != []

            await until(begun)
            durable = mongo_client[gateway.store.name].get_collection(
                "deliveries", read_concern=ReadConcern("majority")
            )
            row = await durable.find_one({"_id": UUID(reply.json()["delivery"])})
            assert json.loads(row["request"]["body"])["id"] == "e1"
            assert row["verified"][0]["method"] == "hmac"
            assert row["state"] == "received"
            vendor.open.set()
            assert (await finished(gateway, reply)).state is State.DONE


async def test_r3_what_proved_itself_and_cannot_be_read_is_a_dead_letter_unless_the_mapping_rejects_it(
    serve: Serve, mappings_folder: Folder
) -> None:
    mappings_folder(
        acme("on_bad_payload: reject").replace("adapter: acme", "adapter: strict"), name="strict.yaml"
    )
    async with serve(hooks__mappings=str(mappings_folder())) as gateway:
        body = b'{"items": ['
        kept = await raw(gateway.http(), body)
        assert (await finished(gateway, kept)).state is State.FAILED
        rejected = await gateway.http().post("/hooks/strict", data=body, headers=acme_headers(body))
        assert (kept.status, rejected.status) == (200, 400)
        unsigned_request = {"Content-Type": "application/json"}
        assert (await gateway.http().post("/hooks/acme", data=body, headers=unsigned_request)).status == 401


async def test_r4_every_answer_has_its_class(serve: Serve, mappings_folder: Folder) -> None:
    mappings_folder(acme("retired: true").replace("adapter: acme", "adapter: gone"), name="gone.yaml")
    mappings_folder(
        acme("ip_allow: 203.0.113.0/24").replace("adapter: acme", "adapter: fenced"), name="fenced.yaml"
    )
    mappings_folder(acme("rate: 2/h").replace("adapter: acme", "adapter: slow"), name="slow.yaml")
    mappings_folder("adapter: [broken", name="broken.yaml")
    async with serve(hooks__mappings=str(mappings_folder())) as gateway:
        http = gateway.http()

        async def status(
            path: str, body: bytes = b'{"items": []}', method: str = "POST", **changes: str
        ) -> int:
            headers = acme_headers(body) | {name.replace("_", "-"): value for name, value in changes.items()}
            reply = await http(method, path, data=body, headers=headers)
            if reply.status in (429, 503):
                assert int(reply.headers["Retry-After"]) >= 1
            return reply.status

        assert await status("/hooks/acme") == 200
        assert await status("/hooks/acme") == 200  # again
        poison = json.dumps(
            {"items": [acme_item("1", score="many"), {"id": "2", "type": "unknown"}]}
        ).encode()
        assert await status("/hooks/acme", poison) == 200  # mapping never shows
        assert await status("/hooks/acme", X_Acme_Signature="00") == 401
        assert await status("/hooks/fenced") == 403
        assert await status("/hooks/nobody") == 404
        assert await status("/hooks/acme", method="PUT") == 405
        assert await status("/hooks/gone") == 410
        assert await status("/hooks/acme", b" " * 70_000) == 413
        assert await status("/hooks/acme", Content_Type="text/xml") == 415
        assert await status("/hooks/broken") == 503
        assert [await status("/hooks/slow") for _ in range(4)] == [200, 200, 429, 429]
        truncated = b"POST /hooks/acme HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        truncated += b"Content-Encoding: gzip\r\n"
        answer = await gateway.raw(truncated + b"Connection: close\r\nContent-Length: 4\r\n\r\nnope")
        assert answer.split()[1] == b"400"


@pytest.mark.parametrize(
    ("line", "good", "bad"),
    [
        ("ack: { status: 202 }", 202, 401),
        ("ack: { status: 204 }", 204, 401),
        ("refuse: { status: 403 }", 200, 403),
    ],
)
async def test_r5_odd_senders_get_the_answers_they_need(
    serve: Serve, mappings_folder: Folder, line: str, good: int, bad: int
) -> None:
    async with serve(hooks__mappings=str(mappings_folder(acme(line)))) as gateway:
        assert (await raw(gateway.http(), b'{"items": []}')).status == good
        assert (await raw(gateway.http(), b'{"items": []}', **{"X-Acme-Signature": "00"})).status == bad


# -- exactly once, and nobody stops anybody --------------------------------------------------------------


async def test_r6_a_hundred_at_once_are_one_statement(serve: Serve, vendor_secrets: None) -> None:
    async with serve() as gateway:
        replies = await asyncio.gather(*(post_zoom(gateway.http(), zoom_sample()) for _ in range(100)))
        assert Counter((reply.status, reply.json()["duplicate"]) for reply in replies) == {
            (200, False): 1,
            (200, True): 99,
        }
        await finished(gateway, replies[0])
        assert len(await all_statements(gateway)) == 1


async def test_r7_a_poison_item_stops_none_of_its_25_neighbours(
    serve: Serve, mappings_folder: Folder
) -> None:
    items = [acme_item(str(number), score="many" if number == 12 else number) for number in range(25)]
    async with serve(hooks__mappings=str(mappings_folder())) as gateway:
        delivery = await finished(gateway, await post_acme(gateway.http(), *items))
        assert Counter(outcome.state for outcome in delivery.outcomes) == {State.DONE: 24, State.FAILED: 1}
        assert len(await all_statements(gateway)) == 24


async def test_r8_a_dead_letter_says_why_and_can_be_replayed_after_a_look(
    serve: Serve, mappings_folder: Folder
) -> None:
    folder = mappings_folder()
    async with serve(hooks__mappings=str(folder)) as gateway:
        reply = await post_acme(gateway.http(), acme_item("1", score=None, points=5))
        delivery = await finished(gateway, reply)
        (problem,) = delivery.outcomes[0].problems
        assert (delivery.outcomes[0].rule, problem["file"], problem["line"] > 1) == (
            "completed",
            "acme.yaml",
            True,
        )
        mappings_folder(ACME.replace("${ item.score }", "${ item.score ?? item.points }"))
        gateway.services.hooks.mappings.load()
        manage = gateway.lrs.at(f"{gateway.url}/api/v1")
        chosen = {"ids": [str(delivery.id)]}
        dry = (await manage.post("/deliveries/replay", body=chosen | {"dryRun": True})).json()
        assert len(dry["deliveries"][0]["statements"]["new"]) == 1
        assert await all_statements(gateway) == []
        assert (await manage.post("/deliveries/replay", body=chosen)).status == 202
        assert (await finished(gateway, reply)).state is State.DONE


async def test_r9_an_unknown_type_is_kept_counted_and_mapped_once_there_is_a_rule(
    serve: Serve, mappings_folder: Folder
) -> None:
    async with serve(hooks__mappings=str(mappings_folder())) as gateway:
        before = counted("delivery_events_total", adapter="acme", outcome="unmatched")
        reply = await post_acme(gateway.http(), acme_item("1", type="passed"))
        assert (await finished(gateway, reply)).state is State.UNMATCHED
        assert counted("delivery_events_total", adapter="acme", outcome="unmatched") == before + 1
        mappings_folder(ACME.replace("{ item.type: completed }", "{ item.type: [completed, passed] }"))
        gateway.services.hooks.mappings.load()
        manage = gateway.lrs.at(f"{gateway.url}/api/v1")
        replay = {"filter": {"adapter": "acme", "state": "unmatched"}}
        assert (await manage.post("/deliveries/replay", body=replay)).json()["replayed"] == 1
        assert (await finished(gateway, reply)).state is State.DONE


def waiting(number: int, due: dt.datetime) -> Delivery:
    """A delivery that nobody maps, for its adapter is not there."""
    return Delivery(
        id=delivery_id("absent", str(number)),
        adapter="absent",
        key=str(number),
        digest="00",
        received=due,
        method="POST",
        url="http://gateway.example/hooks/absent",
        headers=(),
        body=b"{}",
        due=due,
        size=2,
    )


async def test_r10_a_long_or_old_queue_turns_vendors_away_until_half_of_it_is_gone(
    serve: Serve, mappings_folder: Folder, mongo_client: Any
) -> None:
    settings = {
        "hooks__mappings": str(mappings_folder()),
        "hooks__max_queue": 10,
        "hooks__max_queue_age": "1h",
    }
    async with serve(**settings) as gateway:
        deliveries = mongo_client[gateway.store.name]["deliveries"]
        receiving, later = gateway.services.hooks.receiving, utc_now() + dt.timedelta(days=1)

        async def answered(count: int) -> int:
            """The status after so many deliveries are left to be mapped."""
            await deliveries.delete_many({"adapter": "absent"})
            if count:
                await gateway.store.deliveries.insert([waiting(number, later) for number in range(count)])
            await receiving.measure("main")
            reply = await raw(gateway.http(), b'{"items": []}')
            if reply.status == 503:
                assert reply.error["code"] == "unavailable"
                assert 15 <= int(reply.headers["Retry-After"]) <= 45
                assert (
                    (await gateway.http().get("/readyz"))
                    .json()["refusing"]["main"]
                    .startswith("11 deliveries")
                )
            return reply.status

        await answered(0)  # the first one is mapped, so that it does not count below
        await finished(gateway, await raw(gateway.http(), b'{"items": []}'))
        assert [await answered(count) for count in (10, 11)] == [200, 503]
        await deliveries.delete_many({"adapter": "absent"})
        await gateway.store.deliveries.insert([waiting(number, later) for number in range(6)])
        await receiving.measure("main")
        assert receiving.refusing is not None
        assert await answered(5) == 200


def test_r10_age_counts_like_length_and_retries_are_spread() -> None:
    pressure = Pressure(most=100, oldest=60.0)
    reasons = []
    for age in (60, 61, 31, 30):
        pressure.note(1, age)
        reasons.append(pressure.reason)
    assert [reason is not None for reason in reasons] == [False, True, True, False]
    assert len({come_again() for _ in range(200)}) > 10


def test_r4_a_rate_lets_in_what_it_allows_and_forgets_the_longest_unseen_address() -> None:
    now = [0.0]
    rates = Rates(lambda: now[0])
    rate = signed_by("github", "  rate: 60/m\n").receiver.policy.rate  # type: ignore[union-attr]
    assert rate is not None
    assert [rates.wait("a", "1", rate) for _ in range(60)] == [0.0] * 60
    assert rates.wait("a", "1", rate) == pytest.approx(1.0)
    assert rates.wait("a", "2", rate) == rates.wait("b", "1", rate) == 0.0
    now[0] = 1.0
    assert rates.wait("a", "1", rate) == 0.0
    assert rates.wait("a", "1", rate) > 0.0
    for number in range(20_000):
        rates.wait("a", f"x{number}", rate)
    assert len(rates._buckets) == 10_000


SWAPPED = """\
remember:
  - set: joined
    when: item.type == 'joined'
    key: ${ item.who }
    value: { at: "${ item.at }" }
    at: ${ item.at }
recall:
  joined: { set: joined, when: item.type == 'left', key: "${ item.who }", at: "${ item.at }", defer: 1h }
rules:
  - name: left
    match: { item.type: left }
    statement:
      actor: { account: { homePage: https://acme.example, name: "${ item.who }" } }
      verb: left
      object: { id: "https://acme.example/courses/${ item.course }", type: course }
      result: { duration: "${ between(remembered.joined.at, item.at) }" }
      timestamp: ${ item.at }
  - { name: joined, match: { item.type: joined }, ignore: true }
"""


async def test_r11_events_that_arrive_swapped_wait_for_each_other_and_keep_their_own_times(
    serve: Serve, mappings_folder: Folder
) -> None:
    text = ACME.replace("rules:\n", SWAPPED)
    async with serve(hooks__mappings=str(mappings_folder(text))) as gateway:
        http = gateway.http()
        left = await post_acme(http, acme_item("2", type="left", at="2026-03-02T10:00:00Z"))
        first = await finished(gateway, left)
        assert (first.state, first.outcomes[0].code) == (State.HELD, "deferred")
        assert await all_statements(gateway) == []
        await finished(gateway, await post_acme(http, acme_item("1", type="joined")))

        async def done() -> bool:
            found = await gateway.store.deliveries.get(first.id)
            return found is not None and found.state is State.DONE

        await until(done)
        (statement,) = await all_statements(gateway)
        assert statement["timestamp"] == "2026-03-02T10:00:00Z"
        assert statement["result"]["duration"] == "PT1H"


# -- hostile requests ------------------------------------------------------------------------------------


async def test_r12_bombs_and_traps_are_bounded(serve: Serve, mappings_folder: Folder) -> None:
    text = acme().replace("max_body: 64KiB", "max_body: 3MiB")
    async with serve(hooks__mappings=str(mappings_folder(text))) as gateway:
        http = gateway.http()
        bomb = gzip.compress(b" " * 50_000_000)
        assert len(bomb) < 60_000
        assert (await raw(http, bomb, **{"Content-Encoding": "gzip"})).status == 413
        reasons = {}
        for name, body in (
            ("deep", b'{"items": ' + b"[" * 66 + b"]" * 66 + b"}"),
            ("keys", json.dumps({"items": [], "k": {f"k{n}": 0 for n in range(100_001)}}).encode()),
            ("twice", b'{"items": [], "items": []}'),
        ):
            delivery = await finished(gateway, await raw(http, body))
            assert delivery.state is State.FAILED
            reasons[name] = str(delivery.outcomes[0].reason)
        assert "deeper than 64" in reasons["deep"]
        assert "more than 100000 keys" in reasons["keys"]
        assert "uplicate" in reasons["twice"]
        # Seventeen and more digits, as Canvas has them: to the last one, as a number and in a text.
        large = 123456789012345678901
        await finished(gateway, await post_acme(http, acme_item("big", course=large)))
        assert (await all_statements(gateway))[0]["object"]["id"] == f"https://acme.example/courses/{large}"


# -- secrets and clocks ----------------------------------------------------------------------------------


async def test_r13_while_secrets_are_rotated_the_metrics_show_which_one_is_used(
    serve: Serve, mappings_folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACME_NEW", "another")
    old = """{ value: "${ secret('ACME_SECRET') }", not_after: 2999-01-01T00:00:00Z }"""
    both = f"""[ "${{ secret('ACME_NEW') }}", {old} ]"""
    text = ACME.replace("\"${ secret('ACME_SECRET') }\"", both)
    async with serve(hooks__mappings=str(mappings_folder(text))) as gateway:
        before = counted("deliveries_verified_total", adapter="acme", key="1")
        assert (await post_acme(gateway.http(), acme_item("1"))).status == 200
        assert counted("deliveries_verified_total", adapter="acme", key="1") == before + 1
    ended = text.replace("2999-01-01", "2020-01-01")
    async with serve(hooks__mappings=str(mappings_folder(ended))) as gateway:
        assert (await post_acme(gateway.http(), acme_item("2"))).status == 401


async def test_r14_clocks_that_differ_are_measured_and_refused_beyond_the_tolerance_both_ways(
    serve: Serve, vendor_secrets: None
) -> None:
    async with serve() as gateway:
        before = counted("delivery_skew_seconds_count", adapter="zoom", side="behind")
        for offset, status in ((-200, 200), (-400, 401), (400, 401)):
            body = zoom_sample(sent=offset)
            headers = zoom_headers(body, at=time.time() + offset)
            assert (await gateway.http().post("/hooks/zoom", data=body, headers=headers)).status == status
        assert counted("delivery_skew_seconds_count", adapter="zoom", side="behind") == before + 1


async def test_r15_no_secret_is_logged_stored_or_answered(
    serve: Serve, mappings_folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    check = """- hmac: { secret: "${ secret('ACME_SECRET') }", signature: { header: x-acme-signature } }"""
    for name, place in (("in-path", "path: key"), ("in-query", "query: key"), ("in-header", "header: x-key")):
        token = f"""- token: {{ {place}, secret: "${{ secret('ACME_SECRET') }}" }}"""
        mappings_folder(
            ACME.replace(check, token).replace("adapter: acme", f"adapter: {name}"), name=f"{name}.yaml"
        )
    async with serve(hooks__mappings=str(mappings_folder()), log__level="debug") as gateway:
        http, body = gateway.http(), b'{"items": []}'
        headers = {"Content-Type": "application/json"}
        for given in (ACME_SECRET, "wrong-" + ACME_SECRET):
            answers = [
                await http.post(f"/hooks/in-path/{given}", data=body, headers=headers),
                await http.post("/hooks/in-query", [("key", given)], data=body, headers=headers),
                await http.post("/hooks/in-header", data=body, headers=headers | {"X-Key": given}),
            ]
            assert {one.status for one in answers} == ({200} if given == ACME_SECRET else {401})
            assert all(ACME_SECRET.encode() not in one.body for one in answers)
        listed = await api(gateway, "/deliveries")
        assert len(listed["deliveries"]) == 3
        for one in listed["deliveries"]:
            delivery = await gateway.store.deliveries.get(UUID(one["id"]))
            assert ACME_SECRET not in repr(delivery)
        assert ACME_SECRET not in "".join(capsys.readouterr())


# -- over time -------------------------------------------------------------------------------------------


async def test_r16_a_vendor_that_falls_silent_is_told_to_people(
    serve: Serve, mappings_folder: Folder, mongo_client: Any
) -> None:
    async with serve(hooks__mappings=str(mappings_folder(acme("quiet_after: 2h")))) as gateway:
        hours = gateway.services.hooks.hours

        async def silence() -> tuple[Any, ...]:
            (adapter,) = (await api(gateway, "/mappings"))["mappings"]
            ready = (await gateway.http().get("/readyz")).json()
            found = adapter["silence"]
            return (
                found["last"] is not None,
                found["alarm"],
                ready["silent"],
                counted("adapter_quiet{", adapter="acme"),
            )

        assert await silence() == (False, False, [], 0.0)
        await finished(gateway, await post_acme(gateway.http(), acme_item("1")))
        assert await silence() == (True, False, [], 0.0)
        collection = mongo_client[gateway.store.name]["deliveries"]
        long_ago = utc_now() - dt.timedelta(hours=3)
        await collection.update_many({}, {"$set": {"received": long_ago}})
        assert await silence() == (True, True, ["acme"], 1.0)
        # Also when the last delivery was deleted long ago.
        await hours._hours.freeze(long_ago - dt.timedelta(hours=1), long_ago + dt.timedelta(hours=1))
        await collection.delete_many({})
        assert await silence() == (True, True, ["acme"], 1.0)
        await post_acme(gateway.http(), acme_item("2"))
        assert await silence() == (True, False, [], 0.0)


async def test_r17_repeated_deliveries_are_recognised_for_longer_than_any_vendor_tries(
    serve: Serve, mappings_folder: Folder, mongo_client: Any
) -> None:
    with pytest.raises(SettingsError, match="retention"):
        settings_for("x", hooks__retention="4d")
    for wrong in ("4d", "0d", "50000d"):
        with pytest.raises(MappingError, match=f"keep_for is 5d to 36500d, got {wrong}"):
            load_mapping(f"{ACME}privacy: {{ keep_for: {wrong} }}\n", "acme.yaml")
    text = f"{ACME}privacy: {{ keep_for: 5d }}\n"
    async with serve(hooks__mappings=str(mappings_folder(text))) as gateway:
        delivery = await finished(gateway, await post_acme(gateway.http(), acme_item("1")))
        row = await mongo_client[gateway.store.name]["deliveries"].find_one({"_id": delivery.id})
        assert row["expires"] - row["finished"] >= dt.timedelta(days=4, hours=23)


PRIVATE = """\
privacy:
  drop: [ { path: "body.items[*].mail", for_identity_only: true }, "body.items[*].phone" ]
"""


@pytest.mark.parametrize(("store", "kept"), [("redacted", "whole"), ("hash-only", "hash")])
async def test_r18_what_is_left_of_a_resolved_body_is_what_the_mapping_says(
    serve: Serve, mappings_folder: Folder, store: str, kept: str
) -> None:
    text = acme().replace("rules:\n", f"{PRIVATE}  store_raw: {store}\nrules:\n")
    async with serve(hooks__mappings=str(mappings_folder(text))) as gateway:
        http, private = gateway.http(), {"mail": "ana@x.example", "phone": "+43"}
        reply = await post_acme(http, acme_item("1", **private))
        first = await finished(gateway, reply)

        async def forgotten() -> Delivery | None:
            found = await gateway.store.deliveries.get(first.id)
            return found if found is not None and found.kept == kept else None

        delivery = await until(forgotten)
        failed = await finished(gateway, await post_acme(http, acme_item("2", score="many", **private)))
        assert (delivery.kept, failed.kept) == (kept, "whole")
        assert b"ana@x.example" not in delivery.body + failed.body
        assert b"+43" not in delivery.body + failed.body
        # What identities may see is sealed, as long as it may be needed.
        assert failed.sealed is not None
        assert (delivery.sealed is not None) is (kept == "whole")
        assert (delivery.body == b"") is (kept == "hash")
        # A repetition is still recognised, and what is not there is not mapped again.
        assert (await post_acme(http, acme_item("1", **private))).json()["duplicate"] is True
        manage = gateway.lrs.at(f"{gateway.url}/api/v1")
        replayed = await manage.post("/deliveries/replay", body={"ids": [str(delivery.id)]})
        assert replayed.json()["replayed"] == int(kept != "hash")
        assert (await finished(gateway, reply)).state is State.DONE
        explained = await manage.post("/mappings/acme/explain", body={"delivery": str(delivery.id)})
        assert explained.status == (409 if kept == "hash" else 200)
        assert (await manage.get(f"/deliveries/{delivery.id}")).json()["request"]["kept"] == kept


@pytest.mark.parametrize("seed", range(3))
async def test_r19_whatever_comes_the_counts_of_an_hour_balance(
    serve: Serve, mappings_folder: Folder, seed: int
) -> None:
    chance = random.Random(seed)
    kinds = ("good", "again", "poison", "unknown", "ping", "broken", "unsigned", "batch", "other-body")
    async with serve(hooks__mappings=str(mappings_folder())) as gateway:
        http, sent, accepted, statements = gateway.http(), Counter[str](), 0, 0
        last = json.dumps({"items": [acme_item("first")]}).encode()
        for number in range(40):
            kind = chance.choice(kinds)
            items = {
                "poison": [acme_item(str(number), score="many")],
                "unknown": [{"id": str(number), "type": "unknown"}],
                "ping": [{"id": str(number), "type": "ping"}],
                "batch": [acme_item(f"{number}-{item}") for item in range(chance.randrange(5))],
            }.get(kind, [acme_item(str(number))])
            body = json.dumps({"items": items, "n": number}).encode()
            body = {"again": last, "broken": body[:-3]}.get(kind, body)
            headers = {"X-Acme-Signature": "00"} if kind == "unsigned" else {}
            reply = await raw(http, body, **headers)
            sent[kind] += 1
            assert reply.status == (401 if kind == "unsigned" else 200)
            accepted += reply.status == 200
            last = body if reply.status == 200 else last
        await all_mapped(gateway.store)
        hours = (await api(gateway, "/deliveries/hours?adapter=acme"))["hours"]
        total = Counter[str]()
        for hour in hours:
            assert hour["accepted"] == hour["deliveries"] + hour["duplicates"]
            assert hour["deliveries"] == sum(hour["states"].values())
            total.update({key: hour[key] for key in ("accepted", "deliveries", "statements")})
            total.update(hour["notStored"])
            total.update({f"event {state}": count for state, count in hour["events"].items()})
        statements = len(await all_statements(gateway))
        assert total["accepted"] == accepted == 40 - sent["unsigned"]
        assert total["refused"] == sent["unsigned"]
        assert total["statements"] == total["event done"] == statements
        kept = await gateway.services.hooks.hours.between(
            utc_now() - dt.timedelta(days=1), utc_now(), "nobody"
        )
        assert kept == []


async def test_r19_hours_are_kept_when_their_deliveries_are_gone(
    serve: Serve, mappings_folder: Folder, mongo_client: Any
) -> None:
    async with serve(hooks__mappings=str(mappings_folder())) as gateway:
        hooks, collection = gateway.services.hooks, mongo_client[gateway.store.name]["deliveries"]
        for number in range(3):
            await finished(gateway, await post_acme(gateway.http(), acme_item(str(number))))
        then = utc_now() - dt.timedelta(days=2)
        await collection.update_many({}, {"$set": {"received": then}})
        await hooks.hours._freeze()
        await collection.delete_many({})
        (hour,) = await hooks.hours.between(then - dt.timedelta(hours=1), utc_now(), "acme")
        assert (hour.deliveries, hour.statements, hour.states[State.DONE]) == (3, 3, 3)


async def test_r20_a_payload_can_be_explained_without_storing_and_signed_for_a_try(
    serve: Serve, vendor_secrets: None
) -> None:
    async with serve() as gateway:
        manage = gateway.lrs.at(f"{gateway.url}/api/v1")
        payload = json.loads(zoom_sample())
        explained = (await manage.post("/mappings/zoom/explain", body={"payload": payload})).json()
        assert explained["events"][0]["outcome"]["kind"] == "adapted"
        assert await states_of(gateway.store) == []
        assert (await gateway.http().post("/api/v1/mappings/zoom/explain", data=b"{}")).status == 401
        adapter = gateway.services.hooks.mappings.get("zoom")
        assert adapter is not None
        mapping = load_file(adapter.file)
        url = f"{gateway.url}/hooks/zoom"
        request = sign(unsigned(mapping, zoom_sample(), url, utc_now()), mapping, adapter.secrets, utc_now())
        received = await gateway.services.hooks.receiving.receive(adapter, request)
        assert isinstance(received, Acknowledged)
        assert not received.duplicate
