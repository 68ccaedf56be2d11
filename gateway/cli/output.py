"""What commands print: tables for people, JSON for scripts."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence

import click
import orjson
from rich.console import Console
from rich.table import Column, Table

as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def print_json(value: object) -> None:
    """One JSON value, indented."""
    click.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())


# Columns of a table that no terminal limits: it is as wide as what stands in it.
_WIDE = 1000


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table as wide as the terminal whose first column is never cut; plain and whole when it goes
    elsewhere.
    """
    first = Column(columns[0], no_wrap=True, min_width=max((len(row[0]) for row in rows), default=0))
    table = Table(first, *columns[1:], box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*row)
    console = Console()
    if not console.is_terminal:
        console.width = _WIDE
    console.print(table)


@contextlib.contextmanager
def telling(label: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error that is told how much of how much is done; nothing where nobody sees it."""
    with click.progressbar(
        length=0, label=label, file=sys.stderr, hidden=not sys.stderr.isatty(), show_pos=True
    ) as bar:

        def tell(done: int, of: int) -> None:
            bar.length = of
            bar.update(done - bar.pos)

        yield tell
