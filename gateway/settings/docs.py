"""`docs/config.md`, made from the shipped file (defaults and comments) and the schema (allowed values).

`python -m gateway.settings.docs > docs/config.md` writes it; a test fails when it is stale.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from itertools import groupby

from gateway import yaml_source
from gateway.resources import config_file
from gateway.settings.schema import Option, expected, options

INTRODUCTION = """\
# Configuration

<!-- Made from config/gateway.yaml and gateway/settings.schema.json by `python -m gateway.settings.docs`. -->

The gateway runs without any configuration. Its settings come from four sources; later wins, option by option:

1. the defaults in the shipped `gateway.yaml`,
2. your file: `--config FILE`, or the variable `XAPI_GATEWAY_CONFIG`,
3. environment variables: `server.port` is `XAPI_GATEWAY__SERVER__PORT`,
4. flags of `xapi-gateway serve`.

A file needs only what it changes:

```yaml
server:
  host: 0.0.0.0
  public_url: https://lrs.example.org
mongo:
  uri: {file: /run/secrets/mongo-uri}
```

* `xapi-gateway config check` prints every mistake as `file:line:column: message`, or with the name of the
  variable or the flag. Options that do not exist are mistakes. `xapi-gateway config show` says where each
  value came from.
* **Sizes** are a number with `B`, `KiB`, `MiB`, `GiB` or `TiB`, **durations** one with `ms`, `s`, `m`, `h`
  or `d`.
* **Relative paths** start at the working directory.
* **YAML** is read strictly: `true` and `false` are the only booleans, keys occur once, there are no aliases
  and tags.
* **Variables** hold the text itself where a text is meant, elsewhere YAML: `3`, `true`, `[10.0.0.0/8,
  "::1"]`, `{zoom: sandbox}`. An empty variable or `null` is null for options that may be null.
* **Secrets** are best kept out of the file: give them in their variable, in a file that the variable with
  `_FILE` added names (`XAPI_GATEWAY__BOOTSTRAP__SECRET_FILE=/run/secrets/bootstrap`), or as `{file: path}`.
  One line feed at the end of such a file is not part of the secret. Secrets are printed as `***`
  everywhere; of `mongo.uri` that is the user, the password and secret parameters.
"""


def render() -> str:
    """The whole page."""
    shipped = config_file().read_text(encoding="utf-8")
    document = yaml_source.parse(shipped)
    lines = shipped.splitlines()

    def comment(*path: str) -> str:
        """The comment in the line above a key."""
        return lines[document.keys[path].line - 2].strip().removeprefix("# ")

    page = [INTRODUCTION]
    for section, members in groupby(options().values(), key=lambda option: option.section):
        page += [f"## {section}", "", comment(section), ""]
        page += ["| Option | Default | Allowed | Meaning |", "|---|---|---|---|"]
        for option in members:
            default = document.value[section][option.key]
            page.append("| " + " | ".join(_cells(option, default, comment(section, option.key))) + " |")
        page.append("")
    return "\n".join(page)


def _cells(option: Option, default: object, meaning: str) -> Iterator[str]:
    yield f"`{option.name}`"
    yield f"`{default if default and isinstance(default, str) else json.dumps(default)}`"
    yield _escaped(expected(option.schema))
    notes = [_escaped(meaning)]
    if option.flag:
        repeatable = ", repeatable" if option.accepts("array") else ""
        notes.append(f"Flag `{option.flag}`{repeatable}.")
    if option.secret:
        notes.append("Secret.")
    yield " ".join(notes)


def _escaped(text: str) -> str:
    return text.replace("|", r"\|").replace("*", r"\*").replace("_", r"\_").replace("<", r"\<")


if __name__ == "__main__":
    sys.stdout.write(render())
