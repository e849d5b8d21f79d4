"""The REST API of Nautobot, of 1.1 and of 1.3 and later, for clients that were written for it. As our own API, it knows
its caller by the Authorization header alone."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Flask

from webapp.api import rates, tokens
from webapp.api.errors import never_keep
from webapp.extras import errors, jobs, results, root, scheduled_jobs
from webapp.extras.versions import say_version

blueprint = Blueprint("extras", __name__, url_prefix="/api")
blueprint.before_request(tokens.identify)
blueprint.before_request(rates.count)
blueprint.after_request(never_keep)
blueprint.after_request(rates.tell)
blueprint.after_request(say_version)


def _serve(address: str, endpoint: str, view: Callable[..., Any], *methods: str) -> None:
    # With and without the last slash: clients write both.
    blueprint.add_url_rule(address, endpoint, view, methods=methods or ("GET",), strict_slashes=False)


_serve("/", "api", root.api)
_serve("/status/", "status", root.status)
_serve("/extras/", "extras", root.extras)

_serve("/extras/jobs/", "jobs", jobs.jobs)
_serve("/extras/jobs/", "change_jobs", jobs.change_many, "PATCH")
_serve("/extras/jobs/", "delete_jobs", jobs.delete_many, "DELETE")
_serve("/extras/jobs/<reference>/", "job", jobs.job)
_serve("/extras/jobs/<reference>/", "change_job", jobs.change, "PATCH")
_serve("/extras/jobs/<reference>/", "delete_job", jobs.delete, "DELETE")
_serve("/extras/jobs/<reference>/variables/", "variables", jobs.variables)
_serve("/extras/jobs/<reference>/run/", "run", jobs.run, "POST")
_serve("/extras/jobs/<source>/<module>/<class_name>/", "job_class", jobs.job_class)
_serve("/extras/jobs/<source>/<module>/<class_name>/run/", "run_class", jobs.run_class, "POST")

_serve("/extras/job-results/", "job_results", results.job_results)
_serve("/extras/job-results/", "delete_results", results.delete_many, "DELETE")
_serve("/extras/job-results/<reference>/", "job_result", results.job_result)
_serve("/extras/job-results/<reference>/", "delete_result", results.delete, "DELETE")
_serve("/extras/job-results/<reference>/logs/", "logs", results.logs)
_serve("/extras/job-logs/", "job_logs", results.job_logs)
_serve("/extras/job-logs/<reference>/", "job_log", results.job_log)

_serve("/extras/scheduled-jobs/", "scheduled_jobs", scheduled_jobs.scheduled_jobs)
_serve("/extras/scheduled-jobs/<reference>/", "scheduled_job", scheduled_jobs.scheduled_job)
_serve("/extras/scheduled-jobs/<reference>/approve/", "approve", scheduled_jobs.approve, "POST")
_serve("/extras/scheduled-jobs/<reference>/deny/", "deny", scheduled_jobs.deny, "POST")
_serve("/extras/scheduled-jobs/<reference>/dry-run/", "dry_run", scheduled_jobs.dry_run_of, "POST")

for _error in errors.ANSWERED:
    blueprint.register_error_handler(_error, errors.answer)


def register(app: Flask) -> None:
    app.register_blueprint(blueprint)
