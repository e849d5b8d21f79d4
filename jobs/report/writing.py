"""A report's data as texts that need no page: markdown, CSV, plain text, bare HTML, XML. Everything in it is data."""

import json
import re
from collections.abc import Iterator
from html import escape
from typing import Any

from jobs.spreadsheet import csv_rows

_MARKDOWN = re.compile(r"([\\`*_{}\[\]|~])")
_TAG = re.compile(r"<[^<>]*>")
_BLOCKS = ("table", "code", "list", "data", "chart", "blockquote", "markdown")

#: Addresses that a reader of markdown may be led to. No scheme has a bracket, so of many that begin each is looked at once.
_ODD_LINK = re.compile(r"(\]\(\s*<?|\]:\s*<?)(?!https?:|mailto:|/|#)[^\s)\]:]*+:[^\s)]*+", re.IGNORECASE)


def blocks(report: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the pieces as they are read: headers first, footers last."""
    pieces = report["pieces"]
    heads = [piece for piece in pieces if piece["kind"] == "header"]
    feet = [piece for piece in pieces if piece["kind"] == "footer"]
    return heads + [piece for piece in pieces if piece["kind"] not in ("header", "footer")] + feet


def tables(value: Any) -> list[dict[str, Any]]:
    """Return the tables of a report in their order, those of other pieces among them. A chart has a table, too."""
    return list(_tables(value))


def _tables(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, list):
        for inner in value:
            if isinstance(inner, dict | list):
                yield from _tables(inner)
    elif isinstance(value, dict) and value.get("kind") != "data":
        if value.get("kind") == "chart":
            yield table_of(value)
            return
        if value.get("kind") == "table":
            yield value
        for inner in value.values():
            if isinstance(inner, dict | list):
                yield from _tables(inner)


def image_sources(value: Any) -> Iterator[str]:
    """Yield where the images of a report are, however deep they stand."""
    if isinstance(value, dict) and value.get("kind") == "image":
        yield value["source"]
    elif isinstance(value, dict | list) and not (isinstance(value, dict) and value.get("kind") == "data"):
        for inner in value.values() if isinstance(value, dict) else value:
            if isinstance(inner, dict | list):
                yield from image_sources(inner)


def table_of(chart: dict[str, Any]) -> dict[str, Any]:
    """Return the numbers of a chart as a table."""
    series = chart["series"]
    rows = [[each["values"][row] for each in series] for row in range(len(chart["labels"]))]
    names = [each["name"] or chart["unit"] or "Value" for each in series]
    return {
        "kind": "table",
        "title": chart["title"],
        "headers": names,
        "row_headers": list(chart["labels"]),
        "footers": None,
        "rows": rows,
    }


def head_of(table: dict[str, Any]) -> list[Any] | None:
    """Return the headers with the empty corner above row headers."""
    return _whole_row(table, table["headers"])


def foot_of(table: dict[str, Any]) -> list[Any] | None:
    return _whole_row(table, table["footers"])


def _whole_row(table: dict[str, Any], cells: list[Any] | None) -> list[Any] | None:
    if (
        cells is None
        or table["row_headers"] is None
        or len(cells) > max(map(len, table["rows"]), default=0) > 0
    ):
        return cells
    return ["", *cells]


def rows_of(table: dict[str, Any]) -> list[list[Any]]:
    """Return the rows, each with its header first."""
    if table["row_headers"] is None:
        return list(table["rows"])
    return [[header, *row] for header, row in zip(table["row_headers"], table["rows"], strict=False)]


def plain_text(value: Any) -> str:
    """Return what stands in a value, as text alone."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(value, list):
        return (
            ", ".join(map(plain_text, value))
            if not any(isinstance(v, dict) for v in value)
            else "\n".join(map(plain_text, value))
        )
    if isinstance(value, dict):
        return _text_of_piece(value)
    return str(value)


def _text_of_piece(piece: dict[str, Any]) -> str:
    match piece["kind"]:
        case "table" | "chart":
            table = piece if piece["kind"] == "table" else table_of(piece)
            lines = [head_of(table), *rows_of(table), foot_of(table)]
            body = ["\t".join(plain_text(cell).replace("\n", " ") for cell in line) for line in lines if line]
            return "\n".join([plain_text(table["title"]), *body] if table["title"] else body)
        case "list":
            marks = (
                f"{number}. " if piece["ordered"] else "- " for number in range(1, 1 + len(piece["items"]))
            )
            return "\n".join(
                mark + plain_text(item).replace("\n", "\n  ")
                for mark, item in zip(marks, piece["items"], strict=True)
            )
        case "data":
            return json.dumps(piece["content"], indent=2, ensure_ascii=False)
        case "html":
            return _TAG.sub("", piece["content"])
        case "image":
            return f"[{piece['alt'] or piece['title'] or 'image'}]"
        case "rule":
            return "-" * 40
        case "header" | "footer":
            return " | ".join(filter(None, (plain_text(piece[side]) for side in ("left", "center", "right"))))
        case "metric":
            return metric_line(piece)
        case "object":
            return str(piece["text"])
        case "file":
            return str(piece["text"] or piece["source"].rpartition("/")[2])
        case "report":
            return "\n\n".join(map(plain_text, blocks(piece)))
    return plain_text(piece["content"])


def metric_line(piece: dict[str, Any]) -> str:
    value = " ".join(filter(None, (plain_text(piece["value"]), piece["unit"])))
    return f"{piece['label']}: {value}" + (f" ({piece['note']})" if piece["note"] else "")


def csv(table: dict[str, Any]) -> str:
    lines = [head_of(table), *rows_of(table), foot_of(table)]
    return csv_rows([[_csv_cell(cell) for cell in line] for line in lines if line is not None])


def _csv_cell(value: Any) -> Any:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else plain_text(value)


# Markdown


def markdown(report: dict[str, Any]) -> str:
    """Return the report as markdown; what a job wrote is no markup in it but where it said that it is."""
    title = [f"# {_escaped(report['title'])}"] if report.get("title") else []
    return "\n\n".join([*title, *map(_block, blocks(report))]) + "\n"


def _block(piece: dict[str, Any]) -> str:
    match piece["kind"]:
        case "heading":
            return f"{'#' * piece['level']} {_line(piece['content'])}"
        case "table" | "chart":
            return _table(piece if piece["kind"] == "table" else table_of(piece))
        case "code":
            return _fenced(piece["content"], re.sub(r"[^\w+#.-]", "", piece["language"]))
        case "data":
            return _fenced(plain_text(piece), "json")
        case "markdown":
            return _ODD_LINK.sub(r"\1#", piece["content"]).replace("<", "&lt;")
        case "blockquote":
            return "\n".join(f"> {line}" for line in _inner(piece["content"]).split("\n"))
        case "list":
            mark = "1." if piece["ordered"] else "-"
            return "\n".join(f"{mark} " + _inner(item).replace("\n", "\n   ") for item in piece["items"])
        case "rule":
            return "---"
        case "metric":
            return f"**{_escaped(piece['label'])}:** " + _escaped(
                metric_line(piece)[len(piece["label"]) + 2 :]
            )
        case "text":
            return _inner(piece["content"])
    return _line(piece)


def _inner(value: Any) -> str:
    """Return a value where blocks may stand."""
    if isinstance(value, dict):
        return _block(value)
    if isinstance(value, list) and any(isinstance(item, dict) for item in value):
        return "\n\n".join(map(_inner, value))
    # Two blanks at the end of a line keep it a line of its own.
    return "  \n".join(map(_escaped_line, plain_text(value).split("\n")))


def _line(value: Any) -> str:
    """Return a value within a line, such as a cell of a table."""
    if isinstance(value, dict) and value["kind"] in ("object", "file", "image"):
        text = _escaped(plain_text(value))
        address = value.get("url") or value.get("source") or ""
        return f"[{text}](<{address}>)" if re.fullmatch(r"(https?://|/)[^\s<>]*", address) else text
    return _escaped(" ".join(plain_text(value).split()))


def _table(table: dict[str, Any]) -> str:
    rows = rows_of(table)
    width = max((len(row) for row in rows), default=len(head_of(table) or [""]))
    head = head_of(table) or [""] * width
    lines = [head, *rows, *([foot] if (foot := foot_of(table)) else [])]
    written = [f"| {' | '.join(map(_line, line))} |" for line in lines]
    title = f"**{_line(table['title'])}**\n\n" if table["title"] else ""
    return title + "\n".join([written[0], "|" + " --- |" * len(head), *written[1:]])


def _fenced(code: str, language: str) -> str:
    longest = max((len(run) for run in re.findall("`+", code)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{code}\n{fence}"


def _escaped(text: str) -> str:
    return _MARKDOWN.sub(r"\\\1", text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _escaped_line(text: str) -> str:
    """Escape also what makes a line something else: a heading, an item, a rule, code by its blanks."""
    line = _escaped(text.strip())
    return re.sub(r"^(#{1,6}|[-+=]+|\d+[.)])(?=\s|$|[-=])", r"\\\1", line)


# HTML as the report objects themselves make it, and XML


def html(report: dict[str, Any]) -> str:
    """Return bare HTML: tags without any look. What a job wrote stands in it as text."""
    return "<br/>\n".join(map(_tags, blocks(report)))


def _tags(value: Any) -> str:
    if not isinstance(value, dict):
        if isinstance(value, list):
            return " ".join(map(_tags, value))
        return escape(plain_text(value)).replace("\n", "<br/>")
    match value["kind"]:
        case "heading":
            return f"<h{value['level']}>{_tags(value['content'])}</h{value['level']}>"
        case "text":
            return f"<{value['tag']}>{_tags(value['content'])}</{value['tag']}>"
        case "code":
            return f"<pre>{escape(value['content'])}</pre>"
        case "blockquote":
            return f"<blockquote>{_tags(value['content'])}</blockquote>"
        case "list":
            tag = "ol" if value["ordered"] else "ul"
            return f"<{tag}>{''.join(f'<li>{_tags(item)}</li>' for item in value['items'])}</{tag}>"
        case "rule":
            return "<hr/>"
        case "table" | "chart":
            return _html_table(value if value["kind"] == "table" else table_of(value))
    return f"<p>{escape(plain_text(value)).replace(chr(10), '<br/>')}</p>"


def _html_table(table: dict[str, Any]) -> str:
    head, foot = head_of(table), foot_of(table)
    body = "".join(f"<tr>{''.join(f'<td>{_tags(cell)}</td>' for cell in row)}</tr>" for row in rows_of(table))
    top = f"<thead><tr>{''.join(f'<th>{_tags(cell)}</th>' for cell in head)}</tr></thead>" if head else ""
    end = f"<tfoot><tr>{''.join(f'<td>{_tags(cell)}</td>' for cell in foot)}</tr></tfoot>" if foot else ""
    return f"<table>{top}<tbody>{body}</tbody>{end}</table>"


def xml(report: dict[str, Any]) -> str:
    return '<?xml version="1.0" encoding="utf-8"?>\n' + _element("report", report["pieces"])


def _element(name: str, value: Any) -> str:
    if isinstance(value, dict) and "kind" in value:
        inner = "".join(_element(key, part) for key, part in value.items() if key != "kind")
        return (
            f"<{value['kind']}>{inner}</{value['kind']}>"
            if name in ("item", "pieces")
            else f"<{name}><{value['kind']}>{inner}</{value['kind']}></{name}>"
        )
    if isinstance(value, dict):
        return f"<{name}>{escape(json.dumps(value), quote=False)}</{name}>"
    if isinstance(value, list):
        return f"<{name}>{''.join(_element('item', item) for item in value)}</{name}>"
    # XML 1.0 has no control characters.
    text = re.sub(
        "[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]",
        "\N{REPLACEMENT CHARACTER}",
        plain_text(value),
    )
    return f"<{name}>{escape(text, quote=False)}</{name}>"
