"""A report as a file: HTML that needs nothing else, and what programs and people take on with."""

import json
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from jobs.report import writing
from store.reports.chart import svg
from store.reports.page import IN_FILE, Look, Part, render_part

#: What a mail carries of a report.
IN_MAIL, TEXT_IN_MAIL, SUBJECT = 60_000, 8_000, 200

STYLE = (
    "body{font:14px/1.5 system-ui,sans-serif;color:#1c2024;background:#fff;max-width:60rem;margin:2rem auto;padding:0 16px}"
    "table{border-collapse:collapse;width:100%}th,td{padding:5px 10px;border-bottom:1px solid #d5d9dd;text-align:left;"
    "vertical-align:top;overflow-wrap:anywhere}.num{text-align:right}figure{margin:16px 0;border:1px solid #d5d9dd;border-radius:8px;"
    "overflow:auto}figcaption{display:flex;gap:12px;padding:8px 12px;background:#f3f5f7}figcaption h3{margin:0;font-size:14px}"
    ".n,.dim{color:#5b6570}.pad{padding:12px}pre.code{margin:0;padding:12px;overflow:auto;background:#f7f8f9;"
    "font:12px/1.6 ui-monospace,monospace}.figs{display:flex;flex-wrap:wrap;gap:12px 32px}.figs dt{font-size:12px;color:#5b6570}"
    ".figs dd{margin:0;font-size:20px;font-weight:600}.figs small{font-size:12px;font-weight:400}img,svg{max-width:100%}"
    "blockquote{margin:0;padding-left:12px;border-left:2px solid #d5d9dd}.edges{display:flex;justify-content:space-between;gap:16px}"
    ".is-bad.co{color:#b3261e}.is-ok.co{color:#1a7f4b}.is-warn.co{color:#a15c00}.is-run.co{color:#1f66d1}.is-wait.co{color:#5b6570}"
    ".sz-small{font-size:12px}.sz-large{font-size:20px}.sz-larger{font-size:28px}"
    ".tk-k{color:#8b2f97}.tk-s{color:#1a7f4b}.tk-m{color:#a15c00}.tk-c,.tk-ln{color:#6b7580}.tk-f{color:#1f66d1}.tk-n{color:#0b7285}"
    ".tk-del{color:#b3261e}.tk-ins{color:#1a7f4b}.tk-hl{background:#fff3bf;color:inherit}"
    ".of{fill:#1f66d1;opacity:.12}.axis{stroke:#d5d9dd}.ch1{fill:#1f66d1;stroke:#1f66d1}.ch2{fill:#1a7f4b;stroke:#1a7f4b}"
    ".ch3{fill:#a15c00;stroke:#a15c00}.ch4{fill:#7a4fc4;stroke:#7a4fc4}.ch5{fill:#b3261e;stroke:#b3261e}"
    ".ch6{fill:#5b6570;stroke:#5b6570}.line{fill:none;stroke-width:2}.rod{stroke:none}"
    "@media print{body{margin:0;max-width:none}figure{overflow:visible;border:0}pre.code{white-space:pre-wrap}"
    "tr,.figs>div,svg{break-inside:avoid}h1,h2,h3,h4,figcaption{break-after:avoid}thead{display:table-header-group}}"
)


def as_html(report: dict[str, Any], title: str, images: Mapping[str, str] | None = None) -> str:
    """Return one file that is read without the portal, and printed. images: made files, by address, as `data:`."""
    part = standing_alone(report, images or {})
    rest = (
        Markup("<p>The rest of the report is too long for this file.</p>")
        if part.rest is not None
        else Markup("")
    )
    style = Markup(STYLE)  # noqa: S704  (a constant of ours)
    return str(
        Markup(
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">\n"
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{}</title>\n<style>{}</style>\n'
            "</head>\n<body>\n<h1>{}</h1>\n{}{}\n</body>\n</html>\n"
        ).format(title, style, title, part.html, rest)
    )


def standing_alone(report: dict[str, Any], images: Mapping[str, str]) -> Part:
    """Return the report for a file of HTML that needs nothing else."""
    look = Look(rows=10_000_000, room=IN_FILE, code=IN_FILE, files=images)
    return render_part({"pieces": writing.blocks(report)}, look)


def fragment(report: dict[str, Any], room: int = IN_FILE) -> str:
    """Return the report as HTML to be put into a page of others, cut to about `room` characters."""
    return str(render_part({"pieces": writing.blocks(report)}, Look(rows=10_000_000, room=room)).html)


def for_mail(report: dict[str, Any], portal: str = "") -> tuple[str, str]:
    """Return the report as plain text and as HTML for a mail, both cut to what one carries.

    portal: its address, for links to its pages; where nobody said it, objects have none.
    """
    blocks = {"pieces": writing.blocks(report)}
    part = render_part(blocks, Look(rows=30, room=IN_MAIL, images=False, prefix=portal))
    text = "\n\n".join(map(writing.plain_text, blocks["pieces"][:200]))
    if len(text) > TEXT_IN_MAIL:
        text = text[:TEXT_IN_MAIL].rsplit("\n", 1)[0] + "\n…"
    rest = Markup("<p>The rest is on the page of the run.</p>") if part.rest is not None else Markup("")
    return text, str(part.html + rest)


def first_line(report: dict[str, Any]) -> str:
    """Return the text of the first piece, as the subject of a mail."""
    text = " ".join(writing.plain_text(report["pieces"][0])[: 4 * SUBJECT].split())
    return text if len(text) <= SUBJECT else text[: SUBJECT - 1] + "…"


def as_json(report: dict[str, Any]) -> str:
    return json.dumps(report, ensure_ascii=False, indent=2) + "\n"


def as_text(report: dict[str, Any]) -> str:
    return "\n\n".join(map(writing.plain_text, writing.blocks(report))) + "\n"


def of_piece(piece: dict[str, Any], form: str) -> str | None:
    """Return one piece as a file of its own; None where it cannot be one."""
    if form == "csv" and piece["kind"] in ("table", "chart"):
        return writing.csv(piece if piece["kind"] == "table" else writing.table_of(piece))
    if form == "svg" and piece["kind"] == "chart":
        return '<?xml version="1.0" encoding="utf-8"?>\n' + str(svg(piece, alone=True))
    if form == "txt":
        return writing.plain_text(piece)
    return None


def table_number(report: dict[str, Any], number: int) -> str | None:
    """Return a table as CSV by its number, the first is 1; None where there is none."""
    found = writing.tables(report["pieces"])
    return writing.csv(found[number - 1]) if 0 < number <= len(found) else None
