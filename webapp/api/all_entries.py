"""Search across the entries of all runs."""

import uuid
from typing import Any, Literal

from flask import url_for
from pydantic import Field
from sqlalchemy import ColumnElement

from store.entry_search import LONGEST_QUERY, BadQuery, Query, parse
from store.models import FAMILIES, JobResult, LogEntry
from webapp.api.calls import Listing, call
from webapp.api.entries import LevelName
from webapp.api.errors import InvalidRequest
from webapp.api.given import Moment, Text
from webapp.api.listing import BAD_AFTER
from webapp.api.paging import next_url
from webapp.api.results import of_job
from webapp.api.shapes import moment
from webapp.api.shapes import results as shapes
from webapp.api.tokens import user
from webapp.entry_search import NEWEST, Hit, backlog, find


class AllEntries(Listing):
    q: Text = Field(description=f'Words, "phrases", -not, prefix*: up to {LONGEST_QUERY} characters.')
    job: Text = Field("", description="The id or class path of their job.")
    result: uuid.UUID | None = Field(None, description="The run that logged them.")
    level: list[LevelName] = []
    family: list[Literal["debug", "info", "success", "warning", "failure"]] = []
    since: Moment | None = Field(None, description="Logged at this time or later.")
    until: Moment | None = Field(None, description="Logged before this time.")


@call(query=AllEntries, answers={200: shapes.HitPage}, tag="results")
def all_entries(query: AllEntries) -> Any:
    """Find entries of all runs by their words, the newest first.

    A part may have fewer than `limit`, or none, and a `next`: enough entries that have the words were looked at.
    """
    found = find(_parsed(query.q), user(), _conditions(query), before=_before(query.after), most=query.limit)
    behind = backlog()
    return {
        "results": [_hit(hit) for hit in found.hits],
        "next": next_url(None if found.before is None else str(found.before)),
        "behind": {"entries": behind.entries, "since": moment(behind.since) if behind.since else None},
    }


def _parsed(text: str) -> Query:
    try:
        return parse(text)
    except BadQuery as refusal:
        raise InvalidRequest({"q": [str(refusal)]}) from None


def _before(after: str) -> int:
    if not after:
        return NEWEST
    if not (after.isascii() and after.isdecimal() and len(after) < 19):
        raise InvalidRequest({"after": [BAD_AFTER]})
    return int(after)


def _conditions(asked: AllEntries) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if asked.job:
        conditions.append(of_job(JobResult, asked.job))
    if asked.result is not None:
        conditions.append(LogEntry.result_id == asked.result)
    if asked.level:
        conditions.append(LogEntry.level.in_(asked.level))
    if asked.family:
        conditions.append(LogEntry.level.in_([one for family in asked.family for one in FAMILIES[family]]))
    if asked.since is not None:
        conditions.append(LogEntry.created_at >= asked.since)
    if asked.until is not None:
        conditions.append(LogEntry.created_at < asked.until)
    return conditions


def _hit(hit: Hit) -> shapes.HitShape:
    entry, result = hit.entry, hit.result
    return {
        **shapes.entry(entry),
        "result": {
            "id": str(result.id),
            "class_path": result.class_path,
            "name": result.name,
            "status": str(result.status),
        },
        "url": f"{url_for('results.show', result_id=result.id, line=entry.seq)}#L{entry.seq}",
    }
