"""People of the console: what their roles let them do, and how they get in.

Everything that a page does needs one `Right`; roles are sets of them.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hmac
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from secrets import token_urlsafe
from typing import Final, Self
from uuid import UUID, uuid4

from gateway.errors import Conflict, Forbidden, Invalid, NotFound, Problem, TooManyRequests
from gateway.services.access import Grant, Scope
from gateway.services.clock import utc_now
from gateway.services.identities import Identity
from gateway.services.passwords import LONGEST, Passwords, check_password
from gateway.settings import Settings
from gateway.store.people import LastAdministrator, Person, Subject
from gateway.store.people import People as StoredPeople
from gateway.store.sign_ins import ConsoleSession, SignIns
from gateway.store.store import Store

LINK_LASTS = dt.timedelta(days=1)
_WINDOW = dt.timedelta(minutes=15)
_MOST_OF_A_LOGIN, _MOST_OF_AN_ADDRESS = 10, 50
_SEEN_EVERY = dt.timedelta(minutes=1)
_LONGEST_NAME = 100
_LONGEST_SUBJECT = 255


class Right(StrEnum):
    """What a page or an action of the console needs."""

    HOME = "see the overview"
    READ_STATEMENTS = "read statements"
    READ_SOURCES = "see sources"
    MANAGE_SOURCES = "manage sources"
    READ_REPORTS = "read reports"
    READ_DELIVERIES = "read deliveries"
    REPLAY = "replay deliveries"
    READ_MAPPINGS = "see mappings"
    TRY_MAPPINGS = "try mappings"
    READ_COURSES = "see courses and progress"
    RUN_COURSES = "run courses"
    READ_CREDENTIALS = "see credentials"
    MANAGE_CREDENTIALS = "manage credentials"
    READ_SYSTEM = "see the system"
    READ_AUDIT = "see who did what"
    MANAGE_PEOPLE = "manage people"


class Role(StrEnum):
    """What somebody is to the gateway."""

    ADMINISTRATOR = "administrator"
    LMS_ADMINISTRATOR = "lms-administrator"
    INTEGRATION_ENGINEER = "integration-engineer"
    ANALYST = "analyst"
    AUDITOR = "auditor"


RIGHTS: Final[Mapping[Role, frozenset[Right]]] = {
    Role.ADMINISTRATOR: frozenset(Right),
    Role.LMS_ADMINISTRATOR: frozenset(
        {Right.HOME, Right.READ_REPORTS, Right.READ_COURSES, Right.RUN_COURSES}
    ),
    Role.INTEGRATION_ENGINEER: frozenset(
        {
            Right.HOME,
            Right.READ_STATEMENTS,
            Right.READ_SOURCES,
            Right.MANAGE_SOURCES,
            Right.READ_DELIVERIES,
            Right.REPLAY,
            Right.READ_MAPPINGS,
            Right.TRY_MAPPINGS,
            Right.READ_SYSTEM,
        }
    ),
    Role.ANALYST: frozenset({Right.HOME, Right.READ_STATEMENTS, Right.READ_REPORTS}),
    # Sees everything and changes nothing.
    Role.AUDITOR: frozenset(
        {
            Right.HOME,
            Right.READ_STATEMENTS,
            Right.READ_SOURCES,
            Right.READ_REPORTS,
            Right.READ_DELIVERIES,
            Right.READ_MAPPINGS,
            Right.READ_COURSES,
            Right.READ_CREDENTIALS,
            Right.READ_SYSTEM,
            Right.READ_AUDIT,
        }
    ),
}


def rights_of(person: Person) -> frozenset[Right]:
    """What somebody may do: all that any of their roles allows."""
    known = [Role(role) for role in person.roles if role in list(Role)]
    return frozenset().union(*(RIGHTS[role] for role in known))


def reading_grant(person: Person) -> Grant:
    """With which somebody reads statements; a page asks for the right before it makes one."""
    return Grant(
        key=f"person:{person.login}",
        store=person.store,
        scopes=frozenset({Scope.STATEMENTS_READ}),
        authority={},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Somebody who is signed in."""

    person: Person
    rights: frozenset[Right]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """A session that has begun; its `token` is shown to the browser and kept nowhere."""

    person: Person
    token: str


class SignInRefused(Forbidden):
    """Somebody is not let in: login and password do not belong together, and it is not said which of them is
    wrong; or whoever an identity provider knows has no place here.
    """

    code = "sign_in_refused"


class People:
    """The people of an installation, in the default store."""

    def __init__(
        self,
        people: StoredPeople,
        sign_ins: SignIns,
        *,
        stores: Sequence[str],
        lifetime: dt.timedelta,
        idle: dt.timedelta,
        passwords: bool = True,
        clock: Callable[[], dt.datetime],
    ) -> None:
        self._people = people
        self._sign_ins = sign_ins
        self._stores = stores
        self._lifetime = lifetime
        self._idle = idle
        self._clock = clock
        self._takes_passwords = passwords
        self._passwords = Passwords()

    @classmethod
    def of(cls, settings: Settings, default: Store) -> Self:
        """The people of an installation; `default` is its default store."""
        return cls(
            default.people,
            default.sign_ins,
            stores=settings.stores.names,
            lifetime=dt.timedelta(seconds=settings.console.session_lifetime),
            idle=dt.timedelta(seconds=settings.console.idle_timeout),
            passwords=settings.console.passwords,
            clock=utc_now,
        )

    # -- managing ----------------------------------------------------------------------------------------

    async def create(self, login: str, name: str, roles: Sequence[str], store: str) -> Person:
        """Somebody new, who gets in by a link. Raises Invalid, or Conflict where the login is taken."""
        login = login.strip().lower()
        problems = _check(login, name, roles)
        if store not in self._stores:
            problems.append(_problem("store", store, f"one of {', '.join(self._stores)}"))
        if problems:
            raise Invalid(f"{problems[0].path} {problems[0].message}", problems=problems)
        person = Person(
            id=uuid4(),
            login=login,
            name=name.strip(),
            roles=tuple(dict.fromkeys(roles)),
            store=store,
            created=self._clock(),
        )
        if not await self._people.create(person):
            raise Conflict(f"there is somebody with the login {login!r} already")
        return person

    async def list(self) -> list[Person]:
        """Everybody, disabled people included."""
        return await self._people.list()

    async def get(self, identity: UUID) -> Person:
        """Somebody by their id; raises NotFound."""
        person = await self._people.get(identity)
        if person is None:
            raise NotFound(f"there is nobody with the id '{identity}'")
        return person

    async def sessions(self, person: Person) -> int:
        """In how many browsers somebody is signed in."""
        now = self._clock()
        return await self._sign_ins.count(person.id, now, seen_after=now - self._idle)

    async def find(self, login: str) -> Person | None:
        """Who has this login, if anybody has."""
        return await self._people.by_login(login.strip().lower())

    async def named(self, login: str) -> Person:
        """Who has this login; raises NotFound."""
        person = await self._people.by_login(login.strip().lower())
        if person is None:
            raise NotFound(f"there is nobody with the login {login!r}")
        return person

    async def disable(self, login: str) -> Person:
        """End all sessions of somebody, who cannot sign in any more. Raises NotFound, or Conflict for the
        last administrator.
        """
        person = await self.named(login)
        with _keeping_an_administrator(person):
            changed = await self._people.disable(person.id, self._clock())
        await self._sign_ins.end_all(person.id)
        return changed or person

    async def set_roles(self, login: str, roles: Sequence[str]) -> Person:
        """Give somebody other roles, which count from their next request on, whatever a provider says later.
        Raises Invalid, NotFound, or Conflict for the last administrator.
        """
        if problems := _check_roles(roles):
            raise Invalid(f"{problems[0].path} {problems[0].message}", problems=problems)
        person = await self.named(login)
        with _keeping_an_administrator(person):
            return await self._people.set_roles(person.id, tuple(dict.fromkeys(roles))) or person

    async def end_sessions(self, login: str) -> Person:
        """Sign somebody out everywhere, and withdraw their links; they may sign in again. Raises NotFound."""
        person = await self.named(login)
        await self._sign_ins.end_all(person.id)
        return person

    async def link_subject(self, login: str, issuer: str, subject: str) -> Person:
        """Let somebody sign in as the one whom an identity provider calls `subject`. Raises Invalid,
        NotFound, or Conflict where that is somebody else.
        """
        subject = subject.strip()
        if not 0 < len(subject) <= _LONGEST_SUBJECT or not subject.isprintable():
            raise Invalid("subject is empty or too long; the page that refused a sign-in says what it is")
        person = await self.named(login)
        if not await self._people.bind(person.id, Subject(issuer, subject)):
            raise Conflict(f"somebody else signs in as {subject!r} of {issuer}")
        return await self.named(login)

    async def unlink_subject(self, login: str) -> Person:
        """End somebody's sessions, and let them not come from a provider any more. Raises NotFound."""
        person = await self.named(login)
        await self._sign_ins.end_all(person.id)
        return await self._people.unbind(person.id) or person

    async def enable(self, login: str) -> Person:
        """Let somebody sign in again. Raises NotFound."""
        person = await self.named(login)
        return await self._people.enable(person.id) or person

    async def make_link(self, person: Person) -> str:
        """The token of a link with which somebody chooses a password, once; it replaces earlier ones."""
        if person.disabled is not None:
            raise Conflict(f"{person.login!r} is disabled; enable them first")
        token = token_urlsafe(32)
        await self._sign_ins.add_link(_hashed(token), person.id, self._clock() + LINK_LASTS)
        return token

    async def first_link(self, store: str) -> str | None:
        """The token of a link for the first person, who is made if there is nobody; None once anybody can
        sign in.
        """
        present = await self._people.list()
        if any(person.has_way_in for person in present):
            return None
        administrators = [
            person for person in present if Role.ADMINISTRATOR in person.roles and person.disabled is None
        ]
        if administrators:
            return await self.make_link(administrators[0])
        if present:
            return None
        try:
            first = await self.create("admin", "First administrator", [Role.ADMINISTRATOR], store)
        except Conflict:  # another machine was faster
            first = await self.named("admin")
        return await self.make_link(first)

    # -- getting in --------------------------------------------------------------------------------------

    async def sign_in(self, login: str, password: str, address: str) -> SignedIn:
        """Begin a session. Raises SignInRefused, or TooManyRequests after too many attempts."""
        if not self._takes_passwords:
            raise SignInRefused("nobody signs in with a password here; use the identity provider")
        now, login = self._clock(), login.strip().lower()[:_LONGEST_NAME]
        counted = f"login {_hashed(login)}"
        of_login = await self._sign_ins.attempt(counted, now, _WINDOW)
        of_address = await self._sign_ins.attempt(f"address {address}", now, _WINDOW)
        if of_login > _MOST_OF_A_LOGIN or of_address > _MOST_OF_AN_ADDRESS:
            minutes = int(_WINDOW.total_seconds() // 60)
            raise TooManyRequests(
                f"too many attempts; wait {minutes} minutes, or have an administrator make a link for you",
                headers={"Retry-After": str(int(_WINDOW.total_seconds()))},
            )
        person = await self._people.by_login(login)
        usable = person.password if person is not None and person.disabled is None else None
        if not await self._passwords.matches(usable, password[: LONGEST + 1]) or person is None:
            raise SignInRefused("login and password do not belong together")
        await self._sign_ins.forget_attempts(counted)
        return await self._begin(person)

    async def arrive(self, identity: Identity) -> SignedIn:
        """Begin a session for whom a provider knows; who is new becomes a person if they have a role.

        A person who is here is never taken over by name or address, except by the verified address of
        somebody who was invited and has no other way in yet. Raises SignInRefused.
        """
        subject = Subject(identity.issuer, identity.subject)
        person = await self._people.by_subject(subject)
        if person is None:
            person = await self._newcomer(identity, subject)
        elif person.follows:
            if not identity.roles:
                await self._sign_ins.end_all(person.id)
                raise SignInRefused(_no_role(identity))
            person = await self._people.set_roles(person.id, identity.roles, follows=True) or person
        if person.disabled is not None:
            raise SignInRefused(f"{person.login!r} is disabled here; ask an administrator")
        return await self._begin(person)

    async def _newcomer(self, identity: Identity, subject: Subject) -> Person:
        present = await self._people.by_login(identity.login)
        if present is not None:
            if identity.email == present.login and await self._people.bind(present.id, subject, invited=True):
                return await self.named(present.login)
            raise SignInRefused(
                f"there is somebody with the login {present.login!r} here already. If that is you, an "
                f"administrator can link you to it: your id at the provider is {identity.subject}"
            )
        if not identity.roles:
            raise SignInRefused(_no_role(identity))
        person = Person(
            id=uuid4(),
            login=identity.login,
            name=identity.name,
            roles=identity.roles,
            store=self._stores[0],
            created=self._clock(),
            subject=subject,
            follows=True,
        )
        # Where somebody else has the login or the subject since a moment ago, the next attempt finds them.
        if not await self._people.create(person):
            raise SignInRefused("somebody signed in with the same name at the same time; try again")
        return person

    async def invited(self, token: str) -> Person:
        """Whose link this is; raises NotFound."""
        identity = await self._sign_ins.link(_hashed(token), self._clock())
        return await self._of_link(identity)

    async def choose_password(self, token: str, password: str) -> SignedIn:
        """Set the password of whose link this is, end their other sessions and sign them in; the link is used
        up. Raises Invalid (then it is not), NotFound.
        """
        person = await self.invited(token)
        check_password(password, person.login)
        hashed = await self._passwords.hash(password)
        person = await self._of_link(await self._sign_ins.use_link(_hashed(token), self._clock()))
        await self._people.set_password(person.id, hashed)
        await self._sign_ins.end_all(person.id)
        await self._sign_ins.forget_attempts(f"login {_hashed(person.login)}")
        return await self._begin(person)

    async def visitor(self, token: str, *, active: bool = True) -> Visitor | None:
        """Who holds the token of a session that still runs; being `active` keeps it from running out."""
        now, hashed = self._clock(), _hashed(token)
        session = await self._sign_ins.session(hashed)
        if session is None or session.expires <= now or session.seen + self._idle <= now:
            return None
        person = await self._people.get(session.person)
        if person is None or person.disabled is not None:
            return None
        if active and now - session.seen > min(_SEEN_EVERY, self._idle / 4):
            await self._sign_ins.note_seen(hashed, now)
        return Visitor(person=person, rights=rights_of(person))

    async def sign_out(self, token: str) -> None:
        await self._sign_ins.end(_hashed(token))

    async def _begin(self, person: Person) -> SignedIn:
        now, token = self._clock(), token_urlsafe(32)
        await self._sign_ins.begin(
            ConsoleSession(
                token=_hashed(token), person=person.id, created=now, seen=now, expires=now + self._lifetime
            )
        )
        await self._people.note_sign_in(person.id, now)
        return SignedIn(person=person, token=token)

    async def _of_link(self, identity: UUID | None) -> Person:
        person = None if identity is None else await self._people.get(identity)
        if person is None or person.disabled is not None:
            raise NotFound("this link was used, replaced or is too old; ask an administrator for a new one")
        return person


def csrf_token(token: str) -> str:
    """What forms carry, so that only pages that saw the browser's own token can send them."""
    return hmac.new(token.encode(), b"console form", sha256).hexdigest()


def _check(login: str, name: str, roles: Sequence[str]) -> list[Problem]:
    problems = []
    if not 0 < len(login) <= _LONGEST_NAME or not all(char.isalnum() or char in ".-_@+" for char in login):
        problems.append(_problem("login", login, "1 to 100 letters, digits and . - _ @ +"))
    if not 0 < len(name.strip()) <= _LONGEST_NAME or not name.isprintable():
        problems.append(_problem("name", name, "1 to 100 printable characters"))
    return [*problems, *_check_roles(roles)]


def _check_roles(roles: Sequence[str]) -> list[Problem]:
    if roles and all(role in list(Role) for role in roles):
        return []
    return [_problem("role", ", ".join(roles), f"some of {', '.join(Role)}")]


def _no_role(identity: Identity) -> str:
    return (
        "nobody gave you a role here yet; ask an administrator. "
        f"Your id at the provider is {identity.subject}, your login here would be {identity.login}"
    )


@contextlib.contextmanager
def _keeping_an_administrator(person: Person) -> Iterator[None]:
    try:
        yield
    except LastAdministrator:
        raise Conflict(
            f"{person.login!r} is the last administrator who can sign in; make somebody else one first"
        ) from None


def _problem(path: str, held: str, expected: str) -> Problem:
    return Problem(path, "Console", f"holds {held!r}; expected {expected}")


def _hashed(token: str) -> str:
    return sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
