"""A statement as a sentence that people read. Pure: names come from the statement itself.

What a statement does not say is made from its ids: the last part of a verb's IRI, the name of an account.
Nothing here is trusted or escaped; pages do that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from gateway.services.texts import duration_text, title_text

_LONGEST = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """Who did what to what, and with which result; `who` may be empty in a broken statement, never absent."""

    who: str
    did: str
    what: str
    result: str


def sentence(statement: Mapping[str, Any]) -> Sentence:
    """The parts of the sentence."""
    return Sentence(
        who=_short(actor_name(statement.get("actor"))),
        did=_short(verb_name(statement.get("verb"))),
        what=_short(object_name(statement.get("object"))),
        result=", ".join(_results(statement.get("result"))),
    )


def actor_name(actor: object) -> str:
    """A name, else what identifies the Agent or Group."""
    if not isinstance(actor, Mapping):
        return "somebody"
    if _text(actor.get("name")):
        return str(actor["name"])
    account = actor.get("account")
    if isinstance(account, Mapping) and _text(account.get("name")):
        return str(account["name"])
    if _text(actor.get("mbox")):
        return str(actor["mbox"]).removeprefix("mailto:")
    if _text(actor.get("openid")):
        return str(actor["openid"])
    if _text(actor.get("mbox_sha1sum")):
        return f"somebody with the hash {actor['mbox_sha1sum'][:8]}"
    members = actor.get("member")
    if isinstance(members, list) and members:
        more = f" and {len(members) - 2} more" if len(members) > 2 else ""
        return " and ".join(actor_name(member) for member in members[:2]) + more
    return "somebody"


def verb_name(verb: object) -> str:
    """How the verb is shown, else the last part of its IRI."""
    if not isinstance(verb, Mapping):
        return "did something to"
    return _language(verb.get("display")) or _tail(verb.get("id"))


def object_name(value: object) -> str:
    """An activity's name, a statement's id, a person's name, or the sentence of a sub-statement."""
    if not isinstance(value, Mapping):
        return "something"
    kind = value.get("objectType", "Activity")
    if kind in ("Agent", "Group"):
        return actor_name(value)
    if kind == "StatementRef":
        return f"the statement {value.get('id')}"
    if kind == "SubStatement":
        inner = sentence(value)
        return f"“{inner.who} {inner.did} {inner.what}”"
    definition = value.get("definition")
    name = _language(definition.get("name")) if isinstance(definition, Mapping) else ""
    return name or str(value.get("id", "something"))


def _results(result: object) -> list[str]:
    if not isinstance(result, Mapping):
        return []
    parts = []
    score = result.get("score")
    if isinstance(score, Mapping):
        scaled, raw, most = score.get("scaled"), score.get("raw"), score.get("max")
        if isinstance(raw, int | float) and isinstance(most, int | float):
            parts.append(f"scored {raw:g} of {most:g}")
        elif isinstance(scaled, int | float):
            parts.append(f"scored {round(scaled * 100)} %")
        elif isinstance(raw, int | float):
            parts.append(f"scored {raw:g}")
    if isinstance(result.get("success"), bool):
        parts.append("succeeded" if result["success"] else "did not succeed")
    if isinstance(result.get("completion"), bool):
        parts.append("complete" if result["completion"] else "incomplete")
    if _text(result.get("response")):
        parts.append(f"answered “{_short(result['response'], 60)}”")
    if _text(result.get("duration")):
        parts.append(f"took {_short(duration_text(result['duration']), 40)}")
    return parts


def _language(value: object) -> str:
    if not isinstance(value, Mapping):
        return ""
    return title_text({key: text for key, text in value.items() if _text(text)})


def _tail(iri: object) -> str:
    text = str(iri or "did something to").rstrip("/#")
    return unquote(text.replace("#", "/").rpartition("/")[2]).replace("-", " ").replace("_", " ") or text


def _text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _short(text: str, most: int = _LONGEST) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
