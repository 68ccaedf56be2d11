"""What may stand in a statement template, a sentence a key: for editors and the reference."""

from __future__ import annotations

ACTOR = {
    "account": "`homePage` and `name` of an account; usually an identity is better: ${ identity.learner }.",
    "mbox": "A mailbox IRI: ${ mailto(x) }.",
    "mbox_sha1sum": "The SHA-1 of a mailbox IRI: ${ sha1_mailto(x) }.",
    "openid": "An OpenID URI.",
    "name": "A name to show; personal data that everybody sees.",
    "member": "The members of a Group.",
    "objectType": "Agent or Group.",
}
OBJECT = {
    "id": "IRI of the activity: the vendor's address with its id in it.",
    "type": "A word of the vocabulary such as course, or an IRI.",
    "name": "Text in the source's language, or a language map.",
    "description": "Text in the source's language, or a language map.",
    "more_info": "URL of a page about the activity.",
    "interaction": "choice, fill-in, numeric … for questions.",
    "correct": "The correct response, or a list of them.",
    "choices": "Components: a list of ids, or ids with their texts.",
    "scale": "Components of a likert question.",
    "source": "Components of a matching question.",
    "target": "Components of a matching question.",
    "steps": "Components of a performance question.",
    "extensions": "Any JSON under words of the vocabulary or IRIs: { progress: 40 }.",
    "objectType": "Agent, Group, StatementRef or SubStatement, when it is no activity.",
}
RESULT = {
    "score": "${ score(raw, max) } makes raw, min, max and scaled.",
    "success": "true or false.",
    "completion": "true or false.",
    "response": "An answer: ${ x | response }.",
    "duration": "${ seconds(x) }, ${ minutes(x) }, ${ between(start, end) }.",
    "extensions": "Any JSON under words of the vocabulary or IRIs: { progress: 40 }.",
}
CONTEXT = {
    "parent": "Activities this one is part of: an id, an object, or a list of them.",
    "grouping": "Activities it belongs to more widely, such as a programme.",
    "category": "Profiles the statement follows.",
    "other": "Other activities.",
    "registration": "A UUID of the attempt: ${ uuid5('url', x) } makes one of any text.",
    "platform": "source.platform when not given.",
    "language": "Language tag of the experience.",
    "revision": "Revision of the activity.",
    "instructor": "An agent or identity.",
    "team": "A group.",
    "statement": "A StatementRef, such as to ${ parent.id }.",
    "extensions": "Any JSON under words of the vocabulary or IRIs: { progress: 40 }.",
}
TEMPLATES = {"actor": ACTOR, "object": OBJECT, "result": RESULT, "context": CONTEXT}
DIRECTIVES = {
    "$use": "A fragment to start from; keys beside it are laid over it, and null leaves out what it gives.",
    "with": "Arguments of the fragment.",
    "$case": "A list of { when, value }, the last one may be { else }.",
    "$each": "A list to make a list from, with `as` and `value`.",
}
