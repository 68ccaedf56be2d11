"""Agents and Groups: what identifies them, and whether one is well formed (xAPI 1.0.3 Data §2.4.2).

Performs no I/O. Two Agents are the same person if `agent_key` gives the same text; names and the
order of properties never matter.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gateway.errors import BadRequest, Invalid, Problem
from gateway.xapi import strict_json
from gateway.xapi.datatypes import is_iri, is_mailto, is_sha1
from gateway.xapi.findings import Check, Shape, array, at, constant, is_object, string, text, wrong

_AGENT: Final = "xAPI 2.4.2.1"
_GROUP: Final = "xAPI 2.4.2.2"
_IFI: Final = "xAPI 2.4.2.3"
_ACCOUNT: Final = "xAPI 2.4.2.4"

IDENTIFIERS: Final = ("mbox", "mbox_sha1sum", "openid", "account")
"""The properties that can identify an Agent or Group; it has exactly one (an anonymous Group none)."""


def agent_key(agent: Mapping[str, Any]) -> str | None:
    """The identifier of a well-formed Agent or Group as one text, None if it is anonymous.

    `mbox:mailto:a@b.org` (domain in lower case), `sha1:…` (lower case), `openid:…`,
    `account:<homePage>|<name>`. Different identifiers never share a text: `|` and `\\` in a homePage are
    escaped by `\\`, so the first bare `|` ends it.
    """
    if (account := agent.get("account")) is not None:
        home_page: str = account["homePage"]
        if "|" in home_page or "\\" in home_page:
            home_page = home_page.replace("\\", "\\\\").replace("|", "\\|")
        return f"account:{home_page}|{account['name']}"
    if (mbox := agent.get("mbox")) is not None:
        local, _, domain = mbox.rpartition("@")
        return f"mbox:{local}@{domain.lower()}"
    if (sha1 := agent.get("mbox_sha1sum")) is not None:
        return f"sha1:{sha1.lower()}"
    if (openid := agent.get("openid")) is not None:
        return f"openid:{openid}"
    return None


_account: Final = Shape(
    name="an account",
    requirement=_ACCOUNT,
    fields={
        "homePage": text(_ACCOUNT, "an IRL with a scheme, such as https://lms.example.org", is_iri),
        "name": string(_ACCOUNT),
    },
    required=("homePage", "name"),
)
_identity: Final[dict[str, Check]] = {
    "name": string(_AGENT),
    "mbox": text(_IFI, "a mail address of the form mailto:name@example.org", is_mailto),
    "mbox_sha1sum": text(_IFI, "the SHA-1 of a mailto: IRI, 40 hexadecimal digits", is_sha1),
    "openid": text(_IFI, "a URI with a scheme", is_iri),
    "account": _account,
}
_agent: Final = Shape(
    name="an Agent", requirement=_AGENT, fields={"objectType": constant(_AGENT, "Agent"), **_identity}
)


def _check_agent(value: object, path: str, problems: list[Problem]) -> None:
    _agent(value, path, problems)
    if isinstance(value, dict):
        _check_identifiers(value, path, problems, anonymous=False)


def _check_member(value: object, path: str, problems: list[Problem]) -> None:
    if isinstance(value, dict) and value.get("objectType") == "Group":
        problems.append(
            Problem(at(path, "objectType"), _GROUP, 'holds "Group"; members of a Group are Agents')
        )
    else:
        _check_agent(value, path, problems)


_group: Final = Shape(
    name="a Group",
    requirement=_GROUP,
    fields={
        "objectType": constant(_GROUP, "Group"),
        **_identity,
        "member": array(_GROUP, "an array of Agents", _check_member),
    },
    required=("objectType",),
)


def _check_identifiers(value: dict[str, Any], path: str, problems: list[Problem], *, anonymous: bool) -> None:
    given = [key for key in IDENTIFIERS if key in value]
    if len(given) > 1:
        message = f"has {len(given)} identifiers ({', '.join(given)}); exactly one is allowed"
        problems.append(Problem(path, _IFI, message))
    elif not given and not anonymous:
        problems.append(Problem(path, _IFI, f"has no identifier; it needs one of {', '.join(IDENTIFIERS)}"))


def _check_group(value: object, path: str, problems: list[Problem]) -> None:
    _group(value, path, problems)
    if isinstance(value, dict):
        _check_identifiers(value, path, problems, anonymous=True)
        if "member" not in value and not any(key in value for key in IDENTIFIERS):
            message = f"is missing; a Group needs it or one of {', '.join(IDENTIFIERS)}"
            problems.append(Problem(at(path, "member"), _GROUP, message))


def _check_actor(value: object, path: str, problems: list[Problem]) -> None:
    if not is_object(value, path, problems, "xAPI 2.4.2", "an Agent or a Group, which are objects"):
        return
    kind = value.get("objectType", "Agent")
    if kind == "Group":
        _check_group(value, path, problems)
    elif kind == "Agent":
        _check_agent(value, path, problems)
    else:
        wrong(kind, at(path, "objectType"), problems, "xAPI 2.4.2", '"Agent" or "Group"')


def check_agent(value: object, path: str) -> list[Problem]:
    """Everything that keeps the value from being an Agent."""
    problems: list[Problem] = []
    _check_agent(value, path, problems)
    return problems


def check_group(value: object, path: str) -> list[Problem]:
    """Everything that keeps the value from being a Group, anonymous or identified."""
    problems: list[Problem] = []
    _check_group(value, path, problems)
    return problems


def check_actor(value: object, path: str) -> list[Problem]:
    """Everything that keeps the value from being an Agent or a Group; objectType tells which is meant."""
    problems: list[Problem] = []
    _check_actor(value, path, problems)
    return problems


def check_authority(value: object, path: str) -> list[Problem]:
    """Everything that keeps the value from being an authority: an Agent, or an anonymous Group of two."""
    problems = check_actor(value, path)
    if isinstance(value, dict) and value.get("objectType") == "Group":
        members = value.get("member")
        if any(key in value for key in IDENTIFIERS) or not isinstance(members, list) or len(members) != 2:
            message = "holds a Group; as authority it must be anonymous and have exactly two members"
            problems.append(Problem(path, "xAPI 2.4.9", message))
    return problems


def parse_agent_parameter(parameter: str, name: str = "agent") -> dict[str, Any]:
    """The Agent in a query parameter called `name`. Raises Invalid; a Group is refused too."""
    value = _parse_parameter(parameter, name)
    return _accepted(value, check_agent(value, name), name, "an Agent")


def parse_actor_parameter(parameter: str, name: str = "agent") -> dict[str, Any]:
    """The Agent or identified Group in a query parameter called `name`. Raises Invalid."""
    value = _parse_parameter(parameter, name)
    problems = check_actor(value, name)
    if not problems and agent_key(value) is None:
        problems = [
            Problem(name, _GROUP, "holds an anonymous Group; only an identified one can be looked for")
        ]
    return _accepted(value, problems, name, "an Agent or identified Group")


def _parse_parameter(parameter: str, name: str) -> Any:
    try:
        return strict_json.parse(parameter.encode("utf-8")).value
    except (BadRequest, UnicodeEncodeError) as error:
        reason = error.message if isinstance(error, BadRequest) else "it is not valid Unicode"
        problem = Problem(name, "xAPI Communication 2.1.3", f"holds no JSON: {reason}")
        raise Invalid(f"the parameter {name} is not JSON: {reason}", problems=[problem]) from None


def _accepted(value: Any, problems: list[Problem], name: str, expected: str) -> dict[str, Any]:
    if problems:
        first = problems[0]
        message = f"the parameter {name} is not {expected}: {first.path} {first.message}"
        raise Invalid(message, problems=problems)
    accepted: dict[str, Any] = value
    return accepted
