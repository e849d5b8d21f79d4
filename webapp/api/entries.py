"""The entries of a run: as data, as lines or as text; those that are still to come, too."""

from typing import Any, Literal

from flask import Response, request
from pydantic import Field
from sqlalchemy import select

from store.models import FAMILIES, JobResult, LogEntry
from store.text import clean_text
from webapp.api import arguments
from webapp.api.calls import Content, Listing, call
from webapp.api.given import Number, Text
from webapp.api.paging import next_url
from webapp.api.results import find_result
from webapp.api.shapes import results as shapes
from webapp.api.waits import wait_for
from webapp.database import db
from webapp.log import LONGEST_SEARCH, Filter
from webapp.log_download import FORMS, lines_of
from webapp.waiting import LONGEST_SECONDS

LevelName = Literal["debug", "default", "info", "success", "warning", "failure", "error", "critical"]

#: Beside JSON: media type and form of a download.
_FORMS = {FORMS[form].mimetype: form for form in ("ndjson", "txt")}


class Entries(Listing):
    most = 1000
    after: Number = Field(0, description="The number of the last entry that is known already.")  # type: ignore[assignment]
    limit: int = Field(200, ge=1, le=arguments.LARGEST_NUMBER, description="How many at most; JSON alone.")
    level: list[LevelName] = []
    family: list[Literal["debug", "info", "success", "warning", "failure"]] = []
    q: Text = Field("", description="In the messages.")
    wait: Number = Field(0, description=f"Seconds to wait where there is none yet, up to {LONGEST_SECONDS}.")
    format: Literal["json", "ndjson", "txt"] | None = Field(
        None, description="In place of the Accept header."
    )


@call(query=Entries, answers={200: shapes.EntryPage}, also=Content(*_FORMS), tag="results")
def entries(query: Entries, result_id: str) -> Any:
    """List the entries of a run in the order they were logged.

    As application/x-ndjson or text/plain all that come after `after` are given at once.
    """
    row = find_result(result_id)
    if query.wait and not row.finished and row.last_seq <= query.after:
        wait_for(row.id, query.wait, lambda seen: seen.last_seq > query.after)
        row = find_result(result_id)
    wanted = _filter(query)
    if (form := _form(query)) is not None:
        return Response(lines_of(row, wanted, form, after=query.after), mimetype=FORMS[form].mimetype)
    return _part(row, wanted, query)


def _filter(query: Entries) -> Filter:
    families = tuple(family for family in FAMILIES if family in query.family)
    return Filter(families, clean_text(query.q).strip()[:LONGEST_SEARCH], tuple(query.level))


def _form(query: Entries) -> str | None:
    if query.format is not None:
        return None if query.format == "json" else query.format
    best = request.accept_mimetypes.best_match(["application/json", *_FORMS], default="application/json")
    return _FORMS.get(best)


def _part(row: JobResult, wanted: Filter, query: Entries) -> shapes.EntryPage:
    span = (LogEntry.result_id == row.id, LogEntry.seq > query.after)
    found = db.session.scalars(
        select(LogEntry).where(*span, *wanted.conditions()).order_by(LogEntry.seq).limit(query.limit + 1)
    ).all()
    more = len(found) > query.limit
    # The row was read before: all that it speaks of was looked at.
    seen = [entry.seq for entry in found[: query.limit]]
    last = seen[-1] if more else max(row.last_seq, query.after, *seen)
    return {
        "results": [shapes.entry(entry) for entry in found[: query.limit]],
        "next": next_url(str(last)) if more else None,
        "last_seq": last,
        "finished": row.finished,
    }
