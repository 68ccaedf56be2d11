from __future__ import annotations

import pytest

from tests.gateway import Gateway


async def test_the_callers_request_id_comes_back(gateway: Gateway) -> None:
    reply = await gateway.lrs.get("/about", headers={"X-Request-ID": "trace-1.A_b"})
    assert reply.headers["X-Request-ID"] == "trace-1.A_b"


@pytest.mark.parametrize("odd", ["", "two words", "a" * 65, "semi;colon"])
async def test_an_odd_request_id_is_replaced(gateway: Gateway, odd: str) -> None:
    reply = await gateway.lrs.get("/about", headers={"X-Request-ID": odd})
    assert reply.headers["X-Request-ID"] not in ("", odd)


async def test_every_request_has_an_id_of_its_own_errors_included(gateway: Gateway) -> None:
    replies = [
        await gateway.lrs.get("/nowhere"),
        await gateway.lrs.get("/about"),
        await gateway.http().get("/x"),
    ]
    assert [reply.status for reply in replies] == [404, 200, 404]
    assert len({reply.headers["X-Request-ID"] for reply in replies}) == 3
