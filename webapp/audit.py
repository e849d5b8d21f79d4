"""The audit: who did what, for those who look after people."""

import json
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, render_template, request, url_for
from sqlalchemy import Select, select

from jobs.spreadsheet import csv_rows
from store.models import AuditRecord, User
from store.text import clean_text
from store.withdrawn import shown_audit
from webapp.auth import require
from webapp.database import db

blueprint = Blueprint("audit", __name__, url_prefix="/admin/audit")

PAGE_SIZE = 100
MOST_IN_A_FILE = 100_000
FILTERS = ("actor", "action", "subject")
LONGEST = 400


@blueprint.get("/")
def index() -> str:
    require("view", User)
    wanted = _wanted()
    before = request.args.get("before", "")
    query = _filtered(wanted).order_by(AuditRecord.id.desc()).limit(PAGE_SIZE + 1)
    if before.isascii() and before.isdecimal() and len(before) < 18:
        query = query.where(AuditRecord.id < int(before))
    rows = db.session.scalars(query).all()
    shown = rows[:PAGE_SIZE]
    return render_template(
        "admin/audit.html",
        rows=[(row, changes(row)) for row in shown],
        wanted=wanted,
        before=before,
        more=shown[-1].id if len(rows) > PAGE_SIZE else None,
        download=f"{url_for('audit.download')}?{urlencode(wanted)}",
    )


@blueprint.get("/audit.csv")
def download() -> Response:
    """Give the records as CSV, the latest first."""
    require("view", User)
    found = db.session.scalars(_filtered(_wanted()).order_by(AuditRecord.id.desc()).limit(MOST_IN_A_FILE))
    heading = (
        "time",
        "actor",
        "via",
        "address",
        "action",
        "subject",
        "before",
        "after",
        "position",
        "digest",
    )
    answer = Response(csv_rows([heading, *map(_cells, found)]), content_type="text/csv; charset=utf-8")
    answer.headers["Content-Disposition"] = 'attachment; filename="audit.csv"'
    return answer


def _cells(row: AuditRecord) -> tuple[Any, ...]:
    who = (row.created_at.isoformat(timespec="milliseconds"), row.actor, row.via, row.address)
    what = (row.action, row.subject, _json(row.before), _json(row.after))
    return (*who, *what, row.position or "", row.digest or "")


def changes(row: AuditRecord) -> list[tuple[str, str, str]]:
    """Return what differs: (what, as it was, as it is)."""
    before, after = row.before or {}, row.after or {}
    return [
        (key, _json(before[key]) if key in before else "", _json(after[key]) if key in after else "")
        for key in dict.fromkeys([*before, *after])
    ]


def _wanted() -> dict[str, str]:
    return {name: clean_text(request.args.get(name, "")).strip()[:LONGEST] for name in FILTERS}


def _filtered(wanted: dict[str, str]) -> Select[Any]:
    query = select(AuditRecord).where(shown_audit())
    for name, value in wanted.items():
        if value:
            query = query.where(getattr(AuditRecord, name).istartswith(value, autoescape=True))
    return query


def _json(value: Any) -> str:
    return "" if value is None else json.dumps(value, ensure_ascii=False)
