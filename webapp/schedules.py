"""Schedules: what runs when, what becomes of it, and the acts of people."""

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any
from uuid import UUID

from flask import (
    Blueprint,
    Flask,
    Response,
    current_app,
    flash,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from sqlalchemy import case, func, select
from sqlalchemy.orm import joinedload

from jobs.errors import InvalidData
from store.models import Schedule, now
from store.text import clean_text
from store.timing.saved import recurrence_of
from webapp import htmx
from webapp.auth import allowed, require, signed_in_user
from webapp.choosing_jobs import to_schedule
from webapp.database import db
from webapp.history import runs_of_schedules, usual_seconds
from webapp.inputs import shown_inputs
from webapp.live import Live, Region, region
from webapp.looks import pulse
from webapp.notifications import tell_of
from webapp.schedule_facts import (
    Line,
    coming_of,
    facts_of,
    find_schedule,
    job_of,
    lines_of,
    missed_of,
    problem_of,
    that_fit,
    times_in_words,
)
from webapp.schedule_form import (
    ScheduleForm,
    form_of,
    form_words,
    local_words,
    preview,
    read_form,
    read_timetable,
)
from webapp.timeline import Planned, Timeline, timeline
from worker import schedules as acts
from worker.asked import NotRunnable
from worker.presence import SCHEDULER, is_silent
from worker.queue_facts import listening_workers, present_workers
from worker.schedule_approvals import WAITS, approval_of
from worker.schedules import MISSED, OVERLAPS

blueprint = Blueprint("schedules", __name__, url_prefix="/schedules")

#: Of the list.
PAGE_SIZE = 50
#: Nobody turns more pages than that.
LAST_PAGE = 100_000
RUNS_SHOWN = 10
LONGEST_SEARCH = 200


def init_app(app: Flask) -> None:
    app.jinja_env.filters["times_in_words"] = times_in_words


@blueprint.get("/")
def index() -> str:
    require("view", Schedule)
    found = db.session.scalars(_listed(_search(), _number())).unique().all()
    asks = Live("schedules", facts_of(found))
    return render_template("schedules/index.html", **_list(found), live=asks)


def _search() -> str:
    return clean_text(request.args.get("q", "")).strip()[:LONGEST_SEARCH]


def _number() -> int:
    """Return the number of the page that is asked for."""
    return min(max(request.args.get("page", 1, type=int), 1), LAST_PAGE)


def _list(found: Sequence[Schedule]) -> dict[str, Any]:
    search, page = _search(), _number()
    on, paused = _counts(search)
    lines = lines_of(found)
    workers = present_workers(db.session())
    return {
        "lines": lines,
        "q": search,
        "on": on,
        "paused": paused,
        "page": page,
        "first": (page - 1) * PAGE_SIZE + 1,
        "more": on + paused > page * PAGE_SIZE,
        "coming": next((line for line in lines if line.comes), None) if page == 1 else None,
        "picture": _picture(lines, listening_workers(workers)) if lines else None,
        "silent": not any(row.kind == SCHEDULER and not is_silent(row) for row in workers),
    }


def _read_list() -> Region:
    require("view", Schedule)
    found = db.session.scalars(_listed(_search(), _number())).unique().all()
    return Region(
        facts_of(found), lambda: render_template("schedules/_fresh.html", **_list(found), swap=True)
    )


region("schedules", _read_list)


@blueprint.get("/new")
def new() -> str:
    """Have the job chosen that a new schedule is to run: the rest is asked in its form."""
    require("view", Schedule)
    search = _search()
    jobs, more = to_schedule(search)
    return render_template("schedules/new.html", jobs=jobs, more=more, q=search)


@blueprint.get("/preview")
def preview_times() -> str:
    """Say in words what is being typed, and when it would run."""
    require("view", Schedule)
    form = read_form(request.args)
    shown = preview(form)
    return render_template("schedules/_preview.html", when=form, shown=shown)


@blueprint.get("/<uuid:schedule_id>")
def show(schedule_id: UUID) -> str:
    return _page(find_schedule(schedule_id))


@blueprint.get("/<uuid:schedule_id>/edit")
def edit(schedule_id: UUID) -> str:
    schedule = find_schedule(schedule_id)
    require("change", schedule)
    return _form(schedule, form_of(schedule))


@blueprint.post("/<uuid:schedule_id>/edit")
def change(schedule_id: UUID) -> Response:
    schedule = find_schedule(schedule_id)
    require("change", schedule)
    form = read_form(request.form)
    timetable = read_timetable(form, schedule)
    if timetable is None:
        return make_response(_form(schedule, form), HTTPStatus.UNPROCESSABLE_ENTITY)
    acts.edit_timetable(db.session(), schedule, schedule.job, timetable, signed_in_user())
    flash(f"{schedule.name} is saved.")
    return _back(schedule)


@blueprint.post("/<uuid:schedule_id>/pause")
def pause(schedule_id: UUID) -> Response:
    return _switch(schedule_id, acts.pause, "is paused")


@blueprint.post("/<uuid:schedule_id>/resume")
def resume(schedule_id: UUID) -> Response:
    return _switch(schedule_id, acts.resume, "is on again")


@blueprint.post("/<uuid:schedule_id>/run")
def run(schedule_id: UUID) -> Response:
    schedule = find_schedule(schedule_id)
    require("change", schedule)
    job = job_of(schedule)
    settings = current_app.extensions["errand"].settings
    try:
        result = acts.run_now(db.session(), settings, schedule, job, signed_in_user())
    except NotRunnable as refusal:
        db.session.rollback()
        flash(f"{schedule.name} cannot run: {refusal}", "warn")
        return _back(schedule)
    page = url_for("results.show", result_id=result.id)
    return make_response(redirect(page, HTTPStatus.SEE_OTHER))


@blueprint.post("/<uuid:schedule_id>/take-over")
def take_over(schedule_id: UUID) -> Response:
    schedule = find_schedule(schedule_id)
    job = job_of(schedule)
    try:
        acts.take_over(db.session(), schedule, job, signed_in_user())
    except InvalidData as refusal:
        db.session.rollback()
        flash(str(refusal), "warn")
        return make_response(redirect(_inputs_url(schedule), HTTPStatus.SEE_OTHER))
    flash(f"{schedule.name} runs as you from now on.")
    return _back(schedule)


@blueprint.post("/<uuid:schedule_id>/ask")
def ask(schedule_id: UUID) -> Response:
    schedule = find_schedule(schedule_id)
    acts.ask_again(db.session(), schedule, job_of(schedule), signed_in_user())
    flash(f"{schedule.name} waits for an approval.")
    return _back(schedule)


@blueprint.post("/<uuid:schedule_id>/delete")
def delete(schedule_id: UUID) -> Response:
    schedule = find_schedule(schedule_id)
    acts.remove(db.session(), schedule, signed_in_user())
    flash(f"{schedule.name} is deleted. Its results stay.")
    if htmx.wants_fragment():
        return htmx.go_to(url_for("schedules.index"))
    return make_response(redirect(url_for("schedules.index"), HTTPStatus.SEE_OTHER))


# --- The list -------------------------------------------------------------------------------------------------


def _counts(search: str) -> tuple[int, int]:
    """Return how many are on, and how many are paused."""
    on = func.coalesce(func.sum(case((Schedule.enabled, 1), else_=0)), 0)
    total, enabled = db.session.execute(that_fit(select(func.count(Schedule.id), on), search)).one()
    return enabled, total - enabled


def _listed(search: str, page: int) -> Any:
    query = that_fit(select(Schedule), search).options(joinedload(Schedule.job), joinedload(Schedule.user))
    # What runs next comes first; what is paused, or over, last.
    query = query.order_by(
        Schedule.enabled.desc(),
        Schedule.next_slot_at.is_(None),
        Schedule.next_slot_at,
        Schedule.name,
        Schedule.id,
    )
    return query.offset((page - 1) * PAGE_SIZE).limit(PAGE_SIZE)


def _picture(lines: Sequence[Line], workers: Any) -> Timeline:
    at = now()
    planned = [
        Planned(
            line.schedule.queue,
            times := recurrence_of(line.schedule),
            line.schedule.last_slot_at or times.before_all,
            usual_seconds(line.runs) or 0.0,
        )
        for line in lines
        if line.comes
    ]
    return timeline(planned, at, workers)


# --- One schedule ---------------------------------------------------------------------------------------------


def _page(schedule: Schedule, status: HTTPStatus = HTTPStatus.OK) -> str:
    runs = runs_of_schedules([schedule.id]).get(schedule.id, ())
    approval = approval_of(db.session(), schedule.id)
    times = recurrence_of(schedule)
    job = schedule.job
    with current_app.extensions["errand"].data.session() as data:
        inputs = shown_inputs(schedule, job, data)
    may_change = allowed("change", schedule)
    return render_template(
        "schedules/show.html",
        schedule=schedule,
        job=job if job is not None and allowed("view", job) else None,
        words=times.in_words(),
        times=times,
        coming=[(local_words(slot, times), slot) for slot in coming_of(schedule)],
        inputs=inputs,
        runs=runs[:RUNS_SHOWN],
        pulse=pulse(runs),
        usual_seconds=usual_seconds(runs),
        missed=missed_of(schedule),
        problem=(problem := problem_of(schedule, approval)),
        waits=problem == WAITS,
        approval=approval if approval is not None and approval.decision != "void" else None,
        may_change=may_change,
        may_delete=allowed("delete", schedule),
        may_take_over=may_change
        and schedule.user_id != signed_in_user().id
        and job is not None
        and allowed("run", job),
        missed_words=MISSED[schedule.missed],
        overlap_words=OVERLAPS[schedule.overlap],
        inputs_url=_inputs_url(schedule),
        tell=tell_of("schedule", schedule.id),
    )


def _form(schedule: Schedule, form: ScheduleForm) -> str:
    return render_template(
        "schedules/edit.html",
        schedule=schedule,
        when=form,
        shown=preview(form) if not form.errors else None,
        **form_words(),
    )


def _inputs_url(schedule: Schedule) -> str:
    return url_for("jobs.show", key=schedule.class_path, _schedule=schedule.id)


def _switch(schedule_id: UUID, act: Callable[..., None], words: str) -> Response:
    schedule = find_schedule(schedule_id)
    act(db.session(), schedule, signed_in_user())
    if htmx.wants_fragment():
        [line] = lines_of([find_schedule(schedule_id)])
        return make_response(render_template("schedules/_line.html", line=line))
    flash(f"{schedule.name} {words}.")
    if request.form.get("then") == "list":
        return make_response(redirect(url_for("schedules.index"), HTTPStatus.SEE_OTHER))
    return _back(schedule)


def _back(schedule: Schedule) -> Response:
    return make_response(redirect(url_for("schedules.show", schedule_id=schedule.id), HTTPStatus.SEE_OTHER))
