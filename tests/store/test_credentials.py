from __future__ import annotations

import asyncio
import datetime as dt

from gateway.store.credentials import Credential
from gateway.store.store import Store

NOW = dt.datetime(2024, 1, 31, 10, 15, tzinfo=dt.UTC)


def credential(key: str) -> Credential:
    return Credential(key=key, name="Name", store="main", scopes=("all",), created=NOW)


async def test_only_the_right_secret_opens(store: Store) -> None:
    assert await store.credentials.create(credential("k"), "s")
    assert await store.credentials.authenticate("k", "s") == credential("k")
    for key, secret in (("k", "S"), ("k", ""), ("K", "s"), ("", "s"), ("k", "s\0"), ("k\0", "s")):
        assert await store.credentials.authenticate(key, secret) is None


async def test_of_many_that_create_one_key_one_succeeds(store: Store) -> None:
    made = await asyncio.gather(*(store.credentials.create(credential("k"), str(n)) for n in range(10)))
    assert sorted(made) == [False] * 9 + [True]
    assert await store.credentials.authenticate("k", str(made.index(True))) is not None


async def test_a_rotated_secret_replaces_the_old_one_and_a_revoked_key_stays_closed(store: Store) -> None:
    await store.credentials.create(credential("k"), "old")
    assert await store.credentials.rotate("k", "new")
    assert await store.credentials.authenticate("k", "old") is None
    assert await store.credentials.authenticate("k", "new") is not None
    revoked = await store.credentials.revoke("k", NOW)
    assert revoked is not None
    assert revoked.revoked == NOW
    again = await store.credentials.revoke("k", NOW + dt.timedelta(days=1))
    assert again == revoked
    assert await store.credentials.authenticate("k", "new") is None
    assert await store.credentials.rotate("k", "newer") is None
    assert await store.credentials.revoke("unknown", NOW) is None


async def test_secrets_are_not_kept(store: Store) -> None:
    await store.credentials.create(credential("k"), "the secret itself")
    assert "the secret itself" not in str(await store._database.credentials.find_one())
