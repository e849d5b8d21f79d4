"""The report of a run: as data, and as the files that pages offer."""

from typing import Any, Literal

from flask import Response, request
from pydantic import Field
from sqlalchemy import select
from werkzeug.exceptions import NotFound

from store.models import RunReport
from store.permissions import NotVisible
from webapp import result_report
from webapp.api.calls import Content, Query, call
from webapp.api.given import Number
from webapp.api.results import find_result
from webapp.api.shapes import results as shapes
from webapp.database import db

#: Beside JSON: media type and form of a download.
_FORMS = {result_report.FORMS[form]: form for form in ("html", "md", "csv", "txt")}


class Asked(Query):
    format: Literal["json", "html", "md", "csv", "txt"] | None = Field(
        None, description="In place of the Accept header."
    )
    table: Number = Field(1, description="Which table becomes CSV; the first is 1.")


@call(query=Asked, answers={200: shapes.ReportShape}, also=Content(*_FORMS), tag="results")
def report(query: Asked, result_id: str) -> Any:
    """Give the report of a run: what its job has put together beside the log.

    As text/html, text/markdown, text/plain or, one of its tables, text/csv it is a file.
    """
    row = find_result(result_id)
    found = db.session.scalar(select(RunReport).where(RunReport.result_id == row.id))
    if found is None:
        raise NotFound("This result has no report.")
    form = _form(query)
    if form is None:
        return shapes.report(found)
    try:
        answer: Response = result_report.download(row, form, found.data)
    except NotVisible:
        raise NotFound("There is no such table in the report.") from None
    return result_report.tagged(answer, found.created_at)


def _form(query: Asked) -> str | None:
    if query.format is not None:
        return None if query.format == "json" else query.format
    best = request.accept_mimetypes.best_match(["application/json", *_FORMS], default="application/json")
    return _FORMS.get(best)
