"""Every key of a mapping file outside `receive:`, with a sentence about it."""

from __future__ import annotations

from adapters.identity import UNRESOLVED
from adapters.loading.model import Key, Model
from adapters.privacy import STORE_RAW
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
    "hold_for": Key("duration", "How long `hold` waits for a person to become known; 30d when not given."),
    "learn": Key(
        "boolean",
        "Once one candidate is known, the directory learns the others of the same event; off by default.",
    ),
}
DIRECTORY: Model = {
    "set": Key("text", "The directory to look into.", required=True),
    "key": Key("value", "The key of the entry.", required=True),
    "on_missing": Key("choice", "What to do without an entry.", choices=("absent", "skip", "hold", "fail")),
    "hold_for": Key("duration", "How long `hold` waits for the entry; 30d when not given."),
}
REMEMBER: Model = {
    "set": Key("name", "What kind of fact this is, such as meetings.", required=True),
    "when": Key("expression", "Remembers only when this holds."),
    "key": Key("value", "What the fact is about; nothing is remembered where it is absent.", required=True),
    "value": Key("value", "The fact: a few fields that later events need.", required=True),
    "at": Key("value", "Since when it holds; the time of receipt when not given."),
    "ttl": Key("duration", "How long it is kept; 30d when not given."),
}
RECALL: Model = {
    "set": Key("name", "The set of facts to look into.", required=True),
    "when": Key("expression", "Looks only when this holds."),
    "key": Key("value", "What the fact is about.", required=True),
    "at": Key("value", "Takes the fact that held then; the newest one when not given."),
    "defer": Key("duration", "How long an event may wait for the fact before it is mapped without it."),
}
FETCH_BACK: Model = {
    "connection": Key(
        "name", "One of the gateway's hooks.connections, which has URL and secrets.", required=True
    ),
    "path": Key("text", "Path below its base_url; what `${ }` inserts is percent-encoded.", required=True),
    "when": Key("expression", "Fetches only when this holds."),
    "batch": Key("expression", "List in `fetched` that makes one event of each item, as `item`."),
    "event_id": Key("value", "What identifies the event that was fetched; as the notice when not given."),
    "optional": Key(
        "boolean", "Without that connection `fetched` is absent, instead of the adapter not being ready."
    ),
}
PRIVACY: Model = {
    "drop": Key(
        "list", "Paths below body, item or fetched, removed from the stored copy and hidden from rules."
    ),
    "mask": Key("list", "Paths overwritten in the stored copy and for rules."),
    "pseudonym": Key("list", "Paths whose values become pseudonyms in the stored copy and for rules."),
    "store_raw": Key("choice", "What is kept of a request once it is resolved.", choices=STORE_RAW),
    "keep_for": Key(
        "duration", "How long a delivery is kept after success, 5d or more; hooks.retention when not given."
    ),
    "raw_for": Key("duration", "How long bodies are kept after success; hooks.raw_retention when not given."),
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
    "verb": Key("value", "A word of the vocabulary (docs/mappings/vocabulary.md) or an IRI."),
    "object": Key("value", "An activity in short form, or any xAPI object."),
    "result": Key("value", "score, success, completion, response, duration, extensions."),
    "context": Key("value", "parent, grouping, category, other, registration, extensions …"),
    "timestamp": Key("value", "When it happened; the time of receipt when not given."),
    "attachments": Key("value", "Attachments by fileUrl."),
    "$use": Key("text", "A fragment to start from."),
    "with": Key("map", "Arguments of the fragment."),
    **STATEMENT_CONTROL,
}
PASSTHROUGH: Model = {
    "patch": Key(
        "block",
        "What is laid over the statement, key by key; written like `statement:`.",
        model={key: one for key, one in STATEMENT.items() if key not in STATEMENT_CONTROL},
    ),
    "remove": Key("texts", "Paths that are taken out of the statement, such as actor.name."),
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
    "passthrough": Key(
        "block",
        "For vendors that send xAPI: the item, or else the body, is the statement.",
        model=PASSTHROUGH,
    ),
    "on_error": Key("choice", "What to do with a statement that fails.", choices=("dead_letter", "skip")),
}
VOCABULARY: Model = {
    "verbs": Key("map", "Words for verbs and their IRIs."),
    "types": Key("map", "Words for activity types and their IRIs."),
    "extensions": Key("map", "Words for extensions and their IRIs."),
}
MAPPING: Model = {
    "adapter": Key("name", "Stable name; part of every statement id and of the webhook URL.", required=True),
    "version": Key("integer", "Free-running; recorded with statements, not part of ids."),
    "shadow": Key("boolean", "Runs beside the adapter's mapping, stores nothing, and counts what differs."),
    "format": Key("choice", "Version of this grammar.", choices=("1",)),
    "include": Key(
        "texts", "Files whose tables and fragments are shared; shipped:_caliper.yaml is the gateway's."
    ),
    "source": Key("block", "Where the data comes from.", model=SOURCE),
    "receive": Key("block", "How deliveries are checked and taken apart.", model=RECEIVE),
    "identity": Key("named blocks", "People an event may be about.", model=IDENTITY),
    "directory": Key("named blocks", "Entries looked up before mapping.", model=DIRECTORY),
    "remember": Key("blocks", "Facts that later events need.", model=REMEMBER),
    "recall": Key("named blocks", "Facts of earlier events, as remembered.NAME.", model=RECALL),
    "fetch_back": Key("block", "What thin notices leave out, as `fetched`.", model=FETCH_BACK),
    "privacy": Key("block", "What is not kept.", model=PRIVACY),
    "vocabulary": Key("block", "Further words for verbs, types and extensions.", model=VOCABULARY),
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
