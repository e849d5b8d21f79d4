"""Jobs: the list, and the form that asks for a run."""

import json
import shlex
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode

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
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from jobs.errors import InvalidData
from jobs.files import Upload
from jobs.kinds import file_names, secret_names
from store import audit
from store.models import JobRecord, JobResult, JobSource, LoadError, Schedule, class_path_of
from store.permissions import NotVisible, visible
from store.text import clean_text
from webapp import favourites, form_template, htmx, run_form
from webapp.auth import allowed, current_user, require, signed_in_user, takes_files
from webapp.database import db, reading
from webapp.fields import PREFIX, SEARCH_PREFIX, build_field
from webapp.fresh import fresh
from webapp.history import newest_runs, usual_seconds
from webapp.job_filters import FLAGS, SHOWS, Filters, read_filters
from webapp.job_key import as_id
from webapp.job_list import fill, grouped, known_jobs
from webapp.looks import pulse
from webapp.next_page import safe_path
from webapp.notifications import tell_of
from webapp.request_facts import request_facts
from webapp.schedule_form import NOW, ScheduleForm, empty_form, form_words, preview, read_form
from webapp.scheduling import change_inputs, make_schedule, schedule_named
from webapp.uploads import upload_of
from worker.freshness import is_broken
from worker.kept_values import count_kept
from worker.questions import Questions
from worker.queue_facts import listening_workers, present_workers
from worker.refresh import refresh
from worker.submit import submit

blueprint = Blueprint("jobs", __name__, url_prefix="/jobs")

RECENT_RUNS_SHOWN = 4

CHANGED = "This job was changed while its form was open. Look over the inputs as they are now, then run it."
LONGEST_ARGUMENT = 400


@blueprint.get("/")
def index() -> str:
    require("view", JobRecord)
    filters = read_filters(request.args)
    search = _cleaned("q")
    everything = known_jobs()
    words = search.lower().split()
    groups = grouped(job for job in everything if filters.take(job) and job.matches(words))
    page = {
        "groups": groups,
        "filters": filters,
        "q": search,
        "total": len(everything),
        "may_refresh": allowed("change", JobSource),
        "numbers": {
            name: sum(1 for job in everything if Filters(name, filters.flags).take(job)) for name in SHOWS
        },
    }
    if "group" in request.args:
        groups[:] = [group for group in groups if group.name == request.args["group"]]
        fill(groups, after=_cleaned("after"))
        if htmx.wants_fragment():
            return "".join(render_template("jobs/_lines.html", group=group, **page) for group in groups)
    else:
        fill(groups)
    if htmx.wants_fragment():
        return render_template("jobs/_list.html", swap=True, **page)
    return render_template(
        "jobs/index.html",
        **page,
        flags=FLAGS,
        source_count=db.session.scalar(select(func.count()).select_from(JobSource)) or 0,
        load_errors=_load_errors(),
        error_count=db.session.scalar(select(func.count()).select_from(LoadError)) or 0,
        may_enable=allowed("change", JobRecord),
        may_see_sources=allowed("view", JobSource),
    )


@blueprint.post("/refresh")
def reload() -> Response:
    """Look for jobs in folders and plugins again."""
    require("change", JobSource)
    # All of them are looked at; git repositories are by themselves.
    for source in db.session.scalars(select(JobSource).where(JobSource.kind != "git")):
        require("change", source)
    report = refresh(db.session(), current_app.extensions["errand"].settings)
    problems = f" {len(report.errors)} could not be loaded." if report.errors else ""
    notes = "".join(f" {note}" for note in report.notes)
    flash(f"Found {report.jobs} jobs, {len(report.new)} of them new.{problems}{notes}")
    return make_response(redirect(url_for("jobs.index"), HTTPStatus.SEE_OTHER))


@blueprint.get("/<job:key>/")
def show(key: str) -> str:
    job = _find_fresh(key)
    require("view", job)
    arguments = request.args
    questions = _questions(job)
    schedule = schedule_named(arguments.get("_schedule"), job)
    earlier = schedule or _earlier(job, arguments)
    given = {
        **(run_form.from_data(job, earlier.data) if earlier else {}),
        **run_form.from_query(job, arguments),
    }
    # The page also answers where a picker asks for its choices, with the inputs as they are.
    if any(name.startswith(PREFIX) for name in arguments):
        given.update(run_form.from_inputs(job, arguments))
    with current_app.extensions["errand"].data.session() as data:
        form = run_form.build(
            job,
            given,
            data,
            questions=questions,
            commit=_commit_of(earlier, arguments.get("_commit")),
            queue=_queue_of(job, arguments) or (schedule.queue if schedule else None),
            debug=current_app.extensions["errand"].settings.debug,
            searches=_searches(job, arguments),
            upload_bytes=current_app.extensions["errand"].settings.upload_bytes,
        )
        return _form_page(job, form, schedule=schedule)


@blueprint.post("/<job:key>/")
@takes_files
def run(key: str) -> Response:
    """Ask for a run, or a schedule, with what the form holds; or, without JavaScript, search or react in it."""
    # On a session that only reads: SQLite's write turn is for storing the run, not for checking its data.
    with reading() as session:
        job = _find_fresh(key, session)
    require("view", job)
    if "_search" in request.form or "_update" in request.form:
        return make_response(_filled_form(job, (), _questions(job)))
    require("run", job)
    questions, when = _questions(job), _when(job)
    try:
        if request.form.get("_code", job.form_code) != job.form_code:
            raise InvalidData([CHANGED])
        raw = run_form.raw(job, request.form, _uploads())
        if schedule := schedule_named(request.form.get("_schedule"), job):
            change_inputs(schedule, job, raw, questions)
            return _to_schedule(schedule, "is saved, and runs as you")
        if when.when != NOW:
            return _to_schedule(make_schedule(job, raw, when, questions), "is scheduled")
        result = submit(
            db.session(),
            current_app.extensions["errand"].settings,
            job=job,
            raw=raw,
            user=signed_in_user(),
            commit=_commit_asked(request.form),
            queue=request.form.get("_queue"),
            options=run_form.options(request.form),
            form=True,
            questions=questions,
            request=request_facts(),
        )
    except InvalidData as refusal:
        db.session.rollback()
        filled = _filled_form(job, refusal.errors, questions, when)
        return make_response(filled, HTTPStatus.UNPROCESSABLE_ENTITY)
    return make_response(redirect(url_for("results.show", result_id=result.id), HTTPStatus.SEE_OTHER))


@blueprint.post("/<job:key>/inputs")
def react(key: str) -> Response:
    """Show the fields that look otherwise now that another input has changed."""
    job = find_job(key)
    require("view", job)
    if not htmx.wants_fragment():
        return make_response(_filled_form(job, (), _questions(job)))
    seen = run_form.states(job, request.form)
    with current_app.extensions["errand"].data.session() as data:
        form = run_form.build(
            job,
            run_form.from_inputs(job, request.form),
            data,
            questions=_questions(job),
            upload_bytes=current_app.extensions["errand"].settings.upload_bytes,
            shown=seen,
        )
        changed = form.changed(seen)
        if not changed:
            return htmx.nothing_new()
        return make_response(render_template("jobs/_changed.html", fields=changed, job=job))


@blueprint.get("/<job:key>/choices/<variable>")
def choices(key: str, variable: str) -> str:
    """Show what can be chosen for one variable, as the other inputs now stand."""
    job = find_job(key)
    require("view", job)
    description = next((each for each in job.variables if each["name"] == variable and "model" in each), None)
    if description is None:
        raise NotVisible
    if not htmx.wants_fragment():
        return show(key)
    values = run_form.from_inputs(job, request.args)
    search = request.args.get(SEARCH_PREFIX + variable, "")
    # Typing asks for a list only; when another input has changed, the choice itself may have to go.
    typing = request.args.get("_part") == "list"
    with current_app.extensions["errand"].data.session() as data:
        field = build_field(description, values, data, search, fitting=not typing)
        template = "jobs/_options.html" if typing else "jobs/_picker.html"
        return render_template(template, field=field, job=job)


@blueprint.get("/<job:key>/form.css")
def form_style(key: str) -> Response:
    return form_template.serve(_viewed(key), "css")


@blueprint.get("/<job:key>/form.js")
def form_script(key: str) -> Response:
    return form_template.serve(_viewed(key), "js")


@blueprint.post("/<job:key>/enable")
def enable(key: str) -> Response:
    return _switch(key, enabled=True)


@blueprint.post("/<job:key>/disable")
def disable(key: str) -> Response:
    return _switch(key, enabled=False)


@blueprint.post("/<job:key>/star")
def star(key: str) -> Response:
    return _mark(key, starred=True)


@blueprint.post("/<job:key>/unstar")
def unstar(key: str) -> Response:
    return _mark(key, starred=False)


# --- The list -------------------------------------------------------------------------------------------------


def _cleaned(name: str) -> str:
    return clean_text(request.args.get(name, "")).strip()[:LONGEST_ARGUMENT]


def _mark(key: str, *, starred: bool) -> Response:
    job = find_job(key)
    require("view", job)
    favourites.mark(job, starred=starred)
    if htmx.wants_fragment():
        shape = "list" if request.form.get("shape") == "list" else "page"
        count = len(favourites.favourite_paths()) if shape == "list" else 0
        page = {"job": job, "starred": starred, "shape": shape, "count": count}
        return make_response(render_template("jobs/_star.html", **page))
    back = safe_path(request.form.get("next")) or url_for("jobs.show", key=job.class_path)
    # To the star itself: a list may be long.
    return make_response(redirect(f"{back}#star-{job.id.hex}", HTTPStatus.SEE_OTHER))


def _load_errors() -> Sequence[LoadError]:
    shown = visible(select(LoadError), current_user(), LoadError)
    return db.session.scalars(shown.order_by(LoadError.source, LoadError.module)).all()


# --- The form -------------------------------------------------------------------------------------------------


def find_job(key: str, session: Session | None = None) -> JobRecord:
    job_id = as_id(key)
    condition = (
        JobRecord.class_path == class_path_of(clean_text(key)) if job_id is None else JobRecord.id == job_id
    )
    job: JobRecord | None = (
        (session or db.session)
        .scalars(visible(select(JobRecord), current_user(), JobRecord).where(condition))
        .one_or_none()
    )
    if job is None:
        raise NotVisible
    return job


def _find_fresh(key: str, session: Session | None = None) -> JobRecord:
    job = fresh(lambda: find_job(key, session))
    if job is None:
        raise NotVisible
    return job


def _viewed(key: str) -> JobRecord:
    job = find_job(key)
    require("view", job)
    return job


def _questions(job: JobRecord) -> Questions:
    return Questions(current_app.extensions["errand"].settings, job, username=signed_in_user().username)


def _uploads() -> list[tuple[str, list[Upload]]]:
    return [(name, [upload_of(file) for file in files]) for name, files in request.files.lists()]


def _when(job: JobRecord) -> ScheduleForm:
    return read_form(request.form, job.name, current_app.extensions["errand"].settings.time_zone)


def _to_schedule(schedule: Schedule, words: str) -> Response:
    waits = ", and waits for an approval" if schedule.problem else ""
    flash(f"{schedule.name} {words}{waits}.")
    page = url_for("schedules.show", schedule_id=schedule.id)
    return make_response(redirect(page, HTTPStatus.SEE_OTHER))


def _filled_form(job: JobRecord, errors: Any, questions: Questions, when: ScheduleForm | None = None) -> str:
    """Show the form with all that was typed into it."""
    typed = request.form
    when = when or _when(job)
    with current_app.extensions["errand"].data.session() as data:
        form = run_form.build(
            job,
            run_form.from_inputs(job, typed),
            data,
            questions=questions,
            commit=_commit_asked(typed),
            queue=typed.get("_queue"),
            options=run_form.options(typed),
            debug=current_app.extensions["errand"].settings.debug,
            searches=_searches(job, typed),
            errors=errors,
            given_anew=_given_anew(job),
            upload_bytes=current_app.extensions["errand"].settings.upload_bytes,
        )
        schedule = schedule_named(typed.get("_schedule"), job)
        return _form_page(job, form, searching=typed.get("_search", ""), when=when, schedule=schedule)


def _form_page(
    job: JobRecord,
    form: run_form.RunForm,
    *,
    searching: str = "",
    when: ScheduleForm | None = None,
    schedule: Schedule | None = None,
) -> str:
    when = when or empty_form(job.name, current_app.extensions["errand"].settings.time_zone)
    runs = newest_runs([job.id]).get(job.id, ())
    return render_template(
        "jobs/show.html",
        job=job,
        form=form,
        when=when,
        shown=preview(when) if when.when != NOW and not when.errors else None,
        for_schedule=schedule,
        schedulable=not form.has_files,
        **form_words(),
        around=form_template.around(job),
        searching=searching,
        runs=runs[:RECENT_RUNS_SHOWN],
        pulse=pulse(runs),
        api_call=_api_call(job),
        presets=[(name, urlencode(run_form.preset_query(job, name))) for name in job.presets],
        starred=favourites.is_favourite(job),
        usual_seconds=usual_seconds(runs),
        listening=listening_workers(present_workers(db.session())),
        broken=_why_broken(job),
        may_run=job.runnable and allowed("run", job),
        may_change=allowed("change", job),
        tell=tell_of("job", job.class_path),
        kept=count_kept(db.session(), job.class_path),
        describe=bool(job.description.strip().partition("\n")[2].strip()),
    )


def _given_anew(job: JobRecord) -> set[str]:
    """Return which of the inputs that a form does not carry on have been filled in."""
    hidden = {variable["name"] for variable in job.variables if variable.get("widget") == "password"}
    hidden.update(secret_names(job.variables))
    typed = {name for name in hidden if request.form.get(PREFIX + name)}
    chosen = {name.removeprefix(PREFIX) for name, uploads in _uploads() if any(each.name for each in uploads)}
    return typed | chosen


def _why_broken(job: JobRecord) -> str:
    """Say what is wrong with the job's file, where it has changed and cannot be loaded any more."""
    if not is_broken(current_app.extensions["errand"].settings, job):
        return ""
    of_module = (LoadError.source == job.source, LoadError.module == job.module)
    error = db.session.scalars(select(LoadError).where(*of_module).limit(1)).first()
    return error.message if error else ""


def _api_call(job: JobRecord) -> str:
    """Return a command that asks for a run through the API, with the defaults as its data."""
    url = shlex.quote(f"{request.host_url}api/v1/jobs/{quote(job.class_path)}/run")
    files = file_names(job.variables)
    data = {
        variable["name"]: variable.get("default")
        for variable in job.variables
        # What is only asked for with other inputs is refused without them.
        if variable["name"] not in files and "shown_if" not in variable
    }
    call = f"curl -X POST {url} -H 'Authorization: Token YOUR-TOKEN'"
    if files:
        parts = [(name, "" if value is None else _part(value)) for name, value in data.items()]
        parts += [(name, "@FILE") for name in files]
        if not job.always_commits:
            parts.append(("_commit", str(job.commit_default).lower()))
        return " ".join([call, *(f"-F {shlex.quote(f'{name}={value}')}" for name, value in parts)])
    asked = {"data": data} if job.always_commits else {"data": data, "commit": job.commit_default}
    body = json.dumps(asked, ensure_ascii=False)
    return f"{call} -H 'Content-Type: application/json' -d {shlex.quote(body)}"


def _part(value: Any) -> str:
    """Return a value as a part of multipart/form-data has it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _commit_asked(inputs: MultiDict[str, str]) -> bool | None:
    # The button "Dry run first" comes after the choice, and has the last word.
    said = inputs.getlist("_commit")
    return run_form.truth(said[-1] if said else None)


def _searches(job: JobRecord, inputs: MultiDict[str, str]) -> dict[str, str]:
    return {variable["name"]: inputs.get(SEARCH_PREFIX + variable["name"], "") for variable in job.variables}


def _earlier(job: JobRecord, arguments: MultiDict[str, str]) -> JobResult | None:
    """Return the run whose inputs an address asks for, by our name for that or by Nautobot's."""
    reference = arguments.get("_from_result") or arguments.get("kwargs_from_job_result")
    if not reference:
        return None
    result_id = as_id(reference)
    query = visible(select(JobResult), current_user(), JobResult).where(JobResult.id == result_id)
    result: JobResult | None = db.session.scalars(query).one_or_none() if result_id else None
    if result is None or result.class_path != job.class_path:
        flash("The run whose inputs were wanted is no run of this job, or is not there any more.", "warn")
        return None
    return result


def _queue_of(job: JobRecord, arguments: MultiDict[str, str]) -> str | None:
    """Return the queue that an address asks for, by our name for that or by Nautobot's."""
    wanted = (arguments.get(name) for name in ("_queue", "_job_queue", "_task_queue"))
    return next((name for name in wanted if name in job.allowed_queues), None)


def _commit_of(earlier: JobResult | Schedule | None, given: str | None) -> bool | None:
    stated = run_form.truth(given)
    return earlier.commit if stated is None and earlier is not None else stated


def _switch(key: str, *, enabled: bool) -> Response:
    job = find_job(key)
    require("change", job)
    before, job.enabled = job.enabled, enabled
    audit.note(
        db.session(),
        "job.enable" if enabled else "job.disable",
        job.class_path,
        before={"enabled": before},
        after={"enabled": enabled},
    )
    db.session.commit()
    flash(f"{job.name} is {'enabled' if enabled else 'disabled'} now.")
    # Whoever enables a job in order to run it is not sent away from its form.
    page = url_for("jobs.show", key=key) if request.form.get("then") == "run" else url_for("jobs.index")
    if htmx.wants_fragment():
        return htmx.go_to(page)
    return make_response(redirect(page, HTTPStatus.SEE_OTHER))
