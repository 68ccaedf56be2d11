"""Who somebody is according to an identity provider, and which roles that gives them here. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.errors import Forbidden
from gateway.settings.model import OidcSettings

_LONGEST = 100


class WrongDomain(Forbidden):
    """Somebody's e-mail address is not of a domain that may sign in."""

    code = "sign_in_refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Somebody at a provider. `subject` is what stays the same there for ever; `email` is one that the
    provider verified; `login` is what they are called here if they are new; `roles` may be none.
    """

    issuer: str
    subject: str
    login: str
    name: str
    email: str | None
    roles: tuple[str, ...]


def identity_of(claims: Mapping[str, Any], settings: OidcSettings) -> Identity:
    """Of claims that are verified; raises WrongDomain."""
    written = _text(claims, "email").lower()
    is_verified = claims.get("email_verified") in (True, "true")  # a text at some providers
    _check_domain(written, is_verified, settings)
    email = written if written and is_verified else None
    login = email or _text(claims, "preferred_username").lower() or claims["sub"].lower()
    login = "".join(char if char.isalnum() or char in ".-_@+" else "-" for char in login)[:_LONGEST]
    name = " ".join(_text(claims, "name").split())[:_LONGEST]
    return Identity(
        issuer=claims["iss"],
        subject=claims["sub"],
        login=login,
        name=name if name and name.isprintable() else login,
        email=email,
        roles=roles_of(claims, settings),
    )


def roles_of(claims: Mapping[str, Any], settings: OidcSettings) -> tuple[str, ...]:
    """The roles that the values of the claim have; the default one if none of them has any."""
    values = _values(claims, settings.roles_claim)
    found = [role for value, role in settings.roles.items() if value in values]
    if not found and settings.default_role is not None:
        found = [settings.default_role]
    return tuple(dict.fromkeys(found))


def _values(claims: Mapping[str, Any], name: str) -> Sequence[str]:
    """The texts of a claim; a name with dots leads into others, unless there is a claim of that very name."""
    value: Any = claims.get(name)
    if value is None:
        value = claims
        for part in name.split("."):
            value = value.get(part) if isinstance(value, dict) else None
    found = value if isinstance(value, list) else [value]
    return [one for one in found if isinstance(one, str)]


def _check_domain(email: str, is_verified: bool, settings: OidcSettings) -> None:
    if not settings.allowed_domains:
        return
    allowed = ", ".join(settings.allowed_domains)
    if settings.verified_email and not is_verified:
        raise WrongDomain(
            f"only addresses of {allowed} may sign in, and {settings.name} did not say that yours is verified"
        )
    if email.count("@") != 1 or email.rpartition("@")[2] not in settings.allowed_domains:
        raise WrongDomain(f"only addresses of {allowed} may sign in")


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    return value.strip() if isinstance(value, str) else ""
