"""How long results are kept: what counts, who set it, and how far removing the others is."""

from http import HTTPStatus

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

from store.models import Retention, User
from webapp.admin_forms import AdminForm, line
from webapp.auth import allowed, require, signed_in_user
from webapp.database import db
from worker import retention
from worker.overrides import checked_days

blueprint = Blueprint("retention", __name__, url_prefix="/admin/retention")

FIELDS = ("keep_days", "keep_failed_days")


@blueprint.get("/")
def show() -> str:
    require("view", User)
    row = db.session.get(Retention, 1)
    said = {name: getattr(row, name) if row is not None else None for name in FIELDS}
    return _page(AdminForm({name: "" if days is None else str(days) for name, days in said.items()}))


@blueprint.post("/")
def change() -> Response:
    require("change", User)
    form = AdminForm({name: line(request.form, name) for name in FIELDS})
    days = {name: _days(form, name) for name in FIELDS}
    if form.errors:
        return make_response(_page(form), HTTPStatus.UNPROCESSABLE_ENTITY)
    retention.set_days(db.session(), signed_in_user(), days["keep_days"], days["keep_failed_days"])
    flash("Saved how long results are kept.")
    return make_response(redirect(url_for("retention.show"), HTTPStatus.SEE_OTHER))


def _days(form: AdminForm, name: str) -> int | None:
    if not form.text(name):
        return None
    try:
        return checked_days(form.text(name))
    except ValueError as error:
        form.refuse(name, str(error))
        return None


def _page(form: AdminForm) -> str:
    settings = current_app.extensions["errand"].settings
    return render_template(
        "admin/retention.html",
        form=form,
        settings=settings,
        row=db.session.get(Retention, 1),
        rules=retention.rules(db.session(), settings),
        progress=retention.progress(db.session(), settings),
        most_counted=retention.MOST_COUNTED,
        per_minute=retention.PER_MINUTE,
        may_change=allowed("change", User),
    )
