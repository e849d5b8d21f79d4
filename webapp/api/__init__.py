"""The JSON API, version 1. It knows its caller by the Authorization header alone and never reads a cookie,
so that no foreign page can make a signed-in browser act through it."""

from flask import Blueprint, Flask

from webapp.api import (
    approvals,
    bulk,
    document,
    entries,
    errors,
    jobs,
    objects,
    results,
    schedules,
    sources,
    tokens,
    values,
    workers,
)

blueprint = Blueprint("api", __name__, url_prefix="/api/v1")
blueprint.before_request(tokens.identify)
blueprint.after_request(errors.never_keep)

blueprint.add_url_rule("/approvals", "approvals", approvals.approvals)
for _subject, _views in (
    (
        "/approvals/runs/<uuid:result_id>",
        (
            approvals.approval_of_run,
            approvals.approve_run,
            approvals.deny_run,
            approvals.try_run,
            approvals.plan_run,
        ),
    ),
    (
        "/approvals/schedules/<uuid:schedule_id>",
        (
            approvals.approval_of_schedule,
            approvals.approve_schedule,
            approvals.deny_schedule,
            approvals.try_schedule,
            approvals.plan_schedule,
        ),
    ),
):
    blueprint.add_url_rule(_subject, _views[0].__name__, _views[0])
    for _verb, _view in zip(("approve", "deny", "dry-run", "plan"), _views[1:], strict=True):
        blueprint.add_url_rule(f"{_subject}/{_verb}", _view.__name__, _view, methods=["POST"])
blueprint.add_url_rule("/jobs", "jobs", jobs.jobs)
blueprint.add_url_rule("/jobs/<path:reference>", "job", jobs.job)
blueprint.add_url_rule("/jobs/<path:reference>/run", "run", jobs.run, methods=["POST"])
blueprint.add_url_rule("/jobs/<job:reference>/values", "values", values.values)
# As it is: a key may begin with a slash, and have two in a row.
_value = "/jobs/<job:reference>/values/<value:key>"
blueprint.add_url_rule(_value, "value", values.value, merge_slashes=False)
blueprint.add_url_rule(_value, "put_value", values.put_value, methods=["PUT"], merge_slashes=False)
blueprint.add_url_rule(_value, "delete_value", values.delete_value, methods=["DELETE"], merge_slashes=False)
blueprint.add_url_rule("/objects/<model>", "objects", objects.objects)
blueprint.add_url_rule("/results", "results", results.results)
blueprint.add_url_rule("/results/bulk", "bulk", bulk.bulk, methods=["POST"])
blueprint.add_url_rule("/results/<result_id>", "result", results.result)
blueprint.add_url_rule("/results/<result_id>/entries", "entries", entries.entries)
blueprint.add_url_rule("/results/<result_id>/files", "files", results.files)
blueprint.add_url_rule("/results/<result_id>/files/<int:file_id>", "file", results.file)
blueprint.add_url_rule("/results/<result_id>/report", "report", results.report)
blueprint.add_url_rule("/results/<result_id>/cancel", "cancel", results.cancel, methods=["POST"])
blueprint.add_url_rule("/results/<result_id>/rerun", "rerun", results.rerun, methods=["POST"])
blueprint.add_url_rule("/schedules", "schedules", schedules.schedules)
blueprint.add_url_rule("/schedules", "create_schedule", schedules.create_schedule, methods=["POST"])
blueprint.add_url_rule("/schedules/preview", "preview_schedule", schedules.preview_schedule, methods=["POST"])
_schedule = "/schedules/<uuid:schedule_id>"
blueprint.add_url_rule(_schedule, "schedule", schedules.schedule)
blueprint.add_url_rule(_schedule, "change_schedule", schedules.change_schedule, methods=["PATCH"])
blueprint.add_url_rule(_schedule, "delete_schedule", schedules.delete_schedule, methods=["DELETE"])
blueprint.add_url_rule(f"{_schedule}/missed", "missed", schedules.missed)
for _verb, _view in (
    ("pause", schedules.pause_schedule),
    ("resume", schedules.resume_schedule),
    ("run", schedules.run_schedule),
    ("take-over", schedules.take_over_schedule),
    ("ask", schedules.ask_for_schedule),
):
    blueprint.add_url_rule(f"{_schedule}/{_verb}", _view.__name__, _view, methods=["POST"])
blueprint.add_url_rule("/sources", "sources", sources.sources)
blueprint.add_url_rule("/workers", "workers", workers.workers)
blueprint.add_url_rule("/workers/<path:name>/drain", "drain", workers.drain, methods=["POST"])
blueprint.add_url_rule("/workers/<path:name>/resume", "keep", workers.keep, methods=["POST"])
blueprint.add_url_rule("/queues", "queues", workers.queues)
blueprint.add_url_rule("/queues/<path:name>/pause", "pause", workers.pause, methods=["POST"])
blueprint.add_url_rule("/queues/<path:name>/resume", "resume", workers.resume, methods=["POST"])

for _error in errors.ANSWERED:
    blueprint.register_error_handler(_error, errors.answer)


def register(app: Flask) -> None:
    app.register_blueprint(blueprint)
    app.add_url_rule("/api/v1/openapi.json", "openapi", document.serve)
