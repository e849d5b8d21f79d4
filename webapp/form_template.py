"""What a job's form template puts around its form: HTML on the page, style and script as files of their own."""

import hashlib
from dataclasses import dataclass, field
from typing import Any, Literal

from flask import Response, request, url_for
from sqlalchemy import select

from store.models import JobRecord
from store.permissions import NotVisible
from webapp.database import db

Kind = Literal["css", "js"]

TYPES: dict[Kind, str] = {"css": "text/css", "js": "text/javascript"}
VIEWS: dict[Kind, str] = {"css": "jobs.form_style", "js": "jobs.form_script"}

YEAR_SECONDS = 365 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Around:
    """What the page shows beside the form itself."""

    #: Of the template; "" for none.
    name: str = ""
    #: Sanitized.
    before: str = ""
    after: str = ""
    #: Addresses; "" where there is nothing.
    css: str = ""
    js: str = ""
    notes: list[str] = field(default_factory=list)
    error: str = ""


def around(job: JobRecord) -> Around:
    template = _template_of(job)
    if not template:
        return Around()
    addresses = {"css": _address(job, "css", template["css"]), "js": _address(job, "js", template["js"])}
    return Around(**{**template, **addresses})


def serve(job: JobRecord, kind: Kind) -> Response:
    """Answer with a form's style or script. Raises NotVisible where it has none."""
    text = _template_of(job).get(kind)
    if not text:
        raise NotVisible
    response = Response(_as_served(kind, text), content_type=f"{TYPES[kind]}; charset=utf-8")
    fresh = request.args.get("v") == _digest(text)
    response.headers["Cache-Control"] = f"private, max-age={YEAR_SECONDS}, immutable" if fresh else "no-cache"
    return response


def _as_served(kind: Kind, text: str) -> str:
    # So that a rule for `p` or `body` leaves the rest of the page as it is.
    return f"@scope (.asked) {{\n{text}\n}}\n" if kind == "css" else text


def _template_of(job: JobRecord) -> dict[str, Any]:
    if not job.form_files:
        return {}
    # Asked for by itself: only a form needs it, and the job may be of a session that is closed by now.
    kept = db.session.scalar(select(JobRecord.form_template).where(JobRecord.id == job.id))
    return kept or {}


def _address(job: JobRecord, kind: Kind, text: str) -> str:
    return url_for(VIEWS[kind], key=job.class_path, v=_digest(text)) if text else ""


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
