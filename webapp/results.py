"""Results: the list, one run as it goes and as it ended, and its log."""

import json
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

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
from sqlalchemy import select
from sqlalchemy.orm import joinedload
from werkzeug.datastructures import MultiDict

from jobs.errors import InvalidData
from jobs.lifecycle import LONGEST_CAUSE
from store.models import EntryGroup, JobResult, Status
from store.permissions import NotVisible, visible
from webapp import htmx, log, log_download, result_download, result_export, result_report
from webapp.advance import advance, mark
from webapp.again import again_of
from webapp.auth import allowed, current_user, polled, require, signed_in_user
from webapp.children import children_of, counted, mark_of, total_of
from webapp.database import db
from webapp.fragments import Fragments
from webapp.glance import Glances
from webapp.history import Run, newest_runs, usual_seconds
from webapp.inputs import shown_inputs
from webapp.live import Live, Region, region
from webapp.looks import look, pulse
from webapp.notifications import tell_of
from webapp.origins import late_for, led_to, origin_of, parent_of
from webapp.pace import Pace
from webapp.paging import Page
from webapp.periods import WORDS
from webapp.plans import two_plans
from webapp.reader_clock import reader_zone
from webapp.request_facts import request_facts
from webapp.result_changes import changes_of, has_earlier, may_compare
from webapp.result_files import made_files, send_made_file
from webapp.result_inputs import read_terms, suggestions
from webapp.result_list import (
    ENDED_WORDS,
    MOST_LOOKED_THROUGH,
    STATUS_WORDS,
    Wanted,
    all_that_fit,
    chosen_job,
    count_of,
    facts_of,
    last_day,
    lengths,
    offered,
    origin_name,
    page_that_fits,
    parent_name,
    queues_offered,
    read_wanted,
    sizes,
)
from webapp.result_output import told_output, told_return_value
from webapp.result_times import are_on_a_clock, moment_fields, read_moments
from webapp.saved_filters import Arguments, FilteredList, Views, filtered_list, opens_with, views
from webapp.saved_filters import address as list_address
from webapp.slack_answer import slack_answer
from webapp.step_bars import steps_of
from webapp.telling_inputs import inputs_told
from worker import retention
from worker.again import InputsGone, run_again
from worker.cancel import AlreadyFinished
from worker.cancel import cancel as cancel_run
from worker.children_again import run_children_again

#: What the readers of one run share: a look at it, and answers to the same question.
glances = Glances()
answers = Fragments(most=100, longest=64_000)

blueprint = Blueprint("results", __name__, url_prefix="/results")

#: The argument by which the poll of a log names what its page shows around it.
FRAME = "frame"

#: A longer cause is shown in part, with a way to see all of it.
CAUSE_SHOWN = 360

#: Characters of output that a page shows; the rest is in the download.
MOST_OUTPUT = 50_000

#: The tab with a number, which is not counted further than this.
FAILED_THIS_WEEK = Wanted(status="bad", started="week")
MOST_COUNTED = 999


# --- The list -------------------------------------------------------------------------------------------------


@blueprint.get("/")
def index() -> Response:
    require("view", JobResult)
    if first := opens_with("results"):
        return make_response(redirect(first, HTTPStatus.SEE_OTHER))
    wanted = read_wanted(request.args)
    _, wrong = read_moments(request.args)
    if are_on_a_clock(request.args) and not wrong and not htmx.wants_fragment():
        return make_response(redirect(list_address("results", wanted.arguments()), HTTPStatus.SEE_OTHER))
    page = make_response(_list(wanted), HTTPStatus.UNPROCESSABLE_ENTITY if wrong else HTTPStatus.OK)
    if htmx.wants_fragment() and not wrong:
        # What was typed on the reader's clock says the same to everybody in the address.
        page.headers["HX-Push-Url"] = list_address("results", wanted.arguments())
    return page


@blueprint.get("/results.csv")
def download_list() -> Response:
    """Give all results that fit the filter as a file."""
    require("view", JobResult)
    return result_download.answer(all_that_fit(read_wanted(request.args)))


def _rows(found: Page) -> dict[str, Any]:
    """Return what the rows of a page need: as it is opened, and when there are news."""
    rows = found.rows
    return {
        "page": found,
        "lengths": lengths(rows),
        "sizes": sizes(rows),
        "told": inputs_told(rows),
        "looked_through": MOST_LOOKED_THROUGH,
    }


def _list(wanted: Wanted, refused: Views | None = None) -> str:
    found = page_that_fits(wanted, request.args)
    page = {
        **_rows(found),
        "live": Live("results", facts_of(found)),
        "suggestions": suggestions(chosen_job(wanted)),
        "times": moment_fields(request.args),
        "unread": [each for each in request.args.getlist("input") if each.strip() and not read_terms([each])],
        "wanted": wanted,
        "views": refused or views("results", wanted.arguments()),
    }
    if htmx.wants_fragment():
        return render_template("results/_list.html", **page)
    return render_template(
        "results/index.html",
        **page,
        statuses=STATUS_WORDS,
        jobs=offered("job", wanted.job, whole="choices" in request.args),
        people=offered("person", wanted.person, whole="choices" in request.args),
        started_words=WORDS,
        zone=reader_zone().key,
        ended_words=ENDED_WORDS.items(),
        queues=queues_offered(wanted),
        today=last_day(),
        origin_name=origin_name(wanted) if wanted.origin else "",
        parent_name=parent_name(wanted) if wanted.parent else "",
    )


def _fixed_tabs() -> list[tuple[str, Arguments, str]]:
    """Return the tabs that everybody has, one of them with a number."""
    failed = count_of(FAILED_THIS_WEEK, MOST_COUNTED + 1)
    shown = f"{MOST_COUNTED}+" if failed > MOST_COUNTED else str(failed or "")
    return [
        ("All", {}, ""),
        ("My runs", {"person": signed_in_user().username}, ""),
        ("Failed this week", FAILED_THIS_WEEK.arguments(), shown),
    ]


filtered_list(
    FilteredList(
        "results",
        JobResult,
        read=lambda arguments: read_wanted(arguments).arguments(),
        fixed=_fixed_tabs,
        page=lambda refused: _list(read_wanted(MultiDict(refused.arguments)), refused),
    )
)


def _read_list() -> Region:
    require("view", JobResult)
    wanted = read_wanted(request.args)
    found = page_that_fits(wanted, request.args)

    def pieces() -> str:
        return render_template("results/_fresh.html", **_rows(found), wanted=wanted, today=last_day())

    return Region(facts_of(found), pieces)


region("results", _read_list)


@blueprint.get("/choices/<kind>")
def choices(kind: str) -> Response:
    """Give all that a filter offers, for where there is too much of it for the page."""
    require("view", JobResult)
    if kind not in ("job", "person"):
        raise NotVisible
    if not htmx.wants_fragment():
        return make_response(
            redirect(
                f"{url_for('results.index')}?{urlencode(read_wanted(request.args).arguments(choices='all'), doseq=True)}"
            )
        )
    found = offered(kind, getattr(read_wanted(request.args), kind), whole=True)
    return make_response(render_template("results/_choices.html", offered=found))


# --- One result -----------------------------------------------------------------------------------------------


@blueprint.get("/<uuid:result_id>")
def show(result_id: UUID) -> str:
    result = _find(result_id)
    wanted = log.read_filter(request.args)
    window = _window(result, wanted)
    page = {
        **_about(result),
        **_log_context(result, window, wanted),
        "shown_families": log.asked_families(request.args)
        or log.shown_families(window, log.number(request.args.get("line"))),
        "interval": _interval(result, window),
        "follows": not window.later,
        "tell": None if result.finished else tell_of("run", result.id),
        # Its log asks for news already.
        "asked_by_log": not result.finished,
    }
    return render_template("results/show.html", **page)


@blueprint.get("/<uuid:result_id>/log")
@polled
def poll(result_id: UUID) -> Response:
    """Give what is new since `after`, or the lines `before` one, or those that fit another filter."""
    if not htmx.wants_fragment():
        return make_response(show(result_id))
    wanted = log.read_filter(request.args)
    since, until = log.number(request.args.get("after")), log.number(request.args.get("before"))
    if since is not None and until is None and "every" in request.args:
        return _news(result_id, wanted, since)
    result = _find(result_id)
    if until is not None:
        return _earlier(result, wanted, until, since or 0)
    return _refiltered(result, wanted) if since is None else _later(result, wanted, since)


@blueprint.get("/<uuid:result_id>/log.txt", defaults={"form": "txt"})
@blueprint.get("/<uuid:result_id>/log.<any(csv,ndjson):form>")
def download(result_id: UUID, form: str) -> Response:
    return log_download.answer(_find(result_id), log.read_filter(request.args), form)


@blueprint.get("/<uuid:result_id>/output.txt")
def output(result_id: UUID) -> Response:
    result = _find(result_id)
    return _attachment(result.output, f"{result.short_id}-output.txt")


@blueprint.get("/<uuid:result_id>/return-value.json")
def return_value(result_id: UUID) -> Response:
    result = _find(result_id)
    body = json.dumps(result.return_value, ensure_ascii=False, indent=2) + "\n"
    return _attachment(body, f"{result.short_id}-return-value.json", "application/json")


@blueprint.get("/<uuid:result_id>/report")
def report(result_id: UUID) -> Response:
    """Show the report by itself, or one of its tables, or give it as a file."""
    result = _find(result_id)
    if form := request.args.get("format"):
        return result_report.download(result, form)
    if htmx.wants_fragment() and "t" in request.args:
        return make_response(result_report.one_table(result))
    shown = result_report.on_page(result)
    return make_response(render_template("results/report.html", result=result, report=shown))


@blueprint.get("/<uuid:result_id>/changes")
def changes(result_id: UUID) -> str:
    """Show what changed since the job last completed, for a run that did not."""
    result = _find(result_id)
    if not may_compare(result):
        raise NotVisible
    page = {"result": result, "changes": changes_of(result)}
    shape = "results/_changes.html" if htmx.wants_fragment() else "results/changes.html"
    return render_template(shape, **page)


@blueprint.get("/<uuid:result_id>/export")
def export(result_id: UUID) -> Response:
    """Give the result as one file that needs nothing else."""
    return result_export.answer(_find(result_id))


@blueprint.get("/<uuid:result_id>/plan.txt")
def plan(result_id: UUID) -> Response:
    result = _find(result_id)
    return _attachment("".join(f"{line}\n" for line in result.plan or ()), f"{result.short_id}-plan.txt")


@blueprint.get("/<uuid:result_id>/children")
@polled
def children(result_id: UUID) -> Response:
    """Show how far the runs are that a run has asked for; nothing new is an empty answer."""
    result = _find(result_id)
    if not htmx.wants_fragment():
        return make_response(redirect(f"{url_for('results.show', result_id=result.id)}#runs"))
    counts = counted(result.id)
    if request.args.get("mark") == mark_of(result, counts):
        return htmx.nothing_new()
    job = result.job if result.job is not None and allowed("view", result.job) else None
    page = {
        "result": result,
        "children": children_of(result, counts),
        "may_run": job is not None and job.runnable and allowed("run", job),
    }
    return make_response(render_template("results/_children.html", **page))


@blueprint.post("/<uuid:result_id>/children/again")
def children_again(result_id: UUID) -> Response:
    """Run those again that did not complete of the runs that a run has asked for."""
    earlier = _find(result_id)
    settings = current_app.extensions["errand"].settings
    try:
        made = run_children_again(db.session(), settings, earlier, signed_in_user(), request=request_facts())
    except InvalidData as refusal:
        flash(" ".join(refusal.errors) if isinstance(refusal.errors, list) else str(refusal))
        return _go_to(earlier)
    return _go_to(made)


@blueprint.get("/<uuid:result_id>/cancel")
def confirm_cancel(result_id: UUID) -> str:
    result = _find(result_id)
    require("change", result)
    return render_template("results/cancel.html", result=result)


@blueprint.post("/<uuid:result_id>/cancel")
def cancel(result_id: UUID) -> Response:
    result = _find(result_id)
    require("change", result)
    try:
        cancel_run(db.session(), current_app.extensions["errand"].settings, result, signed_in_user())
    except AlreadyFinished:
        # The reader's aim is reached, one way or the other: the page says which.
        db.session.rollback()
        result = _find(result_id)
    if htmx.wants_fragment():
        return make_response(render_template("results/_head.html", **_about(result)))
    return _go_to(result)


@blueprint.post("/<uuid:result_id>/pin")
def pin(result_id: UUID) -> Response:
    """Keep a result, however old it gets."""
    return _pinned(_find(result_id), on=True)


@blueprint.post("/<uuid:result_id>/unpin")
def unpin(result_id: UUID) -> Response:
    return _pinned(_find(result_id), on=False)


def _pinned(result: JobResult, *, on: bool) -> Response:
    retention.pin(db.session(), result, signed_in_user(), on=on)
    return _go_to(result)


@blueprint.post("/<uuid:result_id>/rerun")
def rerun(result_id: UUID) -> Response:
    """Ask for another run with the same inputs."""
    earlier = _find(result_id)
    settings = current_app.extensions["errand"].settings
    try:
        result = run_again(db.session(), settings, earlier, signed_in_user(), request=request_facts())
    except InvalidData as refusal:
        if not isinstance(refusal, InputsGone):
            flash("The inputs of that run do not fit any more. Look them over, then run the job.")
        return make_response(redirect(_form_of(earlier), HTTPStatus.SEE_OTHER))
    return _go_to(result)


@blueprint.get("/<uuid:result_id>/files/<int:file_id>")
def file(result_id: UUID, file_id: int) -> Response:
    return send_made_file(_find(result_id).id, file_id)


def _form_of(result: JobResult) -> str:
    """Return the address of the job's form with the inputs of a run in it, as far as they were kept."""
    return url_for("jobs.show", key=result.class_path, _from_result=result.id)


def _find(result_id: UUID) -> JobResult:
    query = visible(select(JobResult), current_user(), JobResult).where(JobResult.id == result_id)
    result: JobResult | None = db.session.scalars(
        query.options(joinedload(JobResult.job), joinedload(JobResult.user))
    ).one_or_none()
    if result is None:
        raise NotVisible
    require("view", result)
    return result


def _go_to(result: JobResult) -> Response:
    return make_response(redirect(url_for("results.show", result_id=result.id), HTTPStatus.SEE_OTHER))


def _attachment(body: str, name: str, kind: str = "text/plain") -> Response:
    response = Response(body, mimetype=kind)
    response.headers["Content-Disposition"] = f"attachment; filename={name}"
    return response


# --- What the pages show --------------------------------------------------------------------------------------


def _about(result: JobResult) -> dict[str, Any]:
    """Return what head, summary, inputs and outcome show."""
    job = result.job if result.job is not None and allowed("view", result.job) else None
    runs, parent = _newest_runs(result), parent_of(result)
    usual = usual_seconds(runs)
    failures = log.first_failures(result) if result.finished else []
    cause = " ".join((result.cause or "").split())
    output = told_output(result)
    with current_app.extensions["errand"].data.session() as data:
        inputs = shown_inputs(result, result.job, data)
    return {
        "result": result,
        "job": job,
        "may_cancel": not result.finished and allowed("change", result),
        "may_pin": result.finished and allowed("change", result),
        "files": made_files(result.id) if result.finished else (),
        "report": result_report.on_result(result) if result.finished else None,
        "led_to": led_to(result) if result.finished else None,
        # Once, when nothing changes any more: a poll does not draw it.
        "steps": steps_of(result) if result.finished else None,
        # Offered only where something completed before it: else there is nothing to say.
        "comparable": may_compare(result) and has_earlier(result),
        "again": again_of(result, job, current_user(), total_of(result)) if job and result.finished else None,
        "may_run": job is not None and job.runnable and allowed("run", job),
        "state": _state(result),
        "children": children_of(result),
        "number_of": total_of(parent) if parent is not None and result.map_number else 0,
        "origin": origin_of(result),
        "slack": slack_answer(result),
        "parent": parent,
        "late": late_for(result),
        "plans": two_plans(result),
        "word": _word(result),
        "inputs": inputs,
        "runs": runs,
        "pulse": pulse(runs),
        "usual_seconds": usual,
        "advance": advance(result, usual),
        "completed_runs": sum(1 for run in runs if run.status == Status.COMPLETED),
        "cause_is_long": len(cause) > CAUSE_SHOWN,
        "failures": [failure for failure in failures if not _is_told(failure, cause)],
        # What the cause says already is not said twice, only linked.
        "told": [failure for failure in failures if _is_told(failure, cause)],
        "output": output[:MOST_OUTPUT],
        "output_cut": len(output) > MOST_OUTPUT,
        "return_value": told_return_value(result),
    }


def _word(result: JobResult) -> str:
    """Return the state in a word. What waits for others has begun: it does not wait for its queue."""
    return "Waiting" if result.gathers and result.status == Status.PENDING else look(result).word


def _newest_runs(result: JobResult) -> tuple[Run, ...]:
    """Return the newest runs of the result's job."""
    return newest_runs([result.job_id]).get(result.job_id, ()) if result.job_id else ()


def _is_told(failure: log.Failure, cause: str) -> bool:
    """Tell whether the cause says the same, as far as it was kept."""
    return failure.text == cause or (len(cause) >= LONGEST_CAUSE and failure.text.startswith(cause))


def _state(result: JobResult) -> str:
    """Return what the head of the page depends on: while it is the same, nothing there changes."""
    asked = "-stopping" if result.cancel_requested_at and not result.finished else ""
    unreached = "-unreached" if result.unreached else ""
    held = f"-held{result.attempt}" if result.status == Status.PENDING and result.cause else ""
    return f"{result.status}{asked}{unreached}{held}"


def _window(result: JobResult, wanted: log.Filter) -> log.Window:
    """Return the lines a page opens with: around one, or from where it was asked, else the end or the beginning."""
    arguments = request.args
    if "end" in arguments:
        return log.tail(result, wanted)
    if (line := log.number(arguments.get("line"))) is not None:
        return log.around(result, line, wanted)
    if (until := log.number(arguments.get("before"))) is not None:
        return log.before(result, until, wanted)
    if (since := log.number(arguments.get("after"))) is not None:
        return log.after(result, since, wanted, log.WINDOW)
    return log.after(result, 0, wanted, log.WINDOW) if result.finished else log.tail(result, wanted)


def _log_context(result: JobResult, window: log.Window, wanted: log.Filter) -> dict[str, Any]:
    return {
        "result": result,
        "window": window,
        "find": wanted.find,
        "filter_query": urlencode(
            [("level", family) for family in wanted.families] + ([("q", wanted.find)] if wanted.find else [])
        ),
        "shown_group": _shown_group(window),
        "progress_mark": mark(result),
    }


def _polled_log(result: JobResult, window: log.Window, wanted: log.Filter) -> dict[str, Any]:
    """Return what lines need that come together with a new poll."""
    poll = {
        "state": _state(result),
        "interval": _interval(result, window),
        "follows": not window.later,
    }
    return {**_log_context(result, window, wanted), **poll}


def _interval(result: JobResult, window: log.Window) -> int:
    return _pace().interval(log.BUSY if window.lines else log.interval(result, log.last_moment(result)))


def _pace() -> Pace:
    pace: Pace = current_app.extensions["errand"].pace
    return pace


def _shown_group(window: log.Window) -> int:
    """Return which heading the last line stands under, by the number of its first line."""
    return next((line.group.first_seq for line in reversed(window.lines) if line.group), 0)


def _earlier(result: JobResult, wanted: log.Filter, until: int, floor: int) -> Response:
    window = log.before(result, until, wanted, floor=floor)
    if window.lines and (top := window.lines[0].group) and top.first_seq <= floor:
        # What stands above the lines that were left out has this heading.
        window = log.Window(window.lines[1:], window.first_seq, window.last_seq, window.earlier, window.later)
    below = log.open_group(result, until)
    # The heading that stood for these lines moves up with them.
    moved = (
        below.first_seq
        if below and below.first_seq == _shown_group(window) and below.first_seq < until
        else 0
    )
    return make_response(
        render_template(
            "results/_earlier.html", **_log_context(result, window, wanted), moved=moved, floor=floor
        )
    )


def _later(result: JobResult, wanted: log.Filter, since: int) -> Response:
    window = _without_shown_heading(log.after(result, since, wanted))
    return make_response(render_template("results/_later.html", **_polled_log(result, window, wanted)))


def _refiltered(result: JobResult, wanted: log.Filter) -> Response:
    window = _window(result, wanted)
    answer = make_response(render_template("results/_refiltered.html", **_polled_log(result, window, wanted)))
    # A reload, the way back and a link that is handed on show the lines that are shown now.
    chosen: dict[str, Any] = {"level": log.asked_families(request.args), "q": wanted.find or None}
    answer.headers["HX-Replace-Url"] = url_for("results.show", result_id=result.id, **chosen)
    return answer


def _news(result_id: UUID, wanted: log.Filter, since: int) -> Response:
    """Answer a poll: lines, counts and state as far as they changed; an empty 204 when nothing did."""
    asked_every = log.number(request.args.get("every")) or 0
    pace = _pace()
    pace.note_poll()
    # Read before the lines: when it says that the run has ended, no line can follow those we are about to read.
    result, last_at = glances.take(result_id)
    more = _follows() and result.last_seq > since
    every = pace.interval(log.BUSY if more else log.interval(result, last_at))

    def render() -> str:
        return _render_news(result, wanted, since, every)

    if result.finished or request.args.get("state") != _state(result):
        return make_response(render())
    moved = request.args.get("p", "") != mark(result)
    around = _news_around()
    if not more and not moved and every == asked_every:
        return htmx.out_of_band(around) if around else htmx.nothing_new()
    # Lines, counts and headings are what they are at this last line: whoever asks the same is told the same.
    asked = tuple(item for item in request.args.items(multi=True) if item[0] != FRAME)
    question = (result_id, result.last_seq, mark(result), every, asked)
    return make_response(answers(question, render) + around)


def _news_around() -> str:
    """Return what is new around the page, where its poll asks for that, too: every few seconds it does."""
    shown = request.args.get(FRAME)
    if shown is None or shown == Live().version:
        return ""
    return render_template("home/_now.html", swap=True, asked_by_log=True, with_frame=True)


def _render_news(result: JobResult, wanted: log.Filter, since: int, every: int) -> str:
    follows, state = _follows(), _state(result)
    window = log.Window([], since + 1, since, False, False)
    behind = follows and result.last_seq - since > log.MOST_BEHIND
    if follows:
        window = (
            log.before(result, result.last_seq + 1, wanted, floor=since)
            if behind
            else log.after(result, since, wanted)
        )
    growing = log.open_group(result, since) if behind else _growing(result, window, wanted, since)
    window = _without_shown_heading(window)
    changed = request.args.get("state") != state
    ended = result.finished and not (follows and window.later)
    page = _log_context(result, window, wanted)
    page["shown_group"] = page["shown_group"] or log.number(request.args.get("g")) or 0
    moved = request.args.get("p", "") != page["progress_mark"]
    if changed or ended:
        page.update(_about(_find(result.id)))
    elif moved:
        page["advance"] = advance(result, usual_seconds(_newest_runs(result)))
    return render_template(
        "results/_news.html",
        **{**page, "state": state if not result.finished or ended else request.args.get("state", "")},
        interval=every,
        follows=follows,
        changed=changed and (ended or not result.finished),
        ended=ended,
        growing=growing,
        moved=moved,
        floor=since,
        left_out=behind and window.earlier,
    )


def _growing(result: JobResult, window: log.Window, wanted: log.Filter, since: int) -> EntryGroup | None:
    """Return the heading the page shows last, if its counts have grown."""
    if not since:
        return None
    if window.lines and not wanted:
        first = window.lines[0].group
        return first if first is not None and first.first_seq <= since else None
    return log.open_group(result, since)


def _follows() -> bool:
    """Tell whether the page shows the end of the log, and so wants new lines."""
    return request.args.get("rows") != "0"


def _without_shown_heading(window: log.Window) -> log.Window:
    """Leave out the heading that the page already shows last."""
    lines, shown = window.lines, log.number(request.args.get("g"))
    if lines and lines[0].group and lines[0].group.first_seq == shown:
        lines = lines[1:]
    return log.Window(lines, window.first_seq, window.last_seq, window.earlier, window.later)
