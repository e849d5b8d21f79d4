"""The report of a run: on its page, on a page of its own, and as a file."""

import base64
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from flask import Response, current_app, request, url_for
from sqlalchemy import select

from jobs.report import writing
from jobs.report.images import LARGEST_IMAGE_BYTES, TYPES
from store.models import JobResult, RunReport
from store.permissions import NotVisible
from store.reports import files
from store.reports.code import MOST_CHARACTERS
from store.reports.page import ON_REPORT, ON_RESULT, Look, Part, render_part, render_table
from webapp.database import db
from webapp.log import number
from webapp.result_files import file_bytes, file_path, made_files
from webapp.trusted import icon

FORMS = {
    "html": "text/html",
    "md": "text/markdown",
    "json": "application/json",
    "csv": "text/csv",
    "txt": "text/plain",
    "svg": "image/svg+xml",
}

#: Images that a file of HTML carries.
MOST_EMBEDDED = 20

#: Not more digits than anybody's browser shows of a sorting.
_SORT = re.compile(r"-?[0-9]{1,4}")


class Shown(NamedTuple):
    """What a page shows of a report."""

    part: Part
    pieces: int
    #: "Report", or how the job calls it.
    title: str


def report_of(result: JobResult) -> dict[str, Any] | None:
    """Return the report as data. Whether the reader may see the result is asked before."""
    return db.session.scalar(select(RunReport.data).where(RunReport.result_id == result.id))


def on_result(result: JobResult) -> Shown | None:
    """Return what the page of the result shows."""
    report = report_of(result)
    if report is None:
        return None
    look = _look(result, url_for("results.show", result_id=result.id), ON_RESULT)
    return _shown(report, look, 0)


def on_page(result: JobResult) -> Shown:
    """Return what a page of the report's own shows. Raises NotVisible where there is none."""
    report = _needed(result)
    look = _look(result, url_for("results.report", result_id=result.id), ON_REPORT)
    return _shown(report, look, number(request.args.get("from")) or 0)


def standing_alone(result: JobResult) -> Part | None:
    """Return the report for a file that needs nothing else; None where there is none."""
    report = report_of(result)
    return files.standing_alone(report, _embedded(result, writing.blocks(report))) if report else None


def one_table(result: JobResult) -> str:
    """Return the one table that is asked for, in its order and on its page."""
    look = _look(result, url_for("results.report", result_id=result.id), ON_RESULT)
    table = render_table(_with_edges(_needed(result)), look)
    if table is None:
        raise NotVisible
    return str(table)


def download(result: JobResult, form: str, report: Mapping[str, Any] | None = None) -> Response:
    """Answer with the report, one of its pieces (`piece`) or tables (`table`), as a file. Raises NotVisible."""
    data = dict(_needed(result) if report is None else report)
    body = _written(data, form, result)
    if form not in FORMS or body is None:
        raise NotVisible
    name = _name(data, result)
    response = Response(body, mimetype=FORMS[form])
    response.headers["Content-Disposition"] = f"attachment; filename={name}.{form}"
    return response


def tagged(response: Response, row_moment: Any) -> Response:
    """Let who asks again be told that nothing has changed."""
    response.set_etag(f"{row_moment:%Y%m%d%H%M%S%f}")
    response.make_conditional(request)
    return response


def _written(report: dict[str, Any], form: str, result: JobResult) -> str | None:
    pieces = writing.blocks(report)
    if (place := number(request.args.get("piece"))) is not None:
        return files.of_piece(pieces[place], form) if place < len(pieces) else None
    title = report["title"] or f"{result.name} #{result.short_id}"
    match form:
        case "html":
            return files.as_html(report, title, _embedded(result, pieces))
        case "md":
            return writing.markdown(report)
        case "json":
            return files.as_json(report)
        case "csv":
            return files.table_number(report, number(request.args.get("table")) or 1)
        case "txt":
            return files.as_text(report)
    return None


def _embedded(result: JobResult, pieces: list[dict[str, Any]]) -> dict[str, str]:
    """Return the images that the run made and its report shows, as a file of its own has them."""
    wanted = set(writing.image_sources(pieces))
    found: dict[str, str] = {}
    for row in made_files(result.id):
        address = file_path(result.id, row.id)
        if address in wanted and row.content_type in TYPES and row.size_bytes <= LARGEST_IMAGE_BYTES:
            content = file_bytes(row)
            if content is not None and len(found) < MOST_EMBEDDED:
                found[address] = f"data:{row.content_type};base64,{base64.b64encode(content).decode()}"
    return found


def _name(report: Mapping[str, Any], result: JobResult) -> str:
    own = re.sub(r"[^A-Za-z0-9_-]+", "-", report["filename"] or "").strip("-")[:60]
    return own or f"{result.short_id}-report"


def _needed(result: JobResult) -> dict[str, Any]:
    report = report_of(result)
    if report is None:
        raise NotVisible
    return report


def _with_edges(report: dict[str, Any]) -> dict[str, Any]:
    return {**report, "pieces": writing.blocks(report)}


def _shown(report: dict[str, Any], look: Look, first: int) -> Shown:
    report = _with_edges(report)
    return Shown(render_part(report, look, first), len(report["pieces"]), report["title"])


def _look(result: JobResult, here: str, room: int) -> Look:
    arguments = request.args
    table = number(arguments.get("t"))
    sort = arguments.get("sort", "")
    return Look(
        address=url_for("results.report", result_id=result.id),
        here=here,
        prefix=request.script_root,
        files=_addresses(result),
        hosts=current_app.extensions["errand"].settings.image_hosts,
        icon=icon,
        room=room,
        code=20_000 if room == ON_RESULT else MOST_CHARACTERS,
        table=-1 if table is None else table,
        sort=int(sort) if _SORT.fullmatch(sort) else 0,
        page=number(arguments.get("p")) or 1,
    )


def _addresses(result: JobResult) -> dict[str, str]:
    """Return where the files are that the run made, by name, of two alike the later, and by address."""
    found: dict[str, str] = {}
    for row in made_files(result.id):
        address = url_for("results.file", result_id=result.id, file_id=row.id)
        found |= {row.name: address, file_path(result.id, row.id): address}
    return found
