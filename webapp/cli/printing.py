"""What commands print: a table for a person at a terminal, lines with tabs for a program, JSON for whoever asks for it."""

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from store.text import entry_text

if TYPE_CHECKING:
    from rich.console import Console

#: Of levels and states, in words of rich. What is not here stays plain.
STYLES = {
    "debug": "dim",
    "success": "green",
    "warning": "yellow",
    "failure": "red",
    "error": "red",
    "critical": "bold red",
    "completed": "green",
    "failed": "red",
    "errored": "red",
    "canceled": "dim",
    "denied": "yellow",
    "awaiting_approval": "yellow",
    "running": "cyan",
    "busy": "cyan",
    "lost": "red",
    "silent": "yellow",
    "draining": "yellow",
    "paused": "yellow",
    "problem": "red",
    "disabled": "dim",
    "not installed": "dim",
    "ok": "green",
    "warn": "yellow",
    "bad": "bold red",
}

#: A column: its heading, and what it shows of a row.
Column = tuple[str, Callable[[Mapping[str, Any]], Any]]


def at_a_terminal() -> bool:
    """Tell whether a person reads what is printed."""
    return sys.stdout.isatty()


def console(*, stderr: bool = False) -> "Console":
    """Return what writes in colours where that is wanted: not into a pipe, and not with NO_COLOR."""
    from rich.console import Console

    # With NO_COLOR rich would leave bold and dim, which some terminals show as colours.
    colours: Any = None if os.environ.get("NO_COLOR") else "auto"
    return Console(
        stderr=stderr, color_system=colours, highlight=False, markup=False, emoji=False, soft_wrap=True
    )


def show(rows: Iterable[Mapping[str, Any]], columns: Sequence[Column], *, as_json: bool = False) -> None:
    """Print a list."""
    rows = list(rows)
    if as_json:
        print_json(rows)
    elif at_a_terminal():
        _table(rows, columns)
    else:
        lines = ("\t".join(one_line(value(row)) for _, value in columns) for row in rows)
        click.echo("".join(f"{line}\n" for line in lines), nl=False)


def print_json(said: Any) -> None:
    click.echo(json.dumps(said, indent=2))


def show_one(facts: Iterable[tuple[str, Any]]) -> None:
    """Print what is known of one thing, a fact a line; what is empty is left out."""
    known = [(name, _said(value)) for name, value in facts if value not in (None, "", [], {})]
    width = max((len(name) for name, _ in known), default=0)
    writer = console()
    for name, value in known:
        text = value.replace("\n", "\n" + " " * (width + 2))
        writer.print(f"{name:<{width}}  ", style="dim", end="")
        writer.print(text, style=STYLES.get(text))


def one_line(value: Any) -> str:
    return " ".join(_said(value).split())


def short_time(moment: str | None) -> str:
    """Return a time of the API without what nobody reads: 2026-01-31T09:30:00Z."""
    return f"{moment[:19]}Z" if moment else ""


def _said(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case str():
            return entry_text(value)
        case list() | dict():
            return entry_text(json.dumps(value, ensure_ascii=False))
    return str(value)


def _table(rows: Sequence[Mapping[str, Any]], columns: Sequence[Column]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    lines = [[one_line(value(row)) for _, value in columns] for row in rows]
    for number, (heading, _) in enumerate(columns):
        # What comes first names the row, and is copied from here: it stays whole.
        whole = max((len(texts[0]) for texts in lines), default=0) if number == 0 else None
        table.add_column(heading, min_width=whole, overflow="fold")
    for texts in lines:
        table.add_row(*(Text(text, style=STYLES.get(text, "")) for text in texts))
    console().print(table, soft_wrap=False)
