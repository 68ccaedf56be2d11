"""The catalogue of mappings: one table, made of the comment at the head of each file. Pure but for `main`.

python -m adapters.catalogue mappings > docs/mappings/catalogue.md
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from adapters.loading.files import mapping_paths

FIELDS = ("Events", "Verification", "Verified against", "Not verified")

INTRODUCTION = """\
# Catalogue of mappings

<!-- Made by `python -m adapters.catalogue mappings > docs/mappings/catalogue.md`: change the headers. -->

What is shipped, made of the headers of the files in `mappings/`. Each has samples and tests beside it; every
kind of event that its vendor documents either becomes a statement or is ignored by a rule that gives the
reason. "Verified against" says where the field names come from: nobody here has a tenant of every vendor, so
send a few deliveries of yours through `xapi-gateway mappings explain` before you rely on a mapping.
"""


class HeaderError(ValueError):
    """The head of a mapping is not of the shape that the catalogue reads; the text says what is missing."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One row: the file's stem, the vendor's name, what the mapping tells, and the four fields."""

    name: str
    vendor: str
    purpose: str
    fields: tuple[str, ...]


def entry(name: str, text: str) -> Entry:
    """Read the head of one mapping; raises `HeaderError`.

    The head is `# VENDOR: sentence`, an empty comment line, then `# Field: text` for every one of `FIELDS` in
    that order; lines that are indented by two more spaces continue a field.
    """
    lines = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        lines.append(line[1:].removeprefix(" "))
    title: list[str] = []
    while lines and lines[0].strip():
        title.append(lines.pop(0).strip())
    vendor, colon, purpose = " ".join(title).partition(": ")
    if not colon:
        raise HeaderError(f"{name}: the first line is `# VENDOR: what the mapping tells.`")
    found: dict[str, str] = {}
    current = ""
    for line in lines:
        field = re.match(r"([A-Z][a-z]+(?: [a-z]+)?): (.+)", line)
        if field and field[1] in FIELDS:
            current = field[1]
            found[current] = field[2].strip()
        elif current and line.startswith("  "):
            found[current] += " " + line.strip()
        elif line.strip() or found:
            if found:
                break
            raise HeaderError(f"{name}: {line[:40]!r} stands before the fields")
    if tuple(found) != FIELDS:
        raise HeaderError(f"{name}: wants the fields {', '.join(FIELDS)}, has {', '.join(found) or 'none'}")
    return Entry(name, vendor, purpose, tuple(found.values()))


def page(entries: Iterable[Entry]) -> str:
    """The whole page as Markdown, ordered by vendor."""
    rows = [f"| Mapping | {' | '.join(FIELDS)} |", "|---" * (len(FIELDS) + 1) + "|"]
    for one in sorted(entries, key=lambda entry: (entry.vendor.lower(), entry.name)):
        link = f"**{one.vendor}**<br>[`{one.name}`](../../mappings/{one.name}.yaml)"
        rows.append("| " + " | ".join((link, *(field.replace("|", "\\|") for field in one.fields))) + " |")
    return INTRODUCTION + "\n" + "\n".join(rows) + "\n"


def catalogue(folder: Path) -> str:
    """The page for a folder of mappings."""
    return page(entry(path.stem, path.read_text("utf-8")) for path in mapping_paths(folder))


if __name__ == "__main__":
    sys.stdout.write(catalogue(Path(sys.argv[1])))
