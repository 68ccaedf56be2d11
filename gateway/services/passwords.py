"""Passwords: Argon2id, hashed in a thread, few at once, as each takes 64 MiB; and what a good one is."""

from __future__ import annotations

import asyncio
from secrets import token_urlsafe

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from gateway.errors import Invalid, Problem

SHORTEST, LONGEST = 12, 256
_HASHES_AT_ONCE = 2


class Passwords:
    """Argon2id with the parameters of RFC 9106 for less memory, away from the event loop."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher()
        self._turns = asyncio.Semaphore(_HASHES_AT_ONCE)
        self._nobodys: str | None = None

    async def hash(self, password: str) -> str:
        async with self._turns:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def matches(self, stored: str | None, password: str) -> bool:
        """Is this the password? Where there is none it takes as long as where there is one."""
        if stored is None:
            if self._nobodys is None:
                self._nobodys = await self.hash(token_urlsafe())
            await self._verify(self._nobodys, password)
            return False
        return await self._verify(stored, password)

    async def _verify(self, stored: str, password: str) -> bool:
        async with self._turns:
            try:
                return await asyncio.to_thread(self._hasher.verify, stored, password)
            except (VerificationError, InvalidHashError):
                return False


def check_password(password: str, login: str) -> None:
    """Raises Invalid for a password that is too short, too long or holds the login."""
    expected = None
    if not SHORTEST <= len(password) <= LONGEST:
        expected = f"has {len(password)} characters; expected {SHORTEST} to {LONGEST}"
    elif login in password.lower() or len(set(password)) < 5:
        expected = "is easy to guess; do not use your login, and more than four different characters"
    if expected is not None:
        raise Invalid(f"the password {expected}", problems=[Problem("password", "Console", expected)])
