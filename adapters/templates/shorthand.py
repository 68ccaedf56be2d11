"""The short forms a mapping may write, turned into canonical xAPI after evaluation.

Nothing that comes in is changed in place: the same object may serve several statements.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from adapters.expressions.values import EvaluationError, describe, text
from adapters.vocabulary.terms import Where
from adapters.vocabulary.words import Vocabulary, is_iri, nearest

ACTIVITY_KEYS = frozenset(
    {
        "choices",
        "correct",
        "definition",
        "description",
        "extensions",
        "id",
        "interaction",
        "more_info",
        "name",
        "objectType",
        "scale",
        "source",
        "steps",
        "target",
        "type",
    }
)
GROUPINGS = ("parent", "grouping", "category", "other")

_SHA1 = re.compile(r"[0-9a-f]{40}")
_COMPONENTS = ("choices", "scale", "source", "target", "steps")


@dataclass(frozen=True, slots=True)
class Shorthand:
    """Canonical forms in one language with one vocabulary."""

    language: str
    vocabulary: Vocabulary

    def statement(self, written: dict[str, Any]) -> dict[str, Any]:
        """A statement, or the body of a SubStatement, with every short form written out."""
        made = dict(written)
        for name, convert in (
            ("actor", self.actor),
            ("verb", self.verb),
            ("object", self.object),
            ("result", self.result),
            ("context", self.context),
            ("attachments", self.attachments),
        ):
            if name in made:
                try:
                    made[name] = convert(made[name])
                except EvaluationError as error:
                    error.field = name
                    raise
        return made

    def actor(self, written: Any) -> Any:
        """An agent or group; text is a mailbox IRI or the SHA-1 of one."""
        if isinstance(written, str):
            if written.startswith("mailto:"):
                return {"objectType": "Agent", "mbox": written}
            if _SHA1.fullmatch(written):
                return {"objectType": "Agent", "mbox_sha1sum": written}
            hint = "use an identity, mailto(x), sha1_mailto(x) or an account"
            raise EvaluationError(f"actor: {describe(written)} does not identify anybody", help=hint)
        return written

    def verb(self, written: Any) -> Any:
        """A verb from a word of the vocabulary or an IRI."""
        if isinstance(written, str):
            iri = self.vocabulary.verbs.get(written)
            if iri is None:
                if not is_iri(written):
                    hint = nearest(written, self.vocabulary.verbs)
                    raise EvaluationError(
                        f"verb {written[:60]!r} is not in the vocabulary{hint}", code="R104"
                    )
                iri = self.vocabulary.aliases.get(written, written)
            display = self.vocabulary.displays.get(iri)
            return {"id": iri, "display": {"en": display}} if display else {"id": iri}
        if isinstance(written, dict) and isinstance(written.get("display"), str):
            return {**written, "display": self.words(written["display"])}
        return written

    def words(self, written: Any) -> Any:
        """A language map; text is taken to be in the source's language."""
        return {self.language: text(written)} if not isinstance(written, (dict, list)) else written

    def object(self, written: Any) -> Any:
        """An activity, unless the object says that it is something else."""
        if isinstance(written, dict):
            kind = written.get("objectType", "Activity")
            if kind == "SubStatement":
                return self.statement(written)
            if kind != "Activity":
                return written
        return self.activity(written)

    def activity(self, written: Any) -> Any:
        """An activity with its definition; text is its id."""
        if isinstance(written, str):
            return {"objectType": "Activity", "id": written}
        if not isinstance(written, dict):
            return written
        made: dict[str, Any] = {"objectType": "Activity"}
        if "id" in written:
            made["id"] = written["id"]
        definition = dict(written["definition"]) if isinstance(written.get("definition"), dict) else {}
        if "type" in written:
            definition["type"] = self.type(written["type"])
        for key in ("name", "description"):
            if key in written:
                definition[key] = self.words(written[key])
            elif isinstance(definition.get(key), str):
                definition[key] = self.words(definition[key])
        if "more_info" in written:
            definition["moreInfo"] = written["more_info"]
        if "interaction" in written:
            definition["interactionType"] = written["interaction"]
        if "correct" in written:
            correct = written["correct"]
            definition["correctResponsesPattern"] = correct if isinstance(correct, list) else [correct]
        for key in _COMPONENTS:
            if key in written:
                definition[key] = self.components(written[key])
        if "extensions" in written:
            definition["extensions"] = written["extensions"]
        if "extensions" in definition:
            definition["extensions"] = self.extensions(definition["extensions"], "activity")
        if definition:
            made["definition"] = definition
        made.update({key: value for key, value in written.items() if key not in ACTIVITY_KEYS})
        return made

    def type(self, written: Any) -> Any:
        """An activity type from a word of the vocabulary or an IRI."""
        if not isinstance(written, str):
            return written
        iri = self.vocabulary.types.get(written)
        if iri is None:
            if not is_iri(written):
                hint = nearest(written, self.vocabulary.types)
                raise EvaluationError(f"type {written[:60]!r} is not in the vocabulary{hint}", code="R104")
            iri = self.vocabulary.aliases.get(written, written)
        return iri

    def extensions(self, written: Any, where: Where) -> Any:
        """Extensions whose keys may be words of the vocabulary."""
        if not isinstance(written, dict) or all(":" in key for key in written):
            return written
        return {self.extension(key, where): value for key, value in written.items()}

    def extension(self, word: str, where: Where) -> str:
        """The IRI of an extension from a word of the vocabulary or an IRI."""
        iri = self.vocabulary.extensions[where].get(word)
        if iri is None:
            if not is_iri(word):
                raise EvaluationError(self.unknown_extension(word, where), code="R104")
            return word
        return iri

    def unknown_extension(self, word: str, where: Where) -> str:
        """The sentence about a word that stands for no extension there."""
        other = self.vocabulary.elsewhere(word)
        if other is not None:
            places = " and ".join(other.where)
            return (
                f"{word[:60]!r} is an extension of {places} in the {other.profile.name}, not of {where}; "
                f"its IRI {other.iri} may be written everywhere"
            )
        hint = nearest(word, self.vocabulary.extensions[where])
        return f"{where} extension {word[:60]!r} is not in the vocabulary{hint}"

    def components(self, written: Any) -> Any:
        """Interaction components from a list of ids or objects, or from a mapping of ids to texts."""
        if isinstance(written, dict):
            return [{"id": key, "description": self.words(value)} for key, value in written.items()]
        if not isinstance(written, list):
            return written
        made: list[Any] = []
        for item in written:
            if isinstance(item, dict):
                described = "description" in item
                made.append({**item, "description": self.words(item["description"])} if described else item)
            else:
                made.append({"id": text(item)})
        return made

    def context(self, written: Any) -> Any:
        """A context whose `parent`, `grouping`, `category` and `other` become contextActivities."""
        if not isinstance(written, dict):
            return written
        made = dict(written)
        activities = dict(made.pop("contextActivities", None) or {})
        for key in GROUPINGS:
            if key in made:
                related = self.related(made.pop(key))
                if related:
                    activities[key] = related
        if activities:
            made["contextActivities"] = activities
        for key in ("instructor", "team"):
            if key in made:
                made[key] = self.actor(made[key])
        if "extensions" in made:
            made["extensions"] = self.extensions(made["extensions"], "context")
        return made

    def result(self, written: Any) -> Any:
        """A result whose extensions may be named by words."""
        if not isinstance(written, dict) or "extensions" not in written:
            return written
        return {**written, "extensions": self.extensions(written["extensions"], "result")}

    def related(self, written: Any) -> list[Any]:
        """The activities of one kind of relation; those whose id is absent are left out."""
        listed = written if isinstance(written, list) else [written]
        activities = [self.activity(item) for item in listed if item is not None]
        return [one for one in activities if not isinstance(one, dict) or one.get("id") is not None]

    def attachments(self, written: Any) -> Any:
        """Attachments whose texts may be plain."""
        if not isinstance(written, list):
            return written
        return [self._attachment(item) if isinstance(item, dict) else item for item in written]

    def _attachment(self, written: dict[str, Any]) -> dict[str, Any]:
        texts = ("display", "description")
        return {key: self.words(value) if key in texts else value for key, value in written.items()}
