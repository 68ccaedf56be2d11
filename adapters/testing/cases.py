"""What a test case beside a mapping may hold."""

from __future__ import annotations

from adapters.loading.model import Key, Model

EXPECT: Model = {
    "rule": Key("text", "The rule that applies."),
    "statements": Key(
        "value", "The statements, in order; written with words and short forms as in a mapping."
    ),
    "match": Key("choice", "subset when not given.", choices=("subset", "exact")),
    "skipped": Key("value", "true, or a part of the reason."),
    "unmatched": Key("value", "true, or the kind of event."),
    "failed": Key("value", "true, or a part of a problem's message."),
    "held": Key("boolean", "The event waits for the directory."),
    "warnings": Key("value", "A part of a warning's message, or a list of them."),
    "status": Key("integer", "The status the request is answered with."),
    "answer": Key("value", "The handshake's answer."),
}
CASE: Model = {
    "name": Key("text", "A sentence.", required=True),
    "payload": Key("value", "A file beside this one, or the payload itself.", required=True),
    "set": Key("map", "Paths and the values they get."),
    "remove": Key("texts", "Paths that are taken out."),
    "directory": Key("map", "learners: { 'kind:value': account }, and entries of other sets by key."),
    "remembered": Key("map", "Facts of earlier events: sets of keys with their facts."),
    "fetched": Key("value", "What `fetch_back:` brings for every event; a file, or the JSON itself."),
    "headers": Key("map", "Request headers."),
    "query": Key("map", "Query parameters."),
    "received_at": Key("text", "When the request arrived."),
    "twice": Key("boolean", "A second delivery makes the same statements."),
    "request": Key(
        "block",
        "Sends the payload as a request.",
        model={
            "sign": Key("value", "true or the name of a preset; false for no signature."),
            "tamper": Key("boolean", "Changes what is signed after signing."),
            "late": Key("integer", "Seconds between signing and arrival."),
        },
    ),
    "expect": Key("block", "What comes out.", model=EXPECT),
}
