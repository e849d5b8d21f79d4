"""The page that finds entries of all runs."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, make_response, render_template, request
from sqlalchemy import ColumnElement
from werkzeug.datastructures import MultiDict

from store.entry_search import LONGEST_QUERY, BadQuery, parse
from store.models import FAMILIES, JobResult, LogEntry
from store.text import clean_text
from webapp.auth import require, signed_in_user
from webapp.entry_search import MOST_LOOKED_AT, NEWEST, Found, backlog, find
from webapp.periods import WORDS
from webapp.result_list import LONGEST_VALUE, of_job, offered, within

blueprint = Blueprint("search", __name__, url_prefix="/results/search")

PAGE_SIZE = 40

#: More entries than are written in the moment it takes to add them: then the page says so.
NEWS = 1_000


@dataclass(frozen=True, slots=True)
class Wanted:
    q: str = ""
    job: str = ""
    families: tuple[str, ...] = ()
    logged: str = ""

    def arguments(self) -> dict[str, Any]:
        values = {"q": self.q, "job": self.job, "level": list(self.families), "logged": self.logged}
        return {name: value for name, value in values.items() if value}

    def conditions(self) -> list[ColumnElement[bool]]:
        conditions: list[ColumnElement[bool]] = []
        if self.job:
            conditions.append(of_job(self.job))
        if self.families:
            levels = [level for family in self.families for level in FAMILIES[family]]
            conditions.append(LogEntry.level.in_(levels))
        if self.logged:
            conditions.append(within(LogEntry.created_at, self.logged))
        return conditions


@blueprint.get("")
def index() -> Response:
    require("view", JobResult)
    wanted = _read(request.args)
    found, error = None, ""
    if wanted.q:
        try:
            found = _found(wanted)
        except BadQuery as refusal:
            error = str(refusal)
    page = render_template(
        "results/search.html",
        wanted=wanted,
        found=found,
        error=error,
        later=bool(_before()),
        jobs=offered("job", wanted.job, whole="choices" in request.args),
        logged_words=WORDS.items(),
        longest=LONGEST_QUERY,
        looked_at=MOST_LOOKED_AT,
        behind=_behind(),
    )
    return make_response(page, HTTPStatus.UNPROCESSABLE_ENTITY if error else HTTPStatus.OK)


def _found(wanted: Wanted) -> Found:
    query = parse(wanted.q)
    before = _before() or NEWEST
    return find(query, signed_in_user(), wanted.conditions(), before=before, most=PAGE_SIZE)


def _behind() -> Any:
    """Return what cannot be found yet, where that is worth a word."""
    behind = backlog()
    return behind if behind.entries >= NEWS else None


def _read(arguments: MultiDict[str, str]) -> Wanted:
    families = tuple(family for family in FAMILIES if family in arguments.getlist("level"))
    logged = arguments.get("logged", "")
    return Wanted(
        # One more than may be: of what is cut off in silence nobody would know.
        q=clean_text(arguments.get("q", "")).strip()[: LONGEST_QUERY + 1],
        job=clean_text(arguments.get("job", "")).strip()[:LONGEST_VALUE],
        families=() if len(families) == len(FAMILIES) else families,
        logged=logged if logged in WORDS else "",
    )


def _before() -> int | None:
    given = request.args.get("before", "")
    return int(given) if given.isascii() and given.isdecimal() and len(given) < 19 else None
