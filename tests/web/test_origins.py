from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest

from tests.gateway import Gateway
from tests.web.au import AU, LEARNER, XML, ZIP, api, course_xml, course_zip, imported

Serve = Callable[..., AbstractAsyncContextManager[Gateway]]


async def _launch(gateway: Gateway, headers: dict[str, str]) -> AU:
    course = (await api(gateway).post("/courses", data=course_zip(), headers=ZIP)).json()["id"]
    body = {"au": 0, "actor": LEARNER}
    reply = await api(gateway).post(f"/courses/{course}/launch", body=body, headers=headers)
    return AU.of(gateway, reply.json()["url"])


async def test_without_settings_the_request_says_where_the_gateway_is(serve: Serve) -> None:
    async with serve() as gateway:
        au = await _launch(gateway, {"Host": "lrs.example.org:9000", "X-Forwarded-Host": "evil.example.org"})
        assert au.launch["endpoint"] == "http://lrs.example.org:9000/xapi/"
        assert au.url.startswith("http://lrs.example.org:")


async def test_a_trusted_proxy_says_where_it_is(serve: Serve) -> None:
    async with serve(server__trusted_proxies=["127.0.0.0/8"], server__base_path="/lrs") as gateway:
        management = api(gateway).at(f"{gateway.url}/lrs/api/v1")
        forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "campus.example.org, inner"}
        course = (await management.post("/courses", data=course_xml(), headers=XML | forwarded)).json()
        assert course["aus"][0]["id"].startswith("https://campus.example.org/lrs/cmi5/courses/")
        body = {"course": course["id"], "actor": LEARNER}
        registration = (await management.post("/registrations", body=body)).json()["id"]
        link = await management.post(f"/registrations/{registration}/links", headers=forwarded)
        assert link.json()["url"].startswith("https://campus.example.org/lrs/launch/")


async def test_what_is_configured_wins(serve: Serve) -> None:
    urls = {
        "server__public_url": "https://lrs.example.org",
        "server__content_url": "https://content.example.org",
    }
    async with serve(**urls) as gateway:
        au = await _launch(gateway, {"Host": "other.example.org"})
        assert au.launch["endpoint"] == "https://lrs.example.org/xapi/"
        assert au.launch["fetch"].startswith("https://lrs.example.org/cmi5/fetch/")
        assert au.url.startswith("https://content.example.org/")


@pytest.mark.parametrize("host", ["[::1]:8080", "localhost"])
async def test_hosts_of_every_kind_get_the_content_port(serve: Serve, host: str) -> None:
    async with serve(server__content_port=8099) as gateway:
        au = await _launch(gateway, {"Host": host})
        assert au.url.startswith(f"http://{host.removesuffix(':8080')}:8099/")
        assert (await imported(gateway))["id"]
