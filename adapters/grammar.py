"""Every key of a mapping file outside `receive:`, with a sentence about it."""

from __future__ import annotations

from adapters.identity import UNRESOLVED
from adapters.model import Key, Model
from adapters.receive.grammar import RECEIVE

SOURCE: Model = {
    "platform": Key("text", "Name of the vendor's product; becomes context.platform."),
    "home_page": Key("text", "IRI of the vendor's accounts; home page of pseudonyms and kept accounts."),
    "language": Key("text", "Language tag of plain texts; `und` when not given."),
    "timezone": Key("text", "IANA zone of times that carry no offset."),
    "namespace": Key("text", "Free text for the mapping's own use as source.namespace."),
}
IDENTITY: Model = {
    "by": Key("list", "Candidates in order, each `kind: value`.", required=True),
    "home_page": Key("text", "Home page of accounts the directory knows; source.home_page when not given."),
    "unresolved": Key("choice", "What to do with a person the directory does not know.", choices=UNRESOLVED),
}
DIRECTORY: Model = {
    "set": Key("text", "The directory to look into.", required=True),
    "key": Key("value", "The key of the entry.", required=True),
    "on_missing": Key("choice", "What to do without an entry.", choices=("absent", "skip", "hold", "fail")),
}
PRIVACY: Model = {
    "drop": Key("list", "Paths removed from the stored copy and hidden from rules."),
    "mask": Key("list", "Paths overwritten in the stored copy and for rules."),
}
STATEMENT_CONTROL: Model = {
    "name": Key("name", "Name of this statement within its rule; part of its id."),
    "when": Key("expression", "Makes the statement only when this holds."),
    "for_each": Key("expression", "Makes one statement for each element of a list."),
    "as": Key("name", "Variable that holds the element."),
    "key": Key("expression", "What tells the elements apart on a retry; part of the statement's id."),
}
STATEMENT: Model = {
    "id": Key("value", "UUID; by default made from adapter, event, rule and item."),
    "actor": Key("value", "An identity, an agent or group, mailto(x)."),
    "verb": Key("value", "A word of the vocabulary or an IRI."),
    "object": Key("value", "An activity in short form, or any xAPI object."),
    "result": Key("value", "score, success, completion, response, duration, extensions."),
    "context": Key("value", "parent, grouping, category, other, registration, extensions …"),
    "timestamp": Key("value", "When it happened; the time of receipt when not given."),
    "attachments": Key("value", "Attachments by fileUrl."),
    "$use": Key("text", "A fragment to start from."),
    "with": Key("map", "Arguments of the fragment."),
    **STATEMENT_CONTROL,
}
RULE: Model = {
    "name": Key("name", "Unique name; part of statement ids.", required=True),
    "id_key": Key("name", "Frozen name for statement ids, to rename a rule without changing them."),
    "match": Key("map", "Paths and the value, list of values or glob they must have."),
    "when": Key("expression", "Any further condition."),
    "ignore": Key("boolean", "Makes no statement on purpose."),
    "reason": Key("text", "Why the event is ignored."),
    "let": Key("map", "Variables of this rule."),
    "required": Key("texts", "Statement fields that must be present."),
    "statement": Key("block", "The statement to make.", model=STATEMENT),
    "statements": Key("blocks", "Several statements to make.", model=STATEMENT),
    "on_error": Key("choice", "What to do with a statement that fails.", choices=("dead_letter", "skip")),
}
VOCABULARY: Model = {
    "verbs": Key("map", "Words for verbs and their IRIs."),
    "types": Key("map", "Words for activity types and their IRIs."),
}
MAPPING: Model = {
    "adapter": Key("name", "Stable name; part of every statement id and of the webhook URL.", required=True),
    "version": Key("integer", "Free-running; recorded with statements, not part of ids."),
    "format": Key("choice", "Version of this grammar.", choices=("1",)),
    "include": Key("texts", "Files whose tables and fragments are shared."),
    "source": Key("block", "Where the data comes from.", model=SOURCE),
    "receive": Key("block", "How deliveries are checked and taken apart.", model=RECEIVE),
    "identity": Key("named blocks", "People an event may be about.", model=IDENTITY),
    "directory": Key("named blocks", "Entries looked up before mapping.", model=DIRECTORY),
    "privacy": Key("block", "What is not kept.", model=PRIVACY),
    "vocabulary": Key("block", "Further words for verbs and types.", model=VOCABULARY),
    "provenance": Key("boolean", "Whether statements say where they come from; true by default."),
    "tables": Key("map", "Value maps for lookup(); `*` is the default."),
    "fragments": Key("map", "Pieces of templates for $use."),
    "let": Key("map", "Variables computed once for each event, when first used."),
    "mode": Key(
        "choice", "Whether the first matching rule wins or all of them do.", choices=("first", "all")
    ),
    "rules": Key("blocks", "What becomes of which event.", required=True, model=RULE),
}
SHARED: Model = {
    "tables": MAPPING["tables"],
    "fragments": MAPPING["fragments"],
    "include": MAPPING["include"],
}
