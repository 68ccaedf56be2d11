"""Credentials of one store, as the people who answer for it manage them. Secrets are told once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence

from gateway.errors import Conflict, Invalid, NotFound, Problem
from gateway.services.access import LIMITABLE, Access, Scope
from gateway.services.bootstrap import new_key, new_secret
from gateway.store.credentials import Credential
from gateway.store.credentials import Credentials as StoredCredentials
from gateway.store.row_filters import RowFilter

_LONGEST = 200


class Credentials:
    """What belongs to `store`; of others nothing is told, not even that they are there."""

    def __init__(
        self,
        credentials: StoredCredentials,
        access: Access,
        *,
        store: str,
        clock: Callable[[], dt.datetime],
    ) -> None:
        self._credentials = credentials
        self._access = access
        self._store = store
        self._clock = clock

    async def list(self) -> list[Credential]:
        """All of them, those that count first, the newest of these on top."""
        mine = [one for one in await self._credentials.list() if one.store == self._store]
        mine.reverse()
        return sorted(mine, key=lambda one: one.revoked is not None)

    async def create(
        self,
        *,
        name: str,
        scopes: Sequence[str],
        owner: str = "",
        purpose: str = "",
        rows: RowFilter | None = None,
    ) -> tuple[Credential, str]:
        """A new credential and its secret; raises Invalid with everything that is wrong."""
        problems = [
            Problem(field, "Console", f"has {len(value)} characters; expected at most {_LONGEST}")
            for field, value in (("name", name), ("owner", owner), ("purpose", purpose))
            if len(value) > _LONGEST
        ]
        if not name:
            problems.append(Problem("name", "Console", "is empty; say what people call it"))
        if not scopes or any(scope not in list(Scope) for scope in scopes):
            problems.append(Problem("scope", "Console", f"holds none of {', '.join(Scope)}"))
        if problems:
            raise Invalid(f"{problems[0].path} {problems[0].message}", problems=problems)
        check_rows(scopes, rows)
        secret = new_secret()
        credential = Credential(
            key=new_key(),
            name=name,
            store=self._store,
            scopes=tuple(scopes),
            owner=owner or None,
            purpose=purpose or None,
            rows=rows or None,
            created=self._clock(),
        )
        if not await self._credentials.create(credential, secret):
            raise Conflict("the key that was made is taken; try again")
        return credential, secret

    async def rotate(self, key: str) -> tuple[Credential, str]:
        """Replace the secret; the old one stops working within seconds. Raises NotFound, Conflict."""
        await self._get(key)
        secret = new_secret()
        credential = await self._credentials.rotate(key, secret)
        if credential is None:
            raise Conflict(f"the credential {key!r} is revoked; create a new one")
        self._access.forget()
        return credential, secret

    async def revoke(self, key: str) -> None:
        """End it for good. Raises NotFound."""
        await self._get(key)
        await self._credentials.revoke(key, self._clock())
        self._access.forget()

    async def _get(self, key: str) -> Credential:
        credential = await self._credentials.get(key)
        if credential is None or credential.store != self._store:
            raise NotFound(f"there is no credential with the key {key!r}")
        return credential


def check_rows(scopes: Sequence[str], rows: RowFilter | None) -> None:
    """Raise Invalid where rows are limited for scopes that reach beyond rows."""
    beyond = [scope for scope in scopes if scope not in LIMITABLE]
    if rows and beyond:
        message = (
            f"{', '.join(beyond)} reaches beyond statements, so it cannot be combined with limits on what "
            f"may be read; {', '.join(sorted(LIMITABLE))} can"
        )
        raise Invalid(f"the scope {message}", problems=[Problem("scope", "Console", message)])
