"""What a command says, as the report of its run."""

import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jobs.report import Code, Data, Markdown, Piece, Table, Text
from jobs.shell.blocks import markdown_of

FORMATS = ("none", "text", "code", "json", "table", "markdown", "blocks")

#: What sets colours at a terminal.
_SEQUENCE = re.compile(r"\x1b\[[0-9;:]*m")

#: More than a report keeps is not read for it.
MOST_BYTES = 1_000_000


def pieces_of(output: Path, report_format: str) -> Iterator[Piece]:
    """Yield the report of what a command has said. Raises ValueError, with a sentence, where that is nothing of the kind."""
    if report_format == "none":
        return
    with output.open("rb") as file:
        content = file.read(MOST_BYTES + 1)
    text = _SEQUENCE.sub("", content[:MOST_BYTES].decode("utf-8", "replace")).strip("\n")
    if not text.strip():
        return
    match report_format:
        case "text":
            yield Text(text, tag="pre")
        case "code":
            yield Code(text)
        case "markdown":
            yield Markdown(text)
        case "json":
            yield _json(text)
        case "table":
            yield _table(text)
        case "blocks":
            yield Markdown(markdown_of(_value(text)))
    if len(content) > MOST_BYTES:
        yield Text(f"… (cut: the output is longer than {MOST_BYTES:,} bytes)")


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"What the command said is no JSON: {error}.") from error


def _json(text: str) -> Piece:
    value = _value(text)
    return Data(value) if isinstance(value, dict | list) else Code(text)


def _table(text: str) -> Piece:
    try:
        head, *rows = csv.reader(io.StringIO(text), strict=True)
    except (ValueError, csv.Error) as error:
        raise ValueError(f"What the command said is no CSV: {error}.") from error
    return Table(rows, column_headers=head)
