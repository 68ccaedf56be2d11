"""The reference of the mapping language, made from the code.

python -m adapters.reference > docs/mappings/reference.md
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from adapters.expressions import parser
from adapters.expressions.compiler import compile_expression
from adapters.expressions.environment import MAPPING_NAMES, NAMES, Collected, Env
from adapters.expressions.parser import MAX_DEPTH, MAX_LENGTH
from adapters.expressions.scope import MAX_OUTPUT, MAX_STEPS, Scope
from adapters.functions.examples import EXAMPLES
from adapters.functions.registry import FUNCTIONS, Function
from adapters.loading.grammar import MAPPING
from adapters.loading.model import Key, Model
from adapters.loading.shared import ASKING_NAMES, EVENT_NAMES, PERSON_NAMES
from adapters.loading.yaml_source import MAX_BYTES, Place, ScalarNode, Source
from adapters.outcomes import Lookups
from adapters.statements import MAX_STATEMENTS
from adapters.templates.docs import DIRECTIVES, TEMPLATES
from adapters.testing.cases import CASE, EXPECT

_GROUPS = {
    "values": "Questions and conversions",
    "text": "Text",
    "numbers": "Numbers",
    "lists": "Lists and objects",
    "times": "Times and durations",
    "xapi": "xAPI",
    "ids": "Identifiers and privacy",
    "receiver": "Under `receive:` only",
}
_MACROS = (
    ("map(x, expr)", "a list of what the expression makes of each element; absent ones are left out"),
    ("filter(x, condition)", "the elements for which the condition holds"),
    ("first(x, condition)", "the first such element"),
    ("exists(x, condition)", "whether there is one"),
    ("all(x, condition)", "whether it holds for all"),
)
_OPERATORS = (
    ("`x \\| f(y)`", "the same as `f(x, y)`; takes everything to its left"),
    ("`a if condition else b`", "without `else`: absent"),
    ("`a ?? b`", "the first that is not absent"),
    ("`or` `and` `not`", "on true and false; absent counts as false, anything else is an error"),
    (
        "`==` `!=` `<` `<=` `>` `>=`",
        "JSON equality; only numbers with numbers and text with text have an order",
    ),
    ("`in` `not in`", "an element of a list, a part of a text, a key of an object"),
    ("`+` `-` `*` `/` `%`", "numbers; `+` also joins two texts or two lists; divided by zero is absent"),
    ("`a.b` `a[0]` `a[-1]` `a['key with spaces']`", "steps; one that leads nowhere is absent"),
)
_INTRODUCTION = """\
# The mapping language

Made from the code by `python -m adapters.reference`; do not edit. To learn it, start with the
[tutorial](tutorial.md); for common tasks see the [cookbook](cookbook.md).

A mapping is a YAML file in the shape of the statements it makes. Plain values are literal;
`${ expression }` puts in a value. A text that is exactly one `${ … }` keeps the value's kind, mixed text is
joined. A literal `${` is `$${`.

**Missing is normal.** A path that leads nowhere, JSON `null`, a division by zero are *absent*. What is made
of absent values is absent, too: function results, sums, a text with an absent part. Absent fields are left
out of the statement, and objects that become empty with them. `false`, `0` and `''` stay. Only what xAPI
requires, and what a rule lists under `required:`, makes an event fail.

In YAML, quote a text that contains `: `, ` #`, or an expression with commas or braces inside `{ }`.
"""


_STEPS = (
    ("`receive.batch`", EVENT_NAMES - {"item", "index"}),
    ("`receive.event_id`", EVENT_NAMES),
    ("`fetch_back`", PERSON_NAMES),
    ("`remember`, `recall`, `identity`, `directory`", ASKING_NAMES),
    ("`rules`", MAPPING_NAMES),
)
_ORDER = """\
### What is computed when

Each step sees what the steps before it have found out:

| step | sees |
|---|---|"""
_VARIABLES = """\

A variable of `let:` is computed when it is first used, once for each event, and may use those before it.
Before the rules it can be used where everything it is made of is there already, itself and by way of other
variables and fragments; anywhere else it is an error that names what is missing. Identities see what
`privacy:` reserves for them, by way of a variable too, while rules get the same variable without it.
"""


def page() -> str:
    """The whole page."""
    return "\n".join([_INTRODUCTION, *_expressions(), *_functions(), *_keys(), *_limits()]) + "\n"


def _expressions() -> Iterator[str]:
    yield "## Expressions\n"
    yield "```text"
    yield (parser.__doc__ or "").split("\n\n", 1)[1].strip()
    yield "```\n"
    yield "| operator | meaning |\n|---|---|"
    yield from (f"| {written} | {meaning} |" for written, meaning in _OPERATORS)
    yield "\nFive macros work on lists; `x` is a name of your choice:\n"
    yield "| macro | result |\n|---|---|"
    yield from (f"| `list.{written}` | {meaning} |" for written, meaning in _MACROS)
    yield "\n### Names\n"
    yield "| name | holds |\n|---|---|"
    yield from (f"| `{name}` | {meaning} |" for name, meaning in NAMES.items())
    yield "\n" + _ORDER
    for step, seen in _STEPS:
        yield f"| {step} | {', '.join(f'`{name}`' for name in NAMES if name in seen)} |"
    yield _VARIABLES


def _functions() -> Iterator[str]:
    yield "## Functions\n"
    yield "An argument that is absent makes the result absent, except where the sentence says otherwise."
    yield "Arguments may be given by name: `score(raw, 20, over='omit')`.\n"
    for group, title in _GROUPS.items():
        yield f"### {title}\n"
        yield "| function | result | example |\n|---|---|---|"
        for entry in sorted(FUNCTIONS.values(), key=lambda one: one.name):
            if entry.group == group:
                yield f"| `{_cell(entry.signature)}` | {_cell(entry.summary)} | {_example(entry)} |"
        yield ""


def _example(entry: Function) -> str:
    written = EXAMPLES.get(entry.name)
    if written is None:
        return ""
    result = evaluate(written)
    shown = "absent" if result is None else f"`{json.dumps(result, ensure_ascii=False)}`"
    return f"`{_cell(written)}` → {_cell(shown)}"


def evaluate(written: str) -> Any:
    """The value of an example; it has no payload, and one table `status`."""
    node = ScalarNode(
        place=Place(source=Source("example", written), line=1, column=1),
        value=written,
        text=written,
        end=len(written),
    )
    env = Env(collected=Collected(), tables={"status": {"P": "passed", "F": "failed"}})
    scope = Scope()
    scope.lookups = Lookups(pseudonym_key=b"example")
    return compile_expression(written, node, 0, env)(scope)


def _keys() -> Iterator[str]:
    yield "## The file\n"
    yield "`receive:` is described in [webhooks.md](../webhooks.md).\n"
    yield from _block("", MAPPING)
    yield "## Statement templates\n"
    yield "Besides the keys below, anything xAPI allows may be written out, such as `definition:` or"
    yield "`contextActivities:`.\n"
    for name, docs in TEMPLATES.items():
        yield f"### {name}\n"
        yield "| key | |\n|---|---|"
        yield from (f"| `{key}` | {_cell(doc)} |" for key, doc in docs.items())
        yield ""
    yield "### Anywhere in a template\n"
    yield "| key | |\n|---|---|"
    yield from (f"| `{key}` | {_cell(doc)} |" for key, doc in DIRECTIVES.items())
    yield '\nA key may be an expression too: `name: { "${ body.lang }": "${ body.title }" }`.\n'
    yield "## Tests\n"
    yield "`NAME.test.yaml` beside `NAME.yaml` is a list of cases.\n"
    yield from _table("a case", CASE)
    yield "`expect`:\n"
    yield from _table("expect", EXPECT)


def _block(path: str, model: Model) -> Iterator[str]:
    yield from _table(path, model)
    for name, key in model.items():
        if key.model is None or name in ("receive", "patch") or (name == "statement" and path):
            continue
        inner = f"{path}.{name}" if path else name
        yield f"### {_title(inner, key)}\n"
        yield from _block(inner, key.model)


def _title(path: str, key: Key) -> str:
    ends = {"blocks": "[]", "named blocks": ".NAME"}
    return f"`{path}{ends.get(key.kind, '')}`"


def _table(path: str, model: Model) -> Iterator[str]:
    yield "| key | kind | |\n|---|---|---|"
    for name, key in model.items():
        kind = " · ".join(key.choices) if key.choices else key.kind
        needed = " **Required.**" if key.required else ""
        yield f"| `{name}` | {kind} | {_cell(key.doc)}{needed} |"
    yield ""


def _limits() -> Iterator[str]:
    yield "## Limits\n"
    yield "A file that is too large is not loaded; an event that is too much becomes a dead letter.\n"
    yield "| what | at most |\n|---|---|"
    yield f"| a file | {MAX_BYTES // 2**20} MiB, 64 levels, 1 000 aliases |"
    yield f"| an expression | {MAX_LENGTH} bytes, {MAX_DEPTH} levels |"
    yield f"| list elements visited for one event | {MAX_STEPS:,} |"
    yield f"| statements of one event | {MAX_STATEMENTS:,}, together {MAX_OUTPUT // 2**20} MiB |"
    yield "\nRegular expressions are RE2: they never run away; no look-around, no back-references."


def _cell(text: str) -> str:
    return text.replace("\\|", "|").replace("|", "\\|")


if __name__ == "__main__":
    print(page(), end="")  # noqa: T201
