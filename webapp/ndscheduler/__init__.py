"""The REST API of ndscheduler, as Bots Scheduler has it, for clients that were written for it.

As our own API, it knows its caller by the Authorization header alone: a token, or a name and a password (Basic). A job of
theirs is a schedule of ours whose times are in their words.
"""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Flask, Response, g, redirect, request
from werkzeug.exceptions import NotFound

from webapp.api import rates
from webapp.api.errors import never_keep
from webapp.here import path_here
from webapp.ndscheduler import callers, errors, executions, files, jobs, logs

blueprint = Blueprint("ndscheduler", __name__, url_prefix="/ndscheduler/api/v1")
blueprint.before_request(callers.identify)
blueprint.before_request(rates.count)
blueprint.after_request(never_keep)
blueprint.after_request(rates.tell)


def _serve(address: str, view: Callable[..., Any], method: str = "GET") -> None:
    # OPTIONS is a call of its own here: nothing may answer it by itself.
    blueprint.add_url_rule(
        address, view.__name__, view, methods=[method], provide_automatic_options=False, strict_slashes=True
    )


def without_slash(where: str) -> Response:
    """Send who ends an address with a slash to the one without; what changes something is not sent on."""
    if request.method not in ("GET", "HEAD") or not where.endswith("/"):
        raise NotFound
    query = f"?{request.query_string.decode('ascii', 'replace')}" if request.query_string else ""
    return redirect(f"{path_here().rstrip('/')}{query}", 301)  # type: ignore[return-value]


@blueprint.before_request
def _may_change() -> None:
    """A job is resumed by OPTIONS, which changes nothing anywhere else."""
    g.changes = request.endpoint == f"{blueprint.name}.{jobs.resume_job.__name__}"


_serve("/jobs", jobs.list_jobs)
_serve("/jobs", jobs.add_job, "POST")
_serve("/jobs/<job_id>", jobs.show_job)
_serve("/jobs/<job_id>", jobs.modify_job, "PUT")
_serve("/jobs/<job_id>", jobs.delete_job, "DELETE")
_serve("/jobs/<job_id>", jobs.pause_job, "PATCH")
_serve("/jobs/<job_id>", jobs.resume_job, "OPTIONS")
_serve("/executions", executions.list_executions)
_serve("/executions/<execution_id>", executions.show_execution)
_serve("/executions/<job_id>", executions.run_job, "POST")
_serve("/executions/<execution_id>", executions.stop_execution, "DELETE")
_serve("/logs", logs.list_logs)
_serve("/files", files.list_files)
_serve("/files", files.add_file, "POST")
_serve("/files/<name>", files.delete_file, "DELETE")
_serve("/files/<name>", files.has_file, "OPTIONS")
# All addresses that there are not.
for _method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
    _serve("/<value:where>", without_slash, _method)

for _error in errors.ANSWERED:
    blueprint.register_error_handler(_error, errors.answer)


def register(app: Flask) -> None:
    app.register_blueprint(blueprint)
