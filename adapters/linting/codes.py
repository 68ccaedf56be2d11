"""Every code a finding can have, and what to do about it; `docs/mappings/lints.md` is made from this.

python -m adapters.linting.codes > docs/mappings/lints.md
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Code:
    """One kind of finding: a title, why it matters, and what to do."""

    title: str
    why: str


CLASSES = {
    "E0": ("The file is not YAML that can be read", "The rest of the file is not looked at."),
    "E1": ("Keys and expressions", "The mapping is not loaded."),
    "E2": ("What xAPI would refuse", "The mapping is not loaded."),
    "E3": ("Deliveries that could not be trusted", "The mapping is not loaded."),
    "W1": ("Style", "The mapping is loaded; it may not mean what it looks like."),
    "W2": ("Compared with samples, profiles and deliveries", "Found with the test file beside the mapping."),
    "W3": ("Trust and privacy", "The mapping is loaded."),
    "N2": ("Notes", "Shown with `--level note`."),
    "R1": ("Data that an expression cannot work with", "The event becomes a dead letter."),
    "R2": ("Statements that cannot be kept", "The event becomes a dead letter."),
    "R3": ("People and entries the directory does not know", "The event becomes a dead letter."),
    "W4": ("Repaired while mapping", "The statement is stored; the warning is counted and shown."),
}
CODES: dict[str, Code] = {
    "E001": Code(
        "not YAML", "The parser's reason is shown. Most often text with `: `, `#`, `@` or `%` wants quotes."
    ),
    "E002": Code(
        "an expression inside { } without quotes",
        'YAML takes the braces and commas of `{ a: ${ f(x, y) } }` for its own: `{ a: "${ f(x, y) }" }`.',
    ),
    "E003": Code("a YAML tag", "Tags such as `!secret` build objects. Text that starts with `!` is quoted."),
    "E004": Code("a merge key", "`<<` is not supported: write a fragment and `$use` it."),
    "E005": Code(
        "too many values", "At most 64 levels, 1 000 aliases and 100 000 values once aliases are expanded."
    ),
    "E006": Code(
        "a file larger than 1 MiB",
        "Put tables into files of their own: `tables: { verbs: { file: verbs.csv } }`.",
    ),
    "E007": Code("a key that is no text", "Keys are texts; lists and mappings cannot be keys."),
    "E008": Code("an empty file", "A mapping needs at least `adapter:` and `rules:`."),
    "E009": Code("a number that JSON cannot hold", "Quote `.inf`, `.nan` and numbers beyond 1e308."),
    "E101": Code("not an expression", "The caret shows where reading stopped and what was expected there."),
    "E102": Code(
        "an unknown name",
        "Only `body`, `item`, `vars`, `identity` and the other names of the reference exist; variables "
        "are `vars.x`. What an identity or a look-up uses is computed before directories are asked: see the "
        "reference, *What is computed when*.",
    ),
    "E104": Code(
        "an unknown function", "Functions of `receive:` exist only there, and rules never see a secret."
    ),
    "E105": Code("the wrong number of arguments", "The signature is shown."),
    "E106": Code("an expression that is too large", "At most 2 kB, 32 levels, 2 000 uses of fragments."),
    "E107": Code(
        "`${` without `}`", "In YAML ` #` starts a comment: quote the whole text. A literal `${` is `$${`."
    ),
    "E108": Code(
        "not a usable pattern", "Patterns are written out and are RE2: no look-around, no back-references."
    ),
    "E109": Code(
        "text that looks like an expression",
        "Outside `${ }` a path is text, the same for every event; under `identity.by` it makes one person of "
        "everybody. Text that is meant is written `${ 'body.x' }`.",
    ),
    "E110": Code("an unknown key", "Keys are checked everywhere, with the nearest one that exists."),
    "E111": Code("a value of the wrong kind", "What is wanted is said, and what was found."),
    "E112": Code("something required is missing", "The sentence says what it is for."),
    "E113": Code(
        "an unknown table or fragment",
        "They are declared under `tables:` and `fragments:`, here or in an include.",
    ),
    "E114": Code("a name used twice", "Names of adapters, rules and statements are part of statement ids."),
    "E115": Code(
        "a file that cannot be included",
        "Paths are relative and below the mappings folder; `shipped:_caliper.yaml` comes with the gateway.",
    ),
    "E120": Code(
        "a duplicate key",
        "YAML parsers silently keep the last one; here it is an error, also for two words of one extension.",
    ),
    "E201": Code(
        "a word that is not in the vocabulary",
        "Verbs and types are words of the shipped vocabulary (vocabulary.md), of `vocabulary:`, or IRIs.",
    ),
    "E202": Code("a property xAPI does not have", "Unknown properties are refused by every LRS."),
    "E203": Code(
        "a word that is no extension here",
        "Keys are words that the profiles define for that place (vocabulary.md), words of `vocabulary:`, or "
        "IRIs. For what is your own use an address you own: `https://you.example.org/ext/device`.",
    ),
    "E204": Code(
        "not an absolute IRI",
        "Ids of activities and home pages of accounts start with a scheme such as `https:`.",
    ),
    "E205": Code("not true or false", "`success` and `completion` are booleans; YAML's `yes` is text here."),
    "E206": Code("not an interaction type", "xAPI has ten of them."),
    "E207": Code("a statement without actor, verb or object", "xAPI wants all three of every statement."),
    "E308": Code(
        "a secret written into the file", "Write `${ secret('NAME') }`; the value comes from the environment."
    ),
    "E309": Code(
        "a computed secret name", "The gateway has to know which secrets a mapping needs before it starts."
    ),
    "E310": Code("a time that is not signed", "A replayed request could carry a fresh time."),
    "E311": Code("a digest without a secret", "Anybody could compute it."),
    "E312": Code("no verification", "Deliveries must prove themselves; `none` has to be said with a reason."),
    "E313": Code(
        "an algorithm that proves nothing",
        "`none` is no signature, and HMAC with a public key set makes it a secret.",
    ),
    "E314": Code(
        "keys from somewhere else", "`jwks_url` is a fixed https address, never built from a request."
    ),
    "E315": Code(
        "a signature over itself", "What is signed cannot hold its signature: name the signed parts."
    ),
    "E318": Code(
        "items that depend on what is hidden",
        "What is `for_identity_only` is not there for rules, so `batch` would find other items for them.",
    ),
    "W120": Code(
        "an operator left of a pipe", "The pipe takes everything to its left. Parentheses make that visible."
    ),
    "W121": Code("a reason without `ignore: true`", "It is shown for ignored events only."),
    "W122": Code(
        "`for_each` without `key`",
        "Ids then follow the order of the list: when a retry reorders it, statements are stored twice.",
    ),
    "W130": Code("a directory that is not declared", "It is always absent; declare it under `directory:`."),
    "W131": Code(
        "facts nobody remembers", "`recall:` looks into a set that no `remember:` of this mapping fills."
    ),
    "W201": Code(
        "a path that is in no sample", "A typing error, or a sample is missing. The nearest path is shown."
    ),
    "W203": Code(
        "an IRI that the profiles write differently", "The normal form is stored; write it to find it again."
    ),
    "W204": Code(
        "a rule that no case reaches", "Untested rules break unnoticed when a vendor changes a payload."
    ),
    "W205": Code("a rule that never applies", "An earlier rule takes all its events."),
    "W206": Code(
        "something nobody uses",
        "A table, fragment, variable, person, entry or fact: delete it, or use it.",
    ),
    "W207": Code(
        "an IRI that looks like one of a profile and is none",
        "Its host or its spelling is that of a profile we know (vocabulary.md). Where it is meant, "
        "`# lint: allow W207`.",
    ),
    "W208": Code(
        "texts without a language",
        "`source.language` is the tag that names and descriptions are stored under.",
    ),
    "W209": Code(
        "no `event_id` although the vendor has one",
        "Without it a retry is recognised by the content of its whole body; one that differs is a new event.",
    ),
    "W220": Code(
        "an event type no rule is for",
        "Recent deliveries had it: `mappings lint --deliveries` says how often, and where to look at one.",
    ),
    "N202": Code(
        "events ignored without a rule", "Such as empty batches, in recent deliveries (`--deliveries`)."
    ),
    "N201": Code("a table key that no case looks up", "A hint where samples are thin."),
    "W311": Code(
        "an id from something unsigned", "The body's hash is added, so that a forged id cannot hide an event."
    ),
    "W313": Code(
        "an answer that echoes the request", "Echoed text must be matched first, or the answer can be abused."
    ),
    "W314": Code("a body that is not signed", "The signature proves only what is part of `message:`."),
    "W315": Code("a weak hash", "SHA-1 is accepted where a vendor offers nothing else."),
    "W316": Code("a dropped path that is read", "`privacy.drop` removes it before rules see it."),
    "W317": Code(
        "raw bodies are kept against `privacy:`", "What is dropped would still be in the stored body."
    ),
    "W320": Code(
        "personal data in an extension",
        "Extensions reach everybody who may read statements. `# lint: allow W320` where it is intended.",
    ),
    "R101": Code("a value of the wrong kind", "The expression, its place and the value are shown."),
    "R102": Code("something required is absent", "xAPI needs it, or `required:` names it."),
    "R104": Code("a computed word that is not in the vocabulary", "Give the table or `lookup()` a default."),
    "R105": Code("no list of items", "`receive.batch` found none in the payload."),
    "R199": Code(
        "a payload that cannot be worked with", "It is nested too deeply or holds numbers out of range."
    ),
    "R200": Code("a statement that xAPI refuses", "The requirement is named."),
    "R201": Code("too much output", "At most 1 MiB of text and statements for one event."),
    "R202": Code("too much work", "At most 100 000 list steps for one event."),
    "R203": Code(
        "too many statements", "At most 1 000 for one event; split the delivery with `receive.batch`."
    ),
    "R204": Code("too large a fact", "`remember:` keeps a few fields, not payloads."),
    "R301": Code("an unknown person", "`unresolved: reject` says so."),
    "R302": Code("an unknown entry", "`on_missing: fail` says so."),
    "R303": Code(
        "a path that cannot be fetched", "A part of `fetch_back.path` is absent, or would lead elsewhere."
    ),
    "R304": Code(
        "nothing was fetched",
        "Tests and commands fetch nothing: give `fetched:` in the case, or `--fetched`.",
    ),
    "W401": Code("a repaired value", "Such as a score above its maximum or a negative duration."),
    "W402": Code("no timestamp", "The time of receipt was used."),
    "W403": Code("a fact that could not be remembered", "Later events will not find it."),
}


def page() -> str:
    """The page of all codes."""
    lines = [
        "# Findings",
        "",
        "What `xapi-gateway mappings lint` says about a mapping, and what dead letters carry. Made from "
        "the code by",
        "`python -m adapters.linting.codes`; do not edit.",
        "",
        "```text",
        "zoom.yaml:28:16  warning W201  body.object.e_mail appears in none of 3 samples",
        "   28 |       - email: ${ body.object.e_mail | lower }",
        "      |                   ^^^^^^^^^^^^^^^^^^",
        "      help: did you mean body.object.email ?",
        "```",
        "",
        "Errors (E) keep a mapping from being loaded. Warnings (W) and notes (N) do not; a comment on "
        "the line, or alone on",
        "the line above, admits them: `# lint: allow W201`. `--format sarif` is for code hosts, "
        "`--json` for scripts.",
    ]
    for start, (title, what) in CLASSES.items():
        lines += [
            "",
            f"## {start}: {title}",
            "",
            what,
            "",
            "| code | finding | what to know |",
            "|---|---|---|",
        ]
        lines += [
            f"| {code} | {one.title} | {_cell(one.why)} |"
            for code, one in sorted(CODES.items())
            if code.startswith(start)
        ]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    print(page(), end="")  # noqa: T201
