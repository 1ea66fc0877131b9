"""What the command line says: tables for people, JSON for scripts, one line for an error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

out = Console(soft_wrap=True)
err = Console(stderr=True, soft_wrap=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    text = orjson.dumps(value, default=str, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS)
    out.print(text.decode(), markup=False, highlight=False, emoji=False)


def print_table(title: str, columns: Sequence[str], rows: Sequence[Mapping[str, Any]], *, empty: str) -> None:
    """A table with one row for each mapping; `empty` is said when there is none."""
    if not rows:
        out.print(empty, markup=False)
        return
    table = Table(title=title, title_justify="left", header_style="bold")
    for column in columns:
        table.add_column(column.replace("_", " "))
    for row in rows:
        table.add_row(*(cell(row.get(column)) for column in columns))
    out.print(table)


def cell(value: Any) -> Text:
    """A value as a person reads it."""
    if value is None:
        return Text("–", style="dim")
    if isinstance(value, datetime):
        return Text(f"{value:%Y-%m-%d %H:%M:%S}")
    return Text(str(value))


def say(message: str) -> None:
    """One plain line on standard output."""
    out.print(message, markup=False, highlight=False)


def complain(message: str, remedy: str = "") -> None:
    """One line on standard error: what is wrong, and what to do about it."""
    line = Text.assemble(("hub: ", "bold red"), " ".join(message.split()))
    if remedy:
        line.append(f" {' '.join(remedy.split())}", style="cyan")
    err.print(line)
