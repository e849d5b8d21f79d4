"""Jobs: the list, and the form that asks for a run."""

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import quote_plus, urlencode

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
from store.models import JobRecord, JobResult, JobSource, LoadError, Schedule, class_path_of
from store.permissions import NotVisible, visible
from store.text import clean_text
from webapp import favourites, form_template, htmx, run_form
from webapp.auth import allowed, current_user, require, signed_in_user, takes_files
from webapp.choosing_jobs import suggested
from webapp.database import db, reading
from webapp.fields import PREFIX, SEARCH_PREFIX, build_field
from webapp.fresh import fresh
from webapp.job_filters import FLAGS, Filters, read_filters
from webapp.job_history import MOST_RUNS, OUTCOMES, JobHistory, days_of, runs_of
from webapp.job_key import as_id
from webapp.job_list import (
    LONGEST_SEARCH,
    SHOWN,
    Group,
    facts_of_list,
    fill,
    grouped,
    looked_at,
    narrowed,
    numbers,
    read_search,
)
from webapp.job_page import (
    commit_of,
    earlier_of,
    filled_form,
    form_page,
    questions_of,
    queue_of,
    searches_of,
    uploads,
    when_asked,
)
from webapp.job_pictures import draw
from webapp.live import LINES, Live, Region, region
from webapp.next_page import safe_path
from webapp.request_facts import request_facts
from webapp.saved_filters import Arguments, FilteredList, Views, filtered_list, opens_with, views
from webapp.saved_filters import address as list_address
from webapp.schedule_form import NOW
from webapp.scheduling import change_inputs, make_schedule, schedule_named
from worker.job_records import refresh_as, switch
from worker.submit import submit

blueprint = Blueprint("jobs", __name__, url_prefix="/jobs")


CHANGED = "This job was changed while its form was open. Look over the inputs as they are now, then run it."
JOINED = "The same was asked for before, and still waits: that run is yours, too."
#: Of the list, in news for somebody who has come far down.
MOST_LINES = 200

#: Of what a history can be: by the word in its address, in words, and how to read it.
HISTORIES: dict[str, tuple[str, Callable[[JobRecord, int], JobHistory], int]] = {
    "50-runs": ("Last 50 runs", runs_of, 50),
    "200-runs": ("Last 200 runs", runs_of, 200),
    "7-days": ("Last 7 days", days_of, 7),
    "30-days": ("Last 30 days", days_of, 30),
}


@blueprint.get("/")
def index() -> Response:
    require("view", JobRecord)
    if first := opens_with("jobs"):
        return make_response(redirect(first, HTTPStatus.SEE_OTHER))
    page = make_response(_list())
    if htmx.wants_fragment() and "group" not in request.args:
        # A form sends all its filters, and the address is to say only those that were chosen.
        page.headers["HX-Push-Url"] = list_address("jobs", _asked(request.args))
    return page


def _list(refused: Views | None = None) -> str:
    # A group by itself, for those without JavaScript, stays as it is.
    asks = Live() if "group" in request.args else Live("jobs", facts_of_list())
    asked = request.args if refused is None else MultiDict(refused.arguments)
    page = _listed(asked)
    page["views"] = refused or views("jobs", _asked(asked))
    groups: list[Group] = page["groups"]
    if "group" in request.args:
        groups[:] = [group for group in groups if group.name == request.args["group"]]
        fill(groups, after=clean_text(request.args.get("after", "")))
        if htmx.wants_fragment():
            return "".join(render_template("jobs/_lines.html", group=group, **page) for group in groups)
    else:
        fill(groups)
    if htmx.wants_fragment():
        return render_template("jobs/_list.html", swap=True, live=asks, **page)
    return render_template(
        "jobs/index.html",
        **page,
        live=asks,
        flags=FLAGS,
        source_count=db.session.scalar(select(func.count()).select_from(JobSource)) or 0,
        load_errors=_load_errors(advice=False),
        advice=_load_errors(advice=True),
        error_count=db.session.scalar(select(func.count(LoadError.id)).where(~LoadError.advice)) or 0,
        may_enable=allowed("change", JobRecord),
        may_see_sources=allowed("view", JobSource),
    )


def _asked(arguments: Mapping[str, str]) -> Arguments:
    """Return what a request asks of the list, as far as it makes sense."""
    search = read_search(arguments)
    return {**({"q": search} if search else {}), **read_filters(arguments).arguments()}


filtered_list(FilteredList("jobs", JobRecord, read=_asked, fixed=lambda: [("All", {}, "")], page=_list))


def _listed(arguments: Mapping[str, str]) -> dict[str, Any]:
    """Return the jobs that fit the filters, and what there is of others, without their lines."""
    filters, search = read_filters(arguments), read_search(arguments)
    everything = looked_at(filters)
    return {
        "groups": grouped(narrowed(everything, filters, search)),
        "filters": filters,
        "q": search,
        "asked": _asked(arguments),
        "group_address": _group_addresses(filters, search),
        "total": len(everything),
        "may_refresh": allowed("change", JobSource),
        "numbers": numbers(everything, filters),
    }


def _group_addresses(filters: Filters, search: str) -> Callable[[Group], str]:
    """Return what tells the address of the rest of a group; there may be a thousand of them."""
    asked = urlencode({**({"q": search} if search else {}), **filters.arguments()})
    base = f"{url_for('jobs.index')}?{asked}{'&' if asked else ''}group="

    def address(group: Group) -> str:
        after = f"&after={quote_plus(group.last)}" if group.last else ""
        return f"{base}{quote_plus(group.name)}{after}"

    return address


def _read_list() -> Region:
    require("view", JobRecord)
    facts = facts_of_list()

    def pieces() -> str:
        page = _listed(request.args)
        # As many lines as the reader has come to.
        fill(page["groups"], min(max(request.args.get(LINES, 0, type=int), SHOWN), MOST_LINES))
        return render_template("jobs/_fresh.html", **page)

    return Region(facts, pieces)


region("jobs", _read_list)


@blueprint.post("/refresh")
def reload() -> Response:
    """Look for jobs in folders and plugins again."""
    settings = current_app.extensions["errand"].settings
    report = refresh_as(db.session(), settings, signed_in_user())
    problems = f" {len(report.errors)} could not be loaded." if report.errors else ""
    notes = "".join(f" {note}" for note in report.notes)
    flash(f"Found {report.jobs} jobs, {len(report.new)} of them new.{problems}{notes}")
    return make_response(redirect(url_for("jobs.index"), HTTPStatus.SEE_OTHER))


@blueprint.get("/<job:key>/")
def show(key: str) -> str:
    job = _find_fresh(key)
    require("view", job)
    arguments = request.args
    questions = questions_of(job)
    schedule = schedule_named(arguments.get("_schedule"), job)
    run_before = None if schedule else earlier_of(job, arguments)
    earlier = schedule or run_before
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
            commit=commit_of(earlier, arguments.get("_commit")),
            queue=queue_of(job, arguments) or (schedule.queue if schedule else None),
            debug=current_app.extensions["errand"].settings.debug,
            searches=searches_of(job, arguments),
            upload_bytes=current_app.extensions["errand"].settings.upload_bytes,
        )
        return form_page(job, form, schedule=schedule, earlier=run_before)


@blueprint.post("/<job:key>/")
@takes_files
def run(key: str) -> Response:
    """Ask for a run, or a schedule, with what the form holds; or, without JavaScript, search or react in it."""
    # On a session that only reads: SQLite's write turn is for storing the run, not for checking its data.
    with reading() as session:
        job = _find_fresh(key, session)
    require("view", job)
    if "_search" in request.form or "_update" in request.form:
        return make_response(filled_form(job, (), questions_of(job)))
    require("run", job)
    questions, when = questions_of(job), when_asked(job)
    try:
        if request.form.get("_code", job.form_code) != job.form_code:
            raise InvalidData([CHANGED])
        raw = run_form.raw(job, request.form, uploads())
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
            commit=run_form.commit_asked(request.form),
            queue=request.form.get("_queue"),
            options=run_form.options(request.form),
            form=True,
            questions=questions,
            request=request_facts(),
        )
    except InvalidData as refusal:
        db.session.rollback()
        filled = filled_form(job, refusal.errors, questions, when)
        return make_response(filled, HTTPStatus.UNPROCESSABLE_ENTITY)
    if result.joined:
        flash(JOINED)
    seen = not result.joined or allowed("view", result)
    page = url_for("results.show", result_id=result.id) if seen else url_for("jobs.show", key=key)
    return make_response(redirect(page, HTTPStatus.SEE_OTHER))


@blueprint.post("/<job:key>/inputs")
def react(key: str) -> Response:
    """Show the fields that look otherwise now that another input has changed."""
    job = find_job(key)
    require("view", job)
    if not htmx.wants_fragment():
        return make_response(filled_form(job, (), questions_of(job)))
    seen = run_form.states(job, request.form)
    with current_app.extensions["errand"].data.session() as data:
        form = run_form.build(
            job,
            run_form.from_inputs(job, request.form),
            data,
            questions=questions_of(job),
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


@blueprint.get("/offered")
def offered() -> str:
    """Show the jobs that fit what was typed into a field of a form."""
    require("view", JobRecord)
    text = clean_text(request.args.get(request.args.get("field", ""), "")).strip()[:LONGEST_SEARCH]
    return render_template("jobs/_offered.html", jobs=suggested(text))


@blueprint.get("/<job:key>/history")
def history(key: str) -> str:
    """Show how the job did: its last runs, or those of the last days."""
    job = _viewed(key)
    require("view", JobResult)
    chosen = request.args.get("of", "")
    chosen = chosen if chosen in HISTORIES else next(iter(HISTORIES))
    _, read, count = HISTORIES[chosen]
    found = read(job, count)
    return render_template(
        "jobs/history.html",
        job=job,
        history=found,
        pictures=draw(found),
        outcomes=OUTCOMES,
        most_runs=MOST_RUNS,
        choices=[(name, words) for name, (words, *_) in HISTORIES.items()],
        chosen=chosen,
        starred=favourites.is_favourite(job),
    )


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


def _load_errors(*, advice: bool) -> Sequence[LoadError]:
    shown = visible(select(LoadError), current_user(), LoadError).where(LoadError.advice.is_(advice))
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


def _to_schedule(schedule: Schedule, words: str) -> Response:
    waits = ", and waits for an approval" if schedule.problem else ""
    flash(f"{schedule.name} {words}{waits}.")
    page = url_for("schedules.show", schedule_id=schedule.id)
    return make_response(redirect(page, HTTPStatus.SEE_OTHER))


def _switch(key: str, *, enabled: bool) -> Response:
    job = find_job(key)
    require("change", job)
    switch(db.session(), job, enabled=enabled)
    db.session.commit()
    flash(f"{job.name} is {'enabled' if enabled else 'disabled'} now.")
    # Whoever enables a job in order to run it is not sent away from its form.
    page = url_for("jobs.show", key=key) if request.form.get("then") == "run" else url_for("jobs.index")
    if htmx.wants_fragment():
        return htmx.go_to(page)
    return make_response(redirect(page, HTTPStatus.SEE_OTHER))
