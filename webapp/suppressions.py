"""Times in which no run of a job begins: seen by those who see the job, made and ended by those who may change it."""

from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from zoneinfo import ZoneInfo

from flask import (
    Blueprint,
    Response,
    current_app,
    flash,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)

from jobs.errors import InvalidData
from store.models import JobRecord, now
from store.permissions import NotVisible
from webapp.admin_forms import AdminForm, line
from webapp.auth import allowed, require, signed_in_user
from webapp.database import db
from webapp.jobs import find_job
from worker import suppressions

blueprint = Blueprint("suppressions", __name__, url_prefix="/jobs")

FIELDS = ("starts_at", "ends_at")
NO_MOMENT = "Write a date and a time such as 2030-05-15 22:00."


@blueprint.get("/<job:key>/suppressions")
def index(key: str) -> str:
    job = find_job(key)
    require("view", job)
    begins = now().astimezone(_zone()).replace(second=0, microsecond=0, tzinfo=None)
    values = {"starts_at": begins, "ends_at": begins + timedelta(hours=1)}
    return _page(job, AdminForm({name: each.isoformat(timespec="minutes") for name, each in values.items()}))


@blueprint.post("/<job:key>/suppressions")
def create(key: str) -> Response:
    job = find_job(key)
    require("change", job)
    form = AdminForm({name: line(request.form, name) for name in FIELDS})
    starts_at, ends_at = (_moment(form, name) for name in FIELDS)
    if starts_at is not None and ends_at is not None:
        try:
            suppressions.suppress(db.session(), job, starts_at, ends_at, signed_in_user(), permitted=True)
        except InvalidData as refusal:
            errors = refusal.errors if isinstance(refusal.errors, dict) else {"starts_at": refusal.errors}
            for name, sentences in errors.items():
                form.refuse(name, " ".join(sentences))
    if form.errors:
        return make_response(_page(job, form), HTTPStatus.UNPROCESSABLE_ENTITY)
    flash(f"No run of {job.name} begins in that time.")
    return _back(job)


@blueprint.post("/<job:key>/suppressions/<int(max=2147483647):number>/end")
def end(key: str, number: int) -> Response:
    job = find_job(key)
    require("change", job)
    if not suppressions.unsuppress(db.session(), job, signed_in_user(), only=number, permitted=True):
        raise NotVisible
    flash(f"The suppression of {job.name} is ended.")
    return _back(job)


def _moment(form: AdminForm, name: str) -> datetime | None:
    """Return what was typed, on the clocks of the portal's time zone unless it names another."""
    try:
        moment = datetime.fromisoformat(form.text(name))
        return (moment if moment.tzinfo else moment.replace(tzinfo=_zone())).astimezone(UTC)
    except (ValueError, OverflowError):
        form.refuse(name, NO_MOMENT)
        return None


def _zone() -> ZoneInfo:
    return ZoneInfo(current_app.extensions["errand"].settings.time_zone)


def _page(job: JobRecord, form: AdminForm) -> str:
    return render_template(
        "jobs/suppressions.html",
        job=job,
        form=form,
        moments={name: _is_moment(form.text(name)) for name in FIELDS},
        zone=_zone().key,
        suppressions=suppressions.active(db.session(), job=job),
        at=now(),
        may_change=allowed("change", job),
    )


def _is_moment(text: str) -> bool:
    """Tell whether a browser's own input for a date and a time shows it."""
    try:
        return datetime.fromisoformat(text).tzinfo is None
    except ValueError:
        return False


def _back(job: JobRecord) -> Response:
    return make_response(redirect(url_for("suppressions.index", key=job.class_path), HTTPStatus.SEE_OTHER))
