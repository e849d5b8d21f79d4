"""The page of a job: its form, filled in from where the reader comes, and what stands around it."""

import json
import shlex
from typing import Any
from urllib.parse import quote, urlencode

from flask import (
    current_app,
    flash,
    render_template,
    request,
)
from sqlalchemy import select
from werkzeug.datastructures import MultiDict

from jobs.files import Upload
from jobs.kinds import file_names, secret_names
from store.models import JobRecord, JobResult, LoadError, Schedule, now
from store.permissions import visible
from webapp import favourites, form_template, run_form
from webapp.again import not_filled_in
from webapp.auth import allowed, current_user, signed_in_user
from webapp.data_file_facts import data_file_choices
from webapp.database import db
from webapp.fields import PREFIX, SEARCH_PREFIX
from webapp.history import newest_runs, usual_seconds
from webapp.job_key import as_id
from webapp.job_rules import rules_in_words
from webapp.looks import pulse
from webapp.notifications import tell_of
from webapp.schedule_form import NOW, ScheduleForm, empty_form, form_words, preview, read_form
from webapp.scheduling import schedule_named
from webapp.uploads import upload_of
from worker.freshness import is_broken
from worker.kept_values import count_kept
from worker.questions import Questions
from worker.queue_facts import listening_workers, present_workers
from worker.rules import suppressed
from worker.suppressions import active

RECENT_RUNS_SHOWN = 4


def questions_of(job: JobRecord) -> Questions:
    return Questions(
        current_app.extensions["errand"].settings,
        job,
        username=signed_in_user().username,
        data_files=lambda: data_file_choices(signed_in_user()),
    )


def uploads() -> list[tuple[str, list[Upload]]]:
    return [(name, [upload_of(file) for file in files]) for name, files in request.files.lists()]


def when_asked(job: JobRecord) -> ScheduleForm:
    return read_form(request.form, job.name, current_app.extensions["errand"].settings.time_zone)


def filled_form(job: JobRecord, errors: Any, questions: Questions, when: ScheduleForm | None = None) -> str:
    """Show the form with all that was typed into it."""
    typed = request.form
    when = when or when_asked(job)
    with current_app.extensions["errand"].data.session() as data:
        form = run_form.build(
            job,
            run_form.from_inputs(job, typed),
            data,
            questions=questions,
            commit=run_form.commit_asked(typed),
            queue=typed.get("_queue"),
            options=run_form.options(typed),
            debug=current_app.extensions["errand"].settings.debug,
            searches=searches_of(job, typed),
            errors=errors,
            given_anew=_given_anew(job),
            upload_bytes=current_app.extensions["errand"].settings.upload_bytes,
        )
        schedule = schedule_named(typed.get("_schedule"), job)
        return form_page(job, form, searching=typed.get("_search", ""), when=when, schedule=schedule)


def form_page(
    job: JobRecord,
    form: run_form.RunForm,
    *,
    searching: str = "",
    when: ScheduleForm | None = None,
    schedule: Schedule | None = None,
    earlier: JobResult | None = None,
) -> str:
    """earlier: the run whose inputs the form holds."""
    opened = when is None
    if when is None:
        zone = current_app.extensions["errand"].settings.time_zone
        when = empty_form(job.name, zone, request.args.get("_when", NOW))
    runs = newest_runs([job.id]).get(job.id, ())
    return render_template(
        "jobs/show.html",
        job=job,
        form=form,
        when=when,
        shown=preview(when) if not opened and when.when != NOW and not when.errors else None,
        for_schedule=schedule,
        earlier=earlier,
        not_filled_in=not_filled_in(earlier, job) if earlier else (),
        schedulable=not form.has_files,
        # Whoever comes for that is told how to go on; whoever has typed already knows.
        new_schedule=opened and when.when != NOW and not form.has_files,
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
        rules=rules_in_words(job),
        suppressions=active(db.session(), job=job),
        suppressed=suppressed(db.session(), job.id, now()),
        describe=bool(job.description.strip().partition("\n")[2].strip()),
    )


def _given_anew(job: JobRecord) -> set[str]:
    """Return which of the inputs that a form does not carry on have been filled in."""
    hidden = {variable["name"] for variable in job.variables if variable.get("widget") == "password"}
    hidden.update(secret_names(job.variables))
    typed = {name for name in hidden if request.form.get(PREFIX + name)}
    chosen = {name.removeprefix(PREFIX) for name, uploads in uploads() if any(each.name for each in uploads)}
    return typed | chosen


def _why_broken(job: JobRecord) -> str:
    """Say what is wrong with the job's file, where it has changed and cannot be loaded any more."""
    if not is_broken(current_app.extensions["errand"].settings, job):
        return ""
    of_module = (LoadError.source == job.source, LoadError.module == job.module, ~LoadError.advice)
    error = db.session.scalars(select(LoadError).where(*of_module).limit(1)).first()
    return error.message if error else ""


def _api_call(job: JobRecord) -> str:
    """Return a command that asks for a run through the API, with the defaults as its data."""
    url = shlex.quote(f"{request.url_root}api/v1/jobs/{quote(job.class_path)}/run")
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


def searches_of(job: JobRecord, inputs: MultiDict[str, str]) -> dict[str, str]:
    return {variable["name"]: inputs.get(SEARCH_PREFIX + variable["name"], "") for variable in job.variables}


def earlier_of(job: JobRecord, arguments: MultiDict[str, str]) -> JobResult | None:
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


def queue_of(job: JobRecord, arguments: MultiDict[str, str]) -> str | None:
    """Return the queue that an address asks for, by our name for that or by Nautobot's."""
    wanted = (arguments.get(name) for name in ("_queue", "_job_queue", "_task_queue"))
    return next((name for name in wanted if name in job.allowed_queues), None)


def commit_of(earlier: JobResult | Schedule | None, given: str | None) -> bool | None:
    stated = run_form.truth(given)
    return earlier.commit if stated is None and earlier is not None else stated
