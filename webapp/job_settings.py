"""What an admin says of a job in place of its code, and whether it may be run at all."""

from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, url_for

from jobs.errors import InvalidData
from store.models import JobRecord
from store.text import clean_text
from webapp.admin_forms import AdminForm
from webapp.auth import allowed, require
from webapp.database import db
from webapp.formats import plural
from webapp.jobs import find_job
from worker import job_records
from worker.overrides import SETTINGS, Setting, override, version_of

blueprint = Blueprint("job_settings", __name__, url_prefix="/jobs")


@blueprint.get("/<job:key>/settings")
def show(key: str) -> str:
    job = _changed(key)
    values = {f"set-{name}": True for name in job.overrides}
    values |= {setting.name: _written(setting, getattr(job, setting.name)) for setting in SETTINGS}
    return _page(job, AdminForm(values))


@blueprint.post("/<job:key>/settings")
def change(key: str) -> Response:
    job = _changed(key)
    form = AdminForm({f"set-{setting.name}": _is_set(setting) for setting in SETTINGS})
    form.values |= {
        setting.name: request.form.get(setting.name) == "true"
        if setting.kind == "switch"
        else clean_text(request.form.get(setting.name, ""))
        for setting in SETTINGS
    }
    try:
        override(
            db.session(),
            job,
            {each.name: _read(each, form) for each in SETTINGS if _is_set(each)},
            version=request.form.get("_version"),
            still_allowed=lambda changed: allowed("change", changed),
        )
    except InvalidData as refusal:
        job = find_job(key)
        if isinstance(refusal.errors, dict):
            for name, sentences in refusal.errors.items():
                form.refuse(name, " ".join(sentences))
        else:
            form.refuse("", " ".join(refusal.errors))
        return make_response(_page(job, form), HTTPStatus.UNPROCESSABLE_ENTITY)
    flash(f"Saved: {plural(len(job.overrides), 'setting')} of {job.name} by an administrator.")
    return make_response(redirect(url_for("jobs.show", key=job.class_path), HTTPStatus.SEE_OTHER))


@blueprint.post("/<job:key>/settings/reset")
def reset(key: str) -> Response:
    """Have the code's word count again in everything."""
    job = _changed(key)
    override(db.session(), job, {}, still_allowed=lambda changed: allowed("change", changed))
    flash(f"{job.name} is as its code says.")
    return make_response(redirect(url_for("job_settings.show", key=job.class_path), HTTPStatus.SEE_OTHER))


@blueprint.post("/<job:key>/delete")
def delete(key: str) -> Response:
    """Remove the record of a job whose class is gone. Its results stay."""
    job = find_job(key)
    require("delete", job)
    if job.installed:
        flash(job_records.INSTALLED.format(name=job.name), "warn")
        return make_response(redirect(url_for("jobs.show", key=job.class_path), HTTPStatus.SEE_OTHER))
    name = job.name
    job_records.remove(db.session(), job)
    db.session.commit()
    flash(f"Removed {name}. Its results are kept.")
    return make_response(redirect(url_for("jobs.index"), HTTPStatus.SEE_OTHER))


def _changed(key: str) -> JobRecord:
    job = find_job(key)
    require("change", job)
    return job


def _is_set(setting: Setting) -> bool:
    """Tell whether a setting is ticked; or was changed where it was not: that must not be lost."""
    if request.form.get(f"set-{setting.name}") == "true":
        return True
    shown = request.form.get(f"was-{setting.name}")
    sent = request.form.get(setting.name, "false" if setting.kind == "switch" else "")
    return shown is not None and _plain(shown) != _plain(sent)


def _plain(text: str) -> str:
    return clean_text(text).replace("\r\n", "\n").strip()


def _written(setting: Setting, value: Any) -> Any:
    if setting.kind == "names":
        return "\n".join(value)
    # Whole numbers as people write them; all others with every digit they have.
    return repr(value).removesuffix(".0") if setting.kind == "seconds" else value


def _read(setting: Setting, form: AdminForm) -> Any:
    value = form.values[setting.name]
    return value.splitlines() if setting.kind == "names" else value


def _page(job: JobRecord, form: AdminForm) -> str:
    codes = {
        setting.name: _written(setting, job.code_facts.get(setting.name, getattr(job, setting.name)))
        for setting in SETTINGS
    }
    return render_template(
        "jobs/settings.html", job=job, form=form, settings=SETTINGS, codes=codes, version=version_of(job)
    )
