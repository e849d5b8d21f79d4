"""What a job keeps between its runs, for people to see and to delete."""

import json
from http import HTTPStatus

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, url_for

from store.models import JobRecord
from store.permissions import NotVisible
from store.text import clean_text
from webapp.auth import allowed, require
from webapp.database import db
from webapp.formats import plural
from webapp.jobs import find_job
from worker.kept_values import (
    HIDDEN,
    Kept,
    are_hidden,
    count_kept,
    find_kept,
    forget,
    forget_all,
    list_kept,
)

blueprint = Blueprint("kept_values", __name__, url_prefix="/jobs")

PAGE_SIZE = 50

#: Of a value in the list; the rest is on its own page.
SHOWN_CHARACTERS = 200


@blueprint.get("/<job:key>/values")
def index(key: str) -> str:
    job = _viewed(key)
    hidden = are_hidden(job)
    after = clean_text(request.args.get("after", ""))
    characters = 0 if hidden else SHOWN_CHARACTERS
    rows, more = list_kept(db.session(), job.class_path, after=after, limit=PAGE_SIZE, characters=characters)
    return render_template(
        "jobs/values.html",
        job=job,
        values=rows,
        total=count_kept(db.session(), job.class_path),
        after=after,
        more=more,
        hidden=HIDDEN if hidden else "",
        may_change=allowed("change", job),
    )


# A key may hold anything, and a form would change its newlines: it stands in the query string, in all three.


@blueprint.get("/<job:key>/value")
def show(key: str) -> str:
    job = _viewed(key)
    value, hidden = _value(job), are_hidden(job)
    return render_template(
        "jobs/value.html",
        job=job,
        value=value,
        shown="" if hidden else json.dumps(value.value, indent=2, ensure_ascii=False),
        hidden=HIDDEN if hidden else "",
        may_change=allowed("change", job),
    )


@blueprint.get("/<job:key>/forget")
def confirm(key: str) -> str:
    """Ask before a value is deleted; or all, where none is named."""
    job = _changed(key)
    value = _value(job) if "key" in request.args else None
    total = count_kept(db.session(), job.class_path)
    return render_template("jobs/forget.html", job=job, value=value, total=total)


@blueprint.post("/<job:key>/forget")
def delete(key: str) -> Response:
    job = _changed(key)
    if "key" in request.args:
        _forget_one(job, request.args["key"])
    elif request.form.get("all") == "yes":
        flash(f"Deleted {plural(forget_all(db.session(), job.class_path), 'value')} of {job.name}.")
    else:
        raise NotVisible
    return make_response(redirect(url_for("kept_values.index", key=job.class_path), HTTPStatus.SEE_OTHER))


def _forget_one(job: JobRecord, key: str) -> None:
    if forget(db.session(), job.class_path, key):
        flash(f"Deleted {key} of {job.name}.")
    else:
        flash(f"{job.name} keeps no value of that key any more.", "warn")


def _viewed(key: str) -> JobRecord:
    job = find_job(key)
    require("view", job)
    return job


def _changed(key: str) -> JobRecord:
    job = find_job(key)
    require("change", job)
    return job


def _value(job: JobRecord) -> Kept:
    value = find_kept(db.session(), job.class_path, request.args.get("key", ""))
    if value is None:
        raise NotVisible
    return value
